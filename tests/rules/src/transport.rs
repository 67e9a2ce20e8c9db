//! On what a case is run.

use dlmanager::{Builder, IoRuntime};

/// A transport, and how a manager is told to use it.
#[derive(Debug)]
pub struct Transport {
    /// Its name, as the program's `--transport` has it.
    pub name: &'static str,
    pub(crate) choose: fn(Builder) -> Builder,
}

/// Every transport.
pub const TRANSPORTS: &[Transport] = &[
    Transport { name: "hyper", choose: |builder| builder.runtime(IoRuntime::Tokio) },
    Transport { name: "smol", choose: |builder| builder.runtime(IoRuntime::Smol) },
];
