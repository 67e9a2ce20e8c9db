//! What the one lock guards, and what has to wait until it is free.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::task::Waker;

use dlmanager_core::{DirectoryError, DownloadId, Fault, Instant, Kept, Manager, Notice, Warning};

use crate::events::{Event, Subscription};
use crate::hooks::{Call, Hook};
use crate::protection::{Claim, Protection};
use crate::record::Record;
use crate::shared::Shared;
use crate::sync::{Wakers, wake};
use crate::waits::Waits;
use crate::{DownloadedFile, Error, LimitUsage, ManagerGone, Swept, Victim};

pub(crate) struct State {
    pub(crate) core: Manager,
    /// The directory's.
    path: PathBuf,
    /// Whom outcomes tell that they are dropped.
    shared: Weak<Shared>,
    /// The downloads that have not ended, in the order of their admission.
    pub(crate) records: BTreeMap<DownloadId, Arc<Record>>,
    pub(crate) waits: Waits,
    pub(crate) phase: Phase,
    /// The loop has ended, and what it had to tell is on its way.
    pub(crate) over: bool,
    pub(crate) alone: Alone,
    pub(crate) directory: Option<Result<(), DirectoryError>>,
    /// How many of the passes of eviction that were asked for have ended, which they do in their order.
    pub(crate) sweeps: u64,
    /// How many were asked for.
    pub(crate) sweeps_asked: u64,
    pub(crate) swept: Swept,
    /// What could not be evicted since the last pass that was told.
    not_evicted: BTreeMap<PathBuf, Fault>,
    /// What should have gone and was kept, since then.
    kept: Vec<(PathBuf, Kept)>,
    pub(crate) subscriptions: Vec<Arc<Subscription>>,
    /// Variables that name a proxy, until they are told.
    proxies_ignored: Vec<&'static str>,
    pub(crate) the_loop: Option<Waker>,
    /// Who waits for the directory, for a sweep, or for the end.
    pub(crate) wakers: Wakers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Closed, and nothing is half done.
    Drained,
    /// The loop ended before.
    Gone,
}

/// Whether the manager is there for one download, and ends with it.
pub(crate) enum Alone {
    No,
    Running,
    /// The download has ended, and the core is to be closed.
    Ended(Arc<Record>, Result<DownloadedFile, Error>),
    /// Told when nothing is half done, as there is no manager whose end could be waited for.
    Closing(Arc<Record>, Result<DownloadedFile, Error>),
}

/// What to do once the lock is free.
#[derive(Default)]
pub(crate) struct After {
    wakers: Vec<Waker>,
    observed: Vec<Arc<Record>>,
    hooked: Vec<Call>,
}

impl State {
    /// The core of the directory at `path`.
    pub(crate) fn new(core: Manager, path: PathBuf, proxies_ignored: Vec<&'static str>, shared: Weak<Shared>) -> Self {
        Self {
            core,
            path,
            shared,
            records: BTreeMap::new(),
            waits: Waits::default(),
            phase: Phase::Running,
            over: false,
            alone: Alone::No,
            directory: None,
            sweeps_asked: 0,
            sweeps: 0,
            swept: Swept::default(),
            not_evicted: BTreeMap::new(),
            kept: Vec::new(),
            subscriptions: Vec::new(),
            proxies_ignored,
            the_loop: None,
            wakers: Wakers::default(),
        }
    }

    /// Keeps the loop's waker for the next command; returns the one before.
    pub(crate) fn register_loop(&mut self, waker: Waker) -> Option<Waker> {
        self.the_loop.replace(waker)
    }

    /// Passes the core's news on to whom it concerns.
    pub(crate) fn notice(&mut self, notice: Notice, after: &mut After) {
        let mut ended = None;
        match &notice {
            Notice::Started { id } => {
                if let Some(record) = self.records.get(id) {
                    record.start(after);
                }
            }
            Notice::Progress { id, progress } => {
                if let Some(record) = self.records.get(id) {
                    record.progress(*progress, after);
                }
            }
            Notice::Named { id, name } => {
                if let Some(record) = self.records.get(id) {
                    record.rename(name, &self.path);
                }
            }
            Notice::DirectoryReady => {
                self.directory = Some(Ok(()));
                after.wake(self.wakers.take());
            }
            Notice::DirectoryRefused { error } => {
                self.directory = Some(Err(error.clone()));
                after.wake(self.wakers.take());
            }
            Notice::Warning(Warning::NotEvicted { path, fault }) => {
                self.not_evicted.insert(self.path.join(path.as_str()), fault.clone());
            }
            // What may not be removed is told as a failure.
            Notice::Kept { why: Kept::Denied, .. } => {}
            Notice::Kept { path, why, .. } => self.kept.push((self.path.join(path.as_str()), *why)),
            Notice::Swept { files, bytes, unmet, asked } => {
                self.sweeps += u64::from(*asked);
                let failures = std::mem::take(&mut self.not_evicted).into_iter().collect();
                let (usage, kept) = (LimitUsage { files: *files, bytes: *bytes }, std::mem::take(&mut self.kept));
                // Nobody waits for the others, which may end before who waits is there.
                if *asked {
                    self.swept = Swept { usage, unmet: *unmet, failures, kept };
                    after.wake(self.wakers.take());
                }
            }
            Notice::Redirected { .. }
            | Notice::Locked { .. }
            | Notice::Retrying { .. }
            | Notice::Rewound { .. }
            | Notice::EvictionWaits
            | Notice::Evicted { .. }
            | Notice::Warning(_) => {}
            Notice::Finished { id, outcome } => {
                ended = self.records.get(id).map(|record| {
                    let protection = if outcome.has_file() && self.core.limit().is_some() {
                        Protection::of(Weak::clone(&self.shared), record.subject().name.clone())
                    } else {
                        Protection::default()
                    };
                    (*id, record.result_of(outcome, protection))
                });
            }
        }
        self.tell(notice, after);
        if let Some((id, result)) = ended {
            self.finished(id, result, after);
        }
    }

