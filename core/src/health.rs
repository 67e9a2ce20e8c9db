//! How an origin is doing: retries that it has left, failures to connect in a row, and until when it wants to be left alone.

use crate::{DownloadError, Instant};

/// Retries that an origin may cost before it has to succeed again, in tenths: a success earns one tenth.
const TOKENS_MAX: u32 = 100;
const TOKENS_A_RETRY: u32 = 10;
/// So many failures to connect in a row, and the next attempt goes alone.
const CONNECT_FAILURES_MAX: u32 = 10;

/// What is known of one origin.
///
/// A bucket of tokens bounds the retries of a server that fails, whoever asks ("Exponential backoff and jitter" alone only
/// spreads them); a breaker spares all others the wait for a server that is not there.
#[derive(Debug)]
pub(crate) struct Health {
    tokens: u32,
    connect_failures: u32,
    /// The server asked to be left alone until then.
    blocked_until: Option<Instant>,
    /// The attempt that went alone failed, for this reason.
    dead: Option<DownloadError>,
}

impl Default for Health {
    fn default() -> Self {
        Self { tokens: TOKENS_MAX, connect_failures: 0, blocked_until: None, dead: None }
    }
}

impl Health {
    /// Nothing is known that a fresh one would not say.
    pub(crate) const fn is_default(&self) -> bool {
        self.tokens == TOKENS_MAX && self.connect_failures == 0 && self.blocked_until.is_none() && self.dead.is_none()
    }

    /// Takes what a retry costs; false where there is not enough.
    pub(crate) const fn take_retry(&mut self) -> bool {
        match self.tokens.checked_sub(TOKENS_A_RETRY) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    pub(crate) const fn succeeded(&mut self) {
        if self.tokens < TOKENS_MAX {
            self.tokens += 1;
        }
    }

    pub(crate) const fn connected(&mut self) {
        self.connect_failures = 0;
    }

    /// No connection could be made. Where it was the lone attempt, all that wait for the origin are to end.
    pub(crate) fn connect_failed(&mut self, error: &DownloadError, is_probe: bool) {
        if is_probe && self.goes_alone() {
            self.dead = Some(error.clone());
        }
        self.connect_failures = self.connect_failures.saturating_add(1);
    }

    /// Whether one attempt at a time is enough to find out.
    pub(crate) const fn goes_alone(&self) -> bool {
        self.connect_failures >= CONNECT_FAILURES_MAX
    }

    pub(crate) const fn take_dead(&mut self) -> Option<DownloadError> {
        self.dead.take()
    }

    /// Leaves it alone until then at least.
    pub(crate) fn block(&mut self, until: Instant) {
        self.blocked_until = self.blocked_until.max(Some(until));
    }

    pub(crate) const fn blocked_until(&self) -> Option<Instant> {
        self.blocked_until
    }

    pub(crate) const fn unblock(&mut self) {
        self.blocked_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const ERROR: DownloadError = DownloadError::Status { status: 500 };

    #[test]
    fn ten_retries_are_there_and_ten_successes_earn_one() {
        let mut health = Health::default();
        for _ in 0..10 {
            assert!(health.take_retry());
        }
        for _ in 0..9 {
            assert!(!health.take_retry());
            health.succeeded();
        }
        assert!(!health.take_retry());
        health.succeeded();
        assert!(health.take_retry() && !health.take_retry());
        (0..1_000).for_each(|_| health.succeeded());
        assert!(health.is_default(), "more than there can be");
    }

    #[test]
    fn the_attempt_behind_ten_failures_goes_alone_and_decides() {
        let mut health = Health::default();
        for _ in 0..10 {
            assert!(!health.goes_alone());
            health.connect_failed(&ERROR, false);
            assert_eq!(health.take_dead(), None);
        }
        assert!(health.goes_alone());
        health.connect_failed(&ERROR, false);
        assert_eq!(health.take_dead(), None, "it was under way before");
        health.connect_failed(&ERROR, true);
        assert_eq!(health.take_dead(), Some(ERROR));
        assert_eq!(health.take_dead(), None);
        assert!(health.goes_alone(), "until it is there again");
        health.connected();
        assert!(!health.goes_alone() && health.is_default());
    }

    #[test]
    fn the_longest_wait_that_was_asked_for_holds() {
        let mut health = Health::default();
        health.block(Instant::from_nanos(5));
        health.block(Instant::from_nanos(3));
        assert_eq!(health.blocked_until(), Some(Instant::from_nanos(5)));
        health.unblock();
        assert!(health.is_default());
    }

    #[derive(Debug, Clone)]
    enum Step {
        TakeRetry,
        Succeeded,
        Connected,
        /// With the status in its error, so that the errors differ, and whether it went alone.
        ConnectFailed(u16, bool),
        TakeDead,
        Block(u64),
        Unblock,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::TakeRetry),
            4 => Just(Step::Succeeded),
            1 => Just(Step::Connected),
            8 => (any::<u16>(), any::<bool>()).prop_map(|(status, is_probe)| Step::ConnectFailed(status, is_probe)),
            2 => Just(Step::TakeDead),
            2 => any::<u64>().prop_map(Step::Block),
            1 => Just(Step::Unblock),
        ]
    }

    /// What a bucket holds after these changes, none of which went below nothing: as much as it could be filled, less what was
    /// taken since it was last full.
    fn bucket(changes: &[i64]) -> i64 {
        let sums: Vec<i64> = (0..=changes.len()).map(|length| changes[..length].iter().sum()).collect();
        100 + sums[changes.len()] - sums.iter().max().unwrap()
    }

    proptest! {
        /// The model keeps what happened and works each answer out from that.
        #[test]
        fn the_bucket_and_the_breaker_follow_from_all_that_happened(steps in prop::collection::vec(step(), 0..80)) {
            let mut health = Health::default();
            let (mut changes, mut failures, mut dead, mut blocks) = (Vec::new(), 0, None, Vec::new());
            for step in steps {
                match step {
                    Step::TakeRetry => {
                        let enough = bucket(&changes) >= 10;
                        prop_assert_eq!(health.take_retry(), enough);
                        if enough {
                            changes.push(-10);
                        }
                    }
                    Step::Succeeded => {
                        health.succeeded();
                        changes.push(1);
                    }
                    Step::Connected => {
                        health.connected();
                        failures = 0;
                    }
                    Step::ConnectFailed(status, is_probe) => {
                        let error = DownloadError::Status { status };
                        health.connect_failed(&error, is_probe);
                        // The first ten decide nothing: which one goes alone is settled before it goes.
                        if is_probe && failures >= 10 {
                            dead = Some(error);
                        }
                        failures += 1;
                    }
                    Step::TakeDead => prop_assert_eq!(health.take_dead(), dead.take()),
                    Step::Block(nanos) => {
                        health.block(Instant::from_nanos(nanos));
                        blocks.push(nanos);
                    }
                    Step::Unblock => {
                        health.unblock();
                        blocks.clear();
                    }
                }
                prop_assert_eq!(health.goes_alone(), failures >= 10);
                prop_assert_eq!(health.blocked_until().map(Instant::as_nanos), blocks.iter().copied().max());
                let nothing_known = bucket(&changes) == 100 && failures == 0 && blocks.is_empty() && dead.is_none();
                prop_assert_eq!(health.is_default(), nothing_known);
            }
        }
    }
}
