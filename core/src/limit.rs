//! `PersistLimit`: which files go when there are too many bytes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::{DeleteItem, Expect, FileKind, FileStat, LimitConfig, Stamp, StorePath};

mod explain;

pub use explain::{Judged, Kept, Verdict, Why};

/// A bound for a set of files, and the rule by which they go. Pure: it knows the files that it was told of and names
/// victims; a [`Manager`](crate::Manager) with a limit feeds it and has them deleted, and it can be used alone.
///
/// The rule: while there are more than `file_limit` files and they have `size_limit` bytes or more in total, the one
/// that was accessed longest ago goes; of equals, the one whose name comes first. A limit of 0, in either, is no limit.
/// [`Bounds`] are further ones, none unless set.
///
/// A file that is [held](Self::hold) or [pinned](Self::set_pinned) counts and does not go: others go in its place.
///
/// Registering, touching, holding and forgetting a file take O(log n), the totals O(1), and choosing `k` victims
/// O(k + log n), plus those that are spared. A file takes some 150 bytes, its name included.
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
    bounds: Bounds,
    /// By the name's key, so that no look-up follows a pointer to compare names.
    files: BTreeMap<Key, Entry>,
    /// Those that may go, in the order in which they do.
    order: BTreeSet<(Stamp, StorePath)>,
    /// The places of those whose stamps were ahead of the clock.
    ahead: BTreeMap<Key, Stamp>,
    /// The names that may not go, whether their files count or not.
    holds: BTreeMap<Key, Hold>,
    bytes: u128,
    /// What pinned files have of it.
    pinned_bytes: u128,
    reserved_bytes: u128,
    /// What of it has not taken of the free space yet.
    unwritten_bytes: u64,
    gauge: Option<Gauged>,
}

/// Bounds beside the rule of size and number, none unless set.
///
/// ```
/// use core::time::Duration;
/// use dlmanager_core::{Bounds, FileKind, FileStat, Gauged, PersistLimit, Stamp, StorePath};
///
/// let day = Duration::from_secs(24 * 60 * 60);
/// let mut limit = PersistLimit::new(0, 0).with_bounds(Bounds { age_max: Some(day), ..Bounds::default() });
/// let stat = |accessed| FileStat { kind: FileKind::Regular, length: 1, accessed, modified: accessed };
/// let hour_nanos = 3_600_000_000_000;
/// limit.register(StorePath::entry("yesterday").unwrap(), &stat(Stamp::from_nanos(0)));
/// limit.register(StorePath::entry("today").unwrap(), &stat(Stamp::from_nanos(20 * hour_nanos)));
/// limit.set_gauge(Gauged { now: Stamp::from_nanos(25 * hour_nanos), free_bytes: None });
/// assert_eq!(limit.victims(64, |_| false)[0].path.as_str(), "yesterday");
/// assert_eq!(limit.victims(64, |_| false).len(), 1);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// A file goes that was not accessed for longer than this, however few there are. What was accessed within the last
    /// minute before may not bear a stamp of it, so a minute is granted on top.
    pub age_max: Option<Duration>,
    /// While the file system has fewer free bytes, the file that was accessed longest ago goes, as long as there are more
    /// than `file_limit`; 0 is no bound.
    pub free_bytes_min: u64,
    /// The announced lengths of downloads that are under way count for the size limit, so that room is made before it is
    /// needed. One that could never fit is refused.
    pub reserves: bool,
}

/// What the clock and the disk say at a moment.
///
/// ```
/// use dlmanager_core::{Gauged, Stamp};
///
/// // A backend that knows no bound of its space says so.
/// let gauged = Gauged { now: Stamp::from_nanos(1_700_000_000_000_000_000), free_bytes: None };
/// assert!(gauged.free_bytes.is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauged {
    /// The wall clock, as it stamps files.
    pub now: Stamp,
    /// The bytes that this user can still put onto the file system, where there is a bound that can be known.
    pub free_bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    length: u64,
    accessed: Stamp,
    modified: Stamp,
}

/// Of a name's hash so much that no two of any number of names share it, and small, as each file has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key([u32; 3]);

