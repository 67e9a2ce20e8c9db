//! Waiting, never for ever.

use std::any::Any;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;
use std::{future::Future, pin::pin};

use dlmanager::{Download, DownloadManager, DownloadedFile, Error, Event, Events};

/// Long enough for a machine under load. No timeout of the manager is as short, so that nothing ends by one.
pub(crate) const DEADLINE: Duration = Duration::from_secs(25);

/// Runs what may block or panic. The error is the panic's message, or that it took too long; then the thread stays.
pub(crate) fn on_a_thread<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, result) = mpsc::channel();
    let worker = thread::spawn(move || done.send(work()).is_ok());
    match result.recv_timeout(deadline) {
        Ok(value) => Ok(value),
        Err(RecvTimeoutError::Timeout) => Err(format!("it has not ended within {deadline:?}")),
        Err(RecvTimeoutError::Disconnected) => Err(match worker.join() {
            Ok(_) => "the thread ended without a word".into(),
            Err(panic) => message(&*panic),
        }),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".into())
}

/// Runs what blocks, in time.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    on_a_thread(DEADLINE, work).unwrap_or_else(|error| panic!("{error}"))
}

/// How the download ends, in time.
#[track_caller]
pub(crate) fn end(download: &Download) -> Result<DownloadedFile, Error> {
    download.wait_timeout(DEADLINE).unwrap_or_else(|| panic!("{download:?} has not ended in time"))
}

/// Closes the manager, in time: then observers got their last calls.
#[track_caller]
pub(crate) fn close(manager: &DownloadManager) {
    let closed = manager.close();
    within(move || closed.wait()).expect("the loop lives until the manager is closed");
}

/// What is sent, in time.
#[track_caller]
pub(crate) fn receive<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(DEADLINE).expect("something is sent in time")
}

/// What a future says right now.
pub(crate) fn is_ready(future: impl Future) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// The events up to the first that matches, that one included.
#[track_caller]
pub(crate) fn events_until(events: &mut Events, matches: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let event = events.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("{error} after {seen:?}"));
        let last = matches(&event);
        seen.push(event);
        if last {
            return seen;
        }
    }
}

/// The events of a manager that is closed.
pub(crate) fn all_events(events: Events) -> Vec<Event> {
    within(move || events.into_iter().collect())
}
