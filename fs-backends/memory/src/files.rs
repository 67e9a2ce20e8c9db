//! The operations on open files, by the rules that stand at [`FileOp`](dlmanager_core::FileOp).

use bytes::Bytes;
use dlmanager_core::{Algorithms, Digests, Fault, FaultKind, FileKind, Hasher, OpenMode, Opened, Stamp, StorePath};

use crate::content::Content;
use crate::tree::{Body, Handle, HandleId, NodeId, OpenFile, Tree};

/// The greatest length of a file.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// What is read at once to be hashed.
const HASHED_AT_ONCE: usize = 64 * 1024;

impl Tree {
    pub(crate) fn open_path(&mut self, id: HandleId, path: StorePath, mode: OpenMode) -> Result<Opened, Fault> {
        if self.handles.contains_key(&id) {
            return Err(misuse("the identifier is in use"));
        }
        let place = self.place(path.as_str())?;
        let is_writable = mode != OpenMode::Read;
        let (node, created) = match (self.find(place), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(FaultKind::Exists.into()),
            (Some(node), OpenMode::Existing | OpenMode::CreateOrExisting | OpenMode::Read) => {
                if self.stat(node).kind != FileKind::Regular {
                    return Err(FaultKind::WrongType.into());
                }
                if is_writable && self.names(node) > 1 {
                    return Err(Fault::new(FaultKind::WrongType).with_detail("the file has another name"));
                }
                (node, false)
            }
            (None, OpenMode::CreateNew | OpenMode::CreateOrExisting) => {
                self.check_room_for_a_name()?;
                let node = self.add(Body::File(Content::default()));
                self.set(place, node);
                (node, true)
            }
            (None, OpenMode::Existing | OpenMode::Read) => return Err(FaultKind::NotFound.into()),
        };
        self.open(id, node, path, is_writable);
        Ok(Opened { created, length: self.stat(node).length })
    }

    pub(crate) fn read(&self, id: HandleId, offset: u64, bytes_max: usize) -> Result<Bytes, Fault> {
        Ok(self.content(self.file(id)?.node)?.read(offset, bytes_max).into())
    }

