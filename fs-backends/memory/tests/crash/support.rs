//! Operations as functions, for the tests of the directory in memory.

use bytes::Bytes;
use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{Answer, Completion, DeleteItem, Expect, FaultKind, FileAction, FileOp, Op, OpenMode, Ticket, op};
use dlmanager_fs_memory::MemoryDirectory;

/// A program on the directory, whose operations are answered with the kind of the fault, if there was one.
pub(crate) trait Program {
    fn open(&self, file: u64, name: &str, mode: OpenMode) -> Option<FaultKind>;
    fn write(&self, file: u64, offset: u64, bytes: &'static [u8]) -> Option<FaultKind>;
    fn truncate(&self, file: u64, length: u64) -> Option<FaultKind>;
    fn sync(&self, file: u64) -> Option<FaultKind>;
    fn lock(&self, file: u64, name: &str) -> Option<FaultKind>;
    fn unlock(&self, file: u64) -> Option<FaultKind>;
    fn close(&self, file: u64) -> Option<FaultKind>;
    fn make_dir(&self, name: &str) -> Option<FaultKind>;
    fn rename(&self, from: &str, to: &str) -> Option<FaultKind>;
    fn delete(&self, name: &str) -> Option<FaultKind>;
    fn sync_dir(&self, name: &str) -> Option<FaultKind>;
}

fn execute<O: Op>(directory: &MemoryDirectory, op: impl FnOnce(Ticket<O>) -> FileOp) -> Completion {
    let op = op(Tickets::new().ticket());
    directory.execute(FileAction { lane: lane(1), epoch: 0, op })
}

fn kind(completion: Completion) -> Option<FaultKind> {
    let fault = match completion.into_answer() {
        Answer::Open(result) => result.err(),
        Answer::Write(result) => result.err(),
        Answer::Delete(result) => result.err(),
        Answer::Lock(result) => result.err(),
        Answer::Truncate(result)
        | Answer::Sync(result)
        | Answer::Unlock(result)
        | Answer::Close(result)
        | Answer::MakeDir(result)
        | Answer::Rename(result)
        | Answer::SyncDir(result) => result.err(),
        other => panic!("answered with {other:?}"),
    };
    fault.map(|fault| fault.kind())
}

impl Program for MemoryDirectory {
    fn open(&self, file: u64, name: &str, mode: OpenMode) -> Option<FaultKind> {
        kind(execute::<op::Open>(self, |ticket| FileOp::Open { ticket, file: file_id(file), path: path(name), mode }))
    }

    fn write(&self, file: u64, offset: u64, bytes: &'static [u8]) -> Option<FaultKind> {
        let data = vec![Bytes::from_static(bytes)];
        kind(execute::<op::Write>(self, |ticket| FileOp::Write { ticket, file: file_id(file), offset, data }))
    }

    fn truncate(&self, file: u64, length: u64) -> Option<FaultKind> {
        kind(execute::<op::Truncate>(self, |ticket| FileOp::Truncate { ticket, file: file_id(file), length }))
    }

    fn sync(&self, file: u64) -> Option<FaultKind> {
        kind(execute::<op::Sync>(self, |ticket| FileOp::Sync { ticket, file: file_id(file) }))
    }

    fn lock(&self, file: u64, name: &str) -> Option<FaultKind> {
        kind(execute::<op::Lock>(self, |ticket| FileOp::Lock { ticket, file: file_id(file), path: path(name) }))
    }

    fn unlock(&self, file: u64) -> Option<FaultKind> {
        kind(execute::<op::Unlock>(self, |ticket| FileOp::Unlock { ticket, file: file_id(file) }))
    }

    fn close(&self, file: u64) -> Option<FaultKind> {
        kind(execute::<op::Close>(self, |ticket| FileOp::Close { ticket, file: file_id(file) }))
    }

    fn make_dir(&self, name: &str) -> Option<FaultKind> {
        kind(execute::<op::MakeDir>(self, |ticket| FileOp::MakeDir { ticket, path: path(name) }))
    }

    fn rename(&self, from: &str, to: &str) -> Option<FaultKind> {
        let (from, to) = (path(from), path(to));
        kind(execute::<op::Rename>(self, |ticket| FileOp::Rename { ticket, from, to, clobber: true }))
    }

    fn delete(&self, name: &str) -> Option<FaultKind> {
        let items = vec![DeleteItem { path: path(name), expect: Expect::File }];
        kind(execute::<op::Delete>(self, |ticket| FileOp::Delete { ticket, items }))
    }

    fn sync_dir(&self, name: &str) -> Option<FaultKind> {
        kind(execute::<op::SyncDir>(self, |ticket| FileOp::SyncDir { ticket, path: path(name) }))
    }
}
