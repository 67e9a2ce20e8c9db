//! What the origin answers to one request, and what goes wrong on the way.

use std::time::{Duration, SystemTime};

use crate::body::Body;
use crate::digest::DigestAlgorithm;
use crate::gate::Gate;
use crate::link::Link;
use crate::range::Ranges;

/// The answer to one request. Made by one of the constructors, bent by the methods, cloned at will.
///
/// Headers go out in the order: framing (`Content-Length` or `Transfer-Encoding`), `Connection` where the reply ends
/// the connection by announcement, those of [`Reply::ranges`], `ETag`, digests, then all that was given, in its order.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) head: Head,
    pub(crate) body: Body,
    pub(crate) framing: Framing,
    pub(crate) extra: Vec<u8>,
    pub(crate) endless_headers: bool,
    pub(crate) keep_alive: Option<bool>,
    pub(crate) etag: Option<String>,
    pub(crate) ranges: Option<Ranges>,
    pub(crate) to_range: Option<Box<Self>>,
    pub(crate) to_if_range: Option<Box<Self>>,
    pub(crate) repr_digests: Vec<DigestAlgorithm>,
    pub(crate) content_digests: Vec<DigestAlgorithm>,
    pub(crate) pace: Option<Pace>,
    pub(crate) link: Option<Link>,
    pub(crate) acts: Vec<(At, Act)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Head {
    /// No head at all: the body is what the client reads first.
    Missing,
    Status {
        code: u16,
        version: &'static str,
        interim: Vec<u8>,
        lines: Vec<Vec<u8>>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// The true `Content-Length`.
    Length,
    /// Nothing but what the reply's own headers say.
    ByHand,
    /// Sizes of the chunks, the last one again and again. Never empty, never with a 0.
    Chunked(Vec<usize>),
    /// The end of the connection.
    Close,
}

/// How fast a body goes: a piece, then a break.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) piece_bytes: usize,
    pub(crate) every: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Pause(Duration),
    Stall,
    Gate(Gate),
    Cut(Cut),
}

/// A place in a reply. Places are ordered as they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// Before the first byte.
    Start,
    /// After that many bytes of the head, interim replies (1xx) included.
    Head(usize),
    /// After that many bytes of the body that this reply carries, framing not counted. In a chunked body a place within
    /// a chunk lies behind the announcement of the whole chunk, and the place at the body's end before the last chunk.
    Body(u64),
    /// After the last byte of the framing and of what was appended to it.
    End,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// In order: what was sent arrives, then the end, which TLS announces by a close_notify.
    Fin,
    /// As [`Cut::Fin`], but over TLS without the close_notify that says that nothing is missing (RFC 8446 section 6.1):
    /// how it looks when somebody on the way ends the connection.
    BareFin,
    /// By a reset, which may overtake bytes that the client has not yet read.
    Reset,
}

/// Constructors.
impl Reply {
    /// Status 200 with this body and its true `Content-Length`.
    #[must_use]
    pub fn body(body: impl Into<Body>) -> Self {
        Self {
            head: Head::Status { code: 200, version: "HTTP/1.1", interim: Vec::new(), lines: Vec::new() },
            body: body.into(),
            framing: Framing::Length,
            extra: Vec::new(),
            endless_headers: false,
            keep_alive: None,
            etag: None,
            ranges: None,
            to_range: None,
            to_if_range: None,
            repr_digests: Vec::new(),
            content_digests: Vec::new(),
            pace: None,
            link: None,
            acts: Vec::new(),
        }
    }

    /// This status and no body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self::body("").status(status)
    }

    /// A redirect. The location goes out as it is: absolute, relative, to another [`Origin`](crate::Origin) or to itself.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::empty(status).header("Location", location)
    }

    /// These bytes instead of HTTP; then the connection ends, unless [`Reply::keep_alive`] says otherwise. Their places
    /// are [`At::Body`].
    #[must_use]
    pub fn raw(bytes: impl Into<Body>) -> Self {
        Self { head: Head::Missing, framing: Framing::Close, ..Self::body(bytes) }
    }

    /// The connection ends without a reply.
    #[must_use]
    pub fn close() -> Self {
        Self::raw("")
    }

    /// The connection is reset without a reply.
    #[must_use]
    pub fn reset() -> Self {
        Self::raw("").cut_at(At::Start, Cut::Reset)
    }
}

