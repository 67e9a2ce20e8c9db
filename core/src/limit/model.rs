//! The limit beside a model that keeps all files in one list and sorts it whenever it is asked.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{AHEAD_MAX_NANOS, of_the_future};
use crate::{Bounds, FileKind, FileStat, Gauged, Kept, PersistLimit, Stamp, StorePath, Verdict};

/// One of this many names, so that all happens to each of them again and again.
const NAMES: u8 = 24;

/// Three of them are the minute that is granted on top of the greatest age.
const TURN: i64 = 20_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    Register(u8, i64, u64),
    Found(u8, i64, u64),
    Touch(u8, i64),
    Forget(u8),
    Hold(u8),
    Release(u8),
    Pin(u8, bool),
    Gauge(i64),
    Choose(usize, u8),
    /// The first of those that are to go are gone.
    Evict(usize),
    /// A file is held and let go of again and again.
    Shake(u8, u16),
}

fn step() -> impl Strategy<Value = Step> {
    // Few stamps, so that names decide, and some that are years ahead.
    let stamp = || prop_oneof![4 => (0..6i64).prop_map(|turn| turn * TURN), 1 => Just(i64::MAX / 4), 1 => Just(i64::MAX / 4 + 1)];
    prop_oneof![
        6 => (0..NAMES, stamp(), 0..40u64).prop_map(|(name, accessed, length)| Step::Register(name, accessed, length)),
        2 => (0..NAMES, stamp(), 0..40u64).prop_map(|(name, accessed, length)| Step::Found(name, accessed, length)),
        8 => (0..NAMES, stamp()).prop_map(|(name, accessed)| Step::Touch(name, accessed)),
        2 => (0..NAMES).prop_map(Step::Forget),
        2 => (0..NAMES).prop_map(Step::Hold),
        2 => (0..NAMES).prop_map(Step::Release),
        1 => (0..NAMES, any::<bool>()).prop_map(|(name, is_pinned)| Step::Pin(name, is_pinned)),
        2 => (0..12i64, 0..3i64).prop_map(|(turn, part)| Step::Gauge(turn * TURN + part * AHEAD_MAX_NANOS)),
        4 => (0..6usize, 0..NAMES).prop_map(|(count, spared)| Step::Choose(count, spared)),
        2 => (0..4usize).prop_map(Step::Evict),
        1 => (0..NAMES, 0..200u16).prop_map(|(name, times)| Step::Shake(name, times)),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Known {
    accessed: Stamp,
    rank: Stamp,
    length: u64,
}

#[derive(Debug, Default)]
struct Model {
    files: BTreeMap<String, Known>,
    holds: BTreeMap<String, (u32, bool)>,
    now: Option<Stamp>,
}

impl Model {
    fn is_held(&self, name: &str) -> bool {
        self.holds.get(name).is_some_and(|(leases, is_pinned)| *leases > 0 || *is_pinned)
    }

    fn gauge(&mut self, now: Stamp) {
        let was_set_back = self.now.replace(now).is_some_and(|before| before > now);
        let as_of = Stamp::from_nanos(now.as_nanos() - if was_set_back { 60_000_000_000 } else { 0 });
        for known in self.files.values_mut() {
            if known.rank.as_nanos() > now.as_nanos() + AHEAD_MAX_NANOS {
                known.rank = of_the_future(known.rank, as_of);
            }
        }
    }

    /// What goes, the first first, of those that may.
    fn victims(&self, (size_limit, file_limit): (u64, u64), age_max: Option<i64>, spared: &str) -> Vec<String> {
        let mut files: Vec<(Stamp, &String, u64)> =
            self.files.iter().map(|(name, known)| (known.rank, name, known.length)).collect();
        files.sort_unstable();
        let mut left = files.len() as u64;
        let mut bytes: u64 = files.iter().map(|(.., length)| length).sum();
        let mut victims = Vec::new();
        for (rank, name, length) in files {
            if self.is_held(name) {
                continue;
            }
            let oldest = self.now.zip(age_max).map(|(now, age)| now.as_nanos() - age - 60_000_000_000);
            let is_old = oldest.is_some_and(|oldest| rank.as_nanos() < oldest);
            let is_large = size_limit > 0 && file_limit > 0 && left > file_limit && bytes >= size_limit;
            if !is_old && !is_large {
                break;
            }
            if name != spared {
                left -= 1;
                bytes -= length;
                victims.push(name.clone());
            }
        }
        victims
    }
}

fn path(name: u8) -> StorePath {
    StorePath::entry(&format!("{name:02}")).unwrap()
}

fn names(limit: &mut PersistLimit, count: usize, spared: &str) -> Vec<String> {
    limit.victims(count, |path| path.as_str() == spared).iter().map(|item| item.path.to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_in_between_the_next_to_go_are_those_of_the_list(
        rule in (0..300u64, 0..8u64),
        is_bounded_by_age in any::<bool>(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let age_max = is_bounded_by_age.then_some(0);
        let bounds = Bounds { age_max: age_max.map(|_| core::time::Duration::ZERO), ..Bounds::default() };
        let mut limit = PersistLimit::new(rule.0, rule.1).with_bounds(bounds);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Register(name, accessed, length) | Step::Found(name, accessed, length) => {
                    let accessed = Stamp::from_nanos(accessed);
                    let stat = FileStat { kind: FileKind::Regular, length, accessed, modified: accessed };
                    let key = path(name).to_string();
                    let is_found = matches!(step, Step::Found(..));
                    if is_found {
                        limit.register_found(path(name), &stat);
                    } else {
                        limit.register(path(name), &stat);
                    }
                    if !is_found || !model.files.contains_key(&key) {
                        let ahead_of = model.now.filter(|now| is_found && accessed > *now);
                        let rank = ahead_of.map_or(accessed, |now| of_the_future(accessed, now));
                        model.files.insert(key, Known { accessed, rank, length });
                    }
                }
                Step::Touch(name, accessed) => {
                    let accessed = Stamp::from_nanos(accessed);
                    limit.touch(&path(name), accessed);
                    if let Some(known) = model.files.get_mut(path(name).as_str()) {
                        (known.accessed, known.rank) = (accessed, accessed);
                    }
                }
                Step::Forget(name) => {
                    let length = model.files.remove(path(name).as_str()).map(|known| known.length);
                    prop_assert_eq!(limit.forget(&path(name)), length);
                }
                Step::Hold(name) => {
                    limit.hold(&path(name));
                    model.holds.entry(path(name).to_string()).or_default().0 += 1;
                }
                Step::Release(name) => {
                    limit.release(&path(name));
                    let leases = &mut model.holds.entry(path(name).to_string()).or_default().0;
                    *leases = leases.saturating_sub(1);
                }
                Step::Pin(name, is_pinned) => {
                    limit.set_pinned(&path(name), is_pinned);
                    model.holds.entry(path(name).to_string()).or_default().1 = is_pinned;
                }
                Step::Gauge(now) => {
                    let now = Stamp::from_nanos(now);
                    limit.set_gauge(Gauged { now, free_bytes: None });
                    model.gauge(now);
                }
                Step::Choose(count, spared) => {
                    let spared = path(spared).to_string();
                    let mut expected = model.victims(rule, age_max, &spared);
                    expected.truncate(count);
                    prop_assert_eq!(names(&mut limit, count, &spared), expected);
                }
                Step::Evict(count) => {
                    for item in limit.victims(count, |_| false) {
                        limit.forget(&item.path);
                        model.files.remove(item.path.as_str());
                    }
                }
                Step::Shake(name, times) => {
                    for _ in 0..times {
                        limit.hold(&path(name));
                        limit.release(&path(name));
                    }
                }
            }
            limit.check_invariants();
            let expected = model.victims(rule, age_max, "");
            let goes = |verdict| matches!(verdict, Verdict::Goes(_));
            let judged = limit.explain(|_| None::<Kept>);
            let told: Vec<String> =
                judged.iter().filter(|file| goes(file.verdict)).map(|file| file.path.to_string()).collect();
            prop_assert_eq!(told, expected.clone());
            prop_assert!(judged.iter().all(|file| model.files[file.path.as_str()].accessed == file.accessed));
            prop_assert!(expected.is_empty() || limit.is_exceeded());
        }
        let expected = model.victims(rule, age_max, "");
        prop_assert_eq!(names(&mut limit, usize::MAX, ""), expected);
    }
}

/// More often than versions are told apart by their number.
#[test]
fn a_place_of_long_ago_is_never_taken_for_one_that_counts() {
    let mut limit = PersistLimit::new(1, 1);
    let stat = |accessed| {
        let accessed = Stamp::from_nanos(accessed);
        FileStat { kind: FileKind::Regular, length: 1, accessed, modified: accessed }
    };
    for name in 0..4 {
        limit.register(path(name), &stat(i64::from(name)));
    }
    // Its old place lies deep, and stays.
    limit.register(path(4), &stat(1_000));
    for turn in 0..2 * i64::from(u16::MAX) + 10 {
        limit.touch(&path(4), Stamp::from_nanos(-turn - 1));
        if turn % 5_000 == 0 || turn > 2 * i64::from(u16::MAX) {
            limit.check_invariants();
            assert_eq!(names(&mut limit, 2, ""), ["04", "00"]);
        }
    }
    limit.touch(&path(4), Stamp::from_nanos(2_000));
    assert_eq!(names(&mut limit, usize::MAX, ""), ["00", "01", "02", "03"]);
    limit.check_invariants();
}
