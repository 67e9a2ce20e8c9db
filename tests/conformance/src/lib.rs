//! The rules that every file backend of dlmanager has to obey, as a suite that runs on any of them.
//!
//! A backend executes [`FileAction`](dlmanager_core::FileAction)s; what each of them means stands at
//! [`FileOp`](dlmanager_core::FileOp). To try one, implement [`Backend`] for it, which adds to `execute` what a test needs
//! to play the part of other programs in the directory, and [`run`] the suite on fresh, empty directories:
//!
//! ```no_run
//! # use std::collections::BTreeMap;
//! # use dlmanager_conformance::{Backend, Thing, Unsupported};
//! # use dlmanager_core::{Completion, FileAction, FileKind, Stamp};
//! # struct MyBackend;
//! # impl MyBackend { fn in_a_fresh_directory() -> Self { MyBackend } }
//! # impl Backend for MyBackend {
//! #     fn execute(&self, _: FileAction) -> Completion { unimplemented!() }
//! #     fn now(&self) -> Stamp { unimplemented!() }
//! #     fn put(&self, _: &str, _: Thing<'_>) -> Result<(), Unsupported> { unimplemented!() }
//! #     fn set_stamps(&self, _: &str, _: Stamp, _: Stamp) { unimplemented!() }
//! #     fn read(&self, _: &str) -> Option<Vec<u8>> { unimplemented!() }
//! #     fn list(&self) -> BTreeMap<String, FileKind> { unimplemented!() }
//! # }
//! let report = dlmanager_conformance::run(MyBackend::in_a_fresh_directory);
//! print!("{}", dlmanager_conformance::table(&[("mine", &report)]));
//! assert!(report.is_passed());
//! ```
//!
//! A backend that works on a folder of a real file system needs nothing but its `execute`: see [`OnDisk`]. Where temporary
//! folders are made (`TMPDIR` on Unix) decides which file system is tried.
//!
//! The backends of this repository, side by side: `cargo run -p dlmanager-conformance --example backends_table`.
//!
//! # What the suite takes for the rule where the operations' documentation is silent
//!
//! - A symlink, a file or another thing that is no folder on the way to a name is
//!   [`WrongType`](dlmanager_core::FaultKind::WrongType), of a deletion `Denied` with that fault. A missing folder on the
//!   way is [`NotFound`](dlmanager_core::FaultKind::NotFound); `Stat` then yields `None`, a deletion is `Gone`.
//! - A path with a component that is empty, `.` or `..`, or longer than the file system takes, is
//!   [`BadName`](dlmanager_core::FaultKind::BadName).
//! - An operation on what is not open, and `Open` under an identifier that is in use, are
//!   [`Io`](dlmanager_core::FaultKind::Io). So are `Hash` from elsewhere than 0 or the last one's end, with other
//!   algorithms than the last one's, with none or backwards, and one behind a `Hash` that failed. `Write` and `Truncate` of a file that is open for
//!   reading are that or [`Denied`](dlmanager_core::FaultKind::Denied).
//! - `Lock` by who holds the lock already works, or finds that the name leads elsewhere and gives it back. A file that was
//!   deleted has lost its name.
//! - `Probe` at a name that is taken is [`Exists`](dlmanager_core::FaultKind::Exists).
//! - Only a regular file can be renamed; all else is [`WrongType`](dlmanager_core::FaultKind::WrongType). A missing source is
//!   [`NotFound`](dlmanager_core::FaultKind::NotFound), also where the new name is taken.
//! - A file that is renamed or deleted stays open for who has it open.
//! - A scan may be asked again after its end: it yields empty batches that are `done`.
#![forbid(unsafe_code)]

mod backend;
mod bench;
mod cases;
mod on_disk;
mod runner;

pub use backend::{Backend, Execute, Outside, Thing, Unsupported};
pub use on_disk::OnDisk;
pub use runner::{Case, Report, Verdict, cases, run, run_those, table};
