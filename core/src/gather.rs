//! Bytes between the socket and the disk: gathered until a write is worth it, counted until it is done.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{ActionId, Chunk, Instant};

/// This many pieces are written however few bytes they have: each takes its own entry of a vectored write.
const PIECES_MAX: usize = 256;
/// No piece counts for more: what a transport says is added up, and taken off again.
const PINNED_MAX: usize = usize::MAX / 65_536;
/// Emptied vectors kept for further writes.
const SPARE_MAX: usize = 2;

/// The bytes that a download holds in memory.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pieces: Vec<Bytes>,
    /// The length of `pieces`, and the memory that they keep alive.
    length: usize,
    pinned: usize,
    /// When the first of `pieces` came.
    since: Option<Instant>,
    /// Where `pieces` belong in the file.
    offset: u64,
    writes: Vec<Writing>,
    writes_pinned: usize,
    /// Where a write failed: from there on nothing is known to be written.
    failed_at: Option<u64>,
    spare: Vec<Vec<Bytes>>,
}

/// A write under way.
#[derive(Debug)]
struct Writing {
    action: ActionId,
    offset: u64,
    /// The memory that it keeps alive.
    pinned: usize,
}

/// What a write is made of.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) offset: u64,
    pub(crate) data: Vec<Bytes>,
    pinned: usize,
}

