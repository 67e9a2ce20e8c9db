//! The lock of the work folder: evictions keep each other out, and files from being replaced meanwhile.
//!
//! Held within one operation only, or within several that evict here and overlap. Whoever waits for it waits on a worker, for
//! a bounded time.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use dlmanager_core::{Fault, FaultKind, StorePath, WORK_FOLDER};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::lock::has_none;
use super::tree::Tree;
use super::{on_file, retry};

/// Whoever holds it lets go within this time, unless its process was stopped or its disk hangs.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Who evicts waits so long for those who replace a file, and leaves it to others when to try again: one evicts at a time.
const EVICTOR_WAIT_MAX: Duration = Duration::from_millis(20);
const PAUSE_MIN: Duration = Duration::from_micros(100);
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// The lock, as long as this lives.
pub(crate) struct FolderLock(OwnedFd);

/// Who may have it at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// Nobody else: files are evicted.
    Alone,
    /// Others who do not evict.
    WithOthers,
}

/// The lock with which this directory's files are evicted just now: operations that overlap have it together.
#[derive(Default)]
pub(super) struct Evicting(Mutex<Weak<FolderLock>>);

impl Drop for FolderLock {
    fn drop(&mut self) {
        // A child that was forked in the meantime keeps a closed descriptor's lock, but not one that was given back.
        let _ = retry(|| rustix::fs::flock(&self.0, FlockOperation::Unlock));
    }
}

/// Takes the lock alone, beside other operations that evict in this directory; otherwise as [`lock`].
pub(super) fn lock_to_evict(tree: &Tree) -> Result<Option<Arc<FolderLock>>, Fault> {
    let mut evicting = tree.evicting.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(lock) = evicting.upgrade() {
        return Ok(Some(lock));
    }
    let lock = lock(tree, Share::Alone)?.map(Arc::new);
    *evicting = lock.as_ref().map_or_else(Weak::new, Arc::downgrade);
    Ok(lock)
}

/// Takes the lock; `None` where there is no work folder, or nothing that could be locked.
///
/// # Errors
///
/// Somebody else kept it for too long ([`FaultKind::Busy`]).
pub(super) fn lock(tree: &Tree, share: Share) -> Result<Option<FolderLock>, Fault> {
    let (operation, wait_max) = match share {
        Share::Alone => (FlockOperation::NonBlockingLockExclusive, EVICTOR_WAIT_MAX),
        Share::WithOthers => (FlockOperation::NonBlockingLockShared, WAIT_MAX),
    };
    let until = Instant::now() + wait_max;
    let mut pause = PAUSE_MIN;
    loop {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = retry(|| rustix::fs::openat(&tree.root, WORK_FOLDER, flags, Mode::empty()));
        // Without it there is nothing to be kept apart, or nobody of ours could be kept out.
        let Ok(folder) = opened else { return Ok(None) };
        match tree.flock(&folder, operation) {
            Ok(()) if is_there(tree, &folder)? => return Ok(Some(FolderLock(folder))),
            // It was removed and made anew.
            Ok(()) => continue,
            Err(Errno::WOULDBLOCK) => {}
            // BADF: one that would have to be open for writing, which no folder can be.
            Err(errno) if errno == Errno::BADF || has_none(errno) => return Ok(None),
            Err(errno) => return Err(on_file(errno)),
        }
        if Instant::now() >= until {
            return Err(Fault::new(FaultKind::Busy).with_detail("another process keeps the directory's lock"));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn is_there(tree: &Tree, folder: &OwnedFd) -> Result<bool, Fault> {
    let open = retry(|| rustix::fs::fstat(folder)).map_err(on_file)?;
    match retry(|| rustix::fs::statat(&tree.root, WORK_FOLDER, AtFlags::SYMLINK_NOFOLLOW)) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (open.st_dev, open.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(on_file(errno)),
    }
}

/// Whether any name is pinned.
pub(super) fn has_pins(tree: &Tree) -> bool {
    // What cannot be looked at may be one.
    !matches!(
        retry(|| rustix::fs::statat(&tree.root, dlmanager_core::PINS_FOLDER, AtFlags::SYMLINK_NOFOLLOW)),
        Err(Errno::NOENT | Errno::NOTDIR)
    )
}

pub(super) fn is_pinned(tree: &Tree, path: &StorePath) -> bool {
    !matches!(tree.stat(&path.pin()), Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;

    use super::*;
    use crate::create::create;
    use crate::unix::{Kernel, UnixRoot};

    #[test]
    fn where_folders_have_no_locks_nobody_waits_for_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(WORK_FOLDER)).unwrap();
        for flock in [|_: BorrowedFd<'_>, _| Err(Errno::BADF), |_: BorrowedFd<'_>, _| Err(Errno::NOTSUP)] {
            let root = create::<UnixRoot>(folder.path()).unwrap().with_kernel(Kernel { flock, ..Kernel::default() });
            for share in [Share::Alone, Share::WithOthers] {
                assert!(lock(&root.tree, share).unwrap().is_none());
            }
        }
    }

    #[test]
    fn those_who_evict_in_one_directory_have_it_together_and_keep_all_others_out() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, other] = [(); 2].map(|()| create::<UnixRoot>(folder.path()).unwrap());
        assert!(lock_to_evict(&ours.tree).unwrap().is_none(), "nothing is there to be locked");
        std::fs::create_dir(folder.path().join(WORK_FOLDER)).unwrap();
        let first = lock_to_evict(&ours.tree).unwrap();
        let second = lock_to_evict(&ours.tree).unwrap();
        let is_kept_out = || {
            let others = lock_to_evict(&other.tree).map(|lock| lock.is_some());
            // So stays the folder itself, which whoever removes it wants alone, ours included.
            let removal = lock(&ours.tree, Share::Alone).map(|lock| lock.is_some());
            assert_eq!(others, removal);
            others.is_err_and(|fault| fault.kind() == FaultKind::Busy)
        };
        assert!(first.is_some() && second.is_some() && is_kept_out());
        drop(first);
        assert!(is_kept_out());
        drop(second);
        assert!(!is_kept_out());
        assert!(lock_to_evict(&ours.tree).unwrap().is_some(), "it is taken anew");
    }
}
