//! A directory in memory that executes the file actions of [`dlmanager_core`], and that can fail, fill up, be slow, and
//! crash.
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
//!
//! # Crashes
//!
//! [Several programs](MemoryDirectory::process) can work on one directory, each with files and locks of its own, and
//! [die](MemoryDirectory::crash_process): what a program has written stays, as the pages of a dead process do. The machine
//! can [fail](MemoryDirectory::lose_power) as well. Then there is what the disk has, and of what was not flushed any part
//! that the [`Profile`] of its file system lets survive, which the test chooses: at random from a seed, or one after the
//! other until it has seen them all.
//!
//! ```
//! use dlmanager_fs_memory::{BLOCK_BYTES, MemoryDirectory, Profile};
//!
//! let directory = MemoryDirectory::on_disk(Profile::Posix, BLOCK_BYTES);
//! let other = directory.process();
//! directory.put_file("a", b"bytes");
//! other.crash_process();
//! // The least that may be left of what was not flushed: nothing. What tests put there is flushed.
//! directory.lose_power(&mut |_bound| 0);
//! assert_eq!(directory.read("a").as_deref(), Some(&b"bytes"[..]));
//! ```
#![forbid(unsafe_code)]

mod content;
mod crash;
mod directory;
mod disk;
mod files;
mod foreign;
mod operations;
mod pages;
mod rules;
mod tree;

pub use directory::{BLOCK_BYTES, MemoryDirectory};
pub use disk::Profile;
pub use rules::{Failure, Operation};
