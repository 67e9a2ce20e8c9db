//! Using files of a bounded directory, keeping them, and asking what would become of them.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dlmanager_core::{FileName, Judged, Kept, StorePath};
use dlmanager_fs::{Directory, Verified};

use super::{PersistLimit, io_error};
use crate::DownloadManager;
use crate::shared::Shared;

/// A file that no eviction takes as long as this lives: none of this process, and none of another one.
///
/// It ends when it is dropped, and when the process ends, however that ends. From [`DownloadManager::lease`] or
/// [`PersistLimit::lease`].
///
/// ```
/// use dlmanager::{DownloadManager, PersistLimit};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # for name in ["a.bin", "b.bin"] {
/// #     std::fs::write(directory.join(name), "0123456789")?;
/// # }
/// let limit = PersistLimit::new(1, 1); // keeps a single file
/// let manager = DownloadManager::builder(directory).persist_limit(limit).adopt(true).open()?;
/// let lease = manager.lease("a.bin")?;
/// manager.remove_old_files().wait()?;
/// assert_eq!(std::fs::read(lease.path())?, b"0123456789"); // b.bin went
/// drop(lease);
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends it"]
pub struct Lease {
    lease: dlmanager_fs::Lease,
    path: PathBuf,
    /// Behind `lease`, as it is dropped behind it.
    _held: Option<Held>,
}

/// A hold of a name in the core. When it ends, a pass may be made up for, once: the file must not be found in use any more.
struct Held {
    shared: Arc<Shared>,
    name: FileName,
}

impl Lease {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, open for reading. Whoever moves its position moves it for all who use this handle.
    pub const fn file(&self) -> &File {
        self.lease.file()
    }

    /// Whether other processes keep off, too. On a file system without locks only this manager knows of the lease.
    pub const fn is_locked(&self) -> bool {
        self.lease.is_locked()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.release(&self.name);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("path", &self.path).field("is_locked", &self.is_locked()).finish_non_exhaustive()
    }
}

/// What would become of each file, in the order in which they would go.
pub type Verdicts = Vec<(PathBuf, Judged)>;

impl DownloadManager {
    /// Keeps a file from being evicted, by this process and by others, as long as the [`Lease`] lives, and stamps it as
    /// accessed now, at most once a minute: mounts rarely record that a file is read. Blocks for a few system calls; a file
    /// that is just being published or looked at by an eviction is waited for, two seconds at most.
    ///
    /// # Errors
    ///
    /// No regular file has that name, it cannot be read, or somebody keeps it locked. [`io::ErrorKind::Unsupported`] where the
    /// manager's store is not a real directory, see [`Store::directory`](crate::Store::directory).
    pub fn lease(&self, name: &str) -> io::Result<Lease> {
        let name = file_name(name)?;
        let (shared, directory) = (self.shared(), self.real()?);
        shared.lock().core.hold(&name);
        let held = Held { shared: Arc::clone(shared), name };
        let name = &held.name;
        let lease = directory.lease(&StorePath::from(name)).map_err(io_error)?;
        if let Ok(accessed) = lease.accessed() {
            shared.lock().core.touched(name, accessed);
        }
        let path = shared.directory.join(name.as_str());
        Ok(Lease { lease, path, _held: Some(held) })
    }

    /// Opens a file to read it, and stamps it as accessed now, at most once a minute, so that it counts as used. On Unix an open
    /// file can be read to its end whatever becomes of its name; to keep the name, use [`lease`](Self::lease).
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let directory = folder.path();
    /// # std::fs::write(directory.join("notes.txt"), "hello")?;
    /// let manager = dlmanager::DownloadManager::new(directory)?;
    /// let mut text = String::new();
    /// manager.open("notes.txt")?.read_to_string(&mut text)?;
    /// assert_eq!(text, "hello");
    /// # manager.close().wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`lease`](Self::lease).
    pub fn open(&self, name: &str) -> io::Result<File> {
        let name = file_name(name)?;
        let lease = self.real()?.lease(&StorePath::from(&name)).map_err(io_error)?;
        if let Ok(accessed) = lease.accessed() {
            self.shared().lock().core.touched(&name, accessed);
        }
        lease.into_file()
    }

