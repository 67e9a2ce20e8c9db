//! The core behind its lock, with all that hangs on it: what handles, waiters and the loop share.
//!
//! One lock guards the core; those of records, subscriptions and pools are taken under it, never the other way round. No
//! user's code runs under any of them: wakers are collected in an [`After`] and woken once the lock is free.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use dlmanager_core::{Admission, AdmitError, CancelError, DirectoryError, FileName, Instant, Manager, Request};
use dlmanager_fs::Directory;
use http::{HeaderName, HeaderValue};

use crate::events::{Event, Events, Subscription};
use crate::hooks::{Call, Callbacks, Hooks};
use crate::observe::{OBSERVERS_MAX, Observer, in_observer, serve};
use crate::pool::Pool;
use crate::protection::Claim;
use crate::record::Record;
use crate::state::{After, Alone, Phase, State};
use crate::sync::{lock, wake};
use crate::{ManagerGone, Runtime, Subject, Swept};

/// A deadline that cannot be represented is replaced by one that far away: the tick that it causes is harmless.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct Shared {
    runtime: Arc<dyn Runtime>,
    epoch: std::time::Instant,
    pub(crate) directory: PathBuf,
    /// The real directory, where the store works on one.
    pub(crate) real: Option<Directory>,
    /// Fields for every request that does not set them itself.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    is_bounded: bool,
    state: Mutex<State>,
    observers: Pool,
    hooks: Hooks,
    /// How many jobs for observers and hooks are queued or run.
    telling: AtomicUsize,
}

/// What canceled downloads leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    Nothing,
    /// What can be gone on with later.
    Unfinished,
}

/// A job for observers or hooks. The last one of a manager that has ended ends the events.
struct Telling(Arc<Shared>);

