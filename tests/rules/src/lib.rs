//! Never a wrong byte: whatever a server does, a final name holds the bytes of one version of the resource, whole, or it
//! is not there.
//!
//! Each [`Rule`] has [cases](Case), each of which runs on every [`Transport`], through the `dlmanager` crate, against the
//! misbehaving [origin](dlmanager_origin) on loopback, in a temporary directory on disk. A case demands one outcome: which
//! error, how many requests, which header fields they had, which bytes are there, and that nothing else is left.
//!
//! ```console
//! $ cargo test -p dlmanager-rules                      # each group a test
//! $ cargo run -p dlmanager-rules --example rules_table       # each case: result, transport, group, rule, case
//! $ cargo run -p dlmanager-rules --example rules_table -- redirect smol    # those whose line holds all of these words
//! ```
//!
//! Cases wait for what has to happen, never for time alone; where a timeout is what they are about, it is short, and the
//! origin does nothing at all.
#![forbid(unsafe_code)]

mod bench;
mod case;
mod cases;
mod ended;
mod folder;
mod ports;
mod store;
mod transport;

pub use case::{Case, Group, Rule, runs};
pub use cases::GROUPS;
pub use transport::{TRANSPORTS, Transport};
