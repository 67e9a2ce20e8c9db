//! Fuzz targets, once there are any.

use crate::Tree;

/// Every fuzz target has a committed corpus with something in it, and no corpus has lost its target.
#[must_use]
pub fn fuzz_targets_have_a_corpus(tree: &Tree) -> Vec<String> {
    let targets: Vec<&str> = tree
        .below("fuzz/fuzz_targets")
        .filter_map(|file| file.path.strip_prefix("fuzz/fuzz_targets/")?.strip_suffix(".rs"))
        .collect();
    let mut broken = Vec::new();
    if targets.is_empty() && tree.below("fuzz").next().is_some() {
        broken.push("fuzz: no target in fuzz/fuzz_targets".to_owned());
    }
    for target in &targets {
        let corpus = format!("fuzz/corpus/{target}");
        if !tree.below(&corpus).any(|file| file.bytes > 0) {
            broken.push(format!("{corpus}: empty"));
        }
    }
    for file in tree.below("fuzz/corpus") {
        let target = file.path.split('/').nth(2).unwrap_or_default();
        if !targets.contains(&target) {
            broken.push(format!("{}: no such fuzz target", file.path));
        }
    }
    broken
}
