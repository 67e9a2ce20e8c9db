//! The order in which a driver runs file actions, and what it skips.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dlmanager_core::{ActionId, Completion, FaultKind, FileAction, Lane};

/// The lanes of a driver's file actions, by the rules of the contract: actions of a lane run in order; behind a failed
/// one the rest of its epoch is skipped, closers excepted; a failure is forgotten once the core was told of it, all its
/// outputs were taken, and nothing that was polled before that remains. What the core had queued when it was told is
/// therefore skipped as well; and it never goes on in an epoch of which it knows that something failed there.
#[derive(Debug, Default)]
pub(crate) struct FileLanes {
    lanes: BTreeMap<Lane, LaneState>,
}

#[derive(Debug, Default)]
struct LaneState {
    waiting: VecDeque<FileAction>,
    failures: Vec<Failure>,
    /// The epochs of failures that are forgotten.
    ended: BTreeSet<u32>,
}

#[derive(Debug)]
struct Failure {
    id: ActionId,
    epoch: u32,
    /// The core was told.
    is_told: bool,
    /// Once all outputs were taken after that: how many actions wait that were polled before.
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
        let state = self.lanes.entry(action.lane).or_default();
        let is_ended = state.ended.contains(&action.epoch) && !action.op.is_closer();
        assert!(!is_ended, "the core goes on in an epoch of which it knows that something failed: {action:?}");
        state.waiting.push_back(action);
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
            let failure = Failure { id: completion.id(), epoch, is_told: false, polled_before: None };
            self.lanes.entry(lane).or_default().failures.push(failure);
        }
    }

    /// Notes that the core was told of an answer.
    pub(crate) fn told(&mut self, id: ActionId) {
        for state in self.lanes.values_mut() {
            for failure in state.failures.iter_mut().filter(|failure| failure.id == id) {
                failure.is_told = true;
            }
        }
    }

    /// Notes that all outputs of the core were taken.
    pub(crate) fn drained(&mut self) {
        for state in self.lanes.values_mut() {
            let waiting = state.waiting.len();
            for failure in state.failures.iter_mut().filter(|failure| failure.is_told) {
                failure.polled_before.get_or_insert(waiting);
            }
            state.forget();
        }
    }
}

impl LaneState {
    fn forget(&mut self) {
        for failure in self.failures.extract_if(.., |failure| failure.polled_before == Some(0)) {
            self.ended.insert(failure.epoch);
        }
    }
}

/// The answer to a skipped action.
pub(crate) fn skipped(action: FileAction) -> Completion {
    action.fail(FaultKind::Skipped.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dlmanager_core::testing::{Tickets, file_id, lane};
    use dlmanager_core::{Answer, FileOp};

    const LANE: Lane = lane(1);

    fn sync(tickets: &mut Tickets, epoch: u32) -> FileAction {
        FileAction { lane: LANE, epoch, op: FileOp::Sync { ticket: tickets.ticket(), file: file_id(1) } }
    }

    fn close(tickets: &mut Tickets, epoch: u32) -> FileAction {
        FileAction { lane: LANE, epoch, op: FileOp::Close { ticket: tickets.ticket(), file: file_id(1) } }
    }

    /// Takes the first action and executes it with success or a fault; whether it was to be executed at all, and its id.
    fn next(lanes: &mut FileLanes, works: bool) -> (bool, ActionId) {
        match lanes.take(LANE) {
            Some(Turn::Execute(action)) => {
                let (id, epoch) = (action.id(), action.epoch);
                let answer = Answer::Sync(if works { Ok(()) } else { Err(FaultKind::Io.into()) });
                lanes.executed(LANE, epoch, &Completion::forge(id, answer));
                (true, id)
            }
            Some(Turn::Skipped(action)) => (false, action.id()),
            None => panic!("nothing waits"),
        }
    }

    #[test]
    fn behind_a_failure_the_rest_of_its_epoch_is_skipped_and_closers_are_not() {
        let (mut lanes, mut tickets) = (FileLanes::default(), Tickets::new());
        let actions = [sync(&mut tickets, 1), sync(&mut tickets, 1), close(&mut tickets, 1), sync(&mut tickets, 2)];
        actions.into_iter().for_each(|action| lanes.push(action));
        assert!(next(&mut lanes, false).0);
        assert!(!next(&mut lanes, true).0);
        assert!(next(&mut lanes, true).0, "a closer");
        assert!(next(&mut lanes, true).0, "another epoch");
        assert!(lanes.waiting().is_empty());
    }

    #[test]
    fn a_failure_is_remembered_until_the_core_was_told_and_what_was_polled_before_is_gone() {
        let (mut lanes, mut tickets) = (FileLanes::default(), Tickets::new());
        lanes.push(sync(&mut tickets, 1));
        lanes.push(sync(&mut tickets, 1));
        let (_, failed) = next(&mut lanes, false);
        lanes.told(failed);
        lanes.push(sync(&mut tickets, 1));
        lanes.drained();
        assert!(!next(&mut lanes, true).0, "polled before the core was told");
        assert!(!next(&mut lanes, true).0, "queued before the core was told, perhaps");
        lanes.push(sync(&mut tickets, 2));
        assert!(next(&mut lanes, true).0, "another epoch");
    }

    #[test]
    fn a_failure_that_the_core_was_not_told_of_skips_what_comes_later() {
        let (mut lanes, mut tickets) = (FileLanes::default(), Tickets::new());
        lanes.push(sync(&mut tickets, 1));
        let (_, failed) = next(&mut lanes, false);
        lanes.push(sync(&mut tickets, 1));
        assert!(!next(&mut lanes, true).0);
        lanes.told(failed);
        lanes.drained();
        lanes.push(sync(&mut tickets, 2));
        assert!(next(&mut lanes, true).0);
    }
}
