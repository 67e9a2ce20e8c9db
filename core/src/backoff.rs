//! How long to wait before another attempt, and how many there are.

use core::time::Duration;

use crate::Config;
use crate::rng::Rng;

/// Progress that gives a download its attempts back: this many bytes ...
const REGAIN_BYTES: u64 = 1024 * 1024;
/// ... or this part of the total.
const REGAIN_PART_OF_TOTAL: u64 = 100;

/// What a download has tried.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts {
    /// Failures in a row without progress between them.
    failures: u32,
    /// The highest offset ever reached.
    highest: u64,
    /// What `highest` was when the failures were last forgiven.
    highest_forgiven: u64,
}

impl Attempts {
    pub(crate) fn reached(&mut self, offset: u64) {
        self.highest = self.highest.max(offset);
    }

    /// So many bytes were there from the first: only what lies beyond is progress.
    pub(crate) fn begin_at(&mut self, offset: u64) {
        self.reached(offset);
        self.highest_forgiven = self.highest_forgiven.max(offset);
    }

    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes a failure. Returns the delay before the next attempt and whether there was progress since the last failure;
    /// `None` where no attempt is left.
    ///
    /// Exponential with full jitter, so that the clients of a server that comes back do not come at once (Brooker:
    /// "Exponential backoff and jitter", AWS Architecture Blog, 2015).
    pub(crate) fn fail(&mut self, total: Option<u64>, config: &Config, rng: &mut Rng) -> Option<(Duration, bool)> {
        let grown = self.highest - self.highest_forgiven;
        let part = total.map_or(u64::MAX, |total| (total / REGAIN_PART_OF_TOTAL).max(1));
        let regained = grown >= REGAIN_BYTES.min(part);
        if regained {
            self.failures = 0;
            self.highest_forgiven = self.highest;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures > config.retries_max {
            return None;
        }
        let doubled = config.backoff_min.saturating_mul(1u32.checked_shl(self.failures - 1).unwrap_or(u32::MAX));
        Some((rng.up_to(doubled.min(config.backoff_max)), regained))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config { retries_max: 3, ..Config::default() }
    }

    #[test]
    fn delays_double_up_to_the_greatest_and_end() {
        let config = Config { retries_max: 40, ..Config::default() };
        let mut greatest = [Duration::ZERO; 40];
        for seed in 0..500 {
            let (mut attempts, mut rng) = (Attempts::default(), Rng::new(seed));
            for most in &mut greatest {
                *most = (*most).max(attempts.fail(None, &config, &mut rng).unwrap().0);
            }
            assert_eq!(attempts.fail(None, &config, &mut rng), None);
        }
        for (failure, most) in greatest.iter().enumerate() {
            let bound = Duration::from_millis(500 << failure.min(6)).min(Duration::from_secs(30));
            assert!(*most <= bound && *most > bound * 9 / 10, "failure {failure}: {most:?} of {bound:?}");
        }
    }

    #[test]
    fn only_new_ground_gives_attempts_back() {
        let (mut attempts, mut rng) = (Attempts::default(), Rng::new(1));
        for _ in 0..3 {
            attempts.reached(500);
            assert!(attempts.fail(Some(100_000), &config(), &mut rng).is_some());
        }
        assert_eq!(attempts.fail(Some(100_000), &config(), &mut rng), None);
        attempts.reached(1_000);
        assert!(attempts.fail(Some(100_000), &config(), &mut rng).is_some());
        assert_eq!(attempts.failures(), 1);
    }

    #[test]
    fn without_a_total_a_mebibyte_counts() {
        let (mut attempts, mut rng) = (Attempts::default(), Rng::new(1));
        for _ in 0..3 {
            let _ = attempts.fail(None, &config(), &mut rng);
        }
        attempts.reached(REGAIN_BYTES - 1);
        assert_eq!(attempts.clone().fail(None, &config(), &mut rng), None);
        attempts.reached(REGAIN_BYTES);
        assert!(attempts.fail(None, &config(), &mut rng).is_some());
    }
}
