//! The directory on Unix, by its descriptor.

mod delete;
mod flush;
mod folder_lock;
mod lock;
mod note;
mod open;
mod publish;
mod scan;
mod shared;
mod stubborn;
mod tree;
mod write;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{
    DeleteItem, Deleted, Fault, FaultKind, FileKind, FileStat, OpenMode, ScanBatch, Stamp, StorePath,
};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;

use crate::fault;
use crate::root::{self, Identity, Root};

use lock::Alone;
use stubborn::Loosened;
pub(crate) use tree::Kernel;
use tree::Tree;

/// The directory, and what its kernel can do.
pub(crate) struct UnixRoot {
    tree: Tree,
}

impl UnixRoot {
    /// The same directory on a kernel that can do less.
    #[cfg(test)]
    pub(crate) fn with_kernel(mut self, kernel: Kernel) -> Self {
        self.tree.kernel = kernel;
        self
    }
}

impl Root for UnixRoot {
    type Scan = scan::Scan;

    fn open(path: &Path) -> Result<Self, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = retry(|| rustix::fs::open(path, flags, Mode::empty())).map_err(on_path)?;
        Ok(Self { tree: Tree::new(root, Kernel::default()) })
    }

    fn another(&self) -> Result<Self, Fault> {
        let root = self.tree.root.try_clone().map_err(|error| fault::of_file(&error))?;
        Ok(Self { tree: Tree::new(root, self.tree.kernel.again()) })
    }

    fn check_writable(&self) -> Result<(), Fault> {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        let check = |flags| rustix::fs::accessat(&self.tree.root, ".", access, flags);
        match check(AtFlags::EACCESS) {
            // Kernels before Linux 5.8 know only the real user's rights.
            Err(Errno::NOSYS | Errno::INVAL) => check(AtFlags::empty()),
            result => result,
        }
        .map_err(on_file)
    }

    fn make_dir(&self, path: &StorePath) -> Result<(), Fault> {
        self.tree.make_folders(path).map_err(on_path)
    }

    fn stat(&self, path: &StorePath) -> Result<Option<FileStat>, Fault> {
        match self.tree.stat(path) {
            Ok(stat) => Ok(Some(file_stat(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(on_path(errno)),
        }
    }

    fn open_file(&self, path: &StorePath, mode: OpenMode) -> Result<(File, bool), Fault> {
        open::open(&self.tree, path, mode)
    }

    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Fault> {
        retry(|| rustix::io::pread(file, &mut *buffer, offset)).map_err(on_file)
    }

    fn write_all_at(&self, file: &File, offset: u64, data: &[Bytes]) -> Result<(), Fault> {
        write::write_all_at(file, offset, data)
    }

    fn set_times(&self, file: &File, modified: Stamp) -> Result<(), Fault> {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let set = |last_modification| {
            retry(|| rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification }))
        };
        match set(timespec(modified)) {
            // Who may write the file but does not own it may only set both times, and only to now (utimensat(2)).
            Err(Errno::PERM) => set(now),
            result => result,
        }
        .map_err(on_file)
    }

    fn is_shared_among_hosts(&self, file: &File) -> Result<bool, Fault> {
        shared::is_among_hosts(file)
    }

    fn set_note(&self, file: &File, note: Option<&str>) -> Result<(), Fault> {
        note::set(file, note)
    }

    fn note(&self, file: &File) -> Result<Option<String>, Fault> {
        note::get(file)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn open_quietly(&self, path: &StorePath) -> Result<File, Fault> {
        open::quietly(&self.tree, path)
    }

    fn try_lock(&self, file: &File) -> Result<(), Fault> {
        match self.tree.flock(file, FlockOperation::NonBlockingLockExclusive) {
            // The file is open, but for reading only, and its file system wants more than that.
            Err(Errno::BADF) => Err(Fault::new(FaultKind::Unsupported).with_os_code(Errno::BADF.raw_os_error())),
            result => result.map_err(on_file),
        }
    }

    fn try_lock_shared(&self, file: &File) -> Result<(), Fault> {
        self.tree.flock(file, FlockOperation::NonBlockingLockShared).map_err(on_file)
    }

    fn unlock(&self, file: &File) -> Result<(), Fault> {
        self.tree.flock(file, FlockOperation::Unlock).map_err(on_file)
    }

    fn is_in_use(&self, path: &StorePath) -> Result<bool, Fault> {
        let mut file = OwnedFd::from(self.open_file(path, OpenMode::Read)?.0);
        let place = self.tree.place(path).map_err(on_path)?;
        match lock::take(&self.tree, &place, &mut file).map_err(on_path)? {
            Alone::Ours => self.tree.flock(&file, FlockOperation::Unlock).map_err(on_file).map(|()| false),
            Alone::Others => Ok(true),
            Alone::Moved | Alone::Unknown => Ok(false),
        }
    }

    fn length_under(&self, path: &StorePath, file: &File, identity: &Identity) -> Result<Option<u64>, Fault> {
        let open = match identity.get() {
            Some(open) => *open,
            None => {
                let open = tree::inode(&retry(|| rustix::fs::fstat(file)).map_err(on_file)?);
                *identity.get_or_init(|| open)
            }
        };
        match self.tree.stat(path) {
            Ok(named) if tree::inode(&named) != open => Ok(None),
            // A publication that died between its link and its unlink: what is written here would be written there.
            Ok(named) if named.st_nlink > 1 => {
                Err(Fault::new(FaultKind::WrongType).with_detail("the file has another name"))
            }
            Ok(named) => Ok(Some(u64::try_from(named.st_size).unwrap_or(0))),
            Err(errno) => match on_path(errno) {
                // Its folder may be gone, or something else stand there.
                fault if matches!(fault.kind(), FaultKind::NotFound | FaultKind::WrongType) => Ok(None),
                fault => Err(fault),
            },
        }
    }

    fn rename(&self, from: &StorePath, to: &StorePath, clobber: bool, is_seen: bool) -> Result<(), Fault> {
        publish::rename(&self.tree, from, to, clobber, is_seen)
    }

    fn sync(&self, file: &File) -> Result<(), Fault> {
        flush::file(file).map_err(on_file)
    }

    fn sync_dir(&self, path: &StorePath) -> Result<(), Fault> {
        let folder = self.tree.open_folder_of(path).map_err(on_path)?;
        match flush::folder(&File::from(folder)) {
            // How file systems say that they cannot flush a folder (CIFS and some on FUSE among them).
            Err(errno) if matches!(errno, Errno::INVAL | Errno::BADF) || fault::is_unsupported(errno) => Ok(()),
            result => result.map_err(on_file),
        }
    }

    fn delete(&self, items: &[DeleteItem]) -> Vec<Deleted> {
        delete::delete(&self.tree, items, Loosened::folder_of)
    }

    fn delete_insisting(&self, items: &[DeleteItem]) -> Vec<Deleted> {
        delete::delete(&self.tree, items, Loosened::any_folder_of)
    }

    fn touch(&self, path: &StorePath, unless_within: Duration) -> Result<Stamp, Fault> {
        touch(&self.tree, path, unless_within)
    }

    fn scan(&self, folder: Option<&StorePath>) -> Result<scan::Scan, Fault> {
        scan::Scan::begin(&self.tree, folder)
    }

    fn scan_batch(&self, scan: &mut scan::Scan, entries_max: usize) -> Result<ScanBatch, Fault> {
        scan.batch(entries_max)
    }

    fn free_bytes(&self) -> Result<Option<u64>, Fault> {
        let stat = retry(|| rustix::fs::fstatvfs(&self.tree.root)).map_err(on_file)?;
        // Some file systems know of no bound, and say that they have no blocks at all.
        Ok((stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    fn wait_for_evictions(&self) -> Result<(), Fault> {
        folder_lock::lock(&self.tree, folder_lock::Share::WithOthers).map(drop)
    }
}

fn touch(tree: &Tree, path: &StorePath, unless_within: Duration) -> Result<Stamp, Fault> {
    let place = tree.place(path).map_err(on_path)?;
    let stat = place.stat().map_err(on_path)?;
    if kind(&stat) != FileKind::Regular {
        return Err(FaultKind::WrongType.into());
    }
    let accessed = file_stat(&stat).accessed;
    if root::is_fresh(accessed, root::now(), unless_within) {
        return Ok(accessed);
    }
    let set = |modified_nsec| {
        let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let last_modification = Timespec { tv_sec: 0, tv_nsec: modified_nsec };
        place.set_times(&Timestamps { last_access, last_modification })
    };
    match set(UTIME_OMIT) {
        // Who may write the file but does not own it may only set both times, and only to now (utimensat(2)).
        Err(Errno::PERM) => set(UTIME_NOW),
        result => result,
    }
    .map_err(on_path)?;
    Ok(file_stat(&place.stat().map_err(on_path)?).accessed)
}

/// Calls again where a signal got in between.
fn retry<T>(call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    rustix::io::retry_on_intr(call)
}

fn on_path(errno: Errno) -> Fault {
    fault::of_path(&io::Error::from(errno))
}

fn on_file(errno: Errno) -> Fault {
    fault::of_file(&io::Error::from(errno))
}

fn kind(stat: &Stat) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Folder,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    }
}

#[allow(clippy::unnecessary_cast, reason = "the types of the fields differ from system to system")]
fn file_stat(stat: &Stat) -> FileStat {
    FileStat {
        kind: kind(stat),
        length: u64::try_from(stat.st_size).unwrap_or(0),
        accessed: stamp(stat.st_atime as i64, stat.st_atime_nsec as i64),
        modified: stamp(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
    }
}

fn stamp(seconds: i64, nanos: i64) -> Stamp {
    Stamp::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

fn timespec(stamp: Stamp) -> Timespec {
    let nanos = stamp.as_nanos();
    Timespec { tv_sec: nanos.div_euclid(1_000_000_000), tv_nsec: nanos.rem_euclid(1_000_000_000) }
}
