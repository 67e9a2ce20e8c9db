//! What tests, in the role of other programs, put into the directory and see in it.

use std::collections::BTreeMap;

use dlmanager_core::{FileKind, FileStat, Stamp};

use crate::MemoryDirectory;
use crate::content::Content;
use crate::tree::{Body, Place};

/// Paths are relative, with `/` between components. None of these is subject to rules or to the capacity. Those that put
/// something make the folders on the way, and replace what has the name.
///
/// # Panics
///
/// Where a path is not one, or something on the way to it is not a folder.
impl MemoryDirectory {
    /// Puts a regular file, stamped now.
    pub fn put_file(&self, path: &str, bytes: &[u8]) {
        self.put(path, Body::File(Content::new(bytes)));
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
        tree.set(Place::entry(name), node);
    }

    /// Takes something away, a folder with all that is in it. `false` where nothing is.
    pub fn remove(&self, path: &str) -> bool {
        let mut tree = self.tree();
        let place = tree.place(path).expect("a path within the directory");
        let found = tree.find(place).is_some();
        tree.unlink(place);
        found
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
        if let Some((folder, _)) = path.rsplit_once('/') {
            tree.make_folders(folder).expect("folders on the way");
        }
        let place = tree.place(path).expect("a path within the directory");
        let node = tree.add(body);
        tree.set(place, node);
    }
}
