//! One file, without a manager.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dlmanager_core::{AdmitError, Config, Durability, FileName, IfPresent, Progress, Request};
use http::{HeaderName, HeaderValue};

use crate::observe::Observer;
use crate::sync::block_on;
use crate::{Download, DownloadManager, DownloadedFile, FetchError};

/// Fetches one file to a path, whose folder is made where it is missing; a file that is there is taken as it is unless
/// [`if_present`](Fetch::if_present) says otherwise.
///
/// ```no_run
/// let file = dlmanager::fetch("https://example.org/a.zip", "downloads/a.zip").wait()?;
/// println!("{} bytes", file.length);
/// # Ok::<(), dlmanager::FetchError>(())
/// ```
pub fn fetch(url: impl Into<String>, path: impl AsRef<Path>) -> Fetch {
    Fetch {
        url: url.into(),
        path: path.as_ref().to_path_buf(),
        config: Config::default(),
        headers: Vec::new(),
        if_present: IfPresent::default(),
        observer: None,
    }
}

/// A file about to be fetched, from [`fetch()`]: await it, or call [`wait`](Self::wait) or [`start`](Self::start).
/// Dropping the future before its end cancels the download.
#[must_use = "await it, or call wait or start"]
pub struct Fetch {
    url: String,
    path: PathBuf,
    config: Config,
    headers: Vec<(HeaderName, HeaderValue)>,
    if_present: IfPresent,
    observer: Option<Observer>,
}

impl Fetch {
    /// A header field to send, to the URL's own origin only.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What to do where a file is there already; it is taken as it is unless set.
    pub fn if_present(mut self, if_present: IfPresent) -> Self {
        self.if_present = if_present;
        self
    }

    /// An observer, see [`Download::set_progress`](crate::Download::set_progress).
    pub fn progress(mut self, observer: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// How often it is tried again after a failure that may pass; 5 unless set.
    pub fn retries(mut self, retries_max: u32) -> Self {
        self.config.retries_max = retries_max;
        self
    }

    /// How long it may take, all attempts together. Unlimited unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = Some(timeout);
        self
    }

    /// What is flushed to the disk, and when.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self
    }

    /// Starts it in the background, and returns a handle by which it can be canceled, observed and waited for. It goes on
    /// without the handle. Once it has ended, nothing of it is left but its file.
    ///
    /// ```no_run
    /// let download = dlmanager::fetch("https://example.org/a.zip", "downloads/a.zip").start()?;
    /// download.set_progress(|progress| println!("{} bytes", progress.received));
    /// let file = download.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Blocks while the folder is made, so it is not for async code.
    ///
    /// # Errors
    ///
    /// The path or the URL makes no sense, or the folder cannot be used. What happens afterwards, the handle tells.
    pub fn start(self) -> Result<Download, FetchError> {
        block_on(self.begin())
    }

    /// Fetches it and blocks until that is done, and the observer got its last call.
    ///
    /// # Errors
    ///
    /// The path or the URL makes no sense, the folder cannot be used, or the download failed.
    pub fn wait(self) -> Result<DownloadedFile, FetchError> {
        block_on(self.run())
    }

    async fn run(self) -> Result<DownloadedFile, FetchError> {
        let running = CanceledOnDrop(self.begin().await?);
        let result = (&running.0).await;
        // What cannot be removed now is removed by the next one in that folder: the result stands.
        let _ = running.0.closed().await;
        Ok(result?)
    }

    async fn begin(self) -> Result<Download, FetchError> {
        let name = self.path.file_name().and_then(|name| name.to_str());
        let Some(name) = name else { return Err(FetchError::NoName { path: self.path }) };
        let name = match FileName::new(name) {
            Ok(name) => name,
            Err(error) => return Err(FetchError::Path { path: self.path, error }),
        };
        // A path of one component has the empty path as its parent.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Before the folder is made.
        let mut request = Request::new(&self.url).map_err(AdmitError::from)?.name(name).if_present(self.if_present);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let manager = DownloadManager::builder(folder).config(self.config).open_on_own_thread().await?;
        let record = manager.shared().download_alone(request, self.observer, self.path)?;
        Ok(Download::new(record, Arc::clone(manager.shared())))
    }
}

/// Nobody waits any more for what was to be awaited.
struct CanceledOnDrop(Download);

impl Drop for CanceledOnDrop {
    fn drop(&mut self) {
        // It has ended, or ends by itself.
        let _ = self.0.cancel();
    }
}

impl IntoFuture for Fetch {
    type Output = Result<DownloadedFile, FetchError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("path", &self.path).field("config", &self.config).finish_non_exhaustive()
    }
}
