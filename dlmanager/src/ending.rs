//! Ends that can be awaited or waited for: of downloads, of a pass of eviction, of a manager.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::shared::{Leaving, Shared};
use crate::sync::block_on;
use crate::waits::Until;
use crate::{ManagerGone, Swept, WaitError};

/// The end of all downloads that were started before; from
/// [`DownloadManager::all_done`](crate::DownloadManager::all_done).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = dlmanager::DownloadManager::new("downloads")?;
/// for name in ["a.zip", "b.zip"] {
///     manager.download(format!("https://example.org/{name}"))?;
/// }
/// manager.all_done().await?; // or `manager.wait()?` without any async
/// # Ok(())
/// # }
/// ```
#[must_use = "await it, or call wait"]
pub struct AllDone {
    shared: Arc<Shared>,
    wait: u64,
}

impl AllDone {
    pub(crate) fn new(shared: &Arc<Shared>, until: Until) -> Self {
        let wait = shared.lock().waits.begin(until);
        Self { shared: Arc::clone(shared), wait }
    }

    /// Blocks until it is there.
    ///
    /// # Errors
    ///
    /// As for [`DownloadManager::wait`](crate::DownloadManager::wait).
    pub fn wait(self) -> Result<(), WaitError> {
        block_on(self)
    }
}

impl Future for AllDone {
    type Output = Result<(), WaitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = context.waker().clone();
        let (over, unused) = {
            let mut state = self.shared.lock();
            let oldest = state.records.keys().next().copied();
            state.waits.poll(self.wait, oldest, waker)
        };
        drop(unused);
        over.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for AllDone {
    fn drop(&mut self) {
        let waker = self.shared.lock().waits.drop_wait(self.wait);
        drop(waker);
    }
}

/// The end of a pass of eviction; from [`DownloadManager::remove_old_files`](crate::DownloadManager::remove_old_files).
/// It takes place whether this is waited for or not.
///
/// ```
/// use dlmanager::{DownloadManager, PersistLimit};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("a.log"), "0123456789")?;
/// # std::fs::write(directory.join("b.log"), "0123456789")?;
/// let limit = PersistLimit::new(10, 1); // from 10 bytes on, but 1 file is kept
/// let manager = DownloadManager::builder(directory).persist_limit(limit).adopt(true).open()?;
/// let swept = manager.remove_old_files().wait()?; // in async code: `.await?`
/// assert_eq!(swept.usage.files, 1);
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sweep {
    shared: Arc<Shared>,
    before: u64,
    key: Option<u64>,
}

impl Sweep {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let before = shared.sweep();
        Self { shared: Arc::clone(shared), before, key: None }
    }

    /// Blocks until it is there.
    ///
    /// # Errors
    ///
    /// The manager was closed or its loop is gone before the pass was done.
    pub fn wait(self) -> Result<Swept, ManagerGone> {
        block_on(self)
    }
}

impl Future for Sweep {
    type Output = Result<Swept, ManagerGone>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.shared.poll_sweep(context, &mut this.key, this.before)
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.shared.forget_waker(self.key);
    }
}

/// The end of a manager; from [`DownloadManager::close`](crate::DownloadManager::close) and
/// [`close_keeping`](crate::DownloadManager::close_keeping). It is closed whether this is waited for or not.
///
/// ```
/// use dlmanager::{AdmitError, DownloadManager};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// let manager = DownloadManager::new(directory)?;
/// manager.close().wait()?; // in async code: `.await?`
/// let refused = manager.download("https://example.org/notes.txt").unwrap_err();
/// assert_eq!(refused, AdmitError::Closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Closed {
    shared: Arc<Shared>,
    key: Option<u64>,
    told: [Option<u64>; 2],
}

impl Closed {
    pub(crate) fn new(shared: &Arc<Shared>, leaving: Leaving) -> Self {
        shared.close(leaving);
        Self { shared: Arc::clone(shared), key: None, told: [None; 2] }
    }

    /// Blocks until nothing is half done.
    ///
    /// # Errors
    ///
    /// The loop was gone before it could clean up: what is unfinished stays hidden, in `.dlmanager/`.
    pub fn wait(self) -> Result<(), ManagerGone> {
        block_on(self)
    }
}

impl Future for Closed {
    type Output = Result<(), ManagerGone>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let end = ready!(this.shared.poll_end(context, &mut this.key));
        ready!(this.shared.poll_told(context, &mut this.told));
        Poll::Ready(end)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.shared.forget_waker(self.key);
    }
}

/// Whether the directory may be managed, once that is known.
pub(crate) struct DirectoryReady {
    pub(crate) shared: Arc<Shared>,
    key: Option<u64>,
}

impl DirectoryReady {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), key: None }
    }
}

impl Future for DirectoryReady {
    type Output = Result<Result<(), dlmanager_core::DirectoryError>, ManagerGone>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.shared.poll_directory(context, &mut this.key)
    }
}

impl Drop for DirectoryReady {
    fn drop(&mut self) {
        self.shared.forget_waker(self.key);
    }
}

macro_rules! debug_as {
    ($($name:ident),*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })*
    };
}

debug_as!(AllDone, Sweep, Closed);
