//! The two traits that somebody implements to bring a network or a file system of their own.

use std::sync::Arc;
use std::task::Context;

use dlmanager_core::{ActionId, Completion, Event, FileAction, NetAction};
use dlmanager_fs::Directory;

/// Executes network actions. The loop alone calls it, and polls it as it polls a future.
///
/// Where it panics, all actions that it has not answered are taken for aborted; it is called again for the next ones.
///
/// ```
/// use std::task::Context;
///
/// use dlmanager::core::{ActionId, Event, NetAction, NetOp};
/// use dlmanager::{DownloadManager, Fault, FaultKind, Transport};
///
/// /// For tests: there is no network.
/// struct Offline(Vec<Event>);
///
/// impl Transport for Offline {
///     fn start(&mut self, action: NetAction) {
///         self.0.push(Event::Completed(match action.op {
///             NetOp::Fetch { ticket, .. } => ticket.done(Err(Fault::new(FaultKind::Connect))),
///             NetOp::ReadBody { ticket, .. } => ticket.done(Err(Fault::new(FaultKind::Reset))),
///             NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
///         }));
///     }
///
///     fn abort(&mut self, _: ActionId) {} // all are answered already
///
///     fn poll(&mut self, _: &mut Context<'_>, events: &mut Vec<Event>) {
///         events.append(&mut self.0);
///     }
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// let manager = DownloadManager::builder(directory).transport(Offline(Vec::new())).retries(0).open()?;
/// let error = manager.download("https://example.org/notes.txt")?.wait().unwrap_err();
/// assert_eq!(error.kind(), "network");
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Transport: Send + 'static {
    /// Begins an action. It may be answered by the next [`poll`](Self::poll), which always follows.
    fn start(&mut self, action: NetAction);

    /// The answer to this action is no longer of interest; it still completes exactly once.
    fn abort(&mut self, target: ActionId);

    /// Goes on with what is under way, and appends what happened. Where it appends nothing, it has arranged for the
    /// context's waker to be woken when there is more to do.
    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>);
}

/// Executes file actions, on the loop's thread or on workers: several at the same time, but those of a lane one after
/// another.
///
/// Where it panics, the action is taken for aborted.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// use dlmanager::core::{Completion, FileAction};
/// use dlmanager::{Directory, DownloadManager, Store};
///
/// /// The real directory, and how much is asked of it.
/// struct Counted(Directory, AtomicU64);
///
/// impl Store for Counted {
///     fn execute(&self, action: FileAction) -> Completion {
///         self.1.fetch_add(1, Relaxed);
///         self.0.execute(action)
///     }
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// # std::fs::write(directory.join("notes.txt"), "hello")?;
/// let store = Arc::new(Counted(Directory::create(directory)?, AtomicU64::new(0)));
/// let manager = DownloadManager::builder(directory).store(Arc::clone(&store)).open()?;
/// manager.download("https://example.org/notes.txt")?.wait()?;
/// assert!(store.1.load(Relaxed) > 0);
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Store: Send + Sync + 'static {
    /// Executes the action to its end; blocks meanwhile.
    fn execute(&self, action: FileAction) -> Completion;

    /// Whether actions take long by nature (a network disk), so that none should run on the loop's thread.
    fn is_slow(&self) -> bool {
        false
    }

    /// The real directory that it works on, where it is one: needed for what hands out files of the system, which are
    /// [`DownloadManager::lease`](crate::DownloadManager::lease), pins, and the like. Without it they are
    /// [`Unsupported`](std::io::ErrorKind::Unsupported).
    fn directory(&self) -> Option<Directory> {
        None
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn execute(&self, action: FileAction) -> Completion {
        (**self).execute(action)
    }

    fn is_slow(&self) -> bool {
        (**self).is_slow()
    }

    fn directory(&self) -> Option<Directory> {
        (**self).directory()
    }
}

impl Store for Directory {
    fn execute(&self, action: FileAction) -> Completion {
        Self::execute(self, action)
    }

    fn directory(&self) -> Option<Directory> {
        // What the manager has open ends with its loop, whoever still has a lease.
        self.another().ok()
    }
}

#[cfg(feature = "tokio")]
impl Transport for dlmanager_hyper::Hyper {
    fn start(&mut self, action: NetAction) {
        Self::start(self, action);
    }

    fn abort(&mut self, target: ActionId) {
        Self::abort(self, target);
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        Self::poll(self, context, events);
    }
}

#[cfg(feature = "smol")]
impl Transport for dlmanager_smol::Smol {
    fn start(&mut self, action: NetAction) {
        Self::start(self, action);
    }

    fn abort(&mut self, target: ActionId) {
        Self::abort(self, target);
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        Self::poll(self, context, events);
    }
}
