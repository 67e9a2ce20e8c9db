//! What the machines want done: outputs in their order, and the actions that wait for an answer.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::action::FileStat;
use crate::arena::{Arena, Key};
use crate::ticket::{Answer, Kind, Kinded};
use crate::{
    Action, ActionId, BodyId, FileAction, FileId, FileOp, Instant, Lane, NetAction, NetOp, Notice, Output, StorePath,
    Ticket,
};

/// The queue of outputs, the ledger of unanswered actions, and the source of identifiers.
#[derive(Debug)]
pub(crate) struct Effects {
    outputs: VecDeque<Output>,
    unanswered: Arena<Unanswered>,
    serials: u64,
    work_folder: StorePath,
    /// The work folder was asked for at least once, so it may be there.
    pub(crate) work_folder_asked: bool,
    /// When it was asked for last before a file was made in it.
    pub(crate) work_folder_asked_at: Option<Instant>,
    /// What downloads learned of files, for the limit.
    pub(crate) seen: Vec<(StorePath, FileStat)>,
}

/// Whom an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Download(Key, Role),
    Evictor,
    Litter,
    Manager,
}

/// What a download's action is for, where its kind alone does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The exchange, the unfinished file's bytes, and its way to its name.
    Main,
    /// A file that has the name already is compared with its checksum.
    Compare,
    /// The record that an earlier run left is read.
    Reading,
    /// The bytes that the unfinished file holds are taken back.
    Rewind,
    /// It is noted what the unfinished file holds.
    Checkpoint,
    /// What was made is removed.
    Removal,
}

impl Owner {
    /// Whether this is a download's, whatever for.
    fn is_download(self, key: Key) -> bool {
        matches!(self, Self::Download(other, _) if other == key)
    }
}

#[derive(Debug)]
struct Unanswered {
    owner: Owner,
    kind: Kind,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            outputs: VecDeque::new(),
            unanswered: Arena::default(),
            serials: 0,
            work_folder: StorePath::work_folder(),
            work_folder_asked: false,
            work_folder_asked_at: None,
            seen: Vec::new(),
        }
    }
}

impl Effects {
    /// The path of the work folder, made once.
    pub(crate) fn work_folder(&self) -> StorePath {
        self.work_folder.clone()
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn has_outputs(&self) -> bool {
        !self.outputs.is_empty()
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    pub(crate) fn lane(&mut self) -> Lane {
        self.serials += 1;
        Lane(self.serials)
    }

    pub(crate) fn body(&mut self) -> BodyId {
        self.serials += 1;
        BodyId(self.serials)
    }

    pub(crate) fn file(&mut self) -> FileId {
        self.serials += 1;
        FileId(self.serials)
    }

    pub(crate) fn net<O: Kinded>(&mut self, owner: Owner, lane: Lane, op: impl FnOnce(Ticket<O>) -> NetOp) -> ActionId {
        let (id, ticket) = self.ticket(owner);
        self.outputs.push_back(Output::Action(Action::Net(NetAction { lane, op: op(ticket) })));
        id
    }

    pub(crate) fn file_op<O: Kinded>(
        &mut self,
        owner: Owner,
        (lane, epoch): (Lane, u32),
        op: impl FnOnce(Ticket<O>) -> FileOp,
    ) -> ActionId {
        let (id, ticket) = self.ticket(owner);
        self.outputs.push_back(Output::Action(Action::File(FileAction { lane, epoch, op: op(ticket) })));
        id
    }

    /// Advises the driver to cut short what a download waits for, closers left out.
    pub(crate) fn abort_all(&mut self, key: Key) {
        let closer = |kind| matches!(kind, Kind::Unlock | Kind::Close | Kind::DropBody);
        let mut targets: Vec<ActionId> = self
            .unanswered
            .iter()
            .filter(|(_, action)| action.owner.is_download(key) && !closer(action.kind))
            .map(|(action, _)| ActionId { serial: action.serial, slot: action.slot })
            .collect();
        targets.sort_unstable();
        self.outputs.extend(targets.into_iter().map(|target| Output::Action(Action::Abort(target))));
    }

    /// Whose answer this is, and what it says; `None` for an action that is unknown or answered already.
    pub(crate) fn settle(&mut self, id: ActionId, answer: Answer) -> Option<(Owner, Answer)> {
        let Unanswered { owner, kind } = self.unanswered.remove(Key { serial: id.serial, slot: id.slot })?;
        Some((owner, kind.answer(answer)))
    }

    /// Whose action this is.
    pub(crate) fn owner(&self, id: ActionId) -> Option<Owner> {
        self.unanswered.get(Key { serial: id.serial, slot: id.slot }).map(|action| action.owner)
    }

    /// How many actions are unanswered.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    pub(crate) fn unanswered_of(&self, key: Key) -> usize {
        self.unanswered.iter().filter(|(_, action)| action.owner.is_download(key)).count()
    }

    fn ticket<O: Kinded>(&mut self, owner: Owner) -> (ActionId, Ticket<O>) {
        let key = self.unanswered.insert(Unanswered { owner, kind: O::KIND });
        let id = ActionId { serial: key.serial, slot: key.slot };
        (id, Ticket::new(id))
    }
}
