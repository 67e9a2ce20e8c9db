//! Decisions out of bytes: from a seed, or from a fuzzer.

use crate::random::SplitMix64;

/// A list of decisions, read from its beginning; when it is used up, every further decision is 0.
#[derive(Debug, Clone)]
pub(crate) struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether nothing is left to decide.
    pub(crate) const fn is_used_up(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((&first, rest)) => {
                self.bytes = rest;
                first
            }
            None => 0,
        }
    }

    /// One of `count` possibilities; 0 where there are none.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        if count <= 1 { 0 } else { usize::from(self.byte()) % count }
    }

    pub(crate) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// True for `chances` of 256 decisions, and never once they are used up.
    pub(crate) fn happens(&mut self, chances: u16) -> bool {
        !self.is_used_up() && u16::from(self.byte()) < chances
    }
}

/// `length` bytes that follow from the seed.
pub fn seeded_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = SplitMix64::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next_u64().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
