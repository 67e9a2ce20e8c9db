//! Making connections.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use dlmanager_core::Fault;
use http::Uri;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use tower_service::Service;

use crate::Options;
use crate::fault;
use crate::link::Link;
use crate::origin::Origin;
use crate::wire::{Gauge, Wire};

/// How connections are made: resolver, socket options, and hyper's settings.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    http: HttpConnector<Resolver>,
    http1: http1::Builder,
}

/// A connection on its way.
pub(crate) type Connecting = Pin<Box<dyn Future<Output = Result<Box<Link>, Fault>> + Send>>;

impl Connector {
    pub(crate) fn new(options: &Options) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        http.set_nodelay(true);
        http.set_keepalive(Some(options.tcp_keepalive));
        http.set_happy_eyeballs_timeout(Some(options.happy_eyeballs_delay));
        let mut http1 = http1::Builder::new();
        http1
            .max_headers(options.header_count_max)
            .max_header_size(options.header_bytes_max)
            .max_buf_size(options.hyper_buffer_bytes());
        Self { http, http1 }
    }

    /// Connects to `origin`, which is that of `uri`. Nothing is done before the first poll.
    pub(crate) fn connect(&self, origin: &Origin, uri: Uri) -> Connecting {
        let Self { mut http, http1 } = self.clone();
        let place = origin.to_string();
        Box::pin(async move {
            let failed = |error: &(dyn Error + 'static)| fault::of_connect(&place, error);
            poll_fn(|cx| http.poll_ready(cx)).await.map_err(|error| failed(&error))?;
            let io = http.call(uri).await.map_err(|error| failed(&error))?;
            let gauge = Gauge::new();
            let wire = Wire::new(io, gauge.clone());
            let (sender, connection) = http1.handshake(wire).await.map_err(|error| failed(&error))?;
            Ok(Box::new(Link::new(sender, connection, gauge)))
        })
    }
}

/// The system's resolver, which runs on tokio's blocking threads, with errors that can be told from others.
#[derive(Debug, Clone)]
struct Resolver(GaiResolver);

/// A host name did not resolve.
#[derive(Debug)]
pub(crate) struct Unresolved {
    pub(crate) host: String,
    pub(crate) cause: io::Error,
}

impl Service<Name> for Resolver {
    type Response = GaiAddrs;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<GaiAddrs, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let host = name.as_str().to_owned();
        let mut resolver = self.0.clone();
        Box::pin(async move {
            let ready = poll_fn(|cx| resolver.poll_ready(cx)).await;
            let found = match ready {
                Ok(()) => resolver.call(name).await,
                Err(error) => Err(error),
            };
            found.map_err(|cause| Unresolved { host, cause })
        })
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not resolve", self.host)
    }
}

impl Error for Unresolved {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}
