//! Names whose files no eviction takes, whichever process is there.
//!
//! A pin is a file of its own, named after a hash of the name that it is for: made and removed without a look at others,
//! and seen by every deletion of an unused file, which whoever makes one waits for while it is under way.

use std::io::{Read, Write};

use dlmanager_core::{
    DeleteItem, Deleted, Expect, Fault, FaultKind, FileKind, FileName, OpenMode, PINS_FOLDER, StorePath, WORK_FOLDER,
};

use crate::root::Root;
use crate::{fault, lease};

/// What a pin begins with: the format's version. The name follows, for those who look.
const HEADER: &str = "dlmanager 1\n";
/// A name has no more bytes; one component is at most 255.
const PIN_BYTES_MAX: u64 = 64 * 1024;
const ENTRIES_A_BATCH: usize = 1024;
/// How often the folder of pins is made anew that somebody removes at the same time.
const ATTEMPTS: usize = 8;

pub(crate) fn pin<R: Root>(root: &R, path: &StorePath) -> Result<(), Fault> {
    require_file(root, path)?;
    let pin = path.pin();
    let folder = pins_folder();
    let mut is_new = false;
    for attempt in 1.. {
        root.make_dir(&folder)?;
        match root.open_file(&pin, OpenMode::CreateNew) {
            Ok((mut file, _)) => {
                let text = format!("{HEADER}{path}\n");
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(|error| fault::of_file(&error))?;
                is_new = true;
                break;
            }
            Err(fault) if fault.kind() == FaultKind::Exists => break,
            Err(fault) if fault.kind() == FaultKind::NotFound && attempt < ATTEMPTS => {}
            Err(fault) => return Err(fault),
        }
    }
    for flushed in [&pin, &folder] {
        root.sync_dir(flushed)?;
    }
    // Those that are under way may not have seen it: they have the folder's lock, or, where that was removed, the file's.
    root.wait_for_evictions()?;
    let is_there = match lease::hold(root, path) {
        // Who may not read it cannot lock it either.
        Err(fault) if fault.kind() == FaultKind::Denied => require_file(root, path),
        result => result.map(drop),
    };
    if is_new && is_there.is_err() {
        unpin(root, path)?;
    }
    is_there
}

/// The folder that every pin lies in.
fn pins_folder() -> StorePath {
    let work_folder = StorePath::entry(WORK_FOLDER).expect("a single component");
    let name = PINS_FOLDER.rsplit('/').next().expect("a path has a last component");
    StorePath::entry_of(&work_folder, name).expect("a single component")
}

fn require_file<R: Root>(root: &R, path: &StorePath) -> Result<(), Fault> {
    match root.stat(path)?.map(|stat| stat.kind) {
        Some(FileKind::Regular) => Ok(()),
        Some(_) => Err(FaultKind::WrongType.into()),
        None => Err(FaultKind::NotFound.into()),
    }
}

pub(crate) fn unpin<R: Root>(root: &R, path: &StorePath) -> Result<bool, Fault> {
    let was_there = match root.delete(&[DeleteItem { path: path.pin(), expect: Expect::File }]).pop() {
        Some(Deleted::Deleted) => true,
        Some(Deleted::Gone) | None => false,
        Some(Deleted::Changed) => return Err(FaultKind::WrongType.into()),
        Some(Deleted::Busy | Deleted::Pinned | Deleted::Locked) => return Err(FaultKind::Busy.into()),
        Some(Deleted::Denied(fault)) => return Err(fault),
    };
    // Each stays where something is in it.
    for folder in [Some(pins_folder()), StorePath::entry(WORK_FOLDER)].into_iter().flatten() {
        root.delete(&[DeleteItem { path: folder, expect: Expect::EmptyFolder }]);
    }
    Ok(was_there)
}

pub(crate) fn is_pinned<R: Root>(root: &R, path: &StorePath) -> Result<bool, Fault> {
    Ok(root.stat(&path.pin())?.is_some())
}

/// The names that are pinned, as far as their pins can be read.
pub(crate) fn pins<R: Root>(root: &R) -> Result<Vec<StorePath>, Fault> {
    let mut scan = match root.scan(Some(&pins_folder())) {
        Ok(scan) => scan,
        Err(fault) if fault.kind() == FaultKind::NotFound => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    let mut names = Vec::new();
    loop {
        let batch = root.scan_batch(&mut scan, ENTRIES_A_BATCH)?;
        for entry in batch.entries {
            let Ok((file, _)) = root.open_file(&entry.path, OpenMode::Read) else { continue };
            let mut text = String::new();
            let is_read = file.take(PIN_BYTES_MAX).read_to_string(&mut text).is_ok();
            let name = text.strip_prefix(HEADER).and_then(|name| name.strip_suffix('\n')).filter(|_| is_read);
            let path = name.and_then(|name| match FileName::new(name) {
                Ok(name) => Some(StorePath::from(&name)),
                Err(_) => StorePath::entry(name),
            });
            names.extend(path.filter(|path| path.pin() == entry.path));
        }
        if batch.done {
            names.sort();
            return Ok(names);
        }
    }
}
