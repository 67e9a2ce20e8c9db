//! The suite on the backends of this repository.

use std::collections::BTreeSet;

use dlmanager_conformance::{Report, cases, run, table};

use crate::support::{InMemory, on_disk};

fn assert_passed(name: &str, report: &Report, skipped: &[&str]) {
    assert!(report.is_passed(), "\n{}", table(&[(name, report)]));
    assert_eq!(report.results.len(), cases().count());
    assert_eq!(report.skipped(), skipped.iter().copied().collect::<BTreeSet<_>>(), "cases that were skipped");
}

#[test]
fn a_real_directory_obeys_the_rules() {
    // What a system does not have, its cases skip: all runs on Linux.
    let skipped: &[&str] = if cfg!(target_os = "linux") { &[] } else { return };
    assert_passed("on disk", &run(on_disk), skipped);
}

#[test]
fn a_directory_in_memory_obeys_the_rules() {
    assert_passed(
        "in memory",
        &run(InMemory::default),
        &["create_or_existing_with_the_usual_mode", "create_with_the_usual_mode"],
    );
}

#[test]
fn every_case_has_a_name_and_a_rule_of_its_own() {
    let names: BTreeSet<&str> = cases().map(|case| case.name).collect();
    let rules: BTreeSet<&str> = cases().map(|case| case.rule).collect();
    assert_eq!((names.len(), rules.len()), (cases().count(), cases().count()));
    assert!(names.len() > 140, "{} cases", names.len());
}
