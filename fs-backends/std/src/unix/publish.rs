//! Giving a file its final name.

use std::sync::atomic::Ordering;

use dlmanager_core::{Fault, FaultKind, FileKind, StorePath};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::folder_lock::{self, Share};
use super::tree::{Place, Tree};
use super::{kind, on_path};
use crate::fault::is_unsupported;

pub(super) fn rename(tree: &Tree, from: &StorePath, to: &StorePath, clobber: bool, is_seen: bool) -> Result<(), Fault> {
    let (path, mut from) = (from, tree.place(from).map_err(on_path)?);
    let (into, mut to) = (to, tree.place(to).map_err(on_path)?);
    if tree.was_removed(&to) {
        to = tree.place(into).map_err(on_path)?;
    }
    // What was put in the file's place must not be published under its name.
    if !is_seen {
        let stat = match from.stat() {
            Err(Errno::NOENT) if tree.was_removed(&from) => {
                from = tree.place(path).map_err(on_path)?;
                from.stat()
            }
            result => result,
        };
        if kind(&stat.map_err(on_path)?) != FileKind::Regular {
            return Err(FaultKind::WrongType.into());
        }
    }
    if clobber {
        let _no_eviction = folder_lock::lock(tree, Share::WithOthers)?;
        return replace(&from, &to);
    }
    if tree.kernel.exclusive_rename.load(Ordering::Relaxed) {
        match from.rename_exclusive(&to) {
            Err(Errno::NOSYS) => tree.kernel.exclusive_rename.store(false, Ordering::Relaxed),
            // This file system does not have it; another one, mounted below, may.
            Err(errno) if errno == Errno::INVAL || is_unsupported(errno) => {}
            result => return result.map_err(on_path),
        }
    }
    link_and_unlink(&from, &to)
}

fn replace(from: &Place<'_>, to: &Place<'_>) -> Result<(), Fault> {
    match to.stat() {
        Ok(stat) if kind(&stat) != FileKind::Regular => return Err(FaultKind::WrongType.into()),
        Ok(_) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(on_path(errno)),
    }
    from.rename(to).map_err(on_path)
}

/// Between the two calls the file has both names, whole under each.
fn link_and_unlink(from: &Place<'_>, to: &Place<'_>) -> Result<(), Fault> {
    match from.link(to) {
        Ok(()) => {}
        // link(2): PERM says that the file system has no links.
        Err(errno) if matches!(errno, Errno::PERM | Errno::NOSYS) || is_unsupported(errno) => {
            let detail = "the file system has neither an exclusive rename nor hard links";
            return Err(Fault::new(FaultKind::Unsupported).with_os_code(errno.raw_os_error()).with_detail(detail));
        }
        Err(errno) => return Err(on_path(errno)),
    }
    match from.unlink(AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(on_path(errno)),
    }
}
