//! The states of a download, with what each knows.

use alloc::boxed::Box;

use bytes::Bytes;

use crate::action::FileStat;
use crate::reply::Announced;
use crate::{ActionId, DownloadError, Fault, FileStep, Instant, Outcome, Stamp};

#[derive(Debug)]
pub(crate) enum State {
    Queued,
    Checking(Checking),
    Connecting {
        deadline: Instant,
        connected: bool,
    },
    Redirecting {
        left: u64,
        deadline: Instant,
    },
    /// The body is the whole file: what the unfinished one holds is taken back before it is read.
    Rewinding(Box<Announced>),
    Receiving,
    Verifying,
    Publishing(Box<Publishing>),
    Waiting {
        until: Instant,
    },
    /// The disk is full: it waits until what dead processes left unfinished is removed. Where that frees nothing, this is how
    /// it ends.
    MakingRoom(DownloadError),
    Draining(Then),
    Evicting(Outcome),
    Gone(Outcome),
}

/// What is found out before anything is asked of the server.
#[derive(Debug)]
pub(crate) enum Checking {
    /// Whether the file is there.
    Looking,
    /// Whether the file that is there has the digest that it should have.
    Comparing(FileStat),
    /// It is there, and stamped.
    Touching(FileStat),
    /// It is not: the unfinished file is made, or found, and locked.
    Claiming(Box<Claim>),
    /// What an earlier run noted beside the unfinished file.
    Reading(Option<Result<Bytes, Fault>>),
    /// What cannot be kept of it is taken back.
    Rewinding,
}

/// The answers of claiming, as far as they have come.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// Who looks for the file once more.
    pub(super) look: Option<ActionId>,
    pub(super) there: Option<Result<Option<FileStat>, Fault>>,
    pub(super) record_there: Option<Result<Option<FileStat>, Fault>>,
    /// The first step that failed.
    pub(super) failed: Option<(FileStep, Fault)>,
}

/// What follows once nothing is under way.
#[derive(Debug)]
pub(crate) enum Then {
    Finish(Outcome),
    /// Another attempt then, which goes on with what there is, where it may be kept.
    Retry {
        until: Instant,
        keeps: bool,
    },
    /// Another look then: somebody else has the name's lock.
    Wait {
        until: Instant,
    },
    /// Another attempt from the beginning, once there is room again; else the end.
    MakeRoom(DownloadError),
    /// The next request of the same attempt; from the beginning where the bytes that are there are of no use.
    Follow {
        rewinds: bool,
    },
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