impl Key {
    #[allow(clippy::cast_possible_truncation, reason = "the hash is cut into pieces")]
    fn of(path: &StorePath) -> Self {
        let key = path.key();
        Self([(key >> 96) as u32, (key >> 64) as u32, (key >> 32) as u32])
    }
}

/// Why a name may not go.
#[derive(Debug, Clone, Default)]
struct Hold {
    /// Known once it was registered or held by its name.
    path: Option<StorePath>,
    leases: u32,
    is_pinned: bool,
}

/// A stamp of access is renewed at most so often.
const STAMP_INTERVAL: Duration = Duration::from_secs(60);
/// Stamps from the future are taken for so little after now at most, in their order.
const AHEAD_MAX_NANOS: i64 = 1_000_000;
/// A stamp that is this far ahead stands in the middle of that.
const AHEAD_HALF_NANOS: i128 = 365 * 24 * 60 * 60 * 1_000_000_000;

impl PersistLimit {
    /// A bound of `size_limit` bytes that keeps at least `file_limit` files.
    pub fn new(size_limit: u64, file_limit: u64) -> Self {
        Self { size_limit, file_limit, ..Self::default() }
    }

    /// The same with further bounds.
    #[must_use]
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    pub(crate) fn of(config: &LimitConfig) -> Self {
        Self::new(config.size_limit, config.file_limit).with_bounds(config.bounds)
    }

    /// Whether there is a bound at all.
    pub const fn is_bounded(&self) -> bool {
        self.has_size_rule() || self.bounds.age_max.is_some() || self.bounds.free_bytes_min > 0
    }

    const fn has_size_rule(&self) -> bool {
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
        self.files.contains_key(&Key::of(path))
    }

    pub(crate) fn length(&self, path: &StorePath) -> Option<u64> {
        self.files.get(&Key::of(path)).map(|entry| entry.length)
    }

    /// Makes a file count, or renews what is known of it. Anything but a regular file is forgotten.
    pub fn register(&mut self, path: StorePath, stat: &FileStat) {
        let key = Key::of(&path);
        self.remove(key, &path);
        self.register_as(key, path, stat, stat.accessed);
    }

    /// The same of a file that was there when the clock was looked at last, so that its stamp cannot be later; one that
    /// counts already stays as it is.
    pub(crate) fn register_found(&mut self, path: StorePath, stat: &FileStat) {
        let key = Key::of(&path);
        if self.files.contains_key(&key) {
            return;
        }
        let rank = match self.gauge {
            Some(gauge) if stat.accessed > gauge.now => of_the_future(stat.accessed, gauge.now),
            Some(_) | None => stat.accessed,
        };
        self.register_as(key, path, stat, rank);
    }

    fn register_as(&mut self, key: Key, path: StorePath, stat: &FileStat, rank: Stamp) {
        if stat.kind != FileKind::Regular {
            return;
        }
        let FileStat { length, accessed, modified, .. } = *stat;
        self.bytes += u128::from(length);
        self.files.insert(key, Entry { length, accessed, modified });
        if rank != accessed {
            self.ahead.insert(key, rank);
        }
        match self.holds.get_mut(&key) {
            None => {
                self.order.insert((rank, path));
            }
            Some(hold) => {
                self.pinned_bytes += if hold.is_pinned { u128::from(length) } else { 0 };
                hold.path = Some(path);
            }
        }
    }

    /// Notes that a file was accessed; one that does not count is ignored.
    pub fn touch(&mut self, path: &StorePath, accessed: Stamp) {
        let key = Key::of(path);
        if let Some(entry) = self.files.get_mut(&key) {
            let rank = self.ahead.remove(&key).unwrap_or(entry.accessed);
            let old = self.order.take(&(rank, path.clone()));
            entry.accessed = accessed;
            // Its name is kept once.
            if let Some((_, path)) = old {
                self.order.insert((accessed, path));
            }
        }
    }

    /// Notes that a file is gone. Returns its length, where it counted.
    pub fn forget(&mut self, path: &StorePath) -> Option<u64> {
        self.remove(Key::of(path), path)
    }

