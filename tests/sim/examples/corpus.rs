//! Writes the beginnings of a corpus for the fuzz target: runs of seeds, those first that reach what none before has reached.
//!
//! ```text
//! cargo run --profile sim -p dlmanager-sim --example corpus -- fuzz/corpus/simulator 120
//! ```

use std::path::Path;
use std::process::ExitCode;

use dlmanager_sim::{Decisions, Mark, Options, Tally, bytes_of, run, simulator_body};

/// So many seeds are looked at.
const SEEDS: u64 = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count] = arguments.as_slice() else {
        eprintln!("usage: corpus FOLDER COUNT");
        return ExitCode::from(2);
    };
    let (folder, count) = (Path::new(folder), count.parse().unwrap_or(0));
    if let Err(error) = std::fs::create_dir_all(folder) {
        eprintln!("{}: {error}", folder.display());
        return ExitCode::from(2);
    }
    let mut reached = Tally::default();
    let mut written = 0;
    for seed in 1..SEEDS {
        let bytes = bytes_of(&run(Decisions::seeded(seed), &Options::default()).decisions);
        let tally = simulator_body(&bytes).tally;
        let is_new = Mark::ALL.iter().any(|mark| tally.count(*mark) > 0 && reached.count(*mark) == 0);
        let is_wanted = is_new || (bytes.len() < 400 && written < count);
        if !is_wanted {
            continue;
        }
        reached.add(&tally);
        written += 1;
        if let Err(error) = std::fs::write(folder.join(format!("seed-{seed}")), &bytes) {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    }
    println!("{written} inputs; never reached: {:?}", reached.missing().collect::<Vec<_>>());
    ExitCode::SUCCESS
}
