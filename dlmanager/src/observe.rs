//! Observers: callbacks that are told how far a download is, on threads apart from the loop.
//!
//! An observer gets the first value and the last for certain, and in between the latest one at the time of the call. One
//! that is slow delays nobody but itself, and at most three others like it those of other downloads.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dlmanager_core::Progress;

use crate::events::Event;
use crate::record::Record;
use crate::shared::Shared;

/// Greatest number of observers of one manager that run at the same time.
pub(crate) const OBSERVERS_MAX: usize = 4;

pub(crate) type Observer = Box<dyn FnMut(&Progress) + Send>;

thread_local! {
    static IN_OBSERVER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is calling an observer or a hook, and so cannot wait for them.
pub(crate) fn in_observer() -> bool {
    IN_OBSERVER.get()
}

/// Calls an observer or a hook. Its panic is returned.
pub(crate) fn as_observer(call: impl FnOnce()) -> std::thread::Result<()> {
    IN_OBSERVER.set(true);
    let called = catch_unwind(AssertUnwindSafe(call));
    IN_OBSERVER.set(false);
    called
}

/// What is to be told to the observer of one download.
#[derive(Default)]
pub(crate) struct Observation {
    /// Counts the observers, so that one that was replaced during its call does not come back.
    generation: u64,
    /// An observer is set; while it is being called it is not in `observer`.
    active: bool,
    observer: Option<Observer>,
    /// The observer was told something, or will be told `first`.
    begun: bool,
    first: Option<Progress>,
    latest: Option<Progress>,
    /// A job that serves it is queued or runs.
    scheduled: bool,
    ended: bool,
}

impl Observation {
    /// Offers a value. Returns whether a job has to be scheduled.
    pub(crate) fn offer(&mut self, progress: Progress) -> bool {
        if !self.active {
            return false;
        }
        if self.begun {
            self.latest = Some(progress);
        } else {
            self.begun = true;
            self.first = Some(progress);
        }
        self.schedule()
    }

    /// The download has ended: once all is told the observer goes. Returns whether a job has to be scheduled.
    pub(crate) fn end(&mut self) -> bool {
        self.ended = true;
        self.active && self.schedule()
    }

    /// Sets or clears the observer. Returns whether a job has to be scheduled, and the old observer.
    pub(crate) fn set(
        &mut self,
        observer: Option<Observer>,
        progress: Option<Progress>,
        ended: bool,
    ) -> (bool, Option<Observer>) {
        self.generation += 1;
        self.active = observer.is_some();
        let old = std::mem::replace(&mut self.observer, observer);
        (self.begun, self.first, self.latest) = (progress.is_some(), progress, None);
        self.ended = ended;
        (self.active && (progress.is_some() || ended) && self.schedule(), old)
    }

    fn schedule(&mut self) -> bool {
        !std::mem::replace(&mut self.scheduled, true)
    }
}

/// Tells an observer what there is, once; what comes meanwhile is told by another job, behind those that wait.
pub(crate) fn serve(shared: &Arc<Shared>, record: &Arc<Record>) {
    let (mut observer, values, generation) = {
        let mut cell = record.lock();
        let observation = &mut cell.observation;
        let Some(observer) = observation.observer.take() else {
            observation.scheduled = false;
            return;
        };
        (observer, [observation.first.take(), observation.latest.take()], observation.generation)
    };
    let panicked = as_observer(|| values.iter().flatten().for_each(&mut observer)).err();
    let (again, unused) = {
        let mut cell = record.lock();
        let observation = &mut cell.observation;
        observation.scheduled = false;
        let pending = observation.first.is_some() || observation.latest.is_some();
        if observation.generation != generation {
            // Another one was set meanwhile.
            let again = observation.active && (pending || observation.ended) && observation.schedule();
            (again, Some(observer))
        } else if panicked.is_some() || (observation.ended && !pending) {
            observation.active = false;
            (false, Some(observer))
        } else {
            observation.observer = Some(observer);
            ((pending || observation.ended) && observation.schedule(), None)
        }
    };
    if let Some(payload) = panicked {
        let download = Arc::clone(record.subject());
        shared.report(Event::ObserverPanicked { download, message: message(&*payload) });
        // Dropping the payload may panic again; dropping the observer may too, which the thread survives.
        std::mem::forget(payload);
    }
    if again {
        shared.serve(Arc::clone(record));
    }
    drop(unused);
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
