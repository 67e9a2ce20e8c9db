//! Answers the network actions of [dlmanager-core](dlmanager_core) from a script, in memory and on a virtual clock.
//!
//! A [`ScriptedTransport`] has for each URL a list of [`Reply`]s, one for each request; it has no sockets, no threads
//! and no clock of its own. A driver hands it the core's [`NetAction`](dlmanager_core::NetAction)s together with the time,
//! asks it [when something will happen](ScriptedTransport::wake_at), and takes the
//! [events](ScriptedTransport::next_event) that are due. The same script and the same actions at the same times give
//! the same events.
//!
//! ```
//! use std::time::Duration;
//! use dlmanager_scripted::{Reply, ScriptedTransport, content};
//!
//! let mut net = ScriptedTransport::new();
//! // The first request is cut off after 1,000 bytes; the second and all further ones get everything, after 10 ms.
//! net.script("http://origin.example/file", [
//!     Reply::ok(content(1, 5_000)).cut_at(1_000),
//!     Reply::ok(content(1, 5_000)).connect_after(Duration::from_millis(10)),
//! ]);
//! assert!(net.wake_at().is_none()); // nothing is under way
//! assert_eq!(net.requests().len(), 0);
//! ```
//!
//! A [`Resource`] is a file that answers requests for a part of it by itself.
//!
//! The crate's example `embed` is a whole program: the core, this transport and a directory in memory, with the loop
//! between them written out.

mod content;
mod reply;
mod resource;
mod transport;

pub use content::content;
pub use reply::Reply;
pub use resource::Resource;
pub use transport::{ScriptedTransport, SeenRequest};