    fn remove(&mut self, key: Key, path: &StorePath) -> Option<u64> {
        let entry = self.files.remove(&key)?;
        let rank = self.ahead.remove(&key).unwrap_or(entry.accessed);
        self.bytes -= u128::from(entry.length);
        match self.holds.get(&key) {
            Some(hold) if hold.is_pinned => self.pinned_bytes -= u128::from(entry.length),
            Some(_) => {}
            None => {
                self.order.remove(&(rank, path.clone()));
            }
        }
        Some(entry.length)
    }

    // What may not go.

    /// Keeps a name from going until it is [released](Self::release), once for each time that it was held.
    pub fn hold(&mut self, path: &StorePath) {
        self.change_hold(path, |hold| hold.leases = hold.leases.saturating_add(1));
    }

    /// Ends one hold of a name.
    pub fn release(&mut self, path: &StorePath) {
        self.change_hold(path, |hold| hold.leases = hold.leases.saturating_sub(1));
    }

    /// Keeps a name from going until it is unpinned.
    pub fn set_pinned(&mut self, path: &StorePath, is_pinned: bool) {
        self.change_hold(path, |hold| hold.is_pinned = is_pinned);
    }

    /// Whether the name is held, and whether it is pinned.
    pub fn holds(&self, path: &StorePath) -> (bool, bool) {
        self.holds.get(&Key::of(path)).map_or((false, false), |hold| (hold.leases > 0, hold.is_pinned))
    }

    fn change_hold(&mut self, path: &StorePath, change: impl FnOnce(&mut Hold)) {
        let key = Key::of(path);
        let entry = self.files.get(&key).copied();
        let was_held = self.holds.contains_key(&key);
        let hold = self.holds.entry(key).or_default();
        let was_pinned = hold.is_pinned;
        change(hold);
        hold.path.get_or_insert_with(|| path.clone());
        let (is_held, is_pinned) = (hold.leases > 0 || hold.is_pinned, hold.is_pinned);
        if !is_held {
            self.holds.remove(&key);
        }
        let Some(entry) = entry else { return };
        let rank = self.rank(&key, &entry);
        match (was_held, is_held) {
            (false, true) => {
                self.order.remove(&(rank, path.clone()));
            }
            (true, false) => {
                self.order.insert((rank, path.clone()));
            }
            (true, true) | (false, false) => {}
        }
        let length = u128::from(entry.length);
        match (was_pinned, is_pinned) {
            (false, true) => self.pinned_bytes += length,
            (true, false) => self.pinned_bytes -= length,
            (true, true) | (false, false) => {}
        }
    }

    // Room for what is to come.

    /// Counts so many bytes that are on their way, where [`Bounds::reserves`] says so.
    pub fn reserve(&mut self, bytes: u64) {
        self.reserved_bytes += u128::from(bytes);
    }

    /// Counts so many of them no longer.
    pub fn unreserve(&mut self, bytes: u64) {
        self.reserved_bytes = self.reserved_bytes.saturating_sub(u128::from(bytes));
    }

    /// Notes how many of the reserved bytes are not on the disk yet: those will take of what is free.
    pub const fn set_unwritten(&mut self, bytes: u64) {
        self.unwritten_bytes = bytes;
    }

    /// The longest file that could fit if all went that may; `None` where nothing says so.
    ///
    /// ```
    /// use dlmanager_core::{Bounds, PersistLimit};
    ///
    /// let limit = PersistLimit::new(1_000, 5);
    /// assert_eq!(limit.room_max(), None); // the rule alone keeps `file_limit` files, whatever their size
    /// assert_eq!(limit.with_bounds(Bounds { reserves: true, ..Bounds::default() }).room_max(), Some(999));
    /// ```
    pub fn room_max(&self) -> Option<u64> {
        let by_size = (self.bounds.reserves && self.has_size_rule())
            .then(|| u128::from(self.size_limit - 1).saturating_sub(self.pinned_bytes));
        let by_space =
            self.free_bytes().filter(|_| self.bounds.reserves && self.bounds.free_bytes_min > 0).map(|free| {
                let all = u128::from(free) + (self.bytes - self.pinned_bytes);
                all.saturating_sub(u128::from(self.bounds.free_bytes_min))
            });
        let room = by_size.into_iter().chain(by_space).min()?;
        Some(u64::try_from(room).unwrap_or(u64::MAX))
    }

