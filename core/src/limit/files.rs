//! The files that count: their entries, found by name.

use alloc::vec::Vec;

use crate::{Stamp, StorePath};

/// What is known of a file: 56 bytes, so that one look into memory, or two, tells all of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: StorePath,
    pub(super) length: u64,
    pub(super) accessed: Stamp,
    pub(super) modified: Stamp,
    /// By what it stands in the order at the moment: never more than its rank.
    pub(super) queued: Stamp,
    /// Which of its places in the order counts.
    pub(super) version: u16,
    /// How many places it has in the order, left-overs included.
    pub(super) places: u16,
    /// It counts no longer, and is here for the sake of its left-overs, which are in the order by its name.
    is_gone: bool,
}

/// Entries in numbered slots, and a table with open addressing that finds them. The table holds 32 bits of a hash for each,
/// so that nearly no look-up follows a pointer in vain, and that it grows without a look at the names.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    slots: Vec<Slot>,
    /// The first free slot.
    free: Option<u32>,
    buckets: Vec<Bucket>,
    count: usize,
}

#[derive(Debug, Clone)]
enum Slot {
    Taken(Entry),
    /// What is free behind it.
    Free(Option<u32>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    tag: Tag,
    /// `EMPTY` where there is none.
    slot: u32,
}

/// The beginning of a name's hash: BLAKE3, so that nobody finds names that all share a bucket without some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(u32);

const EMPTY: u32 = u32::MAX;
const NO_BUCKET: Bucket = Bucket { tag: Tag(0), slot: EMPTY };
const BUCKETS_MIN: usize = 16;

impl Tag {
    #[allow(clippy::cast_possible_truncation, reason = "32 bits of it are enough")]
    pub(super) fn of(path: &StorePath) -> Self {
        Self((path.key() >> 96) as u32)
    }
}

impl Entry {
    /// An entry without a place in the order.
    pub(super) const fn new(path: StorePath, length: u64, accessed: Stamp, modified: Stamp) -> Self {
        Self { path, length, accessed, modified, queued: accessed, version: 0, places: 0, is_gone: false }
    }
}

impl Files {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The slot of a name.
    pub(super) fn find(&self, tag: Tag, path: &StorePath) -> Option<u32> {
        let mut at = self.home(tag)?;
        loop {
            let bucket = self.buckets.get(at)?;
            if bucket.slot == EMPTY {
                return None;
            }
            if bucket.tag == tag && self.get(bucket.slot).is_some_and(|entry| entry.path == *path) {
                return Some(bucket.slot);
            }
            at = self.behind(at);
        }
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.taken(slot).filter(|entry| !entry.is_gone)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.taken_mut(slot).filter(|entry| !entry.is_gone)
    }

    /// The name in a slot, also that of a file that counts no longer.
    pub(super) fn path(&self, slot: u32) -> Option<&StorePath> {
        self.taken(slot).map(|entry| &entry.path)
    }

