//! The handle of a download.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use dlmanager_core::{CancelError, Digests, DownloadId, FileName, Progress};
use url::Url;

use crate::protection::{Claim, Protection};
use crate::record::Record;
use crate::shared::{Leaving, Shared};
use crate::sync::{block_on, block_on_until};
use crate::{Closed, Error};

/// What a download is about.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::create_dir(directory.join("docs"))?;
/// # std::fs::write(directory.join("docs/notes.txt"), "hello")?;
/// let manager = dlmanager::DownloadManager::new(directory)?;
/// let download = manager.request("https://example.org/7").name("docs/notes.txt").start()?;
/// let subject = download.subject();
/// assert_eq!(subject.url.as_str(), "https://example.org/7");
/// assert_eq!(subject.name.as_str(), "docs/notes.txt");
/// assert_eq!(subject.dest, directory.join("docs/notes.txt"));
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// Where the directory has a [limit](crate::Builder::persist_limit), the manager that this comes from evicts the file not before
/// this and its clones are dropped; others go in its place. So drop it when the file is not needed any more. It keeps neither
/// the manager open nor other processes from evicting the file: for that there is a [lease](crate::DownloadManager::lease).
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// // It is there from an earlier run, so nothing is fetched.
/// std::fs::write(directory.join("notes.txt"), "hello")?;
/// let manager = dlmanager::DownloadManager::new(directory)?;
/// let file = manager.download("https://example.org/notes.txt")?.wait()?;
/// assert_eq!((file.length, file.requests), (5, 0));
/// assert_eq!(std::fs::read_to_string(&file.path)?, "hello");
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// The digests that its bytes were found to have: of a fetched file the one that was
    /// [asked for](crate::RequestBuilder::checksum) and those that the server sent with it (`Repr-Digest`, and
    /// `Content-Digest` of the whole); of one that was there the one that was asked for. Empty where nobody said any.
    pub digests: Digests,
    /// The server sent the file in this coding although none was asked for; it is stored as it came.
    pub content_encoding: Option<Box<str>>,
    pub(crate) protection: Protection,
}

impl DownloadedFile {
    /// Whether it was there already, or appeared meanwhile.
    pub fn is_present(&self) -> bool {
        self.how == How::Present
    }
}

/// How a file got where it is.
///
/// ```
/// use dlmanager::How;
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("notes.txt"), "hello")?;
/// # let manager = dlmanager::DownloadManager::new(directory)?;
/// let file = manager.download("https://example.org/notes.txt")?.wait()?;
/// match file.how {
///     How::Fetched => println!("fetched {} bytes in {} requests", file.length, file.requests),
///     How::Present => println!("{} was there", file.path.display()),
/// }
/// # assert_eq!(file.how, How::Present);
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was fetched by this download.
    Fetched,
    /// It was there already, or appeared meanwhile, and was left as it is.
    Present,
}

/// A download: a handle that can be cloned, sent, awaited by several, and waited for without any async.
///
/// Dropping it does not cancel the download. As a [`DownloadedFile`] does, a handle whose download has ended protects the file
/// from eviction until it is dropped or has told the outcome ([`wait`](Self::wait), [`result`](Self::result), an `await`); from
/// then on what it has told does, and a handle that is kept for long does no harm.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = dlmanager::DownloadManager::new("downloads")?;
/// let download = manager.download("https://example.org/tool.tar.xz")?;
/// let file = (&download).await?; // or `download.wait()?` without any async
/// println!("{} has {} bytes", file.path.display(), file.length);
/// # Ok(())
/// # }
/// ```
pub struct Download {
    claim: Arc<Claim>,
    shared: Arc<Shared>,
    /// This handle among the tasks that wait for the download.
    key: Option<u64>,
}

impl Download {
    pub(crate) fn new(record: Arc<Record>, shared: Arc<Shared>) -> Self {
        Self::with(Claim::new(record), shared)
    }

    /// The handle of one that was just admitted.
    pub(crate) fn with(claim: Claim, shared: Arc<Shared>) -> Self {
        Self { claim: Arc::new(claim), shared, key: None }
    }

    fn record(&self) -> &Arc<Record> {
        self.claim.record()
    }

    /// A handle that is given the outcome in place of this one.
    fn proxy(&self) -> Self {
        Self { claim: Arc::clone(&self.claim), shared: Arc::clone(&self.shared), key: None }
    }

    /// The outcome is given: from now on it is up to the value whether the file is protected.
    fn give(&self, result: Result<DownloadedFile, Error>) -> Result<DownloadedFile, Error> {
        let result = result.map(|file| file.protected(&self.shared, &self.subject().name));
        self.claim.settle();
        result
    }

    /// What it is about, as [`events`](crate::DownloadManager::events) name it.
    pub fn subject(&self) -> &Arc<Subject> {
        self.record().subject()
    }

    /// Its identifier: the same for all who joined it.
    pub fn id(&self) -> DownloadId {
        self.record().subject().id
    }

