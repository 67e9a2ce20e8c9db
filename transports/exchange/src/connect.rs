//! From an origin to a connection that takes requests.

use std::pin::Pin;

use dlmanager_core::{Fault, FaultKind};
use hyper::client::conn::http1;

use crate::Options;
use crate::link::Link;
use crate::origin::Origin;
use crate::runtime::Runtime;
use crate::wire::{Gauge, Wire};

/// How connections are made: by a runtime, with hyper's settings.
pub(crate) struct Connector {
    pub(crate) runtime: Box<dyn Runtime>,
    http1: http1::Builder,
}

/// A link on its way.
pub(crate) type Linking = Pin<Box<dyn Future<Output = Result<Box<Link>, Fault>> + Send>>;

impl Connector {
    pub(crate) fn new(runtime: Box<dyn Runtime>, options: &Options) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .max_headers(options.header_count_max)
            .max_header_size(options.header_bytes_max)
            .max_buf_size(options.hyper_buffer_bytes());
        Self { runtime, http1 }
    }

    /// Connects to `origin`. Nothing is done before the first poll.
    pub(crate) fn connect(&self, origin: &Origin) -> Linking {
        let connecting = self.runtime.connect(origin);
        let http1 = self.http1.clone();
        Box::pin(async move {
            let stream = connecting.await?;
            let gauge = Gauge::new();
            let wire = Wire::new(stream, gauge.clone());
            let (sender, connection) = http1
                .handshake(wire)
                .await
                .map_err(|error| Fault::new(FaultKind::Connect).with_detail(error.to_string()))?;
            Ok(Box::new(Link::new(sender, connection, gauge)))
        })
    }
}
