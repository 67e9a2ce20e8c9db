//! Every action of a run goes wrong once; then every two of them.

use crate::decisions::{Decisions, Lists, from_text};
use crate::disk::{Blow, Strike};
use crate::marks::Tally;
use crate::run::{Options, run};

/// What came of it.
#[derive(Debug, Default)]
pub struct Tortured {
    /// Runs in which one action went wrong.
    pub singles: u64,
    /// Runs in which two did.
    pub pairs: u64,
    /// What happened in them.
    pub tally: Tally,
    /// What was not as it should be, and which actions had gone wrong.
    pub violations: Vec<(Vec<Strike>, String)>,
}

/// The scenarios, by name: what a user does who meets nothing unexpected.
///
/// # Panics
///
/// Where one of the files is none.
#[must_use]
pub fn golden() -> Vec<(&'static str, Lists)> {
    let files = [
        ("plain", include_str!("../golden/plain.txt")),
        ("resumed", include_str!("../golden/resumed.txt")),
        ("full durability and a digest", include_str!("../golden/full.txt")),
        ("replaced within a limit", include_str!("../golden/limit.txt")),
        ("two programs", include_str!("../golden/two.txt")),
    ];
    files.map(|(name, text)| (name, from_text(text).expect("decisions"))).to_vec()
}

/// Runs a scenario once for each of its actions and each way in which that can go wrong, then for pairs of them, at most so
/// many.
#[must_use]
pub fn torture(lists: &Lists, pairs_max: u64) -> Tortured {
    let mut tortured = Tortured::default();
    let actions = tortured.strike(lists, Vec::new());
    let strikes = |from: u64| (from..=actions).flat_map(|at| Blow::ALL.map(|how| Strike { at, how }));
    for strike in strikes(1) {
        tortured.singles += 1;
        tortured.strike(lists, vec![strike]);
    }
    let all = actions * actions * (Blow::ALL.len() as u64).pow(2) / 2;
    // Spread evenly over all of them.
    let step = (all / pairs_max.max(1)).max(1);
    let mut number = 0;
    for first in strikes(1) {
        // What is done about the first may go wrong as well, and takes some actions more.
        for second in (first.at + 1..=actions + 12).flat_map(|at| Blow::ALL.map(|how| Strike { at, how })) {
            number += 1;
            if number % step == 0 {
                tortured.pairs += 1;
                tortured.strike(lists, vec![first, second]);
            }
        }
    }
    tortured
}

impl Tortured {
    /// One run. How many actions it took.
    fn strike(&mut self, lists: &Lists, strikes: Vec<Strike>) -> u64 {
        let options = Options { strikes: strikes.clone(), ..Options::default() };
        let ended = run(Decisions::replayed(lists.clone()), &options);
        self.tally.add(&ended.tally);
        self.violations.extend(ended.violation.map(|text| (strikes, text)));
        ended.actions_before_calm
    }
}
