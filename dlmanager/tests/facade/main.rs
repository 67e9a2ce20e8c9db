//! The façade as programs use it: blocking and async, over sockets and real directories, and over a scripted transport and
//! a directory in memory. Every wait has a deadline.

//! Without the feature `tokio` there is no default transport, and only what needs none is tested.

#[cfg(feature = "tokio")]
mod awaiting;
#[cfg(feature = "tokio")]
mod checksums;
#[cfg(feature = "tokio")]
mod closing;
#[cfg(feature = "tokio")]
mod downloads;
#[cfg(feature = "tokio")]
mod events;
#[cfg(feature = "tokio")]
mod fetching;
#[cfg(feature = "tokio")]
mod hooks;
#[cfg(feature = "tokio")]
mod limit;
#[cfg(feature = "tokio")]
mod observers;
mod panics;
#[cfg(feature = "tokio")]
mod parity;
#[cfg(feature = "tokio")]
mod protection;
#[cfg(feature = "tokio")]
mod proxies;
#[cfg(feature = "tokio")]
mod registering;
#[cfg(feature = "tokio")]
mod resuming;
mod retries;
#[cfg(feature = "tokio")]
mod sharing;
#[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "what only tests over sockets use"))]
mod support;
#[cfg(feature = "tokio")]
mod waiting;
#[cfg(feature = "tokio")]
mod workers;