/// The head.
impl Reply {
    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        if let Head::Status { code, .. } = &mut self.head {
            *code = status;
        }
        self
    }

    /// `HTTP/1.0` in the status line; the connection ends with the reply, unless [`Reply::keep_alive`] says otherwise.
    #[must_use]
    pub fn http_1_0(mut self) -> Self {
        if let Head::Status { version, .. } = &mut self.head {
            *version = "HTTP/1.0";
        }
        self.keep_alive.get_or_insert(false);
        self
    }

    /// One more header. Given twice, it is sent twice.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.line(format!("{name}: {value}"))
    }

    /// One more line of the head, whatever it holds; the line's end is added.
    #[must_use]
    pub fn line(mut self, line: impl Into<Vec<u8>>) -> Self {
        if let Head::Status { lines, .. } = &mut self.head {
            lines.push(line.into());
        }
        self
    }

    /// Leaves out all headers of that name that were given so far, an [`Reply::etag`] as well.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Head::Status { lines, .. } = &mut self.head {
            lines.retain(|line| field(line).is_none_or(|(given, _)| !given.eq_ignore_ascii_case(name)));
        }
        if name.eq_ignore_ascii_case("ETag") {
            self.etag = None;
        }
        self
    }

    /// An `ETag`, quotes included: `"v1"`, or `W/"v1"`. It replaces an earlier one.
    #[must_use]
    pub fn etag(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self
    }

    /// A `Last-Modified`. It replaces an earlier one.
    #[must_use]
    pub fn last_modified(self, time: SystemTime) -> Self {
        self.without("Last-Modified").header("Last-Modified", &http_date(time))
    }

    /// A `Date`, when the reply is said to have been made: there is none unless given. It replaces an earlier one. One in
    /// the same second as `Last-Modified` makes that one weak (RFC 9110 section 8.8.2.2).
    #[must_use]
    pub fn date(self, time: SystemTime) -> Self {
        self.without("Date").header("Date", &http_date(time))
    }

    /// The `Repr-Digest` of the whole body, whatever part of it is sent (RFC 9530 section 3).
    #[must_use]
    pub fn repr_digest(mut self, algorithm: DigestAlgorithm) -> Self {
        self.repr_digests.push(algorithm);
        self
    }

    /// The `Content-Digest` of that part of the body which is sent (RFC 9530 section 2).
    #[must_use]
    pub fn content_digest(mut self, algorithm: DigestAlgorithm) -> Self {
        self.content_digests.push(algorithm);
        self
    }

    /// That many more headers, `X-Padding-0` and so on, each with a value of so many bytes.
    #[must_use]
    pub fn padding(self, count: usize, value_bytes: usize) -> Self {
        let value = "x".repeat(value_bytes);
        (0..count).fold(self, |reply, number| reply.header(&format!("X-Padding-{number}"), &value))
    }

    /// An interim reply (100, 103) that is sent first. May be repeated.
    #[must_use]
    pub fn interim(mut self, status: u16, headers: &[(&str, &str)]) -> Self {
        if let Head::Status { interim, .. } = &mut self.head {
            interim.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", reason(status)).as_bytes());
            for (name, value) in headers {
                interim.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            interim.extend_from_slice(b"\r\n");
        }
        self
    }

    /// The head never ends: headers are sent until the client leaves or the origin stops.
    #[must_use]
    pub fn endless_headers(mut self) -> Self {
        self.endless_headers = true;
        self
    }
}

/// The framing.
impl Reply {
    /// States this `Content-Length` whatever the body's length is; given twice, two headers are sent. The connection
    /// ends with the reply, unless [`Reply::keep_alive`] says otherwise.
    #[must_use]
    pub fn content_length(self, length: u64) -> Self {
        self.framed_by_hand().header("Content-Length", &length.to_string())
    }

