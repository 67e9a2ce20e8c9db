//! Deadlines: one armed entry for each download, so that moving a deadline later is a field write.

use alloc::collections::BTreeSet;

use crate::Instant;
use crate::arena::Key;

/// The armed entries. An entry may be earlier than the deadline that it stands for; it is then armed anew when it fires.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    armed: BTreeSet<(Instant, Key)>,
}

impl Timers {
    /// Makes sure that `key`, armed for `armed` so far, fires at `deadline` or before.
    pub(crate) fn arm(&mut self, key: Key, armed: &mut Option<Instant>, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if armed.is_some_and(|armed| armed <= deadline) {
            return;
        }
        self.disarm(key, armed);
        self.armed.insert((deadline, key));
        *armed = Some(deadline);
    }

    pub(crate) fn disarm(&mut self, key: Key, armed: &mut Option<Instant>) {
        if let Some(at) = armed.take() {
            self.armed.remove(&(at, key));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.armed.first().map(|&(at, _)| at)
    }

    /// Takes out the earliest entry that is due, before anything is done about it.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        let &(at, key) = self.armed.first()?;
        if at > now {
            return None;
        }
        self.armed.pop_first();
        Some(key)
    }

    /// Keeps an entry that was taken out.
    pub(crate) fn stay(&mut self, key: Key, at: Instant) {
        self.armed.insert((at, key));
    }

    pub(crate) fn len(&self) -> usize {
        self.armed.len()
    }

    pub(crate) fn contains(&self, at: Instant, key: Key) -> bool {
        self.armed.contains(&(at, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const KEYS: usize = 6;

    #[derive(Debug, Clone)]
    enum Step {
        /// The true deadline is this now, or there is none.
        Deadline(usize, Option<u64>),
        End(usize),
        /// So much time goes by, and what is due fires.
        Tick(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..KEYS, prop::option::weighted(0.9, 0..40u64)).prop_map(|(key, after)| Step::Deadline(key, after)),
            1 => (0..KEYS).prop_map(Step::End),
            3 => (0..10u64).prop_map(Step::Tick),
        ]
    }

    fn key(at: usize) -> Key {
        Key { serial: at as u64, slot: 0 }
    }

    /// One who is called at its deadlines.
    #[derive(Debug, Clone, Copy, Default)]
    struct Subject {
        deadline: Option<Instant>,
        armed: Option<Instant>,
    }

    proptest! {
        /// Beside the timers stands a list of what each subject is due for. None is called late or for nothing to be done about,
        /// all at once in order of time, and a subject that has ended not at all.
        #[test]
        fn whoever_is_due_is_called_in_order_and_nobody_is_called_late(
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut timers = Timers::default();
            let mut subjects = [Subject::default(); KEYS];
            let mut now = Instant::ZERO;
            for step in steps {
                match step {
                    Step::Deadline(at, after) => {
                        let subject = &mut subjects[at];
                        subject.deadline = after.map(|after| Instant::from_nanos(now.as_nanos() + after));
                        let before = subject.armed;
                        timers.arm(key(at), &mut subject.armed, subject.deadline);
                        let later = before.is_some_and(|before| subject.deadline.is_none_or(|deadline| before <= deadline));
                        prop_assert_eq!(subject.armed, if later { before } else { subject.deadline }, "moving later is free");
                    }
                    Step::End(at) => {
                        subjects[at].deadline = None;
                        timers.disarm(key(at), &mut subjects[at].armed);
                        prop_assert_eq!(subjects[at].armed, None);
                    }
                    Step::Tick(nanos) => {
                        now = Instant::from_nanos(now.as_nanos() + nanos);
                        let mut due: Vec<_> = (0..KEYS)
                            .filter_map(|at| subjects[at].armed.filter(|armed| *armed <= now).map(|armed| (armed, at)))
                            .collect();
                        due.sort_unstable();
                        let fired: Vec<_> = core::iter::from_fn(|| timers.pop_due(now)).take(KEYS + 1).collect();
                        let due_keys: Vec<_> = due.iter().map(|(_, at)| key(*at)).collect();
                        prop_assert_eq!(fired, due_keys, "at {:?}", now);
                        for (_, at) in due {
                            let subject = &mut subjects[at];
                            subject.armed = None;
                            // Who is called early is armed anew, and who is called in time is done.
                            subject.deadline = subject.deadline.filter(|deadline| *deadline > now);
                            timers.arm(key(at), &mut subject.armed, subject.deadline);
                        }
                    }
                }
                for (at, subject) in subjects.iter().enumerate() {
                    if let Some(deadline) = subject.deadline {
                        prop_assert!(subject.armed.is_some_and(|armed| armed <= deadline), "{at} would be late");
                    }
                    for nanos in 0..=now.as_nanos() + 40 {
                        let instant = Instant::from_nanos(nanos);
                        prop_assert_eq!(timers.contains(instant, key(at)), subject.armed == Some(instant));
                    }
                }
                let armed: Vec<Instant> = subjects.iter().filter_map(|subject| subject.armed).collect();
                prop_assert_eq!(timers.next(), armed.iter().copied().min());
                prop_assert_eq!(timers.len(), armed.len());
            }
        }
    }
}
