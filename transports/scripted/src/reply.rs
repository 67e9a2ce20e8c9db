//! What a server does with one request.

use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{Chunk, Fault, FaultKind, Head, Instant};
use http::header::{CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

/// What a server does with one request: when it lets itself be connected, what head it sends and when, how its body
/// comes and how it ends.
///
/// A constructor names the kind of reply, the methods change it:
///
/// ```
/// use std::time::Duration;
/// use dlmanager_scripted::{Reply, content};
///
/// // 64 KiB each 100 ms, and silence from byte 300,000 on.
/// let reply = Reply::ok(content(1, 1_000_000)).pieces(64 * 1024, Duration::from_millis(100)).stall_at(300_000);
/// # let _ = reply;
/// ```
#[derive(Debug, Clone)]
pub struct Reply {
    connect_after: Duration,
    connect: Step,
    head_after: Duration,
    head: Step,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    piece_bytes: usize,
    piece_every: Duration,
    end_at: usize,
    end: Step,
    drop_after: Duration,
}

/// How a part of a reply goes.
#[derive(Debug, Clone)]
enum Step {
    Well,
    Never,
    Fault(Fault),
}

/// When something comes, or `None` where it never does.
pub(crate) type Due<T> = Option<(Instant, Result<T, Fault>)>;

impl Reply {
    /// `200 OK` with this body, its length announced.
    pub fn ok(body: Bytes) -> Self {
        Self::status(StatusCode::OK).body(body)
    }

    /// A reply with this status and an empty body.
    pub fn status(status: StatusCode) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(0))]);
        Self {
            connect_after: Duration::ZERO,
            connect: Step::Well,
            head_after: Duration::ZERO,
            head: Step::Well,
            status,
            headers,
            body: Bytes::new(),
            piece_bytes: usize::MAX,
            piece_every: Duration::ZERO,
            end_at: 0,
            end: Step::Well,
            drop_after: Duration::ZERO,
        }
    }

    /// `302 Found`, leading to `location`: an absolute or a relative URL.
    ///
    /// # Panics
    ///
    /// Where `location` cannot be the value of a header field.
    pub fn redirect(location: &str) -> Self {
        Self::status(StatusCode::FOUND).header(LOCATION, location)
    }

    /// The connection is refused.
    pub fn refuse() -> Self {
        Self::no_connection(FaultKind::Connect)
    }

    /// The host name does not resolve.
    pub fn unresolved() -> Self {
        Self::no_connection(FaultKind::Resolve)
    }

    /// No connection is made, for this reason.
    pub fn no_connection(fault: impl Into<Fault>) -> Self {
        Self { connect: Step::Fault(fault.into()), ..Self::status(StatusCode::OK) }
    }

    /// The connection is never made and never refused.
    pub fn never_connects() -> Self {
        Self { connect: Step::Never, ..Self::status(StatusCode::OK) }
    }

    /// The connection is made, and no head ever comes.
    pub fn silent() -> Self {
        Self { head: Step::Never, ..Self::status(StatusCode::OK) }
    }

    /// The connection is made, and what comes is not HTTP.
    pub fn garbage() -> Self {
        Self::no_head(FaultKind::Protocol)
    }

    /// The connection is made, and instead of a head comes this fault.
    pub fn no_head(fault: impl Into<Fault>) -> Self {
        Self { head: Step::Fault(fault.into()), ..Self::status(StatusCode::OK) }
    }

    /// The connection is made, or refused, after this time.
    #[must_use]
    pub fn connect_after(mut self, delay: Duration) -> Self {
        self.connect_after = delay;
        self
    }

    /// The head, or the fault in its place, comes this long after the connection.
    #[must_use]
    pub fn head_after(mut self, delay: Duration) -> Self {
        self.head_after = delay;
        self
    }

    /// A header field, in place of all of that name.
    ///
    /// # Panics
    ///
    /// Where `value` cannot be the value of a header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.insert(name, header_value(value));
        self
    }

    /// One more header field of a name that may be there already.
    ///
    /// # Panics
    ///
    /// Where `value` cannot be the value of a header field.
    #[must_use]
    pub fn also_header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.append(name, header_value(value));
        self
    }

    /// The body, sent whole and announced with its length.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.end_at = body.len();
        let length = body.len() as u64;
        self.body = body;
        self.announce(length)
    }

    /// Announces a length, be it true or not.
    #[must_use]
    pub fn announce(mut self, length: u64) -> Self {
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        self
    }

    /// The length is not announced, and the end of the body is: `Transfer-Encoding: chunked`.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.headers.remove(CONTENT_LENGTH);
        self.header(TRANSFER_ENCODING, "chunked")
    }

    /// Neither the length nor the end is announced: the body ends with the connection.
    #[must_use]
    pub fn close_delimited(mut self) -> Self {
        self.headers.remove(CONTENT_LENGTH);
        self
    }

    /// The body comes in pieces of this many bytes: the first with the head, each further one this long after the one
    /// before. Without this it is all there with the head.
    ///
    /// # Panics
    ///
    /// Where `bytes` is 0.
    #[must_use]
    pub fn pieces(mut self, bytes: usize, every: Duration) -> Self {
        assert!(bytes > 0, "a piece has at least one byte");
        self.piece_bytes = bytes;
        self.piece_every = every;
        self
    }

    /// Nothing more comes from this offset on.
    #[must_use]
    pub fn stall_at(self, offset: usize) -> Self {
        self.ends(offset, Step::Never)
    }

    /// The connection breaks at this offset.
    #[must_use]
    pub fn cut_at(self, offset: usize) -> Self {
        self.ends(offset, Step::Fault(FaultKind::Reset.into()))
    }

    /// The body ends at this offset as if that were all of it, whatever was announced.
    #[must_use]
    pub fn end_at(self, offset: usize) -> Self {
        self.ends(offset, Step::Well)
    }

    /// Ending the exchange takes this long.
    #[must_use]
    pub fn drop_after(mut self, delay: Duration) -> Self {
        self.drop_after = delay;
        self
    }

    fn ends(mut self, offset: usize, end: Step) -> Self {
        self.end_at = offset.min(self.body.len());
        self.end = end;
        self
    }

    pub(crate) const fn drop_delay(&self) -> Duration {
        self.drop_after
    }

    /// When the connection stands.
    pub(crate) fn connection(&self, start: Instant) -> Due<()> {
        due(start + self.connect_after, &self.connect, || ())
    }

    /// When the head comes.
    pub(crate) fn head(&self, start: Instant) -> Due<Head> {
        match self.connection(start)? {
            (at, Ok(())) => due(at + self.head_after, &self.head, || Head {
                version: Version::HTTP_11,
                status: self.status,
                headers: self.headers.clone(),
            }),
            (at, Err(fault)) => Some((at, Err(fault))),
        }
    }

    /// When the next piece of the body comes, of which `offset` bytes were taken and which is asked for at `now`.
    pub(crate) fn chunk(&self, head_at: Instant, now: Instant, offset: usize, bytes_max: usize) -> Due<Chunk> {
        if offset >= self.end_at {
            let at = now.max(self.piece_at(head_at, self.end_at.saturating_sub(1)));
            return due(at, &self.end, || Chunk { data: Bytes::new(), pinned: 0, last: true });
        }
        let at = now.max(self.piece_at(head_at, offset));
        let end = offset.saturating_add(bytes_max).min(self.ready_at(head_at, at));
        let data = self.body.slice(offset..end);
        // Only where the length is known does the end come together with the last byte.
        let is_whole = end == self.body.len() && self.headers.contains_key(CONTENT_LENGTH);
        let last = is_whole && end == self.end_at && matches!(self.end, Step::Well);
        Some((at, Ok(Chunk { pinned: data.len(), data, last })))
    }

    /// When the byte at `offset` comes.
    fn piece_at(&self, head_at: Instant, offset: usize) -> Instant {
        let pieces = u32::try_from(offset / self.piece_bytes).unwrap_or(u32::MAX);
        head_at + self.piece_every.saturating_mul(pieces)
    }

    /// Up to where the body is there at `now`.
    fn ready_at(&self, head_at: Instant, now: Instant) -> usize {
        let waits = now.since(head_at).as_nanos().checked_div(self.piece_every.as_nanos());
        let pieces = waits.map_or(usize::MAX, |waits| usize::try_from(waits).unwrap_or(usize::MAX).saturating_add(1));
        self.piece_bytes.saturating_mul(pieces).min(self.end_at)
    }
}

fn due<T>(at: Instant, step: &Step, value: impl FnOnce() -> T) -> Due<T> {
    match step {
        Step::Well => Some((at, Ok(value()))),
        Step::Never => None,
        Step::Fault(fault) => Some((at, Err(fault.clone()))),
    }
}

#[track_caller]
fn header_value(text: &str) -> HeaderValue {
    match HeaderValue::from_str(text) {
        Ok(value) => value,
        Err(_) => panic!("{text:?} cannot be the value of a header field"),
    }
}
