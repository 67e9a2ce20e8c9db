//! The settings of a manager, and how it is opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dlmanager_core::{Config, Durability, Manager, Pattern, Resume};
use dlmanager_fs::Directory;
use http::{HeaderName, HeaderValue};

#[cfg(any(feature = "tokio", feature = "smol"))]
use crate::TlsConfig;
use crate::driver::Driver;
use crate::ending::DirectoryReady;
use crate::hooks::Callbacks;
use crate::network::Network;
use crate::shared::Shared;
use crate::sync::{self, block_on};
use crate::{
    Download, DownloadManager, DownloadedFile, Error, IoRuntime, OpenError, PersistLimit, Runtime, SharedTransport,
    Store, Transport, proxies, runtime,
};

/// What is gathered before it goes to a worker, in bytes, where nothing else is set: more than for a write on the loop's
/// thread, as each hand-over has its price.
const WORKER_GATHER_BYTES: usize = 256 * 1024;

/// A transport that was given.
enum Choice {
    Own(Box<dyn Transport>),
    Shared(SharedTransport),
}

/// The settings of a [`DownloadManager`], from [`DownloadManager::builder`].
///
/// ```
/// use std::time::Duration;
///
/// use dlmanager::{DownloadManager, PersistLimit};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// let manager = DownloadManager::builder(directory)
///     .jobs(3)
///     .timeout(Duration::from_secs(3600)) // for each download
///     .persist_limit(PersistLimit::of_size(10 << 30)) // 10 GiB
///     .open()?;
/// assert_eq!(manager.limit_usage().map(|usage| usage.files), Some(0));
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "open it"]
pub struct Builder {
    directory: PathBuf,
    config: Config,
    limit: Option<PersistLimit>,
    adopt: bool,
    pattern: Option<Pattern>,
    headers: Vec<(HeaderName, HeaderValue)>,
    callbacks: Callbacks,
    seed: Option<u64>,
    network: Network,
    transport: Option<Choice>,
    store: Option<Arc<dyn Store>>,
}

