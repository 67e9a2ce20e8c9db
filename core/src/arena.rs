//! Values under keys that are never reused, found in constant time.

use alloc::vec::Vec;

/// Where a value stands, and a serial number that no other value ever had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) serial: u64,
    pub(crate) slot: u32,
}

/// Slots stand in blocks, so that a growing arena neither moves them nor takes twice the room.
const BLOCK: usize = 64;

#[derive(Debug)]
pub(crate) struct Arena<T> {
    /// All but the last are full.
    blocks: Vec<Vec<Slot<T>>>,
    free: Vec<u32>,
    issued: u64,
}

/// A value with its serial number, or room for one.
type Slot<T> = Option<(u64, T)>;

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new(), issued: 0 }
    }
}

impl<T> Arena<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Inserts a value that knows its own key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        self.issued += 1;
        let serial = self.issued;
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slot_mut(slot)
        {
            let key = Key { serial, slot };
            *place = Some((serial, make(key)));
            return key;
        }
        let slot = u32::try_from(self.slots()).expect("fewer than 2^32 values live at once");
        let key = Key { serial, slot };
        let value = Some((serial, make(key)));
        match self.blocks.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(value),
            Some(_) | None => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(value);
                self.blocks.push(block);
            }
        }
        key
    }

    fn slot(&self, slot: u32) -> Option<&Slot<T>> {
        self.blocks.get(slot as usize / BLOCK)?.get(slot as usize % BLOCK)
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot<T>> {
        self.blocks.get_mut(slot as usize / BLOCK)?.get_mut(slot as usize % BLOCK)
    }

    /// How many there are, free ones included.
    fn slots(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.slot(key.slot) {
            Some(Some((serial, value))) if *serial == key.serial => Some(value),
            Some(_) | None => None,
        }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slot_mut(key.slot) {
            Some(Some((serial, value))) if *serial == key.serial => Some(value),
            Some(_) | None => None,
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let (_, value) = self.slot_mut(key.slot)?.take_if(|(serial, _)| *serial == key.serial)?;
        self.free.push(key.slot);
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots() - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In the order of their places, which says nothing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.blocks.iter().flatten().enumerate().filter_map(|(slot, place)| {
            let (serial, value) = place.as_ref()?;
            Some((Key { serial: *serial, slot: u32::try_from(slot).ok()? }, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_finds_its_value_until_it_is_removed_and_never_another() {
        let mut arena = Arena::default();
        let first = arena.insert("first");
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert("second");
        assert_eq!(second.slot, first.slot);
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(second), Some(&"second"));
        assert_eq!(arena.len(), 1);
    }

    #[test]
    fn values_stay_where_they_are_while_blocks_are_added() {
        let mut arena = Arena::default();
        let keys: Vec<Key> = (0..3 * BLOCK + 1).map(|value| arena.insert(value)).collect();
        assert!(
            keys.iter().enumerate().all(|(value, &key)| key.slot as usize == value && arena.get(key) == Some(&value))
        );
        assert!(arena.iter().map(|(key, &value)| (key, value)).eq(keys.iter().copied().zip(0..)));
        for (value, &key) in keys.iter().enumerate().filter(|(value, _)| value % 3 == 0) {
            assert_eq!(arena.remove(key), Some(value));
        }
        assert_eq!(arena.len(), arena.iter().count());
        let before = arena.slots();
        for value in 0..BLOCK {
            arena.insert(value);
        }
        assert_eq!((arena.slots(), arena.len()), (before, arena.iter().count()), "free slots are used first");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert,
        /// The key at this place of all that there ever were, counted round and round.
        Remove(usize),
        Change(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Insert),
            2 => any::<usize>().prop_map(Step::Remove),
            1 => any::<usize>().prop_map(Step::Change),
        ]
    }

    proptest! {
        /// Beside it stands a list of all keys that there ever were, and what each leads to.
        #[test]
        fn each_key_leads_to_its_own_value_or_to_nothing(steps in prop::collection::vec(step(), 0..80)) {
            let mut arena = Arena::default();
            let mut model: Vec<(Key, Option<u32>)> = Vec::new();
            for (value, step) in (0..).zip(steps) {
                match step {
                    Step::Insert => {
                        let mut told = None;
                        let key = arena.insert_with(|key| {
                            told = Some(key);
                            value
                        });
                        prop_assert_eq!(told, Some(key));
                        prop_assert!(model.iter().all(|(other, _)| other.serial < key.serial), "a key comes again");
                        model.push((key, Some(value)));
                    }
                    Step::Remove(_) | Step::Change(_) if model.is_empty() => {}
                    Step::Remove(at) => {
                        let at = at % model.len();
                        prop_assert_eq!(arena.remove(model[at].0), model[at].1.take());
                    }
                    Step::Change(at) => {
                        let at = at % model.len();
                        let found = arena.get_mut(model[at].0);
                        prop_assert_eq!(found.as_deref(), model[at].1.as_ref());
                        if let Some(found) = found {
                            *found = value;
                            model[at].1 = Some(value);
                        }
                    }
                }
                for (key, expected) in &model {
                    prop_assert_eq!(arena.get(*key), expected.as_ref());
                }
                let mut live: Vec<_> = model.iter().filter_map(|(key, value)| Some((*key, value.as_ref()?))).collect();
                let mut found: Vec<_> = arena.iter().collect();
                live.sort_unstable();
                found.sort_unstable();
                prop_assert_eq!((arena.len(), arena.is_empty()), (live.len(), live.is_empty()));
                // No room is taken for what is gone.
                prop_assert!(arena.slots() <= model.len());
                prop_assert_eq!(found, live);
            }
        }
    }
}
