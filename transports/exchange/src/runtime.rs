//! What exchanges need of a runtime.

use std::fmt;
use std::pin::Pin;
use std::time::Instant;

use dlmanager_core::Fault;
use hyper::rt::{Read, Write};

use crate::origin::Origin;

/// A byte stream to an origin. Dropping it closes it at once.
pub trait Stream: Read + Write + fmt::Debug + Send + Unpin {}

impl<S: Read + Write + fmt::Debug + Send + Unpin> Stream for S {}

/// A byte stream on its way, or why there is none.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, Fault>> + Send>>;

/// Ends at a moment.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes connections and tells the time.
///
/// Its futures are polled by [`Exchanges::poll`](crate::Exchanges::poll) alone, and dropped when nobody wants their
/// outcome any more. A waker that they were given has to be woken, whoever polls next: within tokio, poll the exchanges
/// as dlmanager-hyper does, outside of the budget for a task's poll.
pub trait Runtime: Send + 'static {
    /// Connects to the host and the port of an origin, by TCP. Nothing is done before the first poll.
    ///
    /// A fault is [`unresolved`](crate::unresolved) or [`unreachable`](crate::unreachable). There is no need for a
    /// deadline: who has asked for the exchange ends it when it has taken too long.
    fn connect(&self, origin: &Origin) -> Connecting;

    /// The time by which [`sleep_until`](Self::sleep_until) goes.
    fn now(&self) -> Instant;

    /// A future that ends at `due`, or as soon as it is polled after it.
    fn sleep_until(&self, due: Instant) -> Sleep;
}
