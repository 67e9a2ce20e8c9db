//! A file backend with a test between it and the manager.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use dlmanager::Store;
use dlmanager::core::{Completion, FileAction, FileOp};

use crate::wait::receive;

type Hook = dyn Fn(&dyn Store, FileAction) -> Completion + Send + Sync;

/// Hands each action to a hook, which may pass it on.
pub(crate) struct Hooked {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) hook: Box<Hook>,
}

impl Store for Hooked {
    fn execute(&self, action: FileAction) -> Completion {
        (self.hook)(&*self.inner, action)
    }
}

/// Holds an operation until it is let go, at the latest when this is dropped.
pub(crate) struct Hold {
    reached: Receiver<()>,
    _release: Sender<()>,
}

impl Hold {
    /// A hold, and the hook that holds the first operation that matches.
    pub(crate) fn at(
        matches: impl Fn(&FileOp) -> bool + Send + Sync + 'static,
    ) -> (Self, impl Fn(&dyn Store, FileAction) -> Completion + Send + Sync + 'static) {
        let ((tell, reached), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
        let pending = Mutex::new(Some((tell, released)));
        let hook = move |inner: &dyn Store, action: FileAction| {
            let mut slot = pending.lock().unwrap_or_else(PoisonError::into_inner);
            let first = if matches(&action.op) { slot.take() } else { None };
            drop(slot);
            if let Some((tell, released)) = first {
                // Nobody is told once the test has ended; then nothing is held either.
                let _ = tell.send(());
                let _ = released.recv();
            }
            inner.execute(action)
        };
        (Self { reached, _release: release }, hook)
    }

    /// Waits until the operation is held.
    #[track_caller]
    pub(crate) fn wait_reached(&self) {
        receive(&self.reached);
    }

    /// Lets it go on.
    pub(crate) fn release(self) {
        drop(self);
    }
}

/// Tells when an operation that matches has been done.
pub(crate) fn watch(
    matches: impl Fn(&FileOp) -> bool + Send + Sync + 'static,
) -> (Receiver<()>, impl Fn(&dyn Store, FileAction) -> Completion + Send + Sync + 'static) {
    let (tell, told) = mpsc::channel();
    let hook = move |inner: &dyn Store, action: FileAction| {
        let matched = matches(&action.op);
        let done = inner.execute(action);
        if matched {
            let _ = tell.send(());
        }
        done
    };
    (told, hook)
}

/// Whether an unfinished file is written to for the first time.
pub(crate) fn is_first_write(op: &FileOp) -> bool {
    matches!(op, FileOp::Write { offset: 0, .. })
}

/// Whether an unfinished file is deleted.
pub(crate) fn is_cleanup(op: &FileOp) -> bool {
    is_delete(op, |path| path.starts_with(".dlmanager/"))
}

/// Whether a file that was published is deleted.
pub(crate) fn is_eviction(op: &FileOp) -> bool {
    is_delete(op, |path| !path.starts_with(".dlmanager"))
}

fn is_delete(op: &FileOp, path: impl Fn(&str) -> bool) -> bool {
    matches!(op, FileOp::Delete { items, .. } if items.iter().any(|item| path(item.path.as_str())))
}
