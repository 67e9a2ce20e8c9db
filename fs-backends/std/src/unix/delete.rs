//! Deleting a name that is as expected.

use dlmanager_core::{DeleteItem, Deleted, Expect, StorePath};
use rustix::fs::AtFlags;
use rustix::io::{Errno, Result};

use super::stubborn::Loosened;
use super::tree::Tree;
use super::{file_stat, on_path};
use crate::root::is_expected;

/// Deletes an item; where its folder does not let go, `loosen` is asked to make it do so.
pub(super) fn delete(
    tree: &Tree,
    item: &DeleteItem,
    loosen: impl FnOnce(&Tree, &StorePath) -> Option<Loosened>,
) -> Deleted {
    let mut deleted = attempt(tree, item);
    if matches!(deleted, Err(Errno::ACCESS | Errno::PERM))
        && let Some(_loosened) = loosen(tree, &item.path)
    {
        deleted = attempt(tree, item);
    }
    deleted.unwrap_or_else(|errno| Deleted::Denied(on_path(errno)))
}

fn attempt(tree: &Tree, item: &DeleteItem) -> Result<Deleted> {
    let place = match tree.place(&item.path) {
        Ok(place) => place,
        Err(Errno::NOENT) => return Ok(Deleted::Gone),
        Err(errno) => return Err(errno),
    };
    let stat = match place.stat() {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(Deleted::Gone),
        Err(errno) => return Err(errno),
    };
    if !is_expected(item.expect, &file_stat(&stat)) {
        return Ok(Deleted::Changed);
    }
    let flags = if item.expect == Expect::EmptyFolder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    match place.unlink(flags) {
        Ok(()) => Ok(Deleted::Deleted),
        // Somebody else was quicker.
        Err(Errno::NOENT) => Ok(Deleted::Gone),
        Err(Errno::ISDIR | Errno::NOTDIR) => Ok(Deleted::Changed),
        // rmdir(2) may say either of a folder that is not empty.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY | Errno::TXTBSY) => Ok(Deleted::Busy),
        Err(errno) => Err(errno),
    }
}
