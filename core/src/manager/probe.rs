//! What the manager asks of the directory for itself.

use super::{Cleanup, Manager};
use crate::effects::Owner;
use crate::ticket::Answer;
use crate::{Deleted, FileOp, Probed, StorePath};

/// What the directory's file system and the machine can do; asked for before the first file is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Probe {
    NotYet,
    Asked,
    Known(Probed),
}

impl Manager {
    /// Finds out whether locks work and which start of the machine this is, before anything depends on it.
    pub(super) fn ask_probe(&mut self) {
        self.probe = Probe::Asked;
        self.effects.work_folder_asked = true;
        self.effects.work_folder_asked_at = Some(self.now);
        let lane = self.effects.lane();
        let folder = self.effects.work_folder();
        self.effects.file_op(Owner::Manager, (lane, 0), |ticket| FileOp::MakeDir { ticket, path: folder });
        let random = self.rng.next_u64();
        let path = StorePath::in_work_folder(&alloc::format!("probe.{random:016x}.part"));
        self.effects.file_op(Owner::Manager, (lane, 0), |ticket| FileOp::Probe { ticket, path });
    }

    pub(super) fn own_reply(&mut self, reply: Answer) {
        if let Answer::Delete(result) = reply {
            // What is in it may be litter.
            let is_full = matches!(result.as_deref(), Ok([Deleted::Busy]));
            self.cleanup = if is_full && self.litter.is_due() { Cleanup::Littered } else { Cleanup::Done };
        } else if let Answer::Probe(result) = reply {
            // Where nothing can be found out, nothing is relied on.
            self.probe = Probe::Known(result.unwrap_or(Probed { boot: None, locks: false }));
        }
    }
}
