//! The order in which files go, mended only as far as it is looked at.
//!
//! A heap of places, the one that goes first on top, by rank and then by name. A file that is accessed later than where it
//! stands keeps its place until that comes to the top, and is moved to where it belongs then. One that is forgotten, held, or
//! put further ahead leaves its old place behind, which is dropped when it comes to the top.
//!
//! *The top is always in its place*: whoever changes the order mends it before he returns. So what goes first is known at any
//! time, and what goes next once that is taken away. Each change leaves at most one place to be mended, and to mend one takes
//! O(log n): that is what a change costs in the end, though a touch of a file only writes down when it was. Left-overs are
//! never many more than the files: before that all are dropped at once, which each of them has paid for.

use alloc::vec::Vec;

use super::files::{Entry, Files};
use crate::Stamp;

/// How many children a place has: those of one lie together in memory, and the heap is half as deep as with two.
const CHILDREN: usize = 4;
/// So many left-overs are left in any case.
const LEFT_OVERS_MIN: usize = 64;

/// A file's place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) rank: Stamp,
    pub(super) slot: u32,
    /// It counts if the entry says the same.
    version: u16,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    heap: Vec<Place>,
    /// How many of them are left over.
    left_over: usize,
}

impl Order {
    /// How many files stand in it.
    pub(super) const fn len(&self) -> usize {
        self.heap.len() - self.left_over
    }

    /// The place of what goes first.
    pub(super) fn first(&self) -> Option<Place> {
        self.heap.first().copied()
    }

    /// Puts a file into the order that does not stand there.
    pub(super) fn insert(&mut self, slot: u32, rank: Stamp, files: &mut Files) {
        if files.get(slot).is_some_and(|entry| entry.places == u16::MAX) {
            self.drop_left_overs(files);
        }
        let Some(entry) = files.get_mut(slot) else { return };
        entry.queued = rank;
        entry.places += 1;
        let version = entry.version;
        self.push(Place { rank, slot, version }, files);
    }

    /// Takes a file out of the order that stands there: its place is left over.
    pub(super) fn remove(&mut self, slot: u32, files: &mut Files) {
        let begins_anew = files.get(slot).is_some_and(|entry| entry.version == u16::MAX);
        // None of before may be left then: neither those that are left over, nor the one that will be.
        if begins_anew {
            self.drop_left_overs(files);
        }
        let Some(entry) = files.get_mut(slot) else { return };
        entry.version = entry.version.wrapping_add(1);
        self.left_over += 1;
        if begins_anew {
            self.drop_left_overs(files);
        }
    }

    /// A file that stands in the order has another rank now.
    pub(super) fn change(&mut self, slot: u32, rank: Stamp, files: &mut Files) {
        if files.get(slot).is_some_and(|entry| rank < entry.queued) {
            self.remove(slot, files);
            self.insert(slot, rank, files);
        }
    }

    /// Mends the top.
    pub(super) fn mend(&mut self, files: &mut Files, rank_of: impl Fn(u32, &Entry) -> Stamp) {
        if self.left_over > LEFT_OVERS_MIN + self.len() {
            self.drop_left_overs(files);
        }
        while let Some(top) = self.first() {
            let Some(rank) = entry_of(&top, files).map(|entry| rank_of(top.slot, entry)) else {
                self.pop(files);
                self.left_over -= 1;
                files.lose_place(top.slot);
                continue;
            };
            if rank == top.rank {
                return;
            }
            if let (Some(place), Some(entry)) = (self.heap.first_mut(), files.get_mut(top.slot)) {
                (place.rank, entry.queued) = (rank, rank);
            }
            self.sift_down(0, files);
        }
    }

    fn drop_left_overs(&mut self, files: &mut Files) {
        self.heap.retain(|place| {
            let counts = entry_of(place, files).is_some();
            if !counts {
                files.lose_place(place.slot);
            }
            counts
        });
        self.left_over = 0;
        for at in (0..self.heap.len().div_ceil(CHILDREN)).rev() {
            self.sift_down(at, files);
        }
    }

