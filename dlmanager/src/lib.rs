//! A download manager to embed: one directory, many downloads, every file under its final name absent or complete.
//!
//! (Skeleton: the public API is final in shape, the bodies follow.)

mod builder;
mod download;
mod driver;
mod error;
mod events;
mod fetch;
mod manager;
mod observe;
mod runtime;

pub use builder::{Builder, PersistLimit};
pub use dlmanager_core as core;
pub use dlmanager_core::{
    AdmitError, CancelError, Complete, DirectoryError, DownloadError, DownloadId, Durability, Fault, FaultKind,
    FileName, FileStep, IfPresent, NameError, NameRule, Notice, Outcome, Pattern, Phase, Progress, Published,
    StorePath, TimeoutKind, Unmet, UrlError, Warning,
};
pub use download::{Download, DownloadedFile, How, Subject};
pub use driver::{Store, Transport};
pub use error::{Error, Failure, FetchError, ManagerGone, OpenError, WaitError};
pub use events::{Event, Events};
pub use fetch::{Fetch, fetch};
pub use http::{HeaderName, HeaderValue};
pub use manager::{AllDone, Closed, DownloadManager, LimitUsage, RequestBuilder, Sweep, Swept, Victim};
pub use runtime::{Runtime, Sleep, Task};
pub use url::Url;
