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
}
