//! One file, without a manager.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dlmanager_core::{AdmitError, Config, Digest, Durability, FileName, IfPresent, Progress, Request, Resume};
use http::{HeaderName, HeaderValue};

#[cfg(any(feature = "tokio", feature = "smol"))]
use crate::TlsConfig;
use crate::observe::Observer;
use crate::sync::block_on;
use crate::{Builder, Download, DownloadedFile, FetchError, IoRuntime, SharedTransport, Store, Transport};

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
        builder: Builder::new(PathBuf::new()),
        headers: Vec::new(),
        if_present: IfPresent::default(),
        checksum: None,
        observer: None,
    }
}

/// A file about to be fetched, from [`fetch()`]: await it, or call [`wait`](Self::wait) or [`start`](Self::start).
/// Dropping the future before its end cancels the download.
///
/// ```no_run
/// use std::time::Duration;
///
/// use dlmanager::{IfPresent, fetch};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let file = fetch("https://example.org/a.zip", "downloads/a.zip")
///     .if_present(IfPresent::Replace)
///     .timeout(Duration::from_secs(600))
///     .progress(|progress| println!("{} bytes", progress.received))
///     .await?; // or `wait()?` without any async
/// # Ok(())
/// # }
/// ```
#[must_use = "await it, or call wait or start"]
pub struct Fetch {
    url: String,
    path: PathBuf,
    /// The settings of the manager that will fetch it.
    builder: Builder,
    headers: Vec<(HeaderName, HeaderValue)>,
    if_present: IfPresent,
    checksum: Option<Digest>,
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

    /// What the file's bytes must come to, see [`RequestBuilder::checksum`](crate::RequestBuilder::checksum).
    ///
    /// ```no_run
    /// let digest = "sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c".parse()?;
    /// let file = dlmanager::fetch("https://example.org/a.zip", "downloads/a.zip").checksum(digest).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checksum(mut self, digest: Digest) -> Self {
        self.checksum = Some(digest);
        self
    }

    /// An observer, see [`Download::set_progress`](crate::Download::set_progress).
    pub fn progress(mut self, observer: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// All of the core's settings at once, of which those about many downloads and limits do not matter here. What is set
    /// afterwards changes them.
    pub fn config(self, config: Config) -> Self {
        self.with(|builder| builder.config(config))
    }

    /// How often it is tried again after a failure that may pass; 5 unless set.
    pub fn retries(self, retries_max: u32) -> Self {
        self.with(|builder| builder.retries(retries_max))
    }

    /// How long a connection may take to be made; 10 s unless set.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.with(|builder| builder.connect_timeout(timeout))
    }

    /// How long the head of a reply may take once the connection stands; 30 s unless set.
    pub fn first_byte_timeout(self, timeout: Duration) -> Self {
        self.with(|builder| builder.first_byte_timeout(timeout))
    }

    /// A body that yields less than 1 KiB in this time is stalled; 30 s unless set.
    pub fn stall_timeout(self, timeout: Duration) -> Self {
        self.with(|builder| builder.stall_timeout(timeout))
    }

    /// How long it may take, all attempts together. Unlimited unless set.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|builder| builder.timeout(timeout))
    }

    /// The longest file that is fetched, announced or received, in bytes. Unlimited unless set.
    pub fn file_bytes_max(self, bytes_max: u64) -> Self {
        self.with(|builder| builder.file_bytes_max(bytes_max))
    }

    /// What is flushed to the disk, and when.
    pub fn durability(self, durability: Durability) -> Self {
        self.with(|builder| builder.durability(durability))
    }

    /// Whether a later fetch to the same path goes on with what this one leaves where it fails, or the program ends; that is
    /// so unless set. See [`Builder::resume`](crate::Builder::resume).
    pub fn resume(self, resume: Resume) -> Self {
        self.with(|builder| builder.resume(resume))
    }

    /// Whether what is told and noted of a URL leaves out its query; not so unless set. See
    /// [`Builder::redact_queries`](crate::Builder::redact_queries).
    pub fn redact_queries(self, redact: bool) -> Self {
        self.with(|builder| builder.redact_queries(redact))
    }

    /// The longest time that a server's `Retry-After` is obeyed; 5 minutes unless set.
    pub fn retry_after_max(self, longest: Duration) -> Self {
        self.with(|builder| builder.retry_after_max(longest))
    }

    /// How long another process that fetches to the same path is waited for; 5 minutes unless set. See
    /// [`Builder::lock_wait`](crate::Builder::lock_wait).
    pub fn lock_wait(self, longest: Duration) -> Self {
        self.with(|builder| builder.lock_wait(longest))
    }

    /// The value of `User-Agent`.
    pub fn user_agent(self, user_agent: &str) -> Self {
        self.with(|builder| builder.user_agent(user_agent))
    }

    /// The least time between two calls of the observer; 100 ms unless set.
    pub fn progress_interval(self, interval: Duration) -> Self {
        self.with(|builder| builder.progress_interval(interval))
    }

    /// What its thread runs on, and the transport that goes with it; tokio unless chosen.
    ///
    pub fn runtime(self, runtime: IoRuntime) -> Self {
        self.with(|builder| builder.runtime(runtime))
    }

    /// Whom to trust in TLS, and how to show who one is; the system's CAs unless set.
    #[cfg(any(feature = "tokio", feature = "smol"))]
    pub fn tls(self, tls: TlsConfig) -> Self {
        self.with(|builder| builder.tls(tls))
    }

    /// A transport of one's own instead of one that comes with the crate.
    pub fn transport(self, transport: impl Transport) -> Self {
        self.with(|builder| builder.transport(transport))
    }

    /// A transport that is shared with managers and other fetches, as [`Builder::shared_transport`] says: many files one
    /// after the other from one server then need one connection.
    pub fn shared_transport(self, transport: &SharedTransport) -> Self {
        self.with(|builder| builder.shared_transport(transport))
    }

    /// A file backend of one's own instead of the real folder; the path's folder is then only a prefix of what
    /// [`DownloadedFile::path`] shows.
    pub fn store(self, store: impl Store) -> Self {
        self.with(|builder| builder.store(store))
    }

    fn with(mut self, change: impl FnOnce(Builder) -> Builder) -> Self {
        self.builder = change(self.builder);
        self
    }

    /// Starts it in the background, and returns a handle by which it can be canceled, observed and waited for. It goes on
    /// without the handle. Once it has ended well or was canceled, nothing of it is left but its file; what a failed one has
    /// is kept as [`resume`](Self::resume) says.
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
        if let Some(digest) = self.checksum {
            request = request.checksum(digest);
        }
        let manager = self.builder.for_directory(folder.to_path_buf()).open_on_own_thread().await?;
        let claim = manager.shared().download_alone(request, self.observer, self.path)?;
        Ok(Download::with(claim, Arc::clone(manager.shared())))
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
        f.debug_struct("Fetch").field("path", &self.path).field("settings", &self.builder).finish_non_exhaustive()
    }
}