    // The clock and the disk.

    /// Whether the rule goes by more than files, so that [`set_gauge`](Self::set_gauge) has to come before victims.
    pub const fn needs_gauge(&self) -> bool {
        self.bounds.age_max.is_some() || self.bounds.free_bytes_min > 0
    }

    /// Notes what the clock and the disk say. Stamps that are ahead of the clock (it was set back, or a file came from
    /// another machine) count as of now from then on, in their order, so that such files can get old, too.
    pub fn set_gauge(&mut self, gauge: Gauged) {
        self.gauge = Some(gauge);
        let latest = Stamp::from_nanos(gauge.now.as_nanos().saturating_add(AHEAD_MAX_NANOS));
        if self.order.last().is_some_and(|(rank, _)| *rank > latest) {
            let first = Stamp::from_nanos(latest.as_nanos().saturating_add(1));
            for (stamp, path) in self.order.split_off(&(first, StorePath::before_all())) {
                let rank = of_the_future(stamp, gauge.now);
                self.ahead.insert(Key::of(&path), rank);
                self.order.insert((rank, path));
            }
        }
        let held: Vec<(Key, Stamp)> = self
            .holds
            .keys()
            .filter_map(|key| Some((*key, self.rank(key, self.files.get(key)?))))
            .filter(|(_, rank)| *rank > latest)
            .collect();
        self.ahead.extend(held.into_iter().map(|(key, rank)| (key, of_the_future(rank, gauge.now))));
    }

    /// The place of a file in the order: its stamp, unless that was ahead of the clock.
    fn rank(&self, key: &Key, entry: &Entry) -> Stamp {
        self.ahead.get(key).copied().unwrap_or(entry.accessed)
    }

    fn free_bytes(&self) -> Option<u64> {
        self.gauge.and_then(|gauge| gauge.free_bytes)
    }

    /// Files that were last accessed before this are too old.
    fn oldest_allowed(&self) -> Option<Stamp> {
        let (age_max, gauge) = (self.bounds.age_max?, self.gauge?);
        let nanos = i64::try_from(age_max.saturating_add(STAMP_INTERVAL).as_nanos()).unwrap_or(i64::MAX);
        Some(Stamp::from_nanos(gauge.now.as_nanos().saturating_sub(nanos)))
    }

    // The rule.

    /// Whether the rule wants a file to go.
    pub fn is_exceeded(&self) -> bool {
        let totals = self.totals();
        self.is_too_large(&totals) || self.is_too_full(&totals) || self.has_aged()
    }

    /// Whether the size limit is exceeded, or too little space is free, and `file_limit` alone keeps the rest.
    pub fn is_unmet(&self) -> bool {
        let too_large = self.has_size_rule() && self.bytes >= u128::from(self.size_limit);
        let too_full = self.free_bytes().is_some_and(|free| free < self.bounds.free_bytes_min);
        (too_large || too_full) && self.files() > 0 && !self.is_exceeded()
    }

    /// The next files to go, at most `victims_max`, oldest first, passing over those that are `spared`.
    pub fn victims(&self, victims_max: usize, spared: impl FnMut(&StorePath) -> bool) -> Vec<DeleteItem> {
        self.choose(victims_max, spared).into_iter().map(|(item, _)| item).collect()
    }

    /// The same, each with why it goes.
    pub(crate) fn choose(
        &self,
        victims_max: usize,
        mut spared: impl FnMut(&StorePath) -> bool,
    ) -> Vec<(DeleteItem, Why)> {
        let mut totals = self.totals();
        let mut victims = Vec::new();
        for (rank, path) in &self.order {
            if victims.len() >= victims_max {
                break;
            }
            let Some(why) = self.wants(*rank, &totals) else { break };
            if spared(path) {
                continue;
            }
            if let Some(Entry { length, accessed, modified, .. }) = self.files.get(&Key::of(path)).copied() {
                totals.lose(length);
                let expect = Expect::Unchanged { length, accessed, modified };
                victims.push((DeleteItem { path: path.clone(), expect }, why));
            }
        }
        victims
    }

