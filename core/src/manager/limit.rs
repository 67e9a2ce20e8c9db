//! What the manager has to do with its directory's limit, and with what others left in the work folder.

use alloc::vec;
use alloc::vec::Vec;

use super::{Cleanup, Manager, Probe};
use crate::arena::Key;
use crate::effects::Owner;
use crate::evict::Evictor;
use crate::litter::Terms;
use crate::{DeleteItem, Expect, FileName, FileOp, Instant, PersistLimit, Stamp, StorePath};

impl Manager {
    /// The bound of the directory, and the files that count; `None` without one.
    pub fn limit(&self) -> Option<&PersistLimit> {
        self.evictor.as_ref().map(Evictor::limit)
    }

    /// Keeps a name's file from being evicted by this manager until it is [released](Self::release), once for each time.
    /// A deletion that is under way is not called back. Nothing without a limit.
    pub fn hold(&mut self, name: &FileName) {
        self.change_limit(|limit| limit.hold(&name.into()));
    }

    /// Ends one [hold](Self::hold) of a name, or that of an [outcome](crate::LimitConfig::holds_outcomes). Where the last pass of
    /// eviction had to leave the bound exceeded because of it, that is made up for now, unless the manager is closed.
    pub fn release(&mut self, now: Instant, name: &FileName) {
        self.advance(now);
        if self.closed {
            self.change_limit(|limit| limit.release(&name.into()));
        } else if let Some(evictor) = &mut self.evictor {
            evictor.release(&name.into());
        }
        self.pump();
    }

    /// The files that the limit wants to go now, the first to go first, at most `victims_max`: what a pass would evict, as far
    /// as the files are what they were. Those of live downloads stay.
    pub fn victims(&mut self, victims_max: usize) -> Vec<DeleteItem> {
        let Some(evictor) = &mut self.evictor else { return Vec::new() };
        let names = &self.names;
        evictor.limit_mut().victims(victims_max, |path| names.contains_key(path.as_str()))
    }

    /// Notes that the driver has pinned a name, or ended that. The [pin](StorePath::pin) itself is the driver's to make and
    /// to remove.
    pub fn set_pinned(&mut self, name: &FileName, is_pinned: bool) {
        self.change_limit(|limit| limit.set_pinned(&name.into(), is_pinned));
    }

    /// Notes that a name's file was used, and bears this stamp of access now.
    pub fn touched(&mut self, name: &FileName, accessed: Stamp) {
        self.change_limit(|limit| limit.touch(&name.into(), accessed));
    }

    fn change_limit(&mut self, change: impl FnOnce(&mut PersistLimit)) {
        if let Some(evictor) = &mut self.evictor {
            change(evictor.limit_mut());
        }
    }

    /// So many bytes are on their way to a download.
    pub(super) fn reserve(&mut self, key: Key, bytes: u64) {
        let Some(evictor) = self.evictor.as_mut().filter(|evictor| evictor.reserves()) else { return };
        let before = self.reserved.remove(&key).unwrap_or(0);
        if bytes != before {
            evictor.reserve(bytes, before);
        }
        if bytes > 0 {
            self.reserved.insert(key, bytes);
        }
    }

    /// What was announced and has not come yet will take of what is free.
    pub(super) fn note_unwritten(&mut self) {
        let Some(evictor) = self.evictor.as_mut().filter(|evictor| evictor.reserves()) else { return };
        let announced = self.reserved.keys().filter_map(|key| self.downloads.get(*key)?.announced());
        let unwritten =
            announced.map(|(length, received)| length.saturating_sub(received)).fold(0, u64::saturating_add);
        evictor.limit_mut().set_unwritten(unwritten);
    }

    /// Removes what dead processes left, before a pass and before the work folder goes. Returns whether nothing of that is
    /// under way.
    pub(super) fn clear_litter(&mut self) -> bool {
        if self.roomless.served.is_empty() && (self.litter.is_due() || self.litter.is_done()) {
            self.roomless.served = core::mem::take(&mut self.roomless.waiting);
            if !self.roomless.served.is_empty() {
                self.roomless.since = self.now;
                self.roomless.freed_bytes = self.litter.freed_bytes();
                self.litter.reset();
                if let Some(evictor) = &mut self.evictor {
                    evictor.request_room();
                }
            }
        }
        let makes_room = !self.roomless.served.is_empty();
        let pass_wants_it = self.evictor.as_ref().is_some_and(Evictor::wants_litter);
        if pass_wants_it && !self.litter_is_for_pass && (self.litter.is_due() || self.litter.is_done()) {
            self.litter_is_for_pass = true;
            self.litter.reset();
        }
        let is_about_to_pass = self.evictor.as_ref().is_some_and(Evictor::is_about_to_pass);
        let is_wanted = is_about_to_pass || makes_room || pass_wants_it || self.cleanup == Cleanup::Littered;
        if is_wanted && self.litter.is_due() {
            self.litter.begin(&mut self.effects);
        }
        if self.litter.wants_locks() {
            match &self.probe {
                Probe::NotYet => self.ask_probe(),
                Probe::Asked => {}
                Probe::Known(probed) => {
                    let limit = self.config.limit.as_ref();
                    let free_bytes_min = limit.map_or(0, |limit| limit.bounds.free_bytes_min);
                    let wanted_bytes = self.wanted_bytes();
                    let terms = Terms { age_max: self.config.partial_age_max, free_bytes_min, wanted_bytes };
                    let unfinished = self.downloads.iter().flat_map(|(_, download)| download.unfinished().cloned());
                    // What an earlier run left of those that are yet to come is theirs, too.
                    let to_come = self.names.keys().flat_map(StorePath::unfinished_of);
                    let own = unfinished.chain(to_come).collect();
                    self.litter.proceed(probed.locks, terms, &own, &mut self.effects);
                }
            }
        }
        let is_over = self.litter.is_due() || self.litter.is_done();
        if is_over
            && core::mem::take(&mut self.litter_is_for_pass)
            && let Some(evictor) = &mut self.evictor
        {
            evictor.litter_removed();
        }
        is_over
    }

    /// Nothing is left but to remove the work folder.
    pub(super) fn is_quiet(&self) -> bool {
        let is_clearing = !self.litter.is_due() && !self.litter.is_done();
        self.closed
            && self.downloads.is_empty()
            && self.evictor.as_ref().is_none_or(Evictor::is_idle)
            && self.probe != Probe::Asked
            && !is_clearing
    }

    pub(super) fn clean_up(&mut self) {
        if !self.is_quiet() || !self.effects.work_folder_asked {
            return;
        }
        match self.cleanup {
            Cleanup::Littered if !self.litter.has_removed() => self.cleanup = Cleanup::Done,
            Cleanup::NotYet | Cleanup::Littered => {
                self.cleanup = Cleanup::Asked;
                let lane = self.effects.lane();
                let items = vec![DeleteItem { path: StorePath::work_folder(), expect: Expect::EmptyFolder }];
                self.effects.file_op(Owner::Manager, (lane, 0), |ticket| FileOp::Delete { ticket, items });
            }
            Cleanup::Asked | Cleanup::Done => {}
        }
    }
}
