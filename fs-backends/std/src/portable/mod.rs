//! The directory on the standard library alone, for systems without descriptors of folders.
//!
//! Each component of a path is looked at before the path is used. That refuses every symlink that stands there, but not
//! one that is put there between the look and the use, which takes somebody who writes to the directory at that moment.

mod delete;
mod identity;
mod open;
mod patience;
mod position;

use std::fs::{self, DirBuilder, File, FileTimes, Metadata, OpenOptions, ReadDir, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dlmanager_core::{
    DeleteItem, Deleted, Fault, FaultKind, FileKind, FileStat, OpenMode, ScanBatch, ScanEntry, Stamp, StorePath,
    WORK_FOLDER,
};

use crate::fault;
use crate::root::{self, Identity, Root};

use patience::insist;

/// A running scan: of the directory, or a folder of it.
pub(crate) struct Scan {
    folder: Option<StorePath>,
    full: PathBuf,
    stream: Option<ReadDir>,
}

/// The directory by its absolute path.
pub(crate) struct PortableRoot {
    path: PathBuf,
}

impl Root for PortableRoot {
    type Scan = Scan;

    fn open(path: &Path) -> Result<Self, Fault> {
        // Symlinks on the way to the directory are its user's, and are resolved once, here.
        let path = path.canonicalize().map_err(on_path)?;
        if !path.metadata().map_err(on_path)?.is_dir() {
            return Err(FaultKind::WrongType.into());
        }
        fs::read_dir(&path).map_err(on_path)?;
        Ok(Self { path })
    }

    fn another(&self) -> Result<Self, Fault> {
        Ok(Self { path: self.path.clone() })
    }

    fn check_writable(&self) -> Result<(), Fault> {
        // There is no way to ask: on Windows access lists decide, not the attribute that the standard library shows.
        let path = self.path.join(format!("{WORK_FOLDER}-writable-{}", std::process::id()));
        match options().create_new(true).open(&path) {
            Ok(probe) => {
                drop(probe);
                insist(|| fs::remove_file(&path).map_err(on_path))
            }
            // Another thread is just asking.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(on_path(error)),
        }
    }

    fn make_dir(&self, path: &StorePath) -> Result<(), Fault> {
        check(path)?;
        let mut full = self.path.clone();
        for component in path.components() {
            full.push(component);
            match DirBuilder::new().create(&full) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    expect_kind(&full.symlink_metadata().map_err(on_path)?, FileKind::Folder)?;
                }
                Err(error) => return Err(on_path(error)),
            }
        }
        Ok(())
    }

    fn stat(&self, path: &StorePath) -> Result<Option<FileStat>, Fault> {
        let full = match self.place(path) {
            Ok(full) => full,
            Err(fault) if fault.kind() == FaultKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        match full.symlink_metadata() {
            Ok(metadata) => Ok(Some(file_stat(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(on_path(error)),
        }
    }

    fn open_file(&self, path: &StorePath, mode: OpenMode) -> Result<(File, bool), Fault> {
        open::open(&self.place(path)?, mode)
    }

    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Fault> {
        position::read_at(file, buffer, offset)
    }

    fn write_all_at(&self, file: &File, offset: u64, data: &[Bytes]) -> Result<(), Fault> {
        position::write_all_at(file, offset, data)
    }

    fn set_times(&self, file: &File, modified: Stamp) -> Result<(), Fault> {
        let times = FileTimes::new().set_accessed(SystemTime::now()).set_modified(root::time(modified));
        file.set_times(times).map_err(on_file)
    }

    /// The standard library has no attributes of files.
    fn set_note(&self, _file: &File, _note: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }

    fn note(&self, _file: &File) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    fn try_lock(&self, file: &File) -> Result<(), Fault> {
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FaultKind::Busy.into(),
            TryLockError::Error(error) => on_lock(error),
        })
    }

    fn try_lock_shared(&self, file: &File) -> Result<(), Fault> {
        file.try_lock_shared().map_err(|error| match error {
            TryLockError::WouldBlock => FaultKind::Busy.into(),
            TryLockError::Error(error) => on_lock(error),
        })
    }

    fn unlock(&self, file: &File) -> Result<(), Fault> {
        file.unlock().map_err(on_lock)
    }

    fn length_under(&self, path: &StorePath, file: &File, _identity: &Identity) -> Result<Option<u64>, Fault> {
        let named = self.place(path).and_then(|full| {
            expect_kind(&full.symlink_metadata().map_err(on_path)?, FileKind::Regular)?;
            File::open(full).map_err(on_path)
        });
        match named {
            Ok(named) if !identity::is_same(&named, file)? => Ok(None),
            Ok(named) if identity::names(&named)? > 1 => {
                Err(Fault::new(FaultKind::WrongType).with_detail("the file has another name"))
            }
            Ok(named) => Ok(Some(named.metadata().map_err(on_file)?.len())),
            Err(fault) if matches!(fault.kind(), FaultKind::NotFound | FaultKind::WrongType) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn rename(&self, from: &StorePath, to: &StorePath, clobber: bool, _is_seen: bool) -> Result<(), Fault> {
        let from = self.place(from)?;
        let to = self.place(to)?;
        expect_kind(&from.symlink_metadata().map_err(on_path)?, FileKind::Regular)?;
        if clobber {
            match to.symlink_metadata() {
                Ok(metadata) => expect_kind(&metadata, FileKind::Regular)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(on_path(error)),
            }
            return insist(|| fs::rename(&from, &to).map_err(on_path));
        }
        // The standard library's rename replaces; a link is refused when the name is taken. In between the file has both
        // names, whole under each.
        insist(|| fs::hard_link(&from, &to).map_err(on_path))?;
        insist(|| fs::remove_file(&from).map_err(on_path))
    }

    /// The standard library cannot flush a folder. NTFS keeps its folders in a journal, in order.
    fn sync_dir(&self, path: &StorePath) -> Result<(), Fault> {
        let full = self.place(path)?;
        let folder = full.parent().unwrap_or(&self.path);
        expect_kind(&folder.symlink_metadata().map_err(on_path)?, FileKind::Folder)
    }

    fn delete(&self, items: &[DeleteItem]) -> Vec<Deleted> {
        items.iter().map(|item| self.delete_one(item)).collect()
    }

    fn touch(&self, path: &StorePath, unless_within: Duration) -> Result<Stamp, Fault> {
        let full = self.place(path)?;
        let metadata = full.symlink_metadata().map_err(on_path)?;
        expect_kind(&metadata, FileKind::Regular)?;
        let accessed = file_stat(&metadata).accessed;
        if root::is_fresh(accessed, root::now(), unless_within) {
            return Ok(accessed);
        }
        let file = options().open(full).map_err(on_path)?;
        file.set_times(FileTimes::new().set_accessed(SystemTime::now())).map_err(on_file)?;
        Ok(file_stat(&file.metadata().map_err(on_file)?).accessed)
    }

    fn scan(&self, folder: Option<&StorePath>) -> Result<Scan, Fault> {
        let path = match folder {
            None => self.path.clone(),
            Some(folder) => self.place(folder)?,
        };
        expect_kind(&path.symlink_metadata().map_err(on_path)?, FileKind::Folder)?;
        let stream = Some(fs::read_dir(&path).map_err(on_path)?);
        Ok(Scan { folder: folder.cloned(), full: path, stream })
    }

    fn scan_batch(&self, scan: &mut Scan, entries_max: usize) -> Result<ScanBatch, Fault> {
        let mut batch = ScanBatch { entries: Vec::new(), unnameable: 0, done: false };
        while batch.entries.len() < entries_max {
            let Some(entry) = scan.stream.as_mut().and_then(Iterator::next) else {
                scan.stream = None;
                batch.done = true;
                break;
            };
            let entry = entry.map_err(on_path)?;
            let name = entry.file_name();
            if scan.folder.is_none() && name == WORK_FOLDER {
                continue;
            }
            let path = name.to_str().and_then(|name| match &scan.folder {
                None => StorePath::entry(name),
                Some(folder) => StorePath::entry_of(folder, name),
            });
            let Some(path) = path else {
                batch.unnameable += 1;
                continue;
            };
            match entry.path().symlink_metadata() {
                Ok(metadata) => batch.entries.push(ScanEntry { path, stat: file_stat(&metadata) }),
                // Gone since its name was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // What the system keeps for itself, for one: something is there, and nothing more is known of it.
                Err(_) if is_searched(&scan.full) => batch.unnameable += 1,
                Err(error) => return Err(on_path(error)),
            }
        }
        Ok(batch)
    }

    /// The standard library cannot tell.
    fn free_bytes(&self) -> Result<Option<u64>, Fault> {
        Ok(None)
    }

    /// Files are replaced without a look at evictions, as folders cannot be locked.
    fn wait_for_evictions(&self) -> Result<(), Fault> {
        Ok(())
    }
}

impl PortableRoot {
    fn delete_one(&self, item: &DeleteItem) -> Deleted {
        let is_pinned = || !matches!(self.stat(&item.path.pin()), Ok(None));
        match self.place(&item.path) {
            Ok(full) => delete::delete(&full, item.expect, is_pinned),
            Err(fault) if fault.kind() == FaultKind::NotFound => Deleted::Gone,
            Err(fault) => Deleted::Denied(fault),
        }
    }

    /// The full path of a name, whose folders were found to be folders.
    fn place(&self, path: &StorePath) -> Result<PathBuf, Fault> {
        check(path)?;
        let mut full = self.path.clone();
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            full.push(component);
            if components.peek().is_some() {
                expect_kind(&full.symlink_metadata().map_err(on_path)?, FileKind::Folder)?;
            }
        }
        Ok(full)
    }
}

/// Refuses what could lead out of the directory by its text alone. The core makes no such path.
fn check(path: &StorePath) -> Result<(), Fault> {
    let separators: &[char] = if cfg!(windows) { &['\\', ':', '\0'] } else { &['\0'] };
    let bad = |component: &str| matches!(component, "" | "." | "..") || component.contains(separators);
    if path.components().any(bad) { Err(FaultKind::BadName.into()) } else { Ok(()) }
}

/// Whether it is not the folder itself in which nothing can be looked at.
fn is_searched(folder: &Path) -> bool {
    folder.join(".").symlink_metadata().is_ok()
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

fn expect_kind(metadata: &Metadata, expected: FileKind) -> Result<(), Fault> {
    if kind(metadata) == expected { Ok(()) } else { Err(FaultKind::WrongType.into()) }
}

fn kind(metadata: &Metadata) -> FileKind {
    // On Windows a junction counts as a symlink, too.
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

fn file_stat(metadata: &Metadata) -> FileStat {
    let stamp = |time: io::Result<SystemTime>| time.map(root::stamp).unwrap_or_default();
    FileStat {
        kind: kind(metadata),
        length: metadata.len(),
        accessed: stamp(metadata.accessed()),
        modified: stamp(metadata.modified()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn on_path(error: io::Error) -> Fault {
    fault::of_path(&error)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn on_lock(error: io::Error) -> Fault {
    // The standard library's own: a system for which it has no locks.
    if error.kind() == io::ErrorKind::Unsupported { FaultKind::Unsupported.into() } else { fault::of_file(&error) }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn on_file(error: io::Error) -> Fault {
    fault::of_file(&error)
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
