//! What is known of one download, shared by its handles, the loop and the observers.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Waker;

use dlmanager_core::{Digest, Digests, FileName, Outcome, Progress};

use crate::hooks::Hook;
use crate::observe::{Observation, Observer};
use crate::protection::{Claim, Protection};
use crate::state::After;
use crate::sync::{Wakers, lock};
use crate::{DownloadedFile, Error, How, Subject};

/// The state of a download as its users see it.
pub(crate) struct Record {
    subject: Arc<Subject>,
    /// The same with the name that the server has given its file, since then.
    renamed: OnceLock<Arc<Subject>>,
    /// What its file is held to.
    expected: Option<Digest>,
    cell: Mutex<Cell>,
}

#[derive(Default)]
pub(crate) struct Cell {
    /// Its start was told.
    started: bool,
    pub(crate) progress: Option<Progress>,
    /// A cancel was accepted.
    pub(crate) canceled: bool,
    pub(crate) result: Option<Result<DownloadedFile, Error>>,
    /// How many handles there are that were not given the result.
    claims: usize,
    pub(crate) wakers: Wakers,
    pub(crate) observation: Observation,
}

impl Record {
    pub(crate) fn new(subject: Subject, expected: Option<Digest>) -> Arc<Self> {
        Arc::new(Self { subject: Arc::new(subject), renamed: OnceLock::new(), expected, cell: Mutex::default() })
    }

    /// What it is about, as far as that is known by now.
    pub(crate) fn subject(&self) -> &Arc<Subject> {
        self.renamed.get().unwrap_or(&self.subject)
    }

    /// The server has named its file.
    pub(crate) fn rename(&self, name: &FileName, directory: &Path) {
        let dest = directory.join(name.as_str());
        let renamed = Subject { name: name.clone(), dest, ..Subject::clone(&self.subject) };
        // The core says so once.
        let _ = self.renamed.set(Arc::new(renamed));
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Cell> {
        lock(&self.cell)
    }

    /// Notes that the download was admitted.
    pub(crate) fn start(self: &Arc<Self>, after: &mut After) {
        self.lock().started = true;
        after.hook(Hook::Started, self, None);
    }

    /// Notes how far the download is.
    pub(crate) fn progress(self: &Arc<Self>, progress: Progress, after: &mut After) {
        let mut cell = self.lock();
        cell.progress = Some(progress);
        if cell.observation.offer(progress) {
            after.serve(self);
        }
    }

    /// A handle that may ask for the result.
    pub(crate) fn claim(&self) {
        self.lock().claims += 1;
    }

    /// One handle fewer that may. Behind the last one the result protects its file no longer; what did is to be dropped
    /// outside every lock.
    pub(crate) fn unclaim(&self) -> Option<Protection> {
        let mut cell = self.lock();
        cell.claims = cell.claims.saturating_sub(1);
        cell.unneeded_protection()
    }

    /// Notes how the download ended.
    pub(crate) fn finish(self: &Arc<Self>, result: Result<DownloadedFile, Error>, after: &mut After) {
        let claim = Claim::new(Arc::clone(self));
        let mut cell = self.lock();
        cell.result = Some(result);
        after.wake(cell.wakers.take());
        if cell.observation.end() {
            after.serve(self);
        }
        // Where the loop ended first, its start is told now.
        if !std::mem::replace(&mut cell.started, true) {
            after.hook(Hook::Started, self, None);
        }
        after.hook(Hook::Finished, self, Some(claim));
    }

    /// Sets or clears the observer. Returns whether there is something to tell it now, and the old one, to be dropped
    /// outside every lock.
    pub(crate) fn observe(&self, observer: Option<Observer>) -> (bool, Option<Observer>) {
        let mut cell = self.lock();
        let (progress, ended) = (cell.progress, cell.result.is_some());
        cell.observation.set(observer, progress, ended)
    }

    /// The result; where there is none yet, `waker` is registered. Returns what is to be dropped outside the lock, too.
    pub(crate) fn poll(
        &self,
        key: &mut Option<u64>,
        waker: Waker,
    ) -> (Option<Result<DownloadedFile, Error>>, Option<Waker>) {
        let mut cell = self.lock();
        match &cell.result {
            Some(result) => (Some(result.clone()), Some(waker)),
            None => (None, cell.wakers.register(key, waker)),
        }
    }

    /// The core's outcome as the handles tell it.
    pub(crate) fn result_of(&self, outcome: &Outcome, protection: Protection) -> Result<DownloadedFile, Error> {
        let path = self.subject().dest.clone();
        match outcome {
            Outcome::Complete(complete) => Ok(DownloadedFile {
                path,
                length: complete.length,
                how: How::Fetched,
                url: complete.url.clone(),
                requests: complete.requests,
                length_unverified: complete.length_unverified,
                digests: complete.digests.clone(),
                content_encoding: complete.content_encoding.clone(),
                protection,
            }),
            Outcome::Present { length } => Ok(DownloadedFile {
                path,
                length: *length,
                how: How::Present,
                url: self.subject.url.clone(),
                requests: 0,
                length_unverified: false,
                digests: self.expected.into_iter().collect::<Digests>(),
                content_encoding: None,
                protection,
            }),
            Outcome::Canceled => Err(Error::Canceled),
            Outcome::Failed(error) => Err(Error::Failed(error.clone())),
        }
    }
}

impl Cell {
    fn unneeded_protection(&mut self) -> Option<Protection> {
        match &mut self.result {
            Some(Ok(file)) if self.claims == 0 => Some(std::mem::take(&mut file.protection)),
            Some(Ok(_) | Err(_)) | None => None,
        }
    }
}
