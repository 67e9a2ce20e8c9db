//! Who waits for which downloads, and what failed since somebody waited last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use dlmanager_core::DownloadId;

use crate::state::After;
use crate::{Error, Failure, Subject, WaitError};

/// So many failures are kept for the next wait; of more only the number is.
const FAILURES_MAX: usize = 1024;

/// Downloads are told apart by their serial numbers, which follow the order of admission: whoever waits does so for those
/// up to the last one admitted before, and is told what failed after the last one that a wait had told of when it began. So
/// waits at the same time are each told of all.
#[derive(Default)]
pub(crate) struct Waits {
    issued: u64,
    last_started: u64,
    /// The last download that a wait, now over, has told of.
    told: u64,
    failures: Vec<(u64, Failure)>,
    omitted: u64,
    running: BTreeMap<u64, Running>,
}

struct Running {
    from: u64,
    to: u64,
    waker: Option<Waker>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// The end of all that were started before.
    StartedEnded,
    /// That nothing runs.
    Idle,
}

impl Waits {
    pub(crate) fn started(&mut self, id: DownloadId) {
        self.last_started = self.last_started.max(id.serial());
    }

    /// A download ended; `oldest` is the first of those that still run.
    pub(crate) fn ended(
        &mut self,
        id: DownloadId,
        oldest: Option<DownloadId>,
        failure: Option<(&Arc<Subject>, Error)>,
        after: &mut After,
    ) {
        if let Some((subject, error)) = failure {
            if self.failures.len() < FAILURES_MAX {
                self.failures.push((id.serial(), Failure { download: Arc::clone(subject), error }));
            } else {
                self.omitted += 1;
            }
        }
        for running in self.running.values_mut().filter(|running| is_over(running.to, oldest)) {
            after.wake(running.waker.take());
        }
    }

    pub(crate) fn begin(&mut self, until: Until) -> u64 {
        self.issued += 1;
        let (from, to) = match until {
            Until::StartedEnded => (self.told, self.last_started),
            Until::Idle => (u64::MAX, u64::MAX),
        };
        self.running.insert(self.issued, Running { from, to, waker: None });
        self.issued
    }

    /// The end of a wait, or `None` where it is not over: then `waker` is registered. Returns what is to be dropped outside
    /// the lock, too.
    pub(crate) fn poll(
        &mut self,
        wait: u64,
        oldest: Option<DownloadId>,
        waker: Waker,
    ) -> (Option<Result<(), WaitError>>, Option<Waker>) {
        match self.running.get_mut(&wait) {
            Some(running) if !is_over(running.to, oldest) => (None, running.waker.replace(waker)),
            Some(running) => {
                let (from, to) = (running.from, running.to);
                (Some(self.tell(wait, from, to)), Some(waker))
            }
            None => (Some(Ok(())), Some(waker)),
        }
    }

    /// Nobody is interested in this wait any more. What it would have told is left to the next.
    pub(crate) fn drop_wait(&mut self, wait: u64) -> Option<Waker> {
        self.running.remove(&wait).and_then(|running| running.waker)
    }

    fn tell(&mut self, wait: u64, from: u64, to: u64) -> Result<(), WaitError> {
        self.running.remove(&wait);
        if from == u64::MAX {
            return Ok(());
        }
        let told = self.failures.iter().filter(|(serial, _)| from < *serial && *serial <= to);
        let failures: Vec<Failure> = told.map(|(_, failure)| failure.clone()).collect();
        self.told = self.told.max(to);
        let wanted_from = self.running.values().map(|running| running.from).fold(self.told, u64::min);
        self.failures.retain(|(serial, _)| *serial > wanted_from);
        if failures.is_empty() && self.omitted == 0 {
            return Ok(());
        }
        Err(WaitError { failures, omitted: std::mem::take(&mut self.omitted) })
    }
}

fn is_over(to: u64, oldest: Option<DownloadId>) -> bool {
    oldest.is_none_or(|oldest| oldest.serial() > to)
}
