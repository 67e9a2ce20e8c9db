//! The core behind its lock, with all that hangs on it: what handles, waiters and the loop share.
//!
//! One lock guards the core; those of records, subscriptions and pools are taken under it, never the other way round. No
//! user's code runs under any of them: wakers are collected in an [`After`] and woken once the lock is free.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dlmanager_core::{
    Admission, AdmitError, CancelError, DirectoryError, DownloadId, Instant, Manager, Notice, Outcome, Request,
};

use crate::events::{Event, Events, Subscription};
use crate::observe::{OBSERVERS_MAX, Observer, in_observer, serve};
use crate::pool::Pool;
use crate::record::Record;
use crate::sync::{Wakers, lock};
use crate::waits::Waits;
use crate::{DownloadedFile, Error, LimitUsage, ManagerGone, Subject, Swept, Victim};

/// A deadline that cannot be represented is replaced by one that far away: the tick that it causes is harmless.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct Shared {
    epoch: std::time::Instant,
    pub(crate) directory: PathBuf,
    state: Mutex<State>,
    observers: Pool,
}

pub(crate) struct State {
    pub(crate) core: Manager,
    /// The downloads that have not ended, in the order of their admission.
    pub(crate) records: BTreeMap<DownloadId, Arc<Record>>,
    pub(crate) waits: Waits,
    phase: Phase,
    alone: Alone,
    directory: Option<Result<(), DirectoryError>>,
    sweeps: u64,
    swept: Swept,
    subscriptions: Vec<Arc<Subscription>>,
    the_loop: Option<Waker>,
    /// Who waits for the directory, for a sweep, or for the end.
    wakers: Wakers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Closed, and nothing is half done.
    Drained,
    /// The loop ended before.
    Gone,
}

/// Whether the manager is there for one download, and ends with it.
enum Alone {
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
    unused: Vec<Waker>,
    observed: Vec<Arc<Record>>,
}

