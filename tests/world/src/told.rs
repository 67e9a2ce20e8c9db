//! Answers on their way to the core, with what they say, so that the model knows what the core was told.

use dlmanager_core::{
    Answer, BodyId, Chunk, Completion, DeleteItem, Deleted, FaultKind, FileKind, FileOp, FileStat, Lane, OpenMode,
};

/// An answer that the core has not been given yet.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) completion: Completion,
    pub(crate) told: Told,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Head(BodyId),
    NoHead(BodyId, Reason),
    Chunk { body: BodyId, bytes: usize, last: bool },
    NoChunk(BodyId, Reason),
    Dropped(BodyId),
    File { lane: Lane, subject: Subject, result: FileResult },
}

/// Why an action did not work, as the core is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Fault(FaultKind),
    Aborted,
}

/// What a file action is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Probe,
    Gauge,
    MakeDir(String),
    Scan,
    Stat(String),
    Open { path: String, creates: bool },
    Read,
    Write,
    Truncate,
    SetTimes,
    Hash,
    KeepDigests,
    Sync,
    Finish,
    Rename { from: String, to: String, clobber: bool },
    SyncDir(String),
    Delete(Vec<DeleteItem>),
    Touch(String),
    Lock(String),
    Unlock,
    Close,
}

/// How a file action went.
#[derive(Debug, Clone)]
pub(crate) enum FileResult {
    Well,
    Stood(Option<FileStat>),
    Deleted(Vec<Deleted>),
    Failed(Reason),
}

impl Subject {
    pub(crate) fn of(op: &FileOp) -> Self {
        match op {
            FileOp::Probe { .. } => Self::Probe,
            FileOp::Gauge { .. } => Self::Gauge,
            FileOp::MakeDir { path, .. } => Self::MakeDir(path.to_string()),
            FileOp::Scan { .. } => Self::Scan,
            FileOp::Stat { path, .. } => Self::Stat(path.to_string()),
            FileOp::Open { path, mode, .. } => Self::Open {
                path: path.to_string(),
                creates: matches!(mode, OpenMode::CreateNew | OpenMode::CreateOrExisting),
            },
            FileOp::Read { .. } => Self::Read,
            FileOp::Write { .. } => Self::Write,
            FileOp::Truncate { .. } => Self::Truncate,
            FileOp::SetTimes { .. } => Self::SetTimes,
            FileOp::Hash { .. } => Self::Hash,
            FileOp::KeepDigests { .. } => Self::KeepDigests,
            FileOp::Sync { .. } => Self::Sync,
            FileOp::Finish { .. } => Self::Finish,
            FileOp::Rename { from, to, clobber, .. } => {
                Self::Rename { from: from.to_string(), to: to.to_string(), clobber: *clobber }
            }
            FileOp::SyncDir { path, .. } => Self::SyncDir(path.to_string()),
            FileOp::Delete { items, .. } => Self::Delete(items.clone()),
            FileOp::Touch { path, .. } => Self::Touch(path.to_string()),
            FileOp::Lock { path, .. } => Self::Lock(path.to_string()),
            FileOp::Unlock { .. } => Self::Unlock,
            FileOp::Close { .. } => Self::Close,
        }
    }

    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Probe => "Probe",
            Self::Gauge => "Gauge",
            Self::MakeDir(_) => "MakeDir",
            Self::Scan => "Scan",
            Self::Stat(_) => "Stat",
            Self::Open { .. } => "Open",
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Truncate => "Truncate",
            Self::SetTimes => "SetTimes",
            Self::Hash => "Hash",
            Self::KeepDigests => "KeepDigests",
            Self::Sync => "Sync",
            Self::Finish => "Finish",
            Self::Rename { .. } => "Rename",
            Self::SyncDir(_) => "SyncDir",
            Self::Delete(_) => "Delete",
            Self::Touch(_) => "Touch",
            Self::Lock(_) => "Lock",
            Self::Unlock => "Unlock",
            Self::Close => "Close",
        }
    }
}

impl FileResult {
    pub(crate) fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Stat(Ok(stood)) => Self::Stood(*stood),
            Answer::Delete(Ok(deleted)) => Self::Deleted(deleted.clone()),
            Answer::Stat(Err(fault))
            | Answer::Scan(Err(fault))
            | Answer::Delete(Err(fault))
            | Answer::Probe(Err(fault))
            | Answer::MakeDir(Err(fault))
            | Answer::Open(Err(fault))
            | Answer::Read(Err(fault))
            | Answer::Write(Err(fault))
            | Answer::Truncate(Err(fault))
            | Answer::SetTimes(Err(fault))
            | Answer::Hash(Err(fault))
            | Answer::Sync(Err(fault))
            | Answer::Finish(Err(fault))
            | Answer::Rename(Err(fault))
            | Answer::SyncDir(Err(fault))
            | Answer::Touch(Err(fault))
            | Answer::Lock(Err(fault))
            | Answer::Unlock(Err(fault))
            | Answer::Close(Err(fault)) => Self::Failed(Reason::Fault(fault.kind())),
            Answer::Aborted => Self::Failed(Reason::Aborted),
            _ => Self::Well,
        }
    }

    pub(crate) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Failed(reason) => Some(*reason),
            _ => None,
        }
    }

    /// The regular file that was seen, by its length.
    pub(crate) fn regular_length(&self) -> Option<u64> {
        match self {
            Self::Stood(Some(stat)) if stat.kind == FileKind::Regular => Some(stat.length),
            _ => None,
        }
    }
}

impl Told {
    pub(crate) fn chunk(body: BodyId, chunk: &Chunk) -> Self {
        Self::Chunk { body, bytes: chunk.data.len(), last: chunk.last }
    }
}
