//! What a case works with: an origin, a directory, and managers over both.

use std::path::Path;
use std::sync::{Arc, Mutex};

use dlmanager::core::{Completion, FileAction};
use dlmanager::{Builder, Download, DownloadManager, Fetch, PersistLimit, Progress, SharedTransport, Store};
use dlmanager_origin::{Body, Origin, Reply};

use crate::place::Place;
use crate::setting::{Setting, Transport};
use crate::store::Hooked;
use crate::wait::{DEADLINE, end};

pub(crate) struct Bench {
    pub(crate) origin: Origin,
    pub(crate) place: Place,
    transport: &'static Transport,
}

impl Bench {
    pub(crate) fn new(setting: &Setting) -> Self {
        let origin = Origin::start().expect("an origin on loopback");
        Self { origin, place: Place::new(setting.backend), transport: setting.transport }
    }

    /// The settings of a manager of the place.
    pub(crate) fn builder(&self) -> Builder {
        let builder = self.builder_at(&self.place.path());
        match self.place.own_store() {
            Some(store) => builder.store(store),
            None => builder,
        }
    }

    /// The settings of a manager of the place, with a hook before each file operation.
    pub(crate) fn hooked(
        &self,
        hook: impl Fn(&dyn Store, FileAction) -> Completion + Send + Sync + 'static,
    ) -> Builder {
        self.builder_at(&self.place.path()).store(Hooked { inner: self.place.store(), hook: Box::new(hook) })
    }

    /// The settings of a manager of a real directory.
    pub(crate) fn builder_at(&self, path: &Path) -> Builder {
        DownloadManager::builder(path).runtime(self.transport.runtime)
    }

    /// A manager of the place, with default settings.
    pub(crate) fn open(&self) -> DownloadManager {
        self.builder().open().expect("the manager opens")
    }

    /// A manager that tries nothing again.
    pub(crate) fn open_without_retries(&self) -> DownloadManager {
        self.builder().retries(0).open().expect("the manager opens")
    }

    /// A manager that keeps the place, whoever put the files there, within a limit.
    pub(crate) fn open_bounded(&self, size_limit: u64, file_limit: u64) -> DownloadManager {
        let limit = PersistLimit::new(size_limit, file_limit);
        self.builder().persist_limit(limit).adopt(true).retries(0).open().expect("the manager opens")
    }

    /// A transport that managers can share, with a bound for the connections to one host.
    pub(crate) fn shared_transport(&self, connections: usize) -> SharedTransport {
        let builder = SharedTransport::builder().runtime(self.transport.runtime).connections_per_host(connections);
        builder.open().expect("the transport opens")
    }

    /// A fetch without a manager.
    pub(crate) fn fetch(&self, url: String, path: &Path) -> Fetch {
        dlmanager::fetch(url, path).runtime(self.transport.runtime)
    }

    /// Serves so many bytes under a path, and returns them.
    pub(crate) fn serve(&self, path: &str, length: u64) -> Vec<u8> {
        let body = pattern(path, length);
        self.origin.serve(path, Reply::body(body.clone()));
        body.to_vec()
    }

    /// Fetches a path of the origin, which has to work.
    #[track_caller]
    pub(crate) fn download(&self, manager: &DownloadManager, path: &str) -> Download {
        let download = start(manager, &self.origin.url(path));
        if let Err(error) = end(&download) {
            panic!("{path}: {error}");
        }
        download
    }

    /// Waits until no connection is open any more.
    #[track_caller]
    pub(crate) fn wait_disconnected(&self) {
        let waited = self.origin.wait_for(DEADLINE, |seen| seen.connections.open == 0);
        waited.unwrap_or_else(|late| panic!("{late}"));
    }

    pub(crate) fn requests(&self) -> usize {
        self.origin.records().requests.len()
    }
}

/// Starts or joins a download.
#[track_caller]
pub(crate) fn start(manager: &DownloadManager, url: &str) -> Download {
    manager.download(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// A body whose bytes are those of its path alone.
pub(crate) fn pattern(path: &str, length: u64) -> Body {
    let seed = path.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Body::pattern(seed, length)
}

/// What an observer was told, and the observer.
pub(crate) fn observer() -> (Told, impl FnMut(&Progress) + Send + 'static) {
    let told = Told::default();
    let tell = told.clone();
    (told, move |progress: &Progress| {
        tell.0.lock().expect("no observer panics").push((progress.received, progress.total));
    })
}

/// Bytes and total of a report.
type Report = (u64, Option<u64>);

#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<Report>>>);

impl Told {
    /// What was reported, call by call.
    pub(crate) fn values(&self) -> Vec<Report> {
        self.0.lock().expect("no observer panics").clone()
    }
}
