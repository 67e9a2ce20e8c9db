//! `PersistLimit` beside the Python library's rule, written down line by line.

use dlmanager_core::{Bounds, FileKind, FileStat, Gauged, Kept, PersistLimit, Stamp, StorePath, Verdict, Why};
use proptest::prelude::*;

/// `remove_old_files` of the Python library, over (name, access, size), with ties broken by name.
fn seed_rule(size_limit: u64, file_limit: u64, files: &[(String, i64, u64)]) -> Vec<String> {
    if size_limit == 0 || file_limit == 0 {
        return Vec::new();
    }
    let mut left = files.to_vec();
    left.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    let mut total: u64 = left.iter().map(|file| file.2).sum();
    let mut removed = Vec::new();
    while left.len() as u64 > file_limit && total >= size_limit {
        let (name, _, size) = left.remove(0);
        total -= size;
        removed.push(name);
    }
    removed
}

fn stat(accessed: i64, length: u64) -> FileStat {
    let stamp = Stamp::from_nanos(accessed);
    FileStat { kind: FileKind::Regular, length, accessed: stamp, modified: stamp }
}

fn path(name: &str) -> StorePath {
    StorePath::entry(name).unwrap()
}

fn victims(limit: &mut PersistLimit) -> Vec<String> {
    limit.victims(usize::MAX, |_| false).into_iter().map(|item| item.path.as_str().to_owned()).collect()
}

