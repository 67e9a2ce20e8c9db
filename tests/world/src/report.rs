//! What a run has reached, so that a suite that reaches nothing does not pass for one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use dlmanager_core::{DownloadError, Outcome, Phase};

/// How often something was reached.
#[derive(Debug, Default, Clone)]
pub struct Report {
    counts: BTreeMap<Cow<'static, str>, u64>,
}

impl Report {
    /// How often this was reached.
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Adds what another run has reached.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
    }

    pub(crate) fn reached(&mut self, what: impl Into<Cow<'static, str>>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn phase(&mut self, phase: Phase) {
        self.reached(match phase {
            Phase::Queued => "phase Queued",
            Phase::Checking => "phase Checking",
            Phase::Connecting => "phase Connecting",
            Phase::Receiving => "phase Receiving",
            Phase::Verifying => "phase Verifying",
            Phase::Publishing => "phase Publishing",
            Phase::Evicting => "phase Evicting",
            Phase::Waiting => "phase Waiting",
            Phase::Draining => "phase Draining",
        });
    }

    pub(crate) fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Complete(complete) => {
                self.reached("outcome Complete");
                if complete.length_unverified {
                    self.reached("outcome Complete, length unverified");
                }
            }
            Outcome::Present { .. } => self.reached("outcome Present"),
            Outcome::Canceled => self.reached("outcome Canceled"),
            Outcome::Failed(error) => self.error("failed", error),
        }
    }

    pub(crate) fn error(&mut self, what: &str, error: &DownloadError) {
        self.reached(format!("{what} {}", error.kind()));
        if let DownloadError::Timeout(kind) = error {
            self.reached(format!("{what} timeout {kind:?}"));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.iter().try_for_each(|(what, count)| writeln!(f, "{count:>10}  {what}"))
    }
}
