//! What the core tells the application.

use alloc::boxed::Box;
use core::time::Duration;

use url::Url;

use crate::{Digests, DirectoryError, DownloadError, DownloadId, Fault, FileName, Kept, StorePath, Why};

/// News for the application, in the order in which things happened.
///
/// ```
/// use dlmanager_core::{Config, Instant, Manager, Notice, Outcome, Output, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// manager.download(Instant::ZERO, Request::new("https://example.org/a")?)?;
/// manager.close(Instant::ZERO);
/// loop {
///     if let Output::Notice(Notice::Finished { outcome, .. }) = manager.poll() {
///         break assert_eq!(outcome, Outcome::Canceled);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A download was admitted.
    Started {
        /// Which one.
        id: DownloadId,
    },
    /// How far a download is. The first one names the offset that it starts from, the last one before a complete end is
    /// `(n, n)`, and the count never falls without a [`Rewound`](Self::Rewound) before.
    Progress {
        /// Which one.
        id: DownloadId,
        /// How far.
        progress: Progress,
    },
    /// The server has named the file of a download that was known by its URL until then.
    Named {
        /// Which one.
        id: DownloadId,
        /// The name that its file gets.
        name: FileName,
    },
    /// A reply leads elsewhere, and the download follows.
    Redirected {
        /// Which one.
        id: DownloadId,
        /// The next URL.
        to: Url,
    },
    /// Somebody else is fetching a file of that name; the download waits for that, and looks from time to time.
    Locked {
        /// Which one.
        id: DownloadId,
    },
    /// An attempt failed, and another follows.
    Retrying {
        /// Which one.
        id: DownloadId,
        /// How many attempts failed in a row, from 1.
        attempt: u32,
        /// After how long.
        delay: Duration,
        /// Why the last attempt failed.
        cause: DownloadError,
    },
    /// Bytes that a progress notice told of count no longer.
    Rewound {
        /// Which one.
        id: DownloadId,
        /// The count before, in bytes.
        from: u64,
        /// The count now, in bytes.
        to: u64,
    },
    /// A download ended: said once for each, last, after its file got its name or was removed, and after the eviction that
    /// it caused.
    Finished {
        /// Which one.
        id: DownloadId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The directory is ready: with a limit, it has been found to be ours, or adopted.
    DirectoryReady,
    /// The directory may not be bounded; every download ends with this error.
    DirectoryRefused {
        /// Why not.
        error: DirectoryError,
    },
    /// Another process evicts in this directory. A pass waits for its turn, ten seconds at most, and is given up then
    /// ([`Unmet::Locked`]). Told once until it had its turn.
    EvictionWaits,
    /// A file was evicted.
    Evicted {
        /// Its name.
        path: StorePath,
        /// Its length in bytes.
        length: u64,
        /// Why it went.
        why: Why,
    },
    /// A file would have been evicted, but was kept. Told once, until it is something else that keeps it.
    Kept {
        /// Its name.
        path: StorePath,
        /// Its length in bytes.
        length: u64,
        /// What keeps it.
        why: Kept,
    },
    /// A pass of eviction ended: everything that could go is gone.
    Swept {
        /// The files that count, after the pass.
        files: u64,
        /// Their total length in bytes.
        bytes: u64,
        /// The size limit is still exceeded, for this reason.
        unmet: Option<Unmet>,
        /// It was [asked for](crate::Manager::remove_old_files): each request is told the end of its pass, in their order.
        asked: bool,
    },
    /// Something went wrong that ends no download.
    Warning(Warning),
}

/// How far a download is.
///
/// ```
/// use dlmanager_core::Progress;
///
/// // Without a total there is no percentage; of an empty file there is all.
/// let percent = |Progress { received, total, .. }: Progress| Some((received * 100).checked_div(total?).unwrap_or(100));
/// assert_eq!(percent(Progress { received: 512, total: Some(2048), ..Progress::default() }), Some(25));
/// assert_eq!(percent(Progress { received: 512, ..Progress::default() }), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The bytes that count, received or kept from before.
    pub received: u64,
    /// The length of the file in bytes, where it is known.
    pub total: Option<u64>,
    /// The rate of the last seconds, in bytes a second.
    pub speed: Option<u64>,
    /// The time left at that speed.
    pub time_left: Option<Duration>,
    /// How often bytes that were told of ceased to count, so that who sees only the latest value misses none.
    pub rewinds: u32,
}

