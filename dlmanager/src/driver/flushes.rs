//! How long flushes take here, and so where those of small files run.
//!
//! A flush may take as long as the disk likes, so it belongs to a worker. Where the files are in memory, or on a disk that
//! answers from its own memory, it is as quick as a write, and the way to a worker and back costs more than it does: a
//! small file that is written and flushed in one go then stays on the loop's thread. Workers prove that first; a single
//! flush that kept the loop waiting sends them back, and the next proof has to be longer.

use std::time::Duration;

use dlmanager_core::{FileAction, FileId, FileOp};

/// A flush that takes no longer costs less than to hand it over.
const QUICK_MAX: Duration = Duration::from_micros(50);
/// The loop is not kept waiting for longer than this more than once.
const INLINE_MAX: Duration = Duration::from_millis(1);
/// So many quick flushes in a row are proof enough, at first ...
const PROOF_MIN: u32 = 16;
/// ... and at most.
const PROOF_MAX: u32 = 1 << 20;
/// A larger file is flushed by a worker whatever was proved: it takes the longer the more there is.
const SMALL_BYTES_MAX: usize = 256 * 1024;

/// What is known of the flushes of one directory.
#[derive(Debug)]
pub(super) struct Flushes {
    /// The quick ones in a row.
    quick: u32,
    /// So many of them are asked for.
    proof: u32,
}

impl Flushes {
    pub(super) const fn new() -> Self {
        Self { quick: 0, proof: PROOF_MIN }
    }

    /// A flush took so long on a worker.
    pub(super) fn took(&mut self, time: Duration) {
        self.quick = if time <= QUICK_MAX { self.quick.saturating_add(1) } else { 0 };
    }

    /// A flush took so long on the loop's thread.
    pub(super) fn took_inline(&mut self, time: Duration) {
        if time > INLINE_MAX {
            self.quick = 0;
            self.proof = self.proof.saturating_mul(2).min(PROOF_MAX);
        }
    }

    /// Which files of these actions are small and written whole, so that their flushes may run where their writes do.
    pub(super) fn inline(&self, actions: &[FileAction]) -> Vec<FileId> {
        if self.quick < self.proof {
            return Vec::new();
        }
        let whole = |action: &FileAction| match &action.op {
            FileOp::Write { file, offset: 0, data, .. } => {
                let length = data.iter().fold(0_usize, |sum, piece| sum.saturating_add(piece.len()));
                (length <= SMALL_BYTES_MAX).then_some(*file)
            }
            _ => None,
        };
        actions.iter().filter_map(whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use dlmanager_core::testing::{Tickets, file_id, lane};

    use super::*;

    fn write(file: u64, offset: u64, length: usize) -> FileAction {
        let (ticket, data) = (Tickets::new().ticket(), vec![vec![0; length].into()]);
        let op = FileOp::Write { ticket, file: file_id(file), offset, data };
        FileAction { lane: lane(file), epoch: 0, op }
    }

    fn is_inline(flushes: &Flushes) -> bool {
        !flushes.inline(&[write(1, 0, 1)]).is_empty()
    }

    #[test]
    fn quick_flushes_are_proved_and_one_that_keeps_the_loop_waiting_asks_for_a_longer_proof() {
        let mut flushes = Flushes::new();
        for proof in [16, 32, 64] {
            for _ in 1..proof {
                flushes.took(QUICK_MAX);
                assert!(!is_inline(&flushes));
            }
            flushes.took(QUICK_MAX * 2);
            (1..proof).for_each(|_| flushes.took(QUICK_MAX));
            assert!(!is_inline(&flushes), "not in a row");
            flushes.took(QUICK_MAX);
            assert!(is_inline(&flushes));
            flushes.took_inline(INLINE_MAX);
            assert!(is_inline(&flushes));
            flushes.took_inline(INLINE_MAX * 2);
            assert!(!is_inline(&flushes));
        }
    }

    #[test]
    fn only_small_files_that_are_written_whole_stay() {
        let mut flushes = Flushes::new();
        (0..PROOF_MIN).for_each(|_| flushes.took(Duration::ZERO));
        let actions = [write(1, 0, SMALL_BYTES_MAX), write(2, 0, SMALL_BYTES_MAX + 1), write(3, 1, 1)];
        assert_eq!(flushes.inline(&actions), [file_id(1)]);
    }
}
