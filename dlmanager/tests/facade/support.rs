//! What the tests share: deadlines, folders, and the backends that are not there by default.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use dlmanager::core::{ActionId, Completion, Event, FileAction, Instant as CoreInstant, NetAction};
use dlmanager::{Builder, Download, DownloadManager, DownloadedFile, Error, IoRuntime, Store, Transport};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::ScriptedTransport;

/// Long enough for a machine under load, and far below the timeouts of the core.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What a manager can run on in this build.
pub(crate) fn runtimes() -> Vec<IoRuntime> {
    vec![
        #[cfg(feature = "tokio")]
        IoRuntime::Tokio,
        #[cfg(feature = "smol")]
        IoRuntime::Smol,
    ]
}

/// Runs what blocks; panics when it has not ended in time.
pub(crate) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let worker = thread::spawn(move || done.send(work()).is_ok());
    match result.recv_timeout(DEADLINE) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it has not ended in time"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(worker.join().unwrap_err()),
    }
}

/// How the download ends, in time.
pub(crate) fn end(download: &Download) -> Result<DownloadedFile, Error> {
    download.wait_timeout(DEADLINE).expect("the download ends in time")
}

/// Closes the manager, in time.
pub(crate) fn close(manager: &DownloadManager) {
    let closed = manager.close();
    within(move || closed.wait()).unwrap();
}

/// All that stands in a folder, what is hidden included.
pub(crate) fn entries(folder: &Path) -> BTreeSet<String> {
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// What stands in a folder for everybody to see.
pub(crate) fn visible(folder: &Path) -> BTreeSet<String> {
    entries(folder).into_iter().filter(|name| !name.starts_with('.')).collect()
}

pub(crate) fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A scripted transport on the real clock, for any executor. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) script: Arc<Mutex<ScriptedTransport>>,
    epoch: Instant,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self { script: Arc::new(Mutex::new(ScriptedTransport::new())), epoch: Instant::now() }
    }

    fn now(&self) -> CoreInstant {
        CoreInstant::ZERO + self.epoch.elapsed()
    }

    pub(crate) fn requests(&self) -> usize {
        self.script.lock().unwrap().requests().len()
    }

    pub(crate) fn open_exchanges(&self) -> usize {
        self.script.lock().unwrap().open_exchanges()
    }
}

impl Scripted {
    /// The transport that answers by this script.
    pub(crate) fn transport(&self) -> ScriptedOnClock {
        ScriptedOnClock { scripted: self.clone(), timer: None }
    }
}

pub(crate) struct ScriptedOnClock {
    scripted: Scripted,
    timer: Option<smol::Timer>,
}

impl Transport for ScriptedOnClock {
    fn start(&mut self, action: NetAction) {
        self.scripted.script.lock().unwrap().start(self.scripted.now(), action);
    }

    fn abort(&mut self, target: ActionId) {
        self.scripted.script.lock().unwrap().abort(self.scripted.now(), target);
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        let mut script = self.scripted.script.lock().unwrap();
        loop {
            let now = self.scripted.now();
            let before = events.len();
            events.extend(std::iter::from_fn(|| script.next_event(now)));
            if events.len() > before {
                return;
            }
            let Some(at) = script.wake_at() else { return };
            let timer = self.timer.insert(smol::Timer::after(at.since(now)));
            if Pin::new(timer).poll(context) == Poll::Pending {
                return;
            }
        }
    }
}

/// A directory in memory whose latencies are slept.
#[derive(Clone)]
pub(crate) struct Memory(pub(crate) MemoryDirectory);

impl Store for Memory {
    fn execute(&self, action: FileAction) -> Completion {
        let latency = self.0.latency(&action.op);
        if !latency.is_zero() {
            thread::sleep(latency);
        }
        self.0.execute(action)
    }
}

/// A manager's settings over a script and a directory in memory.
pub(crate) fn in_memory(scripted: &Scripted, directory: &MemoryDirectory) -> Builder {
    DownloadManager::builder("memory").transport(scripted.transport()).store(Memory(directory.clone())).seed(1)
}

impl ScriptedOnClock {
    pub(crate) fn has_requests(&self) -> bool {
        self.scripted.requests() > 0
    }
}
