//! smol: an executor of one task, on a thread of the manager's own that waits in smol's reactor.

use std::io;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::{Runtime, Sleep, Task, thread_for_one};

/// A thread that runs one task and ends with it.
pub(super) struct OwnThread {
    task: SyncSender<Task>,
}

impl OwnThread {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { task: thread_for_one(::smol::block_on)? })
    }
}

impl Runtime for OwnThread {
    fn spawn(&self, task: Task) {
        // The thread lives until it got a task, so this cannot fail; and if it did, the task's end would tell.
        drop(self.task.try_send(task));
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(async move {
            ::smol::Timer::at(deadline).await;
        })
    }
}
