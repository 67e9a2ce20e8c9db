//! The servers of a random run: what each request is answered with, and what was delivered of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dlmanager_core::{Algorithm, Algorithms, Digest, Hasher, Head, Instant};
use dlmanager_scripted::content;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED, LOCATION, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};

use crate::choices::Choices;

/// One exchange, as the world sees it.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Which admission asked for it.
    pub(crate) admission: usize,
    pub(crate) uri: Uri,
    /// Where the part begins that was asked for, and the validator that it must have.
    pub(crate) range: Option<usize>,
    pub(crate) if_range: Option<String>,
    /// The earliest time at which the core can have asked for it.
    pub(crate) asked_at: Instant,
    /// When the core was told that the connection stands.
    pub(crate) connected_at: Option<Instant>,
    pub(crate) reply: Option<ServedReply>,
    /// What was handed out of the body, in bytes, and what of that the core was told.
    pub(crate) handed_out: usize,
    pub(crate) told: usize,
    pub(crate) told_last: bool,
    /// The body has been said to end.
    pub(crate) ended: bool,
    /// A read was answered with a fault or as aborted.
    pub(crate) broken: bool,
    /// The latest time at which the core can have asked for it.
    pub(crate) asked_polled: Instant,
    /// Since when at the earliest, and at the latest, the core has been waiting for bytes; and for how long before.
    pub(crate) reading_since: Option<Instant>,
    pub(crate) reading_polled: Option<Instant>,
    pub(crate) read_time: Duration,
    /// The bytes handed out that somebody still holds.
    pub(crate) held: Arc<AtomicUsize>,
    pub(crate) drop_asked: bool,
    pub(crate) drop_told: bool,
}

/// A reply, decided when its head is sent.
#[derive(Debug, Clone)]
pub(crate) struct ServedReply {
    pub(crate) status: StatusCode,
    /// All that the server would send.
    pub(crate) body: Bytes,
    /// The version that it is of, all of it.
    pub(crate) whole: Bytes,
    /// Where in it the body begins.
    pub(crate) offset: usize,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) content_range: Option<String>,
    /// The digest of the whole file, or of another.
    pub(crate) repr_digest: Option<Digest>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) announced: Option<usize>,
    /// The end of the body is explicit.
    pub(crate) has_end: bool,
    pub(crate) coding: Option<&'static str>,
    /// The head contradicts itself, or asks for what cannot be done.
    pub(crate) is_bad: bool,
    pub(crate) location: Option<String>,
    pub(crate) head_told: bool,
}

/// Bytes that tell when they are let go.
struct Tracked {
    bytes: Bytes,
    held: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Exchange {
    pub(crate) fn new(admission: usize, uri: Uri, asked_at: Instant, asked_polled: Instant) -> Self {
        Self {
            admission,
            uri,
            range: None,
            if_range: None,
            asked_at,
            connected_at: None,
            reply: None,
            handed_out: 0,
            told: 0,
            told_last: false,
            ended: false,
            broken: false,
            asked_polled,
            reading_since: None,
            reading_polled: None,
            read_time: Duration::ZERO,
            held: Arc::default(),
            drop_asked: false,
            drop_told: false,
        }
    }

    /// Hands out the next `length` bytes of the body.
    pub(crate) fn hand_out(&mut self, length: usize) -> Bytes {
        let Some(reply) = &self.reply else { return Bytes::new() };
        let end = (self.handed_out + length).min(reply.body.len());
        let bytes = reply.body.slice(self.handed_out..end);
        self.handed_out = end;
        if bytes.is_empty() {
            return bytes;
        }
        self.held.fetch_add(bytes.len(), Ordering::Relaxed);
        Bytes::from_owner(Tracked { bytes, held: Arc::clone(&self.held) })
    }

    pub(crate) fn bytes_held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The file that this exchange has given, where it has given a whole one.
    pub(crate) fn file(&self) -> Option<Bytes> {
        let reply = self.reply.as_ref()?;
        if !reply.head_told || reply.is_bad {
            return None;
        }
        if reply.status == StatusCode::PARTIAL_CONTENT {
            return (reply.offset + self.told >= reply.whole.len()).then(|| reply.whole.clone());
        }
        if reply.status != StatusCode::OK {
            return None;
        }
        match reply.announced {
            Some(length) if self.told >= length => Some(reply.body.slice(..length)),
            None if self.told_last => Some(reply.body.slice(..self.told)),
            Some(_) | None => None,
        }
    }

    pub(crate) fn origin(&self) -> String {
        origin(&self.uri)
    }
}

pub(crate) fn origin(uri: &Uri) -> String {
    format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |authority| authority.as_str()))
}

