//! Executes the file actions of [`dlmanager_core`] on a real directory.
//!
//! A [`Directory`] takes one [`FileAction`](dlmanager_core::FileAction) at a time, performs exactly that operation, and
//! returns its completion. Every call blocks until its system calls have ended; which thread it runs on, the order within
//! lanes and what is skipped after a failure are the driver's business.
//!
//! ```
//! use dlmanager_fs::Directory;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("a/b");
//! let directory = Directory::create(&path)?; // with its parents
//! assert!(path.is_dir());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//!
//! - *Nothing outside is touched.* Paths are resolved from a descriptor of the directory, downwards, and no symlink below
//!   it is followed, whoever puts it there and when: on Linux by `openat2`, elsewhere component by component. The path
//!   of the directory itself may well lead through symlinks. A symlink on the way to a file is
//!   [`WrongType`](dlmanager_core::FaultKind::WrongType).
//! - *No file is replaced unasked.* New files are made exclusively, and a rename without `clobber` is one that the
//!   system refuses when the name is taken. Where the file system has no such rename, the file is linked to the new name
//!   and unlinked from the old one: whoever dies in between leaves the complete file under both. A file system with
//!   neither cannot be published to, which is a fault.
//! - *A replacing rename* looks at the name first: only a regular file is replaced. A symlink that takes the name
//!   between look and rename is replaced, never followed; a folder is refused by the system.
//! - *A flush reaches the disk* as far as the system can be told: `fdatasync` on Linux, `F_FULLFSYNC` on macOS, and `fsync`
//!   where a file system there has no such thing. Folders of file systems that cannot flush folders count as flushed.
//! - *A lock* is the file's own (`flock`), whoever opened it and whatever its name is by then, and ends with its `Close`,
//!   also while something else in the process still uses the file. After it was taken the name is looked up again: a lock
//!   on a file that was renamed, replaced or deleted meanwhile is given back. On file systems whose locks let everybody
//!   in, a `Probe` finds that out.
//! - *A digest* is read back from the file in pieces, so that it holds what any handle has written, flushed or not.
//!   Meanwhile the file can be written.
//! - *Digests* that are noted with a file are an extended attribute of it, `user.dlmanager.digests`: they follow it to its
//!   final name, and to wherever it is moved, and end with it. File systems without such attributes keep none.
//! - *A time* that may not be chosen, since the file is somebody else's, becomes now.
//! - *Evicting*, which is deleting what is unchanged, takes the file's own lock first, so that a [`Lease`] on it, of whatever
//!   process, keeps it (where only who may write a file can have that, as on NFSv4, by a descriptor for writing: a file that may
//!   only be read goes without it there); and nobody replaces files or evicts others at the same time, by the lock of the work folder.
//! - *Deleting* looks at the name just before. A folder below the directory that its owner may not write is made writable
//!   for the moment; the directory itself only by [`Directory::delete`].
//!
//! # Systems
//!
//! Linux is what the tests run on. macOS and the other Unixes share its code, without `openat2` and, but for macOS,
//! without an exclusive rename; this is compiled but untested. Windows has an implementation on the standard library
//! alone, also untested there, which looks at each component of a path before it uses it: that keeps symlinks out which
//! are there already, not those that somebody puts there at the same moment. Only Linux tells one start of the machine from
//! another.
#![forbid(unsafe_code)]

mod boot;
mod create;
mod directory;
mod engine;
mod fault;
mod handles;
mod in_the_way;
mod lease;
mod notes;
mod open_file;
mod pins;
#[cfg(any(not(unix), test))]
mod portable;
mod root;
#[cfg(test)]
mod suite;
#[cfg(unix)]
mod unix;

pub use create::CreateError;
pub use directory::Directory;
pub use lease::Lease;
pub use notes::Verified;
