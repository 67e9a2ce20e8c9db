//! Everything that can be set about a manager.

use alloc::string::String;
use core::time::Duration;

use url::Url;

use crate::origin::{hashed, redacted};

/// The settings of a [`Manager`](crate::Manager). `Config::default()` is what the program uses.
///
/// ```
/// use core::time::Duration;
/// use dlmanager_core::Config;
///
/// let config = Config { jobs: 4, timeout: Some(Duration::from_secs(3600)), ..Config::default() };
/// assert_eq!((config.per_host, config.retries_max, config.redirects_max), (6, 5, 20));
/// assert_eq!((config.file_bytes_max, Config::default().timeout), (None, None)); // no bound
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Greatest number of downloads that exchange bytes with servers at the same time; at least 1.
    pub jobs: usize,
    /// Greatest number of exchanges with one origin at the same time; at least 1.
    pub per_host: usize,
    /// While this many downloads are being published, no new ones begin to fetch; at least 1.
    pub publishing_max: usize,

    /// How often a download is tried again after a failure that may pass.
    pub retries_max: u32,
    /// Greatest number of requests for one download, redirects and retries included, whatever progress they make; at
    /// least 1.
    pub requests_max: u32,
    /// The first retry waits up to this long; each further one up to twice as long as the one before.
    pub backoff_min: Duration,
    /// No retry waits longer than this, but where the server asks for it.
    pub backoff_max: Duration,
    /// The longest time that a server's `Retry-After` is obeyed.
    pub retry_after_max: Duration,

    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the head of a reply may take once the connection stands.
    pub first_byte_timeout: Duration,
    /// A body that yields less than [`stall_bytes_min`](Self::stall_bytes_min) in this time is stalled. Only time in which
    /// bytes were asked for counts, so that a slow disk is not taken for a stalled server.
    pub stall_timeout: Duration,
    /// See [`stall_timeout`](Self::stall_timeout); in bytes.
    pub stall_bytes_min: u64,
    /// How long a download may take, all attempts together, from when it first left the queue.
    pub timeout: Option<Duration>,

    /// Greatest number of redirects in a row.
    pub redirects_max: u32,
    /// The body of a redirect is read up to this many bytes, so that its connection can be used again.
    pub redirect_body_bytes_max: u64,
    /// Follow redirects from `https` to `http`.
    pub allow_downgrade: bool,
    /// Queries of URLs may hold secrets, as those of signed ones do: what is told and noted of a URL (notices, outcomes, errors,
    /// [`DownloadInfo`](crate::DownloadInfo), the record beside an unfinished file) has `redacted` in the place of its query. What
    /// is sent is the same.
    pub redact_queries: bool,
    /// The longest file that is fetched, announced or received, in bytes.
    pub file_bytes_max: Option<u64>,
    /// The value of `User-Agent`, where a request does not set its own.
    pub user_agent: String,

    /// How many bytes are gathered before they are written.
    pub gather_bytes: usize,
    /// Gathered bytes are written after this time even when they are fewer.
    pub gather_time: Duration,
    /// The most that is asked of a body at once, in bytes; at least 1.
    pub read_bytes_max: usize,
    /// While the bytes of a download that are not yet written keep this much memory alive, its body is not read on; at
    /// least 1. So a download keeps less than this and one [`Chunk::pinned`](crate::Chunk::pinned) more alive, whatever servers
    /// send and however slow the disk is.
    pub held_bytes_max: usize,

    /// The least time between two progress notices of a download.
    pub progress_interval: Duration,
    /// What is flushed to the disk, and when.
    pub durability: Durability,
    /// Which unfinished downloads are gone on with.
    pub resume: Resume,
    /// From so many bytes on it is noted beside an unfinished file what it is, so that a later run can go on with it.
    pub record_bytes_min: u64,
    /// With a durability, an unfinished file is flushed, and how much of it was is noted, once so many more bytes came ...
    pub checkpoint_bytes: u64,
    /// ... and so much time has passed since it was flushed last.
    pub checkpoint_time: Duration,
    /// So long after it was written to last an unfinished file that nobody is at work on is removed; see
    /// [`resume`](Self::resume). One that nobody can go on with goes after a minute already.
    pub partial_age_max: Duration,
    /// How long another process that fetches the same name is waited for; after that, the file is fetched a second time.
    pub lock_wait: Duration,
    /// The bound of the directory, where there is one.
    pub limit: Option<LimitConfig>,
    /// A mistake that is made on purpose.
    #[cfg(feature = "planted-bugs")]
    #[doc(hidden)]
    pub planted: Option<crate::planted::Planted>,
}

