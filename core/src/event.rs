//! What goes into the core, and what comes out.

use crate::{Action, ActionId, Completion, DownloadId, Instant, Notice};

/// Something that happened, for [`Manager::handle`](crate::Manager::handle).
///
/// ```
/// use core::time::Duration;
/// use dlmanager_core::{Config, Event, Instant, Manager, Output};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// manager.handle(Instant::ZERO + Duration::from_secs(1), Event::Tick);
/// manager.handle(Instant::ZERO, Event::Tick); // spurious, and back in time: harmless
/// assert!(matches!(manager.poll(), Output::Wait(_)));
/// ```
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
///
/// ```
/// use dlmanager_core::{Config, Instant, Manager, Notice, Output, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// manager.download(Instant::ZERO, Request::new("https://example.org/a")?)?;
/// assert!(matches!(manager.poll(), Output::Notice(Notice::Started { .. })));
/// assert!(matches!(manager.poll(), Output::Action(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use core::time::Duration;
/// use dlmanager_core::{Instant, Wait, WakeReason};
///
/// let now = Instant::from_nanos(3_000_000_000);
/// let wait = Wait { until: Some(Instant::from_nanos(5_000_000_000)), why: WakeReason::Time };
/// // `None` is for as long as nothing comes.
/// assert_eq!(wait.until.map(|until| until.since(now)), Some(Duration::from_secs(2)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// When the next [`Event::Tick`] is due at the latest; it may be earlier than anything is really due.
    pub until: Option<Instant>,
    /// What the manager waits for.
    pub why: WakeReason,
}

/// What the manager waits for.
///
/// ```
/// use dlmanager_core::{Config, Manager, Output, WakeReason};
///
/// // Who runs until all is done may stop here.
/// let Output::Wait(wait) = Manager::new(Config::default(), 1).poll() else { unreachable!() };
/// assert_eq!((wait.why, wait.until), (WakeReason::Command, None));
/// ```
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
///
/// ```
/// use dlmanager_core::{Admission, Config, Instant, Manager, Phase, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// let admission = manager.download(Instant::ZERO, Request::new("https://example.org/a")?)?;
/// let id = admission.id();
/// assert_eq!(manager.info(id).map(|info| info.phase), Some(Phase::Queued));
/// let mirror = Request::new("https://example.net/a")?;
/// assert_eq!(manager.download(Instant::ZERO, mirror)?, Admission::Joined(id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
