//! Opening files.

use std::fs::{File, OpenOptions};
use std::path::Path;

use dlmanager_core::{Fault, FaultKind, FileKind, OpenMode};

use super::{expect_kind, identity, on_file, on_path, options};

/// How often a name is looked at again that somebody else gives and takes at the same time.
const ATTEMPTS: usize = 8;

/// The file, and whether it was made.
pub(super) fn open(full: &Path, mode: OpenMode) -> Result<(File, bool), Fault> {
    match mode {
        OpenMode::CreateNew => Ok((create(full)?, true)),
        OpenMode::Existing => Ok((existing(full)?, false)),
        OpenMode::CreateOrExisting => create_or_existing(full),
        OpenMode::Read => Ok((regular(full, OpenOptions::new().read(true))?, false)),
    }
}

fn create(full: &Path) -> Result<File, Fault> {
    options().create_new(true).open(full).map_err(on_path)
}

fn existing(full: &Path) -> Result<File, Fault> {
    let file = regular(full, &options())?;
    if identity::names(&file)? > 1 {
        return Err(Fault::new(FaultKind::WrongType).with_detail("the file has another name"));
    }
    Ok(file)
}

fn create_or_existing(full: &Path) -> Result<(File, bool), Fault> {
    for _ in 0..ATTEMPTS {
        match create(full) {
            Err(fault) if fault.kind() == FaultKind::Exists => {}
            result => return Ok((result?, true)),
        }
        match existing(full) {
            Err(fault) if fault.kind() == FaultKind::NotFound => {}
            result => return Ok((result?, false)),
        }
    }
    Err(Fault::new(FaultKind::Busy).with_detail("the name comes and goes"))
}

fn regular(full: &Path, options: &OpenOptions) -> Result<File, Fault> {
    expect_kind(&full.symlink_metadata().map_err(on_path)?, FileKind::Regular)?;
    let file = options.open(full).map_err(on_path)?;
    expect_kind(&file.metadata().map_err(on_file)?, FileKind::Regular)?;
    Ok(file)
}
