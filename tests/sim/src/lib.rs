//! Managers on a virtual clock.
//!
//! A run is a world of its own: one to three programs with a manager each in one directory, servers that misbehave, a disk
//! that fails and forgets, strangers, and users who cancel. It has two phases. In the first things go wrong, programs and
//! the machine die at any action, and nothing wrong may come of it; in the second nothing goes wrong any more, and
//! everything must come to its end within a bounded time. The oracle knows the bytes of every version and does not ask the core.
//!
//! Everything follows from a list of decisions, which a seed fills: see [`Decisions`]. The program `dlmanager-sim` runs
//! batches, replays runs, and makes failing ones small.

mod batch;
mod decisions;
mod disk;
mod fuzzing;
mod marks;
mod network;
mod oracle;
mod process;
mod record;
mod run;
mod server;
mod setting;
mod shrink;
mod sim;
mod torture;
mod trace;
mod users;

pub use batch::{Batch, find};
pub use decisions::{Decisions, Lists, Stream, from_text, to_text};
pub use disk::{Blow, Strike};
pub use dlmanager_core::testing::Planted;
pub use fuzzing::{bytes_of, lists_of, simulator_body};
pub use marks::{Mark, Tally};
pub use run::{Ended, Options, run};
pub use shrink::shrink;
pub use torture::{Tortured, golden, torture};
