//! A download about to be asked for.

use std::fmt;
use std::sync::Arc;

use dlmanager_core::{AdmitError, Digest, FileName, IfPresent, Progress, Request};
use http::{HeaderName, HeaderValue};

use crate::Download;
use crate::observe::Observer;
use crate::shared::Shared;

/// A download about to be asked for, from
/// [`DownloadManager::request`](crate::DownloadManager::request).
///
/// ```no_run
/// use dlmanager::{DownloadManager, HeaderName, HeaderValue, IfPresent};
///
/// let manager = DownloadManager::new("downloads")?;
/// let download = manager
///     .request("https://example.org/releases/7")
///     .name("tools/tool-7.zip")
///     .header(HeaderName::from_static("accept"), HeaderValue::from_static("application/zip"))
///     .if_present(IfPresent::Replace)
///     .start()?;
/// println!("{} bytes", download.wait()?.length);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "start it"]
pub struct RequestBuilder<'a> {
    shared: &'a Arc<Shared>,
    /// The first thing that was wrong is told by [`start`](Self::start).
    request: Result<Request, AdmitError>,
    observer: Option<Observer>,
}

impl<'a> RequestBuilder<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, url: &str) -> Self {
        match Request::new(url) {
            Ok(request) => Self::of(shared, request),
            Err(error) => Self { shared, request: Err(error.into()), observer: None },
        }
    }

    pub(crate) fn of(shared: &'a Arc<Shared>, request: Request) -> Self {
        let headers = shared.headers.iter().cloned();
        let request = headers.fold(request, |request, (name, value)| request.header_unless_set(name, value));
        Self { shared, request: Ok(request), observer: None }
    }

    /// The name of the file instead of the URL's last path segment. It may hold subfolders, which are made on demand.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        let name = FileName::new(name.as_ref());
        self.request = self.request.and_then(|request| Ok(request.name(name?)));
        self
    }

    /// Take the name from the server's `Content-Disposition` where it gives one and none is given here; else it is the URL's.
    /// It is held to the rules of names, never changed to fit: one that breaks a rule, or that another running download
    /// has, is an error of the download.
    ///
    /// Until the reply begins the download is known by its URL, and [`Download::name`] says what its file may be called;
    /// [`Notice::Named`](crate::Notice::Named) tells the name.
    pub fn content_disposition(mut self, named_by_server: bool) -> Self {
        self.request = self.request.map(|request| request.content_disposition(named_by_server));
        self
    }

    /// A header field to send, to the URL's own origin only. It replaces an earlier one of that name, and that of
    /// [`Builder::header`](crate::Builder::header).
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request = self.request.map(|request| request.header(name, value));
        self
    }

    /// What to do where a file of that name is there already; it is taken as it is unless set.
    pub fn if_present(mut self, if_present: IfPresent) -> Self {
        self.request = self.request.map(|request| request.if_present(if_present));
        self
    }

    /// What the file's bytes must come to. What was fetched is dropped where it does not, and fetched once more from its
    /// first byte on; then it is a [`ChecksumMismatch`](crate::DownloadError::ChecksumMismatch). A file that is there
    /// already is held to it as well: another one is a [`PresentMismatch`](crate::DownloadError::PresentMismatch), unless
    /// [`IfPresent::Replace`] asks for it to be replaced.
    ///
    /// ```no_run
    /// use dlmanager::{Digest, DownloadManager};
    ///
    /// let manager = DownloadManager::new("downloads")?;
    /// let digest: Digest = "sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c".parse()?;
    /// let file = manager.request("https://example.org/tool.zip").checksum(digest).start()?.wait()?;
    /// assert_eq!(file.digests.get(digest.algorithm()), Some(&digest));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checksum(mut self, digest: Digest) -> Self {
        self.request = self.request.map(|request| request.checksum(digest));
        self
    }

    /// An observer from the beginning on, see [`Download::set_progress`]. It replaces that of a download that is joined.
    pub fn progress(mut self, observer: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Starts the download, or joins the one that runs under that name. Returns at once.
    ///
    /// # Errors
    ///
    /// The URL cannot be fetched, the name is not valid, or the manager is closed; or a download of that name runs whose
    /// file is held to another checksum than this one's, or to none ([`AdmitError::Conflict`]). Who asks for no checksum
    /// joins any.
    pub fn start(self) -> Result<Download, AdmitError> {
        let claim = self.shared.download(self.request?, self.observer)?;
        Ok(Download::with(claim, Arc::clone(self.shared)))
    }
}

impl fmt::Debug for RequestBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuilder").field("request", &self.request).finish_non_exhaustive()
    }
}
