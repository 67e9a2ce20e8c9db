//! The settings of a manager, and how it is opened.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use dlmanager_core::{Config, Durability};

use crate::{DownloadManager, OpenError, Runtime, Store, Transport};

/// A bound for the directory: while there are more than `file_limit` files and they have `size_limit` bytes or more in
/// total, the one that was accessed longest ago goes. A limit of 0, in either, is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersistLimit {
    /// The total size in bytes from which on files are evicted; 0 means no limit.
    pub size_limit: u64,
    /// This many files are kept whatever their size; 0 means no limit.
    pub file_limit: u64,
}

impl PersistLimit {
    /// How many files are kept where nothing else is said.
    pub const DEFAULT_FILE_LIMIT: u64 = 5;

    /// A bound of `size_limit` bytes that keeps at least `file_limit` files.
    pub const fn new(size_limit: u64, file_limit: u64) -> Self {
        Self { size_limit, file_limit }
    }

    /// A bound of `size_limit` bytes that keeps at least [`DEFAULT_FILE_LIMIT`](Self::DEFAULT_FILE_LIMIT) files.
    pub const fn of_size(size_limit: u64) -> Self {
        Self::new(size_limit, Self::DEFAULT_FILE_LIMIT)
    }
}

/// The settings of a [`DownloadManager`], from [`DownloadManager::builder`].
#[must_use = "open it"]
pub struct Builder {
    pub(crate) directory: PathBuf,
}

impl Builder {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// All of the core's settings at once; those set afterwards change it.
    pub fn config(self, config: Config) -> Self {
        let _ = config;
        self
    }

    /// Greatest number of downloads that exchange bytes with servers at the same time; 8 unless set.
    pub fn jobs(self, jobs: usize) -> Self {
        let _ = jobs;
        self
    }

    /// Greatest number of exchanges with one origin at the same time; 6 unless set.
    pub fn per_host(self, per_host: usize) -> Self {
        let _ = per_host;
        self
    }

    /// A bound for the directory. There is none unless set.
    pub fn persist_limit(self, limit: PersistLimit) -> Self {
        let _ = limit;
        self
    }

    /// Take files that this program did not put into the directory for evictable.
    pub fn adopt(self, adopt: bool) -> Self {
        let _ = adopt;
        self
    }

    /// Only files whose names match this pattern count for the limit; see [`Pattern`](crate::Pattern).
    pub fn pattern(self, pattern: &str) -> Self {
        let _ = pattern;
        self
    }

    /// How often a download is tried again after a failure that may pass; 5 unless set.
    pub fn retries(self, retries_max: u32) -> Self {
        let _ = retries_max;
        self
    }

    /// How long a connection may take to be made; 10 s unless set.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        let _ = timeout;
        self
    }

    /// How long the head of a reply may take once the connection stands; 30 s unless set.
    pub fn first_byte_timeout(self, timeout: Duration) -> Self {
        let _ = timeout;
        self
    }

    /// A body that yields less than 1 KiB in this time is stalled; 30 s unless set.
    pub fn stall_timeout(self, timeout: Duration) -> Self {
        let _ = timeout;
        self
    }

    /// How long a download may take, all attempts together. Unlimited unless set.
    pub fn timeout(self, timeout: Duration) -> Self {
        let _ = timeout;
        self
    }

    /// The longest file that is fetched, announced or received, in bytes. Unlimited unless set.
    pub fn file_bytes_max(self, bytes_max: u64) -> Self {
        let _ = bytes_max;
        self
    }

    /// What is flushed to the disk, and when.
    pub fn durability(self, durability: Durability) -> Self {
        let _ = durability;
        self
    }

    /// The value of `User-Agent`.
    pub fn user_agent(self, user_agent: &str) -> Self {
        let _ = user_agent;
        self
    }

    /// The least time between two progress reports of a download; 100 ms unless set.
    pub fn progress_interval(self, interval: Duration) -> Self {
        let _ = interval;
        self
    }

    /// The seed of every random choice, which is the operating system's unless set.
    pub fn seed(self, seed: u64) -> Self {
        let _ = seed;
        self
    }

    /// A transport of one's own instead of hyper on tokio.
    pub fn transport(self, transport: impl Transport) -> Self {
        let _ = transport;
        self
    }

    /// A file backend of one's own instead of the real directory; the directory's path is then only a prefix of what [`Download::dest`](crate::Download::dest) shows.
    pub fn store(self, store: impl Store) -> Self {
        let _ = store;
        self
    }

    /// Opens the manager on a thread of its own, with a tokio runtime where the feature `tokio` is on: then its handles
    /// can be awaited from any executor, and waited for without one. Blocks until the directory is ready where there
    /// is a limit, that is, until it was read.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or written; a limit is set and the directory holds a stranger's files; the thread
    /// cannot be started.
    pub fn open(self) -> Result<DownloadManager, OpenError> {
        panic!("skeleton")
    }

    /// Opens the manager within the program's own runtime: a [`tokio::runtime::Handle`], or any closure that spawns a
    /// task. All file work then goes to worker threads. The default transport needs tokio; on another executor give one
    /// with [`transport`](Self::transport).
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); and [`OpenError::Start`] where the default transport cannot run on that runtime.
    pub fn open_on(self, runtime: impl Runtime) -> impl Future<Output = Result<DownloadManager, OpenError>> + Send {
        let _ = runtime;
        async { panic!("skeleton") }
    }
}
