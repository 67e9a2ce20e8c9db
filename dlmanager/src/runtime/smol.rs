//! smol: an executor of one task, on a thread of the manager's own that waits in smol's reactor.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use super::{Runtime, Sleep, Task};

/// A thread that runs one task and ends with it.
pub(super) struct OwnThread {
    task: SyncSender<Task>,
}

impl OwnThread {
    pub(super) fn new() -> std::io::Result<Self> {
        let (task, inbox) = sync_channel::<Task>(1);
        thread::Builder::new().name("dlmanager".into()).spawn(move || {
            if let Ok(task) = inbox.recv() {
                ::smol::block_on(task);
            }
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
        Box::pin(async move {
            ::smol::Timer::at(deadline).await;
        })
    }
}
