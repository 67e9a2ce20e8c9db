//! Who may connect to an origin, and which connections are idle: the accounts, without the connections themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Options;
use crate::client::Key;
use crate::origin::Origin;
use crate::queue::Queue;
use crate::slot::Fetch;

/// The accounts of all origins. A connection is known by the key of its slot.
#[derive(Debug)]
pub(crate) struct Pool {
    origins: HashMap<Arc<Origin>, Account>,
    /// At all origins together.
    waiting: usize,
    /// In the order in which they became idle.
    idle: Vec<Idle>,
    connections_per_origin_max: usize,
    idle_connections_max: usize,
    idle_timeout: Duration,
}

#[derive(Debug, Default)]
struct Account {
    /// Being made, in use and idle.
    connections: usize,
    /// Without a place. While there are any, all places are taken and none is idle.
    waiting: Queue,
}

#[derive(Debug)]
struct Idle {
    key: usize,
    origin: Arc<Origin>,
    since: Instant,
}

/// What an origin has for a new exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The idle connection with this key; it counts as in use from now on.
    Idle(usize),
    /// Room for a new connection; it is counted already.
    New,
    /// Nothing.
    Full,
}

impl Pool {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            origins: HashMap::new(),
            waiting: 0,
            idle: Vec::new(),
            connections_per_origin_max: options.connections_per_origin_max.max(1),
            idle_connections_max: options.idle_connections_max,
            idle_timeout: options.idle_timeout,
        }
    }

    /// A place for an exchange. Of several idle connections the one used last is the least likely to be stale.
    pub(crate) fn take_place(&mut self, origin: &Arc<Origin>) -> Place {
        if let Some(at) = self.idle.iter().rposition(|idle| idle.origin == *origin) {
            return Place::Idle(self.idle.remove(at).key);
        }
        let account = self.origins.entry(Arc::clone(origin)).or_default();
        if account.connections < self.connections_per_origin_max {
            account.connections += 1;
            Place::New
        } else {
            Place::Full
        }
    }

    /// An exchange that found the origin full.
    pub(crate) fn wait(&mut self, origin: &Arc<Origin>, fetch: Fetch) {
        self.origins.entry(Arc::clone(origin)).or_default().waiting.push(fetch);
        self.waiting += 1;
    }

    /// A connection has finished its exchange: the one to take it over, if one waits.
    pub(crate) fn next_for_connection(&mut self, origin: &Origin) -> Option<Fetch> {
        if self.waiting == 0 {
            return None;
        }
        let next = self.origins.get_mut(origin)?.waiting.pop();
        self.waiting -= usize::from(next.is_some());
        next
    }

    /// A connection was closed: the exchange to take its place, if one waits; the place is counted already.
    pub(crate) fn closed(&mut self, origin: &Origin) -> Option<Fetch> {
        let account = self.origins.get_mut(origin)?;
        let next = account.waiting.pop();
        self.waiting -= usize::from(next.is_some());
        if next.is_none() {
            account.connections -= 1;
            if account.connections == 0 {
                self.origins.remove(origin);
            }
        }
        next
    }

    /// A connection is idle from now on. Yields the key of one that is idle and too many, to be closed.
    pub(crate) fn park(&mut self, key: usize, origin: &Arc<Origin>, now: Instant) -> Option<usize> {
        self.idle.push(Idle { key, origin: Arc::clone(origin), since: now });
        (self.idle.len() > self.idle_connections_max).then(|| self.idle.remove(0).key)
    }

    /// An idle connection has ended.
    pub(crate) fn unpark(&mut self, key: usize) {
        self.idle.retain(|idle| idle.key != key);
    }

    /// When the next idle connection is to be closed.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.idle.first()?.since.checked_add(self.idle_timeout)
    }

    /// An idle connection whose time is over.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<usize> {
        (self.next_expiry()? <= now).then(|| self.idle.remove(0).key)
    }

    /// Takes a waiting exchange back.
    pub(crate) fn withdraw(&mut self, origin: &Origin, key: Key) -> Option<Fetch> {
        let withdrawn = self.origins.get_mut(origin)?.waiting.withdraw(key);
        self.waiting -= usize::from(withdrawn.is_some());
        withdrawn
    }

    /// A waiting exchange.
    pub(crate) fn waiting(&mut self, origin: &Origin, key: Key) -> Option<&mut Fetch> {
        self.origins.get_mut(origin)?.waiting.get_mut(key)
    }
}
