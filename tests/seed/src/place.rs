//! A directory under test, on disk or in memory, as other programs see it.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dlmanager::Store;
use dlmanager::core::{Completion, FileAction, FileKind, Stamp};
use dlmanager_fs_memory::MemoryDirectory;
use tempfile::TempDir;

use crate::setting::Backend;

/// A directory. Paths in it have `/` between their components. A clone is the same one.
#[derive(Clone)]
pub(crate) enum Place {
    Folder(Arc<TempDir>),
    Memory(MemoryDirectory),
}

/// A directory in memory whose clock is the real one.
struct Clocked(MemoryDirectory);

impl Store for Clocked {
    fn execute(&self, action: FileAction) -> Completion {
        self.0.set_now(stamp(SystemTime::now()));
        self.0.execute(action)
    }
}

impl Place {
    pub(crate) fn new(backend: Backend) -> Self {
        match backend {
            Backend::Folder => Self::Folder(Arc::new(tempfile::tempdir().expect("a temporary folder"))),
            Backend::Memory => Self::Memory(MemoryDirectory::new()),
        }
    }

    /// Its path; in memory that is no more than a name.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.path().join("downloads"),
            Self::Memory(_) => "memory".into(),
        }
    }

    /// Where it is not on disk: its store.
    pub(crate) fn own_store(&self) -> Option<Arc<dyn Store>> {
        match self {
            Self::Folder(_) => None,
            Self::Memory(memory) => Some(Arc::new(Clocked(memory.clone()))),
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        let folder = || Arc::new(dlmanager_fs::Directory::create(self.path()).expect("the folder can be made"));
        self.own_store().unwrap_or_else(|| folder())
    }

    /// Puts a regular file, as another program would.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        match self {
            Self::Folder(_) => fs::write(self.made(path), bytes).expect("the file can be written"),
            Self::Memory(memory) => {
                memory.set_now(stamp(SystemTime::now()));
                memory.put_file(path, bytes);
            }
        }
    }

    /// Puts a regular file that was last used so many hours ago.
    pub(crate) fn put_aged(&self, path: &str, bytes: &[u8], hours: u64) {
        self.put(path, bytes);
        self.set_age(path, hours);
    }

    /// Puts six files of 10 bytes, `a` to `f`, `a` the oldest.
    pub(crate) fn put_six(&self) {
        for (name, hours) in ["a", "b", "c", "d", "e", "f"].into_iter().zip((1..=6).rev()) {
            self.put_aged(name, TEN, hours);
        }
    }

    fn set_age(&self, path: &str, hours: u64) {
        self.set_used(path, SystemTime::now() - Duration::from_secs(3600 * hours));
    }

    /// Stamps a file as read and written then.
    pub(crate) fn set_used(&self, path: &str, then: SystemTime) {
        match self {
            Self::Folder(_) => {
                let file = File::options().write(true).open(self.path().join(path)).expect("the file is there");
                file.set_times(FileTimes::new().set_accessed(then).set_modified(then)).expect("it can be stamped");
            }
            Self::Memory(memory) => assert!(memory.set_stamps(path, stamp(then), stamp(then)), "{path} is there"),
        }
    }

    pub(crate) fn put_folder(&self, path: &str) {
        match self {
            Self::Folder(_) => fs::create_dir(self.made(path)).expect("the folder can be made"),
            Self::Memory(memory) => memory.put_folder(path),
        }
    }

    /// Puts a symlink where the system has them; `false` where it has not.
    pub(crate) fn put_symlink(&self, path: &str, target: &str) -> bool {
        match self {
            #[cfg(unix)]
            Self::Folder(_) => std::os::unix::fs::symlink(target, self.made(path)).is_ok(),
            #[cfg(not(unix))]
            Self::Folder(_) => false,
            Self::Memory(memory) => {
                memory.put_symlink(path, target);
                true
            }
        }
    }

    /// Puts something that is no file, no folder and no symlink, where the system has such; `false` where it has not.
    pub(crate) fn put_other(&self, path: &str) -> bool {
        match self {
            #[cfg(unix)]
            Self::Folder(_) => std::os::unix::net::UnixListener::bind(self.made(path)).is_ok(),
            #[cfg(not(unix))]
            Self::Folder(_) => false,
            Self::Memory(memory) => {
                memory.put_other(path);
                true
            }
        }
    }

    pub(crate) fn remove_file(&self, path: &str) {
        match self {
            Self::Folder(_) => fs::remove_file(self.path().join(path)).expect("the file is there"),
            Self::Memory(memory) => assert!(memory.remove(path), "{path} is there"),
        }
    }

    /// The bytes of a regular file, not through a symlink.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self {
            Self::Folder(_) => {
                let path = self.path().join(path);
                let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
                is_file.then(|| fs::read(path).expect("the file can be read"))
            }
            Self::Memory(memory) => memory.read(path),
        }
    }

    /// What stands under a name.
    pub(crate) fn kind(&self, path: &str) -> Option<FileKind> {
        self.list().remove(path)
    }

    /// All that stands there for everybody to see, folders left out, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let visible = |path: &str| path.split('/').all(|part| !part.starts_with('.'));
        let listed = self.list().into_iter().filter(|(path, kind)| *kind != FileKind::Folder && visible(path));
        listed.map(|(path, _)| path).collect()
    }

    /// All that stands there, hidden or not, in order.
    pub(crate) fn everything(&self) -> Vec<String> {
        self.list().into_keys().collect()
    }

    /// What is unfinished.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let hidden = self.everything().into_iter().filter(|path| path.starts_with(".dlmanager/"));
        hidden.filter(|path| path != ".dlmanager/owner").collect()
    }

    /// Exactly these files stand there for everybody to see, with exactly these bytes, and nothing is unfinished.
    #[track_caller]
    pub(crate) fn assert_holds(&self, files: &[(&str, &[u8])]) {
        self.assert_visible(files);
        assert_eq!(self.unfinished(), [""; 0]);
    }

    /// Exactly these files stand there for everybody to see, with exactly these bytes.
    #[track_caller]
    pub(crate) fn assert_visible(&self, files: &[(&str, &[u8])]) {
        let mut expected: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(self.names(), expected);
        for (name, bytes) in files {
            let found = self.read(name).unwrap_or_else(|| panic!("{name} is no regular file"));
            let same = found.iter().zip(*bytes).take_while(|(found, expected)| found == expected).count();
            let (found, expected) = (found.len(), bytes.len());
            assert!(
                same == expected && found == expected,
                "{name} differs at byte {same}; it has {found} of {expected} bytes"
            );
        }
    }

    fn list(&self) -> BTreeMap<String, FileKind> {
        match self {
            Self::Folder(_) => {
                let mut found = BTreeMap::new();
                walk(&self.path(), "", &mut found);
                found
            }
            Self::Memory(memory) => memory.list(),
        }
    }

    /// The real path of something that is about to be put, its folder made.
    fn made(&self, path: &str) -> PathBuf {
        let path = self.path().join(path);
        let folder = path.parent().expect("a path within the directory");
        fs::create_dir_all(folder).expect("the folder can be made");
        path
    }
}

/// The content of small files.
pub(crate) const TEN: &[u8] = b"0123456789";

fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<String, FileKind>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries {
        let entry = entry.expect("the folder can be read");
        let kind = entry.file_type().expect("the entry can be looked at");
        let path = format!("{prefix}{}", entry.file_name().into_string().expect("a name in UTF-8"));
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
        }
        let kind = match kind {
            kind if kind.is_dir() => FileKind::Folder,
            kind if kind.is_file() => FileKind::Regular,
            kind if kind.is_symlink() => FileKind::Symlink,
            _ => FileKind::Other,
        };
        found.insert(path, kind);
    }
}

fn stamp(time: SystemTime) -> Stamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    Stamp::from_nanos(i64::try_from(since.as_nanos()).expect("a time before 2262"))
}
