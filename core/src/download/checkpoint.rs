//! The record beside the unfinished file: when it is written, and behind which flush. It may lag behind the bytes, it never
//! leads, and it never describes those of another version.

use alloc::boxed::Box;
use alloc::vec;

use super::partial::{Lock, Partial, RecordState};
use super::{Context, Download};
use crate::action::OpenMode;
use crate::effects::Role;
use crate::planted::Planted;
use crate::record::Record;
use crate::resume::source_of;
use crate::{Durability, Fault, FaultKind, FileOp, FileStep, Instant, Lane, Resume};

/// What was noted of the file, and what is being noted.
#[derive(Debug)]
pub(super) struct Checkpoint {
    lane: Option<Lane>,
    epoch: u32,
    unanswered: u32,
    /// The record says so many bytes are flushed, and is of this start of the machine.
    pub(super) durable: u64,
    pub(super) is_of_this_boot: bool,
    /// The file's own name is flushed.
    is_name_flushed: bool,
    /// What the checkpoint under way will have flushed.
    durable_next: u64,
    at: Instant,
    /// A record could not be written: none is written any more.
    failed: bool,
}

impl Checkpoint {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            lane: None,
            epoch: 0,
            unanswered: 0,
            durable: 0,
            is_of_this_boot: true,
            is_name_flushed: false,
            durable_next: 0,
            at: now,
            failed: false,
        }
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.unanswered > 0
    }

    /// There is no record any more: the next one begins anew.
    pub(super) const fn record_is_gone(&mut self) {
        self.durable = 0;
        self.is_of_this_boot = true;
    }

    /// Of other bytes a record may be written again.
    pub(super) const fn begin_anew(&mut self) {
        self.failed = false;
    }
}

impl Download {
    /// Notes what the unfinished file holds, where that is due.
    pub(super) fn checkpoint_if_due(&mut self, cx: &mut Context<'_>) {
        let Some(partial) = self.partial.as_deref() else { return };
        let checkpoint = &partial.checkpoint;
        if checkpoint.is_under_way() || !Self::may_note(partial, partial.length, cx) {
            return;
        }
        if partial.record != RecordState::Valid || !checkpoint.is_of_this_boot {
            return self.checkpoint(false, cx);
        }
        let grown = partial.length.saturating_sub(checkpoint.durable);
        let is_due = grown >= cx.config.checkpoint_bytes.max(1) && checkpoint.at + cx.config.checkpoint_time <= cx.now;
        if cx.config.durability != Durability::None && is_due {
            self.checkpoint(true, cx);
        }
    }

    /// Whether a record of so many bytes makes sense and can be made.
    pub(super) fn may_note(partial: &Partial, length: u64, cx: &Context<'_>) -> bool {
        cx.config.resume == Resume::AcrossRuns
            && length >= cx.config.record_bytes_min.max(1)
            && partial.record_path.is_some()
            && partial.lock == Lock::Held
            && partial.known.identity.as_ref().is_some_and(|identity| identity.strong().is_some())
            // A record does not say how the bytes are coded.
            && partial.content_encoding.is_none()
            && !partial.checkpoint.failed
            && partial.spoiled.is_none()
    }

    /// Writes the record, in place and in one piece, behind a flush of what it says is flushed.
    pub(super) fn checkpoint(&mut self, flushes: bool, cx: &mut Context<'_>) {
        let url = &self.request.target.url;
        let Some(partial) = self.partial.as_deref_mut() else { return };
        let Some(path) = partial.record_path.clone() else { return };
        // A validator counts for the resource that it came with.
        let source = &partial.known.source;
        let noted = cx.config.noted(url);
        let url: Box<str> =
            if *source == source_of(url) { noted.as_str().into() } else { alloc::format!("{noted}#{source}").into() };
        let Some(validator) = partial.known.identity.as_ref().and_then(|identity| identity.strong()).cloned() else {
            return;
        };
        let checkpoint = &mut partial.checkpoint;
        let durable = if flushes { partial.length } else { checkpoint.durable };
        let record = Record { url, validator, total: partial.known.total, boot: cx.boot, durable };
        let Some(bytes) = record.encode() else {
            checkpoint.failed = true;
            return;
        };
        checkpoint.durable_next = durable;
        checkpoint.at = cx.now;
        checkpoint.epoch += 1;
        let lane = *checkpoint.lane.get_or_insert_with(|| cx.effects.lane());
        let place = (lane, checkpoint.epoch);
        // Else a crash could leave an older file under the name, and this record beside it.
        let flushes_name = flushes && !checkpoint.is_name_flushed;
        checkpoint.is_name_flushed |= flushes;
        checkpoint.unanswered = 4 + u32::from(flushes) + u32::from(flushes_name);
        let (file, locked_as) = (partial.file, partial.path.clone());
        let mode = if partial.record == RecordState::Absent { OpenMode::CreateNew } else { OpenMode::Existing };
        partial.record = partial.record.max(RecordState::Valid);
        let record_file = cx.effects.file();
        let is_late = cx.config.makes(Planted::RecordBeforeFlush);
        if flushes && !is_late {
            self.file_op_in(place, Role::Checkpoint, cx, |ticket| FileOp::Sync { ticket, file });
        }
        if flushes_name {
            let path = path.clone();
            self.file_op_in(place, Role::Checkpoint, cx, |ticket| FileOp::SyncDir { ticket, path });
        }
        // Somebody may have emptied the work folder: the record would then be another file's.
        self.file_op_in(place, Role::Checkpoint, cx, |ticket| FileOp::Lock { ticket, file, path: locked_as });
        self.file_op_in(place, Role::Checkpoint, cx, |ticket| FileOp::Open { ticket, file: record_file, path, mode });
        let data = vec![bytes];
        self.file_op_in(place, Role::Checkpoint, cx, |ticket| FileOp::Write {
            ticket,
            file: record_file,
            offset: 0,
            data,
        });
        self.file_op_in(place, Role::Checkpoint, cx, |ticket| FileOp::Close { ticket, file: record_file });
        if flushes && is_late {
            self.file_op_in(place, Role::Checkpoint, cx, |ticket| FileOp::Sync { ticket, file });
        }
    }

    /// An action of a checkpoint was answered: which step, where it matters, and why it did not work.
    pub(super) fn checkpointed(&mut self, step: Option<FileStep>, result: Result<(), Fault>) {
        let Some(partial) = self.partial.as_deref_mut() else { return };
        partial.checkpoint.unanswered = partial.checkpoint.unanswered.saturating_sub(1);
        match (step, result) {
            (Some(FileStep::Flush), Err(fault)) => {
                partial.checkpoint.failed = true;
                partial.spoil(FileStep::Flush, fault);
            }
            // The lock is held all the same, and the file asked about once more before it gets its name.
            (Some(FileStep::Lock), Err(fault)) => {
                partial.checkpoint.failed = true;
                if fault.kind() == FaultKind::Changed {
                    partial.spoil(FileStep::Lock, fault);
                }
            }
            (Some(FileStep::Write), Ok(())) => {
                partial.checkpoint.durable = partial.checkpoint.durable_next;
                partial.checkpoint.is_of_this_boot = true;
            }
            (Some(FileStep::Create | FileStep::Write), Err(_)) => {
                // What stands there is whole or is recognised as broken; it may be the one before.
                partial.checkpoint.failed = true;
                partial.record = RecordState::Unknown;
            }
            (_, _) => {}
        }
    }
}
