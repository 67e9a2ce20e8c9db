//! What the disk has of the directory, and what is only in memory: whose survival the [`Profile`] rules.

use std::collections::BTreeMap;

use dlmanager_core::Stamp;

use crate::content::Content;
use crate::pages::FileOnDisk;
use crate::tree::{Body, NodeId, ROOT};

/// What a power loss may leave of what was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Nothing, nor of anything else: the directory lies in memory.
    Tmpfs,
    /// As on ext4, which keeps a journal of names and lengths:
    ///
    /// - Of the changes of names, and of the cuts of files, the first ones survive, up to any.
    /// - A flush of a file or of a folder flushes them all.
    /// - Of the bytes of a file any blocks survive, each as it was at any time since the file was flushed. It is no longer
    ///   than its last byte that survives. A file may so get its name without its bytes.
    Ext4,
    /// What POSIX promises, which is little:
    ///
    /// - Of the changes of names any survive: those of one name in their order, all others independently. A rename is one
    ///   change of two names.
    /// - A flush of a file flushes no name, not even a new one; a flush of a folder flushes the names in it, and what
    ///   became of each of them elsewhere.
    /// - Of the bytes of a file any blocks survive, as with [`Ext4`](Self::Ext4), and any of its lengths independently of
    ///   them: what is missing reads as zeros, and a file that was cut may have its old length and new bytes.
    Posix,
}

/// The disk below a directory.
#[derive(Debug)]
pub(crate) struct Disk {
    /// Whether names and cuts reach it in their order.
    is_ordered: bool,
    block_bytes: u64,
    items: BTreeMap<NodeId, Item>,
    /// What is not on the disk, in order.
    journal: Vec<Change>,
}

/// A thing that is on the disk, or may get there.
#[derive(Debug)]
struct Item {
    kept: Kept,
    /// How many names on the disk lead to it.
    names: usize,
    /// How often the journal is about it.
    mentions: usize,
    /// Where it is not in use any more: the stamps that it had last.
    left: Option<(Stamp, Stamp)>,
}

#[derive(Debug)]
enum Kept {
    File(FileOnDisk),
    Folder(BTreeMap<Vec<u8>, NodeId>),
    Symlink(String),
    Other,
}

#[derive(Debug)]
enum Change {
    /// Names that change together.
    Names(Vec<Edit>),
    /// A file is cut.
    Cut(NodeId),
}

/// What a name leads to from now on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) folder: NodeId,
    pub(crate) name: Vec<u8>,
    pub(crate) to: Option<NodeId>,
}

/// What is there after a power loss.
pub(crate) struct Survivor {
    pub(crate) id: NodeId,
    pub(crate) body: Body,
    pub(crate) names: usize,
    /// Those that it had when it was in use last, if it is not any more.
    pub(crate) left: Option<(Stamp, Stamp)>,
}

impl Disk {
    /// `None` where there is no disk.
    pub(crate) fn new(profile: Profile, block_bytes: u64) -> Option<Self> {
        let is_ordered = match profile {
            Profile::Tmpfs => return None,
            Profile::Ext4 => true,
            Profile::Posix => false,
        };
        let root = Item { kept: Kept::Folder(BTreeMap::new()), names: 1, mentions: 0, left: None };
        Some(Self { is_ordered, block_bytes, items: BTreeMap::from([(ROOT, root)]), journal: Vec::new() })
    }

    /// Notes a thing that was made.
    pub(crate) fn made(&mut self, id: NodeId, body: &Body) {
        let kept = match body {
            Body::File(_) => Kept::File(FileOnDisk::default()),
            Body::Folder(_) => Kept::Folder(BTreeMap::new()),
            Body::Symlink(target) => Kept::Symlink(target.clone()),
            Body::Other => Kept::Other,
        };
        self.items.insert(id, Item { kept, names: 0, mentions: 0, left: None });
    }

    /// Notes that neither name nor handle leads to a thing any more.
    pub(crate) fn left(&mut self, id: NodeId, accessed: Stamp, modified: Stamp) {
        if let Some(item) = self.items.get_mut(&id) {
            item.left = Some((accessed, modified));
            self.collect(id);
        }
    }

    /// Notes changes of names that are one.
    pub(crate) fn edited(&mut self, edits: Vec<Edit>) {
        self.mention(&edits);
        self.journal.push(Change::Names(edits));
    }

    /// Notes a write after it was done.
    pub(crate) fn wrote(&mut self, id: NodeId, offset: u64, length: u64, live: &Content) {
        let block_bytes = self.block_bytes;
        if let Some(file) = self.file(id) {
            file.wrote(offset, length, live, block_bytes);
        }
    }

