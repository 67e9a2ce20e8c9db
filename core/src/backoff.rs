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
    use crate::rng::Rng;
    use alloc::vec::Vec;
    use proptest::prelude::*;

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

    #[derive(Debug, Clone)]
    enum Step {
        BeginAt(u64),
        Reached(u64),
        Fail(Option<u64>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let offset = prop_oneof![0..4_000u64, 0..4 * REGAIN_BYTES, Just(u64::MAX)];
        let total = prop_oneof![Just(None), (0..200_000u64).prop_map(Some), (0..u64::MAX).prop_map(Some)];
        prop_oneof![
            1 => offset.clone().prop_map(Step::BeginAt),
            4 => offset.prop_map(Step::Reached),
            6 => total.prop_map(Step::Fail),
        ]
    }

    proptest! {
        /// The model keeps all that happened and works each failure out from that.
        #[test]
        fn what_is_left_follows_from_all_that_happened(
            steps in prop::collection::vec(step(), 0..80),
            retries_max in 0..6u32,
            (backoff_min, backoff_max) in (0..5_000u64, 0..60_000u64),
            seed in any::<u64>(),
        ) {
            let (backoff_min, backoff_max) = (Duration::from_millis(backoff_min), Duration::from_millis(backoff_max));
            let config = Config { retries_max, backoff_min, backoff_max, ..Config::default() };
            let (mut attempts, mut rng) = (Attempts::default(), Rng::new(seed));
            let (mut offsets, mut grounds, mut in_a_row) = (Vec::from([0]), Vec::from([0]), 0);
            for step in steps {
                match step {
                    Step::BeginAt(offset) => {
                        attempts.begin_at(offset);
                        offsets.push(offset);
                        grounds.push(offset);
                    }
                    Step::Reached(offset) => {
                        attempts.reached(offset);
                        offsets.push(offset);
                    }
                    Step::Fail(total) => {
                        let highest = offsets.iter().copied().max().unwrap();
                        let gained = highest - grounds.iter().copied().max().unwrap();
                        let percent = total.map(|total| (total / 100).max(1));
                        let regained = gained >= 1 << 20 || percent.is_some_and(|percent| gained >= percent);
                        if regained {
                            grounds.push(highest);
                            in_a_row = 0;
                        }
                        in_a_row += 1;
                        let given = attempts.fail(total, &config, &mut rng);
                        prop_assert_eq!(attempts.failures(), in_a_row);
                        prop_assert_eq!(given.is_some(), in_a_row <= retries_max);
                        if let Some((delay, told)) = given {
                            let doubled = backoff_min.as_nanos() << (in_a_row - 1);
                            prop_assert!(delay.as_nanos() <= doubled.min(backoff_max.as_nanos()));
                            prop_assert_eq!(told, regained);
                        }
                    }
                }
            }
        }

        /// However a server doles out its bytes, it is not asked for ever.
        #[test]
        fn attempts_come_to_an_end_whatever_the_progress(
            grown in prop::collection::vec(0..3_000u64, 80),
            total in 1..100_000u64,
            retries_max in 0..6u32,
        ) {
            let config = Config { retries_max, ..Config::default() };
            let (mut attempts, mut rng) = (Attempts::default(), Rng::new(1));
            let (mut offset, mut given) = (0, 0);
            for grown in grown {
                offset = (offset + grown).min(total);
                attempts.reached(offset);
                match attempts.fail(Some(total), &config, &mut rng) {
                    Some(_) => given += 1,
                    None => break,
                }
            }
            let parts = offset / (total / REGAIN_PART_OF_TOTAL).max(1);
            prop_assert!(given <= u64::from(retries_max) * (1 + parts), "{given} for {parts} parts");
        }
    }
}
