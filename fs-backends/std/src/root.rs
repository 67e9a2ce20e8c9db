//! What a system has to offer.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{DeleteItem, Deleted, Fault, FaultKind, FileStat, OpenMode, ScanBatch, Stamp, StorePath};

use crate::fault;

/// What tells an open file from others: its device and its number there, once they are known. They are its own as long as
/// it is open.
pub(crate) type Identity = std::sync::OnceLock<(u64, u64)>;

/// One system's way to work within a directory. The rules of each operation stand at
/// [`FileOp`](dlmanager_core::FileOp).
pub(crate) trait Root: Sized + Send + Sync {
    /// A running scan.
    type Scan: Send;

    /// Opens a directory that is there; [`WrongType`](dlmanager_core::FaultKind::WrongType) where it is none.
    fn open(path: &Path) -> Result<Self, Fault>;
    /// The same directory once more, also where it has another path by now.
    fn another(&self) -> Result<Self, Fault>;
    /// Whether entries can be made in it, as far as can be told without making one.
    fn check_writable(&self) -> Result<(), Fault>;

    fn make_dir(&self, path: &StorePath) -> Result<(), Fault>;
    fn stat(&self, path: &StorePath) -> Result<Option<FileStat>, Fault>;
    /// The file, and whether it was made.
    fn open_file(&self, path: &StorePath, mode: OpenMode) -> Result<(File, bool), Fault>;
    /// Reads what there is, up to the length of `buffer`; nothing is the end.
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Fault>;
    fn write_all_at(&self, file: &File, offset: u64, data: &[Bytes]) -> Result<(), Fault>;
    /// Stamps as accessed now, and where that may be chosen as modified at `modified`.
    fn set_times(&self, file: &File, modified: Stamp) -> Result<(), Fault>;
    /// Whether other machines may have the file system as well, so that a lock which keeps others of this one out need not
    /// keep theirs out.
    fn is_shared_among_hosts(&self, _file: &File) -> Result<bool, Fault> {
        Ok(false)
    }
    /// Keeps a short text with a file, or takes it away; nothing where the file system cannot.
    fn set_note(&self, file: &File, note: Option<&str>) -> Result<(), Fault>;
    /// The text that is kept with a file.
    fn note(&self, file: &File) -> Result<Option<String>, Fault>;
    /// Opens a regular file such that reading it is no access, where that can be had.
    fn open_quietly(&self, path: &StorePath) -> Result<File, Fault> {
        Ok(self.open_file(path, OpenMode::Read)?.0)
    }
    /// [`Busy`](dlmanager_core::FaultKind::Busy) where somebody else holds it.
    fn try_lock(&self, file: &File) -> Result<(), Fault>;
    /// Takes a lock that others may have at the same time, but not together with that of [`try_lock`](Self::try_lock).
    fn try_lock_shared(&self, file: &File) -> Result<(), Fault>;
    fn unlock(&self, file: &File) -> Result<(), Fault>;
    /// Whether somebody has a file's lock, so that it cannot be had alone.
    fn is_in_use(&self, path: &StorePath) -> Result<bool, Fault> {
        let (file, _) = self.open_file(path, OpenMode::Read)?;
        match self.try_lock(&file) {
            Ok(()) => self.unlock(&file).map(|()| false),
            Err(fault) if fault.kind() == FaultKind::Busy => Ok(true),
            Err(fault) if fault.kind() == FaultKind::Unsupported => Ok(false),
            Err(fault) => Err(fault),
        }
    }
    /// The file's length, where that is a name of it. What tells it from others is looked up once.
    fn length_under(&self, path: &StorePath, file: &File, identity: &Identity) -> Result<Option<u64>, Fault>;
    /// `is_seen`: it was seen just now that `from` leads to the file that is meant.
    fn rename(&self, from: &StorePath, to: &StorePath, clobber: bool, is_seen: bool) -> Result<(), Fault>;
    /// Flushes the data and the length, not the times.
    fn sync(&self, file: &File) -> Result<(), Fault> {
        file.sync_data().map_err(|error| fault::of_file(&error))
    }
    fn sync_dir(&self, path: &StorePath) -> Result<(), Fault>;
    fn delete(&self, items: &[DeleteItem]) -> Vec<Deleted>;
    /// The same, with the directory itself made writable for the moment where its mode forbids it.
    fn delete_insisting(&self, items: &[DeleteItem]) -> Vec<Deleted> {
        self.delete(items)
    }
    fn touch(&self, path: &StorePath, unless_within: Duration) -> Result<Stamp, Fault>;
    fn scan(&self, folder: Option<&StorePath>) -> Result<Self::Scan, Fault>;
    fn scan_batch(&self, scan: &mut Self::Scan, entries_max: usize) -> Result<ScanBatch, Fault>;
    /// What this user can still put onto the file system, where that can be known.
    fn free_bytes(&self) -> Result<Option<u64>, Fault>;
    /// Returns once the deletions that are under way have ended, whoever does them, as far as they have a lock of the directory.
    fn wait_for_evictions(&self) -> Result<(), Fault>;
}

/// Whether a file accessed at `accessed` need not be stamped at `now`: its stamp is younger than `unless_within`, and not
/// from the future.
pub(crate) fn is_fresh(accessed: Stamp, now: Stamp, unless_within: Duration) -> bool {
    let Some(age_nanos) = now.as_nanos().checked_sub(accessed.as_nanos()) else { return false };
    u64::try_from(age_nanos).is_ok_and(|age| Duration::from_nanos(age) < unless_within)
}

/// Whether what stands under a name is what a deletion expects there.
pub(crate) fn is_expected(expect: dlmanager_core::Expect, stat: &FileStat) -> bool {
    use dlmanager_core::{Expect, FileKind};
    match expect {
        Expect::File => stat.kind != FileKind::Folder,
        Expect::EmptyFolder => stat.kind == FileKind::Folder,
        Expect::Unchanged { length, accessed, modified } => {
            *stat == FileStat { kind: FileKind::Regular, length, accessed, modified }
        }
    }
}

/// The wall clock.
pub(crate) fn now() -> Stamp {
    stamp(std::time::SystemTime::now())
}

/// A time as a stamp; one that does not fit is the nearest that does.
pub(crate) fn stamp(time: std::time::SystemTime) -> Stamp {
    let nanos = match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    };
    Stamp::from_nanos(nanos)
}

/// A stamp as a time.
#[cfg(any(not(unix), test))]
pub(crate) fn time(stamp: Stamp) -> std::time::SystemTime {
    let span = Duration::from_nanos(stamp.as_nanos().unsigned_abs());
    let time = if stamp.as_nanos() < 0 {
        std::time::UNIX_EPOCH.checked_sub(span)
    } else {
        std::time::UNIX_EPOCH.checked_add(span)
    };
    time.unwrap_or(std::time::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_fresh_while_younger_and_not_from_the_future() {
        let minute = Duration::from_secs(60);
        let at = |seconds: i64| Stamp::from_nanos(seconds * 1_000_000_000);
        assert!(is_fresh(at(100), at(100), minute));
        assert!(is_fresh(at(100), at(159), minute));
        assert!(!is_fresh(at(100), at(160), minute));
        assert!(!is_fresh(at(100), at(99), minute));
        assert!(!is_fresh(at(100), at(100), Duration::ZERO));
        assert!(!is_fresh(Stamp::from_nanos(i64::MIN), Stamp::from_nanos(i64::MAX), Duration::MAX));
    }
}
