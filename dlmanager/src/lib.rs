//! A download manager to embed: one directory, many downloads, every file under its final name absent or complete.
//!
//!

mod builder;
mod download;
mod driver;
mod ending;
mod error;
mod events;
mod fetch;
mod manager;
mod observe;
mod pool;
mod record;
mod request;
mod runtime;
mod shared;
mod sync;
mod waits;

pub use builder::{Builder, PersistLimit};
pub use dlmanager_core as core;
pub use dlmanager_core::{
    AdmitError, CancelError, Complete, DirectoryError, DownloadError, DownloadId, Durability, Fault, FaultKind,
    FileName, FileStep, IfPresent, NameError, NameRule, Notice, Outcome, Pattern, Phase, Progress, Published,
    StorePath, TimeoutKind, Unmet, UrlError, Warning,
};
pub use dlmanager_fs::CreateError;
pub use download::{Download, DownloadedFile, How, Subject};
pub use driver::{Store, Transport};
pub use ending::{AllDone, Closed, Sweep};
pub use error::{Error, Failure, FetchError, ManagerGone, OpenError, WaitError};
pub use events::{Event, Events};
pub use fetch::{Fetch, fetch};
pub use http::{HeaderName, HeaderValue};
pub use manager::{DownloadManager, LimitUsage, Swept, Victim};
pub use request::RequestBuilder;
pub use runtime::{Runtime, Sleep, Task};
pub use url::Url;
