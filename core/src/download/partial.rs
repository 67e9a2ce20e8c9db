//! The unfinished file: made and locked, noted down beside it, taken back, removed.
//!
//! `KEY.part` is the file that every process finds; its lock is the name's. Bytes are written to it in order, by whoever
//! holds the lock. `KEY.rec` beside it says what the bytes are. *The record may lag behind the bytes, it never leads, and
//! never describes bytes of another version*: so whoever starts over first deletes the record, and flushes that if it may
//! describe flushed bytes, and only then truncates.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::checkpoint::Checkpoint;
use super::{Context, Download};
use crate::action::{DeleteItem, Deleted, Expect, OpenMode, Opened};
use crate::effects::Role;
use crate::origin::Target;
use crate::planted::Planted;
use crate::record::Record;
use crate::resume::{Identity, Known, source_of};
use crate::{
    ActionId, Algorithms, Digest, Digests, DownloadError, Fault, FaultKind, FileId, FileOp, FileStep, Lane, Notice,
    Resume, Stamp, StorePath, Warning,
};

/// The work folder is taken to be where it was for so long.
const WORK_FOLDER_INTERVAL: Duration = Duration::from_secs(1);
/// So much is hashed in one go: a fraction of a second also where it is slow, so that a cancel does not wait long.
pub(super) const HASH_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// So much is waited for before it is hashed, unless the file ends.
const HASH_BYTES_MIN: u64 = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Partial {
    pub(super) file: FileId,
    pub(super) path: StorePath,
    /// Where its record stands; `None` for a file of this download alone, which nobody goes on with.
    pub(super) record_path: Option<StorePath>,
    pub(super) opening: Opening,
    pub(super) lock: Lock,
    /// It has its final name: only its handle is left.
    pub(super) is_published: bool,
    /// What it held when it was opened is still there, and was not looked at.
    pub(super) is_untouched: bool,
    /// It was there before it was opened.
    was_there: bool,
    /// A record of it was removed that may describe flushed bytes, and that is not flushed: it may come back.
    is_removal_unflushed: bool,
    /// How long it is on the disk at most, as far as it is not known to be written in order.
    pub(super) disk_length: u64,
    /// Its first bytes, which are known to be written and to be those of `known`.
    pub(super) length: u64,
    pub(super) known: Known,
    /// What the server said of the version: its digests, its time and its coding.
    pub(super) digests: Vec<Digest>,
    pub(super) modified: Option<Stamp>,
    pub(super) content_encoding: Option<Box<str>>,
    /// Where its last bytes came from, after redirects.
    pub(super) came_from: Option<Target>,
    pub(super) record: RecordState,
    /// Why its bytes could not be taken back.
    rewind_fault: Option<Fault>,
    /// Why it is not gone on with: a flush failed, and what was written since the last one is lost, though it can be read; or
    /// its name leads elsewhere.
    pub(super) spoiled: Option<(FileStep, Fault)>,
    pub(super) checkpoint: Checkpoint,
    pub(super) hashing: Hashing,
}

/// Whether the file is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Asked,
    Open,
    /// It is not, and was not made.
    Failed,
    /// The answer was lost.
    Unknown,
}

/// Whether the name's lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// There are no locks here.
    None,
    Asked,
    Held,
    /// Somebody else has it, or the name leads elsewhere.
    Refused,
    /// The answer was lost.
    Unknown,
}

/// What stands where the record belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RecordState {
    /// Nothing.
    Absent,
    /// A record of the bytes that are there.
    Valid,
    /// Something, be it of other bytes.
    Unknown,
}

/// The running digests.
#[derive(Debug, Default)]
pub(super) struct Hashing {
    pub(super) lane: Option<Lane>,
    pub(super) algorithms: Algorithms,
    pub(super) asked: bool,
    pub(super) hashed: u64,
    next: u64,
    pub(super) digests: Option<Digests>,
}

/// What becomes of the unfinished file once nothing is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays open and locked: the download goes on with it.
    Hold,
    /// It stays, for a later run.
    Keep,
    Remove,
}

