//! Files, folders and what else stands in a directory, apart from the names and handles that lead to them.

use std::collections::BTreeMap;

use dlmanager_core::{BootId, Digests, FaultKind, FileId, FileKind, FileStat, Hasher, Stamp, StorePath};

use crate::content::Content;
use crate::disk::{Disk, Edit, Survivor};

/// What file systems accept as the length of a component.
const COMPONENT_BYTES_MAX: usize = 255;

/// 2020-01-01 UTC.
const BEGINNING: Stamp = Stamp::from_nanos(1_577_836_800_000_000_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u64);

pub(crate) const ROOT: NodeId = NodeId(0);

/// A thing in the directory. It lives while a name or a handle leads to it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) body: Body,
    pub(crate) accessed: Stamp,
    pub(crate) modified: Stamp,
    names: usize,
    handles: usize,
    /// The handle that holds the lock.
    pub(crate) lock: Option<HandleId>,
    /// How many other programs have a lease on it.
    pub(crate) leases: u32,
    /// What was noted with a file.
    pub(crate) digests: Option<Digests>,
}

impl Node {
    /// Whether somebody has its lock, alone or together with others.
    pub(crate) const fn is_used(&self) -> bool {
        self.lock.is_some() || self.leases > 0
    }
}

#[derive(Debug)]
pub(crate) enum Body {
    File(Content),
    /// Names are bytes, since not all that stand in a directory are UTF-8.
    Folder(BTreeMap<Vec<u8>, NodeId>),
    /// Never followed, so its target is kept for those who look only.
    Symlink(String),
    Other,
}

/// One of the programs that work on the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process(pub(crate) u64);

/// An identifier, which is one for its process only.
pub(crate) type HandleId = (Process, FileId);

/// What an identifier stands for.
#[derive(Debug)]
pub(crate) enum Handle {
    File(OpenFile),
    /// The names up to `after` were delivered.
    Scan {
        after: Vec<u8>,
        done: bool,
    },
}

/// An open file.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) node: NodeId,
    pub(crate) path: StorePath,
    pub(crate) is_writable: bool,
    /// What of it was hashed.
    pub(crate) hasher: Option<Hasher>,
}

/// The directory.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    nodes_made: u64,
    pub(crate) handles: BTreeMap<HandleId, Handle>,
    pub(crate) processes: u64,
    pub(crate) now: Stamp,
    pub(crate) boot: Option<BootId>,
    pub(crate) locks_work: bool,
    /// What is locked is deleted as well.
    pub(crate) deletes_locked: bool,
    /// Another program evicts.
    pub(crate) is_evicting: bool,
    pub(crate) capacity_bytes: Option<u64>,
    /// What a look at the disk says is free, if it is not what is left of the capacity.
    pub(crate) free_bytes: Option<u64>,
    pub(crate) used_bytes: u64,
    /// How many looks at the disk do not show yet what was freed before them.
    pub(crate) free_space_lag: u32,
    /// Bytes that were freed, and how many looks more do not show them.
    unseen: Vec<(u64, u32)>,
    /// A name is made only where a byte is free.
    pub(crate) names_need_room: bool,
    /// Where something outlives the machine.
    pub(crate) disk: Option<Disk>,
}

/// A name in a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) folder: NodeId,
    pub(crate) name: &'a [u8],
}