/// How a download ended.
///
/// ```
/// use dlmanager_core::{DownloadError, Outcome};
///
/// // Whether a program can go on and use the file.
/// let is_there = |outcome: &Outcome| match outcome {
///     Outcome::Complete(_) | Outcome::Present { .. } => true,
///     Outcome::Canceled | Outcome::Failed(_) => false,
/// };
/// assert!(is_there(&Outcome::Present { length: 5 }));
/// assert!(!is_there(&Outcome::Failed(DownloadError::Status { status: 500 })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The file was fetched, and is there under its final name.
    Complete(Box<Complete>),
    /// A file of that name was there already, or appeared meanwhile; it was left as it is.
    Present {
        /// Its length in bytes.
        length: u64,
    },
    /// It was canceled, and nothing of it is left unless it was to be kept.
    Canceled,
    /// It failed.
    Failed(DownloadError),
}

impl Outcome {
    /// Whether the download has ended with its file there.
    ///
    /// ```
    /// use dlmanager_core::{DownloadError, Outcome};
    ///
    /// assert!(Outcome::Present { length: 5 }.has_file());
    /// assert!(!Outcome::Failed(DownloadError::Status { status: 500 }).has_file());
    /// ```
    pub const fn has_file(&self) -> bool {
        match self {
            Self::Complete(_) | Self::Present { .. } => true,
            Self::Canceled | Self::Failed(_) => false,
        }
    }
}

/// What is known of a fetched file.
///
/// ```
/// use dlmanager_core::Complete;
///
/// // What a careful program asks of a file for which it knows no checksum.
/// fn is_as_announced(complete: &Complete) -> bool {
///     !complete.length_unverified && complete.content_encoding.is_none()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// Its length in bytes.
    pub length: u64,
    /// The URL that it came from in the end, after redirects.
    pub url: Url,
    /// How many requests it took.
    pub requests: u32,
    /// Nothing said how long the file is: its body ended with the connection, so it may have been cut short.
    pub length_unverified: bool,
    /// The digests that were computed, and found to be as the request or the server says.
    pub digests: Digests,
    /// The server sent the file in this coding although none was asked for; it is stored as it came.
    pub content_encoding: Option<Box<str>>,
}

/// Why a pass of eviction left the directory above its size limit.
///
/// ```
/// use dlmanager_core::{Notice, Unmet};
///
/// let swept = Notice::Swept { files: 10, bytes: 5_000, unmet: Some(Unmet::FileLimit), asked: true };
/// let is_met = matches!(swept, Notice::Swept { unmet: None, .. });
/// assert!(!is_met); // ten files are kept, however large they are
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// The number of files to keep does not allow to remove more.
    FileLimit,
    /// The files that would have to go are in use, or may not be removed.
    InUse,
    /// The directory could not be read to its end, so that which files there are is not known.
    NotScanned,
    /// Another process kept others from evicting for too long, so that the pass was given up. The next one tries again.
    Locked,
}

/// Something that went wrong and ends no download.
///
/// ```
/// use dlmanager_core::{FaultKind, Warning};
///
/// let text = |warning: &Warning| match warning {
///     Warning::Litter { path, fault } => format!("{path} is left behind: {fault}"),
///     other => format!("{other:?}"), // more may be added
/// };
/// assert!(text(&Warning::NotScanned(FaultKind::Io.into())).starts_with("NotScanned"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An unfinished file could not be removed.
    Litter {
        /// Its name.
        path: StorePath,
        /// Why not.
        fault: Fault,
    },
    /// A file could not be evicted.
    NotEvicted {
        /// Its name.
        path: StorePath,
        /// Why not.
        fault: Fault,
    },
    /// A file was used, but could not be stamped as accessed now.
    NotTouched {
        /// Its name.
        name: FileName,
        /// Why not.
        fault: Fault,
    },
    /// The directory could not be read to its end: it is not bounded until it is opened anew.
    NotScanned(Fault),
}
