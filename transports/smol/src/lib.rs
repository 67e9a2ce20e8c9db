//! Executes the network actions of dlmanager-core with hyper on smol: HTTP/1.1 over TCP and TLS.
//!
//! A [`Smol`] takes [`NetAction`]s by [`start`](Smol::start) and yields their [`Event`]s by [`poll`](Smol::poll). It has no
//! task and no thread of its own, only the host's names are resolved on smol's blocking threads: the loop that owns it
//! polls it, and one wake polls the exchanges that were woken, not all.
//!
//! Any executor will do, as sockets and timers belong to smol's reactor, which the whole process shares. With
//! [`smol::block_on`] the loop's own thread waits in that reactor; elsewhere a thread that smol starts does, and wakes
//! the loop from there.
//!
//! ```
//! use std::future::poll_fn;
//! use std::task::Poll;
//!
//! use dlmanager_core::{Event, NetAction};
//! use dlmanager_smol::Smol;
//!
//! /// Starts actions and waits until something happens.
//! fn next_events(transport: &mut Smol, actions: Vec<NetAction>) -> Vec<Event> {
//!     actions.into_iter().for_each(|action| transport.start(action));
//!     let mut events = Vec::new();
//!     smol::block_on(poll_fn(|cx| {
//!         transport.poll(cx, &mut events);
//!         if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
//!     }));
//!     events
//! }
//! ```
//!
//! What goes over a connection, how many there are and what is held of a body is the matter of [`dlmanager_exchange`],
//! where it is told.
//!
//! # Making a connection
//!
//! The host's addresses are tried in the system's order with the two families taking turns. Each has
//! [`Options::happy_eyeballs_delay`] for itself; then, or as soon as one has failed, the next is tried beside it. The
//! first that connects is taken and the others are dropped (RFC 8305). So a host whose IPv6 is dead is reached by IPv4
//! after that delay.

mod connect;
mod race;
mod stream;

use std::task::Context;

use dlmanager_core::{ActionId, Event, NetAction};
pub use dlmanager_exchange::{Client, Exchanges, Options, TlsConfig};

use crate::connect::Reactor;

/// Executes network actions on smol. See the [crate's documentation](crate).
///
/// ```
/// use dlmanager_smol::{Options, Smol};
///
/// let transport = Smol::new(Options { connections_per_origin_max: 2, ..Options::default() });
/// ```
#[derive(Debug)]
pub struct Smol(Exchanges);

impl Smol {
    /// A transport without connections, which trusts the system's CAs.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with_tls(TlsConfig::default(), options)
    }

    /// A transport without connections, which speaks TLS as `tls` says.
    #[must_use]
    pub fn with_tls(tls: TlsConfig, options: Options) -> Self {
        Self(Exchanges::new(Reactor::new(&options), tls, options))
    }

    /// Takes an action on. Its events come from [`poll`](Self::poll), which has to be called before the loop sleeps: an
    /// action that was started wakes nobody.
    pub fn start(&mut self, action: NetAction) {
        self.0.start(action);
    }

    /// Cuts an action short: a `Fetch` is answered as aborted and its connection closed, a `ReadBody` is answered as
    /// aborted and its body stays as it was. An action that is answered already, or is none, is passed over.
    ///
    /// As with [`start`](Self::start), [`poll`](Self::poll) has to be called afterwards.
    pub fn abort(&mut self, target: ActionId) {
        self.0.abort(target);
    }

    /// Does what can be done now and appends what has happened to `events`. Where more may happen later, `cx` is woken.
    pub fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>) {
        self.0.poll(cx, events);
    }

    /// What is shared among several clients: [`Exchanges`] say how.
    pub fn exchanges(&mut self) -> &mut Exchanges {
        &mut self.0
    }

    /// As [`poll`](Self::poll), for several clients: says whose each event is.
    pub fn poll_all(&mut self, cx: &mut Context<'_>, events: &mut Vec<(Client, Event)>) {
        self.0.poll_all(cx, events);
    }
}

impl Default for Smol {
    fn default() -> Self {
        Self::new(Options::default())
    }
}
