//! One operation, one completion: the same on every system.

use std::sync::PoisonError;

use dlmanager_core::{Completion, DeleteItem, Deleted, Fault, FaultKind, FileId, FileOp, ScanBatch};

use crate::fault;
use crate::handles::Handles;
use crate::root::Root;

/// A directory and what is open in it.
pub(crate) struct Engine<R: Root> {
    root: R,
    handles: Handles<R::Scan>,
}

impl<R: Root> Engine<R> {
    pub(crate) fn new(root: R) -> Self {
        Self { root, handles: Handles::default() }
    }

    pub(crate) const fn root(&self) -> &R {
        &self.root
    }

    pub(crate) fn execute(&self, op: FileOp) -> Completion {
        match op {
            FileOp::MakeDir { ticket, path } => ticket.done(self.root.make_dir(&path)),
            FileOp::Scan { ticket, scan, entries_max } => ticket.done(self.scan(scan, entries_max)),
            FileOp::Stat { ticket, path } => ticket.done(self.root.stat(&path)),
            FileOp::Open { ticket, file, path, mode } => {
                ticket.done(self.handles.insert_file(file, || self.root.open_file(&path, mode)))
            }
            FileOp::Write { ticket, file, offset, mut data } => {
                let written = self.handles.file(file).and_then(|file| self.root.write_all_at(&file, offset, &data));
                ticket.done(written.map(|()| {
                    data.clear();
                    data
                }))
            }
            FileOp::Sync { ticket, file } => ticket.done(self.sync(file)),
            FileOp::Finish { ticket, file, length } => ticket.done(self.finish(file, length)),
            FileOp::Rename { ticket, from, to, clobber } => ticket.done(self.root.rename(&from, &to, clobber)),
            FileOp::SyncDir { ticket, path } => ticket.done(self.root.sync_dir(&path)),
            FileOp::Delete { ticket, items } => ticket.done(Ok(self.delete(&items))),
            FileOp::Touch { ticket, path, unless_within } => ticket.done(self.root.touch(&path, unless_within)),
            FileOp::Close { ticket, file } => {
                self.handles.remove(file);
                ticket.done(Ok(()))
            }
        }
    }

    fn scan(&self, id: FileId, entries_max: usize) -> Result<ScanBatch, Fault> {
        let scan = self.handles.scan_or_insert(id, || self.root.scan())?;
        let mut scan = scan.lock().unwrap_or_else(PoisonError::into_inner);
        self.root.scan_batch(&mut scan, entries_max.max(1))
    }

    /// The data and the length, not the times: `fdatasync`, on macOS `F_FULLFSYNC`, as a mere `fsync` stops at the
    /// drive's cache there.
    fn sync(&self, id: FileId) -> Result<(), Fault> {
        let file = self.handles.file(id)?;
        file.sync_data().map_err(|error| fault::of_file(&error))
    }

    fn finish(&self, id: FileId, expected: u64) -> Result<(), Fault> {
        let file = self.handles.file(id)?;
        let length = file.metadata().map_err(|error| fault::of_file(&error))?.len();
        if length == expected {
            return Ok(());
        }
        Err(Fault::new(FaultKind::Changed).with_detail(format!("the file has {length} bytes, not {expected}")))
    }

    fn delete(&self, items: &[DeleteItem]) -> Vec<Deleted> {
        items.iter().map(|item| self.root.delete(item)).collect()
    }
}