/// Whether the taking back of bytes is over.
#[derive(Debug)]
pub(super) enum Rewound {
    Working,
    Done,
    Failed(DownloadError),
}

impl Partial {
    /// Whether nobody else writes to it, so that it may be written to, and removed.
    pub(super) const fn is_ours(&self) -> bool {
        match self.lock {
            Lock::Held => true,
            // Nobody else knows its name.
            Lock::None | Lock::Asked | Lock::Refused | Lock::Unknown => self.record_path.is_none(),
        }
    }

    /// Whether it can be gone on with when it holds so many bytes.
    const fn is_resumable(&self, length: u64) -> bool {
        length > 0 && self.known.is_resumable() && self.spoiled.is_none()
    }

    /// The digests of all of its bytes are there.
    pub(super) const fn is_hashed(&self, length: u64) -> bool {
        self.hashing.algorithms.is_empty() || (self.hashing.digests.is_some() && self.hashing.hashed == length)
    }

    /// Whether its record, removed or about to be, would be there again after a loss of power, and be believed. One that
    /// another run left may say anything.
    pub(super) fn may_come_back(&self) -> bool {
        self.is_removal_unflushed
            || self.record == RecordState::Unknown
            || (self.record == RecordState::Valid && self.checkpoint.durable > 0)
    }

    /// It is not gone on with, and the first reason counts. What was skipped was skipped for another.
    pub(super) fn spoil(&mut self, step: FileStep, fault: Fault) {
        if fault.kind() != FaultKind::Skipped {
            self.spoiled.get_or_insert((step, fault));
        }
    }

    /// Bytes of it may be lost, though they can be read, and its record says that they are good.
    fn is_lost(&self) -> bool {
        let is_lost = matches!(self.spoiled, Some((FileStep::Flush, _)));
        is_lost && self.opening == Opening::Open && self.lock == Lock::Held && self.record != RecordState::Absent
    }

    fn record_is_gone(&mut self, was_there: bool) {
        self.is_removal_unflushed |= self.may_come_back() && (was_there || self.was_there);
        self.record = RecordState::Absent;
        self.checkpoint.record_is_gone();
    }

    fn forget_bytes(&mut self) {
        self.length = 0;
        self.known = Known::default();
        self.digests.clear();
        self.modified = None;
        self.content_encoding = None;
        self.came_from = None;
        self.hashing.forget();
    }
}

impl Hashing {
    pub(super) fn forget(&mut self) {
        self.hashed = 0;
        self.digests = None;
    }

    /// From now on these are computed.
    pub(super) fn want(&mut self, algorithms: Algorithms) {
        if self.algorithms != algorithms {
            self.algorithms = algorithms;
            self.forget();
        }
    }

    pub(super) fn done(&mut self, result: Result<Digests, Fault>) -> Result<(), Fault> {
        self.asked = false;
        self.digests = Some(result?);
        self.hashed = self.next;
        Ok(())
    }
}

impl Download {
    // Making and locking it.