    /// The origin adds no framing: the reply's own headers and lines have to say it. The connection ends with the
    /// reply, unless [`Reply::keep_alive`] says otherwise.
    #[must_use]
    pub fn framed_by_hand(mut self) -> Self {
        self.framing = Framing::ByHand;
        self
    }

    /// In chunks of these sizes, the last size again and again; sizes of 0 are left out, and without any size a chunk
    /// has 64 KiB.
    #[must_use]
    pub fn chunked(mut self, sizes: &[usize]) -> Self {
        let mut sizes: Vec<usize> = sizes.iter().copied().filter(|&size| size > 0).collect();
        if sizes.is_empty() {
            sizes.push(64 * 1024);
        }
        self.framing = Framing::Chunked(sizes);
        self
    }

    /// Without a length: the end of the connection ends the body.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::Close;
        self
    }

    /// Bytes after the end of the body, which no length covers.
    #[must_use]
    pub fn extra(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.extra = bytes.into();
        self
    }

    /// Announces `Connection: close`, and does so after the reply.
    #[must_use]
    pub fn close_after(mut self) -> Self {
        self.keep_alive = Some(false);
        self
    }

    /// Keeps the connection open after the reply where the framing would end it.
    #[must_use]
    pub fn keep_alive(mut self) -> Self {
        self.keep_alive = Some(true);
        self
    }
}

/// The timing, and the end. Faults at one place happen in the order in which they were given.
impl Reply {
    /// Waits before the first byte.
    #[must_use]
    pub fn delay(self, pause: Duration) -> Self {
        self.pause_at(At::Start, pause)
    }

    /// Sends nothing for a time.
    #[must_use]
    pub fn pause_at(self, at: At, pause: Duration) -> Self {
        self.act(at, Act::Pause(pause))
    }

    /// Sends nothing any more, until the client leaves or the origin stops.
    #[must_use]
    pub fn stall_at(self, at: At) -> Self {
        self.act(at, Act::Stall)
    }

    /// Sends nothing until the gate is open.
    #[must_use]
    pub fn gate_at(self, at: At, gate: &Gate) -> Self {
        self.act(at, Act::Gate(gate.clone()))
    }

    /// Ends the connection.
    #[must_use]
    pub fn cut_at(self, at: At, cut: Cut) -> Self {
        self.act(at, Act::Cut(cut))
    }

    /// Sends the body at no more than that many bytes a second, in some 50 pieces a second or one byte at a time.
    /// A rate of 0 is one byte a second.
    #[must_use]
    pub fn rate(self, bytes_per_second: u64) -> Self {
        let rate = bytes_per_second.max(1);
        let piece = (rate / 50).clamp(1, 1 << 20);
        self.drip(usize::try_from(piece).unwrap_or(1), Duration::from_secs_f64(piece as f64 / rate as f64))
    }

    /// Sends the body in pieces of that many bytes (at least 1), one each interval.
    #[must_use]
    pub fn drip(mut self, piece_bytes: usize, every: Duration) -> Self {
        self.pace = Some(Pace { piece_bytes: piece_bytes.max(1), every });
        self
    }

    /// Sends the body over a [`Link`], at no more than what others leave of its rate.
    #[must_use]
    pub fn over(mut self, link: &Link) -> Self {
        self.link = Some(link.clone());
        self
    }

    fn act(mut self, at: At, act: Act) -> Self {
        self.acts.push((at, act));
        self
    }
}

impl Reply {
    /// The value of the last header of that name that was given.
    pub(crate) fn given_header(&self, name: &str) -> Option<&str> {
        let Head::Status { lines, .. } = &self.head else { return None };
        let mut fields = lines.iter().rev().filter_map(|line| field(line));
        fields.find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Name and value of a line that has both.
fn field(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim()))
}

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`, for `Retry-After`, `Expires` and the like. What is less
/// than a second is dropped.
#[must_use]
pub fn http_date(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}

/// The phrase that goes with a status. Clients ignore it (RFC 9112 section 4), readers of a trace do not.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        416 => "Range Not Satisfiable",
        425 => "Too Early",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
