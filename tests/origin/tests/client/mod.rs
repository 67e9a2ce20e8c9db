//! A client that knows bytes and nothing else, so that nothing between the origin and the test mends a fault.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dlmanager_origin::{Body, Origin};

/// After this a test has failed. Far longer than anything takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn connect(origin: &Origin) -> Self {
        let stream = TcpStream::connect(origin.addr()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(stream)
    }

    /// Connects and asks.
    pub(crate) fn get(origin: &Origin, path: &str) -> Self {
        let mut client = Self::connect(origin);
        client.ask(path);
        client
    }

    pub(crate) fn ask(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Reads to the end of a head.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.exactly(1));
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub(crate) fn text(&mut self, count: usize) -> String {
        String::from_utf8(self.exactly(count)).unwrap()
    }

    /// All bytes until the end of the connection, or the error that came instead.
    pub(crate) fn until_end(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut bytes = Vec::new();
        let end = self.0.read_to_end(&mut bytes);
        (bytes, end.map(|_| ()))
    }

    /// All bytes until the connection ends in order.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let (bytes, end) = self.until_end();
        end.unwrap();
        bytes
    }

    pub(crate) fn rest_text(&mut self) -> String {
        String::from_utf8(self.rest()).unwrap()
    }
}

/// All bytes that a request for this path brings.
pub(crate) fn fetch(origin: &Origin, path: &str) -> String {
    Client::get(origin, path).rest_text()
}

/// Some bytes to serve, and the same as a vector.
pub(crate) fn sample(length: u64) -> (Body, Vec<u8>) {
    let body = Body::pattern(11, length);
    let bytes = body.to_vec();
    (body, bytes)
}
