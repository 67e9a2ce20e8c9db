//! The disk's side of a random run.

use dlmanager_core::{
    Answer, Completion, DeleteItem, Deleted, Fault, FaultKind, FileAction, FileKind, FileOp, Lane, OWNER_MARK, Record,
    Stamp,
};

use super::network::Going;
use super::{Run, seconds_before};
use crate::lanes::{Turn, skipped};
use crate::model::says_deleted;
use crate::told::{Answered, FileResult, Reason, Subject, Told};

impl Run<'_> {
    /// What stands in the directory at first: the later a name, the longer ago it was accessed.
    pub(super) fn prepare_directory(&mut self) {
        let now = self.directory.now();
        if self.model.setting.is_marked {
            self.directory.put_file(OWNER_MARK, b"dlmanager 1\n");
        }
        for (age, name) in self.model.setting.names[..self.model.setting.files_before].iter().enumerate() {
            let stamp = seconds_before(now, 100 + i64::try_from(age).unwrap_or(0));
            self.put_file(name, b"0123456789", stamp);
        }
        self.model.is_undisturbed = true;
    }

    /// Somebody else puts a file.
    pub(super) fn put_file(&mut self, name: &str, bytes: &'static [u8], accessed: Stamp) {
        if let Some((folder, _)) = name.rsplit_once('/') {
            self.model.folder_made(folder);
        }
        self.directory.put_file(name, bytes);
        self.directory.set_stamps(name, accessed, accessed);
        self.model.stranger(name, Some(Some(bytes.into())));
        self.model.is_undisturbed = false;
    }

    /// Somebody else changes what stands under a name.
    pub(super) fn strangers_move(&mut self, name: &str) {
        let stands = self.directory.stat(name).map(|stat| stat.kind);
        match (self.choices.index(4), stands) {
            (0, Some(_)) => {
                self.directory.remove(name);
                self.model.stranger(name, None);
            }
            (1, None) => {
                if let Some((folder, _)) = name.rsplit_once('/') {
                    self.model.folder_made(folder);
                }
                self.directory.put_folder(name);
                self.model.stranger(name, Some(None));
            }
            (_, None | Some(FileKind::Regular)) => {
                let now = self.directory.now();
                self.put_file(name, b"a stranger's", now);
            }
            _ => return,
        }
        self.note(|_| format!("             .. a stranger's hand on {name}"));
        self.report.reached("a stranger");
        self.model.is_undisturbed = false;
    }

    /// The first action of a lane is done.
    pub(super) fn do_file(&mut self, lane: Lane, going: Going) {
        let action = match self.lanes.take(lane) {
            None => return,
            Some(Turn::Skipped(action)) => {
                let subject = Subject::of(&action.op);
                let result = FileResult::Failed(Reason::Fault(FaultKind::Skipped));
                self.report.reached(format!("{} skipped", subject.word()));
                self.answered
                    .push(Answered { completion: skipped(action), told: Told::File { lane, subject, result } });
                return;
            }
            Some(Turn::Execute(action)) => action,
        };
        let epoch = action.epoch;
        let goes_wrong = match going {
            Going::Well => false,
            Going::Badly => true,
            Going::Chosen => {
                // A record is seldom read.
                let seldom = matches!(action.op, FileOp::Read { .. });
                let chances = self.model.setting.file_faults * if seldom { 8 } else { 1 };
                self.choices.happens(chances)
            }
        };
        self.files_done += 1;
        let subject = Subject::of(&action.op);
        let flushed = self.model.flushed_by(&action.op);
        let (completion, result) =
            if goes_wrong { self.do_badly(action, &subject) } else { self.do_well(action, &subject) };
        if completion.is_failure() {
            self.model.flush_failed(flushed);
        }
        if let Some(reason) = result.reason() {
            self.report.reached(format!("{} {reason:?}", subject.word()));
        }
        self.lanes.executed(lane, epoch, &completion);
        self.model.check_visible(&self.directory);
        self.answered.push(Answered { completion, told: Told::File { lane, subject, result } });
    }

    fn do_well(&mut self, action: FileAction, subject: &Subject) -> (Completion, FileResult) {
        let id = action.id();
        let answer = self.perform(action, subject);
        let result = FileResult::of(&answer);
        (Self::forged(id, answer), result)
    }

    /// Performs an action, and tells the model what it did.
    fn perform(&mut self, action: FileAction, subject: &Subject) -> Answer {
        let lane = action.lane;
        let renamed = match subject {
            Subject::Rename { from, .. } => self.directory.read(from),
            _ => None,
        };
        self.model.file_done(&action.op, &self.directory);
        if let FileOp::Write { data, .. } = &action.op
            && let Ok(record) = Record::decode(&data.concat())
        {
            self.report.reached(if record.durable > 0 { "checkpoint flushed" } else { "record written" });
        }
        let locks = if let FileOp::Lock { file, .. } = action.op { Some(file) } else { None };
        let answer = self.directory.execute(action).into_answer();
        if let (Some(file), Answer::Lock(Ok(_))) = (locks, &answer) {
            self.model.lock_taken(file);
        }
        match (subject, &answer) {
            (Subject::Rename { to, clobber, .. }, Answer::Rename(Ok(()))) => {
                self.model.renamed(lane, to, *clobber, renamed.as_deref().unwrap_or_default());
            }
            (Subject::MakeDir(path), Answer::MakeDir(Ok(()))) => self.model.folder_made(path),
            (Subject::Delete(items), Answer::Delete(Ok(deleted))) => {
                for (item, _) in items.iter().zip(deleted).filter(|(_, result)| says_deleted(result)) {
                    self.model.deleted(item);
                }
            }
            _ => {}
        }
        answer
    }

    /// An action fails, or its answer is lost; it may have done its work, or a part of it.
    fn do_badly(&mut self, action: FileAction, subject: &Subject) -> (Completion, FileResult) {
        self.file_faults += 1;
        if let Subject::Delete(items) = subject
            && self.choices.happens(128)
        {
            return self.delete_some(&action, items);
        }
        let (is_aborted, mut kind) = self.bad_luck();
        let is_done = self.choices.happens(128);
        if let Subject::Rename { clobber, .. } = subject
            && kind == FaultKind::Exists
            && (is_done || *clobber)
        {
            // Only a name that is taken is answered so, and then nothing was done.
            kind = FaultKind::Io;
        }
        let may_be_done = !matches!(subject, Subject::Open { .. }) || is_aborted;
        if is_done && may_be_done {
            let twin = self.twin(&action);
            let _ = self.perform(twin, subject);
            self.report.reached(format!("{} done and not told", subject.word()));
            self.model.mark_may_stand |= matches!(subject, Subject::Rename { to, .. } if to == OWNER_MARK);
        } else if let Subject::Delete(items) = subject {
            items.iter().for_each(|item| self.model.deletion_failed(item));
        } else if action.op.is_closer() {
            // Whatever a closer answers, it has closed.
            let twin = self.twin(&action);
            let _ = self.perform(twin, subject);
        }
        if matches!(subject, Subject::Delete(_) | Subject::Touch(_) | Subject::Stat(_) | Subject::Scan) {
            self.model.is_undisturbed = false;
        }
        if is_aborted {
            (Completion::aborted(action.id()), FileResult::Failed(Reason::Aborted))
        } else {
            (action.fail(Fault::new(kind)), FileResult::Failed(Reason::Fault(kind)))
        }
    }

    /// Some names of a batch are deleted, others may not be.
    fn delete_some(&mut self, action: &FileAction, items: &[DeleteItem]) -> (Completion, FileResult) {
        let id = action.id();
        let mut deleted = Vec::new();
        for item in items {
            if self.choices.happens(128) {
                let one = vec![item.clone()];
                let op = FileOp::Delete { ticket: self.spare_tickets.ticket(), items: one.clone() };
                let single = FileAction { lane: action.lane, epoch: action.epoch, op };
                self.model.is_undisturbed = false;
                match self.perform(single, &Subject::Delete(one)) {
                    Answer::Delete(Ok(results)) => deleted.extend(results),
                    _ => deleted.push(Deleted::Gone),
                }
                continue;
            }
            self.model.deletion_failed(item);
            deleted.push(match self.choices.index(3) {
                0 => Deleted::Busy,
                1 => Deleted::Changed,
                _ => Deleted::Denied(Fault::new(FaultKind::Denied)),
            });
        }
        self.report.reached("a deletion denied");
        let result = FileResult::Deleted(deleted.clone());
        (Self::forged(id, Answer::Delete(Ok(deleted))), result)
    }

    /// The same action with a ticket that nobody waits for; of a write the first half.
    fn twin(&mut self, action: &FileAction) -> FileAction {
        let tickets = &mut self.spare_tickets;
        let op = match &action.op {
            FileOp::Probe { path, .. } => FileOp::Probe { ticket: tickets.ticket(), path: path.clone() },
            FileOp::MakeDir { path, .. } => FileOp::MakeDir { ticket: tickets.ticket(), path: path.clone() },
            FileOp::Gauge { .. } => FileOp::Gauge { ticket: tickets.ticket() },
            FileOp::Scan { scan, folder, entries_max, .. } => {
                let (ticket, folder) = (tickets.ticket(), folder.clone());
                FileOp::Scan { ticket, scan: *scan, folder, entries_max: *entries_max }
            }
            FileOp::Stat { path, .. } => FileOp::Stat { ticket: tickets.ticket(), path: path.clone() },
            FileOp::Open { file, path, mode, .. } => {
                FileOp::Open { ticket: tickets.ticket(), file: *file, path: path.clone(), mode: *mode }
            }
            FileOp::Read { file, offset, bytes_max, .. } => {
                FileOp::Read { ticket: tickets.ticket(), file: *file, offset: *offset, bytes_max: *bytes_max }
            }
            FileOp::Truncate { file, length, .. } => {
                FileOp::Truncate { ticket: tickets.ticket(), file: *file, length: *length }
            }
            FileOp::SetTimes { file, modified, .. } => {
                FileOp::SetTimes { ticket: tickets.ticket(), file: *file, modified: *modified }
            }
            FileOp::Hash { file, algorithms, from, to, .. } => {
                let (from, to) = (*from, *to);
                FileOp::Hash { ticket: tickets.ticket(), file: *file, algorithms: *algorithms, from, to }
            }
            FileOp::Write { file, offset, data, .. } => {
                let half = data[..data.len().div_ceil(2)].to_vec();
                FileOp::Write { ticket: tickets.ticket(), file: *file, offset: *offset, data: half }
            }
            FileOp::KeepDigests { file, digests, .. } => {
                FileOp::KeepDigests { ticket: tickets.ticket(), file: *file, digests: digests.clone() }
            }
            FileOp::Sync { file, .. } => FileOp::Sync { ticket: tickets.ticket(), file: *file },
            FileOp::Finish { file, length, path, .. } => {
                FileOp::Finish { ticket: tickets.ticket(), file: *file, length: *length, path: path.clone() }
            }
            FileOp::Rename { from, to, clobber, .. } => {
                FileOp::Rename { ticket: tickets.ticket(), from: from.clone(), to: to.clone(), clobber: *clobber }
            }
            FileOp::SyncDir { path, .. } => FileOp::SyncDir { ticket: tickets.ticket(), path: path.clone() },
            FileOp::Delete { items, .. } => FileOp::Delete { ticket: tickets.ticket(), items: items.clone() },
            FileOp::Touch { path, unless_within, .. } => {
                FileOp::Touch { ticket: tickets.ticket(), path: path.clone(), unless_within: *unless_within }
            }
            FileOp::Lock { file, path, .. } => {
                FileOp::Lock { ticket: tickets.ticket(), file: *file, path: path.clone() }
            }
            FileOp::Unlock { file, .. } => FileOp::Unlock { ticket: tickets.ticket(), file: *file },
            FileOp::Close { file, .. } => FileOp::Close { ticket: tickets.ticket(), file: *file },
        };
        FileAction { lane: action.lane, epoch: action.epoch, op }
    }
}