    /// Notes that a file was cut.
    pub(crate) fn cut(&mut self, id: NodeId, length: u64) {
        if let Some(file) = self.file(id) {
            file.cut(length);
        }
        if self.is_ordered {
            self.items.entry(id).and_modify(|item| item.mentions += 1);
            self.journal.push(Change::Cut(id));
        }
    }

    /// A file is flushed, which has that length.
    pub(crate) fn flush(&mut self, id: NodeId, length: u64) {
        if self.is_ordered {
            self.commit(|_| true);
        }
        if let Some(file) = self.file(id) {
            file.flush(length);
        }
    }

    /// The flush of a file fails.
    pub(crate) fn lose_pages(&mut self, id: NodeId) {
        let block_bytes = self.block_bytes;
        if let Some(file) = self.file(id) {
            file.lose_pages(block_bytes);
        }
    }

    /// The names in a folder are flushed.
    pub(crate) fn flush_folder(&mut self, folder: NodeId) {
        let wanted = self.with_what_they_need(|change| match change {
            Change::Names(edits) => edits.iter().any(|edit| edit.folder == folder),
            Change::Cut(_) => false,
        });
        let all = self.is_ordered;
        self.commit(|position| all || wanted[position]);
    }

    /// What was done to a name is on the disk.
    pub(crate) fn settle_name(&mut self, folder: NodeId, name: &[u8]) {
        let is_about = |change: &Change| match change {
            Change::Names(edits) => edits.iter().any(|edit| edit.folder == folder && edit.name == name),
            Change::Cut(_) => false,
        };
        let wanted = self.with_what_they_need(is_about);
        self.commit(|position| wanted[position]);
    }

    /// What is in a file is on the disk.
    pub(crate) fn settle_file(&mut self, id: NodeId, live: &Content) {
        if let Some(file) = self.file(id) {
            file.settle(live);
        }
    }

    /// The machine fails. `choose` is asked for numbers below a bound, of which 0 stands for what the disk had.
    pub(crate) fn lose_power(&mut self, choose: &mut dyn FnMut(usize) -> usize) -> Vec<Survivor> {
        let mut survive: Vec<bool> = Vec::with_capacity(self.journal.len());
        if self.is_ordered {
            let until = choose(self.journal.len() + 1);
            survive.extend((0..self.journal.len()).map(|position| position < until));
        } else {
            for (position, change) in self.journal.iter().enumerate() {
                let mut before = self.journal[..position].iter().zip(&survive);
                let is_possible = before.all(|(earlier, &survives)| survives || !earlier.shares_a_name(change));
                survive.push(is_possible && choose(2) == 1);
            }
        }
        self.commit(|position| survive[position]);
        self.forget_journal();
        let (reached, block_bytes, is_ordered) = (self.reached(), self.block_bytes, self.is_ordered);
        self.items.retain(|id, _| reached.contains_key(id));
        let mut survivors = Vec::new();
        for (&id, item) in &mut self.items {
            let body = match &mut item.kept {
                Kept::File(file) => {
                    if is_ordered {
                        file.lose_power_in_order(block_bytes, choose);
                    } else {
                        file.lose_power(block_bytes, choose);
                    }
                    Body::File(file.durable().clone())
                }
                Kept::Folder(entries) => Body::Folder(entries.clone()),
                Kept::Symlink(target) => Body::Symlink(target.clone()),
                Kept::Other => Body::Other,
            };
            item.names = reached[&id];
            survivors.push(Survivor { id, body, names: item.names, left: item.left.take() });
        }
        survivors
    }

    fn file(&mut self, id: NodeId) -> Option<&mut FileOnDisk> {
        match &mut self.items.get_mut(&id)?.kept {
            Kept::File(file) => Some(file),
            Kept::Folder(_) | Kept::Symlink(_) | Kept::Other => None,
        }
    }

    /// Those changes that are wanted, and all before them that are about the same names, or in order all before them.
    fn with_what_they_need(&self, is_wanted: impl Fn(&Change) -> bool) -> Vec<bool> {
        let mut wanted: Vec<bool> = self.journal.iter().map(is_wanted).collect();
        for later in (0..wanted.len()).rev() {
            let (before, rest) = wanted.split_at_mut(later);
            if rest[0] {
                for (wanted, earlier) in before.iter_mut().zip(&self.journal) {
                    *wanted |= self.is_ordered || earlier.shares_a_name(&self.journal[later]);
                }
            }
        }
        wanted
    }

