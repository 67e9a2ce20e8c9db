//! What a case works with: an origin, a directory, and managers over both.

use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dlmanager::core::Config;
use dlmanager::{
    Builder, Download, DownloadManager, DownloadedFile, Error, Event, Events, Notice, RequestBuilder, TlsConfig,
};
use dlmanager_origin::{Authority, Body, Origin, Records, Reply, Tls};

use crate::ended::Ended;
use crate::folder::Folder;
use crate::transport::Transport;

/// Long enough for a machine under load. No timeout of the manager is as short, so that nothing ends by one unless the
/// case says so.
pub(crate) const DEADLINE: Duration = Duration::from_secs(25);

pub(crate) struct Bench {
    pub(crate) origin: Origin,
    pub(crate) folder: Folder,
    transport: &'static Transport,
}

/// What one path is answered with, request by request.
pub(crate) struct Replies(Vec<Reply>);

impl From<Reply> for Replies {
    fn from(reply: Reply) -> Self {
        Self(vec![reply])
    }
}

impl<const N: usize> From<[Reply; N]> for Replies {
    fn from(replies: [Reply; N]) -> Self {
        Self(replies.into())
    }
}

impl From<Vec<Reply>> for Replies {
    fn from(replies: Vec<Reply>) -> Self {
        Self(replies)
    }
}

impl Bench {
    pub(crate) fn new(transport: &'static Transport) -> Self {
        Self { origin: Origin::start().expect("an origin on loopback"), folder: Folder::new(), transport }
    }

    /// The settings of a manager of the directory: as they are by default, except that retries come at once, that there are
    /// 2 of them, and that all progress is told.
    pub(crate) fn builder(&self) -> Builder {
        self.configured(|_| {})
    }

    /// The same with more of the core's settings.
    pub(crate) fn configured(&self, set: impl FnOnce(&mut Config)) -> Builder {
        let mut config = Config {
            retries_max: 2,
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(2),
            // Else what was told, and so whether it is taken back, were a matter of time.
            progress_interval: Duration::ZERO,
            ..Config::default()
        };
        set(&mut config);
        let tls = TlsConfig::builder().ca_pem(authority().pem()).only_given_cas(true).build();
        let tls = tls.expect("the CA of the cases is one");
        (self.transport.choose)(DownloadManager::builder(self.folder.path())).config(config).tls(tls)
    }

    pub(crate) fn open(&self) -> DownloadManager {
        open(self.builder())
    }

    /// Serves these replies, and downloads them as `file`.
    pub(crate) fn get(&self, replies: impl Into<Replies>) -> Ended {
        self.get_by(self.builder(), replies)
    }

    /// The same by a manager with these settings.
    pub(crate) fn get_by(&self, builder: Builder, replies: impl Into<Replies>) -> Ended {
        self.origin.script("/file", replies.into().0);
        self.fetch(builder, &self.origin.url("/file"), |request| request)
    }

    /// The same with more to say about the request.
    pub(crate) fn get_with(
        &self,
        replies: impl Into<Replies>,
        request: impl FnOnce(RequestBuilder<'_>) -> RequestBuilder<'_>,
    ) -> Ended {
        self.origin.script("/file", replies.into().0);
        self.fetch(self.builder(), &self.origin.url("/file"), request)
    }

    /// Downloads a URL by a manager of its own, which is closed then.
    pub(crate) fn fetch(
        &self,
        builder: Builder,
        url: &str,
        request: impl FnOnce(RequestBuilder<'_>) -> RequestBuilder<'_>,
    ) -> Ended {
        let seen_before = self.origin.records().requests.len();
        let manager = open(builder);
        let events = manager.events();
        let download = request(manager.request(url)).start().unwrap_or_else(|error| panic!("{url}: {error}"));
        let result = end(&download);
        close(&manager);
        let notices = notices(events);
        let records = self.settled();
        let requests = records.requests[seen_before..].to_vec();
        Ended { result, notices, requests, connections: records.connections, everything: self.folder.everything() }
    }

    /// All that the origin has seen, once the client has left it.
    pub(crate) fn settled(&self) -> Records {
        let settled = self.origin.wait_for(DEADLINE, |seen| {
            seen.connections.open == 0 && seen.requests.iter().all(|request| request.sent.is_some())
        });
        settled.unwrap_or_else(|late| panic!("{late}"))
    }
}

#[track_caller]
pub(crate) fn open(builder: Builder) -> DownloadManager {
    builder.open().unwrap_or_else(|error| panic!("the manager does not open: {error}"))
}

/// How the download ends, in time.
#[track_caller]
pub(crate) fn end(download: &Download) -> Result<DownloadedFile, Error> {
    download.wait_timeout(DEADLINE).unwrap_or_else(|| panic!("{download:?} has not ended in time"))
}

/// Closes the manager, in time.
#[track_caller]
pub(crate) fn close(manager: &DownloadManager) {
    let closed = manager.close();
    within(move || closed.wait()).expect("the loop lives until the manager is closed");
}

/// The notices of a manager that is closed and has had one download.
fn notices(events: Events) -> Vec<Notice> {
    let events = within(move || events.into_iter().collect::<Vec<Event>>());
    let notice = |event: Event| match event {
        Event::Download { notice, .. } | Event::Directory { notice } => notice,
        other => panic!("{other:?}"),
    };
    events.into_iter().map(notice).collect()
}

/// Runs what blocks, in time.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()).is_ok());
    result.recv_timeout(DEADLINE).expect("it ends in time")
}

/// The body of a file that a case has nothing to say about.
pub(crate) fn body() -> Body {
    Body::pattern(41, 100_000)
}

/// The CA that every manager here trusts, and no other.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("the CA of the cases").expect("a CA can be made"))
}

/// Another origin.
pub(crate) fn another() -> Origin {
    Origin::start().expect("an origin on loopback")
}

/// Another origin, over TLS.
pub(crate) fn another_over_tls() -> Origin {
    Origin::start_tls(&Tls::new(authority())).expect("an origin on loopback")
}
