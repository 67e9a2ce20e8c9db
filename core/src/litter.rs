//! What dead processes left in the work folder: unfinished files that nobody is at work on, and records without them.
//!
//! Looked for before the first pass of eviction, and in each that finds too little free, as what is unfinished goes before
//! what is complete; when a download finds the disk full; and when the work folder of a manager that closes is not empty.
//! Nothing is removed that was written to within the last minute, and no unfinished file whose lock somebody holds: the
//! deletion takes that lock itself, and answers `Busy` where it cannot.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::action::{DeleteItem, Deleted, Expect, FileKind, FileStat, ScanBatch, ScanEntry};
use crate::effects::{Effects, Owner};
use crate::ticket::{Answer, Kinded};
use crate::{Fault, FaultKind, FileId, FileOp, Gauged, Lane, Stamp, StorePath, Ticket};

/// Entries asked for in one go.
const SCAN_BATCH: usize = 1024;
/// Files deleted in one go.
const DELETE_BATCH: usize = 64;
/// What was written to within this time may be somebody's who has not locked it yet.
const SETTLED: Duration = Duration::from_secs(60);
/// Where nothing tells whether somebody is at work, it is taken for that after this time at the earliest.
const UNLOCKED_AGE_MIN: Duration = Duration::from_secs(24 * 60 * 60);
/// So many entries are looked at; more are for the next time.
const ENTRIES_MAX: usize = 65_536;

/// So often it is tried while another process evicts, which each try waits for a little.
const MISSED_MAX: u32 = 100;

#[derive(Debug, Default)]
pub(crate) struct Litter {
    lane: Option<Lane>,
    epoch: u32,
    stage: Stage,
    scan: Option<FileId>,
    unanswered: u32,
    entries: Vec<ScanEntry>,
    gauge: Option<Gauged>,
    /// What remains to be deleted.
    items: Vec<DeleteItem>,
    deleting: Vec<DeleteItem>,
    /// The records that go once their unfinished files have gone.
    records: BTreeMap<StorePath, DeleteItem>,
    has_removed: bool,
    freed_bytes: u64,
    /// A record that was removed, and could come back after a loss of power, beside the next unfinished file of that name.
    unflushed: Option<StorePath>,
    /// How often in a row another process evicted just then.
    missed: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    NotYet,
    Scanning,
    /// There is something; whether locks work decides what of it is stale.
    Found,
    Deleting,
    Done,
}

/// By what is decided whether something is stale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// See [`Config::partial_age_max`](crate::Config::partial_age_max).
    pub(crate) age_max: Duration,
    /// While fewer bytes are free, whatever can be locked goes.
    pub(crate) free_bytes_min: u64,
    /// While fewer bytes are free than this, whatever can be locked goes, too: a download of that length found the disk full.
    pub(crate) wanted_bytes: Option<u64>,
}

impl Litter {
    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(crate) fn is_due(&self) -> bool {
        self.stage == Stage::NotYet
    }

    /// It waits to be told whether locks work.
    pub(crate) fn wants_locks(&self) -> bool {
        self.stage == Stage::Found && self.unanswered == 0
    }

    pub(crate) const fn has_removed(&self) -> bool {
        self.has_removed
    }

    /// How many bytes everything that was ever removed had.
    pub(crate) const fn freed_bytes(&self) -> u64 {
        self.freed_bytes
    }

    /// It is to be looked for once more.
    pub(crate) fn reset(&mut self) {
        if self.stage == Stage::Done {
            self.stage = Stage::NotYet;
        }
    }

    pub(crate) fn begin(&mut self, effects: &mut Effects) {
        self.stage = Stage::Scanning;
        self.has_removed = false;
        self.missed = 0;
        self.entries.clear();
        self.scan = Some(effects.file());
        self.scan_on(effects);
    }

    fn scan_on(&mut self, effects: &mut Effects) {
        let Some(scan) = self.scan else { return };
        let folder = Some(StorePath::work_folder());
        self.ask(effects, |ticket| FileOp::Scan { ticket, scan, folder, entries_max: SCAN_BATCH });
    }

