//! A backend under test: operations as functions, with what holds for all of them checked on the way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic;
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{
    Algorithms, Answer, DeleteItem, Deleted, Digests, Expect, Fault, FaultKind, FileAction, FileId, FileKind, FileOp,
    FileStat, Gauged, OpenMode, Opened, Probed, ScanBatch, Stamp,
};

use crate::backend::{Backend, Execute, Outside, Thing};

/// Why a case was left: what a skip unwinds with.
pub(crate) struct Skipped(pub(crate) &'static str);

pub(crate) struct Bench<'a> {
    backend: &'a dyn Backend,
    tickets: RefCell<Tickets>,
    files: Cell<u64>,
    outside: Option<Outside>,
}

type Answered<T> = Result<T, Fault>;

/// Performs an operation and demands an answer of its own kind.
macro_rules! perform {
    ($bench:expr, $op:ident { $($field:tt)* }) => {{
        let bench: &Bench<'_> = $bench;
        let ticket = bench.tickets.borrow_mut().ticket();
        match bench.execute(FileOp::$op { ticket, $($field)* }) {
            Answer::$op(result) => result,
            other => panic!(concat!(stringify!($op), " was answered with {:?}"), other),
        }
    }};
}

impl<'a> Bench<'a> {
    pub(crate) fn new(backend: &'a dyn Backend) -> Self {
        assert_eq!(backend.list(), BTreeMap::new(), "a fresh backend is empty");
        let outside = backend.outside();
        Self { backend, tickets: RefCell::default(), files: Cell::new(0), outside }
    }

    /// What holds at the end of every case: all that the case opened can be closed, after which nothing is open, and what
    /// is outside is as it was.
    pub(crate) fn end(&self) {
        for serial in 1..=self.files.get() {
            assert_eq!(self.close(file_id(serial)), Ok(()));
        }
        if let Some(open) = self.backend.open_handles() {
            assert_eq!(open, 0, "open handles after everything was closed");
        }
        assert_eq!(self.backend.outside(), self.outside, "what is outside of the directory");
    }

    fn execute(&self, op: FileOp) -> Answer {
        let id = op.id();
        let completion = self.backend.execute(FileAction { lane: lane(1), epoch: 0, op });
        assert_eq!(completion.id(), id, "the completion is the action's own");
        completion.into_answer()
    }

    /// An identifier that was not used before.
    pub(crate) fn fresh_id(&self) -> FileId {
        self.files.set(self.files.get() + 1);
        file_id(self.files.get())
    }

    pub(crate) fn probe(&self, name: &str) -> Answered<Probed> {
        perform!(self, Probe { path: path(name) })
    }

    pub(crate) fn make_dir(&self, name: &str) -> Answered<()> {
        perform!(self, MakeDir { path: path(name) })
    }

    pub(crate) fn scan(&self, scan: FileId, entries_max: usize) -> Answered<ScanBatch> {
        let batch = perform!(self, Scan { scan, folder: None, entries_max });
        if let Ok(batch) = &batch {
            assert!(batch.entries.len() <= entries_max, "{} entries in a batch of {entries_max}", batch.entries.len());
        }
        batch
    }

    pub(crate) fn scan_folder(&self, scan: FileId, folder: &str, entries_max: usize) -> Answered<ScanBatch> {
        perform!(self, Scan { scan, folder: Some(path(folder)), entries_max })
    }

    pub(crate) fn gauge(&self) -> Gauged {
        perform!(self, Gauge {}).expect("a look at the clock and the disk")
    }

    /// Scans to the end, in at most so many batches.
    pub(crate) fn scan_all(&self, scan: FileId, entries_max: usize, batches_max: usize) -> Scanned {
        let mut scanned = Scanned::default();
        for _ in 0..batches_max {
            let batch = self.scan(scan, entries_max).expect("a batch");
            scanned.unnameable += batch.unnameable;
            for entry in batch.entries {
                let name = entry.path.as_str().to_owned();
                assert!(scanned.entries.insert(name, entry.stat).is_none(), "{} came twice", entry.path);
            }
            if batch.done {
                return scanned;
            }
        }
        panic!("the scan did not end within {batches_max} batches of {entries_max}");
    }

    pub(crate) fn stat(&self, name: &str) -> Answered<Option<FileStat>> {
        perform!(self, Stat { path: path(name) })
    }

