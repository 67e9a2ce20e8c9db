//! What backends on real file systems have in common.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dlmanager_core::{Completion, FileAction, FileKind, Stamp};
use tempfile::TempDir;

use crate::backend::{Backend, Execute, Outside, Thing, Unsupported};

/// A backend over a temporary folder of its own, beside which there is a place outside.
///
/// Other programs' part is played by the standard library. Its methods panic where that fails.
pub struct OnDisk {
    execute: Execute,
    open: Box<dyn Fn(&Path) -> Execute + Send>,
    directory: PathBuf,
    outside: PathBuf,
    handles_at_start: usize,
    // Removed last.
    _folder: TempDir,
}

impl OnDisk {
    /// A fresh, empty directory, for a backend that is opened on its path; a second time for who plays another program.
    ///
    /// # Panics
    ///
    /// Where there is no place for temporary files.
    pub fn new<E>(open: impl Fn(&Path) -> E + Send + 'static) -> Self
    where
        E: Fn(FileAction) -> Completion + Send + 'static,
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().canonicalize().expect("its path");
        let (directory, outside) = (path.join("directory"), path.join("outside"));
        fs::create_dir_all(&directory).expect("the directory");
        fs::create_dir_all(outside.join("empty")).expect("a place outside");
        fs::write(outside.join("kept"), b"kept").expect("a file outside");
        let open = Box::new(move |path: &Path| -> Execute { Box::new(open(path)) });
        let mut disk =
            Self { execute: open(&directory), open, directory, outside, handles_at_start: 0, _folder: folder };
        // Read after written, and not long ago: looking at it does not move its stamp (relatime).
        let ago = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
        disk.stamp(&disk.outside.join("kept"), ago(1), ago(2));
        disk.handles_at_start = handles_below(&disk.directory).unwrap_or_default();
        disk
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    fn stamp(&self, path: &Path, accessed: SystemTime, modified: SystemTime) {
        let file = File::options().write(true).open(path).expect("a file to stamp");
        file.set_times(FileTimes::new().set_accessed(accessed).set_modified(modified)).expect("to stamp it");
    }
}

impl Backend for OnDisk {
    fn execute(&self, action: FileAction) -> Completion {
        (self.execute)(action)
    }

    fn now(&self) -> Stamp {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_nanos();
        Stamp::from_nanos(i64::try_from(nanos).expect("a clock before 2262"))
    }

    fn put(&self, path: &str, thing: Thing<'_>) -> Result<(), Unsupported> {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("below the directory")).expect("folders on the way");
        match thing {
            Thing::File(bytes) => fs::write(path, bytes).expect("a file"),
            Thing::Link(existing) => fs::hard_link(self.path(existing), path).map_err(|_| Unsupported)?,
            Thing::Folder => fs::create_dir(path).expect("a folder"),
            Thing::Symlink(target) => put_symlink(&path, target)?,
            Thing::Other => put_pipe(&path)?,
            Thing::Unnameable => put_unnameable(&path)?,
        }
        Ok(())
    }

    fn set_stamps(&self, path: &str, accessed: Stamp, modified: Stamp) {
        let time = |stamp: Stamp| {
            UNIX_EPOCH + Duration::from_nanos(u64::try_from(stamp.as_nanos()).expect("a stamp after 1970"))
        };
        self.stamp(&self.path(path), time(accessed), time(modified));
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let path = self.path(path);
        path.symlink_metadata().ok()?.is_file().then(|| fs::read(path).expect("a readable file"))
    }

    fn list(&self) -> BTreeMap<String, FileKind> {
        let mut found = BTreeMap::new();
        walk(&self.directory, "", &mut |name, path| {
            found.insert(name.into(), kind(path));
        });
        found
    }

    fn open_handles(&self) -> Option<usize> {
        Some(handles_below(&self.directory)? - self.handles_at_start)
    }

    #[cfg(unix)]
    fn modes(&self, path: &str) -> Option<(u32, u32)> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let reference = File::create(folder.path().join("reference")).expect("a new file");
        let mode = |metadata: io::Result<fs::Metadata>| metadata.expect("metadata").permissions().mode() & 0o7777;
        Some((mode(self.path(path).symlink_metadata()), mode(reference.metadata())))
    }

    /// It is opened once more in this process: what is open there, and locked, is not this one's.
    fn program(&self) -> Option<Execute> {
        Some((self.open)(&self.directory))
    }

