//! One process evicts in a directory at a time: whose turn it is.

use core::time::Duration;

use crate::Instant;
use crate::rng::Rng;

/// Who finds another process evicting looks again after this time, ...
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// ... and up to so much more.
const PAUSE_JITTER: Duration = Duration::from_millis(450);
/// So long it is waited for. Whoever evicts slowly rests between any two goes, so that who has no turn for so long waits for a
/// process that was stopped, or whose disk hangs.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Who has kept the others waiting rests for so long: longer than those who wait for the folder's lock pause between two tries.
const REST: Duration = Duration::from_millis(30);

/// Waiting for one's turn: one wait at most, in however many passes.
#[derive(Debug)]
pub(super) struct Turn {
    rng: Rng,
    /// Since when another process has it.
    since: Option<Instant>,
    /// When to look again.
    until: Option<Instant>,
}

impl Turn {
    pub(super) const fn new(rng: Rng) -> Self {
        Self { rng, since: None, until: None }
    }

    /// It was our turn.
    pub(super) const fn had(&mut self) {
        self.since = None;
    }

    /// Others are to have their turn first.
    pub(super) fn rest(&mut self, now: Instant) {
        self.until = Some(now + REST);
    }

    /// It is another process's. Whether that is news, and whether it is waited for.
    pub(super) fn missed(&mut self, now: Instant) -> (bool, bool) {
        let is_news = self.since.is_none();
        let deadline = *self.since.get_or_insert(now) + WAIT_MAX;
        let is_awaited = now < deadline;
        let pause = PAUSE_MIN + self.rng.up_to(PAUSE_JITTER);
        self.until = is_awaited.then(|| (now + pause).min(deadline));
        (is_news, is_awaited)
    }

    /// Whether it is to be looked again, now or without having waited.
    pub(super) fn may_try(&mut self, now: Instant) -> bool {
        let is_paused = self.until.is_some_and(|until| now < until);
        if !is_paused {
            self.until = None;
        }
        !is_paused
    }

    pub(super) const fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_waited_for_at_growing_times_told_once_and_no_longer_than_allowed() {
        let mut turn = Turn::new(Rng::new(1));
        let mut now = Instant::ZERO;
        let mut looks = 0;
        loop {
            let (is_news, is_awaited) = turn.missed(now);
            assert_eq!(is_news, looks == 0);
            looks += 1;
            let Some(until) = turn.until() else {
                assert!(!is_awaited);
                break;
            };
            assert!(is_awaited && !turn.may_try(now));
            let pause = until.since(now);
            assert!(pause <= PAUSE_MIN + PAUSE_JITTER && (pause >= PAUSE_MIN || until == Instant::ZERO + WAIT_MAX));
            now = until;
            assert!(turn.may_try(now) && turn.until().is_none());
        }
        assert_eq!(now, Instant::ZERO + WAIT_MAX);
        assert!((20..200).contains(&looks), "{looks}");
        // The next pass does not wait once more, ...
        let later = now + Duration::from_secs(60);
        assert_eq!((turn.missed(later), turn.until()), ((false, false), None));
        // ... until it had its turn.
        turn.had();
        assert_eq!(turn.missed(later), (true, true));
    }
}
