//! How a runtime waits and spawns.

#[cfg(feature = "smol")]
mod smol;
mod timer;
#[cfg(feature = "tokio")]
mod tokio;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::IoRuntime;

/// The manager's loop, as a task to be spawned.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that ends at a point in time.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a manager needs of the program's own runtime: to spawn a task, and to wait for a point in time.
///
/// Implemented for `tokio::runtime::Handle` (feature `tokio`), and for closures that spawn a
/// task on any executor; these wait with the help of one thread for all managers of the process.
///
/// ```
/// # fn check(builder: dlmanager::Builder) {
/// let opening = builder.open_on(|task| smol::spawn(task).detach());
/// # drop(opening);
/// # }
/// ```
pub trait Runtime: Send + Sync + 'static {
    /// Runs the task in the background, to its end.
    fn spawn(&self, task: Task);

    /// A future that ends at `deadline`; it is polled within the task.
    fn sleep_until(&self, deadline: Instant) -> Sleep;

    /// Whether tasks run within a tokio runtime with IO and time, as the default transport needs.
    fn is_tokio(&self) -> bool {
        false
    }
}

impl<F: Fn(Task) + Send + Sync + 'static> Runtime for F {
    fn spawn(&self, task: Task) {
        self(task);
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(timer::Timer::new(deadline))
    }
}

/// The runtime of a manager's own thread, which is made by the call: what it spawns runs there. Without a choice it is a
/// thread that sleeps until it is woken.
pub(crate) fn own_thread(choice: Option<IoRuntime>) -> std::io::Result<Arc<dyn Runtime>> {
    match choice {
        #[cfg(feature = "tokio")]
        Some(IoRuntime::Tokio) => Ok(Arc::new(tokio::OwnThread::new()?)),
        #[cfg(feature = "smol")]
        Some(IoRuntime::Smol) => Ok(Arc::new(smol::OwnThread::new()?)),
        _ => {
            let (tasks, inbox) = std::sync::mpsc::sync_channel::<Task>(1);
            let run = move || inbox.into_iter().for_each(crate::sync::block_on);
            std::thread::Builder::new().name("dlmanager".into()).spawn(run)?;
            Ok(Arc::new(move |task| drop(tasks.send(task))))
        }
    }
}
