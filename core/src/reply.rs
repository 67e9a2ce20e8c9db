//! What the head of a reply means (RFC 9110, RFC 9112): a body to take, a place to go to, or an error.

use alloc::boxed::Box;
use alloc::string::ToString;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, StatusCode, Version};
use url::Url;

use crate::origin::{Target, without_user_info};
use crate::{Config, DownloadError, Head};

/// What is to be done about a reply.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Its body is the file.
    Take(Announced),
    /// The file is elsewhere.
    Follow {
        target: Target,
        /// The announced length of this reply's own body, where it is known.
        body_length: Option<u64>,
    },
}

/// What the head says of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Its length in bytes, where it is known beforehand.
    pub(crate) length: Option<u64>,
    /// Only the end of the connection ends it, so that a cut cannot be told from the end.
    pub(crate) ends_with_connection: bool,
    pub(crate) content_encoding: Option<Box<str>>,
}

/// Judges the reply to a request for `url`, which asked for the whole file.
pub(crate) fn judge(head: &Head, url: &Url, config: &Config) -> Result<Verdict, DownloadError> {
    if is_redirect(head.status) {
        return follow(head, url, config);
    }
    if head.status != StatusCode::OK {
        return Err(DownloadError::Status { status: head.status.as_u16() });
    }
    let announced = announced(head)?;
    if let (Some(length), Some(bytes_max)) = (announced.length, config.file_bytes_max)
        && length > bytes_max
    {
        return Err(DownloadError::TooLarge { length, bytes_max });
    }
    Ok(Verdict::Take(announced))
}

/// Whether another attempt may bring what this error denied.
pub(crate) fn may_pass(error: &DownloadError) -> bool {
    use crate::FaultKind as F;
    use crate::{FileStep, TimeoutKind};
    match error {
        DownloadError::Network(fault) => match fault.kind() {
            F::Resolve | F::Connect | F::Reset | F::Aborted => true,
            F::Skipped
            | F::Tls
            | F::Protocol
            | F::HeadTooLarge
            | F::Unsupported
            | F::NotFound
            | F::Exists
            | F::WrongType => false,
            F::Denied | F::ReadOnly | F::NoSpace | F::BadName | F::Busy | F::Changed | F::Io => false,
        },
        DownloadError::Timeout(kind) => match kind {
            TimeoutKind::Connect | TimeoutKind::FirstByte | TimeoutKind::Stall => true,
            TimeoutKind::Whole => false,
        },
        DownloadError::Status { status } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
        DownloadError::Truncated { .. } => true,
        // The name of the unfinished file was taken, or its folder removed under it: another name, another folder.
        DownloadError::File { step, fault } => {
            *step == FileStep::Create && matches!(fault.kind(), F::Exists | F::NotFound)
        }
        DownloadError::BadReply(_)
        | DownloadError::Overlong { .. }
        | DownloadError::TooLarge { .. }
        | DownloadError::TooManyRedirects { .. }
        | DownloadError::BadRedirect { .. }
        | DownloadError::TooManyRequests { .. }
        | DownloadError::NotAFile { .. }
        | DownloadError::Publish { .. }
        | DownloadError::Directory(_) => false,
    }
}

/// The redirects that lead to the same thing elsewhere (RFC 9110 section 15.4).
const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn follow(head: &Head, url: &Url, config: &Config) -> Result<Verdict, DownloadError> {
    let mut locations = head.headers.get_all(LOCATION).iter();
    let Some(location) = locations.next() else {
        return Err(DownloadError::BadReply("a redirect without Location".into()));
    };
    if locations.any(|other| other != location) {
        return Err(DownloadError::BadReply("a redirect with two different Locations".into()));
    }
    let text = core::str::from_utf8(location.as_bytes())
        .map_err(|_| DownloadError::BadReply("a redirect whose Location is not text".into()))?;
    let refuse =
        |cause: &str| DownloadError::BadRedirect { location: without_user_info(text).into(), cause: cause.into() };
    let target = Target::join(url, text).map_err(|error| refuse(&error.to_string()))?;
    if url.scheme() == "https" && target.url.scheme() == "http" && !config.allow_downgrade {
        return Err(refuse("it leads from https to http"));
    }
    // A redirect whose own framing is broken is followed all the same, only its connection is not used again.
    let body_length = announced(head).ok().and_then(|announced| announced.length);
    Ok(Verdict::Follow { target, body_length })
}

/// Reads the framing (RFC 9112 section 6.3): `chunked` overrides a length, and lengths must agree.
fn announced(head: &Head) -> Result<Announced, DownloadError> {
    let bad = |cause: &str| DownloadError::BadReply(cause.into());
    let content_encoding = tokens(&head.headers, &CONTENT_ENCODING)
        .map_err(|()| bad("a Content-Encoding that is not text"))?
        .filter(|codings| !codings.eq_ignore_ascii_case("identity"));
    if let Some(codings) =
        tokens(&head.headers, &TRANSFER_ENCODING).map_err(|()| bad("a Transfer-Encoding that is not text"))?
    {
        if !codings.eq_ignore_ascii_case("chunked") {
            return Err(DownloadError::BadReply(alloc::format!("the transfer coding {codings:?}").into()));
        }
        return Ok(Announced { length: None, ends_with_connection: false, content_encoding });
    }
    let mut length = None;
    for value in head.headers.get_all(CONTENT_LENGTH) {
        let text = value.to_str().map_err(|_| bad("a Content-Length that is not text"))?;
        for item in text.split(',') {
            let item = item.trim_matches([' ', '\t']);
            let digits = !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit());
            let parsed: u64 = item.parse().ok().filter(|_| digits).ok_or_else(|| {
                DownloadError::BadReply(alloc::format!("the Content-Length {text:?}, which is not a length").into())
            })?;
            if length.is_some_and(|length| length != parsed) {
                return Err(bad("two different Content-Lengths"));
            }
            length = Some(parsed);
        }
    }
    let ends_with_connection = length.is_none() && head.version < Version::HTTP_2;
    Ok(Announced { length, ends_with_connection, content_encoding })
}

