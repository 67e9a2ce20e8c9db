//! The edges of a download's state diagram.

use crate::Phase;

/// Every edge, by phase.
const TRANSITIONS: &[(Phase, &[Phase])] = &[
    (
        Phase::Queued,
        &[Phase::Checking, Phase::Connecting, Phase::Verifying, Phase::Publishing, Phase::Draining, Phase::Evicting],
    ),
    (
        Phase::Checking,
        &[Phase::Connecting, Phase::Receiving, Phase::Verifying, Phase::Publishing, Phase::Draining, Phase::Evicting],
    ),
    (Phase::Connecting, &[Phase::Checking, Phase::Receiving, Phase::Draining]),
    (Phase::Receiving, &[Phase::Verifying, Phase::Publishing, Phase::Draining]),
    (Phase::Verifying, &[Phase::Publishing, Phase::Draining]),
    (Phase::Publishing, &[Phase::Draining]),
    (Phase::Waiting, &[Phase::Queued, Phase::Draining, Phase::Evicting]),
    (Phase::Draining, &[Phase::Queued, Phase::Waiting, Phase::Evicting]),
];

/// Whether a step may lead from one phase to the other; a phase may always be stayed in.
pub(super) fn is_edge(before: Phase, after: Phase) -> bool {
    before == after || TRANSITIONS.iter().any(|(from, to)| *from == before && to.contains(&after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    #[test]
    fn the_table_in_the_docs_is_the_one_that_is_checked() {
        let docs = include_str!("../download.rs");
        let rows: Vec<&str> = docs.lines().filter_map(|line| line.strip_prefix("//! | ")).skip(1).collect();
        let table: Vec<_> = TRANSITIONS
            .iter()
            .map(|(from, to)| {
                let to: Vec<_> = to.iter().map(|phase| format!("{phase:?}")).collect();
                format!("{from:?} | {} |", to.join(", "))
            })
            .collect();
        assert_eq!(rows, table);
    }

    #[test]
    fn a_step_leads_where_the_table_says_and_nowhere_else() {
        for (from, to) in TRANSITIONS {
            for (other, _) in TRANSITIONS {
                assert_eq!(is_edge(*from, *other), from == other || to.contains(other), "{from:?} {other:?}");
            }
        }
        assert!(!is_edge(Phase::Publishing, Phase::Queued) && !is_edge(Phase::Evicting, Phase::Draining));
    }
}
