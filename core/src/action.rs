//! What the core asks its driver to do.
//!
//! An action is a request with a [`Ticket`]; it is completed exactly once, in any order, also within a lane. [`Action`]
//! is exhaustive on purpose: a new kind of action must break every driver at compile time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};

use crate::ticket::{Completion, Ticket, op};
use crate::{ActionId, Algorithms, BodyId, Fault, FileId, Lane, Stamp, StorePath};

/// Something for the driver to do.
///
/// ```
/// use dlmanager_core::{Action, Completion, FaultKind};
///
/// // The least that a driver can do: it owes no answer to advice.
/// fn refuse(action: Action) -> Option<Completion> {
///     match action {
///         Action::Net(action) => Some(action.fail(FaultKind::Unsupported.into())),
///         Action::File(action) => Some(action.fail(FaultKind::Unsupported.into())),
///         Action::Abort(_) => None,
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "an action that is never completed keeps its download from ending"]
pub enum Action {
    /// For the transport.
    Net(NetAction),
    /// For the file backend.
    File(FileAction),
    /// Advice: the answer to this action is no longer of interest, so it may be cut short. The action still completes
    /// exactly once, and a file action not before its system call has ended.
    Abort(ActionId),
}

/// Something for the transport to do.
///
/// ```
/// use dlmanager_core::{Completion, Fault, FaultKind, NetAction};
///
/// fn offline(action: NetAction) -> Completion {
///     action.fail(Fault::new(FaultKind::Connect).with_detail("offline"))
/// }
/// ```
#[derive(Debug)]
pub struct NetAction {
    /// The order this action belongs to: one lane for each exchange.
    pub lane: Lane,
    /// What to do.
    pub op: NetOp,
}

/// The operations of a transport.
///
/// ```
/// use dlmanager_core::{Completion, Head, NetOp};
///
/// // The ticket's type says what completes it: a head here, a chunk for `ReadBody`, nothing for `DropBody`.
/// fn reply(op: NetOp, head: Head) -> Option<Completion> {
///     if let NetOp::Fetch { ticket, .. } = op { Some(ticket.done(Ok(Box::new(head)))) } else { None }
/// }
/// ```
#[derive(Debug)]
pub enum NetOp {
    /// Send `request` and complete with the head of the reply, informational (1xx) heads left out.
    ///
    /// When a connection stands, before the request is sent on it, the driver reports
    /// [`Event::Connected`](crate::Event::Connected) with this ticket's id. Redirects are not followed.
    Fetch {
        /// Completes this action.
        ticket: Ticket<op::Fetch>,
        /// The identifier of the exchange from now on.
        body: BodyId,
        /// The request.
        request: Box<FetchRequest>,
    },
    /// Complete with what is ready of the body, waiting only while nothing is. At most one is under way for each body.
    ReadBody {
        /// Completes this action.
        ticket: Ticket<op::ReadBody>,
        /// Which exchange.
        body: BodyId,
        /// Greatest length of the chunk; the transport keeps the rest for the next.
        bytes_max: usize,
    },
    /// End the exchange, also where its `Fetch` failed or is unanswered. Overtakes what is under way in its lane, which
    /// is answered as aborted. Never skipped, idempotent, and completed when the connection is closed or back in the
    /// pool: a body read to its end leaves its connection usable, any other closes it.
    DropBody {
        /// Completes this action.
        ticket: Ticket<op::DropBody>,
        /// Which exchange.
        body: BodyId,
    },
}

/// A request as a transport sends it: `GET`, with an absolute URI and all header fields that are to be sent, `Host`
/// among them.
pub type FetchRequest = http::Request<()>;

/// The head of a reply.
///
/// ```
/// use dlmanager_core::Head;
///
/// let (parts, ()) = http::Response::builder().header("content-length", 5).body(())?.into_parts();
/// let head = Head { version: parts.version, status: parts.status, headers: parts.headers };
/// assert_eq!((head.status.as_u16(), &head.headers["content-length"]), (200, &"5".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Head {
    /// The protocol's version; from HTTP/2 on, the end of a body is always explicit.
    pub version: Version,
    /// The status.
    pub status: StatusCode,
    /// The header fields as received, repeated ones repeated.
    pub headers: HeaderMap,
}