impl Shared {
    pub(crate) fn new(core: Manager, directory: PathBuf) -> Arc<Self> {
        let state = State {
            core,
            records: BTreeMap::new(),
            waits: Waits::default(),
            phase: Phase::Running,
            alone: Alone::No,
            directory: None,
            sweeps: 0,
            swept: Swept::default(),
            subscriptions: Vec::new(),
            the_loop: None,
            wakers: Wakers::default(),
        };
        Arc::new(Self {
            epoch: std::time::Instant::now(),
            directory,
            state: Mutex::new(state),
            observers: Pool::new("dlmanager-observer", OBSERVERS_MAX),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deadline(&self, until: Instant) -> std::time::Instant {
        let deadline = self.epoch.checked_add(Duration::from_nanos(until.as_nanos()));
        deadline.unwrap_or_else(|| std::time::Instant::now() + FAR)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Admits a download. Its observer replaces that of one that is joined.
    pub(crate) fn download(
        self: &Arc<Self>,
        request: Request,
        observer: Option<Observer>,
    ) -> Result<Arc<Record>, AdmitError> {
        self.admit(request, observer, None)
    }

    /// Admits the one download of this manager, which is shown to go to `dest`. The manager ends with it, and not before.
    pub(crate) fn download_alone(
        self: &Arc<Self>,
        request: Request,
        observer: Option<Observer>,
        dest: PathBuf,
    ) -> Result<Arc<Record>, AdmitError> {
        self.admit(request, observer, Some(dest))
    }

    fn admit(
        self: &Arc<Self>,
        request: Request,
        observer: Option<Observer>,
        alone: Option<PathBuf>,
    ) -> Result<Arc<Record>, AdmitError> {
        let name = request.file_name()?;
        let url = request.url().clone();
        let is_alone = alone.is_some();
        let dest = alone.unwrap_or_else(|| self.directory.join(name.as_str()));
        let now = self.now();
        let mut state = self.lock();
        if state.phase != Phase::Running {
            return Err(AdmitError::Closed);
        }
        let admission = state.core.download(now, request)?;
        if is_alone {
            state.alone = Alone::Running;
        }
        let id = admission.id();
        let joined = match admission {
            Admission::Joined(id) => state.records.get(&id).cloned(),
            Admission::Started(_) => None,
        };
        let record = joined.unwrap_or_else(|| {
            let record = Record::new(Subject { id, url, name, dest });
            state.records.insert(id, Arc::clone(&record));
            state.waits.started(id);
            record
        });
        // Before the loop's next turn, so that the first value is not missed.
        let (tell, old) = match observer {
            Some(observer) => record.observe(Some(observer)),
            None => (false, None),
        };
        self.wake_loop(state);
        drop(old);
        if tell {
            self.serve(Arc::clone(&record));
        }
        Ok(record)
    }

    pub(crate) fn cancel(&self, record: &Record) -> Result<(), CancelError> {
        let now = self.now();
        let mut state = self.lock();
        if state.phase != Phase::Running {
            return Err(CancelError::Unknown);
        }
        state.core.cancel(now, record.subject.id)?;
        record.lock().canceled = true;
        self.wake_loop(state);
        Ok(())
    }

    /// Cancels all and admits nothing more.
    pub(crate) fn close(&self) {
        let now = self.now();
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.core.close(now);
            self.wake_loop(state);
        }
    }

    /// The last clone of the manager is gone: closes it, unless it is to end with its one download.
    pub(crate) fn abandon(&self) {
        let stands_alone = !matches!(self.lock().alone, Alone::No);
        if !stands_alone {
            self.close();
        }
    }

    /// Asks for a pass of eviction. Returns how many had ended before, for [`poll_sweep`](Self::poll_sweep).
    pub(crate) fn sweep(&self) -> u64 {
        let now = self.now();
        let mut state = self.lock();
        let before = state.sweeps;
        if state.phase == Phase::Running {
            state.core.remove_old_files(now);
            self.wake_loop(state);
        }
        before
    }

    pub(crate) fn events(&self) -> Events {
        let mut state = self.lock();
        let subscription = Subscription::new();
        if state.phase == Phase::Running {
            state.subscriptions.push(Arc::clone(&subscription));
        } else {
            let mut after = After::default();
            subscription.end(&mut after);
        }
        Events::new(subscription)
    }

    /// Has the observer of a record told what there is for it.
    pub(crate) fn serve(self: &Arc<Self>, record: Arc<Record>) {
        let shared = Arc::clone(self);
        self.observers.run([Box::new(move || serve(&shared, &record)) as _]);
    }

    pub(crate) fn observer_panicked(self: &Arc<Self>, record: &Record, message: String) {
        let mut after = After::default();
        let event = Event::ObserverPanicked { download: Arc::clone(&record.subject), message };
        self.lock().publish(&event, &mut after);
        after.run(self);
    }

    /// The loop has ended. Does nothing where that was after a close.
    pub(crate) fn gone(self: &Arc<Self>) {
        let mut after = After::default();
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.phase = Phase::Gone;
            for (id, record) in std::mem::take(&mut state.records) {
                let error = Error::ManagerGone(ManagerGone);
                record.finish(Err(error.clone()), &mut after);
                state.waits.ended(id, None, Some((&record.subject, error)), &mut after);
            }
            state.tell_alone(&mut after);
            state.end(&mut after);
        }
        drop(state);
        after.run(self);
    }

    /// The loop has news when a command was given. Outside the lock, as a waker is somebody else's code.
    fn wake_loop(&self, mut state: MutexGuard<'_, State>) {
        let waker = state.the_loop.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready when it is known whether the directory may be managed.
    pub(crate) fn poll_directory(
        &self,
        context: &Context<'_>,
        key: &mut Option<u64>,
    ) -> Poll<Result<Result<(), DirectoryError>, ManagerGone>> {
        self.poll_state(context, key, |state| match (&state.directory, state.phase) {
            (Some(directory), _) => Some(Ok(directory.clone())),
            (None, Phase::Running) => None,
            (None, Phase::Drained | Phase::Gone) => Some(Err(ManagerGone)),
        })
    }

    /// Ready when a pass of eviction ended after the first `before` ones.
    pub(crate) fn poll_sweep(
        &self,
        context: &Context<'_>,
        key: &mut Option<u64>,
        before: u64,
    ) -> Poll<Result<Swept, ManagerGone>> {
        self.poll_state(context, key, |state| match state.phase {
            _ if state.sweeps > before || state.core.limit().is_none() => Some(Ok(state.swept.clone())),
            Phase::Running => None,
            Phase::Drained | Phase::Gone => Some(Err(ManagerGone)),
        })
    }

    /// Ready when the loop has ended, and observers got their last calls.
    pub(crate) fn poll_end(&self, context: &Context<'_>, key: &mut Option<u64>) -> Poll<Result<(), ManagerGone>> {
        self.poll_state(context, key, |state| match state.phase {
            Phase::Running => None,
            Phase::Drained => Some(Ok(())),
            Phase::Gone => Some(Err(ManagerGone)),
        })
    }

    /// Ready when observers got their last calls; an observer does not wait for itself.
    pub(crate) fn poll_observers(&self, context: &Context<'_>, key: &mut Option<u64>) -> Poll<()> {
        if in_observer() { Poll::Ready(()) } else { self.observers.poll_idle(context, key) }
    }

    pub(crate) fn forget_waker(&self, key: Option<u64>) {
        let waker = self.lock().wakers.forget(key);
        drop(waker);
    }

    fn poll_state<T>(
        &self,
        context: &Context<'_>,
        key: &mut Option<u64>,
        ready: impl FnOnce(&State) -> Option<T>,
    ) -> Poll<T> {
        let waker = context.waker().clone();
        let mut state = self.lock();
        let (poll, unused) = match ready(&state) {
            Some(value) => (Poll::Ready(value), Some(waker)),
            None => (Poll::Pending, state.wakers.register(key, waker)),
        };
        drop(state);
        drop(unused);
        poll
    }
}

impl State {
    /// Keeps the loop's waker for the next command; returns the one before.
    pub(crate) fn register_loop(&mut self, waker: Waker) -> Option<Waker> {
        self.the_loop.replace(waker)
    }

    /// Passes the core's news on to whom it concerns.
    pub(crate) fn notice(&mut self, notice: &Notice, after: &mut After) {
        match notice {
            Notice::Progress { id, progress } => {
                if let Some(record) = self.records.get(id) {
                    record.progress(*progress, after);
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
            Notice::Swept { files, bytes, unmet } => {
                self.sweeps += 1;
                self.swept = Swept { usage: LimitUsage { files: *files, bytes: *bytes }, unmet: *unmet };
                after.wake(self.wakers.take());
            }
            Notice::Started { .. }
            | Notice::Redirected { .. }
            | Notice::Retrying { .. }
            | Notice::Rewound { .. }
            | Notice::Finished { .. }
            | Notice::Evicted { .. }
            | Notice::Warning(_) => {}
        }
        self.tell(notice, after);
        if let Notice::Finished { id, outcome } = notice {
            self.finished(*id, outcome, after);
        }
    }

    fn finished(&mut self, id: DownloadId, outcome: &Outcome, after: &mut After) {
        let Some(record) = self.records.remove(&id) else { return };
        let result = record.result_of(outcome);
        let failure = match &result {
            Ok(_) | Err(Error::Canceled) => None,
            Err(error) => Some((&record.subject, error.clone())),
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

    fn tell_alone(&mut self, after: &mut After) {
        match std::mem::replace(&mut self.alone, Alone::No) {
            Alone::Ended(record, result) | Alone::Closing(record, result) => record.finish(result, after),
            Alone::No | Alone::Running => {}
        }
    }

    /// The core is closed and drained: nothing more will happen.
    pub(crate) fn drained(&mut self, after: &mut After) {
        self.phase = Phase::Drained;
        self.tell_alone(after);
        self.end(after);
    }

    fn end(&mut self, after: &mut After) {
        for subscription in self.subscriptions.drain(..) {
            subscription.end(after);
        }
        after.wake(self.wakers.take());
    }

    /// Has subscribers told of a notice, with what it is about.
    fn tell(&mut self, notice: &Notice, after: &mut After) {
        if self.subscriptions.is_empty() {
            return;
        }
        let about = match notice {
            Notice::Started { id }
            | Notice::Progress { id, .. }
            | Notice::Redirected { id, .. }
            | Notice::Retrying { id, .. }
            | Notice::Rewound { id, .. }
            | Notice::Finished { id, .. } => Some(id),
            Notice::DirectoryReady
            | Notice::DirectoryRefused { .. }
            | Notice::Evicted { .. }
            | Notice::Swept { .. }
            | Notice::Warning(_) => None,
        };
        let event = match about.map(|id| self.records.get(id)) {
            None => Event::Directory { notice: notice.clone() },
            Some(Some(record)) => Event::Download { download: Arc::clone(&record.subject), notice: notice.clone() },
            Some(None) => return,
        };
        self.publish(&event, after);
    }

    fn publish(&mut self, event: &Event, after: &mut After) {
        self.subscriptions.retain(|subscription| subscription.is_wanted());
        for subscription in &self.subscriptions {
            subscription.push(event.clone(), after);
        }
    }

    /// What the limit wants to go now.
    pub(crate) fn victims(&self) -> Vec<Victim> {
        let Some(limit) = self.core.limit() else { return Vec::new() };
        let live = |path: &str| self.records.values().any(|record| record.subject.name.as_str() == path);
        let victims = limit.victims(usize::MAX, |path| live(path.as_str()));
        victims.into_iter().filter_map(Victim::new).collect()
    }

    pub(crate) fn limit_usage(&self) -> Option<LimitUsage> {
        self.core.limit().map(|limit| LimitUsage { files: limit.files(), bytes: limit.bytes() })
    }
}

impl After {
    pub(crate) fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.wakers.extend(wakers);
    }

    /// A waker that is needed no more, to be dropped.
    pub(crate) fn unused(&mut self, waker: Option<Waker>) {
        self.unused.extend(waker);
    }

    pub(crate) fn serve(&mut self, record: &Arc<Record>) {
        self.observed.push(Arc::clone(record));
    }

    pub(crate) fn run(&mut self, shared: &Arc<Shared>) {
        self.unused.clear();
        self.wakers.drain(..).for_each(Waker::wake);
        for record in self.observed.drain(..) {
            shared.serve(record);
        }
    }
}
