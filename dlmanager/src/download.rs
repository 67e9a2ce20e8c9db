//! The handle of a download.

use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dlmanager_core::{CancelError, DownloadId, FileName, Progress};
use url::Url;

use crate::Error;

/// What a download is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// Its identifier; a download that was joined has one for all who asked for it.
    pub id: DownloadId,
    /// The URL that it was started with, without user info.
    pub url: Url,
    /// The name of its file within the directory.
    pub name: FileName,
    /// Where its file will be.
    pub dest: PathBuf,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// How it got there.
    pub how: How,
    /// The URL that was used: of a fetched file the one that it came from in the end, after redirects; of one that was
    /// there the one that was asked for.
    pub url: Url,
    /// How many requests it took.
    pub requests: u32,
    /// Nothing said how long the file is: its body ended with the connection, so it may have been cut short.
    pub length_unverified: bool,
    /// The server sent the file in this coding although none was asked for; it is stored as it came.
    pub content_encoding: Option<Box<str>>,
}

impl DownloadedFile {
    /// Whether it was there already, or appeared meanwhile.
    pub fn is_present(&self) -> bool {
        self.how == How::Present
    }
}

/// How a file got where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was fetched by this download.
    Fetched,
    /// It was there already, or appeared meanwhile, and was left as it is.
    Present,
}

/// A download: a handle that can be cloned, sent, awaited by several, and waited for without any async.
///
/// Dropping it does not cancel the download.
#[derive(Clone)]
pub struct Download {
    subject: Arc<Subject>,
}

impl Download {
    /// What it is about, as [`events`](crate::DownloadManager::events) name it.
    pub fn subject(&self) -> &Arc<Subject> {
        &self.subject
    }

    /// Its identifier: the same for all who joined it.
    pub fn id(&self) -> DownloadId {
        self.subject.id
    }

    /// The URL that it was started with, without user info.
    pub fn url(&self) -> &Url {
        &self.subject.url
    }

    /// The name of its file within the directory.
    pub fn name(&self) -> &str {
        self.subject.name.as_str()
    }

    /// Where its file will be.
    pub fn dest(&self) -> &Path {
        &self.subject.dest
    }

    /// Whether it has not ended: true from admission on, also while it is queued.
    pub fn is_running(&self) -> bool {
        panic!("skeleton")
    }

    /// Whether it was canceled: true as soon as a cancel was accepted.
    pub fn is_canceled(&self) -> bool {
        panic!("skeleton")
    }

    /// Why it failed; `None` while it runs, when it worked, and when it was canceled.
    pub fn error(&self) -> Option<Error> {
        panic!("skeleton")
    }

    /// How it ended; `None` while it runs.
    pub fn result(&self) -> Option<Result<DownloadedFile, Error>> {
        panic!("skeleton")
    }

    /// How far it is, as last reported.
    pub fn progress(&self) -> Progress {
        panic!("skeleton")
    }

    /// Asks to cancel it: the connection is dropped at once, and what was fetched is removed. [`wait`](Self::wait) tells
    /// when that is done.
    ///
    /// # Errors
    ///
    /// It has ended, or its file is being published already, or it has failed by itself.
    pub fn cancel(&self) -> Result<(), CancelError> {
        panic!("skeleton")
    }

    /// Has `observer` called with how far the download is: first with what is known, last with the final value, and in
    /// between with the latest one. It runs on a thread apart, so that a slow one harms nothing, and replaces an earlier
    /// one. One that panics is dropped and reported as [`Event::ObserverPanicked`](crate::Event::ObserverPanicked).
    pub fn set_progress(&self, observer: impl FnMut(&Progress) + Send + 'static) {
        let _ = observer;
        panic!("skeleton")
    }

    /// Ends the calls of what [`set_progress`](Self::set_progress) was given. One that is under way goes on.
    pub fn clear_progress(&self) {
        panic!("skeleton")
    }

    /// Blocks until it has ended. Not for async code: await it there.
    ///
    /// # Errors
    ///
    /// It was canceled, failed, or the manager's loop is gone.
    pub fn wait(&self) -> Result<DownloadedFile, Error> {
        panic!("skeleton")
    }

    /// Blocks until it has ended, at most for `timeout`; `None` where it has not.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<DownloadedFile, Error>> {
        let _ = timeout;
        panic!("skeleton")
    }
}

impl Future for Download {
    type Output = Result<DownloadedFile, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = context;
        panic!("skeleton")
    }
}

impl IntoFuture for &Download {
    type Output = Result<DownloadedFile, Error>;
    type IntoFuture = Download;

    fn into_future(self) -> Download {
        self.clone()
    }
}
