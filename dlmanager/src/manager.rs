//! The manager.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dlmanager_core::{
    AdmitError, DeleteItem, Expect, Fault, FileName, Kept, NameError, Request, Stamp, StorePath, Unmet,
};

use crate::shared::{Leaving, Shared};
use crate::sync::block_on;
use crate::waits::Until;
use crate::{AllDone, Builder, Closed, Download, Events, OpenError, RequestBuilder, Sweep, WaitError};

/// Many downloads into one directory.
///
/// Clones share one manager. Dropping the last one cancels what runs and does not block; [`close`](Self::close) tells
/// when nothing is half done.
///
/// ```
/// use dlmanager::DownloadManager;
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("notes.txt"), "hello")?;
/// let manager = DownloadManager::new(directory)?;
/// let download = manager.download("https://example.org/notes.txt")?; // which is there already
/// assert_eq!(download.dest(), manager.dest("notes.txt")?);
/// manager.wait()?;
/// assert!(manager.downloads().is_empty());
/// manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DownloadManager {
    owner: Arc<Owner>,
}

/// What the clones of a manager own together: its end is theirs.
struct Owner {
    shared: Arc<Shared>,
}

impl DownloadManager {
    pub(crate) fn with(shared: Arc<Shared>) -> Self {
        Self { owner: Arc::new(Owner { shared }) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

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
        &self.owner.shared.directory
    }

    /// Starts a download under the URL's own name, or joins the one that runs under that name. Whether the file is there
    /// already, its outcome tells. Returns at once.
    ///
    /// # Errors
    ///
    /// The URL cannot be fetched, it yields no valid name, or the manager is closed. Never [`AdmitError::Conflict`], as no
    /// checksum is asked for: see [`RequestBuilder::checksum`].
    pub fn download(&self, url: impl AsRef<str>) -> Result<Download, AdmitError> {
        self.request(url).start()
    }

    /// A download with more to say about it.
    pub fn request(&self, url: impl AsRef<str>) -> RequestBuilder<'_> {
        RequestBuilder::new(self.shared(), url.as_ref())
    }

    /// The same for what was parsed before: for who looks through a list before he starts any of it.
    ///
    /// ```
    /// use dlmanager::DownloadManager;
    /// use dlmanager::core::Request;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let directory = folder.path();
    /// # std::fs::write(directory.join("notes.txt"), "hello")?;
    /// let list = ["https://example.org/notes.txt"];
    /// let requests = list.map(Request::new).into_iter().collect::<Result<Vec<_>, _>>()?; // all or none
    /// let manager = DownloadManager::new(directory)?;
    /// for request in requests {
    ///     manager.request_parsed(request).start()?;
    /// }
    /// manager.wait()?;
    /// # manager.close().wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_parsed(&self, request: Request) -> RequestBuilder<'_> {
        RequestBuilder::of(self.shared(), request)
    }

    /// Where the file of that name is or would be.
    ///
    /// # Errors
    ///
    /// The name is not valid.
    pub fn dest(&self, name: &str) -> Result<PathBuf, NameError> {
        FileName::new(name).map(|name| self.directory().join(name.as_str()))
    }

    /// The downloads that run, queued ones included, in the order of their admission.
    pub fn downloads(&self) -> Vec<Download> {
        let records: Vec<_> = self.shared().lock().records.values().cloned().collect();
        records.into_iter().map(|record| Download::new(record, Arc::clone(self.shared()))).collect()
    }

    /// Cancels the running downloads that match; returns how many.
    pub fn cancel_if(&self, mut matches: impl FnMut(&Download) -> bool) -> usize {
        self.downloads().iter().filter(|download| matches(download) && download.cancel().is_ok()).count()
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
        AllDone::new(self.shared(), Until::StartedEnded)
    }

    /// Blocks until no download runs. Failures are left for [`wait`](Self::wait) to tell.
    pub fn wait_idle(&self) {
        // Waiting until nothing runs tells of no failure.
        let _ = block_on(AllDone::new(self.shared(), Until::Idle));
    }

    /// What happens from now on, as a stream and an iterator.
    pub fn events(&self) -> Events {
        self.shared().events()
    }

    /// Evicts what the limit wants to go, without a download having ended. Nothing without a limit.
    pub fn remove_old_files(&self) -> Sweep {
        Sweep::new(self.shared())
    }

    /// The files that the limit would have removed now, the first to go first: what
    /// [`remove_old_files`](Self::remove_old_files) would do. Empty without a limit. Right after opening, a large directory
    /// is still being read; what is known then is what was read so far.
    pub fn victims(&self) -> Vec<Victim> {
        self.shared().lock().victims()
    }

    /// What counts for the limit; `None` without one. Right after opening, a large directory is still being read.
    pub fn limit_usage(&self) -> Option<LimitUsage> {
        self.shared().lock().limit_usage()
    }

    /// Cancels what runs and admits nothing more, at once. Awaiting the value, or its [`wait`](Closed::wait), is the
    /// guarantee that nothing is half done: nothing runs, nothing unfinished is left of what ran, and observers got their
    /// last calls. May be called again, with the same meaning.
    ///
    /// What downloads that failed before have left for a later run stays, see [`Resume`](crate::Resume).
    pub fn close(&self) -> Closed {
        Closed::new(self.shared(), Leaving::Nothing)
    }

    /// Closes as [`close`](Self::close) does, but keeps what is unfinished, as [`Download::interrupt`] does: for a program
    /// that is told to end. When it runs again, the same downloads go on where they stopped.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = dlmanager::DownloadManager::new("downloads")?;
    /// let download = manager.download("https://example.org/large.iso")?;
    /// // ... on Ctrl-C:
    /// manager.close_keeping().await?;
    /// # Ok(()) }
    /// ```
    pub fn close_keeping(&self) -> Closed {
        Closed::new(self.shared(), Leaving::Unfinished)
    }
}

