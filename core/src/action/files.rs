//! What file operations are told, and what they tell.

use alloc::vec::Vec;

use crate::{Fault, Stamp, StorePath};

/// What must be there when a file is opened.
///
/// ```
/// use dlmanager_core::OpenMode;
///
/// let makes = |mode| matches!(mode, OpenMode::CreateNew | OpenMode::CreateOrExisting);
/// let writes = |mode| mode != OpenMode::Read;
/// assert!(writes(OpenMode::Existing) && !makes(OpenMode::Existing));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Nothing: the file is made, with mode 0666 less the umask. A name that is taken, by whatever, is
    /// [`FaultKind::Exists`](crate::FaultKind::Exists).
    CreateNew,
    /// A regular file with no other name, whose bytes are kept. Nothing there is
    /// [`FaultKind::NotFound`](crate::FaultKind::NotFound), something else
    /// [`FaultKind::WrongType`](crate::FaultKind::WrongType): what has a second name may be somebody's.
    Existing,
    /// As `Existing` where something is there, as `CreateNew` where nothing is.
    CreateOrExisting,
    /// A regular file, for reading only, however many names it has.
    Read,
}

/// A file that was opened.
///
/// ```
/// use dlmanager_core::Opened;
///
/// let opened = Opened { created: true, length: 0 };
/// assert_ne!(opened, Opened { created: false, length: 0 }); // one that was there, and empty
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// It was made by this.
    pub created: bool,
    /// Its length in bytes.
    pub length: u64,
}

/// What the directory's file system and the machine can do.
///
/// ```
/// use dlmanager_core::Probed;
///
/// // A backend may always say so: nothing is relied on then.
/// let probed = Probed { boot: None, locks: false };
/// assert!(probed.boot.is_none() && !probed.locks);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What tells this start of the machine from all others, where that can be known: what a process wrote before it died
    /// is still there while this is the same.
    pub boot: Option<BootId>,
    /// Whether locks work: a second one on the same file was refused.
    pub locks: bool,
}

/// A start of the machine: on Linux `/proc/sys/kernel/random/boot_id`.
///
/// ```
/// use dlmanager_core::BootId;
///
/// let text = "6f0d7a0e-2b1c-4d5e-8f90-a1b2c3d4e5f6";
/// let boot = BootId(u128::from_str_radix(&text.replace('-', ""), 16)?.to_be_bytes());
/// assert_eq!(boot.0[..4], [0x6f, 0x0d, 0x7a, 0x0e]);
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub [u8; 16]);

/// What stands under a name.
///
/// ```
/// use dlmanager_core::{Completion, FileStat, Ticket, op};
///
/// // That nothing stands there is an answer as well, and no fault.
/// fn answer(ticket: Ticket<op::Stat>, found: Option<FileStat>) -> Completion {
///     ticket.done(Ok(found))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// What it is; a symlink is not followed.
    pub kind: FileKind,
    /// Its length in bytes.
    pub length: u64,
    /// When it was last read, as far as the file system knows.
    pub accessed: Stamp,
    /// When it was last written.
    pub modified: Stamp,
}

/// The kinds of things that stand under a name.
///
/// ```
/// use dlmanager_core::{DownloadError, FileKind, FileName};
///
/// let error = DownloadError::NotAFile { name: FileName::new("a")?, kind: FileKind::Folder };
/// assert_eq!(error.to_string(), "a is there already and is a folder, not a regular file");
/// # Ok::<(), dlmanager_core::NameError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A folder.
    Folder,
    /// A symbolic link, whatever it leads to.
    Symlink,
    /// A socket, a pipe, a device.
    Other,
}

/// Some entries of the directory.
///
/// ```
/// use dlmanager_core::ScanBatch;
///
/// // All that a scan of an empty directory yields.
/// let batch = ScanBatch { entries: Vec::new(), unnameable: 0, done: true };
/// assert!(batch.done);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanBatch {
    /// The entries, in no particular order.
    pub entries: Vec<ScanEntry>,
    /// How many more there were whose names are not UTF-8, or that cannot be looked at.
    pub unnameable: u64,
    /// No more entries will come. While this is false a batch may be empty.
    pub done: bool,
}

/// An entry of the directory or a folder of it.
///
/// ```
/// use dlmanager_core::{FileKind, FileStat, ScanEntry, Stamp, StorePath};
///
/// let stamp = Stamp::from_nanos(0);
/// let stat = FileStat { kind: FileKind::Symlink, length: 0, accessed: stamp, modified: stamp };
/// let entry = StorePath::entry("link").map(|path| ScanEntry { path, stat });
/// assert!(entry.is_some());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEntry {
    /// Its name, behind that of the folder that was asked for.
    pub path: StorePath,
    /// What it is.
    pub stat: FileStat,
}

/// A name to delete.
///
/// ```
/// use dlmanager_core::{DeleteItem, Expect, StorePath};
///
/// let item = StorePath::entry("old.zip").map(|path| DeleteItem { path, expect: Expect::File });
/// assert!(item.is_some_and(|item| item.path.as_str() == "old.zip"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteItem {
    /// The name.
    pub path: StorePath,
    /// What must stand there for it to be deleted.
    pub expect: Expect,
}

/// What must stand under a name for it to be deleted.
///
/// ```
/// use dlmanager_core::{Expect, FileStat};
///
/// // What a scan saw goes only if nobody has used or changed it since.
/// fn as_seen(FileStat { length, accessed, modified, .. }: FileStat) -> Expect {
///     Expect::Unchanged { length, accessed, modified }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Any file that is not a folder.
    File,
    /// A regular file with this length and these stamps, which nobody uses: the exclusive lock of the file can be taken,
    /// else it is [`Deleted::Busy`], and it has no [pin](StorePath::pin), else it is [`Deleted::Pinned`]. Looked at and deleted
    /// while no other process deletes such files: one that does is not waited for, see [`Deleted::Locked`].
    Unchanged {
        /// Its length in bytes.
        length: u64,
        /// When it was last read.
        accessed: Stamp,
        /// When it was last written.
        modified: Stamp,
    },
    /// A folder with nothing in it; another is [`Deleted::Busy`].
    EmptyFolder,
}

/// What became of a name that was to be deleted.
///
/// ```
/// use dlmanager_core::Deleted;
///
/// let is_gone = |deleted: &Deleted| matches!(deleted, Deleted::Deleted | Deleted::Gone);
/// assert!(is_gone(&Deleted::Gone) && !is_gone(&Deleted::Busy));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// It was deleted.
    Deleted,
    /// Nothing stood there.
    Gone,
    /// Something else than expected stands there.
    Changed,
    /// It is in use, or a folder that is not empty.
    Busy,
    /// It is pinned.
    Pinned,
    /// Another process evicts in this directory at the moment, so nothing was looked at: of
    /// [unchanged](Expect::Unchanged) files alone.
    Locked,
    /// It may not be deleted, for this reason.
    Denied(Fault),
}
