//! The transport, and what it owes.

use std::collections::BTreeSet;
use std::task::Context;

use dlmanager_core::{ActionId, Completion, Event, NetAction};

use super::Transport;
use crate::sync::comes_back;

/// A transport with the ids of its unanswered actions, so that its panic can be answered for it.
pub(super) struct Network {
    transport: Box<dyn Transport>,
    unanswered: BTreeSet<ActionId>,
    lost: Vec<Completion>,
}

impl Network {
    pub(super) fn new(transport: Box<dyn Transport>) -> Self {
        Self { transport, unanswered: BTreeSet::new(), lost: Vec::new() }
    }

    pub(super) fn start(&mut self, action: NetAction) {
        self.unanswered.insert(action.id());
        if !self.guarded(|transport| transport.start(action)) {
            self.lose();
        }
    }

    /// Returns whether the action is one of the transport's.
    pub(super) fn abort(&mut self, target: ActionId) -> bool {
        let ours = self.unanswered.contains(&target);
        if ours && !self.guarded(|transport| transport.abort(target)) {
            self.lose();
        }
        ours
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        let before = events.len();
        let worked = self.guarded(|transport| transport.poll(context, events));
        for event in events.get(before..).unwrap_or_default() {
            if let Event::Completed(completion) = event {
                self.unanswered.remove(&completion.id());
            }
        }
        if !worked {
            self.lose();
        }
        events.extend(self.lost.drain(..).map(Event::Completed));
    }

    /// Returns whether the call came back.
    fn guarded(&mut self, call: impl FnOnce(&mut dyn Transport)) -> bool {
        comes_back(|| call(&mut *self.transport))
    }

    fn lose(&mut self) {
        self.lost.extend(std::mem::take(&mut self.unanswered).into_iter().map(Completion::aborted));
    }
}
