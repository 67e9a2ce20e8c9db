//! Whose directory it is: the mark of ownership, looked for and made.

use alloc::string::String;
use alloc::vec;

use bytes::Bytes;

use super::{Evictor, Scan};
use crate::action::{DeleteItem, Expect, OpenMode};
use crate::effects::Effects;
use crate::ticket::Answer;
use crate::{DirectoryError, Durability, Fault, FaultKind, FileOp, Notice, PersistLimit, StorePath};

/// How often the mark is tried to be made while others remove its folder.
const MARKS_MAX: u32 = 8;
/// What the mark of ownership holds: the format's version.
const OWNER_TEXT: &[u8] = b"dlmanager 1\n";
const OWNER_WORD: &[u8] = b"dlmanager ";
/// The version of the format of directories that this crate writes.
pub const OWNER_FORMAT: u64 = 1;
/// More than a mark has, so that what is longer is none.
const OWNER_BYTES_MAX: usize = 64;

/// Whether what is in the directory may be evicted.
#[derive(Debug)]
pub(super) enum Ownership {
    /// Not known yet: nothing may be fetched.
    Scanning,
    /// The scan has found this entry, or nothing at all: is the mark there?
    Looking(Looking),
    /// The mark is being made.
    Marking(Marking),
    /// The mark was made under its own name, or not: the file that it was written to goes.
    Unmarking {
        fault: Option<Fault>,
    },
    Ours,
    Refused(DirectoryError),
}

#[derive(Debug)]
pub(super) struct Looking {
    found: Option<String>,
    unanswered: u32,
    /// What the mark holds, or why that is not known.
    read: Option<Result<Bytes, Fault>>,
}

#[derive(Debug)]
pub(super) struct Marking {
    unanswered: u32,
    /// The name that it is written under, until it is whole.
    written_as: StorePath,
    renamed: Option<Result<(), Fault>>,
    fault: Option<Fault>,
}

impl Evictor {
    /// Takes an answer about the mark.
    pub(super) fn owner_reply(&mut self, reply: Answer, effects: &mut Effects) {
        match &self.ownership {
            Ownership::Looking(_) => self.looking(reply, effects),
            Ownership::Marking(_) => self.marking(reply, effects),
            Ownership::Unmarking { .. } => self.unmarked(effects),
            Ownership::Scanning | Ownership::Ours | Ownership::Refused(_) => {}
        }
    }

    pub(super) fn look_for_mark(&mut self, found: Option<String>, effects: &mut Effects) {
        self.ownership = Ownership::Looking(Looking { found, unanswered: 3, read: None });
        self.epoch += 1;
        let (file, path) = (effects.file(), StorePath::owner_mark());
        self.owner_op(effects, |ticket| FileOp::Open { ticket, file, path, mode: OpenMode::Read });
        self.owner_op(effects, |ticket| FileOp::Read { ticket, file, offset: 0, bytes_max: OWNER_BYTES_MAX });
        self.owner_op(effects, |ticket| FileOp::Close { ticket, file });
    }

    fn looking(&mut self, reply: Answer, effects: &mut Effects) {
        let Ownership::Looking(looking) = &mut self.ownership else { return };
        looking.unanswered = looking.unanswered.saturating_sub(1);
        if let Answer::Open(Err(fault)) = reply {
            looking.read = Some(Err(fault));
        } else if let Answer::Read(read) = reply {
            // The fault of the Open says more.
            let is_skipped = matches!(&read, Err(fault) if fault.kind() == FaultKind::Skipped);
            if !is_skipped || looking.read.is_none() {
                looking.read = Some(read);
            }
        }
        if looking.unanswered > 0 {
            return;
        }
        let (found, read) = (looking.found.take(), looking.read.take());
        match read {
            Some(Ok(text)) => match owner_format(&text) {
                Some(OWNER_FORMAT) => self.accept(effects),
                Some(format) => self.refuse(DirectoryError::Newer { format }, effects),
                None => self.refuse(DirectoryError::Fault(no_mark()), effects),
            },
            Some(Err(fault)) if fault.kind() == FaultKind::NotFound => self.unmarked_yet(found, effects),
            Some(Err(fault)) if fault.kind() == FaultKind::WrongType => {
                self.refuse(DirectoryError::Fault(no_mark()), effects);
            }
            Some(Err(fault)) => self.refuse(DirectoryError::Fault(fault), effects),
            None => self.refuse(DirectoryError::Fault(FaultKind::Aborted.into()), effects),
        }
    }

