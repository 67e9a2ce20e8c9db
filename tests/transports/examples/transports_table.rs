//! Prints the rules and which transport obeys them: `cargo run -p dlmanager-transport-conformance --example transports_table`.

#[path = "../tests/suite/subjects.rs"]
mod subjects;

use std::process::ExitCode;

use dlmanager_transport_conformance::{Scheme, run, table};

use crate::subjects::{OnSmol, OnTokio};

fn main() -> ExitCode {
    let reports = [
        ("hyper", run(Scheme::Http, OnTokio::new)),
        ("hyper, TLS", run(Scheme::Https, OnTokio::new)),
        ("smol", run(Scheme::Http, || OnSmol)),
        ("smol, TLS", run(Scheme::Https, || OnSmol)),
    ];
    print!("{}", table(&reports.each_ref().map(|(name, report)| (*name, report))));
    if reports.iter().all(|(_, report)| report.is_passed()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
