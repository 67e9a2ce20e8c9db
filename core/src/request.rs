//! What to download.

use alloc::boxed::Box;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::origin::Target;
use crate::{Digest, FileName, NameError, UrlError};

/// A download to be admitted: a URL, the name that its file gets, and how to fetch it.
///
/// ```
/// use dlmanager_core::{FileName, Request};
///
/// let request = Request::new("https://user:secret@example.org/tool.tar.xz?build=7")?.name(FileName::new("tool.tar.xz")?);
/// assert_eq!(request.url().as_str(), "https://example.org/tool.tar.xz?build=7"); // user info is never shown
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) target: Target,
    pub(crate) name: Option<FileName>,
    /// Most set none.
    pub(crate) headers: Option<Box<HeaderMap>>,
    pub(crate) if_present: IfPresent,
    pub(crate) checksum: Option<Digest>,
    pub(crate) named_by_server: bool,
}

impl Request {
    /// A request for what the URL leads to. User info in it is sent as `Authorization` and shown nowhere; a fragment is
    /// dropped.
    ///
    /// # Errors
    ///
    /// The text is not a URL, or its scheme is neither `http` nor `https`.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let target = Target::parse(url)?;
        Ok(Self {
            target,
            name: None,
            headers: None,
            if_present: IfPresent::default(),
            checksum: None,
            named_by_server: false,
        })
    }

    /// The name of the file, instead of the URL's last path segment.
    #[must_use]
    pub fn name(mut self, name: FileName) -> Self {
        self.name = Some(name);
        self
    }

    /// A header field to send with the request, to the URL's own origin only. It replaces an earlier one of that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.get_or_insert_default().insert(name, value);
        self
    }

    /// The same, where no field of that name is set.
    #[must_use]
    pub fn header_unless_set(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.get_or_insert_default().entry(name).or_insert(value);
        self
    }

    /// What to do where a file of that name is there already.
    #[must_use]
    pub fn if_present(mut self, if_present: IfPresent) -> Self {
        self.if_present = if_present;
        self
    }

    /// What the file's bytes must come to; a file that is there already is held to it as well.
    #[must_use]
    pub fn checksum(mut self, digest: Digest) -> Self {
        self.checksum = Some(digest);
        self
    }

    /// Take the name from the server's `Content-Disposition` where it gives one (RFC 6266), and none is given here: a single
    /// component, held to the same rules as one from a URL.
    ///
    /// Such a download is known by its URL until the reply begins; then its name is looked for like any other.
    /// [`Notice::Named`](crate::Notice::Named) tells it.
    #[must_use]
    pub const fn content_disposition(mut self, named_by_server: bool) -> Self {
        self.named_by_server = named_by_server;
        self
    }

    /// Whether the server is asked for the name.
    pub(crate) const fn is_named_by_server(&self) -> bool {
        self.named_by_server && self.name.is_none()
    }

    /// The URL, without user info and fragment.
    pub fn url(&self) -> &Url {
        &self.target.url
    }

    /// What the file's bytes must come to, where that was said.
    pub const fn expected(&self) -> Option<Digest> {
        self.checksum
    }

    /// The name that the file will get: the one given, else the URL's.
    ///
    /// # Errors
    ///
    /// None was given, and the URL does not yield a valid one.
    pub fn file_name(&self) -> Result<FileName, NameError> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => FileName::from_url(&self.target.url),
        }
    }
}

/// What to do where a file of that name is there already.
///
/// ```
/// use dlmanager_core::{IfPresent, Request};
///
/// assert_eq!(IfPresent::default(), IfPresent::Skip);
/// let newest = Request::new("https://example.org/nightly.zip")?.if_present(IfPresent::Replace);
/// assert_eq!(newest.file_name()?.as_str(), "nightly.zip");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfPresent {
    /// Take it as it is.
    #[default]
    Skip,
    /// Fetch, and replace it atomically once the new one is complete.
    Replace,
}