impl Gather {
    /// A gather for bytes from this offset on.
    pub(crate) fn from(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// Up to where the file is known to be written.
    pub(crate) fn written_to(&self) -> u64 {
        let unanswered = self.writes.iter().map(|writing| writing.offset);
        unanswered.chain(self.failed_at).min().unwrap_or(self.offset)
    }

    /// Up to where the file will be written, where not all of that is done.
    pub(crate) fn coming_to(&self) -> Option<u64> {
        let is_coming = !self.is_empty() || !self.writes.is_empty();
        is_coming.then(|| self.offset.saturating_add(self.length as u64))
    }

    pub(crate) fn push(&mut self, now: Instant, chunk: Chunk) {
        if chunk.data.is_empty() {
            return;
        }
        self.since.get_or_insert(now);
        self.length += chunk.data.len();
        self.pinned = self.pinned.saturating_add(chunk.pinned.max(chunk.data.len()).min(PINNED_MAX));
        self.pieces.push(chunk.data);
    }

    /// The memory held, in bytes: gathered, and in writes that are not done.
    pub(crate) const fn held(&self) -> usize {
        self.pinned.saturating_add(self.writes_pinned)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether a write is worth it.
    pub(crate) fn is_full(&self, gather_bytes: usize) -> bool {
        self.length > 0 && (self.length >= gather_bytes || self.pieces.len() >= PIECES_MAX)
    }

    /// When the first of the gathered bytes came.
    pub(crate) const fn since(&self) -> Option<Instant> {
        self.since
    }

    pub(crate) fn take(&mut self) -> Batch {
        let empty = self.spare.pop().unwrap_or_default();
        let data = core::mem::replace(&mut self.pieces, empty);
        let batch = Batch { offset: self.offset, data, pinned: self.pinned };
        self.offset = self.offset.saturating_add(self.length as u64);
        self.length = 0;
        self.pinned = 0;
        self.since = None;
        batch
    }

    /// Notes that a batch was handed out to be written.
    pub(crate) fn writing(&mut self, action: ActionId, offset: u64, pinned: usize) {
        self.writes.push(Writing { action, offset, pinned });
        self.writes_pinned = self.writes_pinned.saturating_add(pinned);
    }

    /// Notes that a write was answered; its emptied vector comes back where it worked.
    pub(crate) fn written(&mut self, action: ActionId, emptied: Option<Vec<Bytes>>) {
        if let Some(at) = self.writes.iter().position(|writing| writing.action == action) {
            let writing = self.writes.swap_remove(at);
            self.writes_pinned -= writing.pinned;
            if emptied.is_none() {
                self.failed_at = self.failed_at.into_iter().chain([writing.offset]).min();
            }
        }
        if let Some(mut emptied) = emptied
            && self.spare.len() < SPARE_MAX
        {
            emptied.clear();
            self.spare.push(emptied);
        }
    }

    pub(crate) fn is_writing(&self) -> bool {
        !self.writes.is_empty()
    }
}

impl Batch {
    pub(crate) const fn pinned(&self) -> usize {
        self.pinned
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.data.iter().map(|piece| piece.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whatever_a_transport_says_of_pinned_memory_all_of_it_is_given_back() {
        let action = |serial| ActionId { serial, slot: 0 };
        for pinned in [0, 1 << 20, usize::MAX - 1, usize::MAX] {
            let mut gather = Gather::default();
            for serial in 1..=300 {
                let data = Bytes::from_static(b"ab");
                // The first is held as it should be.
                let pinned = if serial == 1 { 40_000 } else { pinned };
                gather.push(Instant::ZERO, Chunk { data, pinned, last: false });
                let batch = gather.take();
                gather.writing(action(serial), batch.offset, batch.pinned());
            }
            assert!(gather.held() >= 40_000);
            for serial in 1..=300 {
                gather.written(action(serial), Some(Vec::new()));
            }
            assert_eq!((gather.held(), gather.written_to()), (0, 600), "{pinned}");
        }
    }

    #[test]
    fn what_is_written_ends_where_a_write_is_unanswered_or_failed() {
        let action = |serial| ActionId { serial, slot: 0 };
        let mut gather = Gather::from(100);
        for serial in 1..=3 {
            gather.push(Instant::ZERO, Chunk { data: Bytes::from_static(b"ab"), pinned: 2, last: false });
            let batch = gather.take();
            gather.writing(action(serial), batch.offset, batch.pinned());
        }
        assert_eq!((gather.written_to(), gather.coming_to()), (100, Some(106)));
        gather.written(action(3), Some(Vec::new()));
        assert_eq!(gather.written_to(), 100, "the answers may come in any order");
        gather.written(action(1), Some(Vec::new()));
        assert_eq!(gather.written_to(), 102);
        gather.written(action(2), None);
        assert_eq!((gather.written_to(), gather.coming_to()), (102, None));
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// So many bytes come, and keep so much memory alive.
        Push(usize, usize),
        /// What is gathered is handed out to be written.
        Take,
        /// The write at this place of those under way, counted round and round, is answered; whether it worked.
        Written(usize, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..40_usize, 0..100_usize).prop_map(|(length, pinned)| Step::Push(length, pinned)),
            3 => Just(Step::Take),
            3 => (any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(at, worked)| Step::Written(at, worked)),
        ]
    }

    /// What is under way: where it is written, its vector, the memory that it keeps alive.
    type UnderWay = (ActionId, u64, Vec<Bytes>, usize);

    proptest! {
        /// The model is a file whose bytes are marked one by one as they are written.
        #[test]
        fn each_byte_is_written_where_it_belongs_and_counted_until_then(
            steps in prop::collection::vec(step(), 0..80),
            begin in prop_oneof![Just(0), 0..1_000u64],
            gather_bytes in 1..200_usize,
        ) {
            let mut gather = Gather::from(begin);
            let mut came: Vec<u8> = Vec::new();
            // What is written of it, the memory of the pieces that wait and when they came, and what is under way.
            let mut written: Vec<bool> = Vec::new();
            let mut pending: Vec<(usize, Instant)> = Vec::new();
            let (mut pending_bytes, mut failed) = (0, false);
            let mut under_way: Vec<UnderWay> = Vec::new();
            let mut spare = 0;
            for (serial, step) in (1..).zip(steps) {
                let now = Instant::from_nanos(serial);
                match step {
                    Step::Push(length, pinned) => {
                        let data: Vec<u8> = (came.len()..came.len() + length).map(|at| (at % 251) as u8).collect();
                        came.extend_from_slice(&data);
                        written.resize(came.len(), false);
                        gather.push(now, Chunk { data: data.into(), pinned, last: false });
                        if length > 0 {
                            pending.push((pinned.max(length), now));
                            pending_bytes += length;
                        }
                    }
                    Step::Take => {
                        let batch = gather.take();
                        let pinned: usize = pending.drain(..).map(|(pinned, _)| pinned).sum();
                        prop_assert_eq!((batch.pinned(), batch.length()), (pinned, pending_bytes as u64));
                        let start = came.len() - pending_bytes;
                        prop_assert_eq!(batch.offset, begin + start as u64);
                        prop_assert_eq!(batch.data.concat(), &came[start..], "in order, and nothing from before");
                        pending_bytes = 0;
                        spare -= usize::from(spare > 0);
                        if batch.length() > 0 {
                            let action = ActionId { serial, slot: 0 };
                            gather.writing(action, batch.offset, batch.pinned());
                            under_way.push((action, batch.offset, batch.data, pinned));
                        }
                    }
                    Step::Written(..) if under_way.is_empty() => {}
                    Step::Written(at, worked) => {
                        let (action, offset, data, _) = under_way.remove(at % under_way.len());
                        let start = usize::try_from(offset - begin).unwrap();
                        let length = data.concat().len();
                        written[start..start + length].fill(worked);
                        failed |= !worked;
                        gather.written(action, worked.then_some(data));
                        spare += usize::from(worked && spare < SPARE_MAX);
                        // Told twice, it is known no more.
                        gather.written(action, None);
                    }
                }
                let held: usize = pending.iter().map(|(pinned, _)| *pinned).sum::<usize>()
                    + under_way.iter().map(|(_, _, _, pinned)| *pinned).sum::<usize>();
                prop_assert_eq!(gather.held(), held);
                let whole = written.iter().take_while(|written| **written).count();
                prop_assert_eq!(gather.written_to(), begin + whole as u64);
                let is_coming = pending_bytes > 0 || !under_way.is_empty();
                prop_assert_eq!(gather.coming_to(), is_coming.then_some(begin + came.len() as u64));
                prop_assert_eq!(gather.is_writing(), !under_way.is_empty());
                prop_assert_eq!(gather.is_empty(), pending_bytes == 0);
                prop_assert_eq!(gather.since(), pending.first().map(|(_, since)| *since));
                prop_assert_eq!(gather.is_full(gather_bytes), pending_bytes >= gather_bytes);
                prop_assert!(failed || whole == came.len() || is_coming, "a byte is forgotten");
                prop_assert_eq!(gather.spare.len(), spare, "what was emptied is used again");
            }
        }
    }

    #[test]
    fn many_small_pieces_are_written_however_few_bytes_they_have() {
        let mut gather = Gather::default();
        assert!(!gather.is_full(0), "nothing is never written");
        for piece in 1..=PIECES_MAX {
            assert!(!gather.is_full(1 << 20), "{piece}");
            gather.push(Instant::ZERO, Chunk { data: Bytes::from_static(b"a"), pinned: 1, last: false });
        }
        assert!(gather.is_full(1 << 20));
    }

    #[test]
    fn a_piece_of_a_large_buffer_counts_for_all_of_it() {
        let mut gather = Gather::default();
        gather.push(Instant::ZERO, Chunk { data: Bytes::from_static(b"a"), pinned: 1 << 30, last: false });
        assert_eq!(gather.held(), 1 << 30);
    }
}
