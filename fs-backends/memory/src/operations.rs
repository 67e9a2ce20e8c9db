//! The operations on names, by the rules that stand at [`FileOp`](dlmanager_core::FileOp).

use std::time::Duration;

use dlmanager_core::{
    DeleteItem, Deleted, Expect, Fault, FaultKind, FileKind, FileStat, Gauged, Probed, ScanBatch, ScanEntry, Stamp,
    StorePath, WORK_FOLDER,
};

use crate::files::misuse;
use crate::tree::{Handle, HandleId, ROOT, Tree};

impl Tree {
    /// Nothing is made at the path: what works is known.
    pub(crate) fn probe(&self, path: &StorePath) -> Result<Probed, Fault> {
        if self.find(self.place(path.as_str())?).is_some() {
            return Err(FaultKind::Exists.into());
        }
        self.check_room_for_a_name()?;
        Ok(Probed { boot: self.boot, locks: self.locks_work })
    }

    pub(crate) fn make_dir(&mut self, path: &StorePath) -> Result<(), Fault> {
        if self.stat_path(path)?.is_none() {
            self.check_room_for_a_name()?;
        }
        Ok(self.make_folders(path.as_str())?)
    }

    pub(crate) fn gauge(&mut self) -> Gauged {
        let seen = self.look();
        Gauged { now: self.now, free_bytes: self.free_bytes.or(seen) }
    }

    pub(crate) fn scan(
        &mut self,
        scan: HandleId,
        folder: Option<&StorePath>,
        entries_max: usize,
    ) -> Result<ScanBatch, Fault> {
        let (mut after, mut done) = match self.handles.get(&scan) {
            None => (Vec::new(), false),
            Some(Handle::Scan { after, done }) => (after.clone(), *done),
            Some(Handle::File(_)) => return Err(misuse("a file, not a scan")),
        };
        let node = match folder {
            None => ROOT,
            Some(folder) => self.folder_at(self.place(folder.as_str())?)?,
        };
        let mut batch = ScanBatch { entries: Vec::new(), unnameable: 0, done: true };
        if !done {
            let start = after.clone();
            for (name, stat) in self.entries_after(node, &start) {
                if batch.entries.len() == entries_max.max(1) {
                    batch.done = false;
                    break;
                }
                after.clone_from(name);
                if folder.is_none() && name == WORK_FOLDER.as_bytes() {
                    continue;
                }
                let path = std::str::from_utf8(name).ok().and_then(|name| match folder {
                    None => StorePath::entry(name),
                    Some(folder) => StorePath::entry_of(folder, name),
                });
                match path {
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
            // Of two names of one file POSIX leaves both (rename, "shall return successfully and perform no other action").
            Some(taken) if taken == id => return Ok(()),
            Some(_) => {}
            None => self.check_room_for_a_name()?,
        }
        self.rename(from, to);
        Ok(())
    }

    pub(crate) fn sync_dir(&mut self, path: &StorePath) -> Result<(), Fault> {
        let folder = self.place(path.as_str())?.folder;
        if let Some(disk) = &mut self.disk {
            disk.flush_folder(folder);
        }
        Ok(())
    }

    pub(crate) fn delete(&mut self, items: &[DeleteItem]) -> Vec<Deleted> {
        let delete = |item: &DeleteItem| match item.expect {
            Expect::Unchanged { .. } if self.is_evicting => Deleted::Locked,
            Expect::Unchanged { .. } | Expect::File | Expect::EmptyFolder => self.delete_one(item),
        };
        items.iter().map(delete).collect()
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
        if matches!(item.expect, Expect::Unchanged { .. }) {
            if self.place(item.path.pin().as_str()).is_ok_and(|place| self.find(place).is_some()) {
                return Deleted::Pinned;
            }
            if self.locks_work && !self.deletes_locked && self.node(id).is_used() {
                return Deleted::Busy;
            }
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
}
