//! Names whose files no eviction takes, whichever process is there.
//!
//! A pin is a file of its own, named after a hash of the name that it is for: made and removed without a look at others,
//! and seen by every deletion of an unused file, which whoever makes one waits for while it is under way.

use std::collections::BTreeSet;
use std::io::Read;

use dlmanager_core::{
    DeleteItem, Deleted, Expect, Fault, FaultKind, FileKind, FileName, OpenMode, PINS_FOLDER, ScanEntry, StorePath,
    WORK_FOLDER,
};

use crate::lease;
use crate::root::Root;

/// What a pin begins with: the format's version. The name follows, for those who look.
const HEADER: &str = "dlmanager 1\n";
/// A name has no more bytes; one component is at most 255.
const PIN_BYTES_MAX: u64 = 64 * 1024;
const ENTRIES_A_BATCH: usize = 1024;
/// How often the folder of pins is made anew that somebody removes at the same time.
const ATTEMPTS: usize = 8;

pub(crate) fn pin<R: Root>(root: &R, path: &StorePath) -> Result<(), Fault> {
    require_file(root, path)?;
    loop {
        let is_new = make(root, path)?;
        let settled = settle(root, path);
        if is_new && settled.is_err() {
            take_back(root, path);
        }
        settled?;
        if is_new || is_pinned(root, path)? {
            return Ok(());
        }
        // Somebody else was making it, and has taken it back.
    }
}

/// Makes a pin where there is none, and returns whether it did. On a fault there is no more than before.
fn make<R: Root>(root: &R, path: &StorePath) -> Result<bool, Fault> {
    let (pin, folder) = (path.pin(), pins_folder());
    for attempt in 1.. {
        let made = root.make_dir(&folder).and_then(|()| root.open_file(&pin, OpenMode::CreateNew));
        let fault = match made {
            Ok((file, _)) => {
                let text = format!("{HEADER}{path}\n");
                let written = root.write_all_at(&file, 0, &[text.into()]).and_then(|()| root.sync(&file));
                drop(file);
                if written.is_err() {
                    take_back(root, path);
                }
                return written.map(|()| true);
            }
            Err(fault) => fault,
        };
        match fault.kind() {
            FaultKind::Exists => break,
            FaultKind::NotFound if attempt < ATTEMPTS => {}
            _ => {
                remove_folders(root);
                return Err(fault);
            }
        }
    }
    Ok(false)
}

/// Removes a pin that does not count yet. Where that fails it is seen all the same: it pins, and is listed.
fn take_back<R: Root>(root: &R, path: &StorePath) {
    let _ = unpin(root, path);
}

/// Makes sure that a pin counts: that it outlives a loss of power, that no eviction has missed it, and that it came before its
/// file went.
fn settle<R: Root>(root: &R, path: &StorePath) -> Result<(), Fault> {
    for flushed in [path.pin(), pins_folder()] {
        root.sync_dir(&flushed)?;
    }
    // Those that are under way may not have seen it: they have the folder's lock, or, where that was removed, the file's.
    root.wait_for_evictions()?;
    match lease::hold(root, path) {
        // Who may not read it cannot lock it either.
        Err(fault) if fault.kind() == FaultKind::Denied => require_file(root, path),
        result => result.map(drop),
    }
}

/// The folder that every pin lies in.
pub(crate) fn pins_folder() -> StorePath {
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
    remove_folders(root);
    Ok(was_there)
}

/// Each stays where something is in it.
fn remove_folders<R: Root>(root: &R) {
    for folder in [Some(pins_folder()), StorePath::entry(WORK_FOLDER)].into_iter().flatten() {
        root.delete(&[DeleteItem { path: folder, expect: Expect::EmptyFolder }]);
    }
}

pub(crate) fn is_pinned<R: Root>(root: &R, path: &StorePath) -> Result<bool, Fault> {
    Ok(root.stat(&path.pin())?.is_some())
}

/// The names that are pinned. Of a pin that does not say its name, as whoever was making it died, it is found out where
/// something has that name: that one pins as well.
pub(crate) fn pins<R: Root>(root: &R) -> Result<Vec<StorePath>, Fault> {
    let mut scan = match root.scan(Some(&pins_folder())) {
        Ok(scan) => scan,
        Err(fault) if fault.kind() == FaultKind::NotFound => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    let mut names = Vec::new();
    let mut nameless = BTreeSet::new();
    loop {
        let batch = root.scan_batch(&mut scan, ENTRIES_A_BATCH)?;
        for entry in batch.entries {
            match name_in(root, &entry.path) {
                Some(name) => names.push(name),
                None => nameless.extend([entry.path]),
            }
        }
        if batch.done {
            if !nameless.is_empty() {
                names.extend(names_of(root, nameless)?);
            }
            names.sort();
            return Ok(names);
        }
    }
}

/// The name that a pin says it is for, if it is.
fn name_in<R: Root>(root: &R, pin: &StorePath) -> Option<StorePath> {
    let (file, _) = root.open_file(pin, OpenMode::Read).ok()?;
    let mut text = String::new();
    file.take(PIN_BYTES_MAX).read_to_string(&mut text).ok()?;
    let name = text.strip_prefix(HEADER)?.strip_suffix('\n')?;
    let path = match FileName::new(name) {
        Ok(name) => StorePath::from(&name),
        Err(_) => StorePath::entry(name)?,
    };
    (path.pin() == *pin).then_some(path)
}

/// What of the directory these pins are for.
fn names_of<R: Root>(root: &R, mut pins: BTreeSet<StorePath>) -> Result<Vec<StorePath>, Fault> {
    let mut names = Vec::new();
    let mut folders = vec![None];
    while let Some(folder) = folders.pop() {
        let mut scan = match root.scan(folder.as_ref()) {
            Ok(scan) => scan,
            Err(fault) if folder.is_none() => return Err(fault),
            // Gone, or somebody else's.
            Err(_) => continue,
        };
        loop {
            let batch = root.scan_batch(&mut scan, ENTRIES_A_BATCH)?;
            for ScanEntry { path, stat } in batch.entries {
                if stat.kind == FileKind::Folder {
                    folders.push(Some(path));
                } else if pins.remove(&path.pin()) {
                    names.push(path);
                }
            }
            if pins.is_empty() {
                return Ok(names);
            }
            if batch.done {
                break;
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
