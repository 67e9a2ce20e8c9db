//! The listening socket, the scripts and the records.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::exchange;
use crate::input::Parsed;
use crate::record::{Agreed, Handshake, Records, Request, Sent, TimedOut};
use crate::reply::Reply;
#[cfg(feature = "tls")]
use crate::tls::{Session, Tls};
use crate::wire::Wire;

/// An HTTP origin on a free port of 127.0.0.1. Dropping it ends all its connections and threads before it returns.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Origin {
    /// Listens and answers from now on; a path for which nothing was said gets status 404.
    ///
    /// # Errors
    ///
    /// Where no port or no thread is to be had.
    pub fn start() -> io::Result<Self> {
        Self::listen("http", |stream| Ok(Wire::plain(stream)))
    }

    /// The same over TLS.
    ///
    /// # Errors
    ///
    /// Where no port, no thread or no key is to be had.
    #[cfg(feature = "tls")]
    pub fn start_tls(tls: &Tls) -> io::Result<Self> {
        let config = tls.config()?;
        Self::listen("https", move |stream| Ok(Wire::secured(stream, Session::new(Arc::clone(&config))?)))
    }

    fn listen(scheme: &'static str, wire: impl Fn(TcpStream) -> io::Result<Wire> + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = thread::Builder::new().name("origin-accept".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared, wire)
        })?;
        Ok(Self { address, scheme, shared, accepting: Some(accepting) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path: `http://127.0.0.1:PORT/path`, with `https` over TLS.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("{}://{}{slash}{path}", self.scheme, self.address)
    }

    /// Answers every request for that path from now on with this reply.
    ///
    /// A path with a query is looked up as it is first and then without its query.
    pub fn serve(&self, path: &str, reply: Reply) {
        self.script(path, vec![reply]);
    }

    /// Answers the next requests for that path with these replies, one each, and all later ones with the last.
    /// Without any it is as if nothing had been said about that path.
    pub fn script(&self, path: &str, replies: Vec<Reply>) {
        self.shared.lock().scripts.insert(path.to_owned(), Script { replies, next: 0 });
    }

    /// All that was seen so far.
    #[must_use]
    pub fn records(&self) -> Records {
        self.shared.lock().records.clone()
    }

    /// Waits until what was seen satisfies `holds`, which is asked after every change and must not call this origin.
    ///
    /// A client may have a reply in its hands before the origin has recorded that it was sent, and may have closed a
    /// connection before the origin has noticed it: wait for both instead of looking at [`Origin::records`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`] with what was seen, once `deadline` has passed.
    pub fn wait_for(&self, deadline: Duration, mut holds: impl FnMut(&Records) -> bool) -> Result<Records, TimedOut> {
        let until = Instant::now().checked_add(deadline);
        let mut inner = self.shared.lock();
        loop {
            if holds(&inner.records) {
                return Ok(inner.records.clone());
            }
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(TimedOut(inner.records.clone()));
            }
            inner = self.shared.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let (live, threads) = {
            let mut inner = self.shared.lock();
            inner.stopping = true;
            self.shared.changed.notify_all();
            (inner.live.values().cloned().collect::<Vec<_>>(), std::mem::take(&mut inner.threads))
        };
        for connection in live {
            connection.stop();
        }
        for thread in threads {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
        // Only a connection wakes `accept`. Where none can be made, its thread ends with the next one that comes.
        if TcpStream::connect(self.address).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, wire: impl Fn(TcpStream) -> io::Result<Wire>) {
    for stream in listener.incoming() {
        let mut inner = shared.lock();
        if inner.stopping {
            return;
        }
        let Ok(wire) = stream.and_then(&wire) else {
            // Out of descriptors, most likely: the next try would fail at once.
            const BREAK: Duration = Duration::from_millis(20);
            drop(shared.changed.wait_timeout(inner, BREAK));
            continue;
        };
        // Only the timing suffers where this fails.
        let _ = wire.stream.set_nodelay(true);
        let connection = Arc::new(Connection::new(inner.records.connections.total, wire));
        inner.entered(&connection);
        inner.threads.retain(|thread| !thread.is_finished());
        let thread = thread::Builder::new().name(format!("origin-out-{}", connection.number)).spawn({
            let (shared, connection) = (Arc::clone(shared), Arc::clone(&connection));
            move || exchange::serve(&shared, connection)
        });
        match thread {
            Ok(thread) => inner.threads.push(thread),
            Err(_) => inner.gone(connection.number),
        }
        shared.changed.notify_all();
    }
}

/// What the origin and its threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    scripts: HashMap<String, Script>,
    records: Records,
    /// Connections that neither side has closed.
    open: BTreeSet<usize>,
    /// Connections with a thread.
    live: BTreeMap<usize, Arc<Connection>>,
    threads: Vec<JoinHandle<()>>,
    stopping: bool,
}

#[derive(Debug)]
struct Script {
    replies: Vec<Reply>,
    next: usize,
}

impl Shared {
    /// A request has come: it is recorded, and its reply chosen.
    pub(crate) fn record(&self, connection: usize, parsed: Parsed) -> (Request, Reply) {
        let Parsed { method, target, headers, .. } = parsed;
        let mut inner = self.lock();
        let ordinal = inner.records.requests.len();
        let request = Request { ordinal, connection, method, target, headers, sent: None };
        inner.records.requests.push(request.clone());
        self.changed.notify_all();
        let reply = inner.reply(&request.target).or_else(|| inner.reply(request.path()));
        (request, reply.unwrap_or_else(|| Reply::empty(404)))
    }

    pub(crate) fn sent(&self, ordinal: usize, sent: Sent) {
        if let Some(request) = self.lock().records.requests.get_mut(ordinal) {
            request.sent = Some(sent);
        }
        self.changed.notify_all();
    }

    /// A TLS handshake has ended.
    pub(crate) fn shook_hands(&self, connection: usize, result: Result<Agreed, String>) {
        self.lock().records.handshakes.push(Handshake { connection, result });
        self.changed.notify_all();
    }

    /// One side has closed that connection. May be said again.
    pub(crate) fn left(&self, connection: usize) {
        self.lock().left(connection);
        self.changed.notify_all();
    }

    /// The connection's thread is about to end.
    pub(crate) fn forget(&self, connection: usize) {
        self.lock().live.remove(&connection);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn entered(&mut self, connection: &Arc<Connection>) {
        // A client that replaces a connection has closed the old one before: that its reader has not yet been told so
        // must not show in the peak.
        self.open.retain(|number| self.live.get(number).is_some_and(|old| !old.wire.peer_has_left()));
        self.open.insert(connection.number);
        self.live.insert(connection.number, Arc::clone(connection));
        let connections = &mut self.records.connections;
        connections.total += 1;
        connections.open = self.open.len();
        connections.peak = connections.peak.max(connections.open);
    }

    fn left(&mut self, connection: usize) {
        self.open.remove(&connection);
        self.records.connections.open = self.open.len();
    }

    fn gone(&mut self, connection: usize) {
        self.live.remove(&connection);
        self.left(connection);
    }

    fn reply(&mut self, path: &str) -> Option<Reply> {
        let script = self.scripts.get_mut(path)?;
        let reply = script.replies.get(script.next).or(script.replies.last())?.clone();
        script.next += 1;
        Some(reply)
    }
}