    /// What stands under a name that is there.
    #[track_caller]
    pub(crate) fn stat_there(&self, name: &str) -> FileStat {
        self.stat(name).expect("a look").expect("something there")
    }

    pub(crate) fn open_as(&self, file: FileId, name: &str, mode: OpenMode) -> Answered<Opened> {
        perform!(self, Open { file, path: path(name), mode })
    }

    pub(crate) fn open(&self, name: &str, mode: OpenMode) -> Answered<FileId> {
        let file = self.fresh_id();
        self.open_as(file, name, mode).map(|_| file)
    }

    #[track_caller]
    pub(crate) fn create(&self, name: &str) -> FileId {
        self.open(name, OpenMode::CreateNew).expect("a new file")
    }

    pub(crate) fn write(&self, file: FileId, offset: u64, pieces: &[&[u8]]) -> Answered<()> {
        let data: Vec<Bytes> = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
        let capacity = data.capacity();
        let emptied = perform!(self, Write { file, offset, data })?;
        assert!(emptied.is_empty(), "the vector comes back empty");
        assert!(emptied.capacity() >= capacity, "the vector comes back with its capacity");
        Ok(())
    }

    pub(crate) fn read(&self, file: FileId, offset: u64, bytes_max: usize) -> Answered<Bytes> {
        perform!(self, Read { file, offset, bytes_max })
    }

    pub(crate) fn truncate(&self, file: FileId, length: u64) -> Answered<()> {
        perform!(self, Truncate { file, length })
    }

    pub(crate) fn set_times(&self, file: FileId, modified: Stamp) -> Answered<()> {
        perform!(self, SetTimes { file, modified })
    }

    pub(crate) fn hash(&self, file: FileId, algorithms: Algorithms, from: u64, to: u64) -> Answered<Digests> {
        perform!(self, Hash { file, algorithms, from, to })
    }

    pub(crate) fn sync(&self, file: FileId) -> Answered<()> {
        perform!(self, Sync { file })
    }

    pub(crate) fn finish(&self, file: FileId, length: u64) -> Answered<()> {
        perform!(self, Finish { file, length, path: None })
    }

    pub(crate) fn finish_as(&self, file: FileId, length: u64, name: &str) -> Answered<()> {
        perform!(self, Finish { file, length, path: Some(path(name)) })
    }

    pub(crate) fn rename(&self, from: &str, to: &str, clobber: bool) -> Answered<()> {
        perform!(self, Rename { from: path(from), to: path(to), clobber })
    }

    pub(crate) fn sync_dir(&self, name: &str) -> Answered<()> {
        perform!(self, SyncDir { path: path(name) })
    }

    #[track_caller]
    pub(crate) fn delete(&self, items: &[(&str, Expect)]) -> Vec<Deleted> {
        let list = items.iter().map(|&(name, expect)| DeleteItem { path: path(name), expect }).collect();
        let deleted = perform!(self, Delete { items: list }).expect("deletions are answered one by one");
        assert_eq!(deleted.len(), items.len(), "one answer for each name");
        deleted
    }

    #[track_caller]
    pub(crate) fn delete_one(&self, name: &str, expect: Expect) -> Deleted {
        self.delete(&[(name, expect)]).remove(0)
    }

    pub(crate) fn touch(&self, name: &str, unless_within: Duration) -> Answered<Stamp> {
        perform!(self, Touch { path: path(name), unless_within })
    }

    pub(crate) fn lock(&self, file: FileId, name: &str) -> Answered<u64> {
        perform!(self, Lock { file, path: path(name) })
    }

    pub(crate) fn unlock(&self, file: FileId) -> Answered<()> {
        perform!(self, Unlock { file })
    }

    pub(crate) fn close(&self, file: FileId) -> Answered<()> {
        perform!(self, Close { file })
    }

    pub(crate) fn now(&self) -> Stamp {
        self.backend.now()
    }

    /// Puts something into the directory; where the backend cannot have it, the case is skipped.
    pub(crate) fn put(&self, name: &str, thing: Thing<'_>) {
        if self.backend.put(name, thing).is_err() {
            skip(match thing {
                Thing::Symlink(_) => "it has no symlinks",
                Thing::Other => "it has nothing but files, folders and symlinks",
                Thing::Unnameable => "it has only names in UTF-8",
                Thing::Link(_) => "it has no second names for files",
                Thing::File(_) | Thing::Folder => "it cannot have that",
            });
        }
    }