/// A piece of a body.
///
/// ```
/// use dlmanager_core::Chunk;
///
/// // A few bytes of a larger buffer keep all of it alive.
/// let buffer = bytes::Bytes::from(vec![0; 16_384]);
/// let chunk = Chunk { data: buffer.slice(..11), pinned: buffer.len(), last: false };
/// assert!(chunk.pinned >= chunk.data.len());
/// ```
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The bytes: at least one, at most as many as asked for. Empty only together with [`last`](Self::last).
    pub data: Bytes,
    /// A bound for the memory that `data` keeps alive, in bytes; at least its length.
    pub pinned: usize,
    /// The body ends here. Only said when the transport knows of no error: a body cut short is a fault.
    pub last: bool,
}

/// Something for the file backend to do.
///
/// ```
/// use dlmanager_core::{Completion, FaultKind, FileAction};
///
/// fn unless_skipped(action: FileAction, failed: &FileAction) -> Result<FileAction, Completion> {
///     let behind = (action.lane, action.epoch) == (failed.lane, failed.epoch);
///     if behind && !action.op.is_closer() { Err(action.fail(FaultKind::Skipped.into())) } else { Ok(action) }
/// }
/// ```
#[derive(Debug)]
pub struct FileAction {
    /// The order this action belongs to.
    pub lane: Lane,
    /// The part of the lane this action belongs to: when one action fails, the driver answers those behind it in the
    /// same epoch with [`FaultKind::Skipped`](crate::FaultKind::Skipped), [closers](FileOp::is_closer) excepted.
    pub epoch: u32,
    /// What to do.
    pub op: FileOp,
}