    pub(crate) fn reply(&mut self, reply: Answer, effects: &mut Effects) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if let Answer::Scan(result) = reply {
            self.scanned(result, effects);
        } else if let Answer::Gauge(result) = reply {
            self.gauge = result.ok();
            if self.gauge.is_none() {
                // Nothing tells how old anything is.
                self.stage = Stage::Done;
            }
        } else if let Answer::Delete(result) = reply {
            self.deleted(result.unwrap_or_default());
            match self.unflushed.take() {
                Some(path) => self.ask(effects, |ticket| FileOp::SyncDir { ticket, path }),
                None => self.delete_on(effects),
            }
        } else if let Answer::SyncDir(_) = reply {
            self.delete_on(effects);
        }
    }

    fn scanned(&mut self, result: Result<ScanBatch, Fault>, effects: &mut Effects) {
        let is_done = match result {
            Ok(batch) => {
                self.entries.extend(batch.entries.into_iter().filter(|entry| Name::of(&entry.path).is_some()));
                batch.done || self.entries.len() >= ENTRIES_MAX
            }
            // There is none.
            Err(fault) if fault.kind() == FaultKind::NotFound => true,
            Err(_) => {
                self.entries.clear();
                true
            }
        };
        if !is_done {
            return self.scan_on(effects);
        }
        if let Some(file) = self.scan.take() {
            self.ask(effects, |ticket| FileOp::Close { ticket, file });
        }
        if self.entries.is_empty() {
            self.stage = Stage::Done;
        } else {
            self.stage = Stage::Found;
            self.ask(effects, |ticket| FileOp::Gauge { ticket });
        }
    }

    /// Goes on, now that it is known whether locks work. What is this manager's own is no litter, whatever the clock says and
    /// whether or not a lock shows it.
    pub(crate) fn proceed(&mut self, locks: bool, terms: Terms, own: &BTreeSet<StorePath>, effects: &mut Effects) {
        let Some(gauge) = self.gauge.filter(|_| self.wants_locks()) else { return };
        self.stage = Stage::Deleting;
        let is_wanted = terms.wanted_bytes.is_some_and(|wanted| gauge.free_bytes.is_none_or(|free| free < wanted));
        let is_full = is_wanted || gauge.free_bytes.is_some_and(|free| free < terms.free_bytes_min);
        let age_max = if locks && is_full { SETTLED } else { terms.age_max };
        let mut entries = core::mem::take(&mut self.entries);
        entries.retain(|entry| !own.contains(&entry.path));
        (self.items, self.records) = stale(&entries, gauge.now, locks, age_max);
        self.delete_on(effects);
    }

    fn delete_on(&mut self, effects: &mut Effects) {
        if self.items.is_empty() {
            self.stage = Stage::Done;
            return;
        }
        let rest = self.items.split_off(self.items.len().min(DELETE_BATCH));
        let items = core::mem::replace(&mut self.items, rest);
        self.deleting.clone_from(&items);
        self.ask(effects, |ticket| FileOp::Delete { ticket, items });
    }

    fn deleted(&mut self, answers: Vec<Deleted>) {
        let is_turn = !answers.contains(&Deleted::Locked);
        self.missed = if is_turn { 0 } else { self.missed + 1 };
        for (item, deleted) in core::mem::take(&mut self.deleting).into_iter().zip(answers) {
            if let (Deleted::Deleted, Expect::Unchanged { length, .. }) = (&deleted, &item.expect) {
                self.has_removed = true;
                self.freed_bytes = self.freed_bytes.saturating_add(*length);
            }
            if deleted == Deleted::Deleted && matches!(Name::of(&item.path), Some(Name::Record(_))) {
                self.unflushed = Some(item.path.clone());
            }
            if let Deleted::Deleted | Deleted::Gone = deleted {
                self.items.extend(self.records.remove(&item.path));
            } else if deleted == Deleted::Locked && self.missed < MISSED_MAX {
                self.items.push(item);
            }
        }
    }

    fn ask<O: Kinded>(&mut self, effects: &mut Effects, op: impl FnOnce(Ticket<O>) -> FileOp) {
        let lane = *self.lane.get_or_insert_with(|| effects.lane());
        self.epoch += 1;
        self.unanswered += 1;
        effects.file_op(Owner::Litter, (lane, self.epoch), op);
    }
}

