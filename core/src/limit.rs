//! `PersistLimit`: which files go when there are too many bytes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::{DeleteItem, Expect, FileKind, FileStat, Stamp, StorePath};

/// A bound for a set of files, and the rule by which they go. Pure: it knows the files that it was told of and names
/// victims; a [`Manager`](crate::Manager) with a limit feeds it and has them deleted, and it can be used alone.
///
/// The rule: while there are more than `file_limit` files and they have `size_limit` bytes or more in total, the one
/// that was accessed longest ago goes; of equals, the one whose name comes first. A limit of 0, in either, is no limit.
///
/// Registering, touching and forgetting a file take O(log n), the totals O(1).
///
/// ```
/// use dlmanager_core::{FileKind, FileStat, PersistLimit, Stamp, StorePath};
///
/// let mut limit = PersistLimit::new(10, 5);
/// for (age, name) in ["f", "e", "d", "c", "b", "a"].into_iter().enumerate() {
///     let accessed = Stamp::from_nanos(-(age as i64));
///     let stat = FileStat { kind: FileKind::Regular, length: 10, accessed, modified: accessed };
///     limit.register(StorePath::entry(name).unwrap(), &stat);
/// }
/// let victims = limit.victims(64, |_| false);
/// assert_eq!(victims.len(), 1);
/// assert_eq!(victims[0].path.as_str(), "a");
/// ```
#[derive(Debug, Clone, Default)]
pub struct PersistLimit {
    size_limit: u64,
    file_limit: u64,
    files: BTreeMap<StorePath, Entry>,
    by_access: BTreeSet<(Stamp, StorePath)>,
    bytes: u128,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    length: u64,
    accessed: Stamp,
    modified: Stamp,
}

impl PersistLimit {
    /// A bound of `size_limit` bytes that keeps at least `file_limit` files.
    pub fn new(size_limit: u64, file_limit: u64) -> Self {
        Self { size_limit, file_limit, ..Self::default() }
    }

    /// Whether there is a bound at all.
    pub const fn is_bounded(&self) -> bool {
        self.size_limit > 0 && self.file_limit > 0
    }

    /// The files that count.
    pub fn files(&self) -> u64 {
        self.files.len() as u64
    }

    /// The total length of the files that count, in bytes.
    pub fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }

    /// Whether the file counts.
    pub fn contains(&self, path: &StorePath) -> bool {
        self.files.contains_key(path)
    }

    /// Makes a file count, or renews what is known of it. Anything but a regular file is forgotten.
    pub fn register(&mut self, path: StorePath, stat: &FileStat) {
        self.forget(&path);
        if stat.kind != FileKind::Regular {
            return;
        }
        self.bytes += u128::from(stat.length);
        self.by_access.insert((stat.accessed, path.clone()));
        self.files.insert(path, Entry { length: stat.length, accessed: stat.accessed, modified: stat.modified });
    }

    /// Notes that a file was accessed; one that does not count is ignored.
    pub fn touch(&mut self, path: &StorePath, accessed: Stamp) {
        if let Some(entry) = self.files.get_mut(path) {
            self.by_access.remove(&(entry.accessed, path.clone()));
            entry.accessed = accessed;
            self.by_access.insert((accessed, path.clone()));
        }
    }

    /// Notes that a file is gone. Returns its length, where it counted.
    pub fn forget(&mut self, path: &StorePath) -> Option<u64> {
        let entry = self.files.remove(path)?;
        self.by_access.remove(&(entry.accessed, path.clone()));
        self.bytes -= u128::from(entry.length);
        Some(entry.length)
    }

    /// Whether the rule wants a file to go.
    pub fn is_exceeded(&self) -> bool {
        self.exceeds(self.files(), self.bytes)
    }

    /// Whether the size limit is exceeded, and `file_limit` alone keeps the rest.
    pub fn is_unmet(&self) -> bool {
        self.is_bounded() && self.bytes >= u128::from(self.size_limit) && self.files() > 0 && !self.is_exceeded()
    }

    /// The next files to go, at most `victims_max`, oldest first, passing over those that are `spared`.
    pub fn victims(&self, victims_max: usize, mut spared: impl FnMut(&StorePath) -> bool) -> Vec<DeleteItem> {
        let (mut files, mut bytes) = (self.files(), self.bytes);
        let mut victims = Vec::new();
        for (accessed, path) in &self.by_access {
            if victims.len() >= victims_max || !self.exceeds(files, bytes) {
                break;
            }
            if spared(path) {
                continue;
            }
            if let Some(entry) = self.files.get(path) {
                files -= 1;
                bytes -= u128::from(entry.length);
                let (length, modified) = (entry.length, entry.modified);
                let expect = Expect::Unchanged { length, accessed: *accessed, modified };
                victims.push(DeleteItem { path: path.clone(), expect });
            }
        }
        victims
    }

    fn exceeds(&self, files: u64, bytes: u128) -> bool {
        self.is_bounded() && files > self.file_limit && bytes >= u128::from(self.size_limit)
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.files.len(), self.by_access.len(), "each file that counts stands once in the order of access");
        let bytes: u128 = self.files.values().map(|entry| u128::from(entry.length)).sum();
        assert_eq!(bytes, self.bytes, "the total is the sum of the lengths");
    }
}
