//! What happens, as a stream and an iterator.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::task::{Context, Poll};
use std::time::Duration;

use dlmanager_core::Notice;
use futures_core::Stream;

use crate::Subject;

/// Something that happened.
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
    /// The reader was too slow, and this many of the oldest events were dropped.
    Missed {
        /// How many.
        count: u64,
    },
}

/// The events of a manager since it was asked for, from [`DownloadManager::events`](crate::DownloadManager::events):
/// a [`Stream`], and an iterator that blocks (`for event in manager.events()`). It ends when the manager is closed and
/// all is told.
///
/// Progress is coalesced: of each download at most one report waits to be read. At most 65,536 events wait; after that
/// the oldest go, and [`Event::Missed`] says how many. Dropping it ends it.
pub struct Events {}

impl Events {
    /// The next event; `None` when all is told. Blocks.
    pub fn recv(&mut self) -> Option<Event> {
        panic!("skeleton")
    }

    /// The next event, waiting at most so long.
    ///
    /// # Errors
    ///
    /// There was none in time, or there will be no more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        let _ = timeout;
        panic!("skeleton")
    }

    /// The next event, if there is one now.
    ///
    /// # Errors
    ///
    /// There is none now, or there will be no more.
    pub fn try_recv(&mut self) -> Result<Event, TryRecvError> {
        panic!("skeleton")
    }

    /// The next event; `None` when all is told.
    pub async fn recv_async(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let _ = context;
        panic!("skeleton")
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
pub struct IntoIter(Events);

impl Iterator for IntoIter {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.0.recv()
    }
}
