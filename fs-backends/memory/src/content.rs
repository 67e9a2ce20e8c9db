//! The bytes of a file, without those never written.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Pieces by their offset, which do not overlap; between and behind them the file reads as zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pieces: BTreeMap<u64, Vec<u8>>,
    length: u64,
}

impl Content {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write(0, bytes, u64::MAX);
        content
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Cuts it, or lets it end in zeros; returns how many bytes are kept no more.
    pub(crate) fn set_length(&mut self, length: u64) -> u64 {
        let mut freed: u64 = self.pieces.split_off(&length).into_values().map(|piece| piece.len() as u64).sum();
        if let Some((&start, piece)) = self.pieces.range_mut(..length).next_back() {
            // What reaches beyond is in memory, so that its length is a usize.
            let kept = usize::try_from(length - start).unwrap_or(usize::MAX).min(piece.len());
            freed += (piece.len() - kept) as u64;
            piece.truncate(kept);
        }
        self.length = length;
        freed
    }

    /// At most that many bytes from `offset` on, fewer where the file ends before.
    pub(crate) fn read(&self, offset: u64, bytes_max: usize) -> Vec<u8> {
        let count = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes_max);
        let mut bytes = vec![0; count];
        let end = offset + count as u64;
        let before = self.pieces.range(..offset).next_back();
        for (&start, piece) in before.into_iter().chain(self.pieces.range(offset..end)) {
            // Where piece and bytes begin, each counted from its own start; both lie in memory.
            let skipped = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX).min(piece.len());
            let at = usize::try_from(start.saturating_sub(offset)).unwrap_or(usize::MAX);
            let length = (piece.len() - skipped).min(count - at);
            bytes[at..at + length].copy_from_slice(&piece[skipped..skipped + length]);
        }
        bytes
    }

    /// How many bytes are kept.
    pub(crate) fn allocated(&self) -> u64 {
        self.pieces.values().map(|piece| piece.len() as u64).sum()
    }

    /// The blocks that hold bytes from `offset` on.
    pub(crate) fn blocks_from(&self, offset: u64, block_bytes: u64) -> Vec<u64> {
        let before = self.pieces.range(..offset).next_back();
        let mut blocks = Vec::new();
        for (&start, piece) in before.into_iter().chain(self.pieces.range(offset..)) {
            let (start, end) = (start.max(offset), start + piece.len() as u64);
            if start < end {
                blocks.extend(start / block_bytes..=(end - 1) / block_bytes);
            }
        }
        blocks.dedup();
        blocks
    }

    /// All bytes, with the zeros in between.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.read(0, usize::try_from(self.length).expect("the file fits into memory"))
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
        if written > 0 {
            self.length = self.length.max(offset + written as u64);
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

    /// Three writes with gaps, cut and lengthened at each byte, read at each span.
    #[test]
    fn what_is_cut_is_gone_and_what_is_read_is_a_part_of_the_whole() {
        let mut content = Content::default();
        for (offset, bytes) in [(1, &b"ab"[..]), (5, b"cde"), (9, b"f")] {
            content.write(offset, bytes, u64::MAX);
        }
        let plain = b"\0ab\0\0cde\0f";
        assert_eq!(content.to_vec(), plain);
        for length in 0..=12_u64 {
            let mut cut = content.clone();
            let freed = cut.set_length(length);
            assert_eq!(freed, content.allocated() - cut.allocated());
            let mut expected = plain.to_vec();
            expected.resize(usize::try_from(length).unwrap(), 0);
            assert_eq!((cut.to_vec(), cut.length()), (expected.clone(), length));
            for start in 0..=13_usize {
                for count in 0..=13_usize {
                    let part: Vec<u8> = expected.iter().skip(start).take(count).copied().collect();
                    assert_eq!(cut.read(start as u64, count), part, "{count} from {start} of {length}");
                }
            }
            let mut regrown = cut.clone();
            regrown.set_length(12);
            expected.resize(12, 0);
            assert_eq!(regrown.to_vec(), expected, "what was cut at {length} does not come back");
        }
    }

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
