//! Identifiers. The core allocates all of them, so that actions can be chained before the first is answered; none is
//! ever used twice.

/// A download of one manager.
///
/// Made of a serial number that is never reused, a slot for constant-time look-up, and the manager's nonce, so that the
/// identifier of another manager's download is unknown here rather than mistaken.
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
    BodyId
}
serial_id! {
    /// An open file or a running scan: made by `Open` or `Scan`, ended by `Close`.
    FileId
}
serial_id! {
    /// An order of actions. Actions of one lane run in the order in which they were polled; between lanes there is none.
    Lane
}
