//! Random runs beside the reference model: whatever the application, the servers, the disk, strangers and the clock do, the
//! promises hold, and in the end everything is done.

use std::collections::BTreeSet;

use dlmanager_core::FaultKind;
use dlmanager_world::{Draining, Report, run, run_traced, seeded_bytes};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// How many seeds the suite runs; the bytes of each are as many decisions.
const SEEDS: u64 = 2_500;
const DECISIONS: usize = 1_200;

fn data(seed: u64) -> Vec<u8> {
    seeded_bytes(seed, DECISIONS)
}

/// Runs all seeds on a few threads; a panic says which seed it was.
fn run_all(seeds: std::ops::Range<u64>) -> Report {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u64;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let seeds = seeds.clone();
                scope.spawn(move || {
                    let mut report = Report::default();
                    for seed in seeds.skip(worker as usize).step_by(threads as usize) {
                        match std::panic::catch_unwind(|| run(&data(seed))) {
                            Ok(ended) => report.add(&ended.report),
                            Err(_) => panic!("seed {seed} fails: see `cargo run -p dlmanager-world --example replay`"),
                        }
                    }
                    report
                })
            })
            .collect();
        let mut report = Report::default();
        for worker in workers {
            match worker.join() {
                Ok(reached) => report.add(&reached),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        report
    })
}

#[test]
fn the_promises_hold_and_everything_that_can_happen_does() {
    let report = run_all(0..SEEDS);
    let mut missing: Vec<String> = EXPECTED.iter().map(|what| (*what).to_owned()).collect();
    // Every kind of fault, of an action on a server, of one on a name and of one on an open file.
    for kind in FaultKind::ALL.iter().filter(|kind| **kind != FaultKind::Skipped) {
        missing.extend(
            ["Fetch", "ReadBody", "Stat", "Open", "Write", "Lock", "Hash"].map(|op| format!("{op} Fault({kind:?})")),
        );
    }
    // Every file operation fails, is given up, and is done although nobody is told.
    let failing = [
        "MakeDir", "Scan", "Stat", "Open", "Write", "Sync", "Finish", "Rename", "SyncDir", "Delete", "Touch", "Close",
        "Lock", "Truncate", "Read", "Hash",
    ];
    missing.extend(failing.map(|op| format!("{op} Aborted")));
    let lost = ["MakeDir", "Open", "Write", "Sync", "Rename", "SyncDir", "Delete", "Touch", "Lock", "Truncate", "Hash"];
    missing.extend(lost.map(|op| format!("{op} done and not told")));
    let skipped = ["Open", "Write", "Sync", "Finish", "Rename", "Stat", "Lock", "Truncate", "Hash", "Delete"];
    missing.extend(skipped.map(|op| format!("{op} skipped")));
    missing.retain(|what| report.count(what) == 0);
    assert!(missing.is_empty(), "never reached: {missing:?}, of\n{report}");
}

/// What the seeds must reach, lest they prove nothing.
const EXPECTED: &[&str] = &[
    "phase Queued",
    "phase Checking",
    "phase Connecting",
    "phase Receiving",
    "phase Verifying",
    "phase Publishing",
    "phase Evicting",
    "phase Waiting",
    "phase Draining",
    "cancel while Queued",
    "cancel while Checking",
    "cancel while Connecting",
    "cancel while Receiving",
    "cancel while Publishing",
    "cancel while Waiting",
    "cancel while Draining",
    "cancel Ok(())",
    "cancel Err(Unknown)",
    "cancel Err(AlreadyPublishing)",
    "cancel Err(AlreadyFailed)",
    "cancel_if",
    "an outcome held",
    "outcomes let go of",
    "close",
    "started",
    "joined",
    "not admitted",
    "outcome Complete",
    "outcome Complete, length unverified",
    "outcome Present",
    "outcome Canceled",
    "failed network",
    "failed timeout Connect",
    "failed timeout FirstByte",
    "failed timeout Stall",
    "failed timeout Whole",
    "failed status",
    "failed bad-reply",
    "failed truncated",
    "failed overlong",
    "failed too-large",
    "failed too-many-redirects",
    "failed bad-redirect",
    "failed too-many-requests",
    "failed not-a-file",
    "failed file",
    "failed publish",
    "failed directory",
    "retrying after network",
    "retrying after status",
    "retrying after truncated",
    "retrying after timeout Connect",
    "retrying after timeout Stall",
    "redirected",
    "rewound",
    "evicted",
    "swept, unmet None",
    "swept, unmet Some(FileLimit)",
    "swept, unmet Some(InUse)",
    "the limit checked at the end",
    "the limit checked when all had ended",
    "directory refused",
    "warning",
    "a stranger",
    "a deletion denied",
    "a body that ends early",
    "advice to abort",
    "aborted in the network",
    "repeated",
    "connected, late",
    "outputs left for later",
    "interrupt Ok(())",
    "interrupt Err(AlreadyPublishing)",
    "close_keeping",
    "restart",
    "held",
    "released",
    "left with a record",
    "left without a record",
    "status 206",
    "status 416",
    "goes on",
    "starts over",
    "asked again without If-Range",
    "all is there already",
    "record written",
    "checkpoint flushed",
    "kept",
    "locked",
    "failed checksum-mismatch",
    "failed present-mismatch",
    "retrying after checksum-mismatch",
];

/// Seeds that have found something: a write that the core had queued before it was told that the one before it had failed;
/// a file that took the name for a moment, after the last request; an epoch gone on in after a failed look or stamp.
#[test]
fn seeds_that_once_failed() {
    for seed in [1_067_873, 1_015_063, 2_007_725, 5_010_339, 66, 156, 218, 37_426] {
        run(&data(seed));
    }
}

#[test]
fn the_same_decisions_give_the_same_run() {
    for seed in 0..60 {
        let first = run_traced(&data(seed), Draining::Together).trace;
        let second = run_traced(&data(seed), Draining::Together).trace;
        assert!(first.len() > 10);
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn whether_outputs_are_taken_after_each_event_or_after_several_changes_nothing() {
    for seed in 0..400 {
        let together = run_traced(&data(seed), Draining::Together).trace;
        let singly = run_traced(&data(seed), Draining::Singly).trace;
        let outputs = |trace: &[String]| -> Vec<String> {
            trace.iter().filter(|line| line.contains("->") || line.contains("**")).cloned().collect()
        };
        let (together, singly) = (outputs(&together), outputs(&singly));
        let first = together.iter().zip(&singly).find(|(one, other)| one != other);
        assert!(first.is_none() && together.len() == singly.len(), "seed {seed}: {first:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_decisions_keep_the_promises(data in proptest::collection::vec(any::<u8>(), 0..1_500)) {
        run(&data);
    }
}

#[test]
fn seeds_differ() {
    let seen: BTreeSet<Vec<u8>> = (0..100).map(data).collect();
    assert_eq!(seen.len(), 100);
}
