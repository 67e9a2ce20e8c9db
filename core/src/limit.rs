//! `PersistLimit`: which files go when there are too many bytes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{DeleteItem, Expect, FileKind, FileStat, LimitConfig, Stamp, StorePath};

mod explain;
mod files;
#[cfg(test)]
mod model;
mod order;
mod unseen;

pub use explain::{Judged, Kept, Verdict, Why};
use files::{Entry, Files, Tag};
use order::Order;
use unseen::Unseen;

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
/// O(k log n), plus those that are spared: all of it amortised, as a touch only writes down when it was, and the order is
/// mended where it is looked at. A file takes some 140 bytes, its name included.
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
    files: Files,
    /// Those that may go, in the order in which they do.
    order: Order,
    /// The ranks of those whose stamps were ahead of the clock.
    ahead: BTreeMap<u32, Stamp>,
    unchecked: Unchecked,
    /// The names that may not go, whether their files count or not.
    holds: BTreeMap<StorePath, Hold>,
    bytes: u128,
    /// What pinned files have of it.
    pinned_bytes: u128,
    reserved_bytes: u128,
    /// What of it has not taken of the free space yet.
    unwritten_bytes: u64,
    gauge: Option<Gauged>,
    unseen: Unseen,
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
    /// than `file_limit`; 0 is no bound. What was deleted within the last minute counts as free, whether it shows yet or not.
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

/// Whose stamps may be ahead of the clock, as they were not compared with it.
#[derive(Debug, Clone, Default)]
enum Unchecked {
    #[default]
    All,
    /// Those of these slots, whatever stands there by now.
    Some(Vec<u32>),
}

/// Why a name may not go.
#[derive(Debug, Clone, Default)]
struct Hold {
    leases: u32,
    is_pinned: bool,
}

