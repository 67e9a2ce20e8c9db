//! The servers of a random run: what each request is answered with, and what was delivered of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{Head, Instant};
use dlmanager_scripted::content;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, Version};

use crate::choices::Choices;

/// One exchange, as the world sees it.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Which admission asked for it.
    pub(crate) admission: usize,
    pub(crate) uri: Uri,
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
        if reply.status != StatusCode::OK || !reply.head_told || reply.is_bad {
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

impl ServedReply {
    /// A proper reply with a body of the given version.
    pub(crate) fn proper(version: u64, length: usize) -> Self {
        Self {
            status: StatusCode::OK,
            body: content(version, length),
            announced: Some(length),
            has_end: true,
            coding: None,
            is_bad: false,
            location: None,
            head_told: false,
        }
    }

    /// Any reply to a request for `uri` of the given admission.
    pub(crate) fn any(choices: &mut Choices<'_>, version: u64, admission: usize, uri: &Uri) -> Self {
        let length = choices.one_of(&[10, 0, 1, 33, 64, 100]);
        let mut reply = Self::proper(version, length);
        match choices.byte() {
            0..=149 => {}
            150..=169 => reply.announced = None,
            170..=184 => {
                reply.announced = None;
                reply.has_end = false;
            }
            185..=194 => reply.body = content(version, length + 1 + choices.index(40)),
            195..=199 => reply.coding = Some("gzip"),
            200..=219 => {
                let status = choices.one_of(&[404, 503, 500, 429, 204, 206, 304, 408, 410, 403, 599]);
                reply.status = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
            }
            220..=244 => reply.redirect(choices, admission, uri),
            245..=255 => reply.is_bad = true,
        }
        reply
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
