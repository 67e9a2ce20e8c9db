//! Files that are in use, and are not to be evicted meanwhile.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use dlmanager_core::{Fault, FaultKind, OpenMode, Stamp, StorePath};

use crate::root::{Identity, Root};

/// A stamp of access is renewed where it is older than this.
const STAMP_INTERVAL: Duration = Duration::from_secs(60);
/// A file that is just being published or looked at by an eviction is waited for so long.
const WAIT_MAX: Duration = Duration::from_secs(2);
const PAUSE_MIN: Duration = Duration::from_micros(200);
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// A file that no eviction takes as long as this lives, in this process or in another one, from
/// [`Directory::lease`](crate::Directory::lease).
///
/// It is a shared lock of the file, so any number of them may be had at the same time; it ends when this is dropped, and
/// with the process.
///
/// ```
/// use dlmanager_core::{DeleteItem, Deleted, Expect, StorePath};
/// use dlmanager_fs::Directory;
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("tool"), "#!")?;
/// let directory = Directory::open(folder.path())?;
/// let path = StorePath::entry("tool").expect("it is a valid name");
/// let lease = directory.lease(&path)?;
/// let stat = directory.stat(&path)?.expect("it is there");
/// let expect = Expect::Unchanged { length: stat.length, accessed: stat.accessed, modified: stat.modified };
/// let item = DeleteItem { path, expect };
/// if lease.is_locked() {
///     assert_eq!(directory.delete(&item), Deleted::Busy);
/// }
/// drop(lease);
/// assert_eq!(directory.delete(&item), Deleted::Deleted);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Lease {
    file: File,
    is_locked: bool,
    accessed: Result<Stamp, Fault>,
}

impl Lease {
    /// Whether other processes know of it: on a file system without locks they do not.
    pub const fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// The stamp of access that the file bears since it was leased.
    ///
    /// # Errors
    ///
    /// It could not be stamped.
    pub const fn accessed(&self) -> Result<Stamp, &Fault> {
        match &self.accessed {
            Ok(stamp) => Ok(*stamp),
            Err(fault) => Err(fault),
        }
    }

    /// The file, open for reading; whoever moves its position moves it for all who use this handle.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Ends the lease, and keeps the open file: on Unix it can be read as long as it is open, whatever becomes of its name.
    pub fn into_file(self) -> std::io::Result<File> {
        self.file.try_clone()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_locked {
            // Closing would not do: a child that was forked in the meantime keeps a closed file's lock.
            let _ = self.file.unlock();
        }
    }
}

pub(crate) fn lease<R: Root>(root: &R, path: &StorePath) -> Result<Lease, Fault> {
    let mut lease = hold(root, path)?;
    lease.accessed = root.touch(path, STAMP_INTERVAL);
    Ok(lease)
}

/// A lease that leaves no stamp.
pub(crate) fn hold<R: Root>(root: &R, path: &StorePath) -> Result<Lease, Fault> {
    let until = Instant::now() + WAIT_MAX;
    let mut pause = PAUSE_MIN;
    loop {
        let (file, _) = root.open_file(path, OpenMode::Read)?;
        let is_locked = match root.try_lock_shared(&file) {
            Ok(()) => true,
            Err(fault) if fault.kind() == FaultKind::Unsupported => false,
            Err(fault) if fault.kind() == FaultKind::Busy && Instant::now() < until => {
                thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let lease = Lease { file, is_locked, accessed: Err(FaultKind::Skipped.into()) };
        let is_there = match root.length_under(path, &lease.file, &Identity::new()) {
            // It has another name, too.
            Err(fault) if fault.kind() == FaultKind::WrongType => true,
            result => result?.is_some(),
        };
        if is_there {
            return Ok(lease);
        }
        // Evicted or replaced before it was locked.
    }
}
