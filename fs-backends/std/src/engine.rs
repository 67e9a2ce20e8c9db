//! One operation, one completion: the same on every system.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use dlmanager_core::{
    Completion, DeleteItem, Deleted, Expect, Fault, FaultKind, FileId, FileKind, FileOp, Gauged, OpenMode, Opened,
    Probed, ScanBatch, StorePath,
};

use crate::boot;
use crate::fault;
use crate::handles::Handles;
use crate::in_the_way::{each_named, named};
use crate::notes;
use crate::open_file::OpenFile;
use crate::root::{self, Root};

/// A directory and what is open in it.
pub(crate) struct Engine<R: Root> {
    root: R,
    handles: Handles<R::Scan>,
    /// The name that the operation before this one has seen to lead to its file.
    seen: Mutex<Option<StorePath>>,
}

impl<R: Root> Engine<R> {
    pub(crate) fn new(root: R) -> Self {
        Self { root, handles: Handles::default(), seen: Mutex::default() }
    }

    pub(crate) const fn root(&self) -> &R {
        &self.root
    }

    pub(crate) fn execute(&self, op: FileOp) -> Completion {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        match op {
            FileOp::Probe { ticket, path } => ticket.done(named(&self.root, &path, None, self.probe(&path))),
            FileOp::Gauge { ticket } => ticket.done(self.gauge()),
            FileOp::MakeDir { ticket, path } => {
                ticket.done(named(&self.root, &path, Some(FileKind::Folder), self.root.make_dir(&path)))
            }
            FileOp::Scan { ticket, scan, folder, entries_max } => {
                let scanned = self.scan(scan, folder.as_ref(), entries_max);
                ticket.done(match folder {
                    None => scanned,
                    Some(folder) => named(&self.root, &folder, Some(FileKind::Folder), scanned),
                })
            }
            FileOp::Stat { ticket, path } => ticket.done(named(&self.root, &path, None, self.root.stat(&path))),
            FileOp::Open { ticket, file, path, mode } => {
                ticket.done(named(&self.root, &path, Some(FileKind::Regular), self.open(file, &path, mode)))
            }
            FileOp::Read { ticket, file, offset, bytes_max } => ticket.done(self.read(file, offset, bytes_max)),
            FileOp::Write { ticket, file, offset, mut data } => {
                let written = self.write(file, offset, &data);
                ticket.done(written.map(|()| {
                    data.clear();
                    data
                }))
            }
            FileOp::Truncate { ticket, file, length } => ticket.done(self.truncate(file, length)),
            FileOp::SetTimes { ticket, file, modified } => {
                ticket.done(self.handles.file(file).and_then(|open| self.root.set_times(&open.file, modified)))
            }
            FileOp::Hash { ticket, file, algorithms, from, to } => {
                ticket.done(self.handles.file(file).and_then(|open| open.hash(&self.root, algorithms, from, to)))
            }
            FileOp::KeepDigests { ticket, file, digests } => {
                ticket.done(self.handles.file(file).and_then(|open| notes::keep(&self.root, &open.file, &digests)))
            }
            FileOp::Sync { ticket, file } => ticket.done(self.sync(file)),
            FileOp::Finish { ticket, file, length, path } => ticket.done(self.finish(file, length, path.as_ref())),
            FileOp::Rename { ticket, from, to, clobber } => {
                // A look right behind the other one would see the same.
                let renamed = self.root.rename(&from, &to, clobber, seen.as_ref() == Some(&from));
                let renamed = named(&self.root, &from, Some(FileKind::Regular), renamed);
                ticket.done(named(&self.root, &to, clobber.then_some(FileKind::Regular), renamed))
            }
            FileOp::SyncDir { ticket, path } => ticket.done(named(&self.root, &path, None, self.root.sync_dir(&path))),
            FileOp::Delete { ticket, items } => {
                ticket.done(Ok(each_named(&self.root, &items, self.root.delete(&items))))
            }
            FileOp::Touch { ticket, path, unless_within } => {
                let touched = self.root.touch(&path, unless_within);
                ticket.done(named(&self.root, &path, Some(FileKind::Regular), touched))
            }
            FileOp::Lock { ticket, file, path } => ticket.done(self.lock(file, &path)),
            FileOp::Unlock { ticket, file } => ticket.done(self.unlock(file)),
            FileOp::Close { ticket, file } => ticket.done(self.close(file)),
        }
    }

