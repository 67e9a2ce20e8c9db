//! The stall clock: too few bytes in too long a wait.

use core::time::Duration;

use crate::{Config, Instant};

/// Adds up the time in which bytes were asked for and did not come. A slow disk, for which nothing is asked, does not
/// count; a trickle of fewer than `bytes_min` bytes in `timeout` does.
#[derive(Debug, Clone)]
pub(crate) struct StallClock {
    timeout: Duration,
    bytes_min: u64,
    waited: Duration,
    bytes: u64,
    asked_at: Option<Instant>,
}

impl StallClock {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            timeout: config.stall_timeout,
            bytes_min: config.stall_bytes_min,
            waited: Duration::ZERO,
            bytes: 0,
            asked_at: None,
        }
    }

    /// Bytes were asked for.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// They came.
    pub(crate) fn came(&mut self, now: Instant, bytes: usize) {
        if let Some(asked_at) = self.asked_at.take() {
            self.waited = self.waited.saturating_add(now.since(asked_at));
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if bytes > 0 && self.bytes >= self.bytes_min {
            self.waited = Duration::ZERO;
            self.bytes = 0;
        }
    }

    /// When the wait becomes too long, where there is one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.asked_at.map(|asked_at| asked_at + self.timeout.saturating_sub(self.waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_server_that_sends_enough_is_never_stalled() {
        let mut clock = StallClock::new(&Config::default());
        for second in (0..600).step_by(20) {
            clock.asked(at(second));
            assert_eq!(clock.deadline(), Some(at(second + 30)));
            clock.came(at(second + 20), 1024);
        }
    }

    #[test]
    fn a_trickle_is_a_stall() {
        let mut clock = StallClock::new(&Config::default());
        for second in (0..30).step_by(10) {
            clock.asked(at(second));
            assert_eq!(clock.deadline(), Some(at(30)));
            clock.came(at(second + 10), 100);
        }
        clock.asked(at(30));
        assert_eq!(clock.deadline(), Some(at(30)));
    }

    #[test]
    fn time_in_which_nothing_is_asked_does_not_count() {
        let mut clock = StallClock::new(&Config::default());
        clock.asked(at(0));
        clock.came(at(10), 100);
        assert_eq!(clock.deadline(), None);
        clock.asked(at(1_000));
        assert_eq!(clock.deadline(), Some(at(1_020)));
    }

    proptest! {
        /// The model keeps each wait and what it brought, and adds up from behind those since enough had come.
        #[test]
        fn the_waits_since_enough_came_add_up(
            waits in prop::collection::vec((0..50_000u64, 0..20_000u64, prop_oneof![0..600_usize, Just(0)]), 0..80),
            timeout in 0..60_000u64,
            bytes_min in prop_oneof![Just(0), 0..2_000u64],
        ) {
            let config = Config {
                stall_timeout: Duration::from_millis(timeout), stall_bytes_min: bytes_min, ..Config::default()
            };
            let mut clock = StallClock::new(&config);
            let mut now = Instant::ZERO;
            // The waits, each with what it brought, since enough had come.
            let mut since: Vec<(u64, usize)> = Vec::new();
            prop_assert_eq!(clock.deadline(), None);
            for (pause, wait, bytes) in waits {
                now = now + Duration::from_millis(pause);
                clock.asked(now);
                let waited: u64 = since.iter().map(|(wait, _)| wait).sum();
                let left = Duration::from_millis(timeout.saturating_sub(waited));
                prop_assert_eq!(clock.deadline(), Some(now + left), "a pause in which nothing is asked does not count");
                now = now + Duration::from_millis(wait);
                clock.came(now, bytes);
                prop_assert_eq!(clock.deadline(), None);
                since.push((wait, bytes));
                let came: usize = since.iter().map(|(_, bytes)| bytes).sum();
                if bytes > 0 && came as u64 >= bytes_min {
                    since.clear();
                }
            }
        }

        /// Who sends enough in each timeout is never called stalled, however it comes.
        #[test]
        fn enough_in_each_timeout_is_no_stall(
            pieces in prop::collection::vec((1..7_000u64, 256..5_000_usize), 0..80),
        ) {
            // Four pieces make 1,024 bytes in less than 28 seconds of 30.
            let mut clock = StallClock::new(&Config::default());
            let mut now = Instant::ZERO;
            for (wait, bytes) in pieces {
                clock.asked(now);
                now = now + Duration::from_millis(wait);
                prop_assert!(clock.deadline().is_some_and(|deadline| deadline > now));
                clock.came(now, bytes);
            }
        }
    }
}
