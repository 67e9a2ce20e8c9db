//! Executes the network actions of dlmanager-core with hyper on tokio: HTTP/1.1 over TCP and TLS.
//!
//! A [`Hyper`] takes [`NetAction`]s by [`start`](Hyper::start) and yields their
//! [`Event`]s by [`poll`](Hyper::poll). It has no task and no thread of its own, only the host's
//! names are resolved on tokio's blocking threads: the loop that owns it polls it, within a tokio runtime that has IO and
//! time enabled, and one wake polls the exchanges that were woken, not all.
//!
//! ```
//! use std::future::poll_fn;
//! use std::task::Poll;
//!
//! use dlmanager_core::{Event, NetAction};
//! use dlmanager_hyper::Hyper;
//!
//! /// Starts actions and waits until something happens.
//! async fn next_events(hyper: &mut Hyper, actions: Vec<NetAction>) -> Vec<Event> {
//!     actions.into_iter().for_each(|action| hyper.start(action));
//!     let mut events = Vec::new();
//!     poll_fn(|cx| {
//!         hyper.poll(cx, &mut events);
//!         if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
//!     })
//!     .await;
//!     events
//! }
//! ```
//!
//! What goes over a connection, how many there are and what is held of a body is the matter of [`dlmanager_exchange`],
//! where it is told.
#![forbid(unsafe_code)]

mod connect;

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use dlmanager_core::{ActionId, Event, NetAction};
pub use dlmanager_exchange::{Client, Exchanges, Options, TlsConfig};
use tokio::task::coop;

use crate::connect::Tokio;

/// Executes network actions on tokio. See the [crate's documentation](crate).
///
/// ```
/// use dlmanager_hyper::{Hyper, Options};
///
/// let hyper = Hyper::new(Options { connections_per_origin_max: 2, ..Options::default() });
/// ```
#[derive(Debug)]
pub struct Hyper(Exchanges);

impl Hyper {
    /// A transport without connections, which trusts the system's CAs.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with_tls(TlsConfig::default(), options)
    }

    /// A transport without connections, which speaks TLS as `tls` says.
    #[must_use]
    pub fn with_tls(tls: TlsConfig, options: Options) -> Self {
        Self(Exchanges::new(Tokio::new(&options), tls, options))
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
    ///
    /// # Panics
    ///
    /// Outside the context of a tokio runtime with IO and time enabled.
    pub fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>) {
        self.unconstrained(cx, |exchanges, cx| exchanges.poll(cx, events));
    }

    /// What is shared among several clients: [`Exchanges`] say how. They are to be polled by
    /// [`poll_all`](Self::poll_all) here.
    pub fn exchanges(&mut self) -> &mut Exchanges {
        &mut self.0
    }

    /// As [`poll`](Self::poll), for several clients: says whose each event is.
    ///
    /// # Panics
    ///
    /// Outside the context of a tokio runtime with IO and time enabled.
    pub fn poll_all(&mut self, cx: &mut Context<'_>, events: &mut Vec<(Client, Event)>) {
        self.unconstrained(cx, |exchanges, cx| exchanges.poll_all(cx, events));
    }

    fn unconstrained(&mut self, cx: &mut Context<'_>, mut poll: impl FnMut(&mut Exchanges, &mut Context<'_>)) {
        let Self(exchanges) = self;
        let work = poll_fn(|cx| {
            poll(exchanges, cx);
            Poll::Ready(())
        });
        // Without tokio's budget for a task's poll. What goes beyond it is put off until the runtime next parks within
        // this `block_on`, and forgotten where that ends before. There is no need for it: a poll does what was asked for
        // and no more.
        let _ = pin!(coop::unconstrained(work)).poll(cx);
    }
}

impl Default for Hyper {
    fn default() -> Self {
        Self::new(Options::default())
    }
}
