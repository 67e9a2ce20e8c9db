//! The loop between the core and the world: written once, as a future that any runtime can poll.
//!
//! A *turn* feeds the core what happened, ticks it, and drains its outputs under the one lock; outside the lock it wakes
//! who waits and starts the actions. What was answered inline feeds the next turn at once; after 32 of them the loop yields.

mod backend;
mod files;
mod flushes;
mod network;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use dlmanager_core::{Action, Event, FileAction, Instant, Output};

pub use backend::{Store, Transport};
use files::Files;
use network::Network;

use crate::runtime::{Runtime, Sleep};
use crate::shared::Shared;
use crate::state::After;
use crate::sync::comes_back;

/// After so many turns in a row the loop lets other tasks of its thread run.
const TURNS_MAX: usize = 32;

/// To wake a thread costs more than most turns, so those who are to hear of some hear of them at once: when the loop has no
/// more to do or yields, and before a turn starts its actions where the last turn that left nothing to tell began so long ago.
/// So news wait for this time and for what one turn starts, and those of a loop whose turns take that long do not wait.
const TELL_WITHIN: Duration = Duration::from_millis(1);

/// The loop of a manager. It ends when the manager is closed and drained; dropped or panicking before that, it leaves
/// word with everyone who waits.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    network: Network,
    files: Files,
    runtime: Arc<dyn Runtime>,
    sleep: Option<(Instant, Sleep)>,
    until: Option<Instant>,
    // Kept from turn to turn for their capacity.
    events: Vec<Event>,
    actions: Vec<Action>,
    file_actions: Vec<FileAction>,
    after: After,
    /// When the last turn began that left nothing to tell; where all have, the first one since the loop last rested.
    told_at: Option<Instant>,
}

impl Driver {
    /// The loop for the core in `shared`. With `workers_only` no file action runs on the thread that polls.
    pub(crate) fn new(
        shared: Arc<Shared>,
        transport: Box<dyn Transport>,
        store: Arc<dyn Store>,
        runtime: Arc<dyn Runtime>,
        workers_only: bool,
    ) -> Self {
        Self {
            shared,
            network: Network::new(transport),
            files: Files::new(store, workers_only, Arc::clone(&runtime)),
            runtime,
            sleep: None,
            until: None,
            events: Vec::new(),
            actions: Vec::new(),
            file_actions: Vec::new(),
            after: After::default(),
            told_at: None,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Whatever woke the loop (a command, a timer, an answer), the first turn finds it.
        let mut due = true;
        for _ in 0..TURNS_MAX {
            self.network.poll(context, &mut self.events);
            self.files.collect(context, &mut self.events);
            if due || !self.events.is_empty() {
                due = false;
                if self.turn(context) {
                    return Poll::Ready(());
                }
            } else if self.poll_timer(context).is_ready() {
                due = true;
            } else {
                self.rest();
                return Poll::Pending;
            }
        }
        self.rest();
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns whether the manager is closed and drained.
    fn turn(&mut self, context: &Context<'_>) -> bool {
        let now = self.shared.now();
        let waker = context.waker().clone();
        let mut state = self.shared.lock();
        let unused = state.register_loop(waker);
        for event in self.events.drain(..) {
            state.core.handle(now, event);
        }
        state.core.handle(now, Event::Tick);
        self.until = loop {
            match state.core.poll() {
                Output::Action(action) => self.actions.push(action),
                Output::Notice(notice) => state.notice(notice, &mut self.after),
                Output::Wait(_) if state.close_after_the_one(now) => {}
                Output::Wait(wait) => break wait.until,
            }
        };
        let drained = state.core.is_drained();
        if drained {
            state.drained(&mut self.after);
        }
        drop(state);
        drop(unused);
        self.after.call(&self.shared);
        if self.told_at.is_some_and(|told_at| told_at + TELL_WITHIN <= now) || drained {
            self.tell();
        }
        if self.after.wakes_nobody() {
            self.told_at = Some(now);
        } else {
            self.told_at.get_or_insert(now);
        }
        if drained {
            self.shared.over();
        }
        self.start();
        drained
    }

    /// Wakes and calls those who are to hear of the turns since the last time.
    fn tell(&mut self) {
        self.after.run(&self.shared);
    }

    fn rest(&mut self) {
        self.told_at = None;
        self.tell();
    }

    fn start(&mut self) {
        for action in self.actions.drain(..) {
            match action {
                Action::Net(action) => self.network.start(action),
                Action::File(action) => self.file_actions.push(action),
                Action::Abort(target) => {
                    // Behind the actions of this drain, as it was polled after its target.
                    if !self.network.abort(target) {
                        self.files.start(&mut self.file_actions);
                        self.files.abort(target);
                    }
                }
            }
        }
        self.files.start(&mut self.file_actions);
    }

    /// Ready when a tick is due. A timer that is armed too early is kept: it costs one idle turn, a new one costs more.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else { return Poll::Pending };
        if self.sleep.as_ref().is_none_or(|(armed, _)| *armed > until) {
            self.sleep = Some((until, self.runtime.sleep_until(self.shared.deadline(until))));
        }
        if let Some((_, sleep)) = &mut self.sleep {
            ready!(sleep.as_mut().poll(context));
            self.sleep = None;
        }
        Poll::Ready(())
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut poll = Poll::Ready(());
        if !comes_back(|| poll = this.run(context)) {
            this.tell();
            this.shared.gone();
        }
        poll
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.tell();
        self.shared.gone();
    }
}

#[cfg(test)]
mod tests;