impl fmt::Debug for DownloadManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownloadManager").field("directory", &self.directory()).finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

/// What a pass of eviction left.
///
/// ```
/// use dlmanager::{PersistLimit, Unmet};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("a.log"), "0123456789")?;
/// # std::fs::write(directory.join("b.log"), "0123456789")?;
/// let mut limit = PersistLimit::new(10, 2); // 2 files are kept, whatever their size
/// limit.register_dir_content(directory, "*.log")?;
/// let swept = limit.remove_old_files();
/// assert_eq!((swept.usage.files, swept.usage.bytes), (2, 20));
/// assert_eq!(swept.unmet, Some(Unmet::FileLimit));
/// for (path, fault) in &swept.failures {
///     println!("{} cannot be removed: {fault}", path.display());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// What counts after it.
    pub usage: LimitUsage,
    /// The size limit is still exceeded, for this reason.
    pub unmet: Option<Unmet>,
    /// The files that could not be removed, and why; of a manager, since the pass that was told before.
    pub failures: Vec<(PathBuf, Fault)>,
    /// The files that should have gone and were kept, and what keeps them; of a manager, those that were not told before.
    pub kept: Vec<(PathBuf, Kept)>,
}

/// What counts for a limit.
///
/// ```
/// use dlmanager::{LimitUsage, PersistLimit};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("notes.txt"), "hello")?;
/// let mut limit = PersistLimit::of_size(1 << 20);
/// limit.register_file(directory.join("notes.txt"))?;
/// assert_eq!(limit.usage(), LimitUsage { files: 1, bytes: 5 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitUsage {
    /// How many files.
    pub files: u64,
    /// Their total length in bytes.
    pub bytes: u64,
}

/// A file that a limit would have removed.
///
/// ```
/// use dlmanager::{DownloadManager, PersistLimit};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("a.log"), "0123456789")?;
/// # std::fs::write(directory.join("b.log"), "0123456789")?;
/// let limit = PersistLimit::new(10, 1); // from 10 bytes on, but 1 file is kept
/// let manager = DownloadManager::builder(directory).persist_limit(limit).adopt(true).open()?;
/// for victim in manager.victims() {
///     println!("{} ({} bytes) is to go", victim.path, victim.length);
/// }
/// manager.remove_old_files().wait()?;
/// assert!(manager.victims().is_empty());
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

impl Victim {
    pub(crate) fn new(item: DeleteItem) -> Option<Self> {
        match item.expect {
            Expect::Unchanged { length, accessed, .. } => Some(Self { path: item.path, length, accessed }),
            Expect::File | Expect::EmptyFolder => None,
        }
    }
}
