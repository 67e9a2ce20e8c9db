//! Why each file goes or stays.

use alloc::vec::Vec;

use super::{Entry, Hold, PersistLimit, rank};
use crate::{Stamp, StorePath};

/// Why a file is evicted.
///
/// ```
/// use dlmanager_core::Why;
///
/// assert_eq!(Why::Age.to_string(), "not accessed for too long");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// All files together have too many bytes.
    Size,
    /// It was not accessed for too long.
    Age,
    /// The file system has too little free space.
    Space,
}

/// Why a file is kept.
///
/// ```
/// use dlmanager_core::Kept;
///
/// assert_eq!(Kept::Pinned.to_string(), "pinned");
/// assert!(Kept::Leased.is_wanted() && !Kept::WithinBounds.is_wanted());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kept {
    /// Nothing wants it to go.
    WithinBounds,
    /// No more files than are to be kept whatever their size are left.
    FileLimit,
    /// This program holds it.
    Leased,
    /// It is pinned.
    Pinned,
    /// A download of its name is under way.
    Downloading,
    /// Somebody holds a lease on it, or is just looking at it or publishing it.
    InUse,
    /// Somebody used or changed it while it was to go, again and again.
    Changed,
    /// It may not be removed.
    Denied,
}

/// Whether a file goes or stays.
///
/// ```
/// use dlmanager_core::{Kept, Verdict, Why};
///
/// assert_eq!(Verdict::Goes(Why::Size).to_string(), "goes: too many bytes");
/// assert_eq!(Verdict::Stays(Kept::Leased).to_string(), "stays: leased");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The next pass evicts it.
    Goes(Why),
    /// It stays.
    Stays(Kept),
}

/// A file, and what the rule says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its name.
    pub path: StorePath,
    /// Its length in bytes.
    pub length: u64,
    /// When it was last accessed, as its stamp says.
    pub accessed: Stamp,
    /// What becomes of it.
    pub verdict: Verdict,
}

impl PersistLimit {
    /// What the rule says of every file, in the order in which they would go. `kept` tells of those that may not go for a
    /// reason that the limit itself does not know. Takes O(n).
    ///
    /// ```
    /// use dlmanager_core::{FileKind, FileStat, Kept, PersistLimit, Stamp, StorePath, Verdict, Why};
    ///
    /// let mut limit = PersistLimit::new(10, 1);
    /// let path = |name| StorePath::entry(name).unwrap();
    /// for (age, name) in ["b", "a", "pinned"].into_iter().enumerate() {
    ///     let accessed = Stamp::from_nanos(-(age as i64));
    ///     limit.register(path(name), &FileStat { kind: FileKind::Regular, length: 10, accessed, modified: accessed });
    /// }
    /// limit.set_pinned(&path("pinned"), true);
    /// let verdicts: Vec<_> = limit.explain(|_| None).into_iter().map(|file| file.verdict).collect();
    /// assert_eq!(verdicts, [Verdict::Stays(Kept::Pinned), Verdict::Goes(Why::Size), Verdict::Goes(Why::Size)]);
    /// ```
    pub fn explain(&self, mut kept: impl FnMut(&StorePath) -> Option<Kept>) -> Vec<Judged> {
        let why = |hold: &Hold| if hold.is_pinned { Kept::Pinned } else { Kept::Leased };
        let mut files: Vec<(Stamp, &Entry, Option<Kept>)> = self
            .files
            .iter()
            .map(|(slot, entry)| {
                let kept = self.hold_of(&entry.path).map(why).or_else(|| kept(&entry.path));
                (rank(&self.ahead, slot, entry), entry, kept)
            })
            .collect();
        files.sort_unstable_by(|(rank, entry, _), (other_rank, other, _)| {
            (rank, &entry.path).cmp(&(other_rank, &other.path))
        });
        let mut totals = self.totals();
        let mut judged = Vec::with_capacity(files.len());
        for (rank, entry, kept) in files {
            let verdict = match (self.wants(rank, &totals), kept) {
                (Some(why), None) => {
                    totals.lose(entry.length);
                    Verdict::Goes(why)
                }
                (Some(_), Some(kept)) => Verdict::Stays(kept),
                (None, Some(kept @ (Kept::Pinned | Kept::Leased))) => Verdict::Stays(kept),
                (None, _) if self.is_kept_by_number(totals.files, totals.bytes, totals.free) => {
                    Verdict::Stays(Kept::FileLimit)
                }
                (None, _) => Verdict::Stays(Kept::WithinBounds),
            };
            judged.push(Judged { path: entry.path.clone(), length: entry.length, accessed: entry.accessed, verdict });
        }
        judged
    }

    /// Whether the number of files to keep alone keeps them.
    fn is_kept_by_number(&self, files: u64, bytes: u128, free: Option<i128>) -> bool {
        let too_large = self.has_size_rule() && bytes >= u128::from(self.size_limit);
        let too_full = free.is_some_and(|free| free < i128::from(self.bounds.free_bytes_min));
        files <= self.file_limit && (too_large || too_full)
    }
}

impl Why {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Size => "too many bytes",
            Self::Age => "not accessed for too long",
            Self::Space => "too little free space",
        }
    }
}

impl Kept {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::WithinBounds => "within the bounds",
            Self::FileLimit => "so many files are kept",
            Self::Leased => "leased",
            Self::Pinned => "pinned",
            Self::Downloading => "being downloaded",
            Self::InUse => "in use",
            Self::Changed => "changing all the time",
            Self::Denied => "may not be removed",
        }
    }

    /// Whether it would go but for this.
    pub const fn is_wanted(self) -> bool {
        match self {
            Self::WithinBounds | Self::FileLimit => false,
            Self::Leased | Self::Pinned | Self::Downloading | Self::InUse | Self::Changed | Self::Denied => true,
        }
    }
}

impl core::fmt::Display for Why {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::fmt::Display for Kept {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::fmt::Display for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Goes(why) => write!(f, "goes: {why}"),
            Self::Stays(kept) => write!(f, "stays: {kept}"),
        }
    }
}
