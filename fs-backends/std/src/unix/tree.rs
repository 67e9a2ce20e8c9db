//! From paths to places in the directory, following no symlink below it: the one module that resolves.
//!
//! A folder below the directory is opened by `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS` where the kernel has
//! it, else component by component with `O_NOFOLLOW`; what is done to a name is then done relative to the descriptor of
//! its folder, by calls that do not follow the name itself. Renaming a folder away in the meantime changes nothing: the
//! descriptor stays with it.
//!
//! The work folder's descriptor is kept, as every file is made in it: from when the folder was asked for, which looks
//! whether the name still leads to it, and until something is not found in it, which is when it may have been removed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dlmanager_core::{StorePath, WORK_FOLDER};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat, Timestamps};
use rustix::io::{Errno, Result};

use super::folder_lock::Evicting;
use super::lock::{self, Flock};
use super::retry;

/// Enough of a folder to work below it. With `O_PATH` its own permissions need not allow to list it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FOLDER: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const FOLDER: OFlags = OFlags::RDONLY;

/// How often a folder is made anew that somebody else removes at the same time.
const MAKE_ATTEMPTS: usize = 8;

/// What the kernel and the file system were found to offer. Each is taken for given until it fails.
pub(crate) struct Kernel {
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has it"))]
    pub(crate) openat2: AtomicBool,
    pub(crate) exclusive_rename: AtomicBool,
    /// Takes locks and gives them back.
    pub(crate) flock: Flock,
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            openat2: AtomicBool::new(cfg!(target_os = "linux")),
            exclusive_rename: AtomicBool::new(cfg!(any(
                target_os = "linux",
                target_os = "android",
                target_vendor = "apple"
            ))),
            flock: lock::system,
        }
    }
}

impl Kernel {
    pub(super) fn again(&self) -> Self {
        let copy = |offered: &AtomicBool| AtomicBool::new(offered.load(std::sync::atomic::Ordering::Relaxed));
        Self { openat2: copy(&self.openat2), exclusive_rename: copy(&self.exclusive_rename), flock: self.flock }
    }
}

/// The directory's descriptor.
pub(super) struct Tree {
    pub(super) root: OwnedFd,
    pub(super) kernel: Kernel,
    pub(super) evicting: Evicting,
    work_folder: Mutex<Option<Arc<Kept>>>,
}

/// A folder whose descriptor is kept, and so its inode.
struct Kept {
    folder: OwnedFd,
    inode: (u64, u64),
}

/// A name in an open folder.
pub(super) struct Place<'a> {
    folder: Folder<'a>,
    name: &'a str,
}

enum Folder<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
    /// The work folder, whose descriptor is kept.
    Work(Arc<Kept>),
}

impl Tree {
    pub(super) fn new(root: OwnedFd, kernel: Kernel) -> Self {
        Self { root, kernel, evicting: Evicting::default(), work_folder: Mutex::default() }
    }

    /// Takes a lock of an open file, or gives it back.
    pub(super) fn flock(&self, file: impl AsFd, operation: FlockOperation) -> Result<()> {
        retry(|| (self.kernel.flock)(file.as_fd(), operation))
    }

    /// Where a path lies: its folder, opened, and its last component.
    pub(super) fn place<'a>(&'a self, path: &'a StorePath) -> Result<Place<'a>> {
        check(path)?;
        match path.as_str().rsplit_once('/') {
            None => Ok(Place { folder: Folder::Root(self.root.as_fd()), name: path.as_str() }),
            Some((folder, name)) => {
                let kept = if folder == WORK_FOLDER { self.lock_work_folder().clone() } else { None };
                let folder = match kept {
                    Some(kept) => Folder::Work(kept),
                    None => Folder::Below(self.open_folder(folder, FOLDER)?),
                };
                Ok(Place { folder, name })
            }
        }
    }

    pub(super) fn stat(&self, path: &StorePath) -> Result<Stat> {
        // As a path its lifetime would have to be one.
        #[expect(clippy::redundant_closure_for_method_calls)]
        self.at(path, |place| place.stat())
    }

