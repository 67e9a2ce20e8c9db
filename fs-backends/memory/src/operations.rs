//! The operations, by the rules that stand at [`FileOp`](dlmanager_core::FileOp).

use std::collections::btree_map::Entry;
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{
    DeleteItem, Deleted, Expect, Fault, FaultKind, FileId, FileKind, FileStat, OpenMode, ScanBatch, ScanEntry, Stamp,
    StorePath, WORK_FOLDER,
};

use crate::content::Content;
use crate::tree::{Body, Handle, NodeId, Tree};

/// The greatest length of a file.
const LENGTH_MAX: u64 = i64::MAX as u64;

impl Tree {
    pub(crate) fn make_dir(&mut self, path: &StorePath) -> Result<(), Fault> {
        Ok(self.make_folders(path.as_str())?)
    }

    pub(crate) fn scan(&mut self, scan: FileId, entries_max: usize) -> Result<ScanBatch, Fault> {
        let (mut after, mut done) = match self.handles.get(&scan) {
            None => (Vec::new(), false),
            Some(Handle::Scan { after, done }) => (after.clone(), *done),
            Some(Handle::File { .. }) => return Err(misuse("a file, not a scan")),
        };
        let mut batch = ScanBatch { entries: Vec::new(), unnameable: 0, done: true };
        if !done {
            let start = after.clone();
            for (name, stat) in self.entries_after(&start) {
                if batch.entries.len() == entries_max.max(1) {
                    batch.done = false;
                    break;
                }
                after.clone_from(name);
                if name == WORK_FOLDER.as_bytes() {
                    continue;
                }
                match std::str::from_utf8(name).ok().and_then(StorePath::entry) {
                    Some(path) => batch.entries.push(ScanEntry { path, stat }),
                    None => batch.unnameable += 1,
                }
            }
            done = batch.done;
        }
        self.handles.insert(scan, Handle::Scan { after, done });
        Ok(batch)
    }

    pub(crate) fn stat_path(&self, path: &StorePath) -> Result<Option<FileStat>, Fault> {
        match self.place(path.as_str()) {
            Ok(place) => Ok(self.find(place).map(|id| self.stat(id))),
            Err(FaultKind::NotFound) => Ok(None),
            Err(kind) => Err(kind.into()),
        }
    }

    pub(crate) fn open_path(&mut self, file: FileId, path: StorePath, mode: OpenMode) -> Result<(), Fault> {
        if let Entry::Occupied(_) = self.handles.entry(file) {
            return Err(misuse("the identifier is in use"));
        }
        let place = self.place(path.as_str())?;
        let node = match (self.find(place), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(FaultKind::Exists.into()),
            (None, OpenMode::Existing) => return Err(FaultKind::NotFound.into()),
            (Some(id), OpenMode::Existing) => {
                if self.stat(id).kind != FileKind::Regular {
                    return Err(FaultKind::WrongType.into());
                }
                id
            }
            (None, OpenMode::CreateNew) => {
                let id = self.add(Body::File(Content::default()));
                self.set(place, id);
                id
            }
        };
        self.open(file, node, path);
        Ok(())
    }

