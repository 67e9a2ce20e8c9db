//! What can go wrong, as the manager's users see it.

use std::path::PathBuf;
use std::sync::Arc;

use dlmanager_core::{AdmitError, DirectoryError, DownloadError, NameError};
use dlmanager_fs::CreateError;

use crate::Subject;

/// Why a download did not yield a file.
///
/// ```
/// use dlmanager::{DownloadError, Error};
///
/// fn advice(error: &Error) -> &'static str {
///     match error {
///         Error::Canceled => "it was canceled",
///         Error::Failed(DownloadError::Status { status: 404 }) => "look for another URL",
///         Error::Failed(error) if error.is_no_space() => "make room",
///         _ => "try again later",
///     }
/// }
///
/// assert_eq!(advice(&DownloadError::Status { status: 404 }.into()), "look for another URL");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was canceled; nothing of it is left, unless it was [interrupted](crate::Download::interrupt).
    #[error("the download was canceled")]
    Canceled,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] DownloadError),
    /// The manager's loop ended before the download did: its thread or the host's executor is gone. What is unfinished
    /// stays hidden, in `.dlmanager/`.
    #[error(transparent)]
    ManagerGone(#[from] ManagerGone),
}

impl Error {
    /// A stable word for the kind of error, for machines: `canceled`, `manager-gone`, or [`DownloadError::kind`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Failed(error) => error.kind(),
            Self::ManagerGone(_) => "manager-gone",
        }
    }

    /// Whether it was canceled.
    pub const fn is_canceled(&self) -> bool {
        matches!(self, Self::Canceled)
    }
}

/// The manager's loop ended although nobody closed the manager: its runtime was shut down, or a bug made it panic.
///
/// ```
/// use dlmanager::{DownloadManager, ManagerGone};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// let runtime = tokio::runtime::Runtime::new()?;
/// let opening = DownloadManager::builder(directory).open_on(runtime.handle().clone());
/// let manager = runtime.block_on(opening)?;
/// drop(runtime); // before the manager was closed
/// assert_eq!(manager.close().wait(), Err(ManagerGone));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the manager's loop is gone")]
pub struct ManagerGone;

/// Why a manager could not be opened. Nothing in the directory was touched, except that it may have been made.
///
/// ```
/// use dlmanager::{DownloadManager, OpenError};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// let path = directory.join("notes.txt");
/// std::fs::write(&path, "hello")?;
/// match DownloadManager::new(&path) {
///     Err(OpenError::Directory(error)) => assert_eq!(error.path(), path), // it is a file
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be made, read or written.
    #[error(transparent)]
    Directory(#[from] CreateError),
    /// A limit was given, and the directory may not be bounded.
    #[error("{}: {error}", path.display())]
    Limit {
        /// The directory.
        path: PathBuf,
        /// Why not.
        error: DirectoryError,
    },
    /// A limit was given with which something is registered that it does not reach as a manager's limit.
    #[error(
        "{}: registered with the limit of a manager, which counts the visible files right in its own directory only; \
         keep another PersistLimit for others",
        path.display()
    )]
    Registered {
        /// The file, or the directory followed by the pattern.
        path: PathBuf,
    },
    /// A setting makes no sense.
    #[error("{0}")]
    Config(&'static str),
    /// The thread, the runtime or the transport of the manager could not be started.
    #[error("the manager could not be started: {0}")]
    Start(String),
    /// The loop ended before the directory was ready.
    #[error(transparent)]
    ManagerGone(#[from] ManagerGone),
}

/// Why [`fetch`](crate::fetch) did not yield a file.
///
/// ```
/// use dlmanager::{FetchError, fetch};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// let error = fetch("ftp://example.org/a.zip", directory.join("a.zip")).wait().unwrap_err();
/// assert!(matches!(error, FetchError::Admit(_))); // only http and https are fetched
/// let error = fetch("https://example.org/a.zip", "/").wait().unwrap_err();
/// assert!(matches!(error, FetchError::NoName { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The path does not end in a valid name of a file.
    #[error("{} is not a path for a file: {error}", path.display())]
    Path {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong with its last component.
        error: NameError,
    },
    /// The path does not end in a name, or in one that is not UTF-8.
    #[error("{} does not end in a name of a file in UTF-8", path.display())]
    NoName {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The folder of the path cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The URL cannot be fetched.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// The download ended without a file.
    #[error(transparent)]
    Download(#[from] Error),
}

/// A download that failed, in a [`WaitError`].
///
/// ```no_run
/// use dlmanager::{DownloadManager, Failure};
///
/// let manager = DownloadManager::new("downloads")?;
/// manager.download("https://example.org/a.zip")?;
/// if let Err(error) = manager.wait() {
///     for Failure { download, error } in error.failures() {
///         println!("{} is not at {}: {error}", download.url, download.dest.display());
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which one: its URL, its name, where its file would be.
    pub download: Arc<Subject>,
    /// Why. Never [`Error::Canceled`]: what was canceled has not failed.
    pub error: Error,
}

/// Some of the downloads waited for failed. The display names the first and says how many more there are.
///
/// ```no_run
/// let manager = dlmanager::DownloadManager::new("downloads")?;
/// manager.download("https://example.org/a.zip")?;
/// manager.download("https://example.org/b.zip")?;
/// if let Err(error) = manager.wait() {
///     for failure in error.failures() {
///         manager.download(&failure.download.url)?; // once more
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct WaitError {
    pub(crate) failures: Vec<Failure>,
    pub(crate) omitted: u64,
}

impl WaitError {
    /// The failures, in the order in which they happened; at least one.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// How many more failed: only so many are kept.
    pub const fn omitted(&self) -> u64 {
        self.omitted
    }
}

impl std::fmt::Display for WaitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(first) = self.failures.first() {
            write!(f, "{}: {}", first.download.name, first.error)?;
        }
        match self.failures.len().saturating_sub(1) as u64 + self.omitted {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for WaitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failures.first().map(|failure| &failure.error as _)
    }
}
