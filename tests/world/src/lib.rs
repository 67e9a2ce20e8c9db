//! The manager in a world without network, disk or clock.
//!
//! - [`World`] runs scenarios that somebody wrote, on a virtual clock.
//! - [`crash`] runs a [`Scenario`] whose program or machine dies, at each file action in turn, and what comes after that.
//! - [`run`] runs what bytes decide, a seed's or a fuzzer's, beside a reference model that knows what was promised.
//! - [`hostile_body`] is a driver that breaks the contract, [`names_body`] checks names, [`parsers_body`] the fields of a
//!   head, [`records_body`] the records of unfinished files.
//!
//! The last two are the bodies of the fuzz targets; the suite replays their corpora.

mod choices;
mod crash;
mod eviction;
mod hostile;
mod lanes;
mod model;
mod names;
mod parsing;
mod random;
mod report;
mod run;
mod server;
mod setting;
mod told;
mod world;

pub use choices::seeded_bytes;
pub use crash::{
    Case, Death, Ends, Nth, Scenario, TEMPOS, Validated, cases, cases_after_power, cases_behind, crash, crash_beside,
    scenario, scenarios,
};
pub use eviction::{RuledFile, removed_by_the_rule};
pub use hostile::{Hostile, hostile_body};
pub use names::{Named, names_body};
pub use parsing::{Parsed, Recorded, parsers_body, records_body};
pub use random::SplitMix64;
pub use report::Report;
pub use run::{Draining, Ended, run, run_told, run_traced};
pub use world::{Fuse, World};

/// The body of the fuzz target `events`: a random run.
///
/// # Panics
///
/// Where the core breaks a promise.
pub fn fuzz_body(data: &[u8]) {
    // Longer inputs find nothing that shorter ones do not, and take their time.
    let _ = run(&data[..data.len().min(4_096)]);
}
