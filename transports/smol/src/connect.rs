//! Connections and time by smol.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use dlmanager_exchange::{Connecting, Options, Origin, Runtime, Sleep, Stream, unreachable, unresolved};
use smol::{Async, Timer};
use socket2::{SockRef, TcpKeepalive};

use crate::race;
use crate::stream::Socket;

/// smol's reactor and its blocking threads.
#[derive(Debug)]
pub(crate) struct Reactor {
    attempt_delay: Duration,
    keepalive: Duration,
}

impl Reactor {
    pub(crate) fn new(options: &Options) -> Self {
        Self { attempt_delay: options.happy_eyeballs_delay, keepalive: options.tcp_keepalive }
    }
}

impl Runtime for Reactor {
    fn connect(&self, origin: &Origin) -> Connecting {
        let Self { attempt_delay, keepalive } = *self;
        let origin = origin.clone();
        Box::pin(async move {
            let addresses = resolve(&origin).await.map_err(|error| unresolved(&origin, &error))?;
            let delay = || Timer::after(attempt_delay);
            let connected = race::first(race::interleaved(addresses), delay, Async::<TcpStream>::connect).await;
            let stream = match connected {
                Some(Ok(stream)) => stream,
                Some(Err(error)) => return Err(unreachable(&origin, &error)),
                None => return Err(unresolved(&origin, &io::Error::other("it has no address"))),
            };
            tune(stream.get_ref(), keepalive);
            Ok(Box::new(Socket::new(stream)) as Box<dyn Stream>)
        })
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, due: Instant) -> Sleep {
        Box::pin(async move {
            Timer::at(due).await;
        })
    }
}

async fn resolve(origin: &Origin) -> io::Result<Vec<SocketAddr>> {
    let port = origin.port();
    if let Ok(address) = origin.host().parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let host = origin.host().to_owned();
    smol::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
}

/// A connection works without either, only not as well.
fn tune(stream: &TcpStream, keepalive: Duration) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(keepalive));
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::TcpListener;

    use super::*;

    /// On the real reactor: whoever waits for the dead address is woken by the delay, and then by the other connection.
    #[test]
    fn a_dead_address_does_not_keep_the_others_from_being_reached() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let alive = listener.local_addr().unwrap();
        let begun = Instant::now();
        let delay = || Timer::after(Duration::from_millis(50));
        let attempt = async |address| match address {
            Some(address) => Async::<TcpStream>::connect(address).await,
            None => pending().await,
        };
        let connected = smol::block_on(race::first(vec![None, None, Some(alive)], delay, attempt));
        assert_eq!(connected.unwrap().unwrap().get_ref().peer_addr().unwrap(), alive);
        assert!(begun.elapsed() >= Duration::from_millis(100));
    }

    #[test]
    fn a_connection_sends_at_once_and_is_probed() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        tune(&stream, Duration::from_secs(60));
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
    }
}
