//! Prints the rules and which backend obeys them: `cargo run -p dlmanager-conformance --example backends_table`.

#[path = "../tests/suite/support.rs"]
mod support;

use std::process::ExitCode;

use dlmanager_conformance::{run, table};

fn main() -> ExitCode {
    let on_disk = run(support::on_disk);
    let in_memory = run(support::InMemory::default);
    print!("{}", table(&[("on disk", &on_disk), ("in memory", &in_memory)]));
    if on_disk.is_passed() && in_memory.is_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
