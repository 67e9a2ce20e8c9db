//! Room that deletions have made, and that the disk does not show yet.
//!
//! XFS shows it after some milliseconds and btrfs with its next commit, within half a minute; of a file that somebody still
//! reads, that has another name, or that stands in a snapshot, it comes later or never. Who went by what the disk shows alone
//! would delete as much again, and again.

use core::time::Duration;

use crate::{Gauged, Stamp};

/// After this time nothing more is expected of what was deleted before.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// What is yet to be seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unseen {
    bytes: u64,
    /// What was deleted since the last look.
    deleted: u64,
    /// When it was looked for the first time after the last deletion.
    since: Stamp,
}

impl Unseen {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes.saturating_add(self.deleted)
    }

    pub(super) const fn deleted(&mut self, bytes: u64) {
        self.deleted = self.deleted.saturating_add(bytes);
    }

    /// The disk was looked at: what more is free than before is what was waited for.
    pub(super) fn looked(&mut self, before: Option<Gauged>, gauge: Gauged) {
        if self.deleted > 0 {
            self.since = gauge.now;
        }
        let age = Duration::from_nanos(gauge.now.as_nanos().abs_diff(self.since.as_nanos()));
        let shown = match (before.and_then(|before| before.free_bytes), gauge.free_bytes) {
            (Some(before), Some(free)) => free.saturating_sub(before),
            (_, _) => 0,
        };
        let left = self.bytes().saturating_sub(shown);
        *self = Self { bytes: if age < SHOWN_WITHIN { left } else { 0 }, deleted: 0, since: self.since };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauged(seconds: i64, free_bytes: u64) -> Gauged {
        Gauged { now: Stamp::from_nanos(seconds * 1_000_000_000), free_bytes: Some(free_bytes) }
    }

    #[test]
    fn what_was_deleted_counts_as_free_until_it_is_seen_and_not_for_ever() {
        let mut unseen = Unseen::default();
        let mut looks = [gauged(0, 100)].to_vec();
        let mut look = |unseen: &mut Unseen, seconds, free_bytes| {
            let gauge = gauged(seconds, free_bytes);
            unseen.looked(looks.last().copied(), gauge);
            looks.push(gauge);
            free_bytes + unseen.bytes()
        };
        unseen.deleted(30);
        assert_eq!(unseen.bytes(), 30);
        assert_eq!([(0, 100), (10, 100), (20, 110), (30, 130)].map(|(at, free)| look(&mut unseen, at, free)), [130; 4]);
        assert_eq!(unseen.bytes(), 0);
        // Somebody reads it: the second one's time does not run out with the first one's.
        unseen.deleted(30);
        assert_eq!(look(&mut unseen, 40, 130), 160);
        unseen.deleted(20);
        assert_eq!(
            [(90, 130), (99, 130), (149, 130), (150, 130)].map(|(at, free)| look(&mut unseen, at, free)),
            [180, 180, 180, 130]
        );
        // A clock that was set.
        unseen.deleted(20);
        assert_eq!(look(&mut unseen, 150, 130), 150);
        assert_eq!(look(&mut unseen, 10, 130), 130);
    }
}
