//! The net catches fish: each planted mistake is found, and soon.

use dlmanager_sim::{Decisions, Lists, Options, Planted, find, run, shrink};

/// How many runs it may take at most to find each.
const RUNS_MAX: &[(Planted, u64)] = &[
    (Planted::RecordBeforeFlush, 20_000),
    (Planted::RenameBeforeFlush, 1_500),
    (Planted::RangeStartUnchecked, 1_000),
    (Planted::ValidatorIgnored, 4_000),
    (Planted::WholeAppended, 300),
    (Planted::LockIgnored, 100),
    (Planted::OthersRemoved, 100),
    (Planted::CloserSkipped, 100),
    (Planted::TimerNotCleared, 100),
    (Planted::RetryTooSoon, 200),
    (Planted::RetryAfterIgnored, 10_000),
    (Planted::TotalCountedTwice, 200),
    (Planted::RecordKept, 300),
    (Planted::RemovalUnflushed, 60_000),
    (Planted::BootIgnored, 2_000),
    (Planted::CutTakenForWhole, 300),
    (Planted::DigestIgnored, 100),
    (Planted::CreditIgnored, 100),
    (Planted::NewEvicted, 500),
    (Planted::OutcomeEvicted, 500),
    (Planted::LockedSwept, 15_000),
];

#[test]
fn each_planted_mistake_is_found() {
    assert_eq!(RUNS_MAX.len(), Planted::ALL.len());
    for planted in Planted::ALL {
        let (_, runs_max) = RUNS_MAX.iter().find(|(known, _)| known == planted).expect("a bound");
        let found = find(*planted, *runs_max);
        let (seed, text) = found.unwrap_or_else(|| panic!("{planted:?} is not found in {runs_max} runs"));
        println!("{planted:?}: {} runs: {text}", seed + 1);
    }
}

/// What is found is made small, and is still found then.
#[test]
fn a_failing_run_is_made_small() {
    let options = Options { planted: Some(Planted::RenameBeforeFlush), ..Options::default() };
    let (seed, text) = find(Planted::RenameBeforeFlush, 1_500).expect("it is found");
    let lists = run(Decisions::seeded(seed), &options).decisions;
    let small = shrink(&lists, &options, 3_000);
    let count = |lists: &Lists| lists.iter().flatten().filter(|value| **value > 0).count();
    assert!(count(&small) * 3 < count(&lists), "{} of {} are left", count(&small), count(&lists));
    let again = run(Decisions::replayed(small.clone()), &options).violation.expect("it fails still");
    assert_eq!(again.split(' ').nth(1), text.split(' ').nth(1));
    assert_eq!(run(Decisions::replayed(small), &Options::default()).violation, None, "without the mistake all is well");
}