    /// All of them, in the order of their slots, which follows from what was done alone.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.slots).filter_map(|(number, slot)| match slot {
            Slot::Taken(entry) if !entry.is_gone => Some((number, entry)),
            Slot::Taken(_) | Slot::Free(_) => None,
        })
    }

    /// Takes in a file whose name is not there.
    pub(super) fn insert(&mut self, tag: Tag, entry: Entry) -> u32 {
        // At most seven of eight are used, so that a search soon meets an empty one.
        if (self.count + 1) * 8 > self.buckets.len() * 7 {
            self.grow();
        }
        let slot = match self.free {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).unwrap_or(EMPTY);
                assert!(slot < EMPTY, "more files than can be numbered");
                self.slots.push(Slot::Free(None));
                slot
            }
        };
        if let Some(place) = self.slots.get_mut(slot as usize)
            && let Slot::Free(next) = *place
        {
            self.free = next;
            *place = Slot::Taken(entry);
        }
        self.count += 1;
        self.put(Bucket { tag, slot });
        slot
    }

    /// A file counts no longer. Its name stays as long as it has places in the order.
    pub(super) fn remove(&mut self, tag: Tag, slot: u32) {
        let Some(mut at) = self.home(tag) else { return };
        while let Some(bucket) = self.buckets.get(at).filter(|bucket| bucket.slot != EMPTY) {
            if bucket.slot == slot {
                self.empty(at);
                self.count -= 1;
                if let Some(entry) = self.taken_mut(slot) {
                    entry.is_gone = true;
                }
                return self.free_if_unused(slot);
            }
            at = self.behind(at);
        }
    }

    /// A left-over is no longer in the order.
    pub(super) fn lose_place(&mut self, slot: u32) {
        if let Some(entry) = self.taken_mut(slot) {
            entry.places -= 1;
        }
        self.free_if_unused(slot);
    }

    fn free_if_unused(&mut self, slot: u32) {
        if let Some(place) = self.slots.get_mut(slot as usize)
            && let Slot::Taken(Entry { is_gone: true, places: 0, .. }) = place
        {
            *place = Slot::Free(self.free);
            self.free = Some(slot);
        }
    }

    fn taken(&self, slot: u32) -> Option<&Entry> {
        match self.slots.get(slot as usize)? {
            Slot::Taken(entry) => Some(entry),
            Slot::Free(_) => None,
        }
    }

    fn taken_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        match self.slots.get_mut(slot as usize)? {
            Slot::Taken(entry) => Some(entry),
            Slot::Free(_) => None,
        }
    }

    // The table.

    /// Where the search for a name begins; `None` where there is no table yet.
    fn home(&self, tag: Tag) -> Option<usize> {
        Some(tag.0 as usize & self.buckets.len().checked_sub(1)?)
    }

    const fn behind(&self, at: usize) -> usize {
        (at + 1) & (self.buckets.len() - 1)
    }

    fn put(&mut self, bucket: Bucket) {
        let Some(mut at) = self.home(bucket.tag) else { return };
        while let Some(place) = self.buckets.get_mut(at) {
            if place.slot == EMPTY {
                *place = bucket;
                return;
            }
            at = self.behind(at);
        }
    }

    /// Empties a bucket, and moves up those behind it that would not be found any more.
    fn empty(&mut self, at: usize) {
        let mask = self.buckets.len() - 1;
        let (mut hole, mut next) = (at, self.behind(at));
        while let Some(bucket) = self.buckets.get(next).copied().filter(|bucket| bucket.slot != EMPTY) {
            // It may not be moved to before the bucket with which its search begins.
            let from_home = next.wrapping_sub(bucket.tag.0 as usize) & mask;
            if from_home >= next.wrapping_sub(hole) & mask {
                self.set(hole, bucket);
                hole = next;
            }
            next = self.behind(next);
        }
        self.set(hole, NO_BUCKET);
    }

    fn set(&mut self, at: usize, bucket: Bucket) {
        if let Some(place) = self.buckets.get_mut(at) {
            *place = bucket;
        }
    }

    fn grow(&mut self) {
        let length = (self.buckets.len() * 2).max(BUCKETS_MIN);
        let old = core::mem::replace(&mut self.buckets, alloc::vec![NO_BUCKET; length]);
        for bucket in old.into_iter().filter(|bucket| bucket.slot != EMPTY) {
            self.put(bucket);
        }
    }

    pub(super) fn check_invariants(&self) {
        assert_eq!(self.count, self.iter().count(), "each entry counts");
        for (slot, entry) in self.iter() {
            assert_eq!(self.find(Tag::of(&entry.path), &entry.path), Some(slot), "each entry is found");
        }
        let used = self.buckets.iter().filter(|bucket| bucket.slot != EMPTY).count();
        assert_eq!(used, self.count, "each bucket stands for an entry");
        let is_kept = |entry: &Entry| !entry.is_gone || entry.places > 0;
        let mut taken = (0..).map_while(|slot| self.slots.get(slot)).filter_map(|slot| match slot {
            Slot::Taken(entry) => Some(entry),
            Slot::Free(_) => None,
        });
        assert!(taken.all(is_kept), "what is gone is there for its left-overs alone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_whose_hashes_begin_alike_are_told_apart() {
        let [one, other] = ["f17637", "f39281"].map(|name| StorePath::from(&crate::FileName::new(name).unwrap()));
        let tag = Tag::of(&one);
        assert_eq!(tag, Tag::of(&other), "these are the first two that do");
        let (mut files, stamp) = (Files::default(), Stamp::default());
        let slot = files.insert(tag, Entry::new(one.clone(), 1, stamp, stamp));
        assert_eq!((files.find(tag, &one), files.find(tag, &other)), (Some(slot), None));
        let second = files.insert(tag, Entry::new(other.clone(), 2, stamp, stamp));
        assert_eq!((files.find(tag, &one), files.find(tag, &other)), (Some(slot), Some(second)));
    }
}
