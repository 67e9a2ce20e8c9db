//! What happens, as a stream and an iterator.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dlmanager_core::{DownloadId, Notice};
use futures_core::Stream;

use crate::state::After;
use crate::sync::{block_on, block_on_until, lock};
use crate::{Hook, Subject};

/// So many events wait to be read; after that the oldest go.
const EVENTS_MAX: usize = 65_536;

/// Something that happened.
///
/// ```
/// use dlmanager::{Event, Notice, Outcome};
///
/// fn line(event: &Event) -> Option<String> {
///     Some(match event {
///         Event::Download { download, notice: Notice::Finished { outcome: Outcome::Failed(error), .. } } => {
///             format!("{}: {error}", download.name)
///         }
///         Event::Directory { notice: Notice::Evicted { path, why, .. } } => format!("{path} went: {why}"),
///         Event::Missed { count } => format!("{count} events were missed"),
///         _ => return None,
///     })
/// }
///
/// assert_eq!(line(&Event::Missed { count: 3 }).as_deref(), Some("3 events were missed"));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A download has news.
    Download {
        /// Which one.
        download: Arc<Subject>,
        /// What it is: never one of the directory's.
        notice: Notice,
    },
    /// The directory has news: it is ready, a file was evicted, something could not be removed.
    Directory {
        /// What it is.
        notice: Notice,
    },
    /// The observer of a download panicked and is called no more. The download goes on.
    ObserverPanicked {
        /// Whose observer.
        download: Arc<Subject>,
        /// What it said.
        message: String,
    },
    /// A hook panicked and is called no more. The manager goes on.
    HookPanicked {
        /// Which one.
        hook: Hook,
        /// The download that it was called for.
        download: Arc<Subject>,
        /// What it said.
        message: String,
    },
    /// The environment names a proxy, and none is used: connections are made directly. Told once, before the first download
    /// starts; never where the transport is one of the program's own, which may use what it likes.
    ProxyIgnored {
        /// The variables that name one: `http_proxy`, `https_proxy` and `all_proxy`, in lower or upper case.
        variables: Vec<&'static str>,
    },
    /// The reader was too slow, and this many of the oldest events were dropped.
    Missed {
        /// How many.
        count: u64,
    },
}

/// The events of a manager since it was asked for, from [`DownloadManager::events`](crate::DownloadManager::events):
/// a [`Stream`], and an iterator that blocks (`for event in manager.events()`). It ends when the manager is closed and
/// all is told, also by observers and hooks that panic. Dropping it ends it.
///
/// ```
/// use dlmanager::{DownloadManager, Event, Notice};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("notes.txt"), "hello")?;
/// let manager = DownloadManager::new(directory)?;
/// let mut events = manager.events(); // before the download is asked for, so that none is missed
/// manager.download("https://example.org/notes.txt")?;
/// while let Some(event) = events.recv() {
///     if let Event::Download { download, notice: Notice::Finished { outcome, .. } } = event {
///         println!("{}: {outcome:?}", download.name);
///         break;
///     }
/// }
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// Every reader is told the same, each event once, in the order in which things happened:
///
/// - Of each download [`Started`](Notice::Started) comes first and [`Finished`](Notice::Finished) last; only the report of
///   an observer or a hook that panicked may follow.
/// - In between, progress begins with the offset that the download starts from and never falls without a
///   [`Rewound`](Notice::Rewound) before; the last one before a complete end is `(n, n)`.
/// - [`Locked`](Notice::Locked) is told once where another process fetches that name, however long it is waited for.
/// - `Finished` comes after the file got its name or what was unfinished is removed, and after the eviction that the
///   download caused: each [`Evicted`](Notice::Evicted) of it, and [`Swept`](Notice::Swept) where that has news, stand
///   before.
/// - Who waits for a download is woken when its `Finished` waits to be read, not before.
///
/// [Hooks](crate::Builder::on_started) are called in the same order, each reader and the hooks at their own pace.
///
/// # Bounds
///
/// Progress is coalesced: besides the first one that it is told of a download, at most one report of it waits to be read
/// between two other events. At most 65,536 events wait; after that the oldest go, and [`Event::Missed`] says how many.
///
/// Should the loop end before the manager is closed, the stream ends, without a `Finished` of what was running.
#[derive(Debug)]
pub struct Events {
    subscription: Arc<Subscription>,
}

impl Events {
    pub(crate) fn new(subscription: Arc<Subscription>) -> Self {
        Self { subscription }
    }

    /// The next event; `None` when all is told. Blocks.
    pub fn recv(&mut self) -> Option<Event> {
        block_on(self.recv_async())
    }

