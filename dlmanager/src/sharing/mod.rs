//! One transport for many managers.

#[cfg(any(feature = "tokio", feature = "smol"))]
mod hub;
#[cfg(any(feature = "tokio", feature = "smol"))]
mod line;
#[cfg(any(feature = "tokio", feature = "smol"))]
mod spread;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{OpenError, Transport};

#[cfg(any(feature = "tokio", feature = "smol"))]
pub(crate) use hub::ForMany;
#[cfg(any(feature = "tokio", feature = "smol"))]
pub use settings::SharedTransportBuilder;

/// A transport that managers and [`fetch`](crate::fetch()) share, with its connections and its bound: whoever comes second
/// finds the connection that the first one has left, and one origin never has more than
/// [`connections_per_host`](SharedTransportBuilder::connections_per_host), however many managers there are.
///
/// Clones are the same transport. It ends when the last clone and the last manager with it are gone.
///
/// ```no_run
/// use dlmanager::{DownloadManager, SharedTransport};
///
/// let transport = SharedTransport::builder().connections_per_host(4).open()?;
/// let tools = DownloadManager::builder("tools").shared_transport(&transport).open()?;
/// let models = DownloadManager::builder("models").shared_transport(&transport).open()?;
/// let notes = dlmanager::fetch("https://example.org/notes.txt", "notes.txt").shared_transport(&transport).wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is shared, and what is not
///
/// - Each manager keeps its own settings: how many downloads at once, its timeouts, its header fields. TLS is the
///   transport's.
/// - At an origin that is full, the managers take turns: one that wants much waits for itself. No timeout but
///   [`Builder::timeout`](crate::Builder::timeout) counts while a download waits for its turn, so
///   [`Builder::connect_timeout`](crate::Builder::connect_timeout) begins with it; running out is then told as a
///   [`Fault`](crate::Fault) of kind [`Connect`](crate::FaultKind::Connect).
/// - A manager that ends, in whatever way, ends what it had under way and nothing of the others'.
/// - A transport that panics ends what it had under way, for all, and is called again. Where its runtime is shut down,
///   every download with it fails, and says so.
#[derive(Clone)]
pub struct SharedTransport {
    kind: Arc<Kind>,
}

enum Kind {
    #[cfg(any(feature = "tokio", feature = "smol"))]
    Lines(spread::Lines),
    Made(Box<dyn Fn() -> Box<dyn Transport> + Send + Sync>),
}

impl SharedTransport {
    /// The settings of one that comes with the crate.
    #[cfg(any(feature = "tokio", feature = "smol"))]
    pub fn builder() -> SharedTransportBuilder {
        SharedTransportBuilder::new()
    }

    /// One with default settings, on a thread of its own.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    #[cfg(any(feature = "tokio", feature = "smol"))]
    pub fn new() -> Result<Self, OpenError> {
        Self::builder().open()
    }

    /// Transports of one's own: `make` is called for each manager that is opened, on the thread that opens it. What they
    /// share is up to them, typically a client that can be cloned; so are their bounds.
    ///
    /// Each gets a transport to itself because identifiers are a manager's own: those of two may be the same numbers.
    ///
    /// ```
    /// use dlmanager::{SharedTransport, Transport};
    ///
    /// /// `client` is what holds the connections.
    /// fn shared<T: Transport>(client: impl Fn() -> T + Send + Sync + 'static) -> SharedTransport {
    ///     SharedTransport::from_fn(client)
    /// }
    /// ```
    pub fn from_fn<T: Transport>(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { kind: Arc::new(Kind::Made(Box::new(move || Box::new(make())))) }
    }

    /// The transport for one more manager. Where that counts the time for connecting itself, `connect_timeout` is given
    /// to it and becomes endless for the manager.
    pub(crate) fn attach(&self, connect_timeout: &mut Duration) -> Result<Box<dyn Transport>, OpenError> {
        match &*self.kind {
            #[cfg(any(feature = "tokio", feature = "smol"))]
            Kind::Lines(lines) => {
                let timeout = std::mem::replace(connect_timeout, Duration::MAX);
                Ok(match &lines.handles[..] {
                    [handle] => Box::new(line::Seat::take(&self.kind, handle, timeout)?),
                    _ => Box::new(spread::Spread::take(&self.kind, timeout)?),
                })
            }
            Kind::Made(make) => {
                let _ = connect_timeout;
                Ok(make())
            }
        }
    }

    /// Whether it is one that comes with the crate.
    pub(crate) fn is_ours(&self) -> bool {
        !matches!(&*self.kind, Kind::Made(_))
    }
}

impl fmt::Debug for SharedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTransport").finish_non_exhaustive()
    }
}

