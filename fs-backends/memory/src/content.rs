//! The bytes of a file, without those never written.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Pieces by their offset, which do not overlap; between them the file reads as zeros.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Content {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write(0, bytes, u64::MAX);
        content
    }

    /// The end of the last piece.
    pub(crate) fn length(&self) -> u64 {
        self.pieces.last_key_value().map_or(0, |(offset, piece)| offset + piece.len() as u64)
    }

    /// How many bytes are kept.
    pub(crate) fn allocated(&self) -> u64 {
        self.pieces.values().map(|piece| piece.len() as u64).sum()
    }

    /// All bytes, with the zeros in between.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.length()).expect("the file fits into memory")];
        for (&offset, piece) in &self.pieces {
            let start = usize::try_from(offset).expect("not after the end");
            bytes[start..start + piece.len()].copy_from_slice(piece);
        }
        bytes
    }

    /// Writes as much of `bytes` as needs no more than `room` new bytes; returns how many were written and how many of
    /// them are new. `offset` and length together do not overflow.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8], room: u64) -> (usize, u64) {
        let mut written = 0;
        let mut new = 0;
        while written < bytes.len() && (new < room || self.is_kept(offset + written as u64)) {
            let rest = &bytes[written..];
            let at = offset + written as u64;
            written += match self.kept_at(at) {
                Some(kept) => {
                    let count = kept.len().min(rest.len());
                    kept[..count].copy_from_slice(&rest[..count]);
                    count
                }
                None => {
                    let gap = self.next_piece(at).map_or(u64::MAX, |next| next - at);
                    let count = (rest.len() as u64).min(gap).min(room - new);
                    new += count;
                    // It is not more than the length of `rest`.
                    let count = usize::try_from(count).unwrap_or(rest.len());
                    self.append(at, &rest[..count]);
                    count
                }
            };
        }
        (written, new)
    }

    fn is_kept(&mut self, at: u64) -> bool {
        self.kept_at(at).is_some()
    }

    /// What is kept from `at` to the end of its piece.
    fn kept_at(&mut self, at: u64) -> Option<&mut [u8]> {
        let (&start, piece) = self.pieces.range_mut(..=at).next_back()?;
        let skip = usize::try_from(at - start).ok()?;
        piece.get_mut(skip..).filter(|kept| !kept.is_empty())
    }

    fn next_piece(&self, at: u64) -> Option<u64> {
        self.pieces.range((Bound::Excluded(at), Bound::Unbounded)).next().map(|(&start, _)| start)
    }

    fn append(&mut self, at: u64, bytes: &[u8]) {
        match self.pieces.range_mut(..at).next_back() {
            Some((&start, piece)) if start + piece.len() as u64 == at => piece.extend_from_slice(bytes),
            _ => {
                self.pieces.insert(at, bytes.to_vec());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sequences of three writes within a few bytes, against a plain vector.
    #[test]
    fn it_reads_as_a_plain_vector_does_and_counts_what_it_keeps() {
        let spans: Vec<(usize, usize)> = (0..7).flat_map(|start| (1..4).map(move |length| (start, length))).collect();
        let mut cases = 0;
        for first in &spans {
            for second in &spans {
                for third in &spans {
                    let mut content = Content::default();
                    let mut plain: Vec<Option<u8>> = Vec::new();
                    for (fill, &(start, length)) in (1..).zip([first, second, third]) {
                        let before = plain.iter().flatten().count();
                        plain.resize(plain.len().max(start + length), None);
                        plain[start..start + length].fill(Some(fill));
                        let new = (plain.iter().flatten().count() - before) as u64;
                        assert_eq!(content.write(start as u64, &vec![fill; length], u64::MAX), (length, new));
                    }
                    let expected: Vec<u8> = plain.iter().map(|byte| byte.unwrap_or(0)).collect();
                    assert_eq!(content.to_vec(), expected);
                    assert_eq!(content.length(), expected.len() as u64);
                    assert_eq!(content.allocated(), plain.iter().flatten().count() as u64);
                    cases += 1;
                }
            }
        }
        assert_eq!(cases, 21 * 21 * 21);
    }

    #[test]
    fn a_write_stops_where_the_room_ends_but_overwrites_what_is_kept() {
        let mut content = Content::new(b"abc");
        assert_eq!(content.write(1, b"XYZW", 1), (3, 1));
        assert_eq!(content.to_vec(), b"aXYZ");
        assert_eq!(content.write(0, b"wxyz!", 0), (4, 0));
        assert_eq!(content.to_vec(), b"wxyz");
        assert_eq!(content.write(4, b"!", 0), (0, 0));
    }

    #[test]
    fn a_far_offset_costs_nothing() {
        let mut content = Content::new(b"abc");
        assert_eq!(content.write(1 << 60, b"x", u64::MAX), (1, 1));
        assert_eq!((content.length(), content.allocated()), ((1 << 60) + 1, 4));
    }
}
