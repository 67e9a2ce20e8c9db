//! A directory in memory that executes the file actions of [`dlmanager_core`], and that can fail, fill up and be slow.
//!
//! A [`MemoryDirectory`] obeys the same rules as a real directory, at once and deterministically: it has no clock but the
//! one that is [set](MemoryDirectory::set_now), and its [latencies](MemoryDirectory::latency) are told, not slept, so that
//! a test on a virtual clock can wait for them. What other programs would put into the directory, tests
//! [put there](MemoryDirectory::put_file), symlinks and pipes included.
//!
//! ```
//! use dlmanager_core::{Fault, FaultKind, FileOp};
//! use dlmanager_fs_memory::MemoryDirectory;
//!
//! let directory = MemoryDirectory::new();
//! directory.put_file("there/already.zip", b"bytes");
//! assert_eq!(directory.read("there/already.zip").as_deref(), Some(&b"bytes"[..]));
//!
//! // No more than 1 MiB, and every flush of an unfinished file fails.
//! directory.set_capacity(Some(1024 * 1024));
//! directory.fail_when(|operation| {
//!     let unfinished = operation.path.is_some_and(|path| path.as_str().starts_with(".dlmanager/"));
//!     let fails = unfinished && matches!(operation.op, FileOp::Sync { .. });
//!     fails.then(|| Fault::new(FaultKind::Io).into())
//! });
//! ```
#![forbid(unsafe_code)]

mod content;
mod crash;
mod directory;
mod files;
mod foreign;
mod operations;
mod rules;
mod tree;

pub use directory::MemoryDirectory;
pub use rules::{Failure, Operation};
