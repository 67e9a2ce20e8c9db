//! The directory as drivers see it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use dlmanager_core::{Completion, FileAction};

use crate::create::{self, CreateError};
use crate::engine::Engine;

#[cfg(not(unix))]
type System = crate::portable::PortableRoot;
#[cfg(unix)]
type System = crate::unix::UnixRoot;

/// A directory on disk, with what is open in it.
///
/// A clone is a second handle to the same directory and the same open files, and costs a reference count; any number of
/// threads may use them at the same time.
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    path: Box<Path>,
    engine: Engine<System>,
}

impl Directory {
    /// Opens a directory, and makes it and its parents where they are missing.
    ///
    /// A relative path is resolved now: changing the working directory later does not matter, nor does giving the
    /// directory another name.
    ///
    /// # Errors
    ///
    /// Something that is not a directory stands there or on the way; it cannot be made, or not be read; or nothing can be
    /// written into it, by its permissions or because the file system is read-only.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, CreateError> {
        let path = path.as_ref();
        let root = create::create::<System>(path)?;
        Ok(Self { shared: Arc::new(Shared { path: path.into(), engine: Engine::new(root) }) })
    }

    /// The path that it was opened with.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Performs one operation and blocks until it has ended.
    ///
    /// An operation on a file that is not open is answered with [`Io`](dlmanager_core::FaultKind::Io).
    pub fn execute(&self, action: FileAction) -> Completion {
        self.shared.engine.execute(action.op)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("path", &self.shared.path).finish_non_exhaustive()
    }
}
