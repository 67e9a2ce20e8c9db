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
