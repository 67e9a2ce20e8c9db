//! What the origin has seen.

use std::error::Error;
use std::fmt;

/// All that has arrived, in its order.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The requests, in the order in which their replies began: the place is the request's ordinal.
    pub requests: Vec<Request>,
    /// The connections.
    pub connections: Connections,
    /// The TLS handshakes that have ended, well or not, in that order; none without TLS.
    pub handshakes: Vec<Handshake>,
}

impl Records {
    /// The requests for that path, with or without a query.
    pub fn requests_to<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Request> {
        self.requests.iter().filter(move |request| request.path() == path)
    }
}

/// How a TLS handshake ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The connection, from 0, in the order in which they were accepted.
    pub connection: usize,
    /// What was agreed on, or what went wrong, the client's alert for one.
    pub result: Result<Agreed, String>,
}

/// What a TLS handshake has agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// `TLSv1_2` or `TLSv1_3`.
    pub version: String,
    /// The name that the client asked for (SNI); `None` where it asked for an address.
    pub server_name: Option<String>,
    /// The protocol chosen by ALPN.
    pub protocol: Option<String>,
    /// How many certificates the client has shown.
    pub client_certificates: usize,
    /// Whether an earlier session was taken up again.
    pub resumed: bool,
}

/// How many connections there were and are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// All that were accepted.
    pub total: usize,
    /// Those that neither side has closed.
    pub open: usize,
    /// The most that were open at once. A connection that its client has closed before it opened another one does not
    /// count beside it (on Windows it may).
    pub peak: usize,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its place among all requests, from 0.
    pub ordinal: usize,
    /// The connection that it came on, from 0, in the order in which they were accepted.
    pub connection: usize,
    /// `GET`.
    pub method: String,
    /// What stands in the request line: `/a.bin?x=1`.
    pub target: String,
    /// Names as they came and values without the blanks around them, in their order; bytes that are not UTF-8 replaced.
    pub headers: Vec<(String, String)>,
    /// What became of the reply, once it has ended.
    pub sent: Option<Sent>,
}

impl Request {
    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The value of the first header of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What became of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of the body that were handed to the socket, framing not counted.
    pub body_bytes: u64,
    /// How the reply ended.
    pub ended: Ended,
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All of it was sent.
    Whole,
    /// It was cut, as it was told.
    Cut,
    /// The client left.
    ClientLeft,
    /// The origin was stopped.
    Stopped,
}

/// [`Origin::wait_for`](crate::Origin::wait_for) waited in vain; holds all that was seen until then.
#[derive(Clone, Debug)]
pub struct TimedOut(pub Records);

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Connections { total, open, peak } = self.0.connections;
        write!(f, "the deadline passed with {total} connections ({open} open, {peak} at once) and ")?;
        write!(f, "{} requests", self.0.requests.len())?;
        for request in self.0.requests.iter().rev().take(10).rev() {
            let Request { ordinal, connection, method, target, sent, .. } = request;
            write!(f, "\n  {ordinal}: {method} {target} on connection {connection}, ")?;
            match sent {
                Some(sent) => write!(f, "{:?} after {} bytes of its body", sent.ended, sent.body_bytes)?,
                None => write!(f, "not yet answered")?,
            }
        }
        Ok(())
    }
}

impl Error for TimedOut {}
