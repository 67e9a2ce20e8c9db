//! The order in which a driver runs file actions, and what it skips.

use std::collections::{BTreeMap, VecDeque};

use dlmanager_core::{ActionId, Completion, FaultKind, FileAction, Lane};

/// The lanes of a driver's file actions, by the rules of the contract: actions of a lane run in order; behind a failed
/// one the rest of its epoch is skipped, closers excepted; a failure is forgotten once the core was told of it and
/// nothing that was polled before that remains.
#[derive(Debug, Default)]
pub(crate) struct FileLanes {
    lanes: BTreeMap<Lane, LaneState>,
}

#[derive(Debug, Default)]
struct LaneState {
    waiting: VecDeque<FileAction>,
    failures: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    id: ActionId,
    epoch: u32,
    /// Once the core was told: how many actions wait that were polled before that.
    polled_before: Option<usize>,
}

/// What is to be done with the first action of a lane.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is to be executed; the outcome goes to [`FileLanes::executed`].
    Execute(FileAction),
    /// It was skipped, with this answer.
    Skipped(FileAction),
}

impl FileLanes {
    pub(crate) fn push(&mut self, action: FileAction) {
        self.lanes.entry(action.lane).or_default().waiting.push_back(action);
    }

    /// The lanes in which something waits.
    pub(crate) fn waiting(&self) -> Vec<Lane> {
        self.lanes.iter().filter(|(_, state)| !state.waiting.is_empty()).map(|(lane, _)| *lane).collect()
    }

    /// The first action of a lane, without taking it.
    pub(crate) fn first(&self, lane: Lane) -> Option<&FileAction> {
        self.lanes.get(&lane)?.waiting.front()
    }

    /// Takes the first action of a lane.
    pub(crate) fn take(&mut self, lane: Lane) -> Option<Turn> {
        let state = self.lanes.get_mut(&lane)?;
        let action = state.waiting.pop_front()?;
        let is_skipped = !action.op.is_closer() && state.failures.iter().any(|failure| failure.epoch == action.epoch);
        for failure in &mut state.failures {
            failure.polled_before = failure.polled_before.map(|count| count.saturating_sub(1));
        }
        state.forget();
        if is_skipped {
            // Its own answer is no new failure: the one that it stands behind is still remembered, or told already.
            return Some(Turn::Skipped(action));
        }
        Some(Turn::Execute(action))
    }

    /// Notes how an action went.
    pub(crate) fn executed(&mut self, lane: Lane, epoch: u32, completion: &Completion) {
        if completion.is_failure() {
            let failure = Failure { id: completion.id(), epoch, polled_before: None };
            self.lanes.entry(lane).or_default().failures.push(failure);
        }
    }

    /// Notes that the core was told of an answer.
    pub(crate) fn told(&mut self, id: ActionId) {
        for state in self.lanes.values_mut() {
            let waiting = state.waiting.len();
            for failure in state.failures.iter_mut().filter(|failure| failure.id == id) {
                failure.polled_before = Some(waiting);
            }
            state.forget();
        }
        self.lanes.retain(|_, state| !state.waiting.is_empty() || !state.failures.is_empty());
    }
}

impl LaneState {
    fn forget(&mut self) {
        self.failures.retain(|failure| failure.polled_before != Some(0));
    }
}

/// The answer to a skipped action.
pub(crate) fn skipped(action: FileAction) -> Completion {
    action.fail(FaultKind::Skipped.into())
}