    fn totals(&self) -> Totals {
        let reserved = if self.bounds.reserves { self.reserved_bytes } else { 0 };
        let unwritten = if self.bounds.reserves { self.unwritten_bytes } else { 0 };
        let free = self.free_bytes().map(|free| i128::from(free) - i128::from(unwritten));
        Totals { files: self.files(), bytes: self.bytes + reserved, free }
    }

    /// Why the oldest file has to go, if it has to: later ones then have no other reason to.
    fn wants(&self, rank: Stamp, totals: &Totals) -> Option<Why> {
        if self.oldest_allowed().is_some_and(|oldest| rank < oldest) {
            Some(Why::Age)
        } else if self.is_too_large(totals) {
            Some(Why::Size)
        } else {
            self.is_too_full(totals).then_some(Why::Space)
        }
    }

    fn is_too_large(&self, totals: &Totals) -> bool {
        self.has_size_rule() && totals.files > self.file_limit && totals.bytes >= u128::from(self.size_limit)
    }

    fn is_too_full(&self, totals: &Totals) -> bool {
        let too_full = totals.free.is_some_and(|free| free < i128::from(self.bounds.free_bytes_min));
        self.bounds.free_bytes_min > 0 && totals.files > self.file_limit && too_full
    }

    fn has_aged(&self) -> bool {
        let Some(oldest) = self.oldest_allowed() else { return false };
        let mut held = self.holds.keys().filter_map(|key| Some(self.rank(key, self.files.get(key)?)));
        self.order.first().is_some_and(|(rank, _)| *rank < oldest) || held.any(|rank| rank < oldest)
    }

    pub(crate) fn check_invariants(&self) {
        let held = self.holds.keys().filter(|key| self.files.contains_key(key)).count();
        assert_eq!(self.files.len(), self.order.len() + held, "each file stands in the order, or may not go");
        for (rank, path) in &self.order {
            let key = Key::of(path);
            let entry = self.files.get(&key);
            assert!(entry.is_some_and(|entry| self.rank(&key, entry) == *rank), "a file stands in its place");
            assert!(!self.holds.contains_key(&Key::of(path)), "what may go is not held");
        }
        assert!(self.ahead.keys().all(|key| self.files.contains_key(key)), "who stands elsewhere counts");
        let bytes: u128 = self.files.values().map(|entry| u128::from(entry.length)).sum();
        assert_eq!(bytes, self.bytes, "the total is the sum of the lengths");
        let pinned = self.holds.iter().filter(|(_, hold)| hold.is_pinned).filter_map(|(key, _)| self.files.get(key));
        let pinned_bytes: u128 = pinned.map(|entry| u128::from(entry.length)).sum();
        assert_eq!(pinned_bytes, self.pinned_bytes, "what is pinned is the sum of the pinned files' lengths");
        assert!(self.holds.values().all(|hold| hold.leases > 0 || hold.is_pinned), "a hold has a reason");
    }
}

/// The place of a stamp that is ahead of the clock: just after now, behind those that are less far ahead.
fn of_the_future(stamp: Stamp, now: Stamp) -> Stamp {
    let ahead = i128::from(stamp.as_nanos()) - i128::from(now.as_nanos());
    let nanos = 1 + i128::from(AHEAD_MAX_NANOS - 1) * ahead / (ahead + AHEAD_HALF_NANOS);
    Stamp::from_nanos(now.as_nanos().saturating_add(i64::try_from(nanos).unwrap_or(0)))
}

/// The totals, as they will be once what was chosen is gone.
#[derive(Debug, Clone, Copy)]
struct Totals {
    files: u64,
    bytes: u128,
    free: Option<i128>,
}

impl Totals {
    fn lose(&mut self, length: u64) {
        self.files -= 1;
        self.bytes -= u128::from(length);
        self.free = self.free.map(|free| free.saturating_add(i128::from(length)));
    }
}
