//! From an origin to a connection that takes requests.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use dlmanager_core::{Fault, FaultKind};
use dlmanager_tls::TlsConfig;
use hyper::client::conn::http1;

use crate::Options;
use crate::link::Link;
use crate::origin::Origin;
use crate::runtime::{Runtime, Sleep};
use crate::tls::TlsStream;
use crate::wire::{Gauge, Wire};

/// How connections are made: by a runtime, where the origin asks for it with TLS, and with hyper's settings.
pub(crate) struct Connector {
    pub(crate) runtime: Box<dyn Runtime>,
    tls: TlsConfig,
    http1: http1::Builder,
}

/// A link on its way.
pub(crate) type Linking = Pin<Box<dyn Future<Output = Result<Box<Link>, Fault>> + Send>>;

impl Connector {
    pub(crate) fn new(runtime: Box<dyn Runtime>, tls: TlsConfig, options: &Options) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .max_headers(options.header_count_max)
            .max_header_size(options.header_bytes_max)
            .max_buf_size(options.hyper_buffer_bytes());
        Self { runtime, tls, http1 }
    }

    /// Connects to `origin`, within `timeout` from now where there is one. Nothing is done before the first poll.
    pub(crate) fn connect(&self, origin: &Origin, timeout: Option<Duration>) -> Linking {
        let linking = self.link(origin);
        let Some((timeout, due)) =
            timeout.and_then(|timeout| Some((timeout, self.runtime.now().checked_add(timeout)?)))
        else {
            return linking;
        };
        let (origin, late) = (origin.clone(), self.runtime.sleep_until(due));
        Box::pin(within(linking, late, move || {
            let detail = format!("{origin} has not accepted one within {timeout:?}");
            Fault::new(FaultKind::Connect).with_detail(detail)
        }))
    }

    fn link(&self, origin: &Origin) -> Linking {
        let connecting = self.runtime.connect(origin);
        let http1 = self.http1.clone();
        let secured = origin.is_secure().then(|| (origin.clone(), self.tls.clone()));
        Box::pin(async move {
            let stream = match secured {
                None => connecting.await?,
                Some((origin, tls)) => Box::new(TlsStream::connect(connecting, &origin, &tls).await?),
            };
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

/// What `linking` yields, or the fault where `late` ends first.
async fn within(
    mut linking: Linking,
    mut late: Sleep,
    fault: impl FnOnce() -> Fault + Send,
) -> Result<Box<Link>, Fault> {
    let linked = poll_fn(|cx| match linking.as_mut().poll(cx) {
        Poll::Ready(linked) => Poll::Ready(Some(linked)),
        Poll::Pending => late.as_mut().poll(cx).map(|()| None),
    });
    linked.await.unwrap_or_else(|| Err(fault()))
}
