//! tokio: a host's runtime, and a current-thread runtime on a thread of the manager's own.

use std::io;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use tokio::runtime::{Builder, Handle};

use super::{Runtime, Sleep, Task, thread_for_one};

impl Runtime for Handle {
    fn spawn(&self, task: Task) {
        drop(Self::spawn(self, task));
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }

    fn is_tokio(&self) -> bool {
        true
    }

    /// That of the runtime, which a test may have stopped: asked within it, as it is asked for on other threads as well.
    fn now(&self) -> Instant {
        // On a thread that is ending there may be nothing left by which to enter it.
        let is_ending = Self::try_current().is_err_and(|error| error.is_thread_local_destroyed());
        let _within = (!is_ending).then(|| self.enter());
        tokio::time::Instant::now().into_std()
    }
}

/// A thread with a runtime that runs one task and ends with it.
pub(super) struct OwnThread {
    task: SyncSender<Task>,
}

impl OwnThread {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let task = thread_for_one(move |task| {
            runtime.block_on(task);
            // Without waiting for what may hang in the system's resolver.
            runtime.shutdown_background();
        })?;
        Ok(Self { task })
    }
}

impl Runtime for OwnThread {
    fn spawn(&self, task: Task) {
        // The thread lives until it got a task, so this cannot fail; and if it did, the task's end would tell.
        drop(self.task.try_send(task));
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }

    fn is_tokio(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use super::*;

    /// What a program keeps for a thread may be dropped behind what tokio keeps for it, and release a file then.
    #[test]
    fn a_thread_that_is_ending_can_still_ask_for_the_time() {
        struct Asks(Handle, Sender<Instant>);

        impl Drop for Asks {
            fn drop(&mut self) {
                self.1.send(Runtime::now(&self.0)).unwrap();
            }
        }

        thread_local! {
            static KEPT: std::cell::OnceCell<Asks> = const { std::cell::OnceCell::new() };
        }

        let runtime = Builder::new_current_thread().build().unwrap();
        let (told, times) = channel();
        let (handle, began) = (runtime.handle().clone(), Instant::now());
        let ending = thread::spawn(move || {
            KEPT.with(|kept| assert!(kept.set(Asks(handle.clone(), told)).is_ok()));
            drop(handle.enter());
        });
        ending.join().unwrap();
        assert!(times.recv().unwrap() >= began);
    }
}
