//! How a runtime waits and spawns.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

/// The manager's loop, as a task to be spawned.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that ends at a point in time.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a manager needs of the program's own runtime: to spawn a task, and to wait for a point in time.
///
/// Implemented for [`tokio::runtime::Handle`] (feature `tokio`), and for closures that spawn a task; those wait with the
/// help of one thread for all managers of the process.
pub trait Runtime: Send + Sync + 'static {
    /// Runs the task in the background, to its end.
    fn spawn(&self, task: Task);

    /// A future that ends at `deadline`.
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
        let _ = deadline;
        panic!("skeleton")
    }
}

#[cfg(feature = "tokio")]
impl Runtime for tokio::runtime::Handle {
    fn spawn(&self, task: Task) {
        drop(tokio::runtime::Handle::spawn(self, task));
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }

    fn is_tokio(&self) -> bool {
        true
    }
}