    /// Writes at most the first `bytes_max` bytes of `data`.
    pub(crate) fn write(&mut self, id: HandleId, mut offset: u64, data: &[Bytes], bytes_max: u64) -> Result<(), Fault> {
        self.file(id)?;
        let length = data.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len() as u64));
        if offset.saturating_add(length) > LENGTH_MAX {
            return Err(FaultKind::NoSpace.into());
        }
        if length == 0 {
            return Ok(());
        }
        let node = self.writable(id)?;
        let mut allowed = bytes_max;
        for piece in data.iter().filter(|piece| !piece.is_empty()) {
            let room = self.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes));
            let tried = piece.len().min(usize::try_from(allowed).unwrap_or(usize::MAX));
            let (written, new) = self.content_mut(node)?.write(offset, &piece[..tried], room);
            if written > 0 {
                self.node_mut(node).modified = self.now;
                self.wrote(node, offset, written as u64);
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

    pub(crate) fn truncate(&mut self, id: HandleId, length: u64) -> Result<(), Fault> {
        let before = self.stat(self.file(id)?.node).length;
        if before < length {
            let detail = format!("the file has {before} bytes, fewer than {length}");
            return Err(Fault::new(FaultKind::Changed).with_detail(detail));
        }
        let node = self.writable(id)?;
        let freed = self.content_mut(node)?.set_length(length);
        self.free(freed);
        self.node_mut(node).digests = None;
        self.node_mut(node).modified = self.now;
        if before > length
            && let Some(disk) = &mut self.disk
        {
            disk.cut(node, length);
        }
        Ok(())
    }

    pub(crate) fn set_times(&mut self, id: HandleId, modified: Stamp) -> Result<(), Fault> {
        let node = self.file(id)?.node;
        let now = self.now;
        let node = self.node_mut(node);
        node.accessed = now;
        node.modified = modified;
        Ok(())
    }

    pub(crate) fn hash(&mut self, id: HandleId, algorithms: Algorithms, from: u64, to: u64) -> Result<Digests, Fault> {
        let file = self.file_mut(id)?;
        let node = file.node;
        let mut hasher = match file.hasher.take() {
            _ if algorithms.is_empty() || to < from => return Err(misuse("nothing to hash")),
            _ if from == 0 => Hasher::new(algorithms),
            Some(hasher) if hasher.length() == from && hasher.algorithms() == algorithms => hasher,
            Some(_) | None => return Err(misuse("hashing goes on where it did not end")),
        };
        while hasher.length() < to {
            let wanted = usize::try_from(to - hasher.length()).unwrap_or(usize::MAX).min(HASHED_AT_ONCE);
            let bytes = self.content(node)?.read(hasher.length(), wanted);
            if bytes.is_empty() {
                let detail = format!("the file ends at {}, before {to}", hasher.length());
                return Err(Fault::new(FaultKind::Changed).with_detail(detail));
            }
            hasher.update(&bytes);
        }
        let digests = hasher.digests();
        self.file_mut(id)?.hasher = Some(hasher);
        Ok(digests)
    }

    pub(crate) fn sync(&mut self, id: HandleId) -> Result<(), Fault> {
        let node = self.file(id)?.node;
        let length = self.stat(node).length;
        if let Some(disk) = &mut self.disk {
            disk.flush(node, length);
        }
        Ok(())
    }

    /// A flush that fails.
    pub(crate) fn sync_badly(&mut self, id: HandleId) {
        if let Ok(OpenFile { node, .. }) = self.file(id) {
            let node = *node;
            if let Some(disk) = &mut self.disk {
                disk.lose_pages(node);
            }
        }
    }

    pub(crate) fn finish(&self, id: HandleId, expected: u64, path: Option<&StorePath>) -> Result<(), Fault> {
        let node = self.file(id)?.node;
        if let Some(path) = path {
            self.check_name(node, path)?;
        }
        let length = self.stat(node).length;
        if length == expected {
            return Ok(());
        }
        Err(Fault::new(FaultKind::Changed).with_detail(format!("the file has {length} bytes, not {expected}")))
    }

    pub(crate) fn keep_digests(&mut self, id: HandleId, digests: Digests) -> Result<(), Fault> {
        let node = self.file(id)?.node;
        self.node_mut(node).digests = Some(digests);
        Ok(())
    }

    pub(crate) fn lock(&mut self, id: HandleId, path: &StorePath) -> Result<u64, Fault> {
        let node = self.file(id)?.node;
        if !self.locks_work {
            return Err(FaultKind::Unsupported.into());
        }
        if self.node(node).leases > 0 || self.node(node).lock.is_some_and(|holder| holder != id) {
            return Err(FaultKind::Busy.into());
        }
        self.check_name(node, path)?;
        self.node_mut(node).lock = Some(id);
        Ok(self.stat(node).length)
    }

    /// Whether this is the file's name, and its only one.
    fn check_name(&self, node: NodeId, path: &StorePath) -> Result<(), Fault> {
        let is_name = match self.place(path.as_str()) {
            Ok(place) => self.find(place) == Some(node),
            Err(FaultKind::NotFound | FaultKind::WrongType) => false,
            Err(kind) => return Err(kind.into()),
        };
        if !is_name {
            return Err(Fault::new(FaultKind::Changed).with_detail("the name leads elsewhere"));
        }
        if self.names(node) > 1 {
            return Err(Fault::new(FaultKind::WrongType).with_detail("the file has another name"));
        }
        Ok(())
    }

    pub(crate) fn file(&self, id: HandleId) -> Result<&OpenFile, Fault> {
        match self.handles.get(&id) {
            Some(Handle::File(file)) => Ok(file),
            Some(Handle::Scan { .. }) => Err(misuse("a scan, not a file")),
            None => Err(misuse("the file is not open")),
        }
    }

    fn file_mut(&mut self, id: HandleId) -> Result<&mut OpenFile, Fault> {
        match self.handles.get_mut(&id) {
            Some(Handle::File(file)) => Ok(file),
            Some(Handle::Scan { .. }) => Err(misuse("a scan, not a file")),
            None => Err(misuse("the file is not open")),
        }
    }

    fn writable(&self, id: HandleId) -> Result<NodeId, Fault> {
        let file = self.file(id)?;
        if file.is_writable { Ok(file.node) } else { Err(misuse("the file is open for reading only")) }
    }
}

/// The fault for what a caller may not ask for.
pub(crate) fn misuse(detail: &str) -> Fault {
    Fault::new(FaultKind::Io).with_detail(detail)
}
