//! HTTP/1.1 exchanges over any byte stream: executes the network actions of dlmanager-core with hyper's connection API,
//! on whatever [`Runtime`] makes the connections.
//!
//! This is what dlmanager-hyper and dlmanager-smol have in common. Who wants a transport on another runtime implements
//! [`Runtime`] for it, which is to make a connection and to tell the time, and puts it into [`Exchanges`].
//!
//! [`Exchanges`] take [`NetAction`](dlmanager_core::NetAction)s by [`start`](Exchanges::start) and yield their
//! [`Event`](dlmanager_core::Event)s by [`poll`](Exchanges::poll). They have no task and no thread of their own: the loop
//! that owns them polls them, and one wake polls the exchanges that were woken, not all.
//!
//! ```
//! use std::future::poll_fn;
//! use std::task::Poll;
//!
//! use dlmanager_core::{Event, NetAction};
//! use dlmanager_exchange::Exchanges;
//!
//! /// Starts actions and waits until something happens.
//! async fn next_events(exchanges: &mut Exchanges, actions: Vec<NetAction>) -> Vec<Event> {
//!     actions.into_iter().for_each(|action| exchanges.start(action));
//!     let mut events = Vec::new();
//!     poll_fn(|cx| {
//!         exchanges.poll(cx, &mut events);
//!         if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
//!     })
//!     .await;
//!     events
//! }
//! ```
//!
//! # Exchanges
//!
//! - The request goes out as it is, its URI in origin-form; no header field is added. Only `http` and `https` are spoken:
//!   any other scheme is [`FaultKind::Unsupported`](dlmanager_core::FaultKind::Unsupported).
//! - A `ReadBody` may be started before its `Fetch` is answered. It gets what is ready, of whatever length. Small frames
//!   that are ready together come as one chunk; where the end is known with the last bytes, they bear `last`. Trailers
//!   are passed over.
//! - While nobody reads a body, its connection is left alone: TCP holds the server back. Then a connection holds no more
//!   than three frames and a read buffer, each of at most [`Options::read_buffer_bytes_max`].
//! - `DropBody` and [`abort`](Exchanges::abort) act at once; a connection that has not received its body to the end is
//!   closed when they return.
//!
//! # Connections
//!
//! Each origin has at most [`Options::connections_per_origin_max`] connections, idle ones included. A body that was
//! received to its end gives its connection back; it is used for the next exchange with that origin, or closed: after
//! [`Options::idle_timeout`], beyond [`Options::idle_connections_max`], and when the server closes it or sends what
//! nobody asked for. A request that finds its kept connection closed goes out once more on a new one, provided that not
//! a byte of a reply has come; `Connected` is then reported again.
//!
//! # Several clients
//!
//! Several loops may share exchanges, their connections and their bounds, each as a [`Client`] of its own: by
//! [`start_for`](Exchanges::start_for), [`abort_for`](Exchanges::abort_for) and [`poll_all`](Exchanges::poll_all). At an
//! origin that is full, one exchange of each client has its turn after another. A client that [leaves](Exchanges::leave)
//! leaves nothing of its own behind.
//!
//! # TLS
//!
//! For `https` a connection is secured by rustls as [`TlsConfig`] says, which is told in [`dlmanager_tls`]. `Connected` is
//! reported after the handshake, so that a timeout of connecting covers it; what does not verify is
//! [`FaultKind::Tls`](dlmanager_core::FaultKind::Tls), in words. The system's roots are read when the first connection
//! needs them, which takes some milliseconds of the loop's time.
//!
//! A body that only the connection's end delimits is whole where the server has said by a close_notify that this is the
//! end. Without one it may have been cut off: that is [`FaultKind::Reset`](dlmanager_core::FaultKind::Reset). (Over plain
//! TCP the two cannot be told apart.)
//!
//! A connection holds the ciphertext of one read (128 KiB) and the plaintext of one record (16 KiB) besides.
//!
//! # What a chunk keeps alive
//!
//! hyper splits frames off its read buffer, so a frame keeps that whole buffer alive, with others from it.
//! [`Chunk::pinned`](dlmanager_core::Chunk::pinned) is the size of the largest buffer that its connection has read into
//! so far: it starts at 8 KiB, grows while reads fill it, and never exceeds [`Options::read_buffer_bytes_max`].
//! A chunk that would keep more than 16 times its length alive is copied; all others come as they were received.
#![deny(unsafe_code)]

mod body;
mod client;
mod connect;
mod exchanges;
mod fault;
mod link;
mod options;
mod origin;
mod pool;
mod queue;
mod runtime;
mod slot;
mod tls;
mod wake;
mod wire;

pub use client::Client;
pub use dlmanager_tls::{self, TlsConfig};
pub use exchanges::Exchanges;
pub use fault::{unreachable, unresolved};
pub use options::Options;
pub use origin::Origin;
pub use runtime::{Connecting, Runtime, Sleep, Stream};