    fn outside(&self) -> Option<Outside> {
        let mut snapshot = String::new();
        walk(&self.outside, "", &mut |name, path| {
            let metadata = path.symlink_metadata().expect("metadata");
            let modified = metadata.modified().expect("a stamp");
            let _ = write!(snapshot, "{name}: {:?}, modified {modified:?}", kind(path));
            if metadata.is_file() {
                let accessed = metadata.accessed().expect("a stamp");
                let _ = write!(snapshot, ", accessed {accessed:?}, {:?}", fs::read(path).expect("a readable file"));
                // For file systems that do record reads.
                self.stamp(path, accessed, modified);
            }
            snapshot.push('\n');
        });
        Some(Outside { target: self.outside.to_str().expect("a temporary folder in UTF-8").into(), snapshot })
    }
}

fn kind(path: &Path) -> FileKind {
    let metadata = path.symlink_metadata().expect("metadata");
    if metadata.is_symlink() {
        FileKind::Symlink
    } else if metadata.is_dir() {
        FileKind::Folder
    } else if metadata.is_file() {
        FileKind::Regular
    } else {
        FileKind::Other
    }
}

/// Everything below a folder in the order of names, folders before what is in them.
fn walk(folder: &Path, prefix: &str, see: &mut dyn FnMut(&str, &Path)) {
    let entries: io::Result<BTreeMap<PathBuf, String>> = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| (entry.path(), entry.file_name().to_string_lossy().into()))).collect()
    });
    for (path, name) in entries.expect("a readable folder") {
        let name = format!("{prefix}{name}");
        see(&name, &path);
        if kind(&path) == FileKind::Folder {
            walk(&path, &format!("{name}/"), see);
        }
    }
}

/// How many of this process's descriptors lead to a folder or below, where the system tells; but one that leads to the work
/// folder, which may be kept.
fn handles_below(folder: &Path) -> Option<usize> {
    let descriptors = fs::read_dir("/proc/self/fd").ok()?;
    // Some were closed meanwhile, the one of this very listing among them.
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let work_folder = folder.join(dlmanager_core::WORK_FOLDER);
    // So the system tells of one that was removed.
    let removed = PathBuf::from(format!("{} (deleted)", work_folder.display()));
    let below = targets.filter(|target| target.starts_with(folder));
    let (kept, others): (Vec<_>, Vec<_>) = below.partition(|target| [&work_folder, &removed].contains(&target));
    Some(others.len() + kept.len().saturating_sub(1))
}

#[cfg(unix)]
fn put_symlink(path: &Path, target: &str) -> Result<(), Unsupported> {
    std::os::unix::fs::symlink(target, path).expect("a symlink");
    Ok(())
}

/// Windows lets only some users make symlinks, and wants to know whether to a folder.
#[cfg(windows)]
fn put_symlink(path: &Path, target: &str) -> Result<(), Unsupported> {
    use std::os::windows::fs::{symlink_dir, symlink_file};
    let full = path.parent().expect("below the directory").join(target);
    let made = if full.is_dir() { symlink_dir(target, path) } else { symlink_file(target, path) };
    made.map_err(|_| Unsupported)
}

/// A pipe would block who opens it for writing: what a backend must not do.
#[cfg(target_os = "linux")]
fn put_pipe(path: &Path) -> Result<(), Unsupported> {
    use rustix::fs::{CWD, FileType, Mode};
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).map_err(|_| Unsupported)
}

/// A socket: the standard library makes no pipes.
#[cfg(all(unix, not(target_os = "linux")))]
fn put_pipe(path: &Path) -> Result<(), Unsupported> {
    std::os::unix::net::UnixListener::bind(path).map(drop).map_err(|_| Unsupported)
}

#[cfg(not(unix))]
fn put_pipe(_path: &Path) -> Result<(), Unsupported> {
    Err(Unsupported)
}

/// Some Unixes refuse such names.
#[cfg(unix)]
fn put_unnameable(path: &Path) -> Result<(), Unsupported> {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.push(0xff);
    fs::write(OsString::from_vec(name), b"").map_err(|_| Unsupported)
}

#[cfg(not(unix))]
fn put_unnameable(_path: &Path) -> Result<(), Unsupported> {
    Err(Unsupported)
}
