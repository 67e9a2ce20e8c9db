//! What always holds of the manager.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Manager, is_publishing};
use crate::Origin;
use crate::arena::Key;
use crate::download::State;
use crate::rivals::Rivals;

impl Manager {
    /// Checks that the machine does not contradict itself. For tests: it takes time in proportion to all that is live.
    ///
    /// # Panics
    ///
    /// An invariant is broken, which no input can cause.
    pub fn check_invariants(&self) {
        self.queues.check_invariants();
        let mut waiting: Vec<Key> = self.queues.waiting().collect();
        waiting.sort_unstable();
        let (mut placed, mut armed, mut slots) = (Vec::new(), 0, BTreeMap::<Origin, usize>::new());
        for (key, download) in self.downloads.iter() {
            download.check_invariants();
            let unanswered = self.effects.unanswered_of(key);
            assert_eq!(unanswered, download.unanswered as usize, "{}: each action is owed one answer", download.name);
            if download.place.is_some() {
                assert!(matches!(download.state, State::Queued), "only who is queued stands in a line");
                placed.push(key);
            }
            if let Some(origin) = download.slot() {
                *slots.entry(origin.clone()).or_default() += 1;
            }
            if let Some(at) = download.armed {
                armed += 1;
                assert!(self.timers.contains(at, key), "an armed timer is there");
            }
            if let Some(deadline) = download.deadline(&self.config) {
                assert!(
                    download.armed.is_some_and(|at| at <= deadline.max(self.now + core::time::Duration::from_nanos(1)))
                );
            }
            let is_roomless = matches!(download.state, State::MakingRoom(_));
            let is_known = self.roomless.served.contains(&key) || self.roomless.waiting.contains(&key);
            assert!(!is_roomless || is_known, "room is made for who waits for it");
            let rivals = self.names.get(&download.name).filter(|_| download.is_named);
            let first = rivals.is_none_or(|rivals| rivals.first() == key);
            assert!(rivals.is_none_or(|rivals| rivals.iter().any(|rival| rival == key)), "a name knows its downloads");
            let under_way = !matches!(download.state, State::Queued | State::Evicting(_));
            assert!(first || !under_way, "only the first download of a name is under way");
            let queued = matches!(download.state, State::Queued);
            let placed = download.place.is_some() || self.held_back.contains(&key);
            assert!(!first || !queued || placed, "the first download of a name stands in a line");
        }
        placed.sort_unstable();
        assert_eq!(placed, waiting, "who waits for a slot stands in one line, once");
        assert_eq!(armed, self.timers.len(), "a timer belongs to a live download");
        for (origin, taken) in slots {
            assert_eq!(taken, self.queues.taken(&origin), "a slot that is taken is held");
        }
        let publishing = self.downloads.iter().filter(|(_, download)| is_publishing(download.phase())).count();
        assert_eq!(publishing, self.publishing, "those that publish are counted");
        let names: usize = self.names.values().map(Rivals::len).sum();
        let named = self.downloads.iter().filter(|(_, download)| download.is_named).count();
        assert_eq!(names, named, "each live download has its name");
        if let Some(evictor) = &self.evictor {
            evictor.limit().check_invariants();
        }
    }
}
