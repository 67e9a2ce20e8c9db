//! Makes the decisions of a failing run fewer, as long as it fails in the same way.

use crate::decisions::{Decisions, Lists};
use crate::run::{Options, run};

/// What is the same in two failures of one kind: the words, without numbers and what follows a colon.
fn kind(violation: &str) -> String {
    let words = violation.split(": ").next().unwrap_or(violation);
    let second = violation.split(": ").nth(1).unwrap_or_default();
    let text = if words.len() < 20 { [words, second].join(": ") } else { words.to_owned() };
    text.chars().filter(|char| !char.is_ascii_digit()).collect()
}

/// Fewer and smaller decisions that lead to the same kind of violation. `budget` is how many runs it may cost.
///
/// The lists come back as they are where they lead to none.
#[must_use]
pub fn shrink(lists: &Lists, options: &Options, budget: u32) -> Lists {
    let mut left = budget;
    let failure = |lists: &Lists| {
        let ended = run(Decisions::replayed(lists.clone()), options);
        ended.violation.map(|text| (kind(&text), ended.decisions))
    };
    let Some((wanted, mut best)) = failure(lists) else { return lists.clone() };
    let mut try_it = |lists: &Lists| -> Option<Lists> {
        left = left.checked_sub(1)?;
        let (kind, decisions) = failure(lists)?;
        (kind == wanted).then_some(decisions)
    };
    loop {
        let before = best.clone();
        for stream in 0..best.len() {
            // Nothing at all of a stream, then shorter ends, then zeros, in halves of halves.
            let mut size = best[stream].len();
            while size > 0 {
                let mut at = best[stream].len().saturating_sub(size);
                loop {
                    for zeroes in [false, true] {
                        let mut tried = best.clone();
                        if at + size > tried[stream].len() {
                            break;
                        }
                        if zeroes {
                            tried[stream][at..at + size].fill(0);
                        } else {
                            tried[stream].drain(at..at + size);
                        }
                        if tried != best
                            && let Some(smaller) = try_it(&tried)
                            && weight(&smaller) < weight(&best)
                        {
                            best = smaller;
                            break;
                        }
                    }
                    if at == 0 {
                        break;
                    }
                    at = at.saturating_sub(size);
                }
                size /= 2;
            }
            for at in 0..best[stream].len() {
                let Some(&value) = best[stream].get(at) else { break };
                for smaller in [0, 1, value / 2].into_iter().filter(|smaller| *smaller < value) {
                    let mut tried = best.clone();
                    tried[stream][at] = smaller;
                    if let Some(found) = try_it(&tried).filter(|found| weight(found) < weight(&best)) {
                        best = found;
                        break;
                    }
                }
            }
        }
        if best == before {
            return best;
        }
    }
}

/// How much there is to a run: decisions that are not 0, then how many, then their sum.
fn weight(lists: &Lists) -> (usize, usize, u64) {
    let all = || lists.iter().flatten();
    (all().filter(|value| **value > 0).count(), all().count(), all().map(|value| u64::from(*value)).sum())
}
