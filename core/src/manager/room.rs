//! Downloads that found the disk full: room is made for them, once for each.

use alloc::vec::Vec;

use super::Manager;
use crate::arena::Key;
use crate::download::{Input, State};
use crate::evict::Evictor;

/// Downloads that found the disk full.
#[derive(Debug, Default)]
pub(super) struct Roomless {
    /// Those that came before what is being removed was looked for.
    pub(super) served: Vec<Key>,
    /// Those that came since then.
    pub(super) waiting: Vec<Key>,
    /// How many files had been evicted, and how many bytes of what was unfinished been removed, by then.
    pub(super) before: (u64, u64),
}

impl Manager {
    /// How many bytes those who found the disk full want, as far as that is known; `None` where nobody waits any more.
    pub(super) fn wanted_bytes(&self) -> Option<u64> {
        let waiting = self.roomless.served.iter().filter_map(|key| self.downloads.get(*key));
        let waiting = waiting.filter(|download| matches!(download.state, State::MakingRoom(_)));
        waiting.map(|download| download.total().unwrap_or(u64::MAX)).max()
    }

    /// How many files were evicted, and how many bytes of what was unfinished were removed.
    pub(super) fn room_made(&self) -> (u64, u64) {
        (self.evictor.as_ref().map_or(0, Evictor::evictions), self.litter.freed_bytes())
    }

    /// Tells those who found the disk full, once what could go is gone. Whether there were any.
    pub(super) fn tell_roomless(&mut self) -> bool {
        if !self.may_tell_roomless() {
            return false;
        }
        let has_just_evicted = self.evictor.as_ref().is_some_and(|evictor| evictor.has_just_evicted(self.now));
        let made = has_just_evicted || self.room_made() != self.roomless.before;
        for key in core::mem::take(&mut self.roomless.served) {
            self.step(key, Input::RoomMade(made));
        }
        true
    }

    /// Whether what could be done for those who found the disk full is done.
    pub(super) fn may_tell_roomless(&self) -> bool {
        let is_passing = self.evictor.as_ref().is_some_and(|evictor| evictor.is_ready() && !evictor.is_idle());
        !self.roomless.served.is_empty() && self.litter.is_done() && !is_passing
    }
}