impl Builder {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            config: Config::default(),
            limit: None,
            adopt: false,
            pattern: None,
            headers: Vec::new(),
            callbacks: Callbacks::default(),
            seed: None,
            network: Network::default(),
            transport: None,
            store: None,
        }
    }

    pub(crate) fn for_directory(mut self, directory: PathBuf) -> Self {
        self.directory = directory;
        self
    }

    /// All of the core's settings at once. What is set afterwards changes them; a limit in them is replaced by one from
    /// [`persist_limit`](Self::persist_limit).
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Greatest number of downloads that exchange bytes with servers at the same time; 8 unless set.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.config.jobs = jobs;
        self
    }

    /// Greatest number of exchanges with one origin at the same time; 6 unless set.
    pub fn per_host(mut self, per_host: usize) -> Self {
        self.config.per_host = per_host;
        self
    }

    /// A bound for the directory. There is none unless set.
    ///
    /// What was [registered](PersistLimit::register_dir_content) with it before counts: registering the content of this
    /// directory is [`adopt`](Self::adopt) with that [`pattern`](Self::pattern), and several registrations are several
    /// patterns. The limit goes on as the manager's own: what is registered with a clone later does not matter. Files of
    /// other directories, hidden ones and those in subfolders are out of its reach, and an error of
    /// [`open`](Self::open); to bound them, keep a limit by itself.
    pub fn persist_limit(mut self, limit: PersistLimit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Take files that this program did not put into the directory for evictable.
    pub fn adopt(mut self, adopt: bool) -> Self {
        self.adopt = adopt;
        self
    }

    /// Only files whose names match this pattern count for the limit; see [`Pattern`](crate::Pattern). All do unless it is
    /// set, or the limit comes with patterns of its own.
    pub fn pattern(mut self, pattern: &str) -> Self {
        self.pattern = Some(Pattern::new(pattern));
        self
    }

    /// So long after it was written to last an unfinished file that nobody is at work on is removed; 7 days unless set. Those
    /// that nobody can go on with go after a minute.
    ///
    /// They are looked for before the first eviction, and when a manager closes and leaves something.
    pub fn partial_age_max(mut self, age_max: Duration) -> Self {
        self.config.partial_age_max = age_max;
        self
    }

    /// How often a download is tried again after a failure that may pass; 5 unless set.
    pub fn retries(mut self, retries_max: u32) -> Self {
        self.config.retries_max = retries_max;
        self
    }

    /// How long a connection may take to be made; 10 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// How long the head of a reply may take once the connection stands; 30 s unless set.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.config.first_byte_timeout = timeout;
        self
    }

    /// A body that yields less than 1 KiB in this time is stalled; 30 s unless set.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.config.stall_timeout = timeout;
        self
    }

    /// How long a download may take, all attempts together. Unlimited unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = Some(timeout);
        self
    }

    /// The longest file that is fetched, announced or received, in bytes. Unlimited unless set.
    pub fn file_bytes_max(mut self, bytes_max: u64) -> Self {
        self.config.file_bytes_max = Some(bytes_max);
        self
    }

    /// What is flushed to the disk, and when.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self
    }

    /// Which unfinished downloads are gone on with; [`Resume::AcrossRuns`] unless set.
    ///
    /// Nothing is gone on with on trust: the server has to show that its file is still the same, by a strong validator
    /// (an `ETag` that is not weak, or a `Last-Modified` that is old enough), and else the download starts over.
    ///
    /// ```no_run
    /// use dlmanager::{DownloadManager, Resume};
    ///
    /// // Whatever was not finished is removed, as a program wants it that is not run again.
    /// let manager = DownloadManager::builder("downloads").resume(Resume::Never).open()?;
    /// # Ok::<(), dlmanager::OpenError>(())
    /// ```
    pub fn resume(mut self, resume: Resume) -> Self {
        self.config.resume = resume;
        self
    }

    /// Whether what is told and noted of a URL, on events, in outcomes, errors and what stands beside an unfinished file, leaves
    /// out its query, as that of a signed URL is a secret; not so unless set. What is sent is the same.
    ///
    /// ```no_run
    /// use dlmanager::DownloadManager;
    ///
    /// let manager = DownloadManager::builder("downloads").redact_queries(true).open()?;
    /// let download = manager.download("https://example.org/tool.tar.xz?signature=90b7")?;
    /// assert_eq!(download.url().as_str(), "https://example.org/tool.tar.xz?redacted");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redact_queries(mut self, redact: bool) -> Self {
        self.config.redact_queries = redact;
        self
    }

    /// The longest time that a server's `Retry-After` is obeyed; 5 minutes unless set.
    pub fn retry_after_max(mut self, longest: Duration) -> Self {
        self.config.retry_after_max = longest;
        self
    }

    /// How long another process that fetches the same name into this directory is waited for; 5 minutes unless set. After
    /// that the file is fetched a second time, and who is first gives it its name. Meanwhile no slot is held, and
    /// [`Notice::Locked`](crate::Notice::Locked) is told.
    pub fn lock_wait(mut self, longest: Duration) -> Self {
        self.config.lock_wait = longest;
        self
    }

    /// The value of `User-Agent`.
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        self.config.user_agent = user_agent.into();
        self
    }

    /// A header field for every request, sent to the origin of the URL that was asked for and to no other that it
    /// redirects to. It replaces an earlier one of that name; a [request](crate::RequestBuilder::header) can set its own.
    ///
    /// A field on which the exchange itself depends, such as `Host` or `Range`, makes every download an
    /// [`AdmitError::Header`](crate::AdmitError::Header).
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        self
    }

    /// Has `hook` called with each download that starts, once: not with one that is joined.
    ///
    /// Hooks run like observers on a thread apart, one call at a time, in the order of [`Events`](crate::Events): for each
    /// download this one before [`on_finished`](Self::on_finished). So one that is slow delays other hook calls, which
    /// wait in memory, and nothing else; how far the download is by then, the hook cannot know.
    /// [`close`](DownloadManager::close) waits until all calls are made. One that panics is dropped and reported as
    /// [`Event::HookPanicked`](crate::Event::HookPanicked).
    ///
    /// A hook that holds a clone of the manager keeps it open until it is closed.
    pub fn on_started(mut self, hook: impl FnMut(&Download) + Send + 'static) -> Self {
        self.callbacks.started = Some(Box::new(hook));
        self
    }

    /// Has `hook` called with each download that has ended, however it ended, once: after its file got its name or what
    /// was unfinished is removed, and after the eviction that it caused. See [`on_started`](Self::on_started).
    pub fn on_finished(mut self, hook: impl FnMut(&Download, &Result<DownloadedFile, Error>) + Send + 'static) -> Self {
        self.callbacks.finished = Some(Box::new(hook));
        self
    }

    /// The least time between two progress reports of a download; 100 ms unless set.
    pub fn progress_interval(mut self, interval: Duration) -> Self {
        self.config.progress_interval = interval;
        self
    }

    /// The seed of every random choice, which is the operating system's unless set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What the manager's own thread runs on, and the transport that goes with it; tokio unless chosen.
    pub fn runtime(mut self, runtime: IoRuntime) -> Self {
        self.network.runtime = Some(runtime);
        self
    }

    /// Whom to trust in TLS, and how to show who one is; the system's CAs unless set.
    #[cfg(any(feature = "tokio", feature = "smol"))]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.network.tls = tls;
        self
    }

    /// A transport of one's own instead of one that comes with the crate.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Choice::Own(Box::new(transport)));
        self
    }

    /// A transport that is shared with other managers, instead of one of this manager's own. Settings of a transport,
    /// which are [`tls`](Self::tls) and what [`runtime`](Self::runtime) says of it, are the shared one's.
    pub fn shared_transport(mut self, transport: &SharedTransport) -> Self {
        self.transport = Some(Choice::Shared(transport.clone()));
        self
    }

    /// A file backend of one's own instead of the real directory; the directory's path is then only a prefix of what [`Download::dest`](crate::Download::dest) shows.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Opens the manager on a thread of its own, with a tokio runtime where the feature `tokio` is on: then its handles
    /// can be awaited from any executor, and waited for without one. Blocks until the directory is ready where there
    /// is a limit, that is, until it was read.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or written; a limit is set and the directory holds a stranger's files, or the limit
    /// comes with files out of its reach; the thread cannot be started.
    pub fn open(self) -> Result<DownloadManager, OpenError> {
        block_on(self.open_on_own_thread())
    }

    /// Opens the manager within the program's own runtime: a `tokio::runtime::Handle`, or any closure that spawns a
    /// task. All file work then goes to worker threads. The transport on tokio needs tokio; on another executor it is the
    /// one on smol (feature `smol`), whose reactor runs beside any, or one given with [`transport`](Self::transport).
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); and [`OpenError::Start`] where the default transport cannot run on that runtime.
    pub async fn open_on(self, runtime: impl Runtime) -> Result<DownloadManager, OpenError> {
        self.check()?;
        let workers_only = !runtime.may_block();
        self.start(Arc::new(runtime), workers_only).await
    }

    pub(crate) async fn open_on_own_thread(self) -> Result<DownloadManager, OpenError> {
        self.check()?;
        let choice = self.network.runtime.or_else(IoRuntime::preferred);
        let runtime = runtime::own_thread(choice).map_err(|error| OpenError::Start(error.to_string()))?;
        self.start(runtime, false).await
    }

    async fn start(self, runtime: Arc<dyn Runtime>, workers_only: bool) -> Result<DownloadManager, OpenError> {
        let path = self.directory;
        let store = match self.store {
            Some(store) => store,
            None => {
                let path = path.clone();
                Arc::new(on_a_thread(move || Directory::create(path)).await??)
            }
        };
        let mut config = self.config;
        let proxies_ignored = match &self.transport {
            Some(Choice::Own(_)) => Vec::new(),
            Some(Choice::Shared(shared)) if !shared.is_ours() => Vec::new(),
            Some(Choice::Shared(_)) | None => proxies::ignored(),
        };
        let transport = match self.transport {
            Some(Choice::Own(transport)) => transport,
            Some(Choice::Shared(shared)) => shared.attach(&mut config.connect_timeout)?,
            None => self.network.transport(&*runtime, &config)?,
        };
        let workers_only = workers_only || store.is_slow();
        if workers_only && config.gather_bytes == Config::default().gather_bytes {
            config.gather_bytes = WORKER_GATHER_BYTES;
        }
        if let Some(limit) = self.limit {
            let (path, pattern, adopt) = (path.clone(), self.pattern, self.adopt);
            config.limit = Some(if limit.has_registered() {
                on_a_thread(move || limit.config(&path, pattern, adopt)).await??
            } else {
                limit.config(&path, pattern, adopt)?
            });
        }
        if let Some(limit) = &mut config.limit {
            // Each is let go of by what it is told with.
            limit.holds_outcomes = true;
        }
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| OpenError::Start(error.to_string()))?,
        };
        let core = Manager::new(config, seed);
        let bounded = core.limit().is_some();
        let runtime_of_shared = Arc::clone(&runtime);
        let directory = store.directory();
        let shared = Shared::new(
            core,
            path.clone(),
            directory,
            self.headers,
            self.callbacks,
            proxies_ignored,
            runtime_of_shared,
        );
        let manager = DownloadManager::with(Arc::clone(&shared));
        let driver = Driver::new(Arc::clone(&shared), transport, store, Arc::clone(&runtime), workers_only);
        runtime.spawn(Box::pin(driver));
        if bounded {
            DirectoryReady::new(&shared).await?.map_err(|error| OpenError::Limit { path, error })?;
        }
        Ok(manager)
    }

    fn check(&self) -> Result<(), OpenError> {
        let Config { jobs, per_host, publishing_max, read_bytes_max, held_bytes_max, .. } = &self.config;
        let settings = [
            (jobs, "jobs must be at least 1"),
            (per_host, "per_host must be at least 1"),
            (publishing_max, "publishing_max must be at least 1"),
            (read_bytes_max, "read_bytes_max must be at least 1"),
            (held_bytes_max, "held_bytes_max must be at least 1"),
        ];
        match settings.into_iter().find(|(value, _)| **value == 0) {
            Some((_, error)) => Err(OpenError::Config(error)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("directory", &self.directory)
            .field("config", &self.config)
            .field("limit", &self.limit)
            .field("runtime", &self.network.runtime)
            .finish_non_exhaustive()
    }
}

/// Runs what may block on a thread of its own.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, OpenError> {
    let (promise, result) = sync::promise();
    let thread = thread::Builder::new().name("dlmanager-open".into()).spawn(move || promise.keep(work()));
    thread.map_err(|error| OpenError::Start(error.to_string()))?;
    result.await.ok_or_else(|| OpenError::Start("the thread that makes the directory panicked".into()))
}
