//! Runs of every sort: fixed seeds, others with each commit, and regressions.

use std::path::Path;
use std::process::Command;

use dlmanager_sim::{Batch, Decisions, Mark, Options, Tally, from_text, run, to_text};

/// Enough for 100,000 downloads, in two halves side by side.
const RUNS_OF_A_HALF: u64 = 9_000;

fn half(first: u64) -> Batch {
    let batch = Batch::run(first, RUNS_OF_A_HALF, 100, |batch| batch.violations.is_empty());
    if let Some((seed, text)) = batch.violations.first() {
        panic!("seed {seed}: {text}\nto be seen by: cargo run --profile sim -p dlmanager-sim -- replay {seed} --trace");
    }
    assert_eq!(batch.runs, RUNS_OF_A_HALF);
    assert!(batch.compared >= RUNS_OF_A_HALF / 100, "{} were run twice", batch.compared);
    println!("{batch}");
    batch
}

/// All of what can happen does, and nothing wrong comes of it.
#[test]
fn a_hundred_thousand_downloads() {
    let others = std::thread::spawn(|| half(1_000_000));
    let half = half(1);
    let others = others.join().expect("the other half");
    let mut tally = half.tally;
    tally.add(&others.tally);
    let downloads = half.downloads + others.downloads;
    assert!(downloads >= 100_000, "{downloads} downloads");
    let well = tally.count(Mark::Complete) + tally.count(Mark::Present);
    assert!(well > 60_000, "{well} of them came to a file");
    let missing: Vec<&str> = tally.missing().map(Mark::text).collect();
    assert_eq!(missing, [""; 0], "this never happens");
}

/// Each commit has seeds of its own.
#[test]
fn seeds_that_change_with_the_commit() {
    let commit = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let commit = commit.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let Some(text) = commit.and_then(|hash| String::from_utf8(hash).ok()) else {
        eprintln!("SKIPPED: there is no git to name a commit");
        return;
    };
    let first = u64::from_str_radix(&text[..12], 16).expect("a hash");
    let batch = Batch::run(first, 1_000, 100, |batch| batch.violations.is_empty());
    if let Some((seed, text)) = batch.violations.first() {
        panic!("seed {seed}: {text}\nto be seen by: cargo run --profile sim -p dlmanager-sim -- replay {seed} --trace");
    }
    assert!(batch.downloads > 2_000, "{batch}");
}

/// What was found once is not there again.
#[test]
fn regressions() {
    let mut count = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("decisions")).expect("the folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let lists = from_text(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let ended = run(Decisions::replayed(lists), &Options { is_told: true, ..Options::default() });
        if let Some(violation) = ended.violation {
            panic!("{}: {violation}\n{}", path.display(), ended.trace.join("\n"));
        }
        assert!(ended.downloads > 0 || text.contains("no download"), "{}: nothing is done", path.display());
        count += 1;
    }
    assert_eq!(count, REGRESSIONS, "decision files");
}

const REGRESSIONS: usize = 8;

/// A story that is told is the same as one that is not, and so is what decides it when it was written down.
#[test]
fn a_run_is_the_same_whether_it_is_told_written_down_or_neither() {
    for seed in 50..80 {
        let one = run(Decisions::seeded(seed), &Options::default());
        let told = run(Decisions::seeded(seed), &Options { is_told: true, ..Options::default() });
        assert!(told.trace.len() > 5 && one.trace.is_empty());
        let text = to_text(&one.decisions);
        let written = run(Decisions::replayed(from_text(&text).expect("decisions")), &Options::default());
        assert_eq!((one.hash, one.span, one.actions), (told.hash, told.span, told.actions), "seed {seed}");
        assert_eq!((one.hash, one.span, one.actions), (written.hash, written.span, written.actions), "seed {seed}");
    }
    let hashes: std::collections::BTreeSet<u64> =
        (1..60).map(|seed| run(Decisions::seeded(seed), &Options::default()).hash).collect();
    assert_eq!(hashes.len(), 59, "other seeds are other runs");
}

/// A batch in which something never happens is told apart.
#[test]
fn what_never_happened_is_missed() {
    let tally = Tally::default();
    assert_eq!(tally.missing().count(), Mark::ALL.len());
    let calm = run(Decisions::replayed(Default::default()), &Options::default()).tally;
    assert_eq!((calm.faults(), calm.count(Mark::Complete)), (0, 1));
    assert!(calm.missing().any(|mark| mark == Mark::PowerLost));
}