    pub(crate) fn put_file(&self, name: &str, bytes: &[u8]) {
        self.put(name, Thing::File(bytes));
    }

    pub(crate) fn set_stamps(&self, name: &str, accessed: Stamp, modified: Stamp) {
        self.backend.set_stamps(name, accessed, modified);
    }

    /// The target of a symlink that leads out of the directory, to a folder with a file `kept` and an empty folder
    /// `empty`. Backends that have no outside get one that leads nowhere.
    pub(crate) fn outside(&self) -> &str {
        self.outside.as_ref().map_or("/outside", |outside| outside.target.as_str())
    }

    pub(crate) fn modes(&self, name: &str) -> (u32, u32) {
        self.backend.modes(name).unwrap_or_else(|| skip("it has no permissions"))
    }

    /// Leaves the case where locks do not work.
    pub(crate) fn need_locks(&self) {
        if !self.probe("probe").expect("a probe").locks {
            skip("its locks do not work");
        }
    }

    /// Another program on the directory.
    pub(crate) fn program(&self) -> Program {
        Program { execute: self.backend.program().unwrap_or_else(|| skip("there is no other program")) }
    }

    pub(crate) fn open_handles(&self) -> usize {
        self.backend.open_handles().unwrap_or_else(|| skip("its handles cannot be counted"))
    }

    #[track_caller]
    pub(crate) fn assert_file(&self, name: &str, bytes: &[u8]) {
        let found = self.backend.read(name).unwrap_or_else(|| panic!("no file {name:?} in {:?}", self.list()));
        if found == bytes {
            return;
        }
        // Not assert_eq, which would print megabytes.
        let same = found.iter().zip(bytes).take_while(|(found, expected)| found == expected).count();
        panic!("{name:?} has {} bytes, expected {}; they differ from byte {same} on", found.len(), bytes.len());
    }

    /// All paths and what stands there.
    pub(crate) fn list(&self) -> BTreeMap<String, FileKind> {
        self.backend.list()
    }

    #[track_caller]
    pub(crate) fn assert_list(&self, expected: &[(&str, FileKind)]) {
        let expected: BTreeMap<String, FileKind> = expected.iter().map(|&(name, kind)| (name.into(), kind)).collect();
        assert_eq!(self.list(), expected, "what stands in the directory");
    }
}

/// Another program, until it is dropped. Its identifiers are those of the bench as well.
pub(crate) struct Program {
    execute: Execute,
}

impl Program {
    pub(crate) fn open_as(&self, file: FileId, name: &str, mode: OpenMode) -> Answered<Opened> {
        let op = FileOp::Open { ticket: Tickets::new().ticket(), file, path: path(name), mode };
        match self.perform(op) {
            Answer::Open(result) => result,
            other => panic!("Open was answered with {other:?}"),
        }
    }

    pub(crate) fn lock(&self, file: FileId, name: &str) -> Answered<u64> {
        match self.perform(FileOp::Lock { ticket: Tickets::new().ticket(), file, path: path(name) }) {
            Answer::Lock(result) => result,
            other => panic!("Lock was answered with {other:?}"),
        }
    }

    fn perform(&self, op: FileOp) -> Answer {
        (self.execute)(FileAction { lane: lane(1), epoch: 0, op }).into_answer()
    }
}

/// What a whole scan found.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) entries: BTreeMap<String, FileStat>,
    pub(crate) unnameable: u64,
}

/// Leaves the case.
fn skip(reason: &'static str) -> ! {
    panic::resume_unwind(Box::new(Skipped(reason)))
}

/// The kind of the fault that an operation must have been refused with.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Answered<T>) -> FaultKind {
    match answer {
        Ok(done) => panic!("it was not refused but answered with {done:?}"),
        Err(fault) => fault.kind(),
    }
}

/// Whether a deletion was denied with a fault of that kind.
pub(crate) fn is_denied(deleted: &Deleted, kind: FaultKind) -> bool {
    matches!(deleted, Deleted::Denied(fault) if fault.kind() == kind)
}

/// That many whole seconds after 2001-09-09, as a stamp.
pub(crate) fn at_second(seconds: i64) -> Stamp {
    Stamp::from_nanos((1_000_000_000 + seconds) * 1_000_000_000)
}
