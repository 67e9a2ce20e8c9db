//! What the suite needs of a backend.

use std::collections::BTreeMap;

use dlmanager_core::{Completion, FileAction, FileKind, Stamp};

/// A file backend over a directory of its own, empty at first, together with what other programs can do there.
///
/// Paths are relative, with `/` between components.
pub trait Backend: Send {
    /// Performs one operation.
    fn execute(&self, action: FileAction) -> Completion;

    /// The clock that stamps files.
    fn now(&self) -> Stamp;

    /// Puts something into the directory, folders on the way included. Nothing has the name yet.
    ///
    /// # Errors
    ///
    /// The file system does not know such a thing; cases that need it are skipped.
    fn put(&self, path: &str, thing: Thing<'_>) -> Result<(), Unsupported>;

    /// Stamps a regular file. The suite takes whole, even seconds, so that coarse file systems can follow.
    fn set_stamps(&self, path: &str, accessed: Stamp, modified: Stamp);

    /// The bytes of a regular file; `None` where none is.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// All that stands in the directory, at any depth and in the work folder too, by path; no symlink is followed.
    fn list(&self) -> BTreeMap<String, FileKind>;

    /// How many files and scans are open, where that can be told.
    fn open_handles(&self) -> Option<usize> {
        None
    }

    /// The permissions of a file, and those that the system would give a new one (on Unix 0666 less the umask), where
    /// there are permissions.
    fn modes(&self, _path: &str) -> Option<(u32, u32)> {
        None
    }

    /// Another program's way to perform operations on the same directory, with files and locks of its own; dropping it is
    /// that program's end. `None` where there cannot be another.
    fn program(&self) -> Option<Execute> {
        None
    }

    /// A place outside of the directory that symlinks can lead to, where the backend has an outside.
    fn outside(&self) -> Option<Outside> {
        None
    }
}

/// How a program performs operations.
pub type Execute = Box<dyn Fn(FileAction) -> Completion + Send>;

/// What [`Backend::put`] puts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing<'a> {
    /// A regular file with these bytes.
    File(&'a [u8]),
    /// A second name for the regular file of that path.
    Link(&'a str),
    /// An empty folder.
    Folder,
    /// A symlink with this target: `.` and `..` count from the folder that holds it.
    Symlink(&'a str),
    /// A pipe, or else something that is neither file, folder nor symlink.
    Other,
    /// An empty file, in the same folder, whose name is the last component of the path and a byte that makes it no UTF-8.
    Unnameable,
}

/// The backend cannot have such a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported;

/// A folder outside of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The target of a symlink that leads to it.
    pub target: String,
    /// Everything about it: what stands in it, with kinds, bytes and stamps. It holds at least a file `kept` and an
    /// empty folder `empty`. Looking must not change it.
    pub snapshot: String,
}
