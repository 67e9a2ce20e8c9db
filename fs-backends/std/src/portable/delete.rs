//! Deleting a name that is as expected, also one that does not let go.
//!
//! On Windows a file marked as read-only cannot be deleted, nor one that somebody has open.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::Path;

use dlmanager_core::{Deleted, Expect, Fault, FaultKind};

use super::patience::insist;
use super::{file_stat, on_path};
use crate::root::is_expected;

pub(super) fn delete(full: &Path, expect: Expect, is_pinned: impl Fn() -> bool) -> Deleted {
    match insist(|| attempt(full, expect, &is_pinned)) {
        Ok(deleted) => deleted,
        Err(fault) if fault.kind() == FaultKind::Busy => Deleted::Busy,
        Err(fault) => Deleted::Denied(fault),
    }
}

fn attempt(full: &Path, expect: Expect, is_pinned: &impl Fn() -> bool) -> Result<Deleted, Fault> {
    let metadata = match full.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Deleted::Gone),
        Err(error) => return Err(on_path(error)),
    };
    if !is_expected(expect, &file_stat(&metadata)) {
        return Ok(Deleted::Changed);
    }
    // Whoever has a lease on it has the lock.
    let _locked = match expect {
        Expect::Unchanged { .. } => match lock(full, &metadata)? {
            // Whoever makes a pin waits for the lock.
            Ok(_) | Err(Deleted::Busy) if is_pinned() => return Ok(Deleted::Pinned),
            Ok(locked) => locked,
            Err(used) => return Ok(used),
        },
        Expect::File | Expect::EmptyFolder => None,
    };
    make_deletable(full, &metadata);
    let is_folder = expect == Expect::EmptyFolder || is_link_to_folder(&metadata);
    match if is_folder { fs::remove_dir(full) } else { fs::remove_file(full) } {
        Ok(()) => Ok(Deleted::Deleted),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(Deleted::Gone),
            io::ErrorKind::DirectoryNotEmpty => Ok(Deleted::Busy),
            io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => Ok(Deleted::Changed),
            _ => Err(on_path(error)),
        },
    }
}

/// The file with its exclusive lock, where there is a way to lock it; or why it cannot go.
fn lock(full: &Path, metadata: &Metadata) -> Result<Result<Option<File>, Deleted>, Fault> {
    let Ok(file) = File::open(full) else { return Ok(Ok(None)) };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Err(Deleted::Busy)),
        Err(TryLockError::Error(_)) => return Ok(Ok(None)),
    }
    // It may have been replaced before it was locked.
    let is_same = match full.symlink_metadata() {
        Ok(again) => {
            file_stat(&again) == file_stat(metadata)
                && super::identity::is_same(&File::open(full).map_err(on_path)?, &file)?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(Deleted::Gone)),
        Err(error) => return Err(on_path(error)),
    };
    Ok(if is_same { Ok(Some(file)) } else { Err(Deleted::Changed) })
}

/// Takes the mark away that Windows knows as read-only. Where that fails, so does the deletion, which says why.
fn make_deletable(full: &Path, metadata: &Metadata) {
    let mut permissions = metadata.permissions();
    if cfg!(windows) && permissions.readonly() && !metadata.is_symlink() {
        #[expect(clippy::permissions_set_readonly_false, reason = "on Windows it is a mark on the file alone")]
        permissions.set_readonly(false);
        let _ = fs::set_permissions(full, permissions);
    }
}

/// Windows knows two kinds of symlinks, and deletes those to folders as folders.
#[cfg(windows)]
fn is_link_to_folder(metadata: &Metadata) -> bool {
    std::os::windows::fs::FileTypeExt::is_symlink_dir(&metadata.file_type())
}

#[cfg(not(windows))]
fn is_link_to_folder(_metadata: &Metadata) -> bool {
    false
}
