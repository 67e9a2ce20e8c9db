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
use crate::{ActionId, Algorithms, BodyId, Digests, Fault, FileId, Lane, Stamp, StorePath};

mod files;

pub use files::{
    BootId, DeleteItem, Deleted, Expect, FileKind, FileStat, OpenMode, Opened, Probed, ScanBatch, ScanEntry,
};

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
    /// Find out what the clock and the disk say.
    Gauge {
        /// Completes this action.
        ticket: Ticket<op::Gauge>,
    },
    /// Read the next entries of the directory itself, the work folder left out, or of a folder. The first one begins the
    /// scan; `Close` ends it. A folder that is not there is [`FaultKind::NotFound`](crate::FaultKind::NotFound).
    Scan {
        /// Completes this action.
        ticket: Ticket<op::Scan>,
        /// The identifier of the scan.
        scan: FileId,
        /// The folder, if it is not the directory itself.
        folder: Option<StorePath>,
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
    /// Note with the open file what its digests are, so that it can be held to them later; the note follows the file when it
    /// is renamed, and `Truncate` takes it away. Where the file system keeps no notes, that is fine, too.
    KeepDigests {
        /// Completes this action.
        ticket: Ticket<op::KeepDigests>,
        /// Which file.
        file: FileId,
        /// Its digests; at least one.
        digests: Digests,
    },
    /// Flush the file's data, and of its metadata what is needed to read it, to the disk.
    Sync {
        /// Completes this action.
        ticket: Ticket<op::Sync>,
        /// Which file.
        file: FileId,
    },
    /// Compare the open file with what it should be, right before it gets its name:
    /// [`FaultKind::Changed`](crate::FaultKind::Changed) where its length differs, or `path` leads elsewhere or nowhere,
    /// [`FaultKind::WrongType`](crate::FaultKind::WrongType) where `path` is not its only name.
    Finish {
        /// Completes this action.
        ticket: Ticket<op::Finish>,
        /// Which file.
        file: FileId,
        /// The length that it should have, in bytes.
        length: u64,
        /// The name that it should have, where that matters.
        path: Option<StorePath>,
    },
    /// Give a file another name, atomically. Without `clobber` a name that is taken, by whatever, is left alone and
    /// answered with [`FaultKind::Exists`](crate::FaultKind::Exists); with it only a regular file is replaced, and no
    /// eviction is under way meanwhile, in whatever process: it could take the new file for the old one.
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
    /// Delete names, each if it is as expected. No file is replaced meanwhile, see `Rename`.
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
    /// [`FaultKind::Unsupported`](crate::FaultKind::Unsupported); nothing is locked then. Who holds the lock may ask
    /// again, whether the name still leads there: whatever is answered, he keeps the lock. The lock belongs to the open
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
            FileOp::Gauge { ticket: $ticket, .. } => $then,
            FileOp::MakeDir { ticket: $ticket, .. } => $then,
            FileOp::Scan { ticket: $ticket, .. } => $then,
            FileOp::Stat { ticket: $ticket, .. } => $then,
            FileOp::Open { ticket: $ticket, .. } => $then,
            FileOp::Read { ticket: $ticket, .. } => $then,
            FileOp::Write { ticket: $ticket, .. } => $then,
            FileOp::Truncate { ticket: $ticket, .. } => $then,
            FileOp::SetTimes { ticket: $ticket, .. } => $then,
            FileOp::Hash { ticket: $ticket, .. } => $then,
            FileOp::KeepDigests { ticket: $ticket, .. } => $then,
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
            | Self::KeepDigests { file, .. }
            | Self::Sync { file, .. }
            | Self::Finish { file, .. }
            | Self::Lock { file, .. }
            | Self::Unlock { file, .. }
            | Self::Close { file, .. } => Some(*file),
            Self::Probe { .. }
            | Self::Gauge { .. }
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
