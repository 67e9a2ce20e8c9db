//! Connections and time by tokio.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use dlmanager_core::Fault;
use dlmanager_exchange::{Connecting, Options, Origin, Runtime, Sleep, Stream, unreachable, unresolved};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use tower_service::Service;

/// The runtime in whose context it is polled: its sockets, its clock, and its blocking threads for resolving names.
#[derive(Debug)]
pub(crate) struct Tokio {
    connector: HttpConnector<Resolver>,
}

impl Tokio {
    pub(crate) fn new(options: &Options) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(options.tcp_keepalive));
        connector.set_happy_eyeballs_timeout(Some(options.happy_eyeballs_delay));
        Self { connector }
    }
}

impl Runtime for Tokio {
    fn connect(&self, origin: &Origin) -> Connecting {
        let mut connector = self.connector.clone();
        let origin = origin.clone();
        Box::pin(async move {
            // The connector takes nothing from it but the host and the port.
            let uri = Uri::try_from(format!("http://{origin}/")).map_err(|error| unreachable(&origin, &error))?;
            poll_fn(|cx| connector.poll_ready(cx)).await.map_err(|error| failed(&origin, &error))?;
            let stream = connector.call(uri).await.map_err(|error| failed(&origin, &error))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, due: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(due.into()))
    }
}

fn failed(origin: &Origin, error: &(dyn Error + 'static)) -> Fault {
    let mut chain = iter::successors(Some(error), |&error| error.source());
    match chain.find_map(|error| error.downcast_ref()) {
        Some(Unresolved(cause)) => unresolved(origin, cause),
        None => unreachable(origin, error),
    }
}

/// The system's resolver, with errors that can be told from others.
#[derive(Debug, Clone)]
struct Resolver(GaiResolver);

/// A host name did not resolve.
#[derive(Debug)]
struct Unresolved(io::Error);

impl Service<Name> for Resolver {
    type Response = GaiAddrs;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<GaiAddrs, Unresolved>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        self.0.poll_ready(cx).map_err(Unresolved)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.0.call(name);
        Box::pin(async move { resolving.await.map_err(Unresolved) })
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host does not resolve")
    }
}

impl Error for Unresolved {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