#[cfg(any(feature = "tokio", feature = "smol"))]
mod settings {
    use std::sync::Arc;

    use super::{Kind, SharedTransport, hub::Hub, line, spread};
    use crate::network::Network;
    use crate::{IoRuntime, OpenError, Runtime, TlsConfig, runtime};

    /// The settings of a [`SharedTransport`], from [`SharedTransport::builder`].
    ///
    /// ```
    /// use dlmanager::{OpenError, SharedTransport};
    ///
    /// let transport = SharedTransport::builder().connections_per_host(2).open()?;
    /// let none = SharedTransport::builder().connections_per_host(0).open();
    /// assert!(matches!(none, Err(OpenError::Config(_))));
    /// # Ok::<(), OpenError>(())
    /// ```
    #[derive(Debug)]
    #[must_use = "open it"]
    pub struct SharedTransportBuilder {
        network: Network,
        connections_per_host: usize,
        threads: usize,
    }

    impl SharedTransportBuilder {
        pub(super) fn new() -> Self {
            Self { network: Network::default(), connections_per_host: 6, threads: 1 }
        }

        /// What it runs on; tokio unless chosen. The managers may run on something else.
        pub fn runtime(mut self, runtime: IoRuntime) -> Self {
            self.network.runtime = Some(runtime);
            self
        }

        /// Whom to trust in TLS, and how to show who one is; the system's CAs unless set.
        pub fn tls(mut self, tls: TlsConfig) -> Self {
            self.network.tls = tls;
            self
        }

        /// Greatest number of connections to one origin, for all managers together and idle ones included; 6 unless set.
        /// [`Builder::per_host`](crate::Builder::per_host) bounds each manager besides.
        pub fn connections_per_host(mut self, connections: usize) -> Self {
            self.connections_per_host = connections;
            self
        }

        /// How many threads do its work, each with connections of its own: decryption is the most of it, and one thread does
        /// that as fast as one core can, for all downloads together. 1 unless set; more help where several downloads come
        /// over TLS faster than one core decrypts, and cost a little more each, as what they bring changes threads.
        ///
        /// Connections are shared out, so that there are no more threads than
        /// [`connections_per_host`](Self::connections_per_host).
        ///
        /// ```
        /// use dlmanager::{OpenError, SharedTransport};
        ///
        /// let transport = SharedTransport::builder().connections_per_host(4).threads(2).open()?;
        /// let none = SharedTransport::builder().threads(0).open();
        /// assert!(matches!(none, Err(OpenError::Config(_))));
        /// # Ok::<(), OpenError>(())
        /// ```
        pub fn threads(mut self, threads: usize) -> Self {
            self.threads = threads;
            self
        }

        /// Starts it on a thread of its own, or on [several](Self::threads).
        ///
        /// # Errors
        ///
        /// A setting makes no sense, or the thread cannot be started.
        pub fn open(self) -> Result<SharedTransport, OpenError> {
            self.start(None)
        }

        /// Starts it within the program's own runtime, as [`Builder::open_on`](crate::Builder::open_on) does: one task, or
        /// as many as there are to be [threads](Self::threads), which that runtime runs where it likes.
        ///
        /// # Errors
        ///
        /// A setting makes no sense, or the transport cannot run on that runtime.
        pub fn open_on(self, runtime: &impl Runtime) -> Result<SharedTransport, OpenError> {
            self.start(Some(runtime))
        }

        /// On that runtime, or else on threads of its own.
        fn start(self, on: Option<&dyn Runtime>) -> Result<SharedTransport, OpenError> {
            if self.connections_per_host == 0 {
                return Err(OpenError::Config("connections_per_host must be at least 1"));
            }
            if self.threads == 0 {
                return Err(OpenError::Config("threads must be at least 1"));
            }
            let connections = self.connections_per_host;
            let shares = spread::shares(connections, self.threads.min(connections));
            let handles = shares.into_iter().map(|share| {
                let own;
                let runtime = if let Some(runtime) = on {
                    runtime
                } else {
                    let choice = self.network.runtime.or_else(IoRuntime::preferred);
                    own = runtime::own_thread(choice).map_err(|error| OpenError::Start(error.to_string()))?;
                    &*own
                };
                let transport = self.network.clone().for_many(runtime, share)?;
                let handle = line::Handle::new();
                runtime.spawn(Box::pin(Hub::new(handle.line(), transport)));
                Ok(handle)
            });
            let lines = spread::Lines::new(handles.collect::<Result<_, OpenError>>()?, connections);
            Ok(SharedTransport { kind: Arc::new(Kind::Lines(lines)) })
        }
    }
}
