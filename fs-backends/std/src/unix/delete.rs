//! Deleting names that are as expected.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use dlmanager_core::{DeleteItem, Deleted, Expect, FaultKind, StorePath, WORK_FOLDER};
use rustix::fs::{AtFlags, FlockOperation, Stat};
use rustix::io::{Errno, Result};

use super::folder_lock::{self, Share};
use super::lock::{self, Alone};
use super::stubborn::Loosened;
use super::tree::{Place, Tree};
use super::{file_stat, on_path, retry};
use crate::root::is_expected;

/// Deletes items; where the folder of one does not let go, `loosen` is asked to make it do so. Where what nobody uses is to
/// go, no file is replaced meanwhile, and nobody else evicts.
pub(super) fn delete(
    tree: &Tree,
    items: &[DeleteItem],
    loosen: impl Fn(&Tree, &StorePath) -> Option<Loosened>,
) -> Vec<Deleted> {
    let evicts = items.iter().any(|item| matches!(item.expect, Expect::Unchanged { .. }));
    // While somebody evicts, the folder whose lock he has stays.
    let is_work_folder = |item: &DeleteItem| item.expect == Expect::EmptyFolder && item.path.as_str() == WORK_FOLDER;
    let lock = if evicts {
        folder_lock::lock_to_evict(tree)
    } else if items.iter().any(is_work_folder) {
        folder_lock::lock(tree, Share::Alone).map(|lock| lock.map(Arc::new))
    } else {
        Ok(None)
    };
    let has_pins = evicts && folder_lock::has_pins(tree);
    let each = items.iter().map(|item| match (&lock, item.expect) {
        (Err(fault), Expect::Unchanged { .. }) if fault.kind() == FaultKind::Busy => Deleted::Locked,
        (Err(_), Expect::EmptyFolder) if is_work_folder(item) => Deleted::Busy,
        (Err(fault), Expect::Unchanged { .. }) => Deleted::Denied(fault.clone()),
        (lock, _) => {
            let is_alone = matches!(lock, Ok(Some(_)));
            delete_one(tree, item, Guards { is_alone, has_pins }, &loosen)
        }
    });
    each.collect()
}

/// What is known of the directory while items of it are deleted.
#[derive(Clone, Copy)]
struct Guards {
    /// The work folder's lock is ours: nobody of ours replaces a published file.
    is_alone: bool,
    /// Some name was pinned when the lock was taken.
    has_pins: bool,
}

fn delete_one(
    tree: &Tree,
    item: &DeleteItem,
    guards: Guards,
    loosen: &impl Fn(&Tree, &StorePath) -> Option<Loosened>,
) -> Deleted {
    let mut deleted = attempt(tree, item, guards);
    if matches!(deleted, Err(Errno::ACCESS | Errno::PERM))
        && let Some(_loosened) = loosen(tree, &item.path)
    {
        deleted = attempt(tree, item, guards);
    }
    deleted.unwrap_or_else(|errno| Deleted::Denied(on_path(errno)))
}

fn attempt(tree: &Tree, item: &DeleteItem, guards: Guards) -> Result<Deleted> {
    let place = match tree.place(&item.path) {
        Ok(place) => place,
        Err(Errno::NOENT) => return Ok(Deleted::Gone),
        Err(errno) => return Err(errno),
    };
    // Without the folder's lock one may be made any time; whoever makes one then waits for the file's lock.
    let is_pinned = || (guards.has_pins || !guards.is_alone) && folder_lock::is_pinned(tree, &item.path);
    let unused = match item.expect {
        Expect::Unchanged { .. } => unused(tree, &place, item.expect, is_pinned)?,
        Expect::File | Expect::EmptyFolder => Unused::Unknown,
    };
    let mut locked = match unused {
        Unused::Locked(locked) => Some(locked),
        Unused::Unknown => None,
        Unused::Not(deleted) => return Ok(deleted),
    };
    // Behind the lock of the work folder nobody of ours puts another file in the place of one that was published; a stranger
    // may, whom no look between two calls keeps out. Unfinished files have locks of their own alone; and what has no name, or
    // several, may have lost this one between the opening and the locking.
    let is_sole = locked.as_ref().is_some_and(|locked| locked.stat.st_nlink == 1);
    let is_kept_as_it_is = guards.is_alone && is_sole && item.path.as_str().split('/').next() != Some(WORK_FOLDER);
    if !is_kept_as_it_is {
        let stat = match place.stat() {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Deleted::Gone),
            Err(errno) => return Err(errno),
        };
        // Replaced since it was opened, it is what nobody has looked at.
        let is_other = locked.as_ref().is_some_and(|locked| !locked.is(&stat));
        if is_other || !is_expected(item.expect, &file_stat(&stat)) {
            return Ok(Deleted::Changed);
        }
    }
    let flags = if item.expect == Expect::EmptyFolder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    match place.unlink(flags) {
        Ok(()) => {
            if let Some(locked) = &mut locked {
                locked.is_gone = true;
            }
            Ok(Deleted::Deleted)
        }
        // Somebody else was quicker.
        Err(Errno::NOENT) => Ok(Deleted::Gone),
        Err(Errno::ISDIR | Errno::NOTDIR) => Ok(Deleted::Changed),
        // rmdir(2) may say either of a folder that is not empty.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY | Errno::TXTBSY) => Ok(Deleted::Busy),
        Err(errno) => Err(errno),
    }
}

/// Whether nobody uses a file.
enum Unused {
    /// Its lock was free, and is ours as long as this lives; and it is as expected.
    Locked(Locked),
    /// There is no way to tell.
    Unknown,
    Not(Deleted),
}

struct Locked {
    file: OwnedFd,
    stat: Stat,
    is_gone: bool,
}

impl Locked {
    fn is(&self, other: &Stat) -> bool {
        (self.stat.st_dev, self.stat.st_ino) == (other.st_dev, other.st_ino)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Where the file stays, somebody may want it before a child that was forked in the meantime closes it.
        if !self.is_gone {
            let _ = retry(|| rustix::fs::flock(&self.file, FlockOperation::Unlock));
        }
    }
}

fn unused(tree: &Tree, place: &Place<'_>, expect: Expect, is_pinned: impl Fn() -> bool) -> Result<Unused> {
    let mut file = match place.open_to_read() {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Unused::Not(Deleted::Gone)),
        // A symlink, a socket.
        Err(Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::ISDIR) => return Ok(Unused::Not(Deleted::Changed)),
        // Who may not read it has no lease on it, at least no other one of ours.
        Err(Errno::ACCESS | Errno::PERM) => {
            return Ok(if is_pinned() { Unused::Not(Deleted::Pinned) } else { Unused::Unknown });
        }
        Err(errno) => return Err(errno),
    };
    let lock = lock::take(tree, place, &mut file);
    let stat = retry(|| rustix::fs::fstat(&file))?;
    let is_as_expected = is_expected(expect, &file_stat(&stat));
    // From here on it is given back where the file stays.
    let unused = match lock {
        Ok(Alone::Ours) => Ok(Unused::Locked(Locked { file, stat, is_gone: false })),
        Ok(Alone::Others) => Ok(Unused::Not(Deleted::Busy)),
        Ok(Alone::Moved) => Ok(Unused::Not(Deleted::Changed)),
        Ok(Alone::Unknown) => Ok(Unused::Unknown),
        Err(errno) => Err(errno),
    };
    if !is_as_expected {
        return Ok(Unused::Not(Deleted::Changed));
    }
    if is_pinned() { Ok(Unused::Not(Deleted::Pinned)) } else { unused }
}
