//! A file on a server that answers requests for a part of it.

use bytes::Bytes;
use http::header::{CONTENT_RANGE, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{Reply, SeenRequest};

/// A file on a server that answers requests for a part of it as RFC 9110 says: `206` with the rest from the byte asked
/// for on, where `If-Range` is absent or names this version; else `200` with all of it; `416` where the part begins behind
/// the end.
///
/// ```
/// use dlmanager_scripted::{Resource, ScriptedTransport, content};
/// use http::header::ETAG;
///
/// let file = Resource::new(content(1, 5_000)).header(ETAG, "\"v1\"");
/// let mut net = ScriptedTransport::new();
/// // The first request is cut off after 1,000 bytes; the others get what they ask for.
/// net.serve("http://origin.example/file", move |request, earlier| match earlier {
///     0 => file.reply_to(request).cut_at(1_000),
///     _ => file.reply_to(request),
/// });
/// ```
#[derive(Debug, Clone)]
pub struct Resource {
    body: Bytes,
    headers: HeaderMap,
}

impl Resource {
    /// A file with these bytes, and nothing that tells its version.
    pub fn new(body: Bytes) -> Self {
        Self { body, headers: HeaderMap::new() }
    }

    /// A header field of every reply, in place of all of that name.
    ///
    /// # Panics
    ///
    /// Where `value` cannot be the value of a header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_str(value).expect("the value of a header field"));
        self
    }

    /// What such a server answers.
    pub fn reply_to(&self, request: &SeenRequest) -> Reply {
        let same = request.headers.get(IF_RANGE).is_none_or(|validator| self.is_told_by(validator));
        match first_byte(&request.headers).filter(|_| same) {
            Some(first) => self.part(first),
            None => self.whole(),
        }
    }

    /// `200 OK` with the whole file, whatever was asked for.
    pub fn whole(&self) -> Reply {
        self.with_headers(Reply::ok(self.body.clone()))
    }

    /// `206 Partial Content` from this byte on, or `416 Range Not Satisfiable`, whatever was asked for.
    pub fn part(&self, first: usize) -> Reply {
        let length = self.body.len();
        if first >= length {
            let reply = Reply::status(StatusCode::RANGE_NOT_SATISFIABLE);
            return self.with_headers(reply).header(CONTENT_RANGE, &format!("bytes */{length}"));
        }
        let reply = Reply::status(StatusCode::PARTIAL_CONTENT).body(self.body.slice(first..));
        self.with_headers(reply).header(CONTENT_RANGE, &format!("bytes {first}-{}/{length}", length - 1))
    }

    fn with_headers(&self, reply: Reply) -> Reply {
        self.headers.iter().fold(reply, |reply, (name, value)| {
            reply.header(name.clone(), value.to_str().expect("it was made from text"))
        })
    }

    /// By strong comparison, or as the very date that is sent.
    fn is_told_by(&self, validator: &HeaderValue) -> bool {
        let is_strong = !validator.as_bytes().starts_with(b"W/");
        is_strong
            && [http::header::ETAG, http::header::LAST_MODIFIED]
                .iter()
                .any(|name| self.headers.get(name) == Some(validator))
    }
}

/// Where the part begins that is asked for, in the only form in which the core asks.
fn first_byte(headers: &HeaderMap) -> Option<usize> {
    headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}