/// What the name of an entry of the work folder says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name<'a> {
    /// An unfinished file that later runs find, by its key.
    Partial(&'a str),
    /// Its record.
    Record(&'a str),
    /// An unfinished file, or a trial, of one process alone.
    Private,
}

impl<'a> Name<'a> {
    /// `None` for what is none of ours, or stays.
    fn of(path: &'a StorePath) -> Option<Self> {
        let is_hex =
            |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (stem, extension) = path.file_name().rsplit_once('.')?;
        match (stem.split_once('.'), extension) {
            (None, "part") if is_hex(stem, 32) => Some(Self::Partial(stem)),
            (None, "rec") if is_hex(stem, 32) => Some(Self::Record(stem)),
            (Some((first, second)), "part") if is_hex(second, 16) => {
                (is_hex(first, 32) || matches!(first, "owner" | "probe")).then_some(Self::Private)
            }
            (Some(_) | None, _) => None,
        }
    }
}

/// What is stale: what goes, and the records that go behind their unfinished files.
fn stale(
    entries: &[ScanEntry],
    now: Stamp,
    locks: bool,
    age_max: Duration,
) -> (Vec<DeleteItem>, BTreeMap<StorePath, DeleteItem>) {
    let age = |stat: &FileStat| {
        // A stamp that is as far ahead is as wrong.
        let since = |stamp: Stamp| now.as_nanos().abs_diff(stamp.as_nanos());
        // What is about to be published has the server's time already, and was accessed when it got that. Where there are
        // locks, they say that somebody is at work on it.
        let accessed = if locks { u64::MAX } else { since(stat.accessed) };
        Duration::from_nanos(since(stat.modified).min(accessed))
    };
    let abandoned_after = if locks { SETTLED } else { age_max.max(UNLOCKED_AGE_MIN) };
    let unfinished_after = if locks { age_max.max(SETTLED) } else { age_max.max(UNLOCKED_AGE_MIN) };
    let regular = || entries.iter().filter(|entry| entry.stat.kind == FileKind::Regular);
    let mut records: BTreeMap<&str, &ScanEntry> = BTreeMap::new();
    let mut partials: BTreeMap<&str, &ScanEntry> = BTreeMap::new();
    let (mut items, mut behind) = (Vec::new(), BTreeMap::new());
    for entry in regular() {
        match Name::of(&entry.path) {
            Some(Name::Partial(key)) => {
                partials.insert(key, entry);
            }
            Some(Name::Record(key)) => {
                records.insert(key, entry);
            }
            Some(Name::Private) if age(&entry.stat) >= abandoned_after => items.push(item(entry)),
            Some(Name::Private) | None => {}
        }
    }
    for (key, partial) in &partials {
        match records.get(key) {
            // Nobody can go on with it.
            None if age(&partial.stat) >= abandoned_after => items.push(item(partial)),
            Some(record) if age(&partial.stat).min(age(&record.stat)) >= unfinished_after => {
                items.push(item(partial));
                behind.insert(partial.path.clone(), item(record));
            }
            None | Some(_) => {}
        }
    }
    let orphans = records.iter().filter(|(key, _)| !partials.contains_key(*key));
    items.extend(
        orphans.map(|(_, record)| record).filter(|record| age(&record.stat) >= SETTLED).map(|record| item(record)),
    );
    (items, behind)
}

fn item(entry: &ScanEntry) -> DeleteItem {
    let FileStat { length, accessed, modified, .. } = entry.stat;
    DeleteItem { path: entry.path.clone(), expect: Expect::Unchanged { length, accessed, modified } }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const MINUTE: i64 = 60;
    const DAY: i64 = 24 * 60 * 60;
    const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    fn entry(name: &str, seconds_ago: i64) -> ScanEntry {
        let stamp = Stamp::from_nanos(-seconds_ago * 1_000_000_000);
        let stat = FileStat { kind: FileKind::Regular, length: 1, accessed: stamp, modified: stamp };
        ScanEntry { path: StorePath::entry_of(&StorePath::work_folder(), name).unwrap(), stat }
    }

    fn goes(entries: &[ScanEntry], locks: bool) -> Vec<String> {
        let (items, behind) = stale(entries, Stamp::from_nanos(0), locks, WEEK);
        let each = items.iter().flat_map(|item| [Some(item), behind.get(&item.path)]).flatten();
        each.map(|item| item.path.file_name().to_string()).collect()
    }

    #[test]
    fn an_unfinished_file_that_can_be_gone_on_with_stays_for_its_time_to_live() {
        let (part, rec) = (alloc::format!("{KEY}.part"), alloc::format!("{KEY}.rec"));
        for locks in [false, true] {
            assert!(goes(&[entry(&part, 6 * DAY), entry(&rec, 6 * DAY)], locks).is_empty());
            assert_eq!(goes(&[entry(&part, 7 * DAY), entry(&rec, 8 * DAY)], locks), [part.clone(), rec.clone()]);
            // The younger of the two counts.
            assert!(goes(&[entry(&part, MINUTE), entry(&rec, 8 * DAY)], locks).is_empty());
            assert!(goes(&[entry(&part, 8 * DAY), entry(&rec, MINUTE)], locks).is_empty());
            // A stamp that is as far ahead is as wrong.
            assert_eq!(goes(&[entry(&part, -7 * DAY), entry(&rec, -8 * DAY)], locks), [part.clone(), rec.clone()]);
        }
    }

    #[test]
    fn what_nobody_can_go_on_with_goes_once_it_can_be_locked() {
        let names = [
            alloc::format!("{KEY}.part"),
            alloc::format!("{KEY}.0123456789abcdef.part"),
            "probe.0123456789abcdef.part".into(),
            "owner.0123456789abcdef.part".into(),
        ];
        for name in &names {
            assert!(goes(&[entry(name, MINUTE - 1)], true).is_empty(), "{name}");
            assert_eq!(goes(&[entry(name, MINUTE)], true).concat(), *name);
            assert!(goes(&[entry(name, 6 * DAY)], false).is_empty(), "{name}: nothing tells that nobody is at work");
            assert_eq!(goes(&[entry(name, 8 * DAY)], false).concat(), *name);
        }
    }

    #[test]
    fn without_locks_what_is_younger_than_a_day_may_be_somebodys() {
        let hour = Duration::from_secs(60 * 60);
        let (part, rec) = (alloc::format!("{KEY}.part"), alloc::format!("{KEY}.rec"));
        let private = alloc::format!("{KEY}.0123456789abcdef.part");
        for (age, goes) in [(DAY - 1, 0), (DAY, 2)] {
            let entries = [entry(&part, age), entry(&rec, age), entry(&private, age)];
            assert_eq!(stale(&entries, Stamp::from_nanos(0), false, hour).0.len(), goes, "{age}");
        }
    }

    #[test]
    fn what_has_the_servers_time_already_is_about_to_be_published() {
        let private = alloc::format!("{KEY}.0123456789abcdef.part");
        let mut published = entry(&private, 3_650 * DAY);
        published.stat.accessed = Stamp::from_nanos(0);
        assert!(goes(core::slice::from_ref(&published), false).is_empty());
        // Where its lock can be taken, nobody is at it.
        assert_eq!(goes(&[published], true).concat(), private);
    }

    #[test]
    fn while_another_process_evicts_it_is_tried_again_and_not_for_ever() {
        let mut litter = Litter::default();
        let wanted = item(&entry(&alloc::format!("{KEY}.part"), 8 * DAY));
        for _ in 1..MISSED_MAX {
            litter.deleting = alloc::vec![wanted.clone()];
            litter.deleted(alloc::vec![Deleted::Locked]);
            assert_eq!(core::mem::take(&mut litter.items), core::slice::from_ref(&wanted));
        }
        litter.deleting = alloc::vec![wanted.clone()];
        litter.deleted(alloc::vec![Deleted::Locked]);
        assert!(litter.items.is_empty());
        // Its turn in between counts.
        litter.deleted(Vec::new());
        litter.deleting = alloc::vec![wanted.clone()];
        litter.deleted(alloc::vec![Deleted::Locked]);
        assert_eq!(litter.items, [wanted]);
    }

    #[test]
    fn a_record_without_its_unfinished_file_goes() {
        let rec = alloc::format!("{KEY}.rec");
        let other = alloc::format!("{}.part", KEY.replace('0', "1"));
        assert_eq!(goes(&[entry(&rec, MINUTE), entry(&other, 0)], true).concat(), rec);
        assert!(goes(&[entry(&rec, MINUTE - 1)], true).is_empty());
    }

    #[test]
    fn what_is_none_of_these_stays() {
        for name in ["owner", "pins", "notes.part", "x.rec", "0123.part", "other.0123456789abcdef.part", "a.b.c.part"] {
            assert!(goes(&[entry(name, 1_000 * DAY)], true).is_empty(), "{name}");
        }
        for second in ["bak", "0123456789abcdeg", "0123456789abcdef0"] {
            for first in [KEY, "owner", "probe"] {
                let name = alloc::format!("{first}.{second}.part");
                assert!(goes(&[entry(&name, 1_000 * DAY)], true).is_empty(), "{name}");
            }
        }
        let mut folder = entry(&alloc::format!("{KEY}.part"), 1_000 * DAY);
        folder.stat.kind = FileKind::Folder;
        assert!(goes(&[folder], true).is_empty());
    }

    #[test]
    fn what_this_manager_works_on_stays_whatever_the_clock_says() {
        let (own, other) = (
            entry(&alloc::format!("{KEY}.0123456789abcdef.part"), 90 * DAY),
            entry(&alloc::format!("{KEY}.part"), 90 * DAY),
        );
        let terms = Terms { age_max: WEEK, free_bytes_min: 0, wanted_bytes: None };
        for locks in [true, false] {
            let mut effects = Effects::default();
            let gauge = Some(Gauged { now: Stamp::from_nanos(0), free_bytes: None });
            let entries = alloc::vec![own.clone(), other.clone()];
            let mut litter = Litter { stage: Stage::Found, entries, gauge, ..Litter::default() };
            litter.proceed(locks, terms, &BTreeSet::from([own.path.clone()]), &mut effects);
            let goes: Vec<_> = litter.deleting.iter().map(|item| item.path.clone()).collect();
            assert_eq!(goes, *core::slice::from_ref(&other.path), "locks: {locks}");
        }
    }
}
