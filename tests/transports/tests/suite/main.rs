//! The suite on the transports of this repository, and tests of the suite itself.

mod planted;
mod subjects;

use std::collections::BTreeSet;

use dlmanager_transport_conformance::{Report, Scheme, cases, run, table};

use crate::subjects::{OnSmol, OnTokio};

fn assert_passed(name: &str, report: &Report, skipped: usize) {
    assert!(report.is_passed(), "\n{}", table(&[(name, report)]));
    assert_eq!(report.results.len(), cases().count());
    assert_eq!(report.skipped().count(), skipped, "{:?}", report.skipped().collect::<Vec<_>>());
}

/// Rules that are about TLS.
const ABOUT_TLS: usize = 12;
/// Rules that are tried without TLS alone.
const WITHOUT_TLS: usize = 3;

#[test]
fn hyper_on_tokio_obeys_the_rules() {
    assert_passed("hyper", &run(Scheme::Http, OnTokio::new), ABOUT_TLS);
}

#[test]
fn hyper_on_tokio_obeys_the_rules_over_tls() {
    assert_passed("hyper, TLS", &run(Scheme::Https, OnTokio::new), WITHOUT_TLS);
}

#[test]
fn hyper_on_smol_obeys_the_rules() {
    assert_passed("smol", &run(Scheme::Http, || OnSmol), ABOUT_TLS);
}

#[test]
fn hyper_on_smol_obeys_the_rules_over_tls() {
    assert_passed("smol, TLS", &run(Scheme::Https, || OnSmol), WITHOUT_TLS);
}

#[test]
fn every_case_has_a_name_and_a_rule_of_its_own() {
    let names: BTreeSet<&str> = cases().map(|case| case.name).collect();
    let rules: BTreeSet<&str> = cases().map(|case| case.rule).collect();
    assert_eq!((names.len(), rules.len()), (cases().count(), cases().count()));
    assert!(names.len() >= 60, "{} cases", names.len());
}
