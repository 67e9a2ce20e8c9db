//! What a reply carries: bytes in memory, or a pattern that is computed where it is needed.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

/// The bytes of a resource. Cloning is cheap.
#[derive(Clone)]
pub struct Body(Source);

#[derive(Clone)]
enum Source {
    Bytes(Arc<[u8]>),
    Pattern { seed: u64, length: u64 },
}

impl Body {
    /// A body of these bytes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(Source::Bytes(bytes.into()))
    }

    /// A body of `length` bytes that follow from `seed`, computed as they are sent and held nowhere.
    ///
    /// Different seeds give unrelated bytes, and every place of a body has its own, so that a wrong version, a wrong
    /// offset and a splice of two versions all show.
    #[must_use]
    pub fn pattern(seed: u64, length: u64) -> Self {
        Self(Source::Pattern { seed, length })
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::Pattern { length, .. } => *length,
        }
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` from `offset` on, and says how many bytes there were: fewer than asked only at the end.
    #[must_use]
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> usize {
        let left = self.len().saturating_sub(offset);
        let count = usize::try_from(left).map_or(into.len(), |left| left.min(into.len()));
        let into = &mut into[..count];
        match &self.0 {
            Source::Bytes(bytes) => {
                // `offset` lies within the slice as soon as there is a byte to copy.
                if let Some(from) = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)) {
                    into.copy_from_slice(&from[..count]);
                }
            }
            Source::Pattern { seed, .. } => fill_pattern(*seed, offset, into),
        }
        count
    }

    /// Reads the whole body, or what is left of it after a seek by `offset`, in pieces.
    ///
    /// ```
    /// # use dlmanager_origin::Body;
    /// let body = Body::pattern(7, 1 << 20);
    /// assert_eq!(std::io::copy(&mut body.reader(1000), &mut std::io::sink())?, (1 << 20) - 1000);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn reader(&self, offset: u64) -> BodyReader {
        BodyReader { body: self.clone(), offset }
    }

    /// All bytes at once.
    ///
    /// # Panics
    ///
    /// Where the address space cannot hold them.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let length = usize::try_from(self.len()).expect("a body that fits into memory");
        let mut bytes = vec![0; length];
        let count = self.read_at(0, &mut bytes);
        debug_assert_eq!(count, length);
        bytes
    }

    /// Compares all that `actual` yields with this body: the offset of the first byte that differs, is missing or is
    /// one too many, or `None` where they are the same.
    ///
    /// # Errors
    ///
    /// What reading `actual` answers.
    pub fn compare(&self, mut actual: impl Read) -> io::Result<Option<u64>> {
        let mut expected = vec![0; PIECE];
        let mut found = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let count = match actual.read(&mut found) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if count == 0 {
                return Ok((offset < self.len()).then_some(offset));
            }
            let known = self.read_at(offset, &mut expected[..count]);
            if expected[..known] != found[..known] {
                let same = expected.iter().zip(&found).take_while(|(expected, found)| expected == found).count();
                return Ok(Some(offset + same as u64));
            }
            offset += known as u64;
            if known < count {
                return Ok(Some(offset));
            }
        }
    }
}

const PIECE: usize = 64 * 1024;

/// Prints a small body's text, and of any other its shape.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Bytes(bytes) if bytes.len() <= 64 => write!(f, "Body({})", bytes.escape_ascii()),
            Source::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Source::Pattern { seed, length } => write!(f, "Body(pattern {seed}, {length} bytes)"),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::bytes(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for Body {
    fn from(bytes: &[u8; N]) -> Self {
        Self::bytes(bytes.as_slice())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::bytes(text.as_bytes())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::bytes(text.into_bytes())
    }
}

/// Reads a [`Body`] from an offset to its end, without ever holding it: feed it to a hasher, or compare with it.
#[derive(Clone, Debug)]
pub struct BodyReader {
    body: Body,
    offset: u64,
}

impl Read for BodyReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read_at(self.offset, into);
        self.offset += count as u64;
        Ok(count)
    }
}

/// Word `i` of a pattern is the `i`-th output of a SplitMix64 generator, which can be computed by itself.
fn fill_pattern(seed: u64, offset: u64, into: &mut [u8]) {
    let skip = (offset % 8) as usize;
    let first = (8 - skip).min(into.len());
    let (start, rest) = into.split_at_mut(first);
    let mut word = offset / 8;
    start.copy_from_slice(&pattern_word(seed, word)[skip..skip + first]);
    for piece in rest.chunks_mut(8) {
        word += 1;
        piece.copy_from_slice(&pattern_word(seed, word)[..piece.len()]);
    }
}

fn pattern_word(seed: u64, word: u64) -> [u8; 8] {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    // The seed is mixed first: else the pattern of one seed would be that of another, moved by some words.
    let mut z = mix(seed).wrapping_add(word.wrapping_add(1).wrapping_mul(GOLDEN));
    z = mix(z);
    z.to_le_bytes()
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_read_in_pieces_of_any_size_is_the_same() {
        let body = Body::pattern(3, 1000);
        let whole = body.to_vec();
        for size in [1, 3, 7, 8, 9, 64, 1000, 5000] {
            let mut pieces = Vec::new();
            let mut piece = vec![0; size];
            loop {
                let count = body.read_at(pieces.len() as u64, &mut piece);
                if count == 0 {
                    break;
                }
                pieces.extend_from_slice(&piece[..count]);
            }
            assert_eq!(pieces, whole, "in pieces of {size}");
        }
    }

    #[test]
    fn no_two_places_and_no_two_seeds_share_their_bytes() {
        let bytes = Body::pattern(0, 80_000).to_vec();
        let mut words: Vec<_> = bytes.chunks(8).collect();
        let other = Body::pattern(1, 80_000).to_vec();
        words.extend(other.chunks(8));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 20_000);
    }

    #[test]
    fn compare_names_the_first_difference() {
        let body = Body::pattern(9, 200_000);
        let mut bytes = body.to_vec();
        assert_eq!(body.compare(&bytes[..]).unwrap(), None);
        assert_eq!(body.compare(&bytes[..150_000]).unwrap(), Some(150_000));
        bytes.push(0);
        assert_eq!(body.compare(&bytes[..]).unwrap(), Some(200_000));
        bytes[170_001] ^= 1;
        assert_eq!(body.compare(&bytes[..]).unwrap(), Some(170_001));
        assert_eq!(Body::from("").compare(&b""[..]).unwrap(), None);
    }

    #[test]
    fn a_gibibyte_is_there_without_being_held() {
        let body = Body::pattern(1, 1 << 30);
        let mut end = [0; 16];
        assert_eq!(body.read_at((1 << 30) - 5, &mut end), 5);
        assert_eq!(body.read_at(1 << 30, &mut end), 0);
        assert_eq!(body.read_at(u64::MAX, &mut end), 0);
    }
}