    /// Does something to a name; where nothing is found in the folder that is kept, in the one that its name leads to
    /// now.
    fn at<T>(&self, path: &StorePath, mut act: impl FnMut(&Place<'_>) -> Result<T>) -> Result<T> {
        let place = self.place(path)?;
        match act(&place) {
            Err(Errno::NOENT | Errno::STALE) if self.was_removed(&place) => act(&self.place(path)?),
            result => result,
        }
    }

    /// Whether a name was looked for in a folder that is there no more. It is not kept any longer then.
    pub(super) fn was_removed(&self, place: &Place<'_>) -> bool {
        let Folder::Work(folder) = &place.folder else { return false };
        // An error says nothing of that, but that of a network's file system that another host has removed it.
        let is_removed = match retry(|| rustix::fs::fstat(&folder.folder)) {
            Ok(stat) => stat.st_nlink == 0,
            Err(errno) => errno == Errno::STALE,
        };
        if is_removed {
            self.lock_work_folder().take_if(|kept| Arc::ptr_eq(kept, folder));
        }
        is_removed
    }

    /// Opens the work folder.
    fn open_work_folder(&self) -> Result<Kept> {
        let folder = self.open_folder(WORK_FOLDER, FOLDER)?;
        let inode = inode(&retry(|| rustix::fs::fstat(&folder))?);
        Ok(Kept { folder, inode })
    }

    /// Makes the work folder, and keeps its descriptor from now on.
    fn make_work_folder(&self) -> Result<()> {
        let kept = self.lock_work_folder().clone();
        if let Some(kept) = kept
            && retry(|| rustix::fs::statat(&self.root, WORK_FOLDER, AtFlags::SYMLINK_NOFOLLOW))
                .is_ok_and(|stat| inode(&stat) == kept.inode)
        {
            return Ok(());
        }
        make_folder(&Folder::Root(self.root.as_fd()), WORK_FOLDER)?;
        // Whoever needs it says why it cannot be opened.
        let opened = self.open_work_folder().ok().map(Arc::new);
        let before = std::mem::replace(&mut *self.lock_work_folder(), opened);
        drop(before);
        Ok(())
    }

    fn lock_work_folder(&self) -> MutexGuard<'_, Option<Arc<Kept>>> {
        self.work_folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens what stands under a name, if it is no symlink.
    pub(super) fn open(&self, path: &StorePath, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        check(path)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let is_in_kept_folder =
            matches!(path.as_str().rsplit_once('/'), Some((WORK_FOLDER, _))) && self.lock_work_folder().is_some();
        if path.as_str().contains('/')
            && !is_in_kept_folder
            && let Some(opened) = self.open_beneath(path.as_str(), flags, mode)
        {
            return opened;
        }
        self.at(path, |place| retry(|| rustix::fs::openat(&place.folder, place.name, flags, mode)))
    }

    /// Opens the folder that holds a path, such that it can be flushed or its mode be changed.
    pub(super) fn open_folder_of(&self, path: &StorePath) -> Result<OwnedFd> {
        check(path)?;
        match path.as_str().rsplit_once('/') {
            None => retry(|| {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                rustix::fs::openat(&self.root, ".", flags, Mode::empty())
            }),
            Some((folder, _)) => self.open_folder(folder, OFlags::RDONLY),
        }
    }

    /// Makes a folder and its parents.
    pub(super) fn make_folders(&self, path: &StorePath) -> Result<()> {
        check(path)?;
        if path.as_str() == WORK_FOLDER {
            return self.make_work_folder();
        }
        let mut components = path.components().peekable();
        let mut parent = Folder::Root(self.root.as_fd());
        while let Some(name) = components.next() {
            if components.peek().is_none() {
                return make_folder(&parent, name);
            }
            parent = Folder::Below(enter_or_make(&parent, name)?);
        }
        Ok(())
    }

    fn open_folder(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Some(opened) = self.open_beneath(path, flags, Mode::empty()) {
            return opened;
        }
        let mut folder = Folder::Root(self.root.as_fd());
        let mut components = path.split('/').peekable();
        while let Some(name) = components.next() {
            let last = components.peek().is_none();
            let flags = if last { flags } else { FOLDER | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC };
            folder = Folder::Below(retry(|| rustix::fs::openat(&folder, name, flags, Mode::empty()))?);
        }
        match folder {
            Folder::Below(folder) => Ok(folder),
            Folder::Root(_) | Folder::Work(_) => Err(Errno::INVAL),
        }
    }

    /// `openat2`; `None` where it has to be done by hand.
    #[cfg(target_os = "linux")]
    fn open_beneath(&self, path: &str, flags: OFlags, mode: Mode) -> Option<Result<OwnedFd>> {
        use std::sync::atomic::Ordering;

        use rustix::fs::ResolveFlags;

        if !self.kernel.openat2.load(Ordering::Relaxed) {
            return None;
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match retry(|| rustix::fs::openat2(&self.root, path, flags, mode, resolve)) {
            // Before Linux 5.6.
            Err(Errno::NOSYS) => {
                self.kernel.openat2.store(false, Ordering::Relaxed);
                None
            }
            // The file's permissions, or a container's filter that does not know the call: the old way tells.
            Err(Errno::PERM) => None,
            result => Some(result),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_beneath(&self, _path: &str, _flags: OFlags, _mode: Mode) -> Option<Result<OwnedFd>> {
        None
    }
}

impl Place<'_> {
    pub(super) fn stat(&self) -> Result<Stat> {
        retry(|| rustix::fs::statat(&self.folder, self.name, AtFlags::SYMLINK_NOFOLLOW))
    }

    pub(super) fn set_times(&self, times: &Timestamps) -> Result<()> {
        retry(|| rustix::fs::utimensat(&self.folder, self.name, times, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// Opens a file to read it, no pipe's other end being waited for.
    pub(super) fn open_to_read(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        retry(|| rustix::fs::openat(&self.folder, self.name, flags, Mode::empty()))
    }

    /// Opens a file such that its lock may be had alone wherever it may be had at all.
    pub(super) fn open_to_lock(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        retry(|| rustix::fs::openat(&self.folder, self.name, flags, Mode::empty()))
    }

    pub(super) fn unlink(&self, flags: AtFlags) -> Result<()> {
        retry(|| rustix::fs::unlinkat(&self.folder, self.name, flags))
    }

    /// Replaces whatever the system lets a file replace.
    pub(super) fn rename(&self, to: &Place<'_>) -> Result<()> {
        retry(|| rustix::fs::renameat(&self.folder, self.name, &to.folder, to.name))
    }

    /// A second name for a file; refused where that is taken.
    pub(super) fn link(&self, to: &Place<'_>) -> Result<()> {
        retry(|| rustix::fs::linkat(&self.folder, self.name, &to.folder, to.name, AtFlags::empty()))
    }

    /// Refused where the name is taken.
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    pub(super) fn rename_exclusive(&self, to: &Place<'_>) -> Result<()> {
        use rustix::fs::RenameFlags;
        retry(|| rustix::fs::renameat_with(&self.folder, self.name, &to.folder, to.name, RenameFlags::NOREPLACE))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    pub(super) fn rename_exclusive(&self, _to: &Place<'_>) -> Result<()> {
        Err(Errno::NOSYS)
    }
}

impl AsFd for Folder<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(folder) => *folder,
            Self::Below(folder) => folder.as_fd(),
            Self::Work(kept) => kept.folder.as_fd(),
        }
    }
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the types differ from system to system")]
pub(super) fn inode(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, u64::from(stat.st_ino))
}

/// Refuses what could lead out of the directory by its text alone. The core makes no such path.
fn check(path: &StorePath) -> Result<()> {
    let bad = path.as_str().as_bytes().split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b".."));
    if bad { Err(Errno::INVAL) } else { Ok(()) }
}

fn make_folder(parent: &Folder<'_>, name: &str) -> Result<()> {
    for _ in 0..MAKE_ATTEMPTS {
        match mkdir(parent, name) {
            Err(Errno::EXIST) => {}
            result => return result,
        }
        match retry(|| rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => return Ok(()),
            Ok(_) => return Err(Errno::NOTDIR),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::NOENT)
}

fn enter_or_make(parent: &Folder<'_>, name: &str) -> Result<OwnedFd> {
    let flags = FOLDER | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..MAKE_ATTEMPTS {
        match retry(|| rustix::fs::openat(parent, name, flags, Mode::empty())) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        match mkdir(parent, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::NOENT)
}

fn mkdir(parent: &Folder<'_>, name: &str) -> Result<()> {
    retry(|| rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use dlmanager_core::testing::path;
    use dlmanager_core::{FaultKind, OpenMode};

    use crate::create::create;
    use crate::root::Root;
    use crate::unix::UnixRoot;

    /// A directory whose work folder is kept, with a file in it.
    fn kept() -> (tempfile::TempDir, UnixRoot) {
        let folder = tempfile::tempdir().unwrap();
        let root = create::<UnixRoot>(folder.path()).unwrap();
        root.make_dir(&path(".dlmanager")).unwrap();
        root.open_file(&path(".dlmanager/first"), OpenMode::CreateNew).unwrap();
        assert!(root.tree.lock_work_folder().is_some());
        (folder, root)
    }

    #[test]
    fn a_work_folder_that_was_removed_and_made_anew_is_found() {
        let (folder, root) = kept();
        let work = folder.path().join(".dlmanager");
        fs::remove_dir_all(&work).unwrap();
        let missing = root.open_file(&path(".dlmanager/second"), OpenMode::CreateNew).unwrap_err();
        assert_eq!(missing.kind(), FaultKind::NotFound);
        assert_eq!(root.stat(&path(".dlmanager/first")), Ok(None));
        root.make_dir(&path(".dlmanager")).unwrap();
        for name in ["created", "stat"] {
            let file = path(&format!(".dlmanager/{name}"));
            fs::remove_dir_all(&work).unwrap();
            fs::create_dir(&work).unwrap();
            if name == "created" {
                root.open_file(&file, OpenMode::CreateNew).unwrap();
                assert!(work.join(name).exists(), "it is made in the new folder");
            } else {
                fs::write(work.join(name), b"four").unwrap();
                assert_eq!(root.stat(&file).unwrap().map(|stat| stat.length), Some(4));
            }
            root.make_dir(&path(".dlmanager")).unwrap();
        }
    }

    #[test]
    fn once_the_work_folder_is_asked_for_its_name_decides_which_one_it_is() {
        let (folder, root) = kept();
        let work = folder.path().join(".dlmanager");
        fs::rename(&work, folder.path().join("away")).unwrap();
        fs::create_dir(&work).unwrap();
        root.make_dir(&path(".dlmanager")).unwrap();
        root.open_file(&path(".dlmanager/second"), OpenMode::CreateNew).unwrap();
        assert!(work.join("second").exists() && !folder.path().join("away/second").exists());
        // And what is none is not followed.
        fs::rename(&work, folder.path().join("away too")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("away"), &work).unwrap();
        assert_eq!(root.make_dir(&path(".dlmanager")).unwrap_err().kind(), FaultKind::WrongType);
        assert!(!folder.path().join("away/third").exists());
    }
}
