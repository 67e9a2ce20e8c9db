//! A download manager to embed: one directory, many downloads, every file under its final name absent or complete.
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
//! - A file under its final name is complete. What is unfinished lives in `.dlmanager/` within the directory.
//! - A canceled or failed download leaves nothing; a file that was there is not touched unless
//!   [`IfPresent::Replace`] asks for it, and then it is replaced atomically.
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
    AdmitError, CancelError, Complete, DirectoryError, DownloadError, DownloadId, Durability, Fault, FaultKind,
    FileName, FileStep, IfPresent, NameError, NameRule, Notice, Outcome, Pattern, Phase, Progress, Published,
    StorePath, TimeoutKind, Unmet, UrlError, Warning,
};
pub use dlmanager_fs::{CreateError, Directory};
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
pub use limit::PersistLimit;
pub use manager::{DownloadManager, LimitUsage, Swept, Victim};
pub use network::IoRuntime;
pub use request::RequestBuilder;
pub use runtime::{Runtime, Sleep, Task};
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
