//! URLs: what is accepted, and to whom an exchange belongs.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

use base64::Engine;
use http::HeaderValue;
use url::{Position, Url};

/// A server as HTTP tells them apart (RFC 9110 section 4.3.1): scheme, host and port. Credentials belong to one.
///
/// ```
/// use dlmanager_core::Origin;
///
/// fn is_encrypted(origin: &Origin) -> bool {
///     origin.as_str().starts_with("https://")
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// The origin of a URL without user info, whose scheme is http or https. The URL's text has no port that is the
    /// scheme's own, so that all up to the path is what tells origins apart.
    pub(crate) fn of(url: &Url) -> Self {
        Self(url[..Position::BeforePath].into())
    }

    /// The value of `Host` (RFC 9110 section 7.2): the port only where it is not the scheme's own.
    fn host(&self) -> &str {
        self.0.strip_prefix("http://").or_else(|| self.0.strip_prefix("https://")).unwrap_or_default()
    }

    /// As text: `https://example.org`, the port given only where it is not the scheme's own.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A URL that cannot be fetched.
///
/// ```
/// use dlmanager_core::{Request, UrlError};
///
/// assert!(matches!(Request::new("example.org/a"), Err(UrlError::Invalid { .. })));
/// let Err(error) = Request::new("ftp://user:secret@example.org/a") else { unreachable!() };
/// assert!(matches!(&error, UrlError::Scheme { scheme, .. } if scheme == "ftp"));
/// assert!(!error.to_string().contains("secret"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not a URL.
    #[error("{url:?} is not a URL: {cause}")]
    Invalid {
        /// What was given.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Its scheme is neither `http` nor `https`.
    #[error("{url:?} has the scheme {scheme:?}: only http and https can be fetched")]
    Scheme {
        /// What was given, without user info.
        url: String,
        /// Its scheme.
        scheme: String,
    },
}

impl UrlError {
    /// In words, without what a query holds where it is not to be shown.
    pub(crate) fn cause(&self, redact_queries: bool) -> String {
        let mut error = self.clone();
        if redact_queries {
            let (Self::Invalid { url, .. } | Self::Scheme { url, .. }) = &mut error;
            *url = without_query(url);
        }
        error.to_string()
    }
}

/// A URL to fetch, with the user info taken out of it. A clone costs a reference count.
#[derive(Debug, Clone)]
pub(crate) struct Target(Arc<Parts>);

/// What a target is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) url: Url,
    pub(crate) origin: Origin,
    /// What the user info asks to send as `Authorization`.
    pub(crate) authorization: Option<Box<HeaderValue>>,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let url = Url::parse(text)
            .map_err(|cause| UrlError::Invalid { url: without_user_info(text), cause: cause.to_string() })?;
        Self::new(url)
    }

    /// The target of a redirect from `base`.
    pub(crate) fn join(base: &Url, location: &str) -> Result<Self, UrlError> {
        let url = base
            .join(location)
            .map_err(|cause| UrlError::Invalid { url: without_user_info(location), cause: cause.to_string() })?;
        Self::new(url)
    }

    fn new(mut url: Url) -> Result<Self, UrlError> {
        let authorization = basic_authorization(&url).map(Box::new);
        // Both fail only where there is no host, and such a URL is refused below.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        if url.scheme() != "http" && url.scheme() != "https" {
            return Err(UrlError::Scheme { scheme: url.scheme().into(), url: url.into() });
        }
        if !is_plain(url.as_str()) && uri(&url).is_none() {
            return Err(UrlError::Invalid { url: url.into(), cause: "it cannot be put into a request".into() });
        }
        let origin = Origin::of(&url);
        Ok(Self(Arc::new(Parts { url, origin, authorization })))
    }
}

impl Deref for Target {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The text of a URL that may not be one, for people: what may be user info is cut out.
pub(crate) fn without_user_info(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("//") else { return text.into() };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => alloc::format!("{scheme}//{host}{path}"),
        None => text.into(),
    }
}

/// What stands for a query that is not shown.
const REDACTED: &str = "redacted";

/// A URL without what its query holds, for people.
pub(crate) fn redacted(url: &Url) -> Url {
    let mut url = url.clone();
    if url.query().is_some() {
        url.set_query(Some(REDACTED));
    }
    url
}

