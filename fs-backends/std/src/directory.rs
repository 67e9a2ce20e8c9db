//! The directory as drivers see it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use dlmanager_core::{
    Completion, DeleteItem, Deleted, Fault, FileAction, FileKind, FileStat, Gauged, ScanEntry, StorePath,
};

use crate::create::{self, CreateError};
use crate::engine::Engine;
use crate::in_the_way::{each_named, named};
use crate::lease::{self, Lease};
use crate::notes::{self, Verified};
use crate::pins;
use crate::root::Root;

#[cfg(not(unix))]
type System = crate::portable::PortableRoot;
#[cfg(unix)]
type System = crate::unix::UnixRoot;

/// Entries read in one go.
const ENTRIES_A_BATCH: usize = 1024;

/// A directory on disk, with what is open in it.
///
/// A clone is a second handle to the same directory and the same open files, and costs a reference count; any number of
/// threads may use them at the same time.
///
/// ```
/// use dlmanager_core::StorePath;
/// use dlmanager_fs::Directory;
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("notes.txt"), "hello")?;
/// let directory = Directory::open(folder.path())?;
/// let name = StorePath::entry("notes.txt").expect("it is a valid name");
/// assert_eq!(directory.stat(&name)?.map(|stat| stat.length), Some(5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    path: Box<Path>,
    engine: Engine<System>,
}

