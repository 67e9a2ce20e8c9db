//! What the head of a reply means (RFC 9110, RFC 9112): a body to take, a place to go to, or an error.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, StatusCode, Version};
use url::Url;

use crate::content_range;
use crate::origin::{Target, without_query, without_user_info};
use crate::resume::{Identity, Known, source_of};
use crate::{
    Config, Digest, DownloadError, FaultKind, FileStep, Head, Published, Stamp, digest_fields, disposition,
    retry_after, version,
};

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

/// What the head says of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Announced {
    /// Its length in bytes, where it is known beforehand.
    pub(crate) length: Option<u64>,
    /// Where in the file the body ends, where that is known beforehand.
    pub(crate) end: Option<u64>,
    /// Only the end of the connection ends it, so that a cut cannot be told from the end.
    pub(crate) ends_with_connection: bool,
    pub(crate) content_encoding: Option<Box<str>>,
    pub(crate) known: Known,
    pub(crate) modified: Option<Stamp>,
    /// What the server says that it comes to.
    pub(crate) digests: Vec<Digest>,
    /// The name that the server gives it, as it was sent.
    pub(crate) name: Option<String>,
}

/// Judges the reply to a request for `url`, which asked for the whole file.
pub(crate) fn judge(head: &Head, url: &Url, config: &Config) -> Result<Verdict, DownloadError> {
    if is_redirect(head.status) {
        return follow(head, url, config);
    }
    if head.status != StatusCode::OK {
        return Err(DownloadError::Status { status: head.status.as_u16() });
    }
    let mut announced = announced(head)?;
    // Where the field means nothing (RFC 9110 section 14.4), what contradicts it is still not known to be the whole.
    if let Ok(Some(range)) = content_range::parse(&head.headers)
        && !(range.is_whole() && announced.length.is_none_or(|length| range.total() == Some(length)))
    {
        return Err(DownloadError::BadReply("a part of the file, which was asked for as a whole".into()));
    }
    check_length(announced.length, config)?;
    announced.end = announced.length;
    let version = version::Version::of(&head.headers);
    announced.modified = version.last_modified();
    announced.known = Known { identity: Identity::of(version), total: announced.length, source: source_of(url) };
    announced.name = disposition::file_name(&head.headers);
    // The content of a whole reply is the representation (RFC 9530 section 2), as it is stored.
    announced.digests = digest_fields::repr_digests(&head.headers);
    announced.digests.extend(digest_fields::content_digests(&head.headers));
    Ok(Verdict::Take(announced))
}

/// What the head of a reply says that goes on where the file ends, up to `end` of `total` bytes.
pub(crate) fn announced_part(head: &Head, end: u64, total: u64, config: &Config) -> Result<Announced, DownloadError> {
    check_length(Some(total), config)?;
    let framed = announced(head)?;
    Ok(Announced {
        length: Some(total),
        end: Some(end),
        ends_with_connection: false,
        modified: version::Version::of(&head.headers).last_modified(),
        // That of the content is of the part alone.
        digests: digest_fields::repr_digests(&head.headers),
        ..framed
    })
}

pub(crate) fn check_length(length: Option<u64>, config: &Config) -> Result<(), DownloadError> {
    match (length, config.file_bytes_max) {
        (Some(length), Some(bytes_max)) if length > bytes_max => Err(DownloadError::TooLarge { length, bytes_max }),
        (_, _) => Ok(()),
    }
}

