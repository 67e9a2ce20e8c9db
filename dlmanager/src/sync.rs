//! What waiting is made of: locks that no panic poisons, sets of wakers, and blocking on a future.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// Locks, also after a panic: whoever panicked under the lock is answered by ending the loop, not by more panics.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a call does not panic.
pub(crate) fn comes_back(call: impl FnOnce()) -> bool {
    let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else { return true };
    // Dropping the payload may panic again.
    std::mem::forget(payload);
    false
}

/// Wakes somebody. A host's waker may panic, and there are others to be woken behind it.
pub(crate) fn wake(waker: Waker) {
    comes_back(|| waker.wake());
}

/// Tasks that wait for the same thing. Each has a key, so that polling again replaces its waker instead of adding one.
///
/// Wakers come in and go out by value, so that no executor's code runs under the lock that guards the set.
#[derive(Default)]
pub(crate) struct Wakers {
    issued: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Wakers {
    /// Adds a waker, or replaces that of the key. Returns what was replaced, to be dropped outside the lock.
    #[must_use = "drop it outside the lock"]
    pub(crate) fn register(&mut self, key: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let key = *key.get_or_insert_with(|| {
            self.issued += 1;
            self.issued
        });
        self.waiting.insert(key, waker)
    }

    /// Removes the waker of a key. Returns it, to be dropped outside the lock.
    #[must_use = "drop it outside the lock"]
    pub(crate) fn forget(&mut self, key: Option<u64>) -> Option<Waker> {
        self.waiting.remove(&key?)
    }

    /// Takes all wakers out, to be woken outside the lock.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }
}

/// A value that another thread will have, and the future that yields it: `None` where the promise is dropped unkept.
pub(crate) fn promise<T>() -> (Promise<T>, Promised<T>) {
    let state = Arc::new(Mutex::new(PromiseState { value: None, over: false, waker: None }));
    (Promise(Arc::clone(&state)), Promised(state))
}

pub(crate) struct Promise<T>(Arc<Mutex<PromiseState<T>>>);

pub(crate) struct Promised<T>(Arc<Mutex<PromiseState<T>>>);

struct PromiseState<T> {
    value: Option<T>,
    over: bool,
    waker: Option<Waker>,
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, value: T) {
        lock(&self.0).value = Some(value);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let waker = {
            let mut state = lock(&self.0);
            state.over = true;
            state.waker.take()
        };
        waker.into_iter().for_each(wake);
    }
}

impl<T> Future for Promised<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let waker = context.waker().clone();
        let mut state = lock(&self.0);
        if state.over {
            return Poll::Ready(state.value.take());
        }
        let old = state.waker.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

/// Runs a future to its end on this thread, which sleeps meanwhile.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&parker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// The same until a deadline; `None` where the future has not ended by then.
pub(crate) fn block_on_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    let parker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&parker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that panics.
#[cfg(test)]
pub(crate) fn panicking_waker() -> Waker {
    struct Panicking;

    impl Wake for Panicking {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics, on purpose");
        }
    }

    Arc::new(Panicking).into()
}

/// Counts how often its wakers are woken.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct CountedWakes(Arc<std::sync::atomic::AtomicUsize>);

#[cfg(test)]
impl CountedWakes {
    pub(crate) fn waker(&self) -> Waker {
        Arc::new(self.clone()).into()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[cfg(test)]
impl Wake for CountedWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}