    /// The URL that it was started with, without user info.
    pub fn url(&self) -> &Url {
        &self.record().subject().url
    }

    /// The name of its file within the directory; where the server is to give it, what it may be until it has.
    pub fn name(&self) -> &str {
        self.record().subject().name.as_str()
    }

    /// Where its file will be, as far as its [name](Self::name) is known.
    pub fn dest(&self) -> &Path {
        &self.record().subject().dest
    }

    /// Whether it has not ended: true from admission on, also while it is queued.
    pub fn is_running(&self) -> bool {
        self.record().lock().result.is_none()
    }

    /// Whether it was canceled: true as soon as a cancel was accepted.
    pub fn is_canceled(&self) -> bool {
        let cell = self.record().lock();
        match &cell.result {
            Some(result) => matches!(result, Err(Error::Canceled)),
            None => cell.canceled,
        }
    }

    /// Why it failed; `None` while it runs, when it worked, and when it was canceled.
    pub fn error(&self) -> Option<Error> {
        match &self.record().lock().result {
            None | Some(Ok(_) | Err(Error::Canceled)) => None,
            Some(Err(error)) => Some(error.clone()),
        }
    }

    /// How it ended; `None` while it runs.
    pub fn result(&self) -> Option<Result<DownloadedFile, Error>> {
        let result = self.record().lock().result.clone();
        result.map(|result| self.give(result))
    }

    /// How far it is, as last reported.
    pub fn progress(&self) -> Progress {
        self.record().lock().progress.unwrap_or_default()
    }

    /// Asks to cancel it: the connection is dropped at once, and what was fetched is removed. [`wait`](Self::wait) tells
    /// when that is done.
    ///
    /// # Errors
    ///
    /// It has ended, or its file is being published already, or it has failed by itself.
    pub fn cancel(&self) -> Result<(), CancelError> {
        self.shared.cancel(self.record(), Leaving::Nothing)
    }

    /// Asks to cancel it as [`cancel`](Self::cancel) does, but keeps what was fetched, so that it is gone on with when it is
    /// asked for again, by this program or a later one: where [`Resume::AcrossRuns`](crate::Resume::AcrossRuns) holds, there
    /// is a MiB or more of it, and the server named its version. It ends as [`Error::Canceled`].
    ///
    /// ```no_run
    /// let manager = dlmanager::DownloadManager::new("downloads")?;
    /// let download = manager.download("https://example.org/large.iso")?;
    /// download.interrupt()?; // pause ...
    /// download.wait().ok();
    /// let download = manager.download("https://example.org/large.iso")?; // ... and go on
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn interrupt(&self) -> Result<(), CancelError> {
        self.shared.cancel(self.record(), Leaving::Unfinished)
    }

    /// Has `observer` called with how far the download is: first with what is known, last with the final value, and in
    /// between with the latest one. It runs on a thread apart, so that a slow one harms nothing, and replaces an earlier
    /// one. Its last call may come after the end was told; [`close`](crate::DownloadManager::close) waits for it. One that
    /// panics is dropped and reported as [`Event::ObserverPanicked`](crate::Event::ObserverPanicked).
    pub fn set_progress(&self, observer: impl FnMut(&Progress) + Send + 'static) {
        let (tell, old) = self.record().observe(Some(Box::new(observer)));
        drop(old);
        if tell {
            self.shared.serve(Arc::clone(self.record()));
        }
    }

    /// Ends the calls of what [`set_progress`](Self::set_progress) was given. One that is under way goes on.
    pub fn clear_progress(&self) {
        let (_, old) = self.record().observe(None);
        drop(old);
    }

    /// The end of the manager of a download that stands alone.
    pub(crate) fn closed(&self) -> Closed {
        Closed::new(&self.shared, Leaving::Nothing)
    }

    /// Blocks until it has ended. Not for async code: await it there.
    ///
    /// # Errors
    ///
    /// It was canceled, failed, or the manager's loop is gone.
    pub fn wait(&self) -> Result<DownloadedFile, Error> {
        // Most who are told of the end ask then.
        self.result().unwrap_or_else(|| block_on(self.proxy()))
    }

    /// Blocks until it has ended, at most for `timeout`; `None` where it has not.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<DownloadedFile, Error>> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => block_on_until(self.proxy(), deadline),
            None => Some(self.wait()),
        }
    }
}

impl Future for Download {
    type Output = Result<DownloadedFile, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (result, unused) = this.claim.record().poll(&mut this.key, context.waker().clone());
        drop(unused);
        result.map_or(Poll::Pending, |result| Poll::Ready(this.give(result)))
    }
}

impl IntoFuture for &Download {
    type Output = Result<DownloadedFile, Error>;
    type IntoFuture = Download;

    fn into_future(self) -> Download {
        self.proxy()
    }
}

impl Clone for Download {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(self.record()), Arc::clone(&self.shared))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.key.is_some() {
            let waker = self.record().lock().wakers.forget(self.key);
            drop(waker);
        }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("subject", self.record().subject()).finish_non_exhaustive()
    }
}