/// How long the server asks to be left alone, where it refuses for now (RFC 9110 section 10.2.3, RFC 6585 section 4).
pub(crate) fn retry_after(head: &Head, config: &Config) -> Option<Duration> {
    let refuses = matches!(head.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    retry_after::parse(&head.headers).filter(|_| refuses).map(|wait| wait.min(config.retry_after_max))
}

/// Whether no connection could be made.
pub(crate) const fn is_connect_failure(error: &DownloadError) -> bool {
    use crate::{FaultKind, TimeoutKind};
    let is_refused = matches!(
        error,
        DownloadError::Network(fault) if matches!(fault.kind(), FaultKind::Resolve | FaultKind::Connect)
    );
    is_refused || matches!(error, DownloadError::Timeout(TimeoutKind::Connect))
}

/// Whether the bytes that came before this error are those of the file, so that another attempt, or run, may go on.
pub(crate) const fn leaves_good_bytes(error: &DownloadError) -> bool {
    match error {
        DownloadError::Network(_)
        | DownloadError::Timeout(_)
        | DownloadError::Status { .. }
        | DownloadError::BadReply(_)
        | DownloadError::Truncated { .. }
        | DownloadError::TooManyRedirects { .. }
        | DownloadError::BadRedirect { .. }
        | DownloadError::TooManyRequests { .. } => true,
        // All of it is there, verified, and only could not get its name.
        DownloadError::Publish { published: Published::No, fault }
        | DownloadError::File { step: FileStep::Folder, fault } => {
            !matches!(fault.kind(), FaultKind::NoSpace | FaultKind::Exists)
        }
        DownloadError::Name(_)
        | DownloadError::NameTaken { .. }
        | DownloadError::Overlong { .. }
        | DownloadError::TooLarge { .. }
        | DownloadError::NoRoom { .. }
        | DownloadError::ChecksumMismatch { .. }
        | DownloadError::PresentMismatch { .. }
        | DownloadError::NotAFile { .. }
        | DownloadError::File { .. }
        | DownloadError::Publish { .. }
        | DownloadError::Directory(_) => false,
    }
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
        // Once: the download remembers.
        DownloadError::Truncated { .. } | DownloadError::ChecksumMismatch { .. } => true,
        // The name of the unfinished file was taken, or its folder removed under it: another name, another folder.
        DownloadError::File { step, fault } => {
            *step == FileStep::Create && matches!(fault.kind(), F::Exists | F::NotFound)
        }
        DownloadError::BadReply(_)
        | DownloadError::Overlong { .. }
        | DownloadError::TooLarge { .. }
        | DownloadError::NoRoom { .. }
        | DownloadError::TooManyRedirects { .. }
        | DownloadError::BadRedirect { .. }
        | DownloadError::TooManyRequests { .. }
        | DownloadError::PresentMismatch { .. }
        | DownloadError::Name(_)
        | DownloadError::NameTaken { .. }
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
    let shown = without_user_info(text);
    let shown = if config.redact_queries { without_query(&shown) } else { shown };
    let refuse = |cause: &str| DownloadError::BadRedirect { location: shown.as_str().into(), cause: cause.into() };
    let target = Target::join(url, text).map_err(|error| refuse(&error.cause(config.redact_queries)))?;
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
        return Ok(Announced { content_encoding, ..Announced::default() });
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
    Ok(Announced { length, ends_with_connection, content_encoding, ..Announced::default() })
}

/// A list-valued field, its lines joined as RFC 9110 section 5.3 allows.
fn tokens(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Box<str>>, ()> {
    let mut joined: Option<String> = None;
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
    Ok(joined.map(String::into_boxed_str))
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
    fn a_part_that_was_not_asked_for_is_refused() {
        let length = ("content-length", "60");
        for range in ["bytes 40-99/100", "bytes 0-59/100", "bytes 0-99/100", "bytes 0-59/*", "bytes */60"] {
            let refused = judged(200, &[("content-range", range), length]);
            assert!(matches!(refused, Err(DownloadError::BadReply(_))), "{range}: {refused:?}");
        }
        assert_eq!(taken(&[("content-range", "bytes 0-59/60"), length]), (Some(60), false));
        assert_eq!(taken(&[("content-range", "bytes 0-59/60"), ("transfer-encoding", "chunked")]), (None, false));
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
            Ok(Verdict::Follow { target, .. }) => target.url.clone().into(),
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
        let (url, config) = (Url::parse("https://h/").unwrap(), Config { redact_queries: true, ..Config::default() });
        for location in ["http://example.org/?secret", "ftp://example.org/?secret", "https://?secret"] {
            let text = match judge(&head(302, &[("location", location)]), &url, &config) {
                Err(error @ DownloadError::BadRedirect { .. }) => alloc::format!("{error} {error:?}"),
                other => panic!("{location}: {other:?}"),
            };
            assert!(text.contains("?redacted") && !text.contains("secret"), "{text}");
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
