//! The simulator as a program.
//!
//! ```text
//! dlmanager-sim run --runs N [--seed S] [--compare M]   so many runs, from this seed on, one in M of them twice
//! dlmanager-sim replay SEED|FILE [--trace]              one run, to the bit; with its story
//! dlmanager-sim shrink SEED|FILE                        its decisions, as few as still fail
//! dlmanager-sim torture                                 each scenario with each of its actions failing, then pairs
//! ```
//!
//! The last line of `run` sums it up. Where something was not as it should be, it says how to replay it, and the program
//! ends with 1.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use dlmanager_sim::{Batch, Decisions, Lists, Options, from_text, golden, run, shrink, to_text, torture};

/// Violations that are made small before a batch ends.
const SHRUNK_MAX: usize = 3;
/// How many runs may be spent on one.
const SHRINKING_RUNS: u32 = 20_000;
/// How often a batch says how far it is.
const INTERVAL: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |flag: &str, default: u64| match arguments.iter().position(|argument| *argument == flag) {
        Some(at) => arguments.get(at + 1).and_then(|text| text.parse().ok()),
        None => Some(default),
    };
    match arguments.as_slice() {
        ["run", ..] => match (number("--runs", 10_000), number("--seed", 1), number("--compare", 100)) {
            (Some(runs), Some(seed), Some(compared)) => batch(seed, runs, compared),
            _ => usage(),
        },
        ["replay", which, rest @ ..] => match decisions(which) {
            Ok(decisions) => replay(decisions, rest.contains(&"--trace")),
            Err(error) => wrong(&error),
        },
        ["shrink", which] => match decisions(which) {
            Ok(decisions) => {
                let ended = run(decisions, &Options::default());
                print!("{}", made_small(&ended.decisions, ended.violation.as_deref()));
                ExitCode::SUCCESS
            }
            Err(error) => wrong(&error),
        },
        ["torture"] => tortured(),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    wrong("usage: run --runs N [--seed S] [--compare M] | replay SEED|FILE [--trace] | shrink SEED|FILE | torture")
}

fn wrong(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}

/// Those of a seed, or those in a file.
fn decisions(which: &str) -> Result<Decisions, String> {
    if let Ok(seed) = which.parse() {
        return Ok(Decisions::seeded(seed));
    }
    let text = std::fs::read_to_string(which).map_err(|error| format!("{which}: {error}"))?;
    Ok(Decisions::replayed(from_text(&text).map_err(|error| format!("{which}: {error}"))?))
}

fn batch(seed: u64, runs: u64, compared: u64) -> ExitCode {
    let (mut told, mut violations) = (Instant::now(), 0);
    let batch = Batch::run(seed, runs, compared, |batch| {
        if let Some((seed, text)) = batch.violations.get(violations) {
            violations += 1;
            println!("seed {seed}: {text}\n  to be seen by: dlmanager-sim replay {seed} --trace");
        }
        if told.elapsed() > INTERVAL {
            told = Instant::now();
            println!("{batch}");
        }
        batch.violations.len() < 100
    });
    println!("{}", batch.tally);
    for mark in batch.tally.missing() {
        println!("never happened: {}", mark.text());
    }
    for (at, (seed, text)) in batch.violations.iter().enumerate() {
        if at < SHRUNK_MAX {
            println!("seed {seed}, made small:");
            let ended = run(Decisions::seeded(*seed), &Options::default());
            print!("{}", made_small(&ended.decisions, Some(text)));
        }
    }
    println!("{batch}");
    if batch.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn made_small(lists: &Lists, violation: Option<&str>) -> String {
    let small = shrink(lists, &Options::default(), SHRINKING_RUNS);
    format!("# {}\n{}", violation.unwrap_or("nothing is wrong with it"), to_text(&small))
}

fn replay(decisions: Decisions, is_spoken: bool) -> ExitCode {
    let ended = run(decisions, &Options { is_spoken, ..Options::default() });
    let seconds = Duration::from_nanos(ended.span).as_secs_f64();
    println!(
        "{} downloads, {} requests, {} actions, {} deaths in {seconds:.3} s; hash {:016x}",
        ended.downloads, ended.requests, ended.actions, ended.deaths, ended.hash
    );
    match ended.violation {
        Some(text) => {
            println!("{text}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn tortured() -> ExitCode {
    let mut is_well = true;
    for (name, lists) in golden() {
        let began = Instant::now();
        let tortured = torture(&lists, u64::MAX);
        is_well &= tortured.violations.is_empty();
        println!(
            "{:>8} single, {:>8} in pairs, {:>4} wrong, {:>6} ms: {name}",
            tortured.singles,
            tortured.pairs,
            tortured.violations.len(),
            began.elapsed().as_millis()
        );
        for (strikes, text) in tortured.violations.iter().take(3) {
            println!("    {strikes:?}: {text}");
        }
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