impl Tree {
    pub(crate) fn new(disk: Option<Disk>) -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
            nodes_made: 0,
            handles: BTreeMap::new(),
            processes: 1,
            now: BEGINNING,
            boot: Some(BootId([1; 16])),
            locks_work: true,
            deletes_locked: false,
            is_evicting: false,
            capacity_bytes: None,
            free_bytes: None,
            used_bytes: 0,
            free_space_lag: 0,
            unseen: Vec::new(),
            names_need_room: false,
            disk,
        };
        tree.begin();
        tree
    }

    /// An empty directory.
    fn begin(&mut self) {
        let root = Node {
            body: Body::Folder(BTreeMap::new()),
            accessed: self.now,
            modified: self.now,
            names: 1,
            handles: 0,
            lock: None,
            leases: 0,
            digests: None,
        };
        self.nodes = BTreeMap::from([(ROOT, root)]);
        self.nodes_made = 1;
        self.used_bytes = 0;
        self.unseen.clear();
    }

    /// The machine fails: what is left of the directory is what the disk has then.
    pub(crate) fn lose_power(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        self.handles.clear();
        let Some(disk) = &mut self.disk else { return self.begin() };
        let survivors = disk.lose_power(choose);
        let mut before = std::mem::take(&mut self.nodes);
        self.used_bytes = 0;
        self.unseen.clear();
        for Survivor { id, body, names, left } in survivors {
            // A thing is either in use or has left the stamps that it had then.
            let stamps = before.remove(&id).map(|node| (node.accessed, node.modified));
            let (accessed, modified) = stamps.or(left).unwrap_or((self.now, self.now));
            if let Body::File(content) = &body {
                self.used_bytes += content.allocated();
            }
            self.nodes
                .insert(id, Node { body, accessed, modified, names, handles: 0, lock: None, leases: 0, digests: None });
        }
    }

    /// A path and the folders on the way to it, with what is in the file of that name, are on the disk.
    pub(crate) fn settle(&mut self, path: &str) {
        let Some(mut disk) = self.disk.take() else { return };
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for place in ends.filter_map(|end| self.place(&path[..end]).ok()) {
            disk.settle_name(place.folder, place.name);
            if let Some(id) = self.find(place)
                && let Ok(content) = self.content(id)
            {
                disk.settle_file(id, content);
            }
        }
        self.disk = Some(disk);
    }

    /// Where a path lies. No symlink is followed.
    pub(crate) fn place<'a>(&self, path: &'a str) -> Result<Place<'a>, FaultKind> {
        check(path)?;
        let mut place = Place { folder: ROOT, name: &[] };
        for (position, component) in path.split('/').enumerate() {
            if position > 0 {
                place.folder = self.folder_at(place)?;
            }
            place.name = component.as_bytes();
            if component.len() > COMPONENT_BYTES_MAX {
                return Err(FaultKind::BadName);
            }
        }
        Ok(place)
    }

    /// The folder of that name.
    pub(crate) fn folder_at(&self, place: Place<'_>) -> Result<NodeId, FaultKind> {
        let id = self.find(place).ok_or(FaultKind::NotFound)?;
        match self.node(id).body {
            Body::Folder(_) => Ok(id),
            Body::File(_) | Body::Symlink(_) | Body::Other => Err(FaultKind::WrongType),
        }
    }

    pub(crate) fn make_folders(&mut self, path: &str) -> Result<(), FaultKind> {
        check(path)?;
        let mut folder = ROOT;
        for component in path.split('/') {
            if component.len() > COMPONENT_BYTES_MAX {
                return Err(FaultKind::BadName);
            }
            let place = Place { folder, name: component.as_bytes() };
            if self.find(place).is_none() {
                let made = self.add(Body::Folder(BTreeMap::new()));
                self.set(place, made);
            }
            folder = self.folder_at(place)?;
        }
        Ok(())
    }

    pub(crate) fn find(&self, place: Place<'_>) -> Option<NodeId> {
        self.entries(place.folder).get(place.name).copied()
    }

    /// Puts a node under a name; what had the name loses it.
    pub(crate) fn set(&mut self, place: Place<'_>, id: NodeId) {
        self.note(vec![place.leads_to(Some(id))]);
        self.bind(place, id);
    }

    fn note(&mut self, edits: Vec<Edit>) {
        if let Some(disk) = &mut self.disk {
            disk.edited(edits);
        }
    }

    /// Notes a write after it was done.
    pub(crate) fn wrote(&mut self, id: NodeId, offset: u64, length: u64) {
        if let (Some(disk), Body::File(content)) = (&mut self.disk, &self.nodes[&id].body) {
            disk.wrote(id, offset, length, content);
        }
    }

    fn bind(&mut self, place: Place<'_>, id: NodeId) {
        self.node_mut(id).names += 1;
        if let Some(replaced) = self.entries_mut(place.folder).insert(place.name.to_vec(), id) {
            self.lose_name(replaced);
        }
    }

    /// Takes a name away.
    pub(crate) fn unlink(&mut self, place: Place<'_>) {
        if let Some(id) = self.entries_mut(place.folder).remove(place.name) {
            self.note(vec![place.leads_to(None)]);
            self.lose_name(id);
        }
    }

    /// Gives what stands under a name another one.
    pub(crate) fn rename(&mut self, from: Place<'_>, to: Place<'_>) {
        if let Some(id) = self.entries_mut(from.folder).remove(from.name) {
            self.note(vec![from.leads_to(None), to.leads_to(Some(id))]);
            self.bind(to, id);
            self.lose_name(id);
        }
    }

    pub(crate) fn add(&mut self, body: Body) -> NodeId {
        let id = NodeId(self.nodes_made);
        self.nodes_made += 1;
        if let Body::File(content) = &body {
            self.used_bytes += content.allocated();
        }
        if let Some(disk) = &mut self.disk {
            disk.made(id, &body);
        }
        let node = Node {
            body,
            accessed: self.now,
            modified: self.now,
            names: 0,
            handles: 0,
            lock: None,
            leases: 0,
            digests: None,
        };
        self.nodes.insert(id, node);
        id
    }

    pub(crate) fn open(&mut self, id: HandleId, node: NodeId, path: StorePath, is_writable: bool) {
        self.node_mut(node).handles += 1;
        self.handles.insert(id, Handle::File(OpenFile { node, path, is_writable, hasher: None }));
    }

    pub(crate) fn close(&mut self, id: HandleId) {
        self.unlock(id);
        if let Some(Handle::File(OpenFile { node, .. })) = self.handles.remove(&id) {
            self.node_mut(node).handles -= 1;
            self.collect(node);
        }
    }

    pub(crate) fn unlock(&mut self, id: HandleId) {
        if let Some(Handle::File(OpenFile { node, .. })) = self.handles.get(&id) {
            let node = *node;
            self.node_mut(node).lock.take_if(|holder| *holder == id);
        }
    }

    /// Closes all that a process has open.
    pub(crate) fn end_process(&mut self, process: Process) {
        let is_its = |&&(owner, _): &&HandleId| owner == process;
        let open: Vec<HandleId> = self.handles.keys().filter(is_its).copied().collect();
        open.into_iter().for_each(|id| self.close(id));
    }

    /// Gives bytes back.
    pub(crate) fn free(&mut self, bytes: u64) {
        self.used_bytes -= bytes;
        if self.free_space_lag > 0 {
            self.unseen.push((bytes, self.free_space_lag));
        }
    }

    /// What is left of the capacity as far as a look at the disk shows it.
    pub(crate) fn look(&mut self) -> Option<u64> {
        let unseen = self.unseen.iter().fold(self.used_bytes, |sum, (bytes, _)| sum.saturating_add(*bytes));
        self.unseen.retain_mut(|(_, looks)| {
            *looks -= 1;
            *looks > 0
        });
        Some(self.capacity_bytes?.saturating_sub(unseen))
    }

    /// Refuses to make a name on a disk that is full.
    pub(crate) fn check_room_for_a_name(&self) -> Result<(), FaultKind> {
        let is_full = self.capacity_bytes.is_some_and(|capacity| self.used_bytes >= capacity);
        if self.names_need_room && is_full { Err(FaultKind::NoSpace) } else { Ok(()) }
    }

    /// How many names lead to it.
    pub(crate) fn names(&self, id: NodeId) -> usize {
        self.node(id).names
    }

    fn lose_name(&mut self, id: NodeId) {
        self.node_mut(id).names -= 1;
        self.collect(id);
    }

    /// The entries of a folder behind a name.
    pub(crate) fn entries_after(&self, folder: NodeId, name: &[u8]) -> impl Iterator<Item = (&Vec<u8>, FileStat)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let entries = self.entries(folder).range::<[u8], _>((Excluded(name), Unbounded));
        entries.map(|(name, &id)| (name, self.stat(id)))
    }

    /// Every path with what stands there, folders before what is in them.
    pub(crate) fn walk(&self) -> Vec<(String, FileKind)> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), ROOT)];
        while let Some((prefix, folder)) = folders.pop() {
            for (name, &id) in self.entries(folder) {
                let path = format!("{prefix}{}", String::from_utf8_lossy(name));
                let kind = self.stat(id).kind;
                if kind == FileKind::Folder {
                    folders.push((format!("{path}/"), id));
                }
                found.push((path, kind));
            }
        }
        found
    }

    pub(crate) fn is_empty(&self, id: NodeId) -> bool {
        self.entries(id).is_empty()
    }

    pub(crate) fn stat(&self, id: NodeId) -> FileStat {
        let node = self.node(id);
        let (kind, length) = match &node.body {
            Body::File(content) => (FileKind::Regular, content.length()),
            Body::Folder(_) => (FileKind::Folder, 0),
            Body::Symlink(target) => (FileKind::Symlink, target.len() as u64),
            Body::Other => (FileKind::Other, 0),
        };
        FileStat { kind, length, accessed: node.accessed, modified: node.modified }
    }

    pub(crate) fn content(&self, id: NodeId) -> Result<&Content, FaultKind> {
        match &self.node(id).body {
            Body::File(content) => Ok(content),
            Body::Folder(_) | Body::Symlink(_) | Body::Other => Err(FaultKind::WrongType),
        }
    }

    pub(crate) fn content_mut(&mut self, id: NodeId) -> Result<&mut Content, FaultKind> {
        match &mut self.node_mut(id).body {
            Body::File(content) => Ok(content),
            Body::Folder(_) | Body::Symlink(_) | Body::Other => Err(FaultKind::WrongType),
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[&id]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node lives while something leads to it")
    }

    fn entries(&self, folder: NodeId) -> &BTreeMap<Vec<u8>, NodeId> {
        static NONE: BTreeMap<Vec<u8>, NodeId> = BTreeMap::new();
        match &self.node(folder).body {
            Body::Folder(entries) => entries,
            Body::File(_) | Body::Symlink(_) | Body::Other => &NONE,
        }
    }

    /// The entries of a folder that are about to change.
    fn entries_mut(&mut self, folder: NodeId) -> &mut BTreeMap<Vec<u8>, NodeId> {
        let now = self.now;
        let node = self.node_mut(folder);
        node.modified = now;
        match &mut node.body {
            Body::Folder(entries) => entries,
            Body::File(_) | Body::Symlink(_) | Body::Other => unreachable!("a place lies in a folder"),
        }
    }

    /// Frees a node that nothing leads to any more, and what stood in it.
    fn collect(&mut self, id: NodeId) {
        let node = self.node(id);
        if node.names > 0 || node.handles > 0 {
            return;
        }
        let Some(node) = self.nodes.remove(&id) else { return };
        if let Some(disk) = &mut self.disk {
            disk.left(id, node.accessed, node.modified);
        }
        match node.body {
            Body::File(content) => self.free(content.allocated()),
            Body::Folder(entries) => {
                for below in entries.into_values() {
                    self.lose_name(below);
                }
            }
            Body::Symlink(_) | Body::Other => {}
        }
    }
}

impl<'a> Place<'a> {
    /// An entry of the directory itself whose name is any bytes.
    pub(crate) fn entry(name: &'a [u8]) -> Self {
        Self { folder: ROOT, name }
    }

    fn leads_to(self, to: Option<NodeId>) -> Edit {
        Edit { folder: self.folder, name: self.name.to_vec(), to }
    }
}

/// Refuses what no file system takes for a path within a directory.
fn check(path: &str) -> Result<(), FaultKind> {
    let bad = |component: &str| matches!(component, "" | "." | "..") || component.contains('\0');
    if path.split('/').any(bad) { Err(FaultKind::BadName) } else { Ok(()) }
}
