//! Replays random runs, and writes down all that goes into the core and comes out of it.
//!
//! ```text
//! replay FILE            the decisions in a file, as the fuzzer leaves them
//! replay --seed N        those that follow from a seed
//! replay --cut N         the same, cut down to what its failure needs
//! replay --survey A B    runs the seeds from A up to B: what they reach, and their failures by place
//! ```

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use dlmanager_world::{Report, run, run_told, seeded_bytes};

const LENGTH: usize = 1_200;

/// What the last panic said.
static SAID: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--seed", seed] => replay(&decisions(number(seed))),
        ["--cut", seed] => {
            let data = cut_down(decisions(number(seed)));
            eprintln!("{} bytes: {data:?}", data.len());
            replay(&data)
        }
        ["--singly", seed] => {
            let ended = dlmanager_world::run_traced(&decisions(number(seed)), dlmanager_world::Draining::Singly);
            ended.trace.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        ["--survey", from, to] => survey(number(from)..number(to)),
        [path] => match std::fs::read(path) {
            Ok(data) => replay(&data),
            Err(error) => {
                eprintln!("{path}: {error}");
                ExitCode::from(2)
            }
        },
        _ => {
            eprintln!("usage: replay FILE | --seed N | --cut N | --survey A B");
            ExitCode::from(2)
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn decisions(seed: u64) -> Vec<u8> {
    seeded_bytes(seed, LENGTH)
}

fn replay(data: &[u8]) -> ExitCode {
    let ended = run_told(data);
    println!("{}", ended.report);
    ExitCode::SUCCESS
}

/// What a run reaches, or where it fails and what it says then.
fn outcome(data: &[u8]) -> Result<Report, (String, String)> {
    catch_unwind(AssertUnwindSafe(|| run(data).report)).map_err(|_| {
        let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = said.lines().map(|line| line.chars().take(200).collect());
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
    })
}

fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        *SAID.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    let done = work();
    std::panic::set_hook(hook);
    done
}

fn survey(seeds: std::ops::Range<u64>) -> ExitCode {
    let mut report = Report::default();
    let mut failures: BTreeMap<String, (String, Vec<u64>)> = BTreeMap::new();
    quietly(|| {
        for seed in seeds {
            match outcome(&decisions(seed)) {
                Ok(reached) => report.add(&reached),
                Err((place, text)) => failures.entry(place).or_insert((text, Vec::new())).1.push(seed),
            }
        }
    });
    println!("{report}");
    for (place, (text, seeds)) in &failures {
        println!("{} times, {:?}: {place}\n    {text}", seeds.len(), &seeds[..seeds.len().min(5)]);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Leaves out what the failure does not need, then makes small what remains.
fn cut_down(mut data: Vec<u8>) -> Vec<u8> {
    quietly(|| {
        let Err((place, _)) = outcome(&data) else { return data };
        let fails = |data: &[u8]| matches!(outcome(data), Err((other, _)) if other == place);
        for _ in 0..3 {
            let mut size = data.len() / 2;
            while size > 0 {
                let mut at = 0;
                while at + size <= data.len() {
                    let mut shorter = data.clone();
                    shorter.drain(at..at + size);
                    if fails(&shorter) {
                        data = shorter;
                    } else {
                        at += size;
                    }
                }
                size /= 2;
            }
            for at in 0..data.len() {
                for value in [0, 1, data[at] / 2] {
                    let before = data[at];
                    if before > value {
                        data[at] = value;
                        if fails(&data) {
                            break;
                        }
                        data[at] = before;
                    }
                }
            }
        }
        data
    })
}
