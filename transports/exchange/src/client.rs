//! Who asks: several loops may share one transport, though each core counts its identifiers from 1.

use std::fmt;

use dlmanager_core::BodyId;

/// One of those who share [`Exchanges`](crate::Exchanges): the identifiers of its actions and bodies are its own, so that
/// those of another, which may be the same numbers, are never mistaken for them.
///
/// ```
/// use dlmanager_exchange::Client;
///
/// assert_ne!(Client::new(1), Client::new(2));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(u64);

impl Client {
    /// The client with this number, which who shares the exchanges out makes up.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// An exchange: of whom, and how it is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) client: Client,
    pub(crate) body: BodyId,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}