/// What stands behind a URL, in its versions.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Number, length and kind of validator of each version there ever was.
    versions: Vec<(u64, usize, u8)>,
    current: usize,
}

impl Resource {
    pub(crate) fn new(number: u64, length: usize, kind: u8) -> Self {
        Self { versions: vec![(number, length, kind)], current: 0 }
    }

    /// Another version takes its place: a new one, or one that there was before.
    pub(crate) fn change(&mut self, choices: &mut Choices<'_>, number: u64) {
        if choices.happens(100) {
            self.current = choices.index(self.versions.len());
        } else {
            // Often as long as before, so that a length tells nothing.
            let (_, before, kind) = self.versions[self.current];
            let length = if choices.happens(128) { before } else { choices.one_of(LENGTHS) };
            let kind = if choices.happens(200) { kind } else { choices.byte() };
            self.versions.push((number, length, kind));
            self.current = self.versions.len() - 1;
        }
    }

    /// The bytes of the version that is there now.
    pub(crate) fn bytes(&self) -> Bytes {
        let (number, length, _) = self.versions[self.current];
        content(number, length)
    }

    fn reply(&self) -> ServedReply {
        let (number, length, kind) = self.versions[self.current];
        let mut reply = ServedReply::proper(number, length);
        let day = format!("{:02} Jan {} 00:00:00 GMT", 1 + number % 28, 1990 + number / 28);
        match kind % 8 {
            0..=3 => reply.etag = Some(format!("\"v{number}\"")),
            4 => reply.etag = Some(format!("W/\"v{number}\"")),
            5 => reply.last_modified = Some(format!("Thu, {day}")),
            6 => {
                reply.etag = Some(format!("\"v{number}\""));
                reply.last_modified = Some(format!("Thu, {day}"));
            }
            _ => {}
        }
        reply
    }

    /// A proper reply: the part that was asked for, if its validator is still the one.
    pub(crate) fn proper(&self, exchange: &Exchange) -> ServedReply {
        let mut reply = self.reply();
        let same = match &exchange.if_range {
            Some(validator) => [&reply.etag, &reply.last_modified].into_iter().flatten().any(|own| own == validator),
            None => true,
        };
        if let Some(from) = exchange.range.filter(|_| same) {
            reply.cut_to(from);
        }
        reply
    }

    /// Any reply, as often as not a proper one.
    /// `is_tame`: seldom anything but a file, whole or in part, as it should be or not.
    pub(crate) fn any(&self, choices: &mut Choices<'_>, exchange: &Exchange, is_tame: bool) -> ServedReply {
        let length = self.versions[self.current].1;
        let mut reply = self.proper(exchange);
        match choices.byte() {
            0..=31 => reply.repr_digest = Some(sha256(&reply.whole)),
            32..=35 => reply.repr_digest = Some(sha256(b"another file")),
            36..=255 => {}
        }
        let what = if is_tame && choices.happens(220) { choices.byte() % 155 } else { choices.byte() };
        match what {
            0..=129 => {}
            // To a question for a part.
            130..=149 => match (choices.index(8), exchange.range) {
                (_, None) => {}
                (0, _) => reply = self.reply(),
                (1, Some(from)) => reply.cut_to(from.saturating_sub(1)),
                (2, Some(from)) => reply.cut_to(from + 1),
                (3, Some(from)) => {
                    reply.cut_to(from);
                    reply.content_range = None;
                }
                (4, Some(from)) => {
                    reply.cut_to(from);
                    (reply.etag, reply.last_modified) = (None, None);
                }
                (5, Some(from)) => {
                    reply.cut_to(from);
                    reply.content_range = Some(format!("bytes {from}-{}/*", length.max(from + 1) - 1));
                }
                (6, Some(from)) if from + 1 < length => {
                    reply.cut_to(from);
                    let end = from + 1 + choices.index(length - from - 1);
                    reply.body = reply.whole.slice(from..end);
                    reply.announced = Some(end - from);
                    reply.content_range = Some(format!("bytes {from}-{}/{length}", end - 1));
                }
                _ => reply.status = StatusCode::RANGE_NOT_SATISFIABLE,
            },
            150..=169 => reply.announced = None,
            170..=184 => {
                reply.announced = None;
                reply.has_end = false;
            }
            185..=194 => {
                let more = vec![b'!'; 1 + choices.index(40)];
                reply.body = [&reply.body[..], &more].concat().into();
            }
            195..=199 => reply.coding = Some("gzip"),
            200..=219 => {
                let status = choices.one_of(&[404, 503, 500, 429, 204, 206, 304, 408, 410, 403, 599]);
                reply.status = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
                reply.content_range = None;
                reply.retry_after = choices.happens(128).then(|| choices.one_of(&[0, 1, 10, 100_000]));
            }
            220..=244 => reply.redirect(choices, exchange.admission, &exchange.uri),
            245..=255 => reply.is_bad = true,
        }
        reply
    }
}

