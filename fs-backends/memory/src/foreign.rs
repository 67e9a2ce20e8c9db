//! What tests, in the role of other programs, put into the directory and see in it.

use std::collections::BTreeMap;

use dlmanager_core::{Digests, FileKind, FileStat, Stamp};

use crate::MemoryDirectory;
use crate::content::Content;
use crate::tree::{Body, NodeId, Place, Tree};

/// Paths are relative, with `/` between components. None of these is subject to rules or to the capacity, and all of it is on
/// the disk at once. Those that put something make the folders on the way, and replace what has the name.
///
/// # Panics
///
/// Where a path is not one, or something on the way to it is not a folder.
impl MemoryDirectory {
    /// Puts a regular file, stamped now.
    pub fn put_file(&self, path: &str, bytes: &[u8]) {
        self.put(path, Body::File(Content::new(bytes)));
    }

    /// Puts a second name for a regular file.
    ///
    /// # Panics
    ///
    /// Where there is no regular file under `existing`.
    pub fn put_link(&self, path: &str, existing: &str) {
        let mut tree = self.tree();
        let found = tree.place(existing).ok().and_then(|place| tree.find(place));
        let node = found.filter(|&id| tree.content(id).is_ok()).expect("a regular file");
        tree.put(path, node);
    }

    /// Puts an empty folder.
    pub fn put_folder(&self, path: &str) {
        self.put(path, Body::Folder(BTreeMap::new()));
    }

    /// Puts a symlink. Nothing follows it, so its target may be anything.
    pub fn put_symlink(&self, path: &str, target: &str) {
        self.put(path, Body::Symlink(target.into()));
    }

    /// Puts something that is neither file, folder nor symlink: think of a pipe.
    pub fn put_other(&self, path: &str) {
        self.put(path, Body::Other);
    }

    /// Puts an empty file in the directory itself, whose name is any bytes.
    pub fn put_unnameable(&self, name: &[u8]) {
        let mut tree = self.tree();
        let node = tree.add(Body::File(Content::default()));
        let place = Place::entry(name);
        tree.set(place, node);
        if let Some(disk) = &mut tree.disk {
            disk.settle_name(place.folder, place.name);
        }
    }

    /// Takes something away, a folder with all that is in it. `false` where nothing is.
    pub fn remove(&self, path: &str) -> bool {
        let mut tree = self.tree();
        let place = tree.place(path).expect("a path within the directory");
        let found = tree.find(place).is_some();
        tree.unlink(place);
        tree.settle(path);
        found
    }

    /// From now on what is locked is deleted all the same where it is to go only unused: the mistake of a backend, which tests
    /// have to find.
    pub fn set_deletes_locked(&self, deletes_locked: bool) {
        self.tree().deletes_locked = deletes_locked;
    }

    /// Another program evicts, or has ended that: meanwhile nothing is evicted by anybody else.
    pub fn set_evicting(&self, is_evicting: bool) {
        self.tree().is_evicting = is_evicting;
    }

    /// Another program takes a lease on a regular file, or gives one back: a shared lock, which keeps it from being evicted.
    ///
    /// # Panics
    ///
    /// Where there is no regular file under that name.
    pub fn set_leased(&self, path: &str, is_leased: bool) {
        let mut tree = self.tree();
        let found = tree.place(path).ok().and_then(|place| tree.find(place));
        let node = found.filter(|&id| tree.content(id).is_ok()).expect("a regular file");
        let leases = &mut tree.node_mut(node).leases;
        *leases = if is_leased { *leases + 1 } else { leases.saturating_sub(1) };
    }

    /// Stamps something. `false` where nothing is.
    pub fn set_stamps(&self, path: &str, accessed: Stamp, modified: Stamp) -> bool {
        let mut tree = self.tree();
        let place = tree.place(path).expect("a path within the directory");
        let Some(id) = tree.find(place) else { return false };
        let node = tree.node_mut(id);
        node.accessed = accessed;
        node.modified = modified;
        true
    }

    /// The bytes of a regular file, with zeros where it was never written. `None` where there is none.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let tree = self.tree();
        let id = tree.find(tree.place(path).ok()?)?;
        match &tree.node(id).body {
            Body::File(content) => Some(content.to_vec()),
            Body::Folder(_) | Body::Symlink(_) | Body::Other => None,
        }
    }

    /// The digests that were noted with a regular file.
    pub fn digests(&self, path: &str) -> Option<Digests> {
        let tree = self.tree();
        tree.node(tree.find(tree.place(path).ok()?)?).digests.clone()
    }

    /// What stands under a name.
    pub fn stat(&self, path: &str) -> Option<FileStat> {
        let tree = self.tree();
        Some(tree.stat(tree.find(tree.place(path).ok()?)?))
    }

    /// The target of a symlink.
    pub fn read_link(&self, path: &str) -> Option<String> {
        let tree = self.tree();
        let id = tree.find(tree.place(path).ok()?)?;
        match &tree.node(id).body {
            Body::Symlink(target) => Some(target.clone()),
            Body::File(_) | Body::Folder(_) | Body::Other => None,
        }
    }

    /// All that stands in the directory, at any depth and in the work folder too, by path.
    pub fn list(&self) -> BTreeMap<String, FileKind> {
        self.tree().walk().into_iter().collect()
    }

    fn put(&self, path: &str, body: Body) {
        let mut tree = self.tree();
        let node = tree.add(body);
        tree.put(path, node);
    }
}

impl Tree {
    fn put(&mut self, path: &str, node: NodeId) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.make_folders(folder).expect("folders on the way");
        }
        let place = self.place(path).expect("a path within the directory");
        self.set(place, node);
        self.settle(path);
    }
}
