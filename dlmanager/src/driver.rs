//! What turns the core's actions into answers: the traits, and the loop.

use std::task::Context;

use dlmanager_core::{ActionId, Completion, Event, FileAction, NetAction};

/// Executes network actions. The loop alone calls it, and polls it as it polls a future.
pub trait Transport: Send + 'static {
    /// Begins an action. What there is to do is done in [`poll`](Self::poll).
    fn start(&mut self, action: NetAction);

    /// The answer to this action is no longer of interest; it still completes exactly once.
    fn abort(&mut self, target: ActionId);

    /// Goes on with what is under way, and appends what happened. Where it appends nothing, it has arranged for the
    /// context's waker to be woken when there is more to do.
    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>);
}

/// Executes file actions, on the loop's thread or on workers, several at the same time, but those of a lane one after
/// another.
pub trait Store: Send + Sync + 'static {
    /// Executes the action to its end; blocks meanwhile.
    fn execute(&self, action: FileAction) -> Completion;

    /// Whether actions may take long by nature (a network disk), so that none should run on the loop's thread.
    fn is_slow(&self) -> bool {
        false
    }
}
