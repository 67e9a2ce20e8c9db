//! A connection as the transport holds it: polled inline, without a task of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;
use dlmanager_core::FetchRequest;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, Version};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Connection, SendRequest};

use crate::wire::{Gauge, Wire};

type WireRequest = Request<Empty<Bytes>>;

/// The head of a reply on its way, or why there will be none. Its only producer is [`Link::drive`].
pub(crate) type Responding =
    Pin<Box<dyn Future<Output = Result<Response<Incoming>, TrySendError<WireRequest>>> + Send>>;

/// A connection to an origin.
#[derive(Debug)]
pub(crate) struct Link {
    sender: SendRequest<Empty<Bytes>>,
    /// Gone once it has ended.
    connection: Option<Connection<Wire, Empty<Bytes>>>,
    gauge: Arc<Gauge>,
    requests: u64,
}

impl Link {
    pub(crate) fn new(
        sender: SendRequest<Empty<Bytes>>,
        connection: Connection<Wire, Empty<Bytes>>,
        gauge: Arc<Gauge>,
    ) -> Self {
        Self { sender, connection: Some(connection), gauge, requests: 0 }
    }

    /// Hands a request to the connection, which sends it when it is next driven.
    pub(crate) fn send(&mut self, request: &FetchRequest) -> Responding {
        self.requests += 1;
        self.gauge.request_sent();
        Box::pin(self.sender.try_send_request(on_the_wire(request)))
    }

    /// Does all that the connection can do now: sends, receives a head or the next frame, notices its end.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            // Dropped at once, so that a body that it still feeds ends with an error. What it ended with is told to the
            // exchange that it had, and where it had none nobody needs to know.
            self.connection = None;
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.connection.is_none()
    }

    /// Whether it can take another request: its last exchange is over on both sides, and both want to keep it.
    pub(crate) fn is_reusable(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Whether the last request was not its first.
    pub(crate) fn was_reused(&self) -> bool {
        self.requests > 1
    }

    pub(crate) fn gauge(&self) -> &Gauge {
        &self.gauge
    }
}

/// The request with its target in origin-form (RFC 9112 section 3.2.1), its header fields as they are.
fn on_the_wire(request: &FetchRequest) -> WireRequest {
    let mut sent = Request::new(Empty::new());
    *sent.method_mut() = request.method().clone();
    let target = request.uri().path_and_query().cloned();
    *sent.uri_mut() = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    // hyper panics at a version that HTTP/1 does not have.
    *sent.version_mut() = Version::HTTP_11;
    sent.headers_mut().clone_from(request.headers());
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_in_origin_form() {
        for (uri, target) in [
            ("http://example.org/a/b.bin?x=1", "/a/b.bin?x=1"),
            ("http://example.org", "/"),
            ("http://example.org?x", "/?x"),
            ("http://user@example.org:8080/", "/"),
        ] {
            let request = Request::get(uri).header("host", "given.example").version(Version::HTTP_3).body(()).unwrap();
            let sent = on_the_wire(&request);
            assert_eq!(sent.uri().to_string(), target);
            assert_eq!(sent.headers(), request.headers());
            assert_eq!(sent.version(), Version::HTTP_11);
        }
    }
}
