//! The further bounds of `PersistLimit` beside what `Bounds` says of them: age, free space, room for what is announced.

use std::collections::BTreeMap;
use std::time::Duration;

use dlmanager_core::{Bounds, FileKind, FileStat, Gauged, Kept, PersistLimit, Stamp, StorePath, Verdict, Why};
use proptest::prelude::*;

/// Stamps are whole minutes here, so that what is as old as allowed is met as well as what is older.
const MINUTE: i64 = 60 * 1_000_000_000;

#[derive(Debug, Clone)]
struct File {
    accessed: i64,
    length: u64,
    is_leased: bool,
    is_pinned: bool,
}

#[derive(Debug, Clone)]
struct Case {
    size_limit: u64,
    file_limit: u64,
    age_max: Option<u64>,
    free_bytes_min: u64,
    reserves: bool,
    reserved: u64,
    unwritten: u64,
    now: i64,
    free: Option<u64>,
    files: BTreeMap<String, File>,
}

fn case() -> impl Strategy<Value = Case> {
    let file = (0..8i64, 0..20u64, prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let file =
        file.prop_map(|(accessed, length, is_leased, is_pinned)| File { accessed, length, is_leased, is_pinned });
    let files = prop::collection::btree_map("[a-j]", file, 0..8);
    let rule = (0..60u64, 0..6u64, prop::option::of(0..8u64), prop_oneof![Just(0), 1..20u64]);
    let coming = (any::<bool>(), 0..20u64, 0..12u64);
    let gauge = (8..16i64, prop::option::of(0..30u64));
    (rule, coming, gauge, files).prop_map(|(rule, coming, gauge, files)| Case {
        size_limit: rule.0,
        file_limit: rule.1,
        age_max: rule.2,
        free_bytes_min: rule.3,
        reserves: coming.0,
        reserved: coming.1,
        unwritten: coming.2,
        now: gauge.0,
        free: gauge.1,
        files,
    })
}

impl Case {
    fn limit(&self) -> PersistLimit {
        let age_max = self.age_max.map(|minutes| Duration::from_secs(minutes * 60));
        let bounds = Bounds { age_max, free_bytes_min: self.free_bytes_min, reserves: self.reserves };
        let mut limit = PersistLimit::new(self.size_limit, self.file_limit).with_bounds(bounds);
        for (name, file) in &self.files {
            let (path, stamp) = (StorePath::entry(name).unwrap(), Stamp::from_nanos(file.accessed * MINUTE));
            let stat = FileStat { kind: FileKind::Regular, length: file.length, accessed: stamp, modified: stamp };
            limit.register(path.clone(), &stat);
            if file.is_leased {
                limit.hold(&path);
            }
            limit.set_pinned(&path, file.is_pinned);
        }
        // One that was pinned, and is gone.
        let gone = StorePath::entry("gone").unwrap();
        let stamp = Stamp::default();
        let stat = FileStat { kind: FileKind::Regular, length: 1_000, accessed: stamp, modified: stamp };
        limit.register(gone.clone(), &stat);
        limit.set_pinned(&gone, true);
        limit.forget(&gone);
        limit.reserve(self.reserved + 7);
        limit.unreserve(7);
        limit.set_unwritten(self.unwritten);
        limit.set_gauge(Gauged { now: Stamp::from_nanos(self.now * MINUTE), free_bytes: self.free });
        limit
    }

    fn has_size_rule(&self) -> bool {
        self.size_limit > 0 && self.file_limit > 0
    }

    /// The minute that a stamp of access may be late by is granted.
    fn is_too_old(&self, file: &File) -> bool {
        self.age_max.is_some_and(|age_max| self.now - file.accessed > i64::try_from(age_max).unwrap() + 1)
    }

    fn is_too_large(&self, files: usize, bytes: u64) -> bool {
        let coming = if self.reserves { self.reserved } else { 0 };
        self.has_size_rule() && files as u64 > self.file_limit && bytes + coming >= self.size_limit
    }

    fn is_too_full(&self, files: usize, gone: u64) -> bool {
        let coming = if self.reserves { self.unwritten } else { 0 };
        files as u64 > self.file_limit
            && self.free.is_some_and(|free| free + gone < self.free_bytes_min + coming)
            && self.free_bytes_min > 0
    }

    /// What goes, and why, oldest first: while one is wanted, the oldest that may.
    fn goes(&self) -> Vec<(String, Why)> {
        let mut order: Vec<_> = self.files.iter().filter(|(_, file)| !file.is_leased && !file.is_pinned).collect();
        order.sort_by_key(|(name, file)| (file.accessed, *name));
        let (mut files, mut bytes, mut gone) = (self.files.len(), self.bytes(), 0);
        let mut goes = Vec::new();
        for (name, file) in order {
            let why = if self.is_too_old(file) {
                Why::Age
            } else if self.is_too_large(files, bytes) {
                Why::Size
            } else if self.is_too_full(files, gone) {
                Why::Space
            } else {
                break;
            };
            files -= 1;
            bytes -= file.length;
            gone += file.length;
            goes.push((name.clone(), why));
        }
        goes
    }

    /// Whether what is left after these could go, but for the number of files to keep.
    fn is_kept_by_number(&self, goes: &[(String, Why)]) -> bool {
        let gone: u64 = goes.iter().map(|(name, _)| self.files[name].length).sum();
        let (coming, unwritten) = if self.reserves { (self.reserved, self.unwritten) } else { (0, 0) };
        let too_large = self.has_size_rule() && self.bytes() - gone + coming >= self.size_limit;
        let too_full = self.free.is_some_and(|free| free + gone < self.free_bytes_min + unwritten);
        (self.files.len() - goes.len()) as u64 <= self.file_limit && (too_large || too_full)
    }

    fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.length).sum()
    }

    fn pinned_bytes(&self) -> u64 {
        self.files.values().filter(|file| file.is_pinned).map(|file| file.length).sum()
    }

    fn room_max(&self) -> Option<u64> {
        let by_size =
            (self.reserves && self.has_size_rule()).then(|| (self.size_limit - 1).saturating_sub(self.pinned_bytes()));
        let by_space = self.free.filter(|_| self.reserves && self.free_bytes_min > 0);
        let by_space =
            by_space.map(|free| (free + self.bytes() - self.pinned_bytes()).saturating_sub(self.free_bytes_min));
        by_size.into_iter().chain(by_space).min()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn what_goes_is_what_the_bounds_say(case in case()) {
        let mut limit = case.limit();
        let goes = case.goes();
        let victims = limit.victims(usize::MAX, |_| false);
        prop_assert_eq!(
            victims.iter().map(|item| item.path.as_str()).collect::<Vec<_>>(),
            goes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        );
        let judged = limit.explain(|_| None);
        for file in &judged {
            let why = goes.iter().find(|(name, _)| name == file.path.as_str()).map(|(_, why)| *why);
            let told = if let Verdict::Goes(why) = file.verdict { Some(why) } else { None };
            prop_assert_eq!(told, why, "{:?}", file);
            let is_held = matches!(file.verdict, Verdict::Stays(Kept::Leased | Kept::Pinned));
            if why.is_none() && !is_held {
                let by_number = if case.is_kept_by_number(&goes) { Kept::FileLimit } else { Kept::WithinBounds };
                prop_assert_eq!(file.verdict, Verdict::Stays(by_number), "{:?}", file);
            }
        }

        let (files, bytes) = (case.files.len(), case.bytes());
        let aged = case.files.values().any(|file| case.is_too_old(file));
        let exceeded = aged || case.is_too_large(files, bytes) || case.is_too_full(files, 0);
        prop_assert_eq!(limit.is_exceeded(), exceeded);
        // What no bound can help with, as so many files are kept.
        let too_large = case.has_size_rule() && bytes >= case.size_limit;
        let too_full = case.free.is_some_and(|free| free < case.free_bytes_min);
        prop_assert_eq!(limit.is_unmet(), (too_large || too_full) && files > 0 && !exceeded);

        prop_assert_eq!(limit.room_max(), case.room_max());
        prop_assert_eq!(limit.needs_gauge(), case.age_max.is_some() || case.free_bytes_min > 0);
        prop_assert_eq!(
            limit.is_bounded(),
            case.has_size_rule() || case.age_max.is_some() || case.free_bytes_min > 0
        );
        for (name, file) in &case.files {
            prop_assert_eq!(limit.holds(&StorePath::entry(name).unwrap()), (file.is_leased, file.is_pinned));
        }
    }
}

