//! A download manager to embed: one directory, many downloads, every file under its final name absent, or complete and
//! verified.
//!
//! ```no_run
//! use dlmanager::DownloadManager;
//!
//! let manager = DownloadManager::new("downloads")?;
//! let download = manager.download("https://example.org/tool.tar.xz")?; // starts, joins, or finds it there
//! let file = download.wait()?; // in async code: `download.await?`
//! println!("{} has {} bytes", file.path.display(), file.length);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For one file no manager is needed: [`fetch("https://example.org/a.zip", "downloads/a.zip")`](fetch()).
//!
//! # One set of types, async or not
//!
//! A [`Download`] is a handle: it can be cloned, sent to other threads, awaited by several tasks on any executor, or waited
//! for by blocking. So can [`DownloadManager::close`], [`all_done`](DownloadManager::all_done) and
//! [`remove_old_files`](DownloadManager::remove_old_files). Starting and canceling never block. A blocking call
//! does not belong into async code, where it would stall the executor.
//!
//! What happens is told by [`DownloadManager::events`], and how far a download is by
//! [`Download::set_progress`]. An observer runs on a thread apart from the downloads, and user code never runs while the
//! manager holds a lock.
//!
//! # Where it runs
//!
//! [`Builder::open`] gives the manager a thread of its own. Its file work runs there as well, as writing what has just
//! arrived costs less than handing it over; flushes, scans, batches of deletions and slow writes go to a few worker
//! threads. [`Builder::open_on`] hosts the manager in the program's own executor instead, and then all file work
//! goes to workers.
//!
//! The loop itself knows neither sockets nor files: a [`Transport`] and a [`Store`] execute what the
//! [core](mod@core) asks for. By default those are hyper on tokio and the real directory; [`Builder::transport`] and
//! [`Builder::store`] take others. A [`SharedTransport`] serves several managers, with one pool of connections. The
//! crate's examples show each of these.
//!
//! No proxy is used, whatever `http_proxy`, `https_proxy` or `all_proxy` in the environment say;
//! [`Event::ProxyIgnored`] tells of them.
//!
//! # What is promised
//!
//! - A file that was fetched has its final name when it is complete: of the length that the server announced, of one version
//!   from its first byte to its last, and with the [digest](RequestBuilder::checksum) that was asked for, or that the server
//!   sent with it. What is unfinished lives in `.dlmanager/` within the directory.
//! - A file that was there is not touched unless [`IfPresent::Replace`] asks for it, and then it is replaced atomically.
//! - A canceled download leaves nothing. One that failed, was [interrupted](Download::interrupt), or whose process died,
//!   leaves what it has in `.dlmanager/` where that can be gone on with: a MiB or more, of a version that the server named
//!   by a strong validator, unless [`Builder::resume`] says otherwise. The next one of that name and URL asks for the rest,
//!   and starts over where the server has another version by now. No bytes of two versions ever end up in one file.
//! - Processes that fetch one name into one directory at the same time wait for each other, and one of them fetches it
//!   ([`Builder::lock_wait`]).
//! - With a [`PersistLimit`] the directory has been brought within its bound when a download that ended is reported.
//! - A transport, a store or an observer that panics ends what it was doing, not the program. Should the loop end
//!   (its runtime is shut down), everything that waits gets [`ManagerGone`].
//!
//! # Features
//!
//! - `tokio` (default): hyper on tokio as the default transport, a tokio runtime on the manager's own thread, and
//!   [`Runtime`] for `tokio::runtime::Handle`. Without it a transport has to be given.
#![forbid(unsafe_code)]

mod builder;
mod download;
mod driver;
mod ending;
mod error;
mod events;
mod fetch;
mod hooks;
mod limit;
mod manager;
mod network;
mod observe;
mod pool;
mod protection;
mod proxies;
mod record;
mod request;
mod runtime;
mod shared;
mod sharing;
mod state;
mod sync;
mod waits;

pub use builder::Builder;
pub use dlmanager_core as core;
pub use dlmanager_core::{
    AdmitError, Algorithm, Bounds, CancelError, Complete, Digest, DigestError, Digests, DirectoryError, DownloadError,
    DownloadId, Durability, Fault, FaultKind, FileName, FileStep, IfPresent, Judged, Kept, NameError, NameRule, Notice,
    Outcome, Pattern, Phase, Progress, Published, Resume, StorePath, TimeoutKind, Unmet, UrlError, Verdict, Warning,
    Why,
};
pub use dlmanager_fs::{CreateError, Directory, Verified};
#[cfg(any(feature = "tokio", feature = "smol"))]
pub use dlmanager_tls::{LoadError, TlsConfig, TlsConfigBuilder};
pub use download::{Download, DownloadedFile, How, Subject};
pub use driver::{Store, Transport};
pub use ending::{AllDone, Closed, Sweep};
pub use error::{Error, Failure, FetchError, ManagerGone, OpenError, WaitError};
pub use events::{Event, Events};
pub use fetch::{Fetch, fetch};
pub use hooks::Hook;
pub use http::{HeaderName, HeaderValue};
pub use limit::{Lease, PersistLimit, Verdicts};
pub use manager::{DownloadManager, LimitUsage, Swept, Victim};
pub use network::IoRuntime;
pub use request::RequestBuilder;
pub use runtime::{Job, Runtime, Sleep, Task};
pub use sharing::SharedTransport;
#[cfg(any(feature = "tokio", feature = "smol"))]
pub use sharing::SharedTransportBuilder;
pub use url::Url;

/// What handles must be, whatever they hold.
const _: () = {
    const fn sent_anywhere<T: Clone + Send + Sync + 'static>() {}
    const fn sent<T: Send + 'static>() {}
    sent_anywhere::<Download>();
    sent_anywhere::<DownloadManager>();
    sent_anywhere::<SharedTransport>();
    sent::<Events>();
    sent::<Builder>();
    sent::<Fetch>();
    sent::<AllDone>();
    sent::<Closed>();
    sent::<Sweep>();
};