    /// Keeps the file of that name from being evicted, by whatever process, until it is [unpinned](Self::unpin): pins are
    /// kept in the directory, and hold after a restart. Blocks until evictions that are under way have ended.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let directory = folder.path();
    /// # std::fs::write(directory.join("notes.txt"), "hello")?;
    /// let manager = dlmanager::DownloadManager::new(directory)?;
    /// manager.pin("notes.txt")?;
    /// assert_eq!(manager.pins()?, ["notes.txt"]);
    /// assert!(manager.unpin("notes.txt")?);
    /// # manager.close().wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No regular file has that name, the pin cannot be made, or somebody keeps the file's exclusive lock for seconds.
    pub fn pin(&self, name: &str) -> io::Result<()> {
        let name = file_name(name)?;
        self.real()?.pin(&StorePath::from(&name)).map_err(io_error)?;
        self.shared().lock().core.set_pinned(&name, true);
        Ok(())
    }

    /// Ends a pin. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// It is there and cannot be removed.
    pub fn unpin(&self, name: &str) -> io::Result<bool> {
        let name = file_name(name)?;
        let was_there = self.real()?.unpin(&StorePath::from(&name)).map_err(io_error)?;
        self.shared().lock().core.set_pinned(&name, false);
        Ok(was_there)
    }

    /// The names that are pinned, in their order.
    ///
    /// # Errors
    ///
    /// The pins cannot be read.
    pub fn pins(&self) -> io::Result<Vec<String>> {
        let pins = self.real()?.pins().map_err(io_error)?;
        Ok(pins.iter().map(ToString::to_string).collect())
    }

    /// Whether a file has the digests that were noted with it when it was fetched: those that its request or the server named.
    /// Reads all of it, and blocks meanwhile.
    ///
    /// They are kept as an extended attribute of the file itself, `user.dlmanager.digests`. A file without any is
    /// [`Verified::NoDigest`].
    ///
    /// # Errors
    ///
    /// No regular file has that name, or it cannot be read.
    pub fn verify(&self, name: &str) -> io::Result<Verified> {
        let name = file_name(name)?;
        self.real()?.verify(&StorePath::from(&name)).map_err(io_error)
    }

    /// What the limit says of every file that counts, and why, in the order in which they would go: what
    /// [`remove_old_files`](Self::remove_old_files) would do. Empty without a limit. Takes time in proportion to their number.
    ///
    /// Right after opening, a large directory is still being read; what is known then is what was read so far. That another
    /// process has a lease on a file, only an eviction finds out.
    ///
    /// ```
    /// use dlmanager::{DownloadManager, PersistLimit};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let directory = folder.path();
    /// # for name in ["a.bin", "b.bin"] {
    /// #     std::fs::write(directory.join(name), "0123456789")?;
    /// # }
    /// let limit = PersistLimit::new(1, 1);
    /// let manager = DownloadManager::builder(directory).persist_limit(limit).adopt(true).open()?;
    /// manager.pin("a.bin")?;
    /// for file in manager.explain()? {
    ///     println!("{} {}", file.path, file.verdict); // "a.bin stays: pinned", "b.bin goes: too many bytes"
    /// }
    /// # manager.close().wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The pins cannot be read.
    pub fn explain(&self) -> io::Result<Vec<Judged>> {
        let real = self.shared().real.as_ref();
        let pins = real.map_or(Ok(Vec::new()), Directory::pins).map_err(io_error)?;
        let gauge = real.and_then(|real| real.gauge().ok());
        let state = self.shared().lock();
        let Some(limit) = state.core.limit() else { return Ok(Vec::new()) };
        let mut limit = limit.clone();
        let live: Vec<FileName> = state.records.values().map(|record| record.subject().name.clone()).collect();
        drop(state);
        if let Some(gauge) = gauge {
            limit.set_gauge(gauge);
        }
        for pin in &pins {
            limit.set_pinned(pin, true);
        }
        let is_live = |path: &StorePath| live.iter().any(|name| name.as_str() == path.as_str());
        Ok(limit.explain(|path| is_live(path).then_some(Kept::Downloading)))
    }

