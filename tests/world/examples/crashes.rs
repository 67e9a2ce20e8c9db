//! Runs scenarios that die at every file action: more of them than the suite has time for.
//!
//! ```text
//! crashes FACTOR [WORDS]   those whose names contain the words, with that many times the least number of cases
//! ```
//!
//! With a factor of 0 it stops at the first case that goes wrong.

use std::collections::BTreeMap;
use std::process::ExitCode;

use dlmanager_world::{Report, cases, crash, scenarios};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let factor: usize = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(1);
    let words = arguments.get(1).map_or("", String::as_str);
    let (mut report, mut failures) = (Report::default(), BTreeMap::new());
    for scenario in scenarios().into_iter().filter(|scenario| scenario.name.contains(words)) {
        let (started, mut ran, mut wrong) = (std::time::Instant::now(), 0, 0);
        for case in cases(&scenario, factor.max(1)) {
            ran += 1;
            if let Err(text) = crash(&scenario, &case, &mut report) {
                wrong += 1;
                let what: String = text.chars().take_while(|char| !char.is_ascii_digit()).collect();
                let text: String = format!("{case:?}: {text}").chars().take(600).collect();
                failures.entry((scenario.name, what)).or_insert((0, text)).0 += 1;
                if factor == 0 {
                    break;
                }
            }
        }
        if factor == 0 && wrong > 0 {
            break;
        }
        println!("{ran:>8} cases, {wrong:>6} wrong, {:>6} ms: {}", started.elapsed().as_millis(), scenario.name);
    }
    println!("{report}");
    for ((name, _), (times, text)) in &failures {
        println!("{times} times: {name}\n    {text}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
