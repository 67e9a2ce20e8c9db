//! Timers for executors that bring none: one thread for the process, there while anything waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::{lock, wake};

static TIMERS: Timers = Timers { state: Mutex::new(State::new()), changed: Condvar::new() };

/// Where no thread can be made, whoever waits is woken at once and asks again: slow, but never stuck.
struct Timers {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    issued: u64,
    waiting: BTreeMap<(Instant, u64), Waker>,
    running: bool,
}

/// A future that ends at its deadline.
pub(super) struct Timer {
    deadline: Instant,
    key: Option<u64>,
}

impl Timer {
    pub(super) fn new(deadline: Instant) -> Self {
        Self { deadline, key: None }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        let mut state = lock(&TIMERS.state);
        let key = *self.key.get_or_insert_with(|| {
            state.issued += 1;
            state.issued
        });
        let old = state.waiting.insert((self.deadline, key), waker);
        let start = !std::mem::replace(&mut state.running, true);
        drop(state);
        drop(old);
        if start && thread::Builder::new().name("dlmanager-timer".into()).spawn(|| TIMERS.run()).is_err() {
            lock(&TIMERS.state).running = false;
            context.waker().wake_by_ref();
        }
        TIMERS.changed.notify_one();
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let removed = lock(&TIMERS.state).waiting.remove(&(self.deadline, key));
            drop(removed);
        }
    }
}

impl State {
    const fn new() -> Self {
        Self { issued: 0, waiting: BTreeMap::new(), running: false }
    }
}

impl Timers {
    fn run(&self) {
        let mut state = lock(&self.state);
        loop {
            let Some((&(deadline, key), _)) = state.waiting.first_key_value() else {
                state.running = false;
                return;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left > Duration::ZERO {
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let waker = state.waiting.remove(&(deadline, key));
            drop(state);
            waker.into_iter().for_each(wake);
            state = lock(&self.state);
        }
    }
}
