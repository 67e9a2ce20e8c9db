//! Downloads that found the disk full: room is made for them, once for each.

use alloc::vec::Vec;

use super::Manager;
use crate::Instant;
use crate::arena::Key;
use crate::download::{Input, State};

/// Downloads that found the disk full.
#[derive(Debug, Default)]
pub(super) struct Roomless {
    /// Those that came before what is being removed was looked for.
    pub(super) served: Vec<Key>,
    /// Those that came since then.
    pub(super) waiting: Vec<Key>,
    /// When that was, and how many bytes of what was unfinished had been removed by then.
    pub(super) since: Instant,
    pub(super) freed_bytes: u64,
}

impl Manager {
    /// How many bytes those who found the disk full want, as far as that is known; `None` where nobody waits any more.
    pub(super) fn wanted_bytes(&self) -> Option<u64> {
        let waiting = self.roomless.served.iter().filter_map(|key| self.downloads.get(*key));
        let waiting = waiting.filter(|download| matches!(download.state, State::MakingRoom(_)));
        waiting.map(|download| download.total().unwrap_or(u64::MAX)).max()
    }

    /// Tells those who found the disk full, once what could go is gone. Whether there were any.
    pub(super) fn tell_roomless(&mut self) -> bool {
        if !self.may_tell_roomless() {
            return false;
        }
        let since = self.roomless.since;
        let has_evicted = self.evictor.as_ref().is_some_and(|evictor| evictor.has_evicted_since(since));
        let made = has_evicted || self.litter.freed_bytes() > self.roomless.freed_bytes;
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