    /// The next event, waiting at most so long.
    ///
    /// # Errors
    ///
    /// There was none in time, or there will be no more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        // What is there needs neither the clock nor anybody to be woken.
        match self.try_recv() {
            Err(TryRecvError::Empty) => {}
            received => return received.map_err(|_| RecvTimeoutError::Disconnected),
        }
        let received = match Instant::now().checked_add(timeout) {
            Some(deadline) => block_on_until(self.recv_async(), deadline).ok_or(RecvTimeoutError::Timeout)?,
            None => self.recv(),
        };
        received.ok_or(RecvTimeoutError::Disconnected)
    }

    /// The next event, if there is one now.
    ///
    /// # Errors
    ///
    /// There is none now, or there will be no more.
    pub fn try_recv(&mut self) -> Result<Event, TryRecvError> {
        let mut queue = lock(&self.subscription.queue);
        match queue.pop() {
            Some(event) => Ok(event),
            None if queue.ended => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    /// The next event; `None` when all is told.
    pub async fn recv_async(&mut self) -> Option<Event> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let waker = context.waker().clone();
        let mut queue = lock(&self.subscription.queue);
        let event = queue.pop();
        let (poll, unused) = match event {
            None if !queue.ended => (Poll::Pending, queue.waker.replace(waker)),
            event => (Poll::Ready(event), Some(waker)),
        };
        drop(queue);
        drop(unused);
        poll
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let rest = {
            let mut queue = lock(&self.subscription.queue);
            queue.unwanted = true;
            (std::mem::take(&mut queue.events), queue.waker.take())
        };
        drop(rest);
    }
}

impl IntoIterator for Events {
    type Item = Event;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self)
    }
}

/// The events of a manager, each waited for by blocking.
///
/// ```
/// use dlmanager::{DownloadManager, Event, Notice};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("notes.txt"), "hello")?;
/// let manager = DownloadManager::new(directory)?;
/// let events = manager.events().into_iter();
/// manager.download("https://example.org/notes.txt")?.wait()?;
/// manager.close().wait()?; // else the events would not end
/// let ended = |event: &Event| matches!(event, Event::Download { notice: Notice::Finished { .. }, .. });
/// assert_eq!(events.filter(ended).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct IntoIter(Events);

impl Iterator for IntoIter {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.0.recv()
    }
}

/// The queue between the loop and one reader.
#[derive(Debug)]
pub(crate) struct Subscription {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    /// How many events have left at the front: the index of an event is its position in `events` plus this.
    left: u64,
    /// The downloads whose first progress was told, and the index of the report that a newer one replaces, where nothing
    /// else of the download came since.
    progress: BTreeMap<DownloadId, Option<u64>>,
    missed: u64,
    waker: Option<Waker>,
    /// There will be no more.
    ended: bool,
    /// Nobody reads any more.
    unwanted: bool,
}

impl Subscription {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default() })
    }

    /// Returns whether it is read.
    pub(crate) fn push(&self, event: Event, after: &mut After) -> bool {
        let mut queue = lock(&self.queue);
        if !queue.unwanted {
            queue.push(event);
            after.wake(queue.waker.take());
        }
        !queue.unwanted
    }

    pub(crate) fn end(&self, after: &mut After) {
        let mut queue = lock(&self.queue);
        queue.ended = true;
        after.wake(queue.waker.take());
    }
}

impl Queue {
    fn push(&mut self, event: Event) {
        let mut replaceable = None;
        if let Event::Download { download, notice } = &event {
            match (notice, self.progress.get_mut(&download.id)) {
                (Notice::Progress { .. }, None) => {
                    self.progress.insert(download.id, None);
                }
                (Notice::Progress { .. }, Some(_)) => {
                    if let Some(waiting) = self.waiting_progress(download.id) {
                        *waiting = event;
                        return;
                    }
                    replaceable = Some(download.id);
                }
                (Notice::Finished { .. }, _) => {
                    self.progress.remove(&download.id);
                }
                (_, Some(waiting)) => *waiting = None,
                (_, None) => {}
            }
        }
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
            self.left += 1;
            self.missed += 1;
        }
        if let Some(id) = replaceable {
            self.progress.insert(id, Some(self.left + self.events.len() as u64));
        }
        self.events.push_back(event);
    }

    fn waiting_progress(&mut self, id: DownloadId) -> Option<&mut Event> {
        let position = (*self.progress.get(&id)?)?.checked_sub(self.left)?;
        self.events.get_mut(usize::try_from(position).ok()?)
    }

    fn pop(&mut self) -> Option<Event> {
        if self.missed > 0 {
            return Some(Event::Missed { count: std::mem::take(&mut self.missed) });
        }
        let event = self.events.pop_front()?;
        self.left += 1;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(subscription: &Arc<Subscription>) -> Events {
        Events::new(Arc::clone(subscription))
    }

    #[test]
    fn a_reader_that_is_too_slow_is_told_how_much_it_missed() {
        let subscription = Subscription::new();
        let mut after = After::default();
        for count in 0..EVENTS_MAX as u64 + 3 {
            subscription.push(Event::Missed { count }, &mut after);
        }
        subscription.end(&mut after);
        let mut events = events(&subscription);
        assert_eq!(events.try_recv(), Ok(Event::Missed { count: 3 }));
        assert_eq!(events.try_recv(), Ok(Event::Missed { count: 3 }), "the oldest that is left");
        assert_eq!(events.into_iter().count(), EVENTS_MAX - 1);
    }

    #[test]
    fn no_event_in_time_is_told_apart_from_no_more_events() {
        let subscription = Subscription::new();
        let mut events = events(&subscription);
        assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(events.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        subscription.end(&mut After::default());
        assert_eq!(events.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(events.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Disconnected));
        let push = || subscription.push(Event::Missed { count: 1 }, &mut After::default());
        assert!(push());
        drop(events);
        assert!(!push());
    }
}