#[test]
fn what_is_let_go_is_held_no_more() {
    let path = StorePath::entry("a").unwrap();
    let mut limit = PersistLimit::new(1, 1);
    assert_eq!(limit.holds(&path), (false, false));
    limit.hold(&path);
    limit.hold(&path);
    limit.release(&path);
    assert_eq!(limit.holds(&path), (true, false));
    limit.release(&path);
    limit.set_pinned(&path, true);
    assert_eq!(limit.holds(&path), (false, true));
}

#[test]
fn what_is_held_and_ahead_of_the_clock_gets_old_like_all_others() {
    const DAY: i64 = 24 * 60 * MINUTE;
    let hour = Duration::from_secs(3_600);
    let path = StorePath::entry("a").unwrap();
    let mut limit = PersistLimit::new(0, 0).with_bounds(Bounds { age_max: Some(hour), ..Bounds::default() });
    let stamp = Stamp::from_nanos(400 * DAY);
    limit.register(path.clone(), &FileStat { kind: FileKind::Regular, length: 1, accessed: stamp, modified: stamp });
    limit.hold(&path);
    for (minutes, is_old) in [(0, false), (60, false), (62, true)] {
        limit.set_gauge(Gauged { now: Stamp::from_nanos(DAY + minutes * MINUTE), free_bytes: None });
        assert_eq!(limit.is_exceeded(), is_old, "{minutes}");
    }
}
