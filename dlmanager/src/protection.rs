//! What keeps the file of an outcome from being evicted as long as the outcome is there.
//!
//! The core holds the name of each download that ends with its file there, so that no pass comes between the end and whoever
//! is told of it. The hold is let go of when the last of what it was told with is dropped: the values, and those handles that
//! have not been asked for theirs. Letting go takes the manager's lock, so none of these is ever dropped under a lock.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use dlmanager_core::FileName;

use crate::DownloadedFile;
use crate::record::Record;
use crate::shared::Shared;

/// A part of an outcome: as long as one of its clones is there, this manager does not evict the file. It makes no difference
/// to what the outcome says.
#[derive(Clone, Default)]
pub(crate) struct Protection(Option<Arc<Hold>>);

/// A hold of a name in the core.
struct Hold {
    /// Who keeps an outcome does not keep its manager.
    shared: Weak<Shared>,
    name: FileName,
}

/// A handle's right to an outcome that it has not been given yet.
pub(crate) struct Claim {
    record: Arc<Record>,
    /// It was given.
    is_settled: AtomicBool,
}

impl Protection {
    /// Takes over a hold of the core.
    pub(crate) fn of(shared: Weak<Shared>, name: FileName) -> Self {
        Self(Some(Arc::new(Hold { shared, name })))
    }

    /// Holds the name anew, where the directory is bounded.
    pub(crate) fn again(shared: &Arc<Shared>, name: &FileName) -> Self {
        if shared.hold_again(name) { Self::of(Arc::downgrade(shared), name.clone()) } else { Self::default() }
    }

    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.release(&self.name);
        }
    }
}

impl PartialEq for Protection {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Protection {}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "None" } else { "Held" })
    }
}

impl Claim {
    pub(crate) fn new(record: Arc<Record>) -> Self {
        record.claim();
        Self { record, is_settled: AtomicBool::new(false) }
    }

    pub(crate) const fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// The outcome was given to the handle: from now on it is up to what was given.
    pub(crate) fn settle(&self) {
        if !self.is_settled.swap(true, Ordering::Relaxed) {
            drop(self.record.unclaim());
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.settle();
    }
}

impl DownloadedFile {
    /// The same with a protection of its own, where the record has lost its.
    pub(crate) fn protected(mut self, shared: &Arc<Shared>, name: &FileName) -> Self {
        if self.protection.is_none() {
            self.protection = Protection::again(shared, name);
        }
        self
    }
}