/// A list-valued field, its lines joined as RFC 9110 section 5.3 allows.
fn tokens(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Box<str>>, ()> {
    let mut joined: Option<alloc::string::String> = None;
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| ())?.trim();
        match &mut joined {
            None => joined = Some(text.into()),
            Some(joined) => {
                joined.push_str(", ");
                joined.push_str(text);
            }
        }
    }
    Ok(joined.map(alloc::string::String::into_boxed_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn head(status: u16, fields: &[(&'static str, &'static str)]) -> Head {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Head { version: Version::HTTP_11, status: StatusCode::from_u16(status).unwrap(), headers }
    }

    fn judged(status: u16, fields: &[(&'static str, &'static str)]) -> Result<Verdict, DownloadError> {
        let url = Url::parse("https://example.org/a/b?q").unwrap();
        judge(&head(status, fields), &url, &Config { file_bytes_max: Some(1_000), ..Config::default() })
    }

    fn taken(fields: &[(&'static str, &'static str)]) -> (Option<u64>, bool) {
        match judged(200, fields) {
            Ok(Verdict::Take(announced)) => (announced.length, announced.ends_with_connection),
            other => panic!("{fields:?}: {other:?}"),
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(taken(&[("content-length", "12")]), (Some(12), false));
        assert_eq!(taken(&[("content-length", "12"), ("content-length", "12")]), (Some(12), false));
        assert_eq!(taken(&[("content-length", "12, 12")]), (Some(12), false));
        assert_eq!(taken(&[("content-length", "0")]), (Some(0), false));
        assert_eq!(taken(&[]), (None, true));
        assert_eq!(taken(&[("transfer-encoding", "Chunked"), ("content-length", "7")]), (None, false));
    }

    #[test]
    fn broken_framing_is_refused() {
        for fields in [
            &[("content-length", "12"), ("content-length", "13")][..],
            &[("content-length", "12, 13")],
            &[("content-length", "")],
            &[("content-length", "+12")],
            &[("content-length", "-1")],
            &[("content-length", "0x10")],
            &[("content-length", "99999999999999999999999")],
            &[("content-length", "12,")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "identity")],
        ] {
            assert!(matches!(judged(200, fields), Err(DownloadError::BadReply(_))), "{fields:?}");
        }
    }

    #[test]
    fn an_announced_length_beyond_the_limit_is_refused() {
        assert!(matches!(judged(200, &[("content-length", "1001")]), Err(DownloadError::TooLarge { .. })));
        assert_eq!(taken(&[("content-length", "1000")]).0, Some(1_000));
    }

    #[test]
    fn only_200_is_a_file() {
        for status in [201, 202, 203, 204, 206, 300, 304, 400, 404, 416, 500, 503] {
            assert!(matches!(judged(status, &[]), Err(DownloadError::Status { .. })), "{status}");
        }
    }

    #[test]
    fn redirects() {
        let target = |location: &'static str| match judged(302, &[("location", location)]) {
            Ok(Verdict::Follow { target, .. }) => target.url.to_string(),
            other => alloc::format!("{other:?}"),
        };
        assert_eq!(target("c"), "https://example.org/a/c");
        assert_eq!(target("/c"), "https://example.org/c");
        assert_eq!(target("//other.example/c"), "https://other.example/c");
        assert_eq!(target("https://other.example/c#part"), "https://other.example/c");
        for location in ["http://example.org/", "ftp://example.org/", "file:///etc/passwd", "https://", "data:,x"] {
            let refused = judged(302, &[("location", location)]);
            assert!(matches!(refused, Err(DownloadError::BadRedirect { .. })), "{location}: {refused:?}");
        }
        assert!(matches!(judged(302, &[]), Err(DownloadError::BadReply(_))));
        assert!(matches!(judged(302, &[("location", "/a"), ("location", "/b")]), Err(DownloadError::BadReply(_))));
        assert!(matches!(judged(302, &[("location", "/a"), ("location", "/a")]), Ok(Verdict::Follow { .. })));
    }

    #[test]
    fn codings_are_told() {
        let coding = |fields: &[(&'static str, &'static str)]| match judged(200, fields) {
            Ok(Verdict::Take(announced)) => announced.content_encoding,
            other => panic!("{other:?}"),
        };
        assert_eq!(coding(&[("content-encoding", "gzip")]).as_deref(), Some("gzip"));
        assert_eq!(coding(&[("content-encoding", "identity")]), None);
        assert_eq!(coding(&[]), None);
    }
}
