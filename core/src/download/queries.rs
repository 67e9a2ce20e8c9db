//! Questions about a download, and what must always hold of it.

use alloc::string::ToString;

use super::partial::Partial;
use super::{Context, Download, State, Then, Transfer};
use crate::action::{FileKind, FileStat};
use crate::origin::Origin;
use crate::{
    ActionId, Config, DownloadError, Fault, FaultKind, IfPresent, Instant, Outcome, Phase, Progress, Stamp, StorePath,
};

impl Download {
    /// The origin that the next request goes to.
    pub(crate) fn origin(&self) -> Origin {
        self.hop.origin.clone()
    }

    pub(crate) const fn phase(&self) -> Phase {
        match self.state {
            State::Queued => Phase::Queued,
            State::Checking(_) => Phase::Checking,
            State::Connecting { .. } | State::Redirecting { .. } => Phase::Connecting,
            State::Rewinding(_) | State::Receiving => Phase::Receiving,
            State::Verifying => Phase::Verifying,
            State::Publishing(_) => Phase::Publishing,
            State::Waiting { .. } | State::MakingRoom(_) => Phase::Waiting,
            State::Draining(_) => Phase::Draining,
            State::Evicting(_) | State::Gone(_) => Phase::Evicting,
        }
    }

    /// Its unfinished file, and the record of that.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = &StorePath> {
        self.partial
            .as_deref()
            .into_iter()
            .flat_map(|partial| [Some(&partial.path), partial.record_path.as_ref()])
            .flatten()
    }

    /// How it will end, where that is decided.
    pub(crate) const fn ending(&self) -> Option<&Outcome> {
        match &self.state {
            State::Draining(Then::Finish(outcome)) | State::Evicting(outcome) | State::Gone(outcome) => Some(outcome),
            State::Queued
            | State::Checking(_)
            | State::Connecting { .. }
            | State::Redirecting { .. }
            | State::Rewinding(_)
            | State::Receiving
            | State::Verifying
            | State::Publishing(_)
            | State::Waiting { .. }
            | State::MakingRoom(_)
            | State::Draining(Then::Retry { .. } | Then::Wait { .. } | Then::MakeRoom(_) | Then::Follow { .. }) => None,
        }
    }

    /// How long its file is announced to be, and what of it came, while it is on its way to its name.
    pub(crate) fn announced(&self) -> Option<(u64, u64)> {
        if let State::MakingRoom(_) = self.state {
            return self.told.total.map(|total| (total, 0));
        }
        let transfer = self.transfer.as_deref()?;
        let is_published = self.partial.as_deref().is_some_and(|partial| partial.is_published);
        transfer.announced.length.filter(|_| !is_published).map(|length| (length, transfer.meter.received()))
    }

    pub(crate) fn progress(&self) -> Progress {
        self.transfer.as_deref().map_or(self.told, |transfer| transfer.meter.progress())
    }

    /// Whether it has been under way before, so that it goes first in its line.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.requests == 0
    }

    /// Another process fetches its file, or did until now: whether the server is there is not known by it.
    pub(crate) const fn is_locked_out(&self) -> bool {
        self.locked_since.is_some()
    }

    /// How long its file is to be, as far as that was told.
    pub(crate) const fn total(&self) -> Option<u64> {
        self.told.total
    }

    pub(crate) const fn slot(&self) -> Option<&Origin> {
        self.slot.as_ref()
    }

    /// When it wants to be told of the time next.
    pub(crate) fn deadline(&self, config: &Config) -> Option<Instant> {
        let own = match &self.state {
            State::Connecting { deadline, .. } | State::Redirecting { deadline, .. } => Some(*deadline),
            State::Receiving => self.transfer.as_deref().and_then(|transfer| transfer.deadline(config)),
            State::Waiting { until } => Some(*until),
            State::Queued
            | State::Checking(_)
            | State::Rewinding(_)
            | State::Verifying
            | State::Publishing(_)
            | State::MakingRoom(_)
            | State::Draining(_)
            | State::Evicting(_)
            | State::Gone(_) => None,
        };
        let whole = self.whole_deadline.filter(|_| self.state.is_timed());
        sooner(own, whole)
    }

    pub(super) fn is_overdue(&self, cx: &Context<'_>) -> bool {
        self.whole_deadline.is_some_and(|deadline| deadline <= cx.now)
    }

    pub(super) const fn needs_slot(&self) -> bool {
        let under_way = match self.state {
            State::Checking(_)
            | State::Connecting { .. }
            | State::Redirecting { .. }
            | State::Rewinding(_)
            | State::Receiving => true,
            State::Queued
            | State::Verifying
            | State::Publishing(_)
            | State::Waiting { .. }
            | State::MakingRoom(_)
            | State::Draining(_)
            | State::Evicting(_)
            | State::Gone(_) => false,
        };
        under_way || self.dropping || self.body.is_some()
    }

    pub(crate) fn check_invariants(&self) {
        let name = self.name.to_string();
        let has_partial = self.partial.is_some();
        match &self.state {
            State::Evicting(_) | State::Gone(_) => {
                assert!(!has_partial && self.unanswered == 0, "{name} holds nothing and waits for no answer");
            }
            State::Queued | State::Waiting { .. } | State::MakingRoom(_) => {
                assert!(self.unanswered == 0, "{name} waits for no answer");
                assert!(self.partial.as_deref().is_none_or(Partial::is_ours), "{name} holds what is its own");
            }
            State::Checking(_) => {
                assert!(self.unanswered > 0 && self.slot.is_some(), "{name} looks");
                assert_eq!(
                    self.body.is_some(),
                    self.awaiting.is_some(),
                    "{name} only looks, or has a reply that waits"
                );
            }
            State::Connecting { .. } | State::Redirecting { .. } => {
                assert!(self.body.is_some() && self.slot.is_some(), "{name} has an exchange");
                let has_file = self.partial.as_deref().is_some_and(Partial::is_ours);
                assert!(has_file || !self.is_named, "{name} has a file of its own");
            }
            State::Rewinding(_) | State::Receiving => {
                assert!(self.body.is_some() && self.slot.is_some(), "{name} has a body");
                assert!(self.partial.as_deref().is_some_and(Partial::is_ours), "{name} has a file of its own");
            }
            State::Verifying | State::Publishing(_) => assert!(self.body.is_none(), "{name} has all bytes"),
            State::Draining(_) => assert!(self.unanswered > 0, "{name} waits for something"),
        }
        let waits = matches!(self.state, State::Queued | State::Waiting { .. } | State::MakingRoom(_));
        let is_idle = waits || matches!(self.state, State::Evicting(_) | State::Gone(_));
        if is_idle {
            assert!(self.slot.is_none() && !self.dropping && self.body.is_none(), "{name} has no slot");
            assert!(self.transfer.is_none() && self.compared.is_none() && self.removing.is_empty(), "{name} is idle");
        }
        let is_transferring = matches!(self.state, State::Receiving | State::Verifying);
        assert!(!is_transferring || self.transfer.is_some(), "{name} has a transfer");
        if let Some(transfer) = self.transfer.as_deref() {
            assert!(!transfer.reading || self.unanswered > 0, "{name} waits for the chunk that it asked for");
        }
        if let Some(partial) = self.partial.as_deref() {
            assert!(
                partial.length <= partial.disk_length || partial.is_untouched,
                "{name} has no more than was written"
            );
        }
    }

    /// Whether a file that has the name is replaced.
    pub(super) fn clobbers(&self) -> bool {
        self.request.if_present == IfPresent::Replace
    }

    /// Whether this action is the `Fetch` of the exchange.
    pub(super) fn is_fetched_by(&self, fetch: ActionId) -> bool {
        self.body.as_ref().is_some_and(|body| body.fetch == fetch)
    }

    /// Why the unfinished file is not gone on with, where it is not.
    pub(super) fn spoiled(&self) -> Option<DownloadError> {
        let (step, fault) = self.partial.as_deref()?.spoiled.clone()?;
        Some(DownloadError::File { step, fault })
    }

    pub(super) fn is_stalled(&self, cx: &Context<'_>) -> bool {
        let deadline = self.transfer.as_deref().and_then(|transfer| transfer.stall.deadline());
        deadline.is_some_and(|deadline| deadline <= cx.now)
    }
}

