//! What goes wrong, and how long things take.

use std::time::Duration;

use dlmanager_core::{Fault, FileOp, StorePath};

/// An operation, for a rule to judge.
#[derive(Debug)]
#[non_exhaustive]
pub struct Operation<'a> {
    /// The operation.
    pub op: &'a FileOp,
    /// The name that it is about: for operations on an open file the one that it was opened with, where it is open; of a
    /// rename the old one, of a deletion the first. `None` for scans.
    pub path: Option<&'a StorePath>,
}

/// How an operation fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub(crate) fault: Fault,
    pub(crate) performed: Performed,
}

/// How much of a failing operation is done all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Performed {
    Nothing,
    Bytes(u64),
    All,
}

impl Failure {
    /// The operation is not performed. A `Close` closes all the same, and an `Unlock` unlocks. A `Sync` that fails takes
    /// what it should have flushed for clean all the same, as Linux does: it can be read, and no later `Sync` flushes it
    /// unless its blocks are written again.
    pub const fn instead(fault: Fault) -> Self {
        Self { fault, performed: Performed::Nothing }
    }

    /// The operation is performed, and answered with the fault nevertheless.
    pub const fn after(fault: Fault) -> Self {
        Self { fault, performed: Performed::All }
    }

    /// A `Write` fails after that many bytes; any other operation as with [`instead`](Self::instead).
    pub const fn after_bytes(fault: Fault, bytes: u64) -> Self {
        Self { fault, performed: Performed::Bytes(bytes) }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::instead(fault)
    }
}

type FailureRule = dyn FnMut(&Operation<'_>) -> Option<Failure> + Send;
type LatencyRule = dyn FnMut(&Operation<'_>) -> Option<Duration> + Send;

/// The rules in the order in which they were made; the first that says something counts.
#[derive(Default)]
pub(crate) struct Rules {
    failures: Vec<Box<FailureRule>>,
    latencies: Vec<Box<LatencyRule>>,
}

impl Rules {
    pub(crate) fn add_failure(&mut self, rule: impl FnMut(&Operation<'_>) -> Option<Failure> + Send + 'static) {
        self.failures.push(Box::new(rule));
    }

    pub(crate) fn add_latency(&mut self, rule: impl FnMut(&Operation<'_>) -> Option<Duration> + Send + 'static) {
        self.latencies.push(Box::new(rule));
    }

    pub(crate) fn clear(&mut self) {
        self.failures.clear();
        self.latencies.clear();
    }

    pub(crate) fn failure(&mut self, operation: &Operation<'_>) -> Option<Failure> {
        self.failures.iter_mut().find_map(|rule| rule(operation))
    }

    pub(crate) fn latency(&mut self, operation: &Operation<'_>) -> Duration {
        self.latencies.iter_mut().find_map(|rule| rule(operation)).unwrap_or_default()
    }
}
