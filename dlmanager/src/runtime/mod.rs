//! How a runtime waits and spawns.

#[cfg(feature = "smol")]
mod smol;
mod timer;
#[cfg(feature = "tokio")]
mod tokio;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use crate::{IoRuntime, sync};

/// File work that blocks, on its way to a thread; see [`Runtime::run_blocking`].
///
/// ```
/// use dlmanager::Job;
///
/// let job: Job = Box::new(|| drop(std::fs::metadata(".")));
/// job();
/// ```
pub type Job = Box<dyn FnOnce() + Send>;

/// The manager's loop, as a task to be spawned.
///
/// ```
/// use dlmanager::Task;
///
/// /// A thread for the manager, with a name that the program has chosen.
/// fn on_a_thread(task: Task) {
///     let thread = std::thread::Builder::new().name("downloads".into());
///     thread.spawn(move || smol::block_on(task)).expect("a thread can be started");
/// }
/// # fn check(builder: dlmanager::Builder) {
/// let opening = builder.open_on(on_a_thread);
/// # drop(opening);
/// # }
/// ```
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that ends at a point in time.
///
/// ```
/// use std::time::Instant;
///
/// use dlmanager::{Runtime, Sleep, Task};
///
/// /// smol, with its own timers.
/// struct Smol;
///
/// impl Runtime for Smol {
///     fn spawn(&self, task: Task) {
///         smol::spawn(task).detach();
///     }
///
///     fn sleep_until(&self, deadline: Instant) -> Sleep {
///         Box::pin(async move { drop(smol::Timer::at(deadline).await) })
///     }
/// }
///
/// smol::block_on(Smol.sleep_until(Instant::now()));
/// ```
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

    /// The time on the clock of [`sleep_until`](Self::sleep_until), which never runs backwards. All of a manager's
    /// deadlines go by it, so that a runtime with a virtual clock has managers whose time is virtual.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Has a job run that blocks, whenever and wherever: jobs do not wait for each other. One that is dropped instead
    /// counts as tried in vain.
    ///
    /// # Errors
    ///
    /// The job, where the runtime has no threads for it: then the manager has it run on one of its own. That is what
    /// happens unless this is overridden.
    fn run_blocking(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }

    /// Whether the thread that polls a task is there for that task alone, so that file work which takes microseconds
    /// may run on it.
    fn may_block(&self) -> bool {
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
pub(crate) fn own_thread(choice: Option<IoRuntime>) -> io::Result<Arc<dyn Runtime>> {
    match choice {
        #[cfg(feature = "tokio")]
        Some(IoRuntime::Tokio) => Ok(Arc::new(tokio::OwnThread::new()?)),
        #[cfg(feature = "smol")]
        Some(IoRuntime::Smol) => Ok(Arc::new(smol::OwnThread::new()?)),
        _ => {
            let task = thread_for_one(sync::block_on)?;
            // The thread lives until it got a task, so this cannot fail; and if it did, the task's end would tell.
            Ok(Arc::new(move |given| drop(task.try_send(given))))
        }
    }
}

/// A thread of the manager's own, that waits for one task and ends when `run` has.
fn thread_for_one(run: impl FnOnce(Task) + Send + 'static) -> io::Result<SyncSender<Task>> {
    let (task, inbox) = sync_channel::<Task>(1);
    thread::Builder::new().name("dlmanager".into()).spawn(move || {
        if let Ok(task) = inbox.recv() {
            run(task);
        }
    })?;
    Ok(task)
}
