//! Timers for executors that bring none: one thread for the process, there while anything waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::{lock, wake};

static TIMERS: Timers = Timers::new();

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
    timers: &'static Timers,
    deadline: Instant,
    key: Option<u64>,
}

impl Timer {
    pub(super) fn new(deadline: Instant) -> Self {
        Self { timers: &TIMERS, deadline, key: None }
    }

    /// `start` makes the thread, and says whether it could.
    fn poll_with(&mut self, context: &Context<'_>, start: impl FnOnce(&'static Timers) -> bool) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let timers = self.timers;
        let waker = context.waker().clone();
        let mut state = lock(&timers.state);
        let key = *self.key.get_or_insert_with(|| {
            state.issued += 1;
            state.issued
        });
        let old = state.waiting.insert((self.deadline, key), waker);
        let is_first = !std::mem::replace(&mut state.running, true);
        drop(state);
        drop(old);
        if is_first && !start(timers) {
            let waiting = {
                let mut state = lock(&timers.state);
                state.running = false;
                std::mem::take(&mut state.waiting)
            };
            waiting.into_values().for_each(wake);
        }
        timers.changed.notify_one();
        Poll::Pending
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.poll_with(context, |timers| {
            let thread = thread::Builder::new().name("dlmanager-timer".into());
            thread.spawn(|| timers.run()).is_ok()
        })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let removed = lock(&self.timers.state).waiting.remove(&(self.deadline, key));
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
    const fn new() -> Self {
        Self { state: Mutex::new(State::new()), changed: Condvar::new() }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::CountedWakes;

    #[test]
    fn where_no_thread_can_be_made_all_who_wait_ask_again() {
        static NONE: Timers = Timers::new();
        let deadline = Instant::now() + Duration::from_secs(1_000_000);
        let timer = || Timer { timers: &NONE, deadline, key: None };
        let (first, second) = (CountedWakes::default(), CountedWakes::default());
        let (mut trying, mut relying) = (timer(), timer());
        let poll = trying.poll_with(&Context::from_waker(&first.waker()), |_| {
            let is_made = |_: &Timers| panic!("it is being made already");
            assert!(relying.poll_with(&Context::from_waker(&second.waker()), is_made).is_pending());
            false
        });
        assert!(poll.is_pending());
        assert_eq!((first.count(), second.count()), (1, 1));
        // Whoever is left tries.
        drop(trying);
        let mut tried = false;
        let poll = relying.poll_with(&Context::from_waker(&second.waker()), |_| {
            tried = true;
            false
        });
        assert!(poll.is_pending() && tried);
        assert_eq!((first.count(), second.count()), (1, 2));
    }
}
