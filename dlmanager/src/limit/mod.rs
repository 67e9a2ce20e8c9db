//! `PersistLimit`: a bound for files, by itself or for the directory of a manager.

mod pass;
mod registered;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dlmanager_core::{Bounds, Fault, FaultKind, FileKind, FileStat, Pattern, StorePath};
use dlmanager_fs::Directory;

use crate::{LimitUsage, Swept};

pub use uses::{Lease, Verdicts};

/// A bound for files: while there are more than `file_limit` of them and they have `size_limit` bytes or more in total, the
/// one that was accessed longest ago goes; of equals, the one whose name comes first. A limit of 0, in either, is no limit.
///
/// Given to [`Builder::persist_limit`](crate::Builder::persist_limit) it bounds the directory of a manager. By itself it
/// bounds the files that are registered with it, in any number of directories, whenever
/// [`remove_old_files`](Self::remove_old_files) is called. Those calls block, and no thread is needed for them.
///
/// ```
/// use dlmanager::PersistLimit;
///
/// # let folder = tempfile::tempdir()?;
/// # for name in ["a.log", "b.log", "c.txt"] {
/// #     std::fs::write(folder.path().join(name), "0123456789")?;
/// # }
/// # let directory = folder.path();
/// let mut limit = PersistLimit::new(10, 1); // from 10 bytes on, but 1 file is kept
/// limit.register_dir_content(directory, "*.log")?;
/// limit.register_file(directory.join("c.txt"))?;
/// let swept = limit.remove_old_files();
/// assert_eq!((swept.usage.files, swept.failures.len()), (1, 0));
/// # assert_eq!(std::fs::read_dir(directory)?.count(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PersistLimit {
    /// The total size in bytes from which on files are evicted; 0 means no limit.
    pub size_limit: u64,
    /// This many files are kept whatever their size; 0 means no limit.
    pub file_limit: u64,
    bounds: Bounds,
    files: BTreeMap<File, FileStat>,
    bytes: u128,
    /// The folders that files were registered in, so that those of one folder share its path.
    folders: BTreeSet<Arc<Path>>,
    /// The directories whose content was registered, by the absolute paths that were given.
    contents: Vec<(PathBuf, Pattern)>,
}

/// A file that is registered. The order of files is that of their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    name: StorePath,
    /// Its path without symlinks.
    folder: Arc<Path>,
}

impl PersistLimit {
    /// How many files are kept where nothing else is said.
    pub const DEFAULT_FILE_LIMIT: u64 = 5;

    /// A bound of `size_limit` bytes that keeps at least `file_limit` files.
    pub const fn new(size_limit: u64, file_limit: u64) -> Self {
        Self {
            size_limit,
            file_limit,
            bounds: Bounds { age_max: None, free_bytes_min: 0, reserves: false },
            files: BTreeMap::new(),
            bytes: 0,
            folders: BTreeSet::new(),
            contents: Vec::new(),
        }
    }

    /// A bound of `size_limit` bytes that keeps at least [`DEFAULT_FILE_LIMIT`](Self::DEFAULT_FILE_LIMIT) files.
    pub const fn of_size(size_limit: u64) -> Self {
        Self::new(size_limit, Self::DEFAULT_FILE_LIMIT)
    }

    /// A file goes, too, that was not accessed for longer than this, however few there are. Without this none goes by its age.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dlmanager::PersistLimit;
    ///
    /// // What nobody used for a month goes, and nothing else.
    /// let limit = PersistLimit::new(0, 0).age_max(Duration::from_secs(30 * 24 * 60 * 60));
    /// # let _ = limit;
    /// ```
    #[must_use]
    pub const fn age_max(mut self, age_max: Duration) -> Self {
        self.bounds.age_max = Some(age_max);
        self
    }

    /// While the file system has fewer free bytes than this, the file accessed longest ago goes, as long as there are more than
    /// [`file_limit`](Self::file_limit); what is unfinished and nobody is at work on goes before. 0, as without this, is no bound.
    #[must_use]
    pub const fn free_bytes_min(mut self, bytes_min: u64) -> Self {
        self.bounds.free_bytes_min = bytes_min;
        self
    }

    /// Make room for the announced length of a download while it is fetched, not after; and refuse one that could never fit
    /// beside what is pinned, whatever is evicted, when its reply begins
    /// ([`DownloadError::NoRoom`](crate::DownloadError::NoRoom)). Of use in a manager alone.
    #[must_use]
    pub const fn reserves(mut self, reserves: bool) -> Self {
        self.bounds.reserves = reserves;
        self
    }

