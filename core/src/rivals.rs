//! The downloads of one name, in the order of their admission.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::arena::Key;

/// At least one; nearly always one, which takes no allocation.
#[derive(Debug)]
pub(crate) struct Rivals {
    first: Key,
    /// There is nearly never any, and then it takes one word.
    #[expect(clippy::box_collection)]
    behind: Option<Box<VecDeque<Key>>>,
}

impl Rivals {
    pub(crate) const fn of(first: Key) -> Self {
        Self { first, behind: None }
    }

    pub(crate) fn push(&mut self, key: Key) {
        self.behind.get_or_insert_default().push_back(key);
    }

    /// The only one that is under way.
    pub(crate) const fn first(&self) -> Key {
        self.first
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Key> {
        core::iter::once(self.first).chain(self.behind.iter().flat_map(|behind| behind.iter().copied()))
    }

    pub(crate) fn len(&self) -> usize {
        1 + self.behind.as_ref().map_or(0, |behind| behind.len())
    }

    /// Removes one. Returns whether others are left.
    pub(crate) fn remove(&mut self, key: Key) -> bool {
        if key != self.first {
            if let Some(behind) = &mut self.behind {
                behind.retain(|rival| *rival != key);
            }
            return true;
        }
        match self.behind.as_mut().and_then(|behind| behind.pop_front()) {
            Some(next) => {
                self.first = next;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn they_keep_their_order_and_the_first_is_followed_by_the_next() {
        let key = |serial| Key { serial, slot: 0 };
        let mut rivals = Rivals::of(key(1));
        (2..=4).for_each(|serial| rivals.push(key(serial)));
        assert!(rivals.remove(key(3)));
        assert_eq!(rivals.iter().map(|key| key.serial).collect::<Vec<_>>(), [1, 2, 4]);
        assert!(rivals.remove(key(1)));
        assert_eq!((rivals.first(), rivals.len()), (key(2), 2));
        assert!(rivals.remove(key(2)) && !rivals.remove(key(4)));
    }
}
