//! A file that is open, with what belongs to it as long as it is.

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use dlmanager_core::{Algorithms, Digests, Fault, FaultKind, Hasher};

use crate::fault;
use crate::handles::misuse;
use crate::root::{Identity, Root};

/// What is read at once to be hashed: within the processor's caches, and large enough that calls do not count.
const HASHED_AT_ONCE: usize = 256 * 1024;

/// An open file, its lock, and what of it was hashed.
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) identity: Identity,
    is_locked: Mutex<bool>,
    hasher: Mutex<Option<Hasher>>,
}

impl OpenFile {
    pub(crate) fn new(file: File) -> Self {
        Self { file, identity: Identity::new(), is_locked: Mutex::new(false), hasher: Mutex::new(None) }
    }

    pub(crate) fn length(&self) -> Result<u64, Fault> {
        Ok(self.file.metadata().map_err(|error| fault::of_file(&error))?.len())
    }

    /// Takes the lock, and keeps it where `is_right` says so afterwards, or where it was held before.
    pub(crate) fn lock<R: Root, T>(&self, root: &R, is_right: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let mut is_locked = self.is_locked.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_locked {
            return is_right();
        }
        root.try_lock(&self.file)?;
        *is_locked = true;
        let result = is_right();
        if result.is_err() {
            *is_locked = false;
            root.unlock(&self.file)?;
        }
        result
    }

    /// Gives the lock back, if it is held. Closing would not do: a child process that was forked in the meantime, and has
    /// not yet started its program, keeps a closed file's lock.
    pub(crate) fn unlock<R: Root>(&self, root: &R) -> Result<(), Fault> {
        let mut is_locked = self.is_locked.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut *is_locked) {
            return Ok(());
        }
        root.unlock(&self.file)
    }

    /// Hashes on to `to`; after a fault it has to begin anew.
    pub(crate) fn hash<R: Root>(&self, root: &R, algorithms: Algorithms, from: u64, to: u64) -> Result<Digests, Fault> {
        let mut running = self.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = match running.take() {
            _ if algorithms.is_empty() || to < from => return Err(misuse("nothing to hash")),
            _ if from == 0 => Hasher::new(algorithms),
            Some(hasher) if hasher.length() == from && hasher.algorithms() == algorithms => hasher,
            Some(_) | None => return Err(misuse("hashing goes on where it did not end")),
        };
        let mut buffer = vec![0; usize::try_from(to - from).unwrap_or(usize::MAX).min(HASHED_AT_ONCE)];
        while hasher.length() < to {
            let wanted = usize::try_from(to - hasher.length()).unwrap_or(usize::MAX).min(buffer.len());
            match root.read_at(&self.file, &mut buffer[..wanted], hasher.length())? {
                0 => {
                    let detail = format!("the file ends at {}, before {to}", hasher.length());
                    return Err(Fault::new(FaultKind::Changed).with_detail(detail));
                }
                count => hasher.update(&buffer[..count]),
            }
        }
        let digests = hasher.digests();
        *running = Some(hasher);
        Ok(digests)
    }
}
