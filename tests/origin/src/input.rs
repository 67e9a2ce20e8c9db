//! Reading requests, as far as an origin for tests has to understand them.

use std::io;

use crate::connection::Connection;
use crate::origin::Shared;

#[derive(Debug)]
pub(crate) enum Incoming {
    Request(Parsed),
    /// Not HTTP/1.x, too long, or too much at once. Nothing after it is read.
    Malformed,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Whether the client lets the connection live on.
    pub(crate) keep_alive: bool,
    body_bytes: u64,
}

/// Reads until the client closes or the connection is shut down, also when nobody wants to know any more: so a close
/// of ours never finds unread bytes, which would turn it into a reset.
pub(crate) fn read_requests(connection: &Connection, shared: &Shared) {
    const HEAD_BYTES_MAX: usize = 64 * 1024;
    let mut buffer = Vec::new();
    let mut body_left = 0;
    let mut refused = false;
    let mut shaking_hands = connection.wire.is_tls();
    let mut open = true;
    while open {
        let read = connection.wire.read(&mut buffer);
        if shaking_hands {
            let result = match (connection.wire.agreed(), &read) {
                (Some(agreed), _) => Some(Ok(agreed)),
                (None, Ok(true)) => None,
                (None, Ok(false)) => Some(Err("the client left".to_owned())),
                (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => None,
                (None, Err(error)) => Some(Err(error.to_string())),
            };
            shaking_hands = result.is_none();
            if let Some(result) = result {
                shared.shook_hands(connection.number, result);
            }
        }
        open = match read {
            Ok(open) => open,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(_) => return,
        };
        if refused {
            buffer.clear();
        }
        while !refused {
            let skipped = usize::try_from(body_left).map_or(buffer.len(), |left: usize| left.min(buffer.len()));
            buffer.drain(..skipped);
            body_left -= skipped as u64;
            // Empty lines before a request are to be ignored (RFC 9112 section 2.2).
            while body_left == 0 && buffer.starts_with(b"\r\n") {
                buffer.drain(..2);
            }
            if body_left > 0 || buffer.is_empty() {
                break;
            }
            let incoming = match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => {
                    parse(&buffer.drain(..end + 4).as_slice()[..end]).map_or(Incoming::Malformed, Incoming::Request)
                }
                None if buffer.len() > HEAD_BYTES_MAX || !begins_like_a_method(&buffer) => Incoming::Malformed,
                None => break,
            };
            match &incoming {
                Incoming::Request(parsed) => body_left = parsed.body_bytes,
                Incoming::Malformed => refused = true,
            }
            refused |= !connection.push(incoming);
        }
    }
}

/// What begins otherwise never becomes a request, and whoever sent it, a TLS client for one, waits for an answer.
fn begins_like_a_method(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_graphic)
}

/// Takes a head without the empty line that ends it.
fn parse(head: &[u8]) -> Option<Parsed> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return None,
    };
    if words.next().is_some() || method.is_empty() || target.is_empty() {
        return None;
    }
    let mut parsed = Parsed {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        keep_alive: !old,
        body_bytes: 0,
    };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("connection") {
            let mut options = value.split(',').map(str::trim);
            if options.clone().any(|option| option.eq_ignore_ascii_case("close")) {
                parsed.keep_alive = false;
            } else if options.any(|option| option.eq_ignore_ascii_case("keep-alive")) {
                parsed.keep_alive = true;
            }
        } else if name.eq_ignore_ascii_case("content-length") {
            parsed.body_bytes = value.parse().ok()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
        parsed.headers.push((name.to_owned(), value.to_owned()));
    }
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_becomes_a_request() {
        let parsed = parse(b"POST /a?b HTTP/1.1\r\nHost: x\r\nX: \t1 \r\ncontent-length: 7").unwrap();
        assert_eq!((parsed.method.as_str(), parsed.target.as_str()), ("POST", "/a?b"));
        assert_eq!(parsed.headers[1], ("X".to_owned(), "1".to_owned()));
        assert_eq!((parsed.body_bytes, parsed.keep_alive), (7, true));
    }

    #[test]
    fn the_client_says_whether_the_connection_lives_on() {
        let keeps = |head: &str| parse(head.as_bytes()).unwrap().keep_alive;
        assert!(keeps("GET / HTTP/1.1"));
        assert!(!keeps("GET / HTTP/1.1\r\nConnection: Close"));
        assert!(!keeps("GET / HTTP/1.1\r\nConnection: te, close"));
        assert!(!keeps("GET / HTTP/1.0"));
        assert!(keeps("GET / HTTP/1.0\r\nConnection: keep-alive"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for head in [
            "",
            "GET /",
            "GET / HTTP/2",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 x",
            "GET / HTTP/1.1\r\nno colon",
            "GET / HTTP/1.1\r\nContent-Length: -1",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked",
        ] {
            assert_eq!(parse(head.as_bytes()), None, "{head:?}");
        }
    }
}
