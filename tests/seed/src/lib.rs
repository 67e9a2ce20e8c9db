//! What the Python library dlmanager does, and what becomes of each behaviour here: 41 numbered rules, each a [`Case`]
//! that is run in every [`Setting`] in which it makes sense.
//!
//! ```console
//! $ cargo test -p dlmanager-seed                      # each number a test of its own name
//! $ cargo run -p dlmanager-seed --example seed_table       # number, rule, transport, backend, result
//! ```
//!
//! A transport is a line of [`TRANSPORTS`], a backend one of [`Backend`]'s. Cases compare the bytes that are there with
//! those that were served, wait for nothing without a deadline, and never sleep. A case that speaks of the program runs it.
#![forbid(unsafe_code)]

mod bench;
mod case;
mod cases;
mod place;
mod program;
mod setting;
mod store;
mod wait;

pub use case::{Case, Needs};
pub use cases::CASES;
pub use setting::{Backend, Setting, TRANSPORTS, Transport};
