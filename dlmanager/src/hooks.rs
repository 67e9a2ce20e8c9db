//! Hooks: callbacks that are told of the start and the end of each download, on a thread apart from the loop.
//!
//! Calls wait in one queue, in the order in which things happened, and are made one at a time. The queue is as long as the
//! hooks are slow: no call is left out.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::observe::{as_observer, message};
use crate::pool::Pool;
use crate::protection::Claim;
use crate::record::Record;
use crate::runtime::Job;
use crate::shared::Shared;
use crate::sync::lock;
use crate::{Download, DownloadedFile, Error, Event};

/// One of a manager's hooks.
///
/// ```
/// use dlmanager::{DownloadManager, Event, Hook};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("notes.txt"), "hello")?;
/// let manager = DownloadManager::builder(directory).on_finished(|_, _| panic!("a bug")).open()?;
/// let mut events = manager.events().into_iter();
/// manager.download("https://example.org/notes.txt")?.wait()?; // as if there were no hook
/// manager.close().wait()?;
/// assert!(events.any(|event| matches!(event, Event::HookPanicked { hook: Hook::Finished, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// That of [`Builder::on_started`](crate::Builder::on_started).
    Started,
    /// That of [`Builder::on_finished`](crate::Builder::on_finished).
    Finished,
}

pub(crate) type OnStarted = Box<dyn FnMut(&Download) + Send>;
pub(crate) type OnFinished = Box<dyn FnMut(&Download, &Result<DownloadedFile, Error>) + Send>;

/// What a manager's user gave.
#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) started: Option<OnStarted>,
    pub(crate) finished: Option<OnFinished>,
}

/// A hook that is to be called, and for which download.
pub(crate) struct Call {
    pub(crate) hook: Hook,
    pub(crate) record: Arc<Record>,
    /// The file is there when it is called.
    pub(crate) claim: Option<Claim>,
}

/// The hooks of a manager, and who waits to be told to them.
pub(crate) struct Hooks {
    state: Mutex<State>,
    pool: Pool,
}

struct State {
    /// Not here while a job calls them.
    callbacks: Callbacks,
    has_started: bool,
    has_finished: bool,
    calls: VecDeque<Call>,
    /// A job that makes the calls is queued or runs.
    scheduled: bool,
    /// No more calls will come.
    ended: bool,
}

impl Hooks {
    pub(crate) fn new(callbacks: Callbacks) -> Self {
        let state = State {
            has_started: callbacks.started.is_some(),
            has_finished: callbacks.finished.is_some(),
            callbacks,
            calls: VecDeque::new(),
            scheduled: false,
            ended: false,
        };
        Self { state: Mutex::new(state), pool: Pool::new("dlmanager-hook", 1) }
    }

    /// Queues calls. Returns whether a job has to be run that [serves](Self::serve) them.
    pub(crate) fn push(&self, calls: impl IntoIterator<Item = Call>) -> bool {
        let wanted = lock(&self.state).wanted();
        // The others are dropped outside the lock, with what they hold.
        let calls: Vec<Call> = calls.into_iter().filter(|call| wanted.contains(&Some(call.hook))).collect();
        let mut state = lock(&self.state);
        state.calls.extend(calls);
        !state.calls.is_empty() && !std::mem::replace(&mut state.scheduled, true)
    }

    pub(crate) fn run(&self, job: Job) {
        self.pool.run([job]);
    }

    /// Makes the calls that wait.
    pub(crate) fn serve(&self, shared: &Arc<Shared>) {
        let mut callbacks = std::mem::take(&mut lock(&self.state).callbacks);
        while let Some(Call { hook, record, claim }) = self.next(&mut callbacks) {
            let called = callbacks.call(hook, &record, shared);
            drop(claim);
            let Err(panicked) = called else { continue };
            lock(&self.state).forget(hook);
            shared.report(Event::HookPanicked {
                hook,
                download: Arc::clone(record.subject()),
                message: message(&*panicked),
            });
            // Dropping the payload may panic again, and so may dropping the hook.
            std::mem::forget(panicked);
            callbacks.remove(hook);
        }
        callbacks.drop();
    }

    /// The next call; where there is none, the callbacks go back, or for good.
    fn next(&self, callbacks: &mut Callbacks) -> Option<Call> {
        let mut state = lock(&self.state);
        let call = state.calls.pop_front();
        if call.is_none() {
            state.scheduled = false;
            if !state.ended {
                state.callbacks = std::mem::take(callbacks);
            }
        }
        call
    }

    /// No more calls will come. Once those that wait are made, the hooks are dropped with all that they hold.
    pub(crate) fn end(&self) {
        let callbacks = {
            let mut state = lock(&self.state);
            state.ended = true;
            if state.scheduled {
                return;
            }
            std::mem::take(&mut state.callbacks)
        };
        callbacks.drop();
    }

    pub(crate) fn poll_idle(&self, context: &Context<'_>, key: &mut Option<u64>) -> Poll<()> {
        self.pool.poll_idle(context, key)
    }
}

impl State {
    fn wanted(&self) -> [Option<Hook>; 2] {
        [self.has_started.then_some(Hook::Started), self.has_finished.then_some(Hook::Finished)]
    }

    /// The hook is called no more.
    fn forget(&mut self, hook: Hook) {
        match hook {
            Hook::Started => self.has_started = false,
            Hook::Finished => self.has_finished = false,
        }
    }
}

impl Callbacks {
    /// Calls a hook, if it is still there. What it panics with is returned.
    fn call(&mut self, hook: Hook, record: &Arc<Record>, shared: &Arc<Shared>) -> std::thread::Result<()> {
        let download = Download::new(Arc::clone(record), Arc::clone(shared));
        as_observer(|| match hook {
            Hook::Started => {
                if let Some(started) = &mut self.started {
                    started(&download);
                }
            }
            Hook::Finished => {
                if let (Some(finished), Some(result)) = (&mut self.finished, download.result()) {
                    finished(&download, &result);
                }
            }
        })
    }

    fn remove(&mut self, hook: Hook) {
        match hook {
            Hook::Started => Self { started: self.started.take(), finished: None }.drop(),
            Hook::Finished => Self { started: None, finished: self.finished.take() }.drop(),
        }
    }

    /// Drops the hooks, which may panic.
    fn drop(self) {
        let Self { started, finished } = self;
        for dropped in
            [catch_unwind(AssertUnwindSafe(|| drop(started))), catch_unwind(AssertUnwindSafe(|| drop(finished)))]
        {
            if let Err(payload) = dropped {
                std::mem::forget(payload);
            }
        }
    }
}