/// The operations of a file backend. No operation follows a symlink within the directory.
///
/// ```
/// use dlmanager_core::{Action, Config, FileOp, Instant, Manager, Output, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// manager.download(Instant::ZERO, Request::new("https://example.org/a")?)?;
/// let _started = manager.poll();
/// let Output::Action(Action::File(first)) = manager.poll() else { unreachable!() };
/// assert!(matches!(first.op, FileOp::MakeDir { path, .. } if path.as_str() == ".dlmanager"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum FileOp {
    /// Find out what the directory's file system and the machine can do. May make and remove a file at `path`.
    Probe {
        /// Completes this action.
        ticket: Ticket<op::Probe>,
        /// A name that is free, in a folder that is there.
        path: StorePath,
    },
    /// Make a folder and its parents; one that is there is fine.
    MakeDir {
        /// Completes this action.
        ticket: Ticket<op::MakeDir>,
        /// The folder.
        path: StorePath,
    },
    /// Read the next entries of the directory itself, the work folder left out. The first one begins the scan; `Close`
    /// ends it.
    Scan {
        /// Completes this action.
        ticket: Ticket<op::Scan>,
        /// The identifier of the scan.
        scan: FileId,
        /// Greatest number of entries in the batch; at least 1.
        entries_max: usize,
    },
    /// Look at a name.
    Stat {
        /// Completes this action.
        ticket: Ticket<op::Stat>,
        /// The name.
        path: StorePath,
    },
    /// Open a file, for reading and writing.
    Open {
        /// Completes this action.
        ticket: Ticket<op::Open>,
        /// The identifier of the file from now on.
        file: FileId,
        /// Its name.
        path: StorePath,
        /// What must be there.
        mode: OpenMode,
    },
    /// Read at `offset`: `bytes_max` bytes, or fewer where the file ends before.
    Read {
        /// Completes this action.
        ticket: Ticket<op::Read>,
        /// Which file.
        file: FileId,
        /// Where the first byte stands.
        offset: u64,
        /// Greatest number of bytes.
        bytes_max: usize,
    },
    /// Write all of `data` at `offset`, the pieces one behind the other.
    Write {
        /// Completes this action.
        ticket: Ticket<op::Write>,
        /// Which file.
        file: FileId,
        /// Where the first byte goes.
        offset: u64,
        /// The bytes, at least one piece.
        data: Vec<Bytes>,
    },
    /// Cut the file to `length` bytes. It is at least as long.
    Truncate {
        /// Completes this action.
        ticket: Ticket<op::Truncate>,
        /// Which file.
        file: FileId,
        /// Its length from then on, in bytes.
        length: u64,
    },
    /// Stamp the open file as modified at `modified` and accessed now.
    SetTimes {
        /// Completes this action.
        ticket: Ticket<op::SetTimes>,
        /// Which file.
        file: FileId,
        /// When its content was made.
        modified: Stamp,
    },
    /// Add the bytes from `from` to `to` to the file's running digests, and yield the digests of its first `to` bytes.
    ///
    /// `from` is 0, which begins anew, or where the last `Hash` of this file ended, with the same algorithms. The file has
    /// these bytes, be it that they are not flushed; where it ends before, that is
    /// [`FaultKind::Changed`](crate::FaultKind::Changed).
    Hash {
        /// Completes this action.
        ticket: Ticket<op::Hash>,
        /// Which file.
        file: FileId,
        /// Which digests; at least one.
        algorithms: Algorithms,
        /// The first byte to add.
        from: u64,
        /// The byte behind the last one to add.
        to: u64,
    },
    /// Flush the file's data, and of its metadata what is needed to read it, to the disk.
    Sync {
        /// Completes this action.
        ticket: Ticket<op::Sync>,
        /// Which file.
        file: FileId,
    },
    /// Compare the open file with what it should be; [`FaultKind::Changed`](crate::FaultKind::Changed) where it differs.
    Finish {
        /// Completes this action.
        ticket: Ticket<op::Finish>,
        /// Which file.
        file: FileId,
        /// The length that it should have, in bytes.
        length: u64,
    },
    /// Give a file another name, atomically. Without `clobber` a name that is taken, by whatever, is left alone and
    /// answered with [`FaultKind::Exists`](crate::FaultKind::Exists); with it only a regular file is replaced.
    Rename {
        /// Completes this action.
        ticket: Ticket<op::Rename>,
        /// The name that it has.
        from: StorePath,
        /// The name that it gets.
        to: StorePath,
        /// Replace a regular file of that name.
        clobber: bool,
    },
    /// Flush the names in the folder that holds `path` to the disk.
    SyncDir {
        /// Completes this action.
        ticket: Ticket<op::SyncDir>,
        /// A path in that folder.
        path: StorePath,
    },
    /// Delete names, each if it is as expected.
    Delete {
        /// Completes this action.
        ticket: Ticket<op::Delete>,
        /// The names; at least one.
        items: Vec<DeleteItem>,
    },
    /// Stamp a file as accessed now, unless it bears a stamp younger than `unless_within`.
    Touch {
        /// Completes this action.
        ticket: Ticket<op::Touch>,
        /// The file.
        path: StorePath,
        /// A stamp younger than this is good enough.
        unless_within: Duration,
    },
    /// Try to take the exclusive lock of an open file, without waiting, make sure that `path` is still its name, and
    /// complete with the length that it has then: until now somebody else may have written to it.
    ///
    /// A lock that somebody else holds is [`FaultKind::Busy`](crate::FaultKind::Busy), a name that leads elsewhere or nowhere
    /// [`FaultKind::Changed`](crate::FaultKind::Changed), a file with a second name
    /// [`FaultKind::WrongType`](crate::FaultKind::WrongType), a file system without locks
    /// [`FaultKind::Unsupported`](crate::FaultKind::Unsupported); nothing is locked then. Who holds the lock may ask again. The lock belongs to the open
    /// file, follows it when it is renamed, and ends with the process.
    Lock {
        /// Completes this action.
        ticket: Ticket<op::Lock>,
        /// Which file.
        file: FileId,
        /// The name that it was opened under.
        path: StorePath,
    },
    /// Give the lock of an open file back, also where its `Lock` failed. Never skipped, and idempotent.
    Unlock {
        /// Completes this action.
        ticket: Ticket<op::Unlock>,
        /// Which file.
        file: FileId,
    },
    /// Close a file or end a scan, also where its `Open` failed. Never skipped, and idempotent.
    Close {
        /// Completes this action.
        ticket: Ticket<op::Close>,
        /// Which file or scan.
        file: FileId,
    },
}

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
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
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
    /// How many more there were whose names are not UTF-8.
    pub unnameable: u64,
    /// No more entries will come. While this is false a batch may be empty.
    pub done: bool,
}

