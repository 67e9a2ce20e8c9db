//! A driver that breaks the contract brings nothing down.

use dlmanager_world::{hostile_body, seeded_bytes};

#[test]
fn forged_answers_neither_panic_nor_let_the_core_grow() {
    let (mut forged, mut actions, mut finished) = (0, 0, 0);
    for seed in 0..3_000 {
        let seen = hostile_body(&seeded_bytes(seed, 1_500));
        forged += seen.forged;
        actions += seen.actions;
        finished += seen.finished;
    }
    assert!(forged > 100_000 && actions > 10_000 && finished > 1_000, "{forged} {actions} {finished}");
}
