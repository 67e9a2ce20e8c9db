//! Threads for work that blocks: made on demand, ended when idle.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use crate::runtime::Job;
use crate::sync::{Wakers, comes_back, lock, wake};

/// A thread that had nothing to do for so long ends.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Up to `threads_max` threads that take jobs from one queue. Dropping it lets the jobs that it was given finish. What a
/// job panics with is swallowed: who must know of it has a guard in the job.
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    threads_max: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for a job.
    idle: usize,
    /// Jobs that run.
    running: usize,
    dropped: bool,
    wait_for_idle: Wakers,
}

impl Pool {
    pub(crate) fn new(name: &'static str, threads_max: usize) -> Self {
        let state = Mutex::new(State::default());
        Self { inner: Arc::new(Inner { name, threads_max, state, work: Condvar::new() }) }
    }

    /// Has the jobs run, in no particular order. Where the system gives no thread at all, they run here and now.
    pub(crate) fn run(&self, jobs: impl IntoIterator<Item = Job>) {
        let wanted = {
            let mut state = lock(&self.inner.state);
            let before = state.jobs.len();
            state.jobs.extend(jobs);
            for _ in before..state.jobs.len().min(before + state.idle) {
                self.inner.work.notify_one();
            }
            let wanted = state.jobs.len().saturating_sub(state.idle).min(self.inner.threads_max - state.threads);
            state.threads += wanted;
            wanted
        };
        for _ in 0..wanted {
            let inner = Arc::clone(&self.inner);
            let made = thread::Builder::new().name(inner.name.into()).spawn(move || inner.work());
            if made.is_err() {
                self.inner.without_thread();
            }
        }
    }

    /// Ready when no job runs or waits. `key` identifies the waiting task.
    pub(crate) fn poll_idle(&self, context: &Context<'_>, key: &mut Option<u64>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut state = lock(&self.inner.state);
        let (unused, poll) = if state.is_idle() {
            (Some(waker), Poll::Ready(()))
        } else {
            (state.wait_for_idle.register(key, waker), Poll::Pending)
        };
        drop(state);
        drop(unused);
        poll
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        lock(&self.inner.state).dropped = true;
        self.inner.work.notify_all();
    }
}

impl Inner {
    fn work(&self) {
        while let Some(job) = self.next() {
            self.finish(job);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.running += 1;
                return Some(job);
            }
            if state.dropped {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            let (waited, timeout) =
                self.work.wait_timeout(state, IDLE_MAX).unwrap_or_else(std::sync::PoisonError::into_inner);
            state = waited;
            state.idle -= 1;
            if timeout.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }

    fn finish(&self, job: Job) {
        comes_back(job);
        let mut state = lock(&self.state);
        state.running -= 1;
        let wakers = if state.is_idle() { Some(state.wait_for_idle.take()) } else { None };
        drop(state);
        wakers.into_iter().flatten().for_each(wake);
    }

    /// A thread that was counted could not be made. The last hope of the queue is the caller's thread.
    fn without_thread(&self) {
        loop {
            let job = {
                let mut state = lock(&self.state);
                if state.threads > 1 {
                    state.threads -= 1;
                    return;
                }
                let Some(job) = state.jobs.pop_front() else {
                    state.threads -= 1;
                    return;
                };
                state.running += 1;
                job
            };
            self.finish(job);
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.running == 0 && self.jobs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::sync::{block_on_until, panicking_waker};

    const DEADLINE: Duration = Duration::from_secs(20);

    fn wait_idle(pool: &Pool) {
        let mut key = None;
        let idle = std::future::poll_fn(|context| pool.poll_idle(context, &mut key));
        block_on_until(idle, std::time::Instant::now() + DEADLINE).expect("the pool is idle in time");
    }

    fn panics() {
        panic!("a job that panics, on purpose");
    }

    #[test]
    fn jobs_run_side_by_side_up_to_the_bound_and_survive_panics() {
        let pool = Pool::new("test", 3);
        let together = Arc::new(Barrier::new(3));
        let (done, results) = channel();
        // Three that need each other prove three threads, also after as many panics.
        for _ in 0..3 {
            pool.run((0..3).map(|_| Box::new(panics) as Job));
            pool.run((0..3).map(|_| {
                let (together, done) = (Arc::clone(&together), done.clone());
                Box::new(move || {
                    together.wait();
                    done.send(()).unwrap();
                }) as Job
            }));
        }
        wait_idle(&pool);
        assert_eq!(results.try_iter().count(), 9);
        assert!(lock(&pool.inner.state).threads <= 3);
    }

    #[test]
    fn a_waker_that_panics_takes_no_thread_and_those_behind_it_are_woken() {
        let pool = Pool::new("test", 1);
        let (go, gate) = channel::<()>();
        pool.run([Box::new(move || assert!(gate.recv().is_err())) as Job]);
        assert!(pool.poll_idle(&Context::from_waker(&panicking_waker()), &mut None).is_pending());
        let mut key = None;
        let mut go = Some(go);
        let idle = std::future::poll_fn(|context| {
            let poll = pool.poll_idle(context, &mut key);
            // Only now, so that both wait when the job ends.
            drop(go.take());
            poll
        });
        block_on_until(idle, std::time::Instant::now() + DEADLINE).expect("it is woken in time");
        let (done, results) = channel();
        pool.run([Box::new(move || done.send(()).unwrap()) as Job]);
        results.recv_timeout(DEADLINE).expect("its one thread is there");
    }

    #[test]
    fn a_dropped_pool_does_what_it_was_given() {
        let pool = Pool::new("test", 1);
        let (done, results) = channel();
        pool.run((0..100).map(|number| {
            let done = done.clone();
            Box::new(move || done.send(number).unwrap()) as Job
        }));
        drop((pool, done));
        let mut received = Vec::new();
        while let Ok(number) = results.recv_timeout(DEADLINE) {
            received.push(number);
        }
        assert_eq!(received, (0..100).collect::<Vec<_>>());
    }
}
