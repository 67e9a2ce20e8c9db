//! The states of a download, with what each knows.

use crate::action::FileStat;
use crate::{ActionId, Fault, FileStep, Instant, Outcome, Stamp};

#[derive(Debug)]
pub(crate) enum State {
    Queued {
        checked: bool,
    },
    /// Looks for the file, then touches what it has found.
    Checking {
        found: Option<FileStat>,
    },
    Connecting {
        deadline: Instant,
        connected: bool,
    },
    Redirecting {
        left: u64,
        deadline: Instant,
    },
    Receiving,
    Verifying,
    Publishing(Publishing),
    Waiting {
        until: Instant,
    },
    Draining(Then),
    Evicting(Outcome),
    Gone(Outcome),
}

/// What follows once nothing is held.
#[derive(Debug)]
pub(crate) enum Then {
    Finish(Outcome),
    Retry { until: Instant },
    Follow,
}

/// The answers of publishing, as far as they have come.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    pub(super) round: Round,
    pub(super) renames: u32,
    pub(super) renamed: Option<Result<(), Fault>>,
    /// The first step before the rename that failed.
    pub(super) failed: Option<(FileStep, Fault)>,
    pub(super) directory_fault: Option<Fault>,
    /// What stands under the final name.
    pub(super) there: Option<Result<Option<FileStat>, Fault>>,
    /// What stands under the unfinished file's name.
    pub(super) partial_there: Option<Result<Option<FileStat>, Fault>>,
    pub(super) looking_at_partial: Option<ActionId>,
    pub(super) touched: Option<Result<Stamp, Fault>>,
}

#[derive(Debug, Default)]
pub(super) enum Round {
    /// The rename, with what comes before and behind it.
    #[default]
    Chain,
    /// Something else has the name: what is it?
    Taken,
    /// A file, which is being touched.
    Touching(FileStat),
    /// The rename faulted in a way that leaves open whether it was done.
    Doubt(Fault),
}
