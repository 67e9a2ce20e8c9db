//! The manager. (Skeleton: the signatures are the contract, the machine follows.)
use crate::*;
use alloc::vec::Vec;
use url::Url;

/// Many downloads into one directory, as one state machine.
#[derive(Debug)]
pub struct Manager {
    config: Config,
}

/// Where a download is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waits for a slot, or for an earlier download of its name to be gone.
    Queued,
    /// Looks whether the file is there.
    Checking,
    /// Waits for the head of a reply.
    Connecting,
    /// Receives the body.
    Receiving,
    /// Has all bytes, and waits for them to be written and found right.
    Verifying,
    /// Gives the file its name: it can no longer be canceled.
    Publishing,
    /// Has ended, and waits for the eviction that it caused.
    Evicting,
    /// Waits for the time of its next attempt.
    Waiting,
    /// Gives back what it holds, then ends or goes on.
    Draining,
}

/// A look at a live download.
#[derive(Debug, Clone, Copy)]
pub struct DownloadInfo<'a> {
    /// Its identifier.
    pub id: DownloadId,
    /// The URL that it was admitted with.
    pub url: &'a Url,
    /// The name of its file.
    pub name: &'a FileName,
    /// Where it is in its life.
    pub phase: Phase,
    /// How far it is.
    pub progress: Progress,
}

impl Manager {
    /// A manager for one directory. Every random choice comes from the seed.
    pub fn new(config: Config, _seed: u64) -> Self {
        Self { config }
    }
    /// Admits a download: joins the live one of that name, or starts a new one.
    pub fn download(&mut self, _now: Instant, _request: Request) -> Result<Admission, AdmitError> {
        Err(AdmitError::Closed)
    }
    /// Cancels a download.
    pub fn cancel(&mut self, _now: Instant, _id: DownloadId) -> Result<(), CancelError> {
        Err(CancelError::Unknown)
    }
    /// Cancels the downloads that match, returns how many.
    pub fn cancel_if(&mut self, _now: Instant, _matches: impl FnMut(&DownloadInfo<'_>) -> bool) -> usize {
        0
    }
    /// Cancels all, then drains: nothing more is admitted.
    pub fn close(&mut self, _now: Instant) {}
    /// Runs a pass of eviction as soon as the scan is complete; `Notice::Swept` tells its end. Nothing without a limit.
    pub fn remove_old_files(&mut self, _now: Instant) {}
    /// Takes an event in.
    pub fn handle(&mut self, _now: Instant, _event: Event) {}
    /// The next output; `Output::Wait` ends a turn.
    pub fn poll(&mut self) -> Output {
        Output::Wait(Wait { until: None, why: WakeReason::Command })
    }
    /// Closed, nothing live, no action unanswered.
    pub fn is_drained(&self) -> bool {
        true
    }
    /// The live downloads, in the order of admission.
    pub fn downloads(&self) -> impl Iterator<Item = DownloadInfo<'_>> {
        Vec::new().into_iter()
    }
    /// A live download.
    pub fn info(&self, _id: DownloadId) -> Option<DownloadInfo<'_>> {
        None
    }
    /// The bound of the directory and the files that count.
    pub fn limit(&self) -> Option<&PersistLimit> {
        None
    }
    /// How many actions are unanswered.
    pub fn outstanding(&self) -> usize {
        0
    }
    /// Panics where the machine contradicts itself; for tests.
    pub fn check_invariants(&self) {}
    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
