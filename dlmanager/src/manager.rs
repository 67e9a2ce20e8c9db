//! The manager.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use dlmanager_core::{AdmitError, FileName, IfPresent, NameError, Progress, Stamp, StorePath, Unmet};
use http::{HeaderName, HeaderValue};

use crate::{Builder, Download, Events, ManagerGone, OpenError, WaitError};

/// Many downloads into one directory.
///
/// Clones share one manager. Dropping the last one cancels what runs and does not block; [`close`](Self::close) tells
/// when nothing is half done.
#[derive(Clone)]
pub struct DownloadManager {
    directory: PathBuf,
}

impl DownloadManager {
    /// A manager with default settings, on a thread of its own. Makes the directory and its parents.
    ///
    /// # Errors
    ///
    /// See [`Builder::open`].
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder(directory).open()
    }

    /// The settings of a manager for `directory`.
    pub fn builder(directory: impl Into<PathBuf>) -> Builder {
        Builder::new(directory.into())
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a download under the URL's own name, or joins the one that runs under that name. Whether the file is there
    /// already, its outcome tells. Returns at once.
    ///
    /// # Errors
    ///
    /// The URL cannot be fetched, it yields no valid name, or the manager is closed.
    pub fn download(&self, url: impl AsRef<str>) -> Result<Download, AdmitError> {
        self.request(url).start()
    }

    /// A download with more to say about it.
    pub fn request(&self, url: impl AsRef<str>) -> RequestBuilder<'_> {
        let _ = url;
        RequestBuilder { manager: self }
    }

    /// Where the file of that name is or would be.
    ///
    /// # Errors
    ///
    /// The name is not valid.
    pub fn dest(&self, name: &str) -> Result<PathBuf, NameError> {
        FileName::new(name).map(|name| self.directory.join(name.as_str()))
    }

    /// The downloads that run, queued ones included, in the order of their admission.
    pub fn downloads(&self) -> Vec<Download> {
        panic!("skeleton")
    }

    /// Cancels the running downloads that match; returns how many.
    pub fn cancel_if(&self, matches: impl FnMut(&Download) -> bool) -> usize {
        let _ = matches;
        panic!("skeleton")
    }

    /// Cancels all running downloads; returns how many.
    pub fn cancel_all(&self) -> usize {
        self.cancel_if(|_| true)
    }

    /// Blocks until all downloads that were started before have ended, and evictions that they caused are done.
    ///
    /// # Errors
    ///
    /// Some of those that were started since the last `wait` failed; all are listed. What was canceled has not failed.
    pub fn wait(&self) -> Result<(), WaitError> {
        self.all_done().wait()
    }

    /// What [`wait`](Self::wait) waits for, to be awaited.
    pub fn all_done(&self) -> AllDone {
        panic!("skeleton")
    }

    /// Blocks until no download runs. Failures are left for [`wait`](Self::wait) to tell.
    pub fn wait_idle(&self) {
        panic!("skeleton")
    }

    /// What happens from now on, as a stream and an iterator.
    pub fn events(&self) -> Events {
        panic!("skeleton")
    }

    /// Evicts what the limit wants to go, without a download having ended. Nothing without a limit.
    pub fn remove_old_files(&self) -> Sweep {
        panic!("skeleton")
    }

    /// The files that the limit would have removed now, the first to go first: what
    /// [`remove_old_files`](Self::remove_old_files) would do. Empty without a limit.
    pub fn victims(&self) -> Vec<Victim> {
        panic!("skeleton")
    }

    /// What counts for the limit; `None` without one.
    pub fn limit_usage(&self) -> Option<LimitUsage> {
        panic!("skeleton")
    }

    /// Cancels what runs and admits nothing more, at once. Awaiting the value, or its [`wait`](Closed::wait), is the
    /// guarantee that nothing is half done: nothing runs, nothing unfinished is left, and observers got their last calls.
    /// May be called again, with the same meaning.
    pub fn close(&self) -> Closed {
        panic!("skeleton")
    }
}

/// A download about to be asked for, from [`DownloadManager::request`].
#[must_use = "start it"]
pub struct RequestBuilder<'a> {
    manager: &'a DownloadManager,
}

impl RequestBuilder<'_> {
    /// The name of the file instead of the URL's last path segment. It may hold subfolders, which are made on demand.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        let _ = name;
        self
    }

    /// A header field to send, to the URL's own origin only. It replaces an earlier one of that name.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        let _ = (name, value);
        self
    }

    /// What to do where a file of that name is there already; it is taken as it is unless set.
    pub fn if_present(self, if_present: IfPresent) -> Self {
        let _ = if_present;
        self
    }

    /// An observer from the beginning on, see [`Download::set_progress`]. It replaces that of a download that is joined.
    pub fn progress(self, observer: impl FnMut(&Progress) + Send + 'static) -> Self {
        let _ = observer;
        self
    }

    /// Starts the download, or joins the one that runs under that name. Returns at once.
    ///
    /// # Errors
    ///
    /// The URL cannot be fetched, the name is not valid, or the manager is closed.
    pub fn start(self) -> Result<Download, AdmitError> {
        let _ = self.manager;
        panic!("skeleton")
    }
}

/// The end of all downloads that were started before; from [`DownloadManager::all_done`].
#[must_use = "await it, or call wait"]
pub struct AllDone {}

impl AllDone {
    /// Blocks until it is there.
    ///
    /// # Errors
    ///
    /// As for [`DownloadManager::wait`].
    pub fn wait(self) -> Result<(), WaitError> {
        panic!("skeleton")
    }
}

impl Future for AllDone {
    type Output = Result<(), WaitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = context;
        panic!("skeleton")
    }
}

/// The end of a pass of eviction; from [`DownloadManager::remove_old_files`].
pub struct Sweep {}

impl Sweep {
    /// Blocks until it is there.
    ///
    /// # Errors
    ///
    /// The manager was closed or its loop is gone before the pass was done.
    pub fn wait(self) -> Result<Swept, ManagerGone> {
        panic!("skeleton")
    }
}

impl Future for Sweep {
    type Output = Result<Swept, ManagerGone>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = context;
        panic!("skeleton")
    }
}

/// What a pass of eviction left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// What counts after it.
    pub usage: LimitUsage,
    /// The size limit is still exceeded, for this reason.
    pub unmet: Option<Unmet>,
}

/// What counts for a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitUsage {
    /// How many files.
    pub files: u64,
    /// Their total length in bytes.
    pub bytes: u64,
}

/// A file that a limit would have removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Victim {
    /// Its name within the directory.
    pub path: StorePath,
    /// Its length in bytes.
    pub length: u64,
    /// When it was last accessed.
    pub accessed: Stamp,
}

/// The end of a manager; from [`DownloadManager::close`]. It is closed whether this is waited for or not.
pub struct Closed {}

impl Closed {
    /// Blocks until nothing is half done.
    ///
    /// # Errors
    ///
    /// The loop was gone before it could clean up; the next manager in that directory does.
    pub fn wait(self) -> Result<(), ManagerGone> {
        panic!("skeleton")
    }
}

impl Future for Closed {
    type Output = Result<(), ManagerGone>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = context;
        panic!("skeleton")
    }
}