/// The first of two times that there may be.
impl Context<'_> {
    /// Whether a file of that length could fit, where there is such a bound.
    pub(super) fn check_room(&self, length: u64) -> Result<(), DownloadError> {
        match self.room_max {
            Some(room_max) if length > room_max => Err(DownloadError::NoRoom { length, room_max }),
            Some(_) | None => Ok(()),
        }
    }
}

fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl State {
    /// Whether the timeout of the whole download runs.
    pub(super) const fn is_timed(&self) -> bool {
        match self {
            Self::Queued
            | Self::Checking(_)
            | Self::Connecting { .. }
            | Self::Redirecting { .. }
            | Self::Rewinding(_)
            | Self::Receiving
            | Self::Verifying
            | Self::Waiting { .. }
            | Self::MakingRoom(_) => true,
            Self::Publishing(_) | Self::Draining(_) | Self::Evicting(_) | Self::Gone(_) => false,
        }
    }
}

impl Transfer {
    fn deadline(&self, config: &Config) -> Option<Instant> {
        let write = self.gather.since().map(|since| since + config.gather_time);
        sooner(sooner(self.stall.deadline(), write), self.meter.report_at())
    }
}

/// Whether this can be the file that was published.
pub(super) const fn is_published_as(stat: &FileStat, length: u64) -> bool {
    matches!(stat.kind, FileKind::Regular) && stat.length == length
}

/// Whether the file that was to be touched is not there any more.
pub(super) fn is_gone(touched: &Result<Stamp, Fault>) -> bool {
    matches!(touched, Err(fault) if fault.kind() == FaultKind::NotFound)
}

/// Whether the error only says that something before it failed.
pub(super) fn is_skipped(error: &DownloadError) -> bool {
    matches!(error, DownloadError::File { fault, .. } if fault.kind() == FaultKind::Skipped)
}