/// A stamp of access is renewed at most so often.
const STAMP_INTERVAL: Duration = Duration::from_secs(60);
/// Stamps from the future are taken for so little after now at most, in their order.
const AHEAD_MAX_NANOS: i64 = 1_000_000;
/// A stamp that is this far ahead stands in the middle of that.
const AHEAD_HALF_NANOS: i128 = 365 * 24 * 60 * 60 * 1_000_000_000;
/// So many files are looked at one by one, and one of so many of all, before all are.
const UNCHECKED_MIN: usize = 64;
const UNCHECKED_PART: usize = 8;

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

    /// The same bounds and holds, before anything is known of the clock and the disk, and without the files that a scan finds:
    /// those of sub-folders stay.
    pub(crate) fn emptied(&mut self) -> Self {
        let nested = self.files.iter().filter(|(_, entry)| entry.path.as_str().contains('/'));
        let nested: Vec<_> = nested
            .map(|(_, entry)| {
                let Entry { length, accessed, modified, .. } = *entry;
                (entry.path.clone(), FileStat { kind: FileKind::Regular, length, accessed, modified })
            })
            .collect();
        let holds = core::mem::take(&mut self.holds);
        let (reserved_bytes, unwritten_bytes) = (self.reserved_bytes, self.unwritten_bytes);
        let bounds = Self::new(self.size_limit, self.file_limit).with_bounds(self.bounds);
        let mut emptied = Self { holds, reserved_bytes, unwritten_bytes, unseen: self.unseen, ..bounds };
        for (path, stat) in nested {
            emptied.register(path, &stat);
        }
        emptied
    }

    /// Whether there is a bound at all.
    pub const fn is_bounded(&self) -> bool {
        self.has_size_rule() || self.bounds.age_max.is_some() || self.bounds.free_bytes_min > 0
    }

    const fn has_size_rule(&self) -> bool {
        self.size_limit > 0 && self.file_limit > 0
    }

    /// Whether the bounds beside that of size may take all there is.
    pub(crate) const fn keeps_none(&self) -> bool {
        self.file_limit == 0
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
        self.files.find(Tag::of(path), path).is_some()
    }

    pub(crate) fn length(&self, path: &StorePath) -> Option<u64> {
        self.files.get(self.files.find(Tag::of(path), path)?).map(|entry| entry.length)
    }

    /// Makes a file count, or renews what is known of it. Anything but a regular file is forgotten.
    pub fn register(&mut self, path: StorePath, stat: &FileStat) {
        let tag = Tag::of(&path);
        self.remove(tag, &path);
        self.register_as(tag, path, stat, stat.accessed);
        self.mend();
    }

    /// The same of a file that was there when the clock was looked at last, so that its stamp cannot be later; one that
    /// counts already stays as it is.
    pub(crate) fn register_found(&mut self, path: StorePath, stat: &FileStat) {
        let tag = Tag::of(&path);
        if self.files.find(tag, &path).is_some() {
            return;
        }
        let rank = match self.gauge {
            Some(gauge) if stat.accessed > gauge.now => of_the_future(stat.accessed, gauge.now),
            Some(_) | None => stat.accessed,
        };
        self.register_as(tag, path, stat, rank);
        self.mend();
    }

    fn register_as(&mut self, tag: Tag, path: StorePath, stat: &FileStat, rank: Stamp) {
        if stat.kind != FileKind::Regular {
            return;
        }
        let FileStat { length, accessed, modified, .. } = *stat;
        self.bytes += u128::from(length);
        let hold = self.hold_of(&path).map(|hold| hold.is_pinned);
        let slot = self.files.insert(tag, Entry::new(path, length, accessed, modified));
        if rank != accessed {
            self.ahead.insert(slot, rank);
        }
        self.note_unchecked(slot, rank);
        match hold {
            None => self.order.insert(slot, rank, &mut self.files),
            Some(is_pinned) => self.pinned_bytes += if is_pinned { u128::from(length) } else { 0 },
        }
    }

    /// Notes that a file was accessed; one that does not count is ignored.
    pub fn touch(&mut self, path: &StorePath, accessed: Stamp) {
        let Some(slot) = self.files.find(Tag::of(path), path) else { return };
        if let Some(entry) = self.files.get_mut(slot) {
            entry.accessed = accessed;
        }
        self.ahead.remove(&slot);
        self.note_unchecked(slot, accessed);
        if self.hold_of(path).is_none() {
            self.order.change(slot, accessed, &mut self.files);
        }
        self.mend();
    }

    /// Notes that a file is gone. Returns its length, where it counted.
    pub fn forget(&mut self, path: &StorePath) -> Option<u64> {
        let length = self.remove(Tag::of(path), path);
        self.mend();
        length
    }

    /// Notes that a file was deleted. Returns its length, where it counted.
    ///
    /// Its bytes count as free from then on, for a minute at most, until [`set_gauge`](Self::set_gauge) tells of them: some
    /// file systems show late what deletions have freed.
    pub fn deleted(&mut self, path: &StorePath) -> Option<u64> {
        let length = self.forget(path)?;
        self.unseen.deleted(length);
        Some(length)
    }

    fn remove(&mut self, tag: Tag, path: &StorePath) -> Option<u64> {
        let slot = self.files.find(tag, path)?;
        let length = self.files.get(slot)?.length;
        self.bytes -= u128::from(length);
        match self.hold_of(path) {
            Some(hold) if hold.is_pinned => self.pinned_bytes -= u128::from(length),
            Some(_) => {}
            None => self.order.remove(slot, &mut self.files),
        }
        self.ahead.remove(&slot);
        self.files.remove(tag, slot);
        Some(length)
    }

    fn mend(&mut self) {
        let ahead = &self.ahead;
        self.order.mend(&mut self.files, |slot, entry| rank(ahead, slot, entry));
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
        self.hold_of(path).map_or((false, false), |hold| (hold.leases > 0, hold.is_pinned))
    }

    fn hold_of(&self, path: &StorePath) -> Option<&Hold> {
        // Most of the time there is none.
        if self.holds.is_empty() { None } else { self.holds.get(path) }
    }

    fn change_hold(&mut self, path: &StorePath, change: impl FnOnce(&mut Hold)) {
        let was_held = self.holds.contains_key(path);
        let hold = self.holds.entry(path.clone()).or_default();
        let was_pinned = hold.is_pinned;
        change(hold);
        let (is_held, is_pinned) = (hold.leases > 0 || hold.is_pinned, hold.is_pinned);
        if !is_held {
            self.holds.remove(path);
        }
        let Some(slot) = self.files.find(Tag::of(path), path) else { return };
        let Some(entry) = self.files.get(slot) else { return };
        let (rank, length) = (rank(&self.ahead, slot, entry), u128::from(entry.length));
        match (was_held, is_held) {
            (false, true) => self.order.remove(slot, &mut self.files),
            (true, false) => self.order.insert(slot, rank, &mut self.files),
            (true, true) | (false, false) => {}
        }
        match (was_pinned, is_pinned) {
            (false, true) => self.pinned_bytes += length,
            (true, false) => self.pinned_bytes -= length,
            (true, true) | (false, false) => {}
        }
        self.mend();
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

    pub(crate) const fn is_gauged(&self) -> bool {
        self.gauge.is_some()
    }

    /// Notes what the clock and the disk say. Stamps that are ahead of the clock (it was set back, or a file came from
    /// another machine) count as of now from then on, in their order, so that such files can get old, too. Where the clock was set
    /// back since it was told last, they count as of a minute before: what was stamped in between is newer than they are.
    ///
    /// Takes O(log n) for each file that was registered or touched since with a stamp ahead of the clock as it was then; O(n)
    /// where the clock was set back, where it is told for the first time, and where those are a large part of all.
    pub fn set_gauge(&mut self, gauge: Gauged) {
        self.unseen.looked(gauge);
        let was_set_back = self.gauge.is_some_and(|before| before.now > gauge.now);
        self.gauge = Some(gauge);
        let slots = match core::mem::replace(&mut self.unchecked, Unchecked::Some(Vec::new())) {
            Unchecked::Some(slots) if !was_set_back => slots,
            Unchecked::Some(_) | Unchecked::All => self.files.iter().map(|(slot, _)| slot).collect(),
        };
        let latest = latest(gauge);
        let minute = i64::try_from(STAMP_INTERVAL.as_nanos()).unwrap_or(i64::MAX);
        let back = if was_set_back { minute } else { 0 };
        let as_of = Stamp::from_nanos(gauge.now.as_nanos().saturating_sub(back));
        for slot in slots {
            let Some(entry) = self.files.get(slot) else { continue };
            let before = rank(&self.ahead, slot, entry);
            if before <= latest {
                continue;
            }
            let is_held = self.hold_of(&entry.path).is_some();
            let rank = of_the_future(before, as_of);
            self.ahead.insert(slot, rank);
            if !is_held {
                self.order.change(slot, rank, &mut self.files);
            }
        }
        self.mend();
    }

    /// A file's rank is to be compared with the clock, where that cannot be said of all as of when it was told last.
    fn note_unchecked(&mut self, slot: u32, rank: Stamp) {
        let files = self.files.len();
        let Unchecked::Some(slots) = &mut self.unchecked else { return };
        if self.gauge.is_some_and(|gauge| rank > latest(gauge)) {
            slots.push(slot);
            if slots.len() > UNCHECKED_MIN + files / UNCHECKED_PART {
                self.unchecked = Unchecked::All;
            }
        }
    }

    fn free_bytes(&self) -> Option<u64> {
        Some(self.gauge?.free_bytes?.saturating_add(self.unseen.bytes()))
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

    /// Whether too little space is free, as far as was told.
    pub(crate) fn is_too_full_now(&self) -> bool {
        self.is_too_full(&self.totals())
    }

    /// Whether the size limit is exceeded, or too little space is free, and `file_limit` alone keeps the rest.
    pub fn is_unmet(&self) -> bool {
        let too_large = self.has_size_rule() && self.bytes >= u128::from(self.size_limit);
        let too_full = self.free_bytes().is_some_and(|free| free < self.bounds.free_bytes_min);
        (too_large || too_full) && self.files() > 0 && !self.is_exceeded()
    }

    /// The next files to go, at most `victims_max`, oldest first, passing over those that are `spared`.
    pub fn victims(&mut self, victims_max: usize, spared: impl FnMut(&StorePath) -> bool) -> Vec<DeleteItem> {
        self.choose(victims_max, spared).into_iter().map(|(item, _)| item).collect()
    }

    /// The same, each with why it goes.
    pub(crate) fn choose(
        &mut self,
        victims_max: usize,
        mut spared: impl FnMut(&StorePath) -> bool,
    ) -> Vec<(DeleteItem, Why)> {
        let mut totals = self.totals();
        let (mut victims, mut passed) = (Vec::new(), Vec::new());
        while victims.len() < victims_max {
            let Some(place) = self.order.first() else { break };
            let Some(why) = self.wants(place.rank, &totals) else { break };
            let Some(entry) = self.files.get(place.slot) else { break };
            if !spared(&entry.path) {
                totals.lose(entry.length);
                let Entry { length, accessed, modified, .. } = *entry;
                let expect = Expect::Unchanged { length, accessed, modified };
                victims.push((DeleteItem { path: entry.path.clone(), expect }, why));
            }
            if victims.len() < victims_max {
                passed.extend(self.order.pop(&self.files));
                self.mend();
            }
        }
        // They stay until they are known to be gone.
        for place in passed {
            self.order.push(place, &self.files);
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
        let rank_of = |path| {
            let slot = self.files.find(Tag::of(path), path)?;
            self.files.get(slot).map(|entry| rank(&self.ahead, slot, entry))
        };
        let mut held = self.holds.keys().filter_map(rank_of);
        self.order.first().is_some_and(|place| place.rank < oldest) || held.any(|rank| rank < oldest)
    }

    /// Takes O(n).
    pub(crate) fn check_invariants(&self) {
        self.files.check_invariants();
        self.order.check_invariants(&self.files, |slot, entry| rank(&self.ahead, slot, entry));
        let counts = |path: &&StorePath| self.contains(path);
        let held = self.holds.keys().filter(counts).count();
        assert_eq!(self.files.len(), self.order.len() + held, "each file stands in the order, or may not go");
        assert!(self.ahead.keys().all(|slot| self.files.get(*slot).is_some()), "who stands elsewhere counts");
        let bytes: u128 = self.files.iter().map(|(_, entry)| u128::from(entry.length)).sum();
        assert_eq!(bytes, self.bytes, "the total is the sum of the lengths");
        let pinned = self.holds.iter().filter(|(_, hold)| hold.is_pinned).filter_map(|(path, _)| self.length(path));
        let pinned_bytes: u128 = pinned.map(u128::from).sum();
        assert_eq!(pinned_bytes, self.pinned_bytes, "what is pinned is the sum of the pinned files' lengths");
        assert!(self.holds.values().all(|hold| hold.leases > 0 || hold.is_pinned), "a hold has a reason");
        if let (Unchecked::Some(slots), Some(gauge)) = (&self.unchecked, self.gauge) {
            let is_checked = |slot, entry| rank(&self.ahead, slot, entry) <= latest(gauge) || slots.contains(&slot);
            assert!(self.files.iter().all(|(slot, entry)| is_checked(slot, entry)), "who may be ahead is known");
        }
    }
}

/// By what a file stands in the order: its stamp, unless that was ahead of the clock.
fn rank(ahead: &BTreeMap<u32, Stamp>, slot: u32, entry: &Entry) -> Stamp {
    if ahead.is_empty() { entry.accessed } else { ahead.get(&slot).copied().unwrap_or(entry.accessed) }
}

/// A rank that is later than this is ahead of the clock.
const fn latest(gauge: Gauged) -> Stamp {
    Stamp::from_nanos(gauge.now.as_nanos().saturating_add(AHEAD_MAX_NANOS))
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