    /// Whether a lock keeps a second one out, with a file made for it: some network file systems let both have it.
    fn probe(&self, path: &StorePath) -> Result<Probed, Fault> {
        let (first, _) = self.root.open_file(path, OpenMode::CreateNew)?;
        let second = self.root.open_file(path, OpenMode::Existing);
        // At once, so that who is killed meanwhile hardly ever leaves it.
        let mut deleted = self.root.delete(&[DeleteItem { path: path.clone(), expect: Expect::File }]);
        let locks = || {
            let (second, _) = second?;
            self.root.try_lock(&first)?;
            match self.root.try_lock(&second) {
                Ok(()) => Ok(false),
                Err(fault) if fault.kind() == FaultKind::Busy => Ok(!self.root.is_shared_among_hosts(&first)?),
                Err(fault) => Err(fault),
            }
        };
        let locks = match locks() {
            Err(fault) if fault.kind() == FaultKind::Unsupported => Ok(false),
            result => result,
        };
        let locks = locks?;
        match deleted.pop() {
            Some(Deleted::Deleted | Deleted::Gone | Deleted::Changed) => Ok(Probed { boot: boot::id(), locks }),
            Some(Deleted::Busy | Deleted::Pinned | Deleted::Locked) | None => Err(FaultKind::Busy.into()),
            Some(Deleted::Denied(fault)) => Err(fault),
        }
    }

    fn open(&self, id: FileId, path: &StorePath, mode: OpenMode) -> Result<Opened, Fault> {
        let mut created = false;
        let open = self.handles.insert_file(id, || {
            let (file, is_new) = self.root.open_file(path, mode)?;
            created = is_new;
            Ok(OpenFile::new(file))
        })?;
        Ok(Opened { created, length: if created { 0 } else { open.length()? } })
    }

    fn read(&self, id: FileId, mut offset: u64, bytes_max: usize) -> Result<Bytes, Fault> {
        let open = self.handles.file(id)?;
        // So that a great `bytes_max` needs no more room than the file has bytes.
        let rest = open.length()?.saturating_sub(offset);
        let mut buffer = vec![0; usize::try_from(rest).unwrap_or(usize::MAX).min(bytes_max)];
        let mut filled = 0;
        while filled < buffer.len() {
            match self.root.read_at(&open.file, &mut buffer[filled..], offset)? {
                0 => break,
                count => {
                    filled += count;
                    offset += count as u64;
                }
            }
        }
        buffer.truncate(filled);
        Ok(buffer.into())
    }

    fn write(&self, id: FileId, offset: u64, data: &[Bytes]) -> Result<(), Fault> {
        let open = self.handles.file(id)?;
        self.root.write_all_at(&open.file, offset, data)
    }

    fn truncate(&self, id: FileId, length: u64) -> Result<(), Fault> {
        let open = self.handles.file(id)?;
        let before = open.length()?;
        if before < length {
            let detail = format!("the file has {before} bytes, fewer than {length}");
            return Err(Fault::new(FaultKind::Changed).with_detail(detail));
        }
        // Until now it may have been taken for whole.
        self.root.set_note(&open.file, None)?;
        open.file.set_len(length).map_err(|error| fault::of_file(&error))
    }

    fn lock(&self, id: FileId, path: &StorePath) -> Result<u64, Fault> {
        let open = self.handles.file(id)?;
        open.lock(&self.root, || self.length_under(path, &open))
    }

    fn length_under(&self, path: &StorePath, open: &OpenFile) -> Result<u64, Fault> {
        let length = self.root.length_under(path, &open.file, &open.identity)?;
        length.ok_or_else(|| Fault::new(FaultKind::Changed).with_detail("the name leads elsewhere"))
    }

    /// Fine where nothing is open, or a scan: it is asked for whatever `Open` and `Lock` answered.
    fn unlock(&self, id: FileId) -> Result<(), Fault> {
        self.handles.file(id).map_or(Ok(()), |open| open.unlock(&self.root))
    }

    fn close(&self, id: FileId) -> Result<(), Fault> {
        let Some(open) = self.handles.remove(id) else { return Ok(()) };
        // Another operation on the file may still run, and would keep the lock.
        open.unlock(&self.root)
    }

    pub(crate) fn gauge(&self) -> Result<Gauged, Fault> {
        Ok(Gauged { now: root::now(), free_bytes: self.root.free_bytes()? })
    }

    fn scan(&self, id: FileId, folder: Option<&StorePath>, entries_max: usize) -> Result<ScanBatch, Fault> {
        let scan = self.handles.scan_or_insert(id, || self.root.scan(folder))?;
        let mut scan = scan.lock().unwrap_or_else(PoisonError::into_inner);
        self.root.scan_batch(&mut scan, entries_max.max(1))
    }

    fn sync(&self, id: FileId) -> Result<(), Fault> {
        let open = self.handles.file(id)?;
        self.root.sync(&open.file)
    }

    fn finish(&self, id: FileId, expected: u64, path: Option<&StorePath>) -> Result<(), Fault> {
        let open = self.handles.file(id)?;
        let length = match path {
            Some(path) => self.length_under(path, &open)?,
            None => open.length()?,
        };
        if length == expected {
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = path.cloned();
            return Ok(());
        }
        Err(Fault::new(FaultKind::Changed).with_detail(format!("the file has {length} bytes, not {expected}")))
    }
}