    fn finished(&mut self, id: DownloadId, result: Result<DownloadedFile, Error>, after: &mut After) {
        let Some(record) = self.records.remove(&id) else { return };
        let failure = match &result {
            Ok(_) | Err(Error::Canceled) => None,
            Err(error) => Some((record.subject(), error.clone())),
        };
        let oldest = self.records.keys().next().copied();
        self.waits.ended(id, oldest, failure, after);
        match self.alone {
            Alone::No => record.finish(result, after),
            Alone::Running | Alone::Ended(..) | Alone::Closing(..) => self.alone = Alone::Ended(record, result),
        }
    }

    /// Closes the core where its one download has ended. Returns whether that is so, and the core has more to say.
    pub(crate) fn close_after_the_one(&mut self, now: Instant) -> bool {
        match std::mem::replace(&mut self.alone, Alone::No) {
            Alone::Ended(record, result) => {
                self.alone = Alone::Closing(record, result);
                self.core.close(now);
                true
            }
            other => {
                self.alone = other;
                false
            }
        }
    }

    /// The core is closed and drained: nothing more will happen.
    pub(crate) fn drained(&mut self, after: &mut After) {
        self.phase = Phase::Drained;
        self.end(after);
    }

    /// The loop has ended before that: whoever waits is told.
    pub(crate) fn gone(&mut self, after: &mut After) {
        self.phase = Phase::Gone;
        for (id, record) in std::mem::take(&mut self.records) {
            let error = Error::ManagerGone(ManagerGone);
            record.finish(Err(error.clone()), after);
            self.waits.ended(id, None, Some((record.subject(), error)), after);
        }
        self.end(after);
    }

    fn end(&mut self, after: &mut After) {
        match std::mem::replace(&mut self.alone, Alone::No) {
            Alone::Ended(record, result) | Alone::Closing(record, result) => record.finish(result, after),
            Alone::No | Alone::Running => {}
        }
        after.wake(self.wakers.take());
    }

    pub(crate) fn over(&mut self, after: &mut After) {
        self.over = true;
        after.wake(self.wakers.take());
    }

    pub(crate) fn end_events(&mut self, after: &mut After) {
        for subscription in self.subscriptions.drain(..) {
            subscription.end(after);
        }
    }

    /// Has subscribers told of a notice, with what it is about.
    fn tell(&mut self, notice: Notice, after: &mut After) {
        if self.subscriptions.is_empty() {
            return;
        }
        let about = match &notice {
            Notice::Started { id }
            | Notice::Progress { id, .. }
            | Notice::Redirected { id, .. }
            | Notice::Locked { id }
            | Notice::Named { id, .. }
            | Notice::Retrying { id, .. }
            | Notice::Rewound { id, .. }
            | Notice::Finished { id, .. } => Some(id),
            Notice::DirectoryReady
            | Notice::DirectoryRefused { .. }
            | Notice::EvictionWaits
            | Notice::Evicted { .. }
            | Notice::Kept { .. }
            | Notice::Swept { .. }
            | Notice::Warning(_) => None,
        };
        let event = match about.map(|id| self.records.get(id)) {
            None => Event::Directory { notice },
            Some(Some(record)) => Event::Download { download: Arc::clone(record.subject()), notice },
            Some(None) => return,
        };
        self.publish(event, after);
    }

    /// Tells of proxies that are not used, once, as the first download is about to start.
    pub(crate) fn tell_of_proxies(&mut self, after: &mut After) {
        let variables = std::mem::take(&mut self.proxies_ignored);
        if !variables.is_empty() {
            self.publish(Event::ProxyIgnored { variables }, after);
        }
    }

    pub(crate) fn publish(&mut self, event: Event, after: &mut After) {
        let mut left = self.subscriptions.len();
        let mut event = Some(event);
        self.subscriptions.retain(|subscription| {
            left -= 1;
            // Most often there is one, which takes the event itself.
            let own = if left == 0 { event.take() } else { event.clone() };
            own.is_some_and(|event| subscription.push(event, after))
        });
    }

    /// What the limit wants to go now.
    pub(crate) fn victims(&mut self) -> Vec<Victim> {
        self.core.victims(usize::MAX).into_iter().filter_map(Victim::new).collect()
    }

    pub(crate) fn limit_usage(&self) -> Option<LimitUsage> {
        self.core.limit().map(|limit| LimitUsage { files: limit.files(), bytes: limit.bytes() })
    }
}

impl After {
    pub(crate) fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.wakers.extend(wakers);
    }

    pub(crate) fn serve(&mut self, record: &Arc<Record>) {
        self.observed.push(Arc::clone(record));
    }

    pub(crate) fn hook(&mut self, hook: Hook, record: &Arc<Record>, claim: Option<Claim>) {
        self.hooked.push(Call { hook, record: Arc::clone(record), claim });
    }

    /// Whether nobody is to be woken.
    pub(crate) fn wakes_nobody(&self) -> bool {
        self.wakers.is_empty()
    }

    pub(crate) fn run(&mut self, shared: &Arc<Shared>) {
        self.call(shared);
        self.wakers.drain(..).for_each(wake);
    }

    /// Hands out the calls of observers and hooks. What they hold keeps files from being evicted, and who reads the events need
    /// not be woken to get there first.
    pub(crate) fn call(&mut self, shared: &Arc<Shared>) {
        for record in self.observed.drain(..) {
            shared.serve(record);
        }
        if !self.hooked.is_empty() {
            shared.call_hooks(self.hooked.drain(..));
        }
    }
}