    /// Takes the top away, for a moment.
    pub(super) fn pop(&mut self, files: &Files) -> Option<Place> {
        let last = self.heap.pop()?;
        let Some(top) = self.heap.first_mut() else { return Some(last) };
        let popped = core::mem::replace(top, last);
        self.sift_down(0, files);
        Some(popped)
    }

    /// Puts back what was taken away.
    pub(super) fn push(&mut self, place: Place, files: &Files) {
        let mut at = self.heap.len();
        self.heap.push(place);
        while at > 0 {
            let parent = (at - 1) / CHILDREN;
            if !self.goes_before(at, parent, files) {
                return;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self, mut at: usize, files: &Files) {
        loop {
            let first = at * CHILDREN + 1;
            let mut least = at;
            for child in first..(first + CHILDREN).min(self.heap.len()) {
                if self.goes_before(child, least, files) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    fn goes_before(&self, at: usize, other: usize, files: &Files) -> bool {
        let (Some(place), Some(other)) = (self.heap.get(at), self.heap.get(other)) else { return false };
        place.rank < other.rank || (place.rank == other.rank && files.path(place.slot) < files.path(other.slot))
    }

    pub(super) fn check_invariants(&self, files: &Files, rank_of: impl Fn(u32, &Entry) -> Stamp) {
        let left_over = self.heap.iter().filter(|place| entry_of(place, files).is_none()).count();
        assert_eq!(left_over, self.left_over, "left-overs are counted");
        assert!(self.left_over <= LEFT_OVERS_MIN + self.len(), "left-overs are few");
        for (at, place) in self.heap.iter().enumerate() {
            assert!(at == 0 || !self.goes_before(at, (at - 1) / CHILDREN, files), "what goes first stands above");
            if let Some(entry) = entry_of(place, files) {
                let rank = rank_of(place.slot, entry);
                assert!(entry.queued == place.rank && place.rank <= rank, "no place is behind its file");
                assert!(at > 0 || place.rank == rank, "the top is in its place");
            } else {
                assert!(at > 0, "the top counts");
            }
        }
        let places = |slot| self.heap.iter().filter(|place| place.slot == slot).count();
        for (slot, entry) in files.iter() {
            assert_eq!(usize::from(entry.places), places(slot), "the places of {} are counted", entry.path);
        }
    }
}

fn entry_of<'a>(place: &Place, files: &'a Files) -> Option<&'a Entry> {
    files.get(place.slot).filter(|entry| entry.version == place.version)
}

#[cfg(test)]
mod tests {
    use super::super::files::Tag;
    use super::*;
    use crate::{FileName, StorePath};

    #[test]
    fn where_versions_begin_anew_no_place_of_before_is_left() {
        let (mut order, mut files) = (Order::default(), Files::default());
        let add = |order: &mut Order, files: &mut Files, name: &str, rank: i64| {
            let path = StorePath::from(&FileName::new(name).unwrap());
            let rank = Stamp::from_nanos(rank);
            let slot = files.insert(Tag::of(&path), Entry::new(path, 1, rank, rank));
            order.insert(slot, rank, files);
            slot
        };
        for (rank, name) in (0..).zip(["a", "b", "c", "d"]) {
            add(&mut order, &mut files, name, rank);
        }
        // It lies deep, and stays there when it is left over.
        let slot = add(&mut order, &mut files, "e", 10);
        for turn in 1..=2 * (u32::from(u16::MAX) + 1) {
            order.remove(slot, &mut files);
            order.mend(&mut files, |_, entry| entry.queued);
            // The last of a round lies deep as well, all others on top.
            let rank = if turn % (u32::from(u16::MAX) + 1) == u32::from(u16::MAX) { 20 } else { -1 };
            order.insert(slot, Stamp::from_nanos(rank), &mut files);
            if turn % 16_384 > 16_380 || turn % 16_384 < 3 {
                order.check_invariants(&files, |_, entry| entry.queued);
            }
        }
    }
}
