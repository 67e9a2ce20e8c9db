//! Identifiers, tickets and answers without a manager, for the tests of transports and file backends.

use crate::id::ActionId;
use crate::{Answer, BodyId, Completion, FileId, Lane, Op, StorePath, Ticket};

/// A source of tickets whose ids were never issued by a [`Manager`](crate::Manager).
///
/// ```
/// use dlmanager_core::testing::Tickets;
/// use dlmanager_core::{Answer, op};
///
/// let mut tickets = Tickets::new();
/// let ticket = tickets.ticket::<op::Sync>();
/// assert!(matches!(ticket.done(Ok(())).into_answer(), Answer::Sync(Ok(()))));
/// ```
#[derive(Debug, Default)]
pub struct Tickets {
    issued: u64,
}

impl Tickets {
    /// A source that has issued none.
    pub const fn new() -> Self {
        Self { issued: 0 }
    }

    /// A ticket with a fresh id.
    pub fn ticket<O: Op>(&mut self) -> Ticket<O> {
        self.issued += 1;
        Ticket::new(ActionId { serial: self.issued, slot: u32::MAX })
    }
}

/// A lane.
pub const fn lane(serial: u64) -> Lane {
    Lane(serial)
}

/// An open file or a running scan.
pub const fn file_id(serial: u64) -> FileId {
    FileId(serial)
}

/// An exchange.
pub const fn body_id(serial: u64) -> BodyId {
    BodyId(serial)
}

/// A path, of any text.
pub fn path(text: &str) -> StorePath {
    StorePath::unchecked(text)
}

impl Completion {
    /// The answer in it.
    pub fn into_answer(self) -> Answer {
        self.answer
    }
}
