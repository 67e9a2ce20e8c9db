//! Opening files.

use std::fs::File;

use dlmanager_core::{Fault, FaultKind, FileKind, OpenMode, StorePath};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::tree::Tree;
use super::{kind, on_file, on_path, retry};

/// How often a name is looked at again that somebody else gives and takes at the same time.
const ATTEMPTS: usize = 8;

/// The file, and whether it was made.
pub(super) fn open(tree: &Tree, path: &StorePath, mode: OpenMode) -> Result<(File, bool), Fault> {
    match mode {
        OpenMode::CreateNew => Ok((create(tree, path).map_err(on_path)?, true)),
        OpenMode::Existing => Ok((existing(tree, path)?, false)),
        OpenMode::CreateOrExisting => create_or_existing(tree, path),
        OpenMode::Read => Ok((regular(tree, path, OFlags::RDONLY)?.0, false)),
    }
}

fn create(tree: &Tree, path: &StorePath) -> rustix::io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    tree.open(path, flags, Mode::from_raw_mode(0o666)).map(File::from)
}

fn existing(tree: &Tree, path: &StorePath) -> Result<File, Fault> {
    let (file, links) = regular(tree, path, OFlags::RDWR)?;
    if links > 1 {
        return Err(Fault::new(FaultKind::WrongType).with_detail("the file has another name"));
    }
    Ok(file)
}

/// Only the two exclusive calls tell for sure whether the file was made, and by whom.
fn create_or_existing(tree: &Tree, path: &StorePath) -> Result<(File, bool), Fault> {
    for _ in 0..ATTEMPTS {
        match create(tree, path) {
            Ok(file) => return Ok((file, true)),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(on_path(errno)),
        }
        match existing(tree, path) {
            Err(fault) if fault.kind() == FaultKind::NotFound => {}
            result => return Ok((result?, false)),
        }
    }
    Err(Fault::new(FaultKind::Busy).with_detail("the name comes and goes"))
}

/// Opens a regular file to read it without that being recorded as an access.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn quietly(tree: &Tree, path: &StorePath) -> Result<File, Fault> {
    match regular(tree, path, OFlags::RDONLY | OFlags::NOATIME) {
        // Only its owner may ask for that (open(2)).
        Err(fault) if fault.kind() == FaultKind::Denied => Ok(regular(tree, path, OFlags::RDONLY)?.0),
        result => Ok(result?.0),
    }
}

/// Opens a regular file, and tells how many names it has.
#[allow(clippy::useless_conversion, reason = "the type of the field differs from system to system")]
fn regular(tree: &Tree, path: &StorePath, access: OFlags) -> Result<(File, u64), Fault> {
    // NONBLOCK: a pipe that nobody has at its other end would block the call, where it is to be refused.
    let file = tree.open(path, access | OFlags::NONBLOCK, Mode::empty()).map_err(on_path)?;
    let stat = retry(|| rustix::fs::fstat(&file)).map_err(on_file)?;
    if kind(&stat) != FileKind::Regular {
        return Err(FaultKind::WrongType.into());
    }
    Ok((file.into(), stat.st_nlink.into()))
}
