//! A connection as its two threads share it: the reader puts in what arrives, the writer waits for it and for time.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::input::Incoming;
use crate::wire::Wire;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: usize,
    pub(crate) wire: Wire,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    incoming: VecDeque<Incoming>,
    /// The client has closed its sending half, or the connection is broken.
    input_ended: bool,
    stopped: bool,
}

/// Why waiting ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    ClientLeft,
    Stopped,
}

impl Connection {
    pub(crate) fn new(number: usize, wire: Wire) -> Self {
        Self { number, wire, state: Mutex::default(), changed: Condvar::new() }
    }

    /// What the reader has read: `false` where too much is waiting already.
    pub(crate) fn push(&self, incoming: Incoming) -> bool {
        const PIPELINED_MAX: usize = 64;
        let mut state = self.lock();
        let fits = state.incoming.len() < PIPELINED_MAX;
        state.incoming.push_back(if fits { incoming } else { Incoming::Malformed });
        self.changed.notify_all();
        fits
    }

    pub(crate) fn input_ended(&self) {
        self.lock().input_ended = true;
        self.changed.notify_all();
    }

    /// The next request, or `None` once there will be none.
    pub(crate) fn next(&self) -> Option<Incoming> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(incoming) = state.incoming.pop_front() {
                return Some(incoming);
            }
            if state.input_ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `done`, or until the moment (forever without one).
    pub(crate) fn wait(&self, until: Option<Instant>, done: impl Fn() -> bool) -> Result<(), Interrupted> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Err(Interrupted::Stopped);
            }
            if state.input_ended {
                return Err(Interrupted::ClientLeft);
            }
            if done() {
                return Ok(());
            }
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(());
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Something that the writer may wait for has changed.
    pub(crate) fn wake(&self) {
        // The lock makes sure that the writer is either before its look at the condition or asleep.
        let _state = self.lock();
        self.changed.notify_all();
    }

    /// Ends both threads, whatever they are at.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
        // Fails where the connection is gone already.
        let _ = self.wire.stream.shutdown(Shutdown::Both);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
