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