impl Directory {
    /// Opens a directory, and makes it and its parents where they are missing.
    ///
    /// A relative path is resolved now: changing the working directory later does not matter, nor does giving the
    /// directory another name.
    ///
    /// # Errors
    ///
    /// Something that is not a directory stands there or on the way; it cannot be made, or not be read; or nothing can be
    /// written into it, by its permissions or because the file system is read-only.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, CreateError> {
        let path = path.as_ref();
        Ok(Self::new(path, create::create::<System>(path)?))
    }

    /// Opens a directory that is there, to look at it and to delete from it; whether it can be written does not matter.
    ///
    /// # Errors
    ///
    /// Nothing stands there ([`NotFound`](dlmanager_core::FaultKind::NotFound)), something else does
    /// ([`WrongType`](dlmanager_core::FaultKind::WrongType)), or it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Fault> {
        let path = path.as_ref();
        Ok(Self::new(path, System::open(path)?))
    }

    fn new(path: &Path, root: System) -> Self {
        Self { shared: Arc::new(Shared { path: path.into(), engine: Engine::new(root) }) }
    }

    /// The same directory with nothing open in it: what is open by this handle and its clones ends without the other.
    ///
    /// # Errors
    ///
    /// The process has too many files open.
    pub fn another(&self) -> Result<Self, Fault> {
        Ok(Self::new(self.path(), self.shared.engine.root().another()?))
    }

    /// The path that it was opened with.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Performs one operation and blocks until it has ended.
    ///
    /// An operation on a file that is not open is answered with [`Io`](dlmanager_core::FaultKind::Io).
    pub fn execute(&self, action: FileAction) -> Completion {
        self.shared.engine.execute(action.op)
    }

    /// Looks at a name; `None` where nothing stands there.
    ///
    /// # Errors
    ///
    /// It cannot be looked at.
    pub fn stat(&self, path: &StorePath) -> Result<Option<FileStat>, Fault> {
        let root = self.root();
        named(root, path, None, root.stat(path))
    }

    /// Calls `each` with every entry of the directory itself, in no particular order; the work folder, entries whose
    /// names are not UTF-8, and those that cannot be looked at, such as a mount whose server is gone, are left out.
    ///
    /// # Errors
    ///
    /// It cannot be read to its end; some of its entries were seen then.
    pub fn for_each_entry(&self, mut each: impl FnMut(ScanEntry)) -> Result<(), Fault> {
        let root = self.root();
        let mut scan = root.scan(None)?;
        loop {
            let batch = root.scan_batch(&mut scan, ENTRIES_A_BATCH)?;
            batch.entries.into_iter().for_each(&mut each);
            if batch.done {
                return Ok(());
            }
        }
    }

    /// Opens a file, keeps it from being evicted as long as the lease lives, and stamps it as accessed now, at most once a
    /// minute. Blocks; a file that is just being published or looked at by an eviction is waited for, two seconds at most.
    ///
    /// # Errors
    ///
    /// Nothing stands there ([`NotFound`](dlmanager_core::FaultKind::NotFound)), or no regular file
    /// ([`WrongType`](dlmanager_core::FaultKind::WrongType)); it cannot be read; or somebody keeps its exclusive lock
    /// ([`Busy`](dlmanager_core::FaultKind::Busy)).
    pub fn lease(&self, path: &StorePath) -> Result<Lease, Fault> {
        named(self.root(), path, Some(FileKind::Regular), lease::lease(self.root(), path))
    }

    /// Pins a name: no eviction takes its file, in whatever process, until it is [unpinned](Self::unpin), also after a loss
    /// of power. Fine where it is pinned already. Blocks; waits until evictions that are under way have ended, and two seconds
    /// at most for whoever has the file's exclusive lock.
    ///
    /// # Errors
    ///
    /// No regular file has the name; the pin cannot be made; or somebody keeps the file's exclusive lock
    /// ([`Busy`](dlmanager_core::FaultKind::Busy)).
    pub fn pin(&self, path: &StorePath) -> Result<(), Fault> {
        let pinned = named(self.root(), path, Some(FileKind::Regular), pins::pin(self.root(), path));
        named(self.root(), &path.pin(), None, pinned)
    }

    /// Takes a pin away; returns whether there was one.
    ///
    /// # Errors
    ///
    /// It is there and cannot be removed.
    pub fn unpin(&self, path: &StorePath) -> Result<bool, Fault> {
        named(self.root(), &path.pin(), Some(FileKind::Regular), pins::unpin(self.root(), path))
    }

    /// Whether a name is pinned.
    ///
    /// # Errors
    ///
    /// It cannot be looked at.
    pub fn is_pinned(&self, path: &StorePath) -> Result<bool, Fault> {
        named(self.root(), &path.pin(), None, pins::is_pinned(self.root(), path))
    }

    /// The names that are pinned, in their order. Where somebody died while he made a pin, so that it does not say its name, the
    /// name is found among those that are there.
    ///
    /// # Errors
    ///
    /// The folder of pins is there and cannot be read, or a pin does not say its name and the directory cannot be read.
    pub fn pins(&self) -> Result<Vec<StorePath>, Fault> {
        named(self.root(), &pins::pins_folder(), Some(FileKind::Folder), pins::pins(self.root()))
    }

    /// Whether a file has the digests that were noted with it. Reads all of it, which is recorded as an access only where the
    /// file is somebody else's.
    ///
    /// # Errors
    ///
    /// No regular file has the name, or it cannot be read.
    pub fn verify(&self, path: &StorePath) -> Result<Verified, Fault> {
        named(self.root(), path, Some(FileKind::Regular), notes::verify(self.root(), path))
    }

    /// What the clock and the disk say.
    ///
    /// # Errors
    ///
    /// The file system does not tell.
    pub fn gauge(&self) -> Result<Gauged, Fault> {
        self.shared.engine.gauge()
    }

    /// Whether somebody has a lease on a file, publishes it, or is about to evict it: its exclusive lock cannot be taken.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn is_in_use(&self, path: &StorePath) -> Result<bool, Fault> {
        named(self.root(), path, Some(FileKind::Regular), self.root().is_in_use(path))
    }

    /// Deletes a name, if it is as expected, for somebody who insists: other than a deletion by
    /// [`execute`](Self::execute) this one makes the directory itself writable for the moment, too.
    pub fn delete(&self, item: &DeleteItem) -> Deleted {
        let items = std::slice::from_ref(item);
        let mut deleted = each_named(self.root(), items, self.root().delete_insisting(items));
        deleted.pop().unwrap_or(Deleted::Gone)
    }

    fn root(&self) -> &System {
        self.shared.engine.root()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use dlmanager_core::{Expect, FaultKind};

    use super::*;

    fn entry(name: &str) -> StorePath {
        StorePath::entry(name).unwrap()
    }

    #[test]
    fn only_a_directory_that_is_there_is_opened_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |path: &Path| Directory::open(path).map(drop).map_err(|fault| fault.kind());
        assert_eq!(kind(folder.path()), Ok(()));
        assert_eq!(kind(&folder.path().join("missing")), Err(FaultKind::NotFound));
        assert!(!folder.path().join("missing").exists());
        fs::write(folder.path().join("file"), b"x").unwrap();
        assert_eq!(kind(&folder.path().join("file")), Err(FaultKind::WrongType));
    }

    #[test]
    fn what_stands_there_is_seen_and_only_what_is_as_expected_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        // More than are read in one go.
        let names: Vec<String> = (0..ENTRIES_A_BATCH + 10).map(|number| number.to_string()).collect();
        for name in &names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("folder")).unwrap();
        fs::create_dir(folder.path().join(dlmanager_core::WORK_FOLDER)).unwrap();
        let mut seen = BTreeMap::new();
        directory.for_each_entry(|entry| seen.extend([(entry.path, entry.stat)])).unwrap();
        assert_eq!(seen.len(), names.len() + 1);
        assert_eq!(seen[&entry("folder")].kind, FileKind::Folder);
        for name in &names {
            let stat = seen[&entry(name)];
            assert_eq!((stat.kind, stat.length), (FileKind::Regular, name.len() as u64));
            assert_eq!(directory.stat(&entry(name)), Ok(Some(stat)));
        }
        assert_eq!(directory.stat(&entry("missing")), Ok(None));

        let stat = seen[&entry("0")];
        let expect = Expect::Unchanged { length: stat.length, accessed: stat.accessed, modified: stat.modified };
        let item = DeleteItem { path: entry("0"), expect };
        fs::write(folder.path().join("0"), "longer").unwrap();
        assert_eq!(directory.delete(&item), Deleted::Changed);
        assert_eq!(directory.delete(&DeleteItem { expect: Expect::File, ..item.clone() }), Deleted::Deleted);
        assert_eq!(directory.delete(&item), Deleted::Gone);
    }
}