impl Config {
    /// A URL as it is told to people.
    pub(crate) fn shown(&self, url: &Url) -> Url {
        if self.redact_queries { redacted(url) } else { url.clone() }
    }

    /// A URL as it is noted beside an unfinished file, to know it again.
    pub(crate) fn noted(&self, url: &Url) -> Url {
        if self.redact_queries { hashed(url) } else { url.clone() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            jobs: 8,
            per_host: 6,
            publishing_max: 64,
            retries_max: 5,
            requests_max: 100,
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            retry_after_max: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            stall_bytes_min: 1024,
            timeout: None,
            redirects_max: 20,
            redirect_body_bytes_max: 16 * 1024,
            allow_downgrade: false,
            redact_queries: false,
            file_bytes_max: None,
            user_agent: concat!("dlmanager/", env!("CARGO_PKG_VERSION")).into(),
            gather_bytes: 32 * 1024,
            gather_time: Duration::from_millis(200),
            read_bytes_max: 512 * 1024,
            held_bytes_max: 1024 * 1024,
            progress_interval: Duration::from_millis(100),
            durability: Durability::Data,
            resume: Resume::AcrossRuns,
            record_bytes_min: 1024 * 1024,
            checkpoint_bytes: 64 * 1024 * 1024,
            checkpoint_time: Duration::from_secs(5),
            partial_age_max: Duration::from_secs(7 * 24 * 60 * 60),
            lock_wait: Duration::from_secs(300),
            limit: None,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

/// What holds after a loss of power.
///
/// ```
/// use dlmanager_core::{Config, Durability};
///
/// assert_eq!(Config::default().durability, Durability::Data);
/// let cache = Config { durability: Durability::None, ..Config::default() }; // can be fetched again
/// assert_eq!(cache.durability, Durability::None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Nothing is flushed.
    None,
    /// A file that is there under its final name is complete: its data is flushed before it gets the name.
    #[default]
    Data,
    /// A download that was reported complete is there: the name is flushed as well.
    Full,
}

/// Which unfinished downloads are gone on with where they were, once the server has shown that its file is still the same.
///
/// ```
/// use dlmanager_core::{Config, Resume};
///
/// assert_eq!(Config::default().resume, Resume::AcrossRuns);
/// let tidy = Config { resume: Resume::WithinRun, ..Config::default() }; // leaves nothing unfinished behind
/// assert_ne!(tidy.resume, Resume::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// None: whatever was not finished is removed, and starts over.
    Never,
    /// Those of this manager: a retry goes on. What has not been finished when a download ends is removed.
    WithinRun,
    /// Those of earlier runs as well, crashed ones too: what a failed or interrupted download has is kept.
    #[default]
    AcrossRuns,
}

/// A bound for the directory: see [`PersistLimit`](crate::PersistLimit) for the rule.
///
/// ```
/// use dlmanager_core::{Config, LimitConfig, Manager, Pattern};
///
/// let limit = LimitConfig {
///     size_limit: 1 << 30,
///     file_limit: 10,
///     pattern: Pattern::new("*.zip"),
///     ..LimitConfig::default()
/// };
/// let bounded = Config { limit: Some(limit.clone()), ..Config::default() };
/// assert!(Manager::new(bounded, 1).limit().is_some());
/// let unbounded = Config { limit: Some(LimitConfig { file_limit: 0, ..limit }), ..Config::default() };
/// assert!(Manager::new(unbounded, 1).limit().is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitConfig {
    /// The total size in bytes from which on files are evicted; 0 means no limit.
    pub size_limit: u64,
    /// This many files are kept whatever their size; 0 means no limit.
    pub file_limit: u64,
    /// Only files whose last component matches this pattern, and is not hidden, count; see [`Pattern`](crate::Pattern).
    pub pattern: crate::Pattern,
    /// Take what stands in the directory for evictable although this program did not put it there.
    pub adopt: bool,
    /// Further bounds, none unless set.
    pub bounds: crate::Bounds,
    /// A download that ends with its file there holds that file's name, as [`Manager::hold`](crate::Manager::hold) does, so
    /// that no pass takes the file before the program had it. Whoever sets this calls
    /// [`Manager::release`](crate::Manager::release) once for each [`Outcome`](crate::Outcome) that
    /// [leaves a file](crate::Outcome::has_file), when it is not needed any more.
    pub holds_outcomes: bool,
}