    /// Makes or finds the unfinished file, locks it, and looks again whether it is needed. Who looks for the file.
    pub(super) fn claim(&mut self, cx: &mut Context<'_>) -> Option<ActionId> {
        self.epoch += 1;
        // Another process may have removed the folder where it was empty, and somebody by hand: then the file cannot be made, and
        // the next claim asks for it. Or somebody has moved it away, which does not show: so it is asked for from time to time.
        let is_known = cx.effects.work_folder_asked_at.is_some_and(|at| cx.now < at + WORK_FOLDER_INTERVAL);
        if !is_known || self.claims > 1 {
            cx.effects.work_folder_asked = true;
            cx.effects.work_folder_asked_at = Some(cx.now);
            let folder = cx.effects.work_folder();
            self.making_work_folder = Some(self.file_op(cx, |ticket| FileOp::MakeDir { ticket, path: folder }));
        }
        let key = self.name.key();
        let locks = cx.locks && !self.lacks_locks;
        let is_shared = locks && !self.stands_alone;
        let (path, record_path) = if is_shared {
            let record = StorePath::of_key(key, None, ".rec");
            (StorePath::of_key(key, None, ".part"), Some(record))
        } else {
            let random = self.rng.next_u64();
            (StorePath::of_key(key, Some(random), ".part"), None)
        };
        let file = cx.effects.file();
        self.partial = Some(Box::new(Partial {
            file,
            path: path.clone(),
            record_path: record_path.clone(),
            opening: Opening::Asked,
            lock: if locks { Lock::Asked } else { Lock::None },
            is_published: false,
            is_untouched: true,
            was_there: false,
            is_removal_unflushed: false,
            disk_length: 0,
            length: 0,
            known: Known::default(),
            digests: Vec::new(),
            modified: None,
            content_encoding: None,
            came_from: None,
            record: if is_shared { RecordState::Unknown } else { RecordState::Absent },
            rewind_fault: None,
            spoiled: None,
            checkpoint: Checkpoint::new(cx.now),
            hashing: Hashing::default(),
        }));
        let mode = match is_shared {
            // One that is open for writing could not be run (ETXTBSY), should it get its name just now.
            true if self.only_looks => OpenMode::Read,
            true => OpenMode::CreateOrExisting,
            false => OpenMode::CreateNew,
        };
        let locked_as = path.clone();
        self.file_op(cx, |ticket| FileOp::Open { ticket, file, path, mode });
        if locks {
            self.file_op(cx, |ticket| FileOp::Lock { ticket, file, path: locked_as });
        }
        let path = record_path?;
        let name = StorePath::from(&self.name);
        let look = self.file_op(cx, |ticket| FileOp::Stat { ticket, path: name });
        self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
        Some(look)
    }

    pub(super) fn opened(&mut self, result: &Result<Opened, Fault>) {
        let Some(partial) = self.partial.as_deref_mut() else { return };
        match result {
            Ok(opened) => {
                partial.opening = Opening::Open;
                partial.was_there = !opened.created;
                partial.disk_length = opened.length;
            }
            // Only a lost ticket leaves open whether it was made.
            Err(fault) if fault.kind() == FaultKind::Aborted => partial.opening = Opening::Unknown,
            Err(_) => partial.opening = Opening::Failed,
        }
    }

    pub(super) fn locked(&mut self, result: &Result<u64, Fault>) {
        let Some(partial) = self.partial.as_deref_mut() else { return };
        partial.lock = match result.as_ref().map_err(Fault::kind) {
            Ok(length) => {
                partial.disk_length = *length;
                Lock::Held
            }
            Err(FaultKind::Busy | FaultKind::Changed | FaultKind::WrongType | FaultKind::Unsupported) => Lock::Refused,
            Err(_) => Lock::Unknown,
        };
    }

    // Going on with what an earlier run left.

    /// Whether a record stands beside it. Where none does, another run may have died between its removal and the flush of
    /// that, so that it would come back beside other bytes.
    pub(super) fn record_looked_for(&mut self, is_absent: bool) {
        let Some(partial) = self.partial.as_deref_mut() else { return };
        if is_absent {
            partial.record = RecordState::Absent;
            partial.is_removal_unflushed = partial.was_there && partial.record_path.is_some();
        }
    }

    /// Reads the record.
    pub(super) fn read_record(&mut self, cx: &mut Context<'_>) {
        let Some(path) = self.partial.as_deref().and_then(|partial| partial.record_path.clone()) else { return };
        self.epoch += 1;
        let file = cx.effects.file();
        // One byte more than a record has, so that what is too long is no record.
        let bytes_max = Record::BYTES_MAX + 1;
        let role = Role::Reading;
        self.file_op_for(role, cx, |ticket| FileOp::Open { ticket, file, path, mode: OpenMode::Existing });
        self.file_op_for(role, cx, |ticket| FileOp::Read { ticket, file, offset: 0, bytes_max });
        self.file_op_for(role, cx, |ticket| FileOp::Close { ticket, file });
        // What failed there is no reason to skip what follows.
        self.epoch += 1;
    }

