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
        Self { connector: connector(Resolver(GaiResolver::new()), options) }
    }
}

fn connector<R>(resolver: R, options: &Options) -> HttpConnector<R> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(options.tcp_keepalive));
    connector.set_happy_eyeballs_timeout(Some(options.happy_eyeballs_delay));
    connector
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

#[cfg(test)]
mod tests {
    use std::array::IntoIter;
    use std::future::{Ready, ready};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// Yields these addresses for every name.
    #[derive(Clone)]
    struct Addresses([SocketAddr; 2]);

    impl Service<Name> for Addresses {
        type Response = IntoIter<SocketAddr, 2>;
        type Error = io::Error;
        type Future = Ready<io::Result<IntoIter<SocketAddr, 2>>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            ready(Ok(self.0.into_iter()))
        }
    }

    /// Makes a listening port that never answers: its queue is full. `None` where the system answers all the same.
    fn silent_port(address: SocketAddr) -> Option<(Socket, Vec<TcpStream>)> {
        const TRIES_MAX: usize = 100;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).ok()?;
        socket.bind(&address.into()).ok()?;
        socket.listen(0).ok()?;
        let mut queued = Vec::new();
        for _ in 0..TRIES_MAX {
            match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(stream) => queued.push(stream),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Some((socket, queued)),
                Err(_) => return None,
            }
        }
        None
    }

    #[test]
    fn a_host_whose_ipv6_is_dead_is_reached_by_ipv4_after_the_delay() {
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = alive.local_addr().unwrap().port();
        let dead = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
        let Some(_silent) = silent_port(dead) else {
            eprintln!("SKIPPED: there is no IPv6 here, or none that could be made not to answer");
            return;
        };
        let options = Options { happy_eyeballs_delay: Duration::from_millis(50), ..Options::default() };
        let addresses = Addresses([dead, alive.local_addr().unwrap()]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stream = runtime.block_on(async {
            let connecting =
                connector(addresses, &options).call(Uri::try_from(format!("http://host:{port}/")).unwrap());
            tokio::time::timeout(Duration::from_secs(20), connecting).await.expect("in time").unwrap()
        });
        assert_eq!(stream.inner().peer_addr().unwrap(), alive.local_addr().unwrap());
    }
}
