//! Each action of each scenario goes wrong in each way, and then two of them.

use dlmanager_sim::{Mark, golden, torture};

/// Of all pairs so many are tried of each scenario; the program tries them all.
const PAIRS_MAX: u64 = 2_500;

#[test]
fn whatever_goes_wrong_nothing_wrong_comes_of_it() {
    let mut deaths = 0;
    for (name, lists) in golden() {
        let tortured = torture(&lists, PAIRS_MAX);
        assert!(tortured.singles >= 100, "{name}: {} actions went wrong", tortured.singles);
        assert!(tortured.pairs >= PAIRS_MAX * 9 / 10, "{name}: {} pairs went wrong", tortured.pairs);
        if let Some((strikes, text)) = tortured.violations.first() {
            panic!("{name}: {} of them, {strikes:?} for one: {text}", tortured.violations.len());
        }
        deaths += tortured.tally.count(Mark::KeptByDeath);
    }
    assert!(deaths > 0, "some leave bytes to go on from");
}
