//! The suite on the transports of this repository.

mod subjects;

use std::collections::BTreeSet;

use dlmanager_transport_conformance::{Report, cases, run, table};

use crate::subjects::{OnSmol, OnTokio};

fn assert_passed(name: &str, report: &Report) {
    assert!(report.is_passed(), "\n{}", table(&[(name, report)]));
    assert_eq!(report.results.len(), cases().count());
}

#[test]
fn hyper_on_tokio_obeys_the_rules() {
    assert_passed("hyper", &run(OnTokio::new));
}

#[test]
fn hyper_on_smol_obeys_the_rules() {
    assert_passed("smol", &run(|| OnSmol));
}

#[test]
fn every_case_has_a_name_and_a_rule_of_its_own() {
    let names: BTreeSet<&str> = cases().map(|case| case.name).collect();
    let rules: BTreeSet<&str> = cases().map(|case| case.rule).collect();
    assert_eq!((names.len(), rules.len()), (cases().count(), cases().count()));
    assert!(names.len() >= 46, "{} cases", names.len());
}
