//! The real directory with a case between it and the manager.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dlmanager::Store;
use dlmanager::core::{Completion, Fault, FaultKind, FileAction, FileOp};
use dlmanager_fs::Directory;

/// Notes what is done, and lets some of it fail.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Inner>);

struct Inner {
    directory: Directory,
    fails: fn(&FileOp) -> Option<FaultKind>,
    done: Mutex<Vec<&'static str>>,
}

impl Watched {
    /// Everything works.
    pub(crate) fn new(path: &Path) -> Self {
        Self::failing(path, |_| None)
    }

    /// What `fails` says fails so, without being done.
    pub(crate) fn failing(path: &Path, fails: fn(&FileOp) -> Option<FaultKind>) -> Self {
        let directory = Directory::create(path).expect("the folder can be made");
        Self(Arc::new(Inner { directory, fails, done: Mutex::default() }))
    }

    /// What was asked for of this, in its order: `write`, `sync`, `rename`, `sync-dir`, `delete`.
    pub(crate) fn done(&self) -> Vec<&'static str> {
        self.0.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often that was asked for.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.done().iter().filter(|done| **done == name).count()
    }
}

impl Store for Watched {
    fn execute(&self, action: FileAction) -> Completion {
        let name = match &action.op {
            FileOp::Write { .. } => Some("write"),
            FileOp::Sync { .. } => Some("sync"),
            FileOp::Rename { .. } => Some("rename"),
            FileOp::SyncDir { .. } => Some("sync-dir"),
            FileOp::Delete { .. } => Some("delete"),
            _ => None,
        };
        self.0.done.lock().unwrap_or_else(PoisonError::into_inner).extend(name);
        match (self.0.fails)(&action.op) {
            Some(kind) => action.fail(Fault::new(kind)),
            None => self.0.directory.execute(action),
        }
    }
}