    /// There is no mark.
    fn unmarked_yet(&mut self, found: Option<String>, effects: &mut Effects) {
        match found {
            None => match self.mark_fault.take() {
                None => self.mark(effects),
                // Another process has removed the work folder, which was empty.
                Some(fault) if fault.kind() == FaultKind::NotFound && self.marks < MARKS_MAX => self.mark(effects),
                Some(fault) => self.refuse(DirectoryError::Fault(fault), effects),
            },
            Some(_) if self.config.adopt => self.accept(effects),
            Some(example) => self.refuse(DirectoryError::NotOurs { example }, effects),
        }
    }

    /// The directory is empty: all that will be put there is ours, and the mark says so to those who come later. It gets its
    /// name once it is whole, so that a mark which could not be made is none.
    fn mark(&mut self, effects: &mut Effects) {
        self.epoch += 1;
        self.marks += 1;
        let file = effects.file();
        effects.work_folder_asked = true;
        let folder = StorePath::work_folder();
        self.owner_op(effects, |ticket| FileOp::MakeDir { ticket, path: folder });
        let written_as = StorePath::in_work_folder(&alloc::format!("owner.{:016x}.part", self.random));
        let (path, mode) = (written_as.clone(), OpenMode::CreateNew);
        self.owner_op(effects, |ticket| FileOp::Open { ticket, file, path, mode });
        let data = vec![Bytes::from_static(OWNER_TEXT)];
        self.owner_op(effects, |ticket| FileOp::Write { ticket, file, offset: 0, data });
        let mut unanswered = 6;
        // Whatever the durability: a mark without its bytes would have the directory refused from then on.
        self.owner_op(effects, |ticket| FileOp::Sync { ticket, file });
        let (from, to) = (written_as.clone(), StorePath::owner_mark());
        self.owner_op(effects, |ticket| FileOp::Rename { ticket, from, to, clobber: false });
        if self.durability == Durability::Full {
            for path in [StorePath::owner_mark(), StorePath::work_folder()] {
                unanswered += 1;
                self.owner_op(effects, |ticket| FileOp::SyncDir { ticket, path });
            }
        }
        self.owner_op(effects, |ticket| FileOp::Close { ticket, file });
        self.ownership = Ownership::Marking(Marking { unanswered, written_as, renamed: None, fault: None });
    }

    fn marking(&mut self, reply: Answer, effects: &mut Effects) {
        let Ownership::Marking(marking) = &mut self.ownership else { return };
        marking.unanswered = marking.unanswered.saturating_sub(1);
        let failed = match reply {
            Answer::Rename(result) => {
                marking.renamed = Some(result);
                None
            }
            Answer::MakeDir(Err(failed))
            | Answer::Open(Err(failed))
            | Answer::Write(Err(failed))
            | Answer::Sync(Err(failed))
            | Answer::SyncDir(Err(failed)) => Some(failed),
            Answer::MakeDir(Ok(()))
            | Answer::Open(Ok(_))
            | Answer::Write(Ok(_))
            | Answer::Sync(Ok(()))
            | Answer::SyncDir(Ok(()))
            | Answer::Fetch(_)
            | Answer::ReadBody(_)
            | Answer::DropBody(_)
            | Answer::Probe(_)
            | Answer::Gauge(_)
            | Answer::Scan(_)
            | Answer::Stat(_)
            | Answer::Read(_)
            | Answer::Truncate(_)
            | Answer::SetTimes(_)
            | Answer::Hash(_)
            | Answer::KeepDigests(_)
            | Answer::Finish(_)
            | Answer::Delete(_)
            | Answer::Touch(_)
            | Answer::Lock(_)
            | Answer::Unlock(_)
            | Answer::Close(_)
            | Answer::Aborted => None,
        };
        if let Some(failed) = failed.filter(|failed| failed.kind() != FaultKind::Skipped) {
            marking.fault.get_or_insert(failed);
        }
        if marking.unanswered > 0 {
            return;
        }
        let fault = match marking.renamed.take() {
            // Should its name not be flushed, the worst is that a later run takes the files for a stranger's.
            Some(Ok(())) => return self.accept(effects),
            // Another process was faster: the mark is there.
            Some(Err(fault)) if fault.kind() == FaultKind::Exists => None,
            Some(Err(fault)) => Some(marking.fault.take().unwrap_or(fault)),
            None => Some(Fault::new(FaultKind::Aborted)),
        };
        let items = vec![DeleteItem { path: marking.written_as.clone(), expect: Expect::File }];
        self.ownership = Ownership::Unmarking { fault };
        self.epoch += 1;
        self.owner_op(effects, |ticket| FileOp::Delete { ticket, items });
    }

