//! The state machines of dlmanager, without IO, clock, threads or sockets.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::wildcard_enum_match_arm)]

extern crate alloc;

mod action;
mod arena;
mod backoff;
mod config;
mod download;
mod effects;
mod error;
mod event;
mod evict;
mod fault;
mod gather;
mod id;
mod limit;
mod manager;
mod meter;
mod name;
mod notice;
mod origin;
mod path;
mod pattern;
mod queue;
mod reply;
mod request;
mod rng;
mod stall;
#[cfg(feature = "testing")]
pub mod testing;
mod ticket;
mod time;
mod timers;

pub use action::{
    Action, Chunk, DeleteItem, Deleted, Expect, FetchRequest, FileAction, FileKind, FileOp, FileStat, Head, NetAction,
    NetOp, OpenMode, ScanBatch, ScanEntry,
};
pub use config::{Config, Durability, LimitConfig};
pub use error::{AdmitError, CancelError, DirectoryError, DownloadError, FileStep, Published, TimeoutKind};
pub use event::{Admission, Event, Output, Wait, WakeReason};
pub use fault::{Fault, FaultKind};
pub use id::{ActionId, BodyId, DownloadId, FileId, Lane};
pub use limit::PersistLimit;
pub use manager::{DownloadInfo, Manager, Phase};
pub use name::{FileName, NameError, NameRule};
pub use notice::{Complete, Notice, Outcome, Progress, Unmet, Warning};
pub use origin::{Origin, UrlError};
pub use path::{OWNER_MARK, StorePath, WORK_FOLDER};
pub use pattern::Pattern;
pub use request::{IfPresent, Request};
pub use ticket::{Answer, Completion, Op, Ticket, op};
pub use time::{Instant, Stamp};
