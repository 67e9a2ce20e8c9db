//! What is open: files and running scans by their identifiers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dlmanager_core::{Fault, FaultKind, FileId};

use crate::open_file::OpenFile;

/// The open files and running scans of a directory. Nothing is done to a file while the table is locked.
pub(crate) struct Handles<S> {
    table: Mutex<BTreeMap<FileId, Handle<S>>>,
}

enum Handle<S> {
    File(Arc<OpenFile>),
    Scan(Arc<Mutex<S>>),
}

impl<S> Handles<S> {
    /// Opens a file under an identifier; refused, and not opened, where that is in use.
    pub(crate) fn insert_file(
        &self,
        id: FileId,
        open: impl FnOnce() -> Result<OpenFile, Fault>,
    ) -> Result<Arc<OpenFile>, Fault> {
        if self.lock().contains_key(&id) {
            return Err(misuse("the identifier is in use"));
        }
        let file = Arc::new(open()?);
        self.lock().insert(id, Handle::File(Arc::clone(&file)));
        Ok(file)
    }

    /// The open file; whoever has it keeps it open.
    pub(crate) fn file(&self, id: FileId) -> Result<Arc<OpenFile>, Fault> {
        match self.lock().get(&id) {
            Some(Handle::File(file)) => Ok(Arc::clone(file)),
            Some(Handle::Scan(_)) => Err(misuse("a scan, not a file")),
            None => Err(misuse("the file is not open")),
        }
    }

    /// The running scan, begun where there is none.
    pub(crate) fn scan_or_insert(
        &self,
        id: FileId,
        begin: impl FnOnce() -> Result<S, Fault>,
    ) -> Result<Arc<Mutex<S>>, Fault> {
        match self.lock().get(&id) {
            Some(Handle::Scan(scan)) => return Ok(Arc::clone(scan)),
            Some(Handle::File(_)) => return Err(misuse("a file, not a scan")),
            None => {}
        }
        let scan = Arc::new(Mutex::new(begin()?));
        self.lock().insert(id, Handle::Scan(Arc::clone(&scan)));
        Ok(scan)
    }

    /// Takes what is open under the identifier out of the table. The file it was, if it was one, closes when nothing uses
    /// it any more.
    pub(crate) fn remove(&self, id: FileId) -> Option<Arc<OpenFile>> {
        let removed = self.lock().remove(&id);
        // What ends here ends after the table's lock: closing may block on a network file system.
        match removed {
            Some(Handle::File(file)) => Some(file),
            Some(Handle::Scan(_)) | None => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FileId, Handle<S>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Default for Handles<S> {
    fn default() -> Self {
        Self { table: Mutex::default() }
    }
}

/// The fault for what a caller may not ask for.
pub(crate) fn misuse(detail: &str) -> Fault {
    Fault::new(FaultKind::Io).with_detail(detail)
}
