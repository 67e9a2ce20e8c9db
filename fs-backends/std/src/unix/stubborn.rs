//! Folders that do not let go of their files.
//!
//! On Unix it is not the file's mode that forbids to delete it but its folder's.

use std::os::fd::OwnedFd;

use dlmanager_core::StorePath;
use rustix::fs::Mode;

use super::tree::Tree;

/// A folder that its owner may write as long as this lives; then it gets back the mode that it had.
pub(super) struct Loosened {
    folder: OwnedFd,
    mode: Mode,
}

impl Loosened {
    /// Loosens the folder that holds `path`. `None` where that is the directory itself, whose mode is its user's word, or
    /// where the mode is not what forbids it or is not ours to change.
    pub(super) fn folder_of(tree: &Tree, path: &StorePath) -> Option<Self> {
        if path.as_str().contains('/') { Self::loosen(tree.open_folder_of(path).ok()?) } else { None }
    }

    /// The same, also where the folder is the directory itself.
    pub(super) fn any_folder_of(tree: &Tree, path: &StorePath) -> Option<Self> {
        if path.as_str().contains('/') {
            Self::folder_of(tree, path)
        } else {
            Self::loosen(tree.root.try_clone().ok()?)
        }
    }

    fn loosen(folder: OwnedFd) -> Option<Self> {
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&folder).ok()?.st_mode);
        if mode.contains(Mode::WUSR | Mode::XUSR) {
            return None;
        }
        rustix::fs::fchmod(&folder, mode | Mode::WUSR | Mode::XUSR).ok()?;
        Some(Self { folder, mode })
    }
}

impl Drop for Loosened {
    fn drop(&mut self) {
        // Where it fails the folder stays writable for its owner, which harms nobody.
        let _ = rustix::fs::fchmod(&self.folder, self.mode);
    }
}
