//! The state machines of dlmanager: downloads, retries, progress, cancellation and eviction, without IO, clock, threads
//! or sockets.
//!
//! A [`Manager`] takes **events** in, hands **actions** out, and tells the application **notices**. What executes the
//! actions is the driver: a transport turns a [`NetAction`] into its completion, a file backend a [`FileAction`]. The
//! crate `dlmanager` is such a driver with an API for applications; this crate is for those who bring their own loop,
//! runtime, network or disk, and for tests that need none of them.
//!
//! # A turn
//!
//! ```text
//!   completions --> handle(now, Event::Completed(..))  --+
//!   connections --> handle(now, Event::Connected(..))    |
//!   the time    --> handle(now, Event::Tick)             |
//!                                                        v
//!   poll() --> Output::Action(..)   execute it, then complete its ticket
//!          --> Output::Notice(..)   tell the application
//!          --> Output::Wait(..)     nothing more: sleep until then, or until an answer or a command comes
//! ```
//!
//! ```
//! use dlmanager_core::{Action, Config, Event, FileOp, Instant, Manager, Opened, Output, Probed, Request};
//!
//! let mut manager = Manager::new(Config::default(), 42);
//! let now = Instant::ZERO;
//! manager.download(now, Request::new("https://example.org/tool.zip")?)?;
//! loop {
//!     match manager.poll() {
//!         Output::Action(Action::File(action)) => {
//!             let completion = match action.op {
//!                 // What can be relied on here? Asked once.
//!                 FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
//!                 FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
//!                 // Is the file there? And is somebody else about to make it?
//!                 FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
//!                 FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
//!                 FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
//!                 other => unreachable!("{other:?}"),
//!             };
//!             manager.handle(now, Event::Completed(completion));
//!         }
//!         // No, and no: the request goes out.
//!         Output::Action(Action::Net(action)) => break assert!(format!("{action:?}").contains("example.org")),
//!         Output::Action(Action::Abort(_)) | Output::Notice(_) | Output::Wait(_) => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a driver owes the core
//!
//! 1. Each action is completed exactly once, in any order. A [`Ticket`] can be completed only once and only with its own
//!    type; where one is lost, to a panic say, [`Completion::aborted`] stands in.
//! 2. Actions of one [`Lane`] run in the order in which they were polled. There is no order between lanes.
//! 3. When a file action fails, those behind it in the same lane and epoch are not tried but answered with
//!    [`FaultKind::Skipped`], [closers](FileOp::is_closer) excepted. That holds for all that was polled before its
//!    completion was handed in, and for what comes up to the next [`Output::Wait`], as the core may have queued that before
//!    it knew. Later the failure can be forgotten: the core does not go on in an epoch of which it knows that something
//!    failed there. `DropBody` overtakes its lane.
//! 4. No file action is answered before its system call has ended, aborted or not.
//! 5. After the completions of a turn, one [`Event::Tick`]: timers fire in it alone.
//!
//! # What the core owes a driver
//!
//! Late, repeated and unknown answers are harmless; so are spurious ticks, and time that runs backwards. Nothing panics
//! because of what comes in. Memory is bounded by the [`Config`], whatever servers send and however slow the disk is: one
//! `ReadBody` is under way for each body, and none while too many of its bytes wait to be written. Issuing `Rename` is
//! the commit point of a download: [`Manager::cancel`] says so from then on.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::wildcard_enum_match_arm)]

extern crate alloc;

mod action;
mod arena;
mod backoff;
mod config;
mod content_range;
mod digest;
mod digest_fields;
mod disposition;
mod download;
mod effects;
mod error;
mod event;
mod evict;
mod fault;
mod field;
#[cfg(feature = "arbitrary")]
mod fuzzed;
mod gather;
mod health;
mod http_date;
mod id;
mod info;
mod limit;
mod litter;
mod manager;
mod meter;
mod name;
mod notice;
mod origin;
mod path;
mod pattern;
// Elsewhere there is the question alone.
#[cfg_attr(not(feature = "testing"), allow(dead_code, unreachable_pub))]
mod planted;
mod queue;
mod record;
mod reply;
mod request;
mod resume;
mod retry_after;
mod rivals;
mod rng;
mod stall;
#[cfg(feature = "testing")]
pub mod testing;
mod ticket;
mod time;
mod timers;
mod version;

pub use action::{
    Action, BootId, Chunk, DeleteItem, Deleted, Expect, FetchRequest, FileAction, FileKind, FileOp, FileStat, Head,
    NetAction, NetOp, OpenMode, Opened, Probed, ScanBatch, ScanEntry,
};
pub use config::{Config, Durability, LimitConfig, Resume};
pub use digest::{Algorithm, Algorithms, Digest, DigestError, Digests, Hasher};
pub use error::{AdmitError, CancelError, DirectoryError, DownloadError, FileStep, Published, TimeoutKind};
pub use event::{Admission, Event, Output, Wait, WakeReason};
pub use evict::{OWNER_FORMAT, owner_format};
pub use fault::{Fault, FaultKind};
pub use id::{ActionId, BodyId, DownloadId, FileId, Lane};
pub use info::{DownloadInfo, Phase};
pub use limit::{Bounds, Gauged, Judged, Kept, PersistLimit, Verdict, Why};
pub use manager::Manager;
pub use name::{FileName, NameError, NameRule};
pub use notice::{Complete, Notice, Outcome, Progress, Unmet, Warning};
pub use origin::{Origin, UrlError};
pub use path::{OWNER_MARK, PINS_FOLDER, StorePath, WORK_FOLDER};
pub use pattern::Pattern;
pub use record::{Record, RecordError, Validator};
pub use request::{IfPresent, Request};
pub use ticket::{Answer, Completion, Op, Ticket, op};
pub use time::{Instant, Stamp};