#[test]
fn the_rows_of_the_python_librarys_own_tests() {
    for (size_limit, file_limit, left) in
        [(10, 5, "bcdef"), (10, 3, "def"), (0, 5, "abcdef"), (5, 0, "abcdef"), (35, 1, "def")]
    {
        let mut limit = PersistLimit::new(size_limit, file_limit);
        for (age, name) in "abcdef".chars().enumerate() {
            limit.register(path(&name.to_string()), &stat(i64::try_from(age).unwrap(), 10));
        }
        let gone = victims(&mut limit).concat();
        let kept: String = "abcdef".chars().filter(|name| !gone.contains(*name)).collect();
        assert_eq!(kept, left, "size {size_limit}, keep {file_limit}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Register(u8, i64, u64),
    Touch(u8, i64),
    Forget(u8),
    RegisterFolder(u8),
    Hold(u8),
    Release(u8),
    Pin(u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12u8, 0..6i64, 0..40u64).prop_map(|(name, accessed, length)| Step::Register(name, accessed, length)),
        2 => (0..12u8, 0..6i64).prop_map(|(name, accessed)| Step::Touch(name, accessed)),
        1 => (0..12u8).prop_map(Step::Forget),
        1 => (0..12u8).prop_map(Step::RegisterFolder),
        1 => (0..12u8).prop_map(Step::Hold),
        1 => (0..12u8).prop_map(Step::Release),
        1 => (0..12u8, any::<bool>()).prop_map(|(name, is_pinned)| Step::Pin(name, is_pinned)),
    ]
}

proptest! {
    /// Held and pinned names among the steps: what may go is the seed's rule over the rest, with all that counts in the
    /// totals, and every verdict says so.
    #[test]
    fn what_is_held_or_pinned_counts_and_stays(
        size_limit in 0..200u64,
        file_limit in 0..8u64,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut limit = PersistLimit::new(size_limit, file_limit);
        let mut model: std::collections::BTreeMap<String, (i64, u64)> = std::collections::BTreeMap::new();
        let mut held: std::collections::BTreeMap<String, (u32, bool)> = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Register(name, accessed, length) => {
                    limit.register(path(&name.to_string()), &stat(accessed, length));
                    model.insert(name.to_string(), (accessed, length));
                }
                Step::Touch(name, accessed) => {
                    limit.touch(&path(&name.to_string()), Stamp::from_nanos(accessed));
                    if let Some(entry) = model.get_mut(&name.to_string()) {
                        entry.0 = accessed;
                    }
                }
                Step::Forget(name) | Step::RegisterFolder(name) => {
                    limit.forget(&path(&name.to_string()));
                    model.remove(&name.to_string());
                }
                Step::Hold(name) => {
                    limit.hold(&path(&name.to_string()));
                    held.entry(name.to_string()).or_default().0 += 1;
                }
                Step::Release(name) => {
                    limit.release(&path(&name.to_string()));
                    let leases = &mut held.entry(name.to_string()).or_default().0;
                    *leases = leases.saturating_sub(1);
                }
                Step::Pin(name, is_pinned) => {
                    limit.set_pinned(&path(&name.to_string()), is_pinned);
                    held.entry(name.to_string()).or_default().1 = is_pinned;
                }
            }
        }
        let is_kept = |name: &String| held.get(name).is_some_and(|(leases, pinned)| *leases > 0 || *pinned);
        // The seed's loop, which passes over those that may not go.
        let mut left: Vec<_> = model.iter().map(|(name, (accessed, length))| (*accessed, name.clone(), *length)).collect();
        left.sort();
        let mut total: u64 = left.iter().map(|file| file.2).sum();
        let mut expected = Vec::new();
        while size_limit > 0 && file_limit > 0 && left.len() as u64 > file_limit && total >= size_limit {
            let Some(at) = left.iter().position(|file| !is_kept(&file.1)) else { break };
            let (_, name, length) = left.remove(at);
            total -= length;
            expected.push(name);
        }
        prop_assert_eq!(victims(&mut limit), expected.clone());
        let judged = limit.explain(|_| None);
        prop_assert_eq!(judged.len(), model.len());
        let goes: Vec<String> = judged
            .iter()
            .filter(|file| file.verdict == Verdict::Goes(Why::Size))
            .map(|file| file.path.to_string())
            .collect();
        prop_assert_eq!(goes, expected);
        for file in &judged {
            let name = file.path.to_string();
            let is_right = match file.verdict {
                Verdict::Goes(why) => why == Why::Size,
                Verdict::Stays(Kept::Leased) => held[&name].0 > 0 && !held[&name].1,
                Verdict::Stays(Kept::Pinned) => held[&name].1,
                Verdict::Stays(kept) => !is_kept(&name) && matches!(kept, Kept::WithinBounds | Kept::FileLimit),
            };
            prop_assert!(is_right, "{:?} {:?}", file, held.get(&name));
        }
    }

    /// Stamps that are ahead of the clock: the order among them stays, they stand behind all others, and are not ahead of what
    /// is accessed a moment later.
    #[test]
    fn stamps_ahead_of_the_clock_count_as_of_now(
        stamps in prop::collection::btree_set(-50..400i64, 2..20),
        clocks in prop::collection::vec(0..3i64, 1..4),
    ) {
        const DAY: i64 = 24 * 3_600 * 1_000_000_000;
        const TODAY: i64 = 20_000 * DAY;
        // In the opposite order by name.
        let name = |day: i64| format!("{:04}", 500 - day);
        let mut limit = PersistLimit::new(1, 1);
        for day in &stamps {
            limit.register(path(&name(*day)), &stat(TODAY + day * DAY, 1));
        }
        let mut now = TODAY;
        for clock in clocks {
            now += clock * 1_000_000_000;
            limit.set_gauge(Gauged { now: Stamp::from_nanos(now), free_bytes: None });
        }
        let in_order: Vec<String> = stamps.iter().map(|day| name(*day)).collect();
        let order = |limit: &PersistLimit| -> Vec<String> {
            limit.explain(|_| None).into_iter().map(|file| file.path.to_string()).collect()
        };
        prop_assert_eq!(order(&limit), in_order.clone());
        // The stamps themselves are what a deletion expects.
        for file in limit.explain(|_| None) {
            let day = 500 - file.path.as_str().parse::<i64>().unwrap();
            prop_assert_eq!(file.accessed.as_nanos(), TODAY + day * DAY);
        }
        limit.register(path("new"), &stat(now + 1_000_000_000, 1));
        limit.set_gauge(Gauged { now: Stamp::from_nanos(now + 2_000_000_000), free_bytes: None });
        prop_assert_eq!(order(&limit), [in_order.clone(), vec!["new".to_owned()]].concat());
        // They get old like all others, the one that is new by a second later.
        let hour = std::time::Duration::from_secs(3_600);
        let mut limit = limit.with_bounds(Bounds { age_max: Some(hour), ..Bounds::default() });
        let later = now + 3_661 * 1_000_000_000;
        limit.set_gauge(Gauged { now: Stamp::from_nanos(later), free_bytes: None });
        prop_assert_eq!(victims(&mut limit), in_order);
    }

    #[test]
    fn the_rule_is_the_seeds(
        size_limit in 0..200u64,
        file_limit in 0..8u64,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut limit = PersistLimit::new(size_limit, file_limit);
        let mut model: std::collections::BTreeMap<String, (i64, u64)> = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Register(name, accessed, length) => {
                    limit.register(path(&name.to_string()), &stat(accessed, length));
                    model.insert(name.to_string(), (accessed, length));
                }
                Step::Touch(name, accessed) => {
                    limit.touch(&path(&name.to_string()), Stamp::from_nanos(accessed));
                    if let Some(entry) = model.get_mut(&name.to_string()) {
                        entry.0 = accessed;
                    }
                }
                Step::Forget(name) => {
                    let length = limit.forget(&path(&name.to_string()));
                    prop_assert_eq!(length, model.remove(&name.to_string()).map(|entry| entry.1));
                }
                Step::Hold(_) | Step::Release(_) | Step::Pin(..) => {}
                Step::RegisterFolder(name) => {
                    let folder = FileStat { kind: FileKind::Folder, ..stat(0, 0) };
                    limit.register(path(&name.to_string()), &folder);
                    model.remove(&name.to_string());
                }
            }
            prop_assert_eq!(limit.files(), model.len() as u64);
            prop_assert_eq!(limit.bytes(), model.values().map(|entry| entry.1).sum::<u64>());
        }
        let files: Vec<_> =
            model.iter().map(|(name, (accessed, length))| (name.clone(), *accessed, *length)).collect();
        let expected = seed_rule(size_limit, file_limit, &files);
        prop_assert_eq!(victims(&mut limit), expected.clone());
        prop_assert_eq!(limit.is_exceeded(), !expected.is_empty());

        // In batches, each deleted before the next is chosen, the same ones go.
        let mut in_batches = Vec::new();
        loop {
            let batch = limit.victims(2, |_| false);
            if batch.is_empty() {
                break;
            }
            for item in batch {
                limit.forget(&item.path);
                in_batches.push(item.path.as_str().to_owned());
            }
        }
        prop_assert_eq!(in_batches, expected);
    }

    #[test]
    fn spared_files_never_go_and_others_go_instead(
        lengths in prop::collection::vec(1..20u64, 1..20),
        spared in prop::collection::btree_set(0..20usize, 0..6),
        size_limit in 1..100u64,
    ) {
        let mut limit = PersistLimit::new(size_limit, 1);
        for (at, length) in lengths.iter().enumerate() {
            limit.register(path(&format!("{at:02}")), &stat(i64::try_from(at).unwrap(), *length));
        }
        let is_spared = |path: &StorePath| spared.contains(&path.as_str().parse().unwrap());
        let victims = limit.victims(usize::MAX, is_spared);
        prop_assert!(victims.iter().all(|item| !is_spared(&item.path)));
        for item in &victims {
            limit.forget(&item.path);
        }
        let movable = (0..lengths.len()).filter(|at| !spared.contains(at)).count() - victims.len();
        prop_assert!(!limit.is_exceeded() || movable == 0);
    }
}