impl Shared {
    pub(crate) fn new(
        core: Manager,
        directory: PathBuf,
        real: Option<Directory>,
        headers: Vec<(HeaderName, HeaderValue)>,
        callbacks: Callbacks,
        proxies_ignored: Vec<&'static str>,
        runtime: Arc<dyn Runtime>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|shared| Self {
            epoch: runtime.now(),
            runtime,
            is_bounded: core.limit().is_some(),
            state: Mutex::new(State::new(core, directory.clone(), proxies_ignored, Weak::clone(shared))),
            directory,
            real,
            headers,
            observers: Pool::new("dlmanager-observer", OBSERVERS_MAX),
            hooks: Hooks::new(callbacks),
            telling: AtomicUsize::new(0),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        let since_start = self.runtime.now().saturating_duration_since(self.epoch);
        Instant::from_nanos(u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deadline(&self, until: Instant) -> std::time::Instant {
        let deadline = self.epoch.checked_add(Duration::from_nanos(until.as_nanos()));
        deadline.unwrap_or_else(|| self.runtime.now() + FAR)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Admits a download. Its observer replaces that of one that is joined.
    pub(crate) fn download(
        self: &Arc<Self>,
        request: Request,
        observer: Option<Observer>,
    ) -> Result<Claim, AdmitError> {
        self.admit(request, observer, None)
    }

    /// Admits the one download of this manager, which is shown to go to `dest`. The manager ends with it, and not before.
    pub(crate) fn download_alone(
        self: &Arc<Self>,
        request: Request,
        observer: Option<Observer>,
        dest: PathBuf,
    ) -> Result<Claim, AdmitError> {
        self.admit(request, observer, Some(dest))
    }

    fn admit(
        self: &Arc<Self>,
        request: Request,
        observer: Option<Observer>,
        alone: Option<PathBuf>,
    ) -> Result<Claim, AdmitError> {
        let expected = request.expected();
        let is_alone = alone.is_some();
        let now = self.now();
        let mut state = self.lock();
        if state.phase != Phase::Running {
            return Err(AdmitError::Closed);
        }
        let admission = state.core.download(now, request)?;
        let mut after = After::default();
        state.tell_of_proxies(&mut after);
        if is_alone {
            state.alone = Alone::Running;
        }
        let id = admission.id();
        let joined = match admission {
            Admission::Joined(id) => state.records.get(&id).cloned(),
            Admission::Started(_) => None,
        };
        let record = joined.unwrap_or_else(|| {
            // Where the server is to name it, what it may be called.
            let (url, name) = match state.core.info(id) {
                Some(info) => (info.url.clone(), info.name.clone()),
                None => unreachable!("admitted in this step"),
            };
            let dest = alone.unwrap_or_else(|| self.directory.join(name.as_str()));
            let record = Record::new(Subject { id, url, name, dest }, expected);
            state.records.insert(id, Arc::clone(&record));
            state.waits.started(id);
            record
        });
        // Before the loop's next turn, so that the first value is not missed.
        let (tell, old) = match observer {
            Some(observer) => record.observe(Some(observer)),
            None => (false, None),
        };
        // Before it can end, so that its file is there when the outcome is asked for.
        let claim = Claim::new(Arc::clone(&record));
        self.wake_loop(state);
        after.run(self);
        drop(old);
        if tell {
            self.serve(record);
        }
        Ok(claim)
    }

    pub(crate) fn cancel(&self, record: &Record, leaving: Leaving) -> Result<(), CancelError> {
        let now = self.now();
        let mut state = self.lock();
        if state.phase != Phase::Running {
            return Err(CancelError::Unknown);
        }
        match leaving {
            Leaving::Nothing => state.core.cancel(now, record.subject().id)?,
            Leaving::Unfinished => state.core.interrupt(now, record.subject().id)?,
        }
        record.lock().canceled = true;
        self.wake_loop(state);
        Ok(())
    }

    /// Cancels all and admits nothing more.
    pub(crate) fn close(&self, leaving: Leaving) {
        let now = self.now();
        let mut state = self.lock();
        if state.phase == Phase::Running {
            match leaving {
                Leaving::Nothing => state.core.close(now),
                Leaving::Unfinished => state.core.close_keeping(now),
            }
            self.wake_loop(state);
        }
    }

    /// The last clone of the manager is gone: closes it, unless it is to end with its one download.
    pub(crate) fn abandon(&self) {
        let stands_alone = !matches!(self.lock().alone, Alone::No);
        if !stands_alone {
            self.close(Leaving::Nothing);
        }
    }

    /// Asks for a pass of eviction. Returns how many were asked for before, for [`poll_sweep`](Self::poll_sweep).
    pub(crate) fn sweep(&self) -> u64 {
        let now = self.now();
        let mut state = self.lock();
        let before = state.sweeps_asked;
        if state.phase == Phase::Running {
            state.sweeps_asked += 1;
            state.core.remove_old_files(now);
            self.wake_loop(state);
        }
        before
    }

    /// A lease of this process has ended, or the last copy of an outcome was dropped. Where the bound is exceeded that is
    /// news for the loop.
    pub(crate) fn release(&self, name: &FileName) {
        let now = self.now();
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.core.release(now, name);
            self.wake_loop(state);
        }
    }

    /// Holds a name once more. Whether there is a limit for which that matters.
    pub(crate) fn hold_again(&self, name: &FileName) -> bool {
        if self.is_bounded {
            self.lock().core.hold(name);
        }
        self.is_bounded
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
        let telling = Telling::new(self);
        self.observers.run([Box::new(move || serve(&telling.0, &record)) as _]);
    }

    /// Has hooks called.
    pub(crate) fn call_hooks(self: &Arc<Self>, calls: impl IntoIterator<Item = Call>) {
        if self.hooks.push(calls) {
            let telling = Telling::new(self);
            self.hooks.run(Box::new(move || telling.0.hooks.serve(&telling.0)));
        }
    }

    /// Publishes an event that comes from an observer or a hook.
    pub(crate) fn report(self: &Arc<Self>, event: Event) {
        let mut after = After::default();
        self.lock().publish(event, &mut after);
        after.run(self);
    }

    /// The loop has ended. Does nothing where that was after a close.
    pub(crate) fn gone(self: &Arc<Self>) {
        let mut after = After::default();
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.gone(&mut after);
        }
        drop(state);
        after.run(self);
        self.over();
    }

    /// The loop has ended, and all that observers and hooks are to be told is on its way to them.
    pub(crate) fn over(self: &Arc<Self>) {
        self.hooks.end();
        let mut after = After::default();
        self.lock().over(&mut after);
        after.run(self);
        self.end_events();
    }

    /// Ends the events, once the loop has ended and observers and hooks got their last calls: until then they may have
    /// to be reported.
    fn end_events(self: &Arc<Self>) {
        let mut after = After::default();
        let mut state = self.lock();
        if state.over && self.telling.load(Ordering::SeqCst) == 0 {
            state.end_events(&mut after);
        }
        drop(state);
        after.run(self);
    }

    /// The loop has news when a command was given. Outside the lock, as a waker is somebody else's code.
    fn wake_loop(&self, mut state: MutexGuard<'_, State>) {
        let waker = state.the_loop.take();
        drop(state);
        waker.into_iter().for_each(wake);
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

    /// Ready when more than `before` of the passes that were asked for have ended, which they do in their order.
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

    /// Ready when the loop has ended, and all that observers and hooks are to be told is on its way to them.
    pub(crate) fn poll_end(&self, context: &Context<'_>, key: &mut Option<u64>) -> Poll<Result<(), ManagerGone>> {
        self.poll_state(context, key, |state| match state.phase {
            _ if !state.over => None,
            Phase::Running => None,
            Phase::Drained => Some(Ok(())),
            Phase::Gone => Some(Err(ManagerGone)),
        })
    }

    /// Ready when observers and hooks got their last calls; none of them waits for itself or another.
    pub(crate) fn poll_told(&self, context: &Context<'_>, keys: &mut [Option<u64>; 2]) -> Poll<()> {
        if in_observer() {
            return Poll::Ready(());
        }
        let [observers, hooks] = keys;
        ready!(self.observers.poll_idle(context, observers));
        self.hooks.poll_idle(context, hooks)
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

impl Telling {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.telling.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if self.0.telling.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.end_events();
        }
    }
}