    fn unmarked(&mut self, effects: &mut Effects) {
        let Ownership::Unmarking { fault } = &mut self.ownership else { return };
        match fault.take() {
            None => self.accept(effects),
            Some(fault) if self.mark_fault.is_none() => {
                // It may have got its name all the same: only a look can tell.
                self.mark_fault = Some(fault);
                self.look_for_mark(None, effects);
            }
            Some(fault) => self.refuse(DirectoryError::Fault(fault), effects),
        }
    }

    fn accept(&mut self, effects: &mut Effects) {
        self.ownership = Ownership::Ours;
        effects.notice(Notice::DirectoryReady);
        self.scan_on(effects);
    }

    pub(super) fn refuse(&mut self, error: DirectoryError, effects: &mut Effects) {
        effects.notice(Notice::DirectoryRefused { error: error.clone() });
        self.ownership = Ownership::Refused(error);
        self.end_scan(Scan::Broken, effects);
        // Nothing that the scan has found is ours to evict.
        if let Scan::Complete = self.scan {
            self.scan = Scan::Broken;
        }
        self.limit = PersistLimit::of(&self.config);
    }
}

/// The version of the format that a mark of ownership ([`OWNER_MARK`](crate::OWNER_MARK)) says; `None` where the text is none.
/// This version of the crate knows [`OWNER_FORMAT`], and keeps off what is later.
///
/// ```
/// use dlmanager_core::{OWNER_FORMAT, owner_format};
///
/// assert_eq!(owner_format(b"dlmanager 1\n"), Some(OWNER_FORMAT));
/// assert_eq!(owner_format(b"hello"), None);
/// ```
pub fn owner_format(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(OWNER_WORD)?;
    let line = digits.split(|byte| *byte == b'\n').next()?;
    let version: u64 = core::str::from_utf8(line).ok()?.parse().ok()?;
    // This version's own is known to the byte; what a later one has behind its first line is its own matter.
    (version > OWNER_FORMAT || text == OWNER_TEXT).then_some(version)
}

fn no_mark() -> Fault {
    let detail = "is there, and is not what dlmanager writes";
    Fault::new(FaultKind::WrongType).with_detail(alloc::format!("{} {detail}", crate::OWNER_MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_told_from_a_later_ones_and_from_what_is_none() {
        assert_eq!(owner_format(OWNER_TEXT), Some(1));
        assert_eq!(owner_format(b"dlmanager 2\n"), Some(2));
        assert_eq!(owner_format(b"dlmanager 10 \n"), None);
        assert_eq!(owner_format(b"dlmanager 10\nand more"), Some(10));
        for text in
            [&b"dlmanager 1"[..], b"dlmanager 0\n", b"dlmanager \n", b"", b"owner", b"dlmanager 1\nmore", b"\xff"]
        {
            assert_eq!(owner_format(text), None, "{text:?}");
        }
    }
}