    /// Makes a file count, with the length and the access time that it has now, also one that is hidden. Registered twice
    /// it counts once, as it was seen last. Returns whether it counts: where nothing stands there, or something that is not
    /// a regular file, it does not. A symlink is none, wherever it leads.
    ///
    /// # Errors
    ///
    /// It cannot be looked at, or its name is not UTF-8.
    pub fn register_file(&mut self, path: impl AsRef<Path>) -> io::Result<bool> {
        let path = path::absolute(path)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
        let Some((folder, directory)) = self.open(parent)? else { return Ok(false) };
        let name = name.to_str().and_then(StorePath::entry);
        let name =
            name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the name of the file is not UTF-8"))?;
        let stat = directory.stat(&name).map_err(io_error)?;
        Ok(self.register(File { name, folder }, stat.as_ref()))
    }

    /// Makes the regular files of a directory count whose names match the [pattern](Pattern), those in its subfolders not.
    /// Hidden ones match only where the pattern begins with a dot. Returns how many matched: none where there is no such
    /// directory.
    ///
    /// Calling this means that those files may be removed, whoever put them there. Files that appear later do not count
    /// unless it is called again. Those whose names are not UTF-8 never count.
    ///
    /// # Errors
    ///
    /// The directory cannot be read; some of its files may count then.
    pub fn register_dir_content(&mut self, directory: impl AsRef<Path>, pattern: &str) -> io::Result<u64> {
        let path = path::absolute(directory)?;
        let content = (path, Pattern::new(pattern));
        if !self.contents.contains(&content) {
            self.contents.push(content.clone());
        }
        let (path, pattern) = content;
        let Some((folder, directory)) = self.open(&path)? else { return Ok(0) };
        let with_hidden = pattern.as_str().starts_with('.');
        let mut registered = 0;
        directory
            .for_each_entry(|entry| {
                let name = entry.path.file_name();
                if (with_hidden || !name.starts_with('.')) && pattern.matches(name) {
                    let file = File { name: entry.path, folder: Arc::clone(&folder) };
                    registered += u64::from(self.register(file, Some(&entry.stat)));
                }
            })
            .map_err(io_error)?;
        Ok(registered)
    }

    /// Removes what the rule wants to go, and tells what is left. Blocks.
    ///
    /// Each file is looked at again before: one that was accessed or written since it was registered takes its new place
    /// in the order, and one that is gone no longer counts. A file that cannot be removed is told among the
    /// [failures](Swept::failures); it goes on to count, others go in its place, and the next call tries it again. A
    /// folder that its owner may not write is made writable for the moment, and so is a file on Windows.
    ///
    /// With `n` files it takes O(n log n), also where none has to go.
    pub fn remove_old_files(&mut self) -> Swept {
        pass::remove_old_files(self)
    }

    /// What counts.
    pub fn usage(&self) -> LimitUsage {
        LimitUsage { files: self.files.len() as u64, bytes: u64::try_from(self.bytes).unwrap_or(u64::MAX) }
    }

    /// Opens a folder, by its path without symlinks; `None` where there is no folder.
    fn open(&mut self, path: &Path) -> io::Result<Option<(Arc<Path>, Directory)>> {
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        match Directory::open(&path) {
            Ok(directory) => {
                let folder = self.folders.get(&*path).cloned().unwrap_or_else(|| path.into());
                self.folders.insert(Arc::clone(&folder));
                Ok(Some((folder, directory)))
            }
            Err(fault) if matches!(fault.kind(), FaultKind::NotFound | FaultKind::WrongType) => Ok(None),
            Err(fault) => Err(io_error(fault)),
        }
    }

    /// Notes what was seen under a name. Returns whether it counts.
    fn register(&mut self, file: File, stat: Option<&FileStat>) -> bool {
        let stat = stat.filter(|stat| stat.kind == FileKind::Regular);
        self.bytes += stat.map_or(0, |stat| u128::from(stat.length));
        let before = match stat {
            Some(stat) => self.files.insert(file, *stat),
            None => self.files.remove(&file),
        };
        self.bytes -= before.map_or(0, |stat| u128::from(stat.length));
        stat.is_some()
    }
}

impl File {
    fn path(&self) -> PathBuf {
        self.folder.join(self.name.as_str())
    }
}

impl fmt::Debug for PersistLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersistLimit")
            .field("size_limit", &self.size_limit)
            .field("file_limit", &self.file_limit)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

fn io_error(fault: Fault) -> io::Error {
    fault.os_code().map_or_else(|| io::Error::other(fault), io::Error::from_raw_os_error)
}