    /// Writes at most the first `bytes_max` bytes of `data`.
    pub(crate) fn write(&mut self, file: FileId, mut offset: u64, data: &[Bytes], bytes_max: u64) -> Result<(), Fault> {
        let id = self.file(file)?;
        let length = data.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len() as u64));
        if offset.saturating_add(length) > LENGTH_MAX {
            return Err(FaultKind::NoSpace.into());
        }
        let mut allowed = bytes_max;
        for piece in data.iter().filter(|piece| !piece.is_empty()) {
            let room = self.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes));
            let now = self.now;
            let node = self.node_mut(id);
            let Body::File(content) = &mut node.body else { return Err(FaultKind::WrongType.into()) };
            let tried = piece.len().min(usize::try_from(allowed).unwrap_or(usize::MAX));
            let (written, new) = content.write(offset, &piece[..tried], room);
            if written > 0 {
                node.modified = now;
            }
            self.used_bytes += new;
            offset += written as u64;
            allowed -= written as u64;
            if written < tried {
                return Err(FaultKind::NoSpace.into());
            }
        }
        Ok(())
    }

    pub(crate) fn sync(&self, file: FileId) -> Result<(), Fault> {
        self.file(file).map(drop)
    }

    pub(crate) fn finish(&self, file: FileId, expected: u64) -> Result<(), Fault> {
        let length = self.stat(self.file(file)?).length;
        if length == expected {
            return Ok(());
        }
        Err(Fault::new(FaultKind::Changed).with_detail(format!("the file has {length} bytes, not {expected}")))
    }

    pub(crate) fn rename_path(&mut self, from: &StorePath, to: &StorePath, clobber: bool) -> Result<(), Fault> {
        let from = self.place(from.as_str())?;
        let to = self.place(to.as_str())?;
        let id = self.find(from).ok_or(FaultKind::NotFound)?;
        if self.stat(id).kind != FileKind::Regular {
            return Err(FaultKind::WrongType.into());
        }
        match self.find(to) {
            Some(_) if !clobber => return Err(FaultKind::Exists.into()),
            Some(taken) if self.stat(taken).kind != FileKind::Regular => return Err(FaultKind::WrongType.into()),
            Some(_) | None => {}
        }
        self.rename(from, to);
        Ok(())
    }

    pub(crate) fn sync_dir(&self, path: &StorePath) -> Result<(), Fault> {
        self.place(path.as_str())?;
        Ok(())
    }

    pub(crate) fn delete(&mut self, items: &[DeleteItem]) -> Vec<Deleted> {
        items.iter().map(|item| self.delete_one(item)).collect()
    }

    fn delete_one(&mut self, item: &DeleteItem) -> Deleted {
        let place = match self.place(item.path.as_str()) {
            Ok(place) => place,
            Err(FaultKind::NotFound) => return Deleted::Gone,
            Err(kind) => return Deleted::Denied(kind.into()),
        };
        let Some(id) = self.find(place) else { return Deleted::Gone };
        let stat = self.stat(id);
        let expected = match item.expect {
            Expect::File => stat.kind != FileKind::Folder,
            Expect::EmptyFolder => stat.kind == FileKind::Folder,
            Expect::Unchanged { length, accessed, modified } => {
                stat == FileStat { kind: FileKind::Regular, length, accessed, modified }
            }
        };
        if !expected {
            return Deleted::Changed;
        }
        if !self.is_empty(id) {
            return Deleted::Busy;
        }
        self.unlink(place);
        Deleted::Deleted
    }

    pub(crate) fn touch(&mut self, path: &StorePath, unless_within: Duration) -> Result<Stamp, Fault> {
        let place = self.place(path.as_str())?;
        let id = self.find(place).ok_or(FaultKind::NotFound)?;
        if self.stat(id).kind != FileKind::Regular {
            return Err(FaultKind::WrongType.into());
        }
        let now = self.now;
        let node = self.node_mut(id);
        // Not a stamp from the future, whose age is negative.
        let age = now.as_nanos().checked_sub(node.accessed.as_nanos()).and_then(|nanos| u64::try_from(nanos).ok());
        let is_fresh = age.is_some_and(|nanos| Duration::from_nanos(nanos) < unless_within);
        if !is_fresh {
            node.accessed = now;
        }
        Ok(node.accessed)
    }

    fn file(&self, file: FileId) -> Result<NodeId, Fault> {
        match self.handles.get(&file) {
            Some(Handle::File { node, .. }) => Ok(*node),
            Some(Handle::Scan { .. }) => Err(misuse("a scan, not a file")),
            None => Err(misuse("the file is not open")),
        }
    }
}

fn misuse(detail: &str) -> Fault {
    Fault::new(FaultKind::Io).with_detail(detail)
}