/// The text of a URL that may not be one, without what its query holds, for people.
pub(crate) fn without_query(text: &str) -> String {
    match text.split_once('?') {
        Some((before, _)) => alloc::format!("{before}?{REDACTED}"),
        None => text.into(),
    }
}

/// A URL that tells resources apart and does not show its query: 128 bits of the BLAKE3 hash of that stand there instead.
pub(crate) fn hashed(url: &Url) -> Url {
    let mut hashed = url.clone();
    if let Some(query) = url.query() {
        let hash = blake3::hash(query.as_bytes()).to_hex();
        hashed.set_query(Some(&alloc::format!("{REDACTED}={}", hash.get(..32).unwrap_or_default())));
    }
    hashed
}

/// Whether the text of a URL has only characters that every request can hold, and is no longer than one may be: most URLs
/// need not be parsed once more to know that they can be put into one.
fn is_plain(url: &str) -> bool {
    const BYTES_MAX: usize = 8 * 1024;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?=&%+,;@".contains(&byte);
    url.len() <= BYTES_MAX && url.bytes().all(is_plain)
}

/// The URL as the `http` crate holds it; `None` where that crate does not accept it.
pub(crate) fn uri(url: &Url) -> Option<http::Uri> {
    url.as_str().parse().ok()
}

/// The value of `Host`.
pub(crate) fn host_header(origin: &Origin) -> Option<HeaderValue> {
    HeaderValue::from_str(origin.host()).ok()
}

/// User info as the Basic scheme (RFC 7617).
fn basic_authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut credentials = crate::name::percent_decode(url.username().as_bytes());
    credentials.push(b':');
    credentials.extend(crate::name::percent_decode(url.password().unwrap_or("").as_bytes()));
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    let mut value = HeaderValue::try_from(alloc::format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_query_and_what_is_noted_tells_queries_apart() {
        let (first, second) = (parse("https://example.org/a?sig=90b7"), parse("https://example.org/a?sig=90b8"));
        assert_eq!(redacted(&first).as_str(), "https://example.org/a?redacted");
        assert_eq!(redacted(&first), redacted(&second));
        assert_ne!(hashed(&first), hashed(&second));
        assert_eq!(hashed(&first), hashed(&first.clone()));
        assert_eq!(hashed(&first).as_str().len(), "https://example.org/a?redacted=".len() + 32);
        for url in ["https://example.org/a", "https://example.org/"].map(parse) {
            assert_eq!((redacted(&url), hashed(&url)), (url.clone(), url));
        }
        assert_eq!(without_query("/a?b?c"), "/a?redacted");
        assert_eq!(without_query("//h/a"), "//h/a");
    }

    proptest::proptest! {
        /// What is taken for fit without being parsed is fit.
        #[test]
        fn a_plain_url_can_be_put_into_a_request(
            host in "([a-z0-9%-]{1,9}[.]){0,3}[a-z0-9-]{1,9}(:[0-9]{1,5})?",
            rest in "([/?][a-zA-Z0-9._~:/?=&%+,;@-]{0,30})?",
        ) {
            if let Ok(url) = Url::parse(&alloc::format!("http://{host}{rest}")) {
                proptest::prop_assert!(!is_plain(url.as_str()) || uri(&url).is_some(), "{url}");
            }
        }
    }

    #[test]
    fn an_origin_is_what_the_standard_makes_of_the_url() {
        for text in [
            "http://example.org",
            "http://example.org:80/a",
            "https://example.org:443?x",
            "http://example.org:443/",
            "https://EXAMPLE.org:8443/a/b?c#d",
            "http://user:secret@example.org:8080/a",
            "http://user@example.org",
            "http://[::1]:80/",
            "http://[2001:DB8::1]:8080/a",
            "http://127.1/a",
            "https://b\u{fc}cher.example/",
            "http:example.org\\a",
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.origin.as_str(), target.url.origin().ascii_serialization(), "{text}");
            let port = target.url.port().map(|port| alloc::format!(":{port}")).unwrap_or_default();
            assert_eq!(target.origin.host(), alloc::format!("{}{port}", target.url.host_str().unwrap()), "{text}");
            assert_eq!(alloc::format!("{}", target.origin), target.origin.as_str());
        }
    }
}
