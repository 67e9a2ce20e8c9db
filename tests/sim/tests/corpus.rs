//! The fuzz target's corpus, replayed on stable.

use std::path::Path;

use dlmanager_sim::{Tally, simulator_body};

#[test]
fn the_corpus_of_the_simulator_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/simulator");
    let (mut inputs, mut downloads, mut tally) = (0, 0, Tally::default());
    for entry in std::fs::read_dir(&folder).expect("the corpus") {
        let ended = simulator_body(&std::fs::read(entry.expect("an entry").path()).expect("an input"));
        (inputs, downloads) = (inputs + 1, downloads + ended.downloads);
        tally.add(&ended.tally);
    }
    let missing: Vec<_> = tally.missing().collect();
    assert!(inputs >= 100 && downloads >= 200, "{inputs} inputs, {downloads} downloads");
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
