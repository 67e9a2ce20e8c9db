//! What goes into the core, and what comes out.

use crate::{Action, ActionId, Completion, DownloadId, Instant, Notice};

/// Something that happened, for [`Manager::handle`](crate::Manager::handle).
#[derive(Debug)]
pub enum Event {
    /// An action is done.
    Completed(Completion),
    /// The connection of the `Fetch` with this id stands: its first-byte timeout replaces its connect timeout.
    Connected(ActionId),
    /// Time has passed. Timers fire in this event alone; it is always safe.
    Tick,
}

/// What [`Manager::poll`](crate::Manager::poll) yields.
#[derive(Debug)]
#[must_use]
pub enum Output {
    /// Something to do.
    Action(Action),
    /// Something to tell the application.
    Notice(Notice),
    /// Nothing more now: wait for an answer, a command, or until the time in it.
    Wait(Wait),
}

/// How long the driver may sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// When the next [`Event::Tick`] is due at the latest; it may be earlier than anything is really due.
    pub until: Option<Instant>,
    /// What the manager waits for.
    pub why: WakeReason,
}

/// What the manager waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WakeReason {
    /// For a command: nothing is under way.
    Command,
    /// For the answers of actions that are under way.
    Answer,
    /// For time to pass.
    Time,
}

/// How a download was admitted. Whether its file is there already, its outcome will tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// A new download.
    Started(DownloadId),
    /// One of that name is live already: this is it, its URL may differ.
    Joined(DownloadId),
}

impl Admission {
    /// The download.
    pub const fn id(self) -> DownloadId {
        match self {
            Self::Started(id) | Self::Joined(id) => id,
        }
    }
}
