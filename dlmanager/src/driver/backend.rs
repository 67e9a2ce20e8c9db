//! The two traits that somebody implements to bring a network or a file system of their own.

use std::sync::Arc;
use std::task::Context;

use dlmanager_core::{ActionId, Completion, Event, FileAction, NetAction};

/// Executes network actions. The loop alone calls it, and polls it as it polls a future.
///
/// Where it panics, all actions that it has not answered are taken for aborted; it is called again for the next ones.
pub trait Transport: Send + 'static {
    /// Begins an action. It may be answered by the next [`poll`](Self::poll), which always follows.
    fn start(&mut self, action: NetAction);

    /// The answer to this action is no longer of interest; it still completes exactly once.
    fn abort(&mut self, target: ActionId);

    /// Goes on with what is under way, and appends what happened. Where it appends nothing, it has arranged for the
    /// context's waker to be woken when there is more to do.
    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>);
}

/// Executes file actions, on the loop's thread or on workers: several at the same time, but those of a lane one after
/// another.
///
/// Where it panics, the action is taken for aborted.
pub trait Store: Send + Sync + 'static {
    /// Executes the action to its end; blocks meanwhile.
    fn execute(&self, action: FileAction) -> Completion;

    /// Whether actions take long by nature (a network disk), so that none should run on the loop's thread.
    fn is_slow(&self) -> bool {
        false
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn execute(&self, action: FileAction) -> Completion {
        (**self).execute(action)
    }

    fn is_slow(&self) -> bool {
        (**self).is_slow()
    }
}

impl Store for dlmanager_fs::Directory {
    fn execute(&self, action: FileAction) -> Completion {
        Self::execute(self, action)
    }
}

#[cfg(feature = "tokio")]
impl Transport for dlmanager_hyper::Hyper {
    fn start(&mut self, action: NetAction) {
        Self::start(self, action);
    }

    fn abort(&mut self, target: ActionId) {
        Self::abort(self, target);
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        Self::poll(self, context, events);
    }
}

#[cfg(feature = "smol")]
impl Transport for dlmanager_smol::Smol {
    fn start(&mut self, action: NetAction) {
        Self::start(self, action);
    }

    fn abort(&mut self, target: ActionId) {
        Self::abort(self, target);
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        Self::poll(self, context, events);
    }
}