    /// Takes over what the record describes, as far as it can be trusted.
    pub(super) fn adopt(&mut self, record: &[u8], cx: &Context<'_>) {
        let Some(partial) = self.partial.as_deref_mut() else { return };
        let Ok(record) = Record::decode(record) else { return };
        let url = cx.config.noted(&self.request.target.url);
        let boot = if cx.config.makes(Planted::BootIgnored) { record.boot } else { cx.boot };
        let Some(length) = crate::resume::kept(&record, url.as_str(), boot, partial.disk_length) else { return };
        partial.length = length;
        partial.record = RecordState::Valid;
        partial.checkpoint.durable = record.durable;
        partial.checkpoint.is_of_this_boot = record.boot == cx.boot;
        let identity = Some(Identity::Strong(record.validator));
        let source = match record.url.split_once('#') {
            Some((_, source)) => source.into(),
            None => source_of(&self.request.target.url),
        };
        partial.known = Known { identity, total: record.total, source };
        // What is there already is no progress of this run.
        self.attempts.begin_at(length);
    }

    // Taking back.

    /// Takes back the bytes that are not known to be good, all of them where none is; the record goes before them. To be
    /// called again when answers have come.
    pub(super) fn rewind(&mut self, cx: &mut Context<'_>) -> Rewound {
        let Some(partial) = self.partial.as_deref_mut() else { return Rewound::Done };
        partial.is_untouched = false;
        if let Some(fault) = partial.rewind_fault.take() {
            return Rewound::Failed(DownloadError::File { step: FileStep::Rewind, fault });
        }
        if self.unanswered > 0 {
            return Rewound::Working;
        }
        if partial.length == 0
            && partial.record != RecordState::Absent
            && !cx.config.makes(Planted::RecordKept)
            && let Some(path) = partial.record_path.clone()
        {
            self.epoch += 1;
            let items = vec![DeleteItem { path, expect: Expect::File }];
            self.file_op_for(Role::Rewind, cx, |ticket| FileOp::Delete { ticket, items });
            return Rewound::Working;
        }
        let (file, length) = (partial.file, partial.length);
        let flushes = partial.is_removal_unflushed && !cx.config.makes(Planted::RemovalUnflushed);
        let flushed = partial.record_path.clone().filter(|_| flushes);
        if flushed.is_none() && partial.disk_length <= length {
            return Rewound::Done;
        }
        self.epoch += 1;
        if let Some(path) = flushed {
            self.file_op_for(Role::Rewind, cx, |ticket| FileOp::SyncDir { ticket, path });
        }
        self.file_op_for(Role::Rewind, cx, |ticket| FileOp::Truncate { ticket, file, length });
        Rewound::Working
    }

    /// Nothing of what the unfinished file holds is of use any more.
    pub(super) fn forget_bytes(&mut self) {
        if let Some(partial) = self.partial.as_deref_mut() {
            partial.disk_length = partial.disk_length.max(partial.length);
            partial.forget_bytes();
            partial.checkpoint.begin_anew();
        }
    }

    pub(super) fn record_deleted(&mut self, result: Result<Vec<Deleted>, Fault>) {
        let Some(partial) = self.partial.as_deref_mut() else { return };
        match gone(result) {
            Ok(was_there) => partial.record_is_gone(was_there),
            Err(fault) => partial.rewind_fault = Some(fault),
        }
    }

    /// The names in the work folder were flushed.
    pub(super) fn removal_flushed(&mut self, result: Result<(), Fault>) -> Result<(), Fault> {
        self.rewound(result, |partial| partial.is_removal_unflushed = false)
    }

    pub(super) fn truncated(&mut self, result: Result<(), Fault>) -> Result<(), Fault> {
        self.rewound(result, |partial| partial.disk_length = partial.length)
    }

    fn rewound(&mut self, result: Result<(), Fault>, note: impl FnOnce(&mut Partial)) -> Result<(), Fault> {
        if let Some(partial) = self.partial.as_deref_mut() {
            match &result {
                Ok(()) => note(partial),
                Err(fault) => {
                    partial.rewind_fault.get_or_insert_with(|| fault.clone());
                }
            }
        }
        result
    }