    fn real(&self) -> io::Result<&Directory> {
        self.shared().real.as_ref().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

impl PersistLimit {
    /// Keeps a file from being evicted, by whatever process, as long as the [`Lease`] lives, and stamps it as accessed now, at
    /// most once a minute. The file need not be registered.
    ///
    /// # Errors
    ///
    /// As for [`DownloadManager::lease`].
    pub fn lease(path: impl AsRef<Path>) -> io::Result<Lease> {
        let (directory, name, path) = place(path.as_ref())?;
        Ok(Lease { lease: directory.lease(&name).map_err(io_error)?, path, _held: None })
    }

    /// Opens a file to read it, and stamps it as accessed now, at most once a minute.
    ///
    /// # Errors
    ///
    /// As for [`DownloadManager::open`].
    pub fn open_file(path: impl AsRef<Path>) -> io::Result<File> {
        Self::lease(path).and_then(|lease| lease.file().try_clone())
    }

    /// Pins a file: no eviction takes it, by whatever process, until it is [unpinned](Self::unpin). The pin is kept in
    /// `.dlmanager/pins/` beside it.
    ///
    /// ```
    /// use dlmanager::{Kept, PersistLimit};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let directory = folder.path();
    /// # std::fs::write(directory.join("a.log"), "0123456789")?;
    /// # std::fs::write(directory.join("b.log"), "0123456789")?;
    /// let mut limit = PersistLimit::new(1, 1);
    /// limit.register_dir_content(directory, "*.log")?;
    /// PersistLimit::pin(directory.join("a.log"))?;
    /// PersistLimit::pin(directory.join("b.log"))?;
    /// let kept = limit.remove_old_files().kept;
    /// assert_eq!(kept.len(), 2);
    /// assert_eq!(kept[0].1, Kept::Pinned);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`DownloadManager::pin`].
    pub fn pin(path: impl AsRef<Path>) -> io::Result<()> {
        let (directory, name, _) = place(path.as_ref())?;
        directory.pin(&name).map_err(io_error)
    }

    /// Ends a pin. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// It is there and cannot be removed.
    pub fn unpin(path: impl AsRef<Path>) -> io::Result<bool> {
        let (directory, name, _) = place(path.as_ref())?;
        directory.unpin(&name).map_err(io_error)
    }

    /// Whether a file has the digests that were noted with it when it was fetched, see [`DownloadManager::verify`].
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn verify(path: impl AsRef<Path>) -> io::Result<Verified> {
        let (directory, name, _) = place(path.as_ref())?;
        directory.verify(&name).map_err(io_error)
    }

    /// What the rule says of every file that is registered, and why, in the order in which they would go: what
    /// [`remove_old_files`](Self::remove_old_files) would do, as far as the files are what they were. Nothing is removed.
    /// Blocks.
    ///
    /// ```
    /// use dlmanager::{PersistLimit, Verdict};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let directory = folder.path();
    /// # std::fs::write(directory.join("a.log"), "0123456789")?;
    /// # std::fs::write(directory.join("b.log"), "0123456789")?;
    /// let mut limit = PersistLimit::new(1, 1);
    /// limit.register_dir_content(directory, "*.log")?;
    /// let goes = limit.explain().into_iter().filter(|(_, file)| matches!(file.verdict, Verdict::Goes(_)));
    /// assert_eq!(goes.count(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn explain(&self) -> Verdicts {
        let (rule, files) = super::pass::rule(self);
        let mut last: Option<(Arc<Path>, Directory)> = None;
        let judged = rule.explain(|key| {
            let file = files.get(key)?;
            if last.as_ref().is_none_or(|(path, _)| *path != file.folder) {
                last = Directory::open(&file.folder).ok().map(|directory| (Arc::clone(&file.folder), directory));
            }
            let (_, directory) = last.as_ref()?;
            if directory.is_pinned(&file.name).unwrap_or(false) {
                return Some(Kept::Pinned);
            }
            directory.is_in_use(&file.name).unwrap_or(false).then_some(Kept::InUse)
        });
        let each = judged.into_iter().filter_map(|judged| {
            let file = files.get(&judged.path)?;
            Some((file.path(), Judged { path: file.name.clone(), ..judged }))
        });
        each.collect()
    }
}

/// The folder that holds a file, its name there, and its absolute path.
fn place(path: &Path) -> io::Result<(Directory, StorePath, PathBuf)> {
    let path = std::path::absolute(path)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no name"));
    };
    let name = name.to_str().and_then(StorePath::entry);
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the name of the file is not UTF-8"))?;
    Ok((Directory::open(parent).map_err(io_error)?, name, path))
}

fn file_name(name: &str) -> io::Result<FileName> {
    FileName::new(name).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    /// The pass that is made up for is made once, and must not find the file in use.
    #[test]
    fn a_lease_that_ends_has_let_go_of_its_file_before_the_manager_hears_of_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "0123456789").unwrap();
        let manager = DownloadManager::new(folder.path()).unwrap();
        let lease = manager.lease("a").unwrap();
        let other = File::open(lease.path()).unwrap();
        assert!(other.try_lock().is_err(), "it is locked while there is a lease");
        // As long as this is held, the manager hears of nothing.
        let held = manager.shared().lock();
        let dropping = thread::spawn(move || drop(lease));
        let since = Instant::now();
        while other.try_lock().is_err() {
            assert!(since.elapsed() < DEADLINE, "it is still locked");
            thread::yield_now();
        }
        drop(held);
        dropping.join().unwrap();
        manager.close().wait().unwrap();
    }
}
