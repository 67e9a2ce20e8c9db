//! A file's lock, had alone.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::FlockOperation;
use rustix::io::{Errno, Result};

use super::retry;
use super::tree::{Place, Tree, inode};
use crate::fault::is_unsupported;

/// The call that takes locks and gives them back.
pub(crate) type Flock = fn(BorrowedFd<'_>, FlockOperation) -> Result<()>;

pub(super) fn system(file: BorrowedFd<'_>, operation: FlockOperation) -> Result<()> {
    rustix::fs::flock(file, operation)
}

/// What a trial to have a file's lock alone came to.
pub(super) enum Alone {
    /// It is had, by the descriptor that was handed in or put in its place.
    Ours,
    /// Somebody else has it, or runs the file.
    Others,
    /// Something else has the file's name by now.
    Moved,
    /// There is no way to tell: the file system has no locks, or not for whoever may not write the file.
    Unknown,
}

/// Tries to take the lock of a file that was opened for reading, under the name where it lies.
///
/// NFSv4 gives it only to who may write (its locks are the server's), so there the file is opened anew. As long as that is open
/// nobody can start the file as a program, which is why it is not done from the beginning.
pub(super) fn take(tree: &Tree, place: &Place<'_>, file: &mut OwnedFd) -> Result<Alone> {
    if let Some(alone) = taken(tree.flock(&*file, FlockOperation::NonBlockingLockExclusive))? {
        return Ok(alone);
    }
    let writer = match place.open_to_lock() {
        Ok(writer) => writer,
        Err(Errno::TXTBSY) => return Ok(Alone::Others),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => return Ok(Alone::Unknown),
        Err(Errno::NOENT | Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::ISDIR) => return Ok(Alone::Moved),
        Err(errno) => return Err(errno),
    };
    let [reads, writes] = [&*file, &writer].map(|file| retry(|| rustix::fs::fstat(file)).map(|stat| inode(&stat)));
    if reads? != writes? {
        return Ok(Alone::Moved);
    }
    *file = writer;
    let alone = taken(tree.flock(&*file, FlockOperation::NonBlockingLockExclusive))?;
    Ok(alone.unwrap_or(Alone::Unknown))
}

/// `None` where the descriptor is not good enough.
fn taken(result: Result<()>) -> Result<Option<Alone>> {
    match result {
        Ok(()) => Ok(Some(Alone::Ours)),
        Err(Errno::WOULDBLOCK) => Ok(Some(Alone::Others)),
        Err(Errno::BADF) => Ok(None),
        Err(errno) if has_none(errno) => Ok(Some(Alone::Unknown)),
        Err(errno) => Err(errno),
    }
}

/// Whether that is how a file system says that it has no locks.
pub(super) fn has_none(errno: Errno) -> bool {
    is_unsupported(errno) || matches!(errno, Errno::NOLCK | Errno::NOSYS | Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU64, Ordering};

    use dlmanager_core::testing::path;
    use dlmanager_core::{DeleteItem, Deleted, Expect, OpenMode, StorePath};
    use rustix::fs::{FileType, OFlags};

    use super::*;
    use crate::create::create;
    use crate::lease;
    use crate::root::Root;
    use crate::unix::{Kernel, UnixRoot};

    /// As the client of NFSv4 in Linux answers (`nfs4_proc_lock`); folders have locks of this machine alone there.
    fn nfs4(file: BorrowedFd<'_>, operation: FlockOperation) -> Result<()> {
        let is_writable = rustix::fs::fcntl_getfl(file)?.intersects(OFlags::WRONLY | OFlags::RDWR);
        let is_folder = FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode) == FileType::Directory;
        let is_alone = matches!(operation, FlockOperation::LockExclusive | FlockOperation::NonBlockingLockExclusive);
        if is_alone && !is_writable && !is_folder {
            return Err(Errno::BADF);
        }
        system(file, operation)
    }

    fn evict(root: &UnixRoot, path: &StorePath) -> Deleted {
        let stat = root.stat(path).unwrap().unwrap();
        let expect = Expect::Unchanged { length: stat.length, accessed: stat.accessed, modified: stat.modified };
        root.delete(&[DeleteItem { path: path.clone(), expect }]).remove(0)
    }

    fn on(flock: Flock) -> (tempfile::TempDir, UnixRoot) {
        let folder = tempfile::tempdir().unwrap();
        let root = create::<UnixRoot>(folder.path()).unwrap().with_kernel(Kernel { flock, ..Kernel::default() });
        fs::create_dir(folder.path().join(".dlmanager")).unwrap();
        (folder, root)
    }

    #[test]
    fn where_only_writers_have_the_lock_alone_what_is_in_use_stays_and_the_rest_goes() {
        let (folder, root) = on(nfs4);
        for name in ["a", ".dlmanager/0123456789abcdef0123456789abcdef.part"] {
            let path = path(name);
            fs::write(folder.path().join(name), b"bytes").unwrap();
            let used = lease::hold(&root, &path).unwrap();
            assert!(used.is_locked());
            assert_eq!(root.is_in_use(&path), Ok(true), "{name}");
            assert_eq!(evict(&root, &path), Deleted::Busy, "{name}");
            drop(used);
            assert_eq!(root.is_in_use(&path), Ok(false), "{name}");
            assert_eq!(evict(&root, &path), Deleted::Deleted, "{name}");
        }
    }

    #[test]
    fn a_program_that_runs_is_in_use() {
        let (folder, root) = on(nfs4);
        let program = folder.path().join("program");
        let started =
            fs::copy("/bin/sleep", &program).and_then(|_| std::process::Command::new(&program).arg("60").spawn());
        let mut running = match started {
            Ok(running) => running,
            Err(error) => return eprintln!("SKIPPED: no program can be run: {error}"),
        };
        let answers = (root.is_in_use(&path("program")), evict(&root, &path("program")));
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!(answers, (Ok(true), Deleted::Busy));
        assert_eq!(evict(&root, &path("program")), Deleted::Deleted);
    }

    /// Asked for a lock by the first descriptor, it is not given; who opens the file anew finds another one.
    #[test]
    fn what_has_taken_the_name_meanwhile_is_not_locked_for_it() {
        static ROUND: AtomicU64 = AtomicU64::new(0);
        fn refused(_file: BorrowedFd<'_>, _operation: FlockOperation) -> Result<()> {
            ROUND.fetch_add(1, Ordering::Relaxed);
            Err(Errno::BADF)
        }
        let (folder, root) = on(refused);
        fs::write(folder.path().join("a"), b"first").unwrap();
        let mut file = OwnedFd::from(root.open_file(&path("a"), OpenMode::Read).unwrap().0);
        let path = path("a");
        let place = root.tree.place(&path).unwrap();
        let is_unknown = |alone| matches!(alone, Ok(Alone::Unknown));
        assert!(is_unknown(take(&root.tree, &place, &mut file)), "nor does a writer get one");
        assert_eq!(ROUND.load(Ordering::Relaxed), 2);
        fs::write(folder.path().join("b"), b"other").unwrap();
        fs::rename(folder.path().join("b"), folder.path().join("a")).unwrap();
        assert!(matches!(take(&root.tree, &place, &mut file), Ok(Alone::Moved)));
        fs::remove_file(folder.path().join("a")).unwrap();
        assert!(matches!(take(&root.tree, &place, &mut file), Ok(Alone::Moved)));
        assert_eq!(ROUND.load(Ordering::Relaxed), 4);
        let lock = root.try_lock(&fs::File::from(file)).unwrap_err();
        assert_eq!(lock.kind(), dlmanager_core::FaultKind::Unsupported);
    }
}