    /// Brings those changes to the disk.
    fn commit(&mut self, is_wanted: impl Fn(usize) -> bool) {
        for (position, change) in std::mem::take(&mut self.journal).into_iter().enumerate() {
            if !is_wanted(position) {
                self.journal.push(change);
                continue;
            }
            match change {
                Change::Cut(id) => {
                    if let Some(file) = self.file(id) {
                        file.flush_cut();
                    }
                    self.forget(&[id]);
                }
                Change::Names(edits) => {
                    for edit in &edits {
                        self.name_on_disk(edit);
                    }
                    self.forget(&concerned(&edits));
                }
            }
        }
    }

    fn name_on_disk(&mut self, edit: &Edit) {
        let Some(Item { kept: Kept::Folder(entries), .. }) = self.items.get_mut(&edit.folder) else { return };
        let before = match edit.to {
            Some(id) => entries.insert(edit.name.clone(), id),
            None => entries.remove(&edit.name),
        };
        if let Some(item) = edit.to.and_then(|id| self.items.get_mut(&id)) {
            item.names += 1;
        }
        if let Some(before) = before {
            self.lose_name(before);
        }
    }

    fn lose_name(&mut self, id: NodeId) {
        if let Some(item) = self.items.get_mut(&id) {
            item.names -= 1;
            self.collect(id);
        }
    }

    fn mention(&mut self, edits: &[Edit]) {
        for id in concerned(edits) {
            if let Some(item) = self.items.get_mut(&id) {
                item.mentions += 1;
            }
        }
    }

    fn forget(&mut self, ids: &[NodeId]) {
        for &id in ids {
            if let Some(item) = self.items.get_mut(&id) {
                item.mentions -= 1;
                self.collect(id);
            }
        }
    }

    fn forget_journal(&mut self) {
        for change in std::mem::take(&mut self.journal) {
            match change {
                Change::Cut(id) => self.forget(&[id]),
                Change::Names(edits) => self.forget(&concerned(&edits)),
            }
        }
    }

    /// Forgets a thing that is not on the disk and cannot get there.
    fn collect(&mut self, id: NodeId) {
        let is_over = |item: &Item| item.names == 0 && item.mentions == 0 && item.left.is_some();
        if !self.items.get(&id).is_some_and(is_over) {
            return;
        }
        if let Some(Item { kept: Kept::Folder(entries), .. }) = self.items.remove(&id) {
            entries.into_values().for_each(|below| self.lose_name(below));
        }
    }

    /// What names on the disk lead to, from the directory downwards, and how many of them.
    fn reached(&self) -> BTreeMap<NodeId, usize> {
        let mut reached = BTreeMap::new();
        let mut ahead = vec![ROOT];
        while let Some(id) = ahead.pop() {
            let names: &mut usize = reached.entry(id).or_default();
            *names += 1;
            if *names == 1
                && let Some(Item { kept: Kept::Folder(entries), .. }) = self.items.get(&id)
            {
                ahead.extend(entries.values());
            }
        }
        reached
    }
}

impl Change {
    fn shares_a_name(&self, other: &Self) -> bool {
        let (Self::Names(ours), Self::Names(theirs)) = (self, other) else { return false };
        ours.iter().any(|our| theirs.iter().any(|their| our.folder == their.folder && our.name == their.name))
    }
}

/// The folders whose names change and what the names lead to.
fn concerned(edits: &[Edit]) -> Vec<NodeId> {
    edits.iter().flat_map(|edit| [Some(edit.folder), edit.to]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryDirectory;

    #[test]
    fn what_is_gone_for_good_is_forgotten() {
        for profile in [Profile::Ext4, Profile::Posix] {
            let directory = MemoryDirectory::on_disk(profile, 2);
            for _ in 0..3 {
                directory.put_file("d/e/a", b"1");
                directory.put_file("d/b", b"2");
                directory.put_folder("d");
                let mut tree = directory.tree();
                for name in ["a", "b"] {
                    let id = tree.add(Body::File(Content::default()));
                    let place = tree.place(name).unwrap();
                    tree.set(place, id);
                    let to = tree.place("d/c").unwrap();
                    tree.rename(place, to);
                }
                let disk = tree.disk.as_mut().unwrap();
                assert_eq!(disk.journal.len(), 4);
                assert_eq!(disk.items.len(), 4, "the directory, a folder, and two files of which either may be there");
                disk.flush_folder(ROOT);
                assert_eq!((disk.journal.len(), disk.items.len()), (0, 3));
                drop(tree);
                directory.remove("d");
            }
            assert_eq!(directory.tree().disk.as_ref().unwrap().items.len(), 1);
        }
    }
}
