//! A download as it is seen from outside.

use url::Url;

use crate::{DownloadId, FileName, Progress};

/// Where a download is in its life.
///
/// ```
/// use dlmanager_core::{Config, Instant, Manager, Phase, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// let id = manager.download(Instant::ZERO, Request::new("https://example.org/tool.zip")?)?.id();
/// // Until what the directory can do is found out; then it is granted its slot.
/// assert_eq!(manager.info(id).map(|info| info.phase), Some(Phase::Queued));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waits for a slot, or for an earlier download of its name to be gone.
    Queued,
    /// Looks whether the file is there.
    Checking,
    /// Waits for the head of a reply, or for the body of a redirect to end.
    Connecting,
    /// Receives the body.
    Receiving,
    /// Has all bytes, and waits for them to be written and found right.
    Verifying,
    /// Gives the file its name: it can no longer be canceled.
    Publishing,
    /// Has ended, and waits for the eviction that it caused.
    Evicting,
    /// Waits for the time of its next attempt.
    Waiting,
    /// Gives back what it holds, then ends or goes on.
    Draining,
}

/// A look at a live download, from [`Manager::downloads`](crate::Manager::downloads).
///
/// ```
/// use dlmanager_core::{Config, Instant, Manager, Phase, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// manager.download(Instant::ZERO, Request::new("https://example.org/tool.zip")?)?;
/// let info = manager.downloads().next().unwrap();
/// assert_eq!((info.name.as_str(), info.phase), ("tool.zip", Phase::Queued));
/// assert_eq!((info.progress.received, info.progress.total), (0, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DownloadInfo<'a> {
    /// Its identifier.
    pub id: DownloadId,
    /// The URL that it was admitted with, without user info.
    pub url: &'a Url,
    /// The name of its file; until the server has given one ([`Notice::Named`](crate::Notice::Named)), what it may be.
    pub name: &'a FileName,
    /// Where it is in its life.
    pub phase: Phase,
    /// How far it is.
    pub progress: Progress,
}
