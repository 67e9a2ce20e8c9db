//! Identifiers. The core allocates all of them, so that actions can be chained before the first is answered; none is
//! ever used twice.

/// A download of one manager.
///
/// Made of a serial number that is never reused, a slot for constant-time look-up, and the manager's nonce, so that the
/// identifier of another manager's download is unknown here rather than mistaken.
///
/// ```
/// use dlmanager_core::{Config, Instant, Manager, Request};
///
/// let (mut here, there) = (Manager::new(Config::default(), 1), Manager::new(Config::default(), 2));
/// let id = here.download(Instant::ZERO, Request::new("https://example.org/a")?)?.id();
/// assert_eq!(id.serial(), 1);
/// assert!(here.info(id).is_some() && there.info(id).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DownloadId {
    pub(crate) serial: u64,
    pub(crate) slot: u32,
    pub(crate) nonce: u32,
}

impl DownloadId {
    /// The position of this download in the order of admissions, from 1.
    pub const fn serial(self) -> u64 {
        self.serial
    }
}

/// An action that was handed out and waits for its one completion.
///
/// ```
/// use dlmanager_core::{ActionId, Completion, FileAction, FileOp};
///
/// // Kept beside code that may panic, so that its action is answered all the same.
/// fn run(action: FileAction, execute: fn(FileOp) -> Completion) -> Completion {
///     let id: ActionId = action.id();
///     std::panic::catch_unwind(|| execute(action.op)).unwrap_or_else(|_| Completion::aborted(id))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId {
    pub(crate) serial: u64,
    pub(crate) slot: u32,
}

impl ActionId {
    /// The position of this action in the order in which actions were issued, from 1.
    pub const fn serial(self) -> u64 {
        self.serial
    }

    /// An identifier that the core may never have issued, for drivers under hostile test.
    #[cfg(feature = "testing")]
    pub const fn forge(serial: u64, slot: u32) -> Self {
        Self { serial, slot }
    }
}

macro_rules! serial_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u64);

        impl $name {
            /// The identifier as a number, for tables and traces.
            pub const fn serial(self) -> u64 {
                self.0
            }
        }
    };
}

serial_id! {
    /// An exchange with a server: made by `Fetch`, ended by `DropBody`.
    ///
    /// ```
    /// use dlmanager_core::{BodyId, NetAction};
    /// use std::collections::HashMap;
    ///
    /// // A transport finds its exchange by it.
    /// fn exchange<'a, T>(exchanges: &'a mut HashMap<BodyId, T>, action: &NetAction) -> Option<&'a mut T> {
    ///     exchanges.get_mut(&action.body())
    /// }
    /// ```
    BodyId
}
serial_id! {
    /// An open file or a running scan: made by `Open` or `Scan`, ended by `Close`.
    ///
    /// ```
    /// use dlmanager_core::{Completion, FileId, FileOp};
    /// use std::collections::HashMap;
    ///
    /// // One that is not there, as its `Open` failed, is closed just as well.
    /// fn close<T>(files: &mut HashMap<FileId, T>, op: FileOp) -> Option<Completion> {
    ///     let FileOp::Close { ticket, file } = op else { return None };
    ///     files.remove(&file);
    ///     Some(ticket.done(Ok(())))
    /// }
    /// ```
    FileId
}
serial_id! {
    /// An order of actions. Actions of one lane run in the order in which they were polled; between lanes there is none.
    ///
    /// ```
    /// use dlmanager_core::{Action, Config, Instant, Manager, Output, Request};
    ///
    /// let mut manager = Manager::new(Config::default(), 1);
    /// manager.download(Instant::ZERO, Request::new("https://example.org/a")?)?;
    /// let _started = manager.poll();
    /// let Output::Action(Action::File(make_folder)) = manager.poll() else { unreachable!() };
    /// let Output::Action(Action::File(probe_in_it)) = manager.poll() else { unreachable!() };
    /// assert_eq!(make_folder.lane, probe_in_it.lane); // so no driver has to wait for the first
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Lane
}