/// An entry of the directory.
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
    /// Its name, one component.
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
    /// A regular file with this length and these stamps.
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
    /// It may not be deleted, for this reason.
    Denied(Fault),
}

impl NetAction {
    /// The action's identifier.
    pub const fn id(&self) -> ActionId {
        match &self.op {
            NetOp::Fetch { ticket, .. } => ticket.id(),
            NetOp::ReadBody { ticket, .. } => ticket.id(),
            NetOp::DropBody { ticket, .. } => ticket.id(),
        }
    }

    /// The exchange that it is about.
    pub const fn body(&self) -> BodyId {
        match &self.op {
            NetOp::Fetch { body, .. } | NetOp::ReadBody { body, .. } | NetOp::DropBody { body, .. } => *body,
        }
    }

    /// Answers it with a fault.
    pub fn fail(self, fault: Fault) -> Completion {
        match self.op {
            NetOp::Fetch { ticket, .. } => ticket.done(Err(fault)),
            NetOp::ReadBody { ticket, .. } => ticket.done(Err(fault)),
            NetOp::DropBody { ticket, .. } => ticket.done(Err(fault)),
        }
    }
}

macro_rules! each_file_op {
    ($value:expr, $ticket:ident => $then:expr) => {
        match $value {
            FileOp::Probe { ticket: $ticket, .. } => $then,
            FileOp::MakeDir { ticket: $ticket, .. } => $then,
            FileOp::Scan { ticket: $ticket, .. } => $then,
            FileOp::Stat { ticket: $ticket, .. } => $then,
            FileOp::Open { ticket: $ticket, .. } => $then,
            FileOp::Read { ticket: $ticket, .. } => $then,
            FileOp::Write { ticket: $ticket, .. } => $then,
            FileOp::Truncate { ticket: $ticket, .. } => $then,
            FileOp::SetTimes { ticket: $ticket, .. } => $then,
            FileOp::Hash { ticket: $ticket, .. } => $then,
            FileOp::Sync { ticket: $ticket, .. } => $then,
            FileOp::Finish { ticket: $ticket, .. } => $then,
            FileOp::Rename { ticket: $ticket, .. } => $then,
            FileOp::SyncDir { ticket: $ticket, .. } => $then,
            FileOp::Delete { ticket: $ticket, .. } => $then,
            FileOp::Touch { ticket: $ticket, .. } => $then,
            FileOp::Lock { ticket: $ticket, .. } => $then,
            FileOp::Unlock { ticket: $ticket, .. } => $then,
            FileOp::Close { ticket: $ticket, .. } => $then,
        }
    };
}

impl FileAction {
    /// The action's identifier.
    pub const fn id(&self) -> ActionId {
        self.op.id()
    }

    /// Answers it with a fault.
    pub fn fail(self, fault: Fault) -> Completion {
        each_file_op!(self.op, ticket => ticket.done(Err(fault)))
    }
}

impl FileOp {
    /// The action's identifier.
    pub const fn id(&self) -> ActionId {
        each_file_op!(self, ticket => ticket.id())
    }

    /// The open file or the running scan that it is about; that of `Open` is yet to be.
    pub const fn file(&self) -> Option<FileId> {
        match self {
            Self::Scan { scan: file, .. }
            | Self::Open { file, .. }
            | Self::Read { file, .. }
            | Self::Write { file, .. }
            | Self::Truncate { file, .. }
            | Self::SetTimes { file, .. }
            | Self::Hash { file, .. }
            | Self::Sync { file, .. }
            | Self::Finish { file, .. }
            | Self::Lock { file, .. }
            | Self::Unlock { file, .. }
            | Self::Close { file, .. } => Some(*file),
            Self::Probe { .. }
            | Self::MakeDir { .. }
            | Self::Stat { .. }
            | Self::Rename { .. }
            | Self::SyncDir { .. }
            | Self::Delete { .. }
            | Self::Touch { .. } => None,
        }
    }

    /// Whether this releases something, and so is done whatever failed before it.
    pub const fn is_closer(&self) -> bool {
        matches!(self, Self::Unlock { .. } | Self::Close { .. })
    }
}
