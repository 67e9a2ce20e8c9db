//! What the suite needs of a transport.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use dlmanager_core::{ActionId, Event, NetAction};

/// A transport.
pub trait Transport: Send {
    /// Begins an action.
    fn start(&mut self, action: NetAction);

    /// Cuts an action short.
    fn abort(&mut self, target: ActionId);

    /// Does what can be done now and appends what has happened.
    fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>);
}

/// What makes transports, and the runtime that they need.
pub trait Subject: Send + Sync {
    /// A new transport without connections.
    fn transport(&self, settings: &Settings) -> Box<dyn Transport>;

    /// Runs a future, which polls a transport, to its end on this thread, as a program's loop would. `false` where it has
    /// not ended by the deadline.
    fn block_on(&self, deadline: Duration, future: Pin<&mut dyn Future<Output = ()>>) -> bool;

    /// Calls `work`, which polls a transport once or drops one, in the context that these need.
    fn enter(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// What the suite sets; all else is as the transport has it by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Greatest number of connections to one origin, idle ones included; 0 counts as 1.
    pub connections_per_origin_max: usize,
    /// Greatest number of idle connections, all origins together; beyond it the one that was idle longest is closed.
    pub idle_connections_max: usize,
    /// An idle connection is closed after this time; with zero at once, with `Duration::MAX` never.
    pub idle_timeout: Duration,
    /// What a chunk may keep alive at most, in bytes, where that is not less than 16 KiB and twice `header_bytes_max`.
    pub read_buffer_bytes_max: usize,
    /// Greatest length of a reply's head, in bytes.
    pub header_bytes_max: usize,
    /// Greatest number of header fields of a reply.
    pub header_count_max: usize,
    /// The CA certificate, as PEM, that is trusted instead of the system's.
    pub ca_pem: Option<String>,
    /// What is shown to servers that ask for a certificate.
    pub client: Option<ClientCertificate>,
}

/// A client's certificate and its key, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate.
    pub certificates_pem: String,
    /// The key, as PKCS #8.
    pub key_pem: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_per_origin_max: 6,
            idle_connections_max: 32,
            idle_timeout: Duration::from_secs(30),
            read_buffer_bytes_max: 256 * 1024,
            header_bytes_max: 64 * 1024,
            header_count_max: 100,
            ca_pem: None,
            client: None,
        }
    }
}
