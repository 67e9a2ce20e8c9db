//! Which slots are to be polled: one wake polls what was woken, not all there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The keys that were woken since they were last taken, and the loop that is to be told.
#[derive(Debug, Default)]
pub(crate) struct ReadyList(Mutex<Woken>);

#[derive(Debug, Default)]
struct Woken {
    keys: Vec<usize>,
    /// The loop's waker, while the loop sleeps: whoever comes first takes it, so that many wakes tell the loop once.
    sleeper: Option<Waker>,
}

impl ReadyList {
    /// Appends what was woken to `keys`. From now on nobody wakes the loop, until it [sleeps](Self::sleep).
    pub(crate) fn take_into(&self, keys: &mut Vec<usize>) {
        let mut woken = self.lock();
        let old = woken.sleeper.take();
        keys.append(&mut woken.keys);
        drop(woken);
        // Outside the lock, as all that is done with a waker: it may run code that we do not know.
        drop(old);
    }

    /// The loop is about to wait for `waker`.
    pub(crate) fn sleep(&self, waker: &Waker) {
        let sleeper = waker.clone();
        let mut woken = self.lock();
        if woken.keys.is_empty() {
            let old = woken.sleeper.replace(sleeper);
            drop(woken);
            drop(old);
        } else {
            drop(woken);
            sleeper.wake();
        }
    }

    fn push(&self, key: usize) {
        let sleeper = {
            let mut woken = self.lock();
            woken.keys.push(key);
            woken.sleeper.take()
        };
        if let Some(waker) = sleeper {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Woken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker of one slot: enters its key into the list, once.
#[derive(Debug)]
pub(crate) struct Alarm {
    key: usize,
    raised: AtomicBool,
    list: Arc<ReadyList>,
}

impl Alarm {
    pub(crate) fn new(key: usize, list: &Arc<ReadyList>) -> Arc<Self> {
        Arc::new(Self { key, raised: AtomicBool::new(false), list: Arc::clone(list) })
    }

    /// Forgets the wakes so far, and says whether there were any. What is polled next has seen what they were about.
    pub(crate) fn clear(&self) -> bool {
        self.raised.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            self.list.push(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A waker that notes whether the list was free whenever one of it was dropped.
    struct Dropped {
        list: Arc<ReadyList>,
        free: Arc<Mutex<Vec<bool>>>,
    }

    impl Wake for Dropped {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.free.lock().unwrap().push(self.list.0.try_lock().is_ok());
        }
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock() {
        let list = Arc::<ReadyList>::default();
        let free = Arc::<Mutex<Vec<bool>>>::default();
        let sleep = || list.sleep(&Arc::new(Dropped { list: Arc::clone(&list), free: Arc::clone(&free) }).into());
        sleep();
        list.take_into(&mut Vec::new());
        assert_eq!(*free.lock().unwrap(), [true], "taken");
        sleep();
        sleep();
        assert_eq!(*free.lock().unwrap(), [true; 2], "replaced");
        list.take_into(&mut Vec::new());
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn only_what_was_woken_is_listed_and_the_loop_is_told_once() {
        let list = Arc::<ReadyList>::default();
        let count = Arc::<Count>::default();
        let told = || count.0.load(Ordering::SeqCst);
        let alarms: Vec<_> = (0..1000).map(|key| Alarm::new(key, &list)).collect();
        let wake = |key: usize| Waker::from(Arc::clone(&alarms[key])).wake();
        let taken = || {
            let mut keys = Vec::new();
            list.take_into(&mut keys);
            keys
        };

        list.sleep(&Arc::clone(&count).into());
        [7, 7, 500, 7].into_iter().for_each(wake);
        assert_eq!((told(), taken()), (1, vec![7, 500]));
        // Awake: nobody has to be told. What was not cleared is still raised.
        [7, 8].into_iter().for_each(wake);
        assert!(alarms[7].clear() && !alarms[7].clear());
        wake(7);
        assert_eq!((told(), taken()), (1, vec![8, 7]));
        // Woken between the last look and sleep.
        wake(9);
        list.sleep(&Arc::clone(&count).into());
        assert_eq!((told(), taken()), (2, vec![9]));
    }
}