    // Its digests.

    /// Adds what is written to the running digests, where it is worth it or the file ends there.
    pub(super) fn hash_on(&mut self, ends: bool, cx: &mut Context<'_>) {
        let Some(partial) = self.partial.as_deref_mut() else { return };
        let (file, length) = (partial.file, partial.length);
        let hashing = &mut partial.hashing;
        if hashing.algorithms.is_empty() || hashing.asked {
            return;
        }
        let due = length.saturating_sub(hashing.hashed);
        let is_enough = if ends { due > 0 || hashing.digests.is_none() } else { due >= HASH_BYTES_MIN };
        if !is_enough {
            return;
        }
        let (algorithms, from) = (hashing.algorithms, hashing.hashed);
        let to = length.min(from.saturating_add(HASH_BYTES_MAX));
        hashing.asked = true;
        hashing.next = to;
        let lane = *hashing.lane.get_or_insert_with(|| cx.effects.lane());
        // Nothing else is in this lane, and a failure ends the hashing.
        self.file_op_in((lane, 0), Role::Main, cx, |ticket| FileOp::Hash { ticket, file, algorithms, from, to });
    }

    // Letting go.

    /// What is to become of the unfinished file, if this is what follows.
    pub(super) fn fate(&self, then: &super::Then, cx: &Context<'_>) -> Fate {
        use super::Then;
        use crate::Outcome;
        let Some(partial) = self.partial.as_deref() else { return Fate::Remove };
        let is_given_up = match then {
            Then::Finish(Outcome::Canceled) => self.keeps_partial,
            Then::Finish(Outcome::Failed(_)) => true,
            Then::Finish(Outcome::Complete(_) | Outcome::Present { .. })
            | Then::Retry { .. }
            | Then::Wait { .. }
            | Then::MakeRoom(_)
            | Then::Follow { .. } => false,
        };
        let is_interrupted = matches!(then, Then::Finish(Outcome::Canceled));
        let may_hold_bytes = partial.disk_length > 0 || (is_interrupted && partial.opening == Opening::Unknown);
        let is_shared = partial.record_path.is_some();
        if partial.is_untouched && is_given_up && cx.config.resume == Resume::AcrossRuns && is_shared && may_hold_bytes
        {
            return Fate::Keep;
        }
        if partial.is_published || !partial.is_ours() || partial.opening != Opening::Open {
            return Fate::Remove;
        }
        // What has come is written before it is decided what can be gone on with.
        let coming = self.transfer.as_deref().and_then(|transfer| transfer.gather.coming_to());
        let length = coming.unwrap_or(partial.length);
        let resumable = cx.config.resume != Resume::Never && partial.is_resumable(length);
        match then {
            Then::Follow { .. } => Fate::Hold,
            Then::Retry { keeps: true, .. } if resumable => Fate::Hold,
            Then::Retry { .. } | Then::Wait { .. } | Then::MakeRoom(_) => Fate::Remove,
            Then::Finish(Outcome::Canceled) if !self.keeps_partial => Fate::Remove,
            Then::Finish(Outcome::Failed(error)) if !crate::reply::leaves_good_bytes(error) => Fate::Remove,
            Then::Finish(Outcome::Canceled | Outcome::Failed(_)) => {
                let noted = partial.record == RecordState::Valid;
                let kept = resumable && cx.config.resume == Resume::AcrossRuns;
                if kept && (noted || Self::may_note(partial, length, cx)) { Fate::Keep } else { Fate::Remove }
            }
            Then::Finish(Outcome::Complete(_) | Outcome::Present { .. }) => Fate::Remove,
        }
    }