/// The digest of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithms::NONE.with(Algorithm::Sha256));
    hasher.update(bytes);
    hasher.digests().get(Algorithm::Sha256).copied().expect("the digest that was asked for")
}

/// The digest as RFC 9530 sends it.
fn digest_field(digest: &Digest) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest.as_bytes()))
}

/// Lengths that files have.
pub(crate) const LENGTHS: &[usize] = &[10, 0, 1, 33, 64, 100];
/// Lengths of files that do not come in one piece.
pub(crate) const LONG: &[usize] = &[100, 200, 150, 64];

impl ServedReply {
    /// A proper reply with a body of the given version.
    fn proper(version: u64, length: usize) -> Self {
        Self {
            status: StatusCode::OK,
            body: content(version, length),
            whole: content(version, length),
            offset: 0,
            etag: None,
            last_modified: None,
            content_range: None,
            repr_digest: None,
            retry_after: None,
            announced: Some(length),
            has_end: true,
            coding: None,
            is_bad: false,
            location: None,
            head_told: false,
        }
    }

    /// Only the part from there on.
    fn cut_to(&mut self, from: usize) {
        let length = self.whole.len();
        if from >= length {
            self.status = StatusCode::RANGE_NOT_SATISFIABLE;
            self.content_range = Some(format!("bytes */{length}"));
            return;
        }
        self.status = StatusCode::PARTIAL_CONTENT;
        self.offset = from;
        self.body = self.whole.slice(from..);
        self.announced = Some(length - from);
        self.content_range = Some(format!("bytes {from}-{}/{length}", length - 1));
    }

    /// The length of the file, as far as the head tells it.
    pub(crate) fn total(&self) -> Option<u64> {
        if self.status == StatusCode::PARTIAL_CONTENT {
            return Some(self.whole.len() as u64);
        }
        self.announced.map(|length| length as u64)
    }

    /// Where in the file the body ends, as far as the head tells it.
    pub(crate) fn end(&self) -> Option<u64> {
        if let Some(range) = self.content_range.as_ref().filter(|_| self.status == StatusCode::PARTIAL_CONTENT) {
            let last = range.split(['-', '/']).nth(1).and_then(|last| last.parse::<u64>().ok());
            return last.map(|last| last + 1);
        }
        self.announced.map(|length| length as u64)
    }

    fn redirect(&mut self, choices: &mut Choices<'_>, admission: usize, uri: &Uri) {
        self.status = choices.one_of(&[
            StatusCode::FOUND,
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::SEE_OTHER,
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ]);
        let scheme = uri.scheme_str().unwrap_or("http");
        self.location = match choices.index(8) {
            0 => Some(format!("/{admission}/moved")),
            1 => Some(format!("http://h{}.example/{admission}/moved", choices.index(3))),
            2 => Some(format!("https://h{}.example/{admission}/moved", choices.index(3))),
            3 => Some("ftp://h0.example/x".to_owned()),
            4 => Some("http://[".to_owned()),
            5 => None,
            _ => Some(format!("{scheme}://h{}.example/{admission}/moved", choices.index(3))),
        };
    }

    pub(crate) fn head(&self) -> Head {
        let mut headers = HeaderMap::new();
        match self.announced {
            Some(length) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            None if self.has_end => {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            None => {}
        }
        headers.insert(DATE, HeaderValue::from_static("Thu, 01 Jan 2099 00:00:00 GMT"));
        let texts = [
            (ETAG, &self.etag),
            (LAST_MODIFIED, &self.last_modified),
            (CONTENT_RANGE, &self.content_range),
            (HeaderName::from_static("repr-digest"), &self.repr_digest.map(|digest| digest_field(&digest))),
            (RETRY_AFTER, &self.retry_after.map(|seconds| seconds.to_string())),
        ];
        for (name, text) in texts {
            if let Some(value) = text.as_ref().and_then(|text| HeaderValue::from_str(text).ok()) {
                headers.insert(name, value);
            }
        }
        if let Some(coding) = self.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if let Some(location) = self.location.as_ref().and_then(|location| HeaderValue::from_str(location).ok()) {
            headers.insert(LOCATION, location);
        }
        if self.is_bad {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len() as u64));
            headers.append(CONTENT_LENGTH, HeaderValue::from(self.body.len() as u64 + 1));
        }
        Head { version: Version::HTTP_11, status: self.status, headers }
    }
}
