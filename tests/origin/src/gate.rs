//! A place where replies wait until a test lets them go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::connection::Connection;

/// Holds replies at a place until it is opened; from then on it holds none. Clones are the same gate.
///
/// ```no_run
/// # use dlmanager_origin::{At, Body, Gate, Origin, Reply};
/// # use std::time::Duration;
/// # let origin = Origin::start().unwrap();
/// let gate = Gate::new();
/// origin.serve("/a.bin", Reply::body(Body::pattern(1, 1000)).gate_at(At::Body(500), &gate));
/// // ... start a download ...
/// assert!(gate.wait_reached(1, Duration::from_secs(10)));
/// // ... 500 bytes are on their way and nothing more will come: cancel it ...
/// gate.open();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: AtomicBool,
    held: Mutex<Held>,
    reached: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    arrivals: usize,
    waiting: Vec<Weak<Connection>>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        // Before the waiting ones are woken: each looks at the gate under its own lock.
        self.0.open.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut self.lock().waiting);
        for connection in waiting.iter().filter_map(Weak::upgrade) {
            connection.wake();
        }
    }

    /// Whether it was opened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::SeqCst)
    }

    /// How many replies have come to this gate so far, open or closed.
    #[must_use]
    pub fn arrivals(&self) -> usize {
        self.lock().arrivals
    }

    /// Waits until that many replies have come to this gate; `false` where they have not within `deadline`.
    #[must_use]
    pub fn wait_reached(&self, arrivals: usize, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let mut held = self.lock();
        while held.arrivals < arrivals {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            held = self.0.reached.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// A reply has come here; its connection is to be woken when the gate opens.
    pub(crate) fn arrive(&self, connection: &Arc<Connection>) {
        let mut held = self.lock();
        held.arrivals += 1;
        held.waiting.retain(|waiting| waiting.strong_count() > 0);
        if !self.is_open() {
            held.waiting.push(Arc::downgrade(connection));
        }
        self.0.reached.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
