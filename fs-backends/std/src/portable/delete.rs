//! Deleting a name that is as expected, also one that does not let go.
//!
//! On Windows a file marked as read-only cannot be deleted, nor one that somebody has open: a virus scanner, for one, for
//! some moments after the file was written.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dlmanager_core::{Deleted, Expect, Fault, FaultKind};

use super::{file_stat, on_path};
use crate::root::is_expected;

/// How often a deletion is tried that fails for what may pass.
const ATTEMPTS: u32 = if cfg!(windows) { 5 } else { 1 };
/// How long is waited in between.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn delete(full: &Path, expect: Expect) -> Deleted {
    let mut attempts = 1;
    loop {
        match attempt(full, expect) {
            Ok(deleted) => return deleted,
            Err(fault) if may_pass(&fault) && attempts < ATTEMPTS => {
                attempts += 1;
                // Nothing tells when the other one lets go.
                thread::sleep(PAUSE);
            }
            Err(fault) if fault.kind() == FaultKind::Busy => return Deleted::Busy,
            Err(fault) => return Deleted::Denied(fault),
        }
    }
}

fn may_pass(fault: &Fault) -> bool {
    matches!(fault.kind(), FaultKind::Denied | FaultKind::Busy)
}

fn attempt(full: &Path, expect: Expect) -> Result<Deleted, Fault> {
    let metadata = match full.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Deleted::Gone),
        Err(error) => return Err(on_path(error)),
    };
    if !is_expected(expect, &file_stat(&metadata)) {
        return Ok(Deleted::Changed);
    }
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