    /// Lets go of the unfinished file, and removes it unless it is kept. Only who holds its lock unlinks it, before he
    /// unlocks.
    pub(super) fn release(&mut self, keeps: bool, cx: &mut Context<'_>) {
        let Some(partial) = self.partial.as_deref() else { return };
        if keeps && !partial.is_untouched && partial.record != RecordState::Valid {
            self.checkpoint(false, cx);
            if self.unanswered == 0 {
                // What has no record is of no use to a later run.
                self.release(false, cx);
            }
            return;
        }
        let Some(partial) = self.partial.take() else { return };
        let may_come_back = partial.may_come_back() && !cx.config.makes(Planted::RemovalUnflushed);
        if !keeps && !partial.is_published && partial.is_lost() {
            // Whatever comes of its removal, nobody is to go on with it.
            self.epoch += 1;
            let file = partial.file;
            self.file_op_for(Role::Removal, cx, |ticket| FileOp::Truncate { ticket, file, length: 0 });
        }
        let Partial { file, opening, lock, is_published, record, .. } = *partial;
        self.epoch += 1;
        let may_be_there = matches!(opening, Opening::Open | Opening::Unknown) && !is_published;
        // Nobody else knows a name of its own.
        let is_ours = lock != Lock::Refused || partial.record_path.is_none();
        if may_be_there && !keeps && is_ours {
            if lock != Lock::None && partial.record_path.is_some() {
                // Whatever was answered before: the name may lead elsewhere by now.
                let path = partial.path.clone();
                self.file_op_for(Role::Removal, cx, |ticket| FileOp::Lock { ticket, file, path });
            }
            // The record goes first, and for good: else it could come back beside the next unfinished file of that name.
            if let Some(path) = partial.record_path.clone().filter(|_| record != RecordState::Absent) {
                self.remove(path, cx);
            }
            if let Some(path) = partial.record_path.filter(|_| may_come_back) {
                self.file_op_for(Role::Removal, cx, |ticket| FileOp::SyncDir { ticket, path });
            }
            self.remove(partial.path, cx);
        }
        if lock != Lock::None {
            self.file_op_for(Role::Removal, cx, |ticket| FileOp::Unlock { ticket, file });
        }
        if lock != Lock::Refused || !cx.config.makes(Planted::CloserSkipped) {
            self.file_op_for(Role::Removal, cx, |ticket| FileOp::Close { ticket, file });
        }
    }

    pub(super) fn remove(&mut self, path: StorePath, cx: &mut Context<'_>) {
        let items = vec![DeleteItem { path: path.clone(), expect: Expect::File }];
        let action = self.file_op_for(Role::Removal, cx, |ticket| FileOp::Delete { ticket, items });
        self.removing.push((action, path));
    }

    /// Then the unfinished file stays, so that who finds it looks after its record.
    pub(super) fn record_may_come_back(&mut self, fault: Fault, cx: &mut Context<'_>) {
        if let Some((_, path)) = self.removing.last().filter(|_| fault.kind() != FaultKind::Skipped) {
            cx.effects.notice(Notice::Warning(Warning::Litter { path: path.clone(), fault }));
        }
    }

    pub(super) fn removed(&mut self, action: ActionId, result: Result<Vec<Deleted>, Fault>, cx: &mut Context<'_>) {
        let Some(at) = self.removing.iter().position(|(id, _)| *id == action) else { return };
        let (_, path) = self.removing.swap_remove(at);
        match gone(result) {
            // Skipped: somebody else has the lock, and so the file.
            Ok(_) => {}
            Err(fault) if fault.kind() == FaultKind::Skipped => {}
            Err(fault) => cx.effects.notice(Notice::Warning(Warning::Litter { path, fault })),
        }
    }
}

/// Whether the one name that was to be deleted was there, or why it still is.
fn gone(result: Result<Vec<Deleted>, Fault>) -> Result<bool, Fault> {
    match result.map(|deleted| deleted.into_iter().next()) {
        Ok(Some(Deleted::Deleted)) => Ok(true),
        Ok(Some(Deleted::Gone) | None) => Ok(false),
        Ok(Some(Deleted::Changed)) => Err(Fault::new(FaultKind::Changed)),
        Ok(Some(Deleted::Busy | Deleted::Pinned | Deleted::Locked)) => Err(Fault::new(FaultKind::Busy)),
        Ok(Some(Deleted::Denied(fault))) | Err(fault) => Err(fault),
    }
}
