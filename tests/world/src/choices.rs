//! Decisions out of bytes: from a seed, or from a fuzzer.

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

/// `length` bytes that follow from the seed: SplitMix64.
pub fn seeded_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
