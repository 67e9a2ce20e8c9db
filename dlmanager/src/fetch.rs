//! One file, without a manager.

use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use dlmanager_core::{Durability, IfPresent, Progress};
use http::{HeaderName, HeaderValue};

use crate::{DownloadedFile, FetchError};

/// Fetches one file to a path, whose folder is made where it is missing; a file that is there is taken as it is unless
/// [`if_present`](Fetch::if_present) says otherwise.
///
/// ```no_run
/// let file = dlmanager::fetch("https://example.org/a.zip", "downloads/a.zip").wait()?;
/// println!("{} bytes", file.length);
/// # Ok::<(), dlmanager::FetchError>(())
/// ```
pub fn fetch(url: impl Into<String>, path: impl AsRef<Path>) -> Fetch {
    Fetch { url: url.into(), path: path.as_ref().to_path_buf() }
}

/// A file about to be fetched, from [`fetch()`]: await it, or call [`wait`](Self::wait).
#[must_use = "await it, or call wait"]
pub struct Fetch {
    url: String,
    path: PathBuf,
}

impl Fetch {
    /// A header field to send, to the URL's own origin only.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        let _ = (name, value);
        self
    }

    /// What to do where a file is there already; it is taken as it is unless set.
    pub fn if_present(self, if_present: IfPresent) -> Self {
        let _ = (if_present);
        self
    }

    /// An observer, see [`Download::set_progress`](crate::Download::set_progress).
    pub fn progress(self, observer: impl FnMut(&Progress) + Send + 'static) -> Self {
        let _ = (observer);
        self
    }

    /// How often it is tried again after a failure that may pass; 5 unless set.
    pub fn retries(self, retries_max: u32) -> Self {
        let _ = (retries_max);
        self
    }

    /// How long it may take, all attempts together. Unlimited unless set.
    pub fn timeout(self, timeout: Duration) -> Self {
        let _ = (timeout);
        self
    }

    /// What is flushed to the disk, and when.
    pub fn durability(self, durability: Durability) -> Self {
        let _ = (durability);
        self
    }

    /// Fetches it and blocks until that is done.
    ///
    /// # Errors
    ///
    /// The path or the URL makes no sense, the folder cannot be used, or the download failed.
    pub fn wait(self) -> Result<DownloadedFile, FetchError> {
        let _ = (self.url, self.path);
        panic!("skeleton")
    }
}

impl IntoFuture for Fetch {
    type Output = Result<DownloadedFile, FetchError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let _ = (self.url, self.path);
        panic!("skeleton")
    }
}
