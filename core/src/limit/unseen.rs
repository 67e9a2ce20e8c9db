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
    /// What was free at the last look.
    free_bytes: Option<u64>,
}

impl Unseen {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes.saturating_add(self.deleted)
    }

    pub(super) const fn deleted(&mut self, bytes: u64) {
        self.deleted = self.deleted.saturating_add(bytes);
    }

    /// The disk was looked at: what more is free than before is what was waited for.
    pub(super) fn looked(&mut self, gauge: Gauged) {
        if self.deleted > 0 {
            self.since = gauge.now;
        }
        let age = Duration::from_nanos(gauge.now.as_nanos().abs_diff(self.since.as_nanos()));
        let shown = match (self.free_bytes, gauge.free_bytes) {
            (Some(before), Some(free)) => free.saturating_sub(before),
            (_, _) => 0,
        };
        let left = self.bytes().saturating_sub(shown);
        let bytes = if age < SHOWN_WITHIN { left } else { 0 };
        *self = Self { bytes, deleted: 0, since: self.since, free_bytes: gauge.free_bytes };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bounds, FileKind, FileName, FileStat, PersistLimit, StorePath};

    fn gauged(seconds: i64, free_bytes: u64) -> Gauged {
        Gauged { now: Stamp::from_nanos(seconds * 1_000_000_000), free_bytes: Some(free_bytes) }
    }

    #[test]
    fn what_was_deleted_counts_as_free_until_it_is_seen_and_not_for_ever() {
        let mut unseen = Unseen::default();
        let look = |unseen: &mut Unseen, seconds, free_bytes| {
            unseen.looked(gauged(seconds, free_bytes));
            free_bytes + unseen.bytes()
        };
        assert_eq!(look(&mut unseen, 0, 100), 100);
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

    #[test]
    fn a_limit_that_is_told_its_files_anew_knows_what_it_waits_for_and_those_that_no_scan_finds() {
        let bounds = Bounds { free_bytes_min: 180, ..Bounds::default() };
        let mut limit = PersistLimit::new(0, 1).with_bounds(bounds);
        let stat =
            FileStat { kind: FileKind::Regular, length: 50, accessed: Stamp::default(), modified: Stamp::default() };
        let names = ["a", "b", "sub/c"].map(|name| StorePath::from(&FileName::new(name).unwrap()));
        for name in &names {
            limit.register(name.clone(), &stat);
        }
        limit.set_gauge(gauged(0, 100));
        limit.deleted(&names[0]);
        let mut limit = limit.emptied();
        limit.check_invariants();
        assert_eq!(names.map(|name| limit.contains(&name)), [false, false, true]);
        limit.set_gauge(gauged(1, 150));
        assert_eq!(limit.free_bytes(), Some(150), "what shows is not counted twice");
    }
}
