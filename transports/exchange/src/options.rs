//! What can be set.

use std::time::Duration;

/// The settings of a transport: see [`Exchanges`](crate::Exchanges).
///
/// ```
/// use std::time::Duration;
///
/// let options = dlmanager_exchange::Options { idle_timeout: Duration::from_secs(5), ..Default::default() };
/// assert_eq!(options.connections_per_origin_max, 6);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Greatest number of connections to one origin (host and port), idle ones included; 0 counts as 1. A `Fetch`
    /// beyond it waits until there is a place, and has no `Connected` before.
    pub connections_per_origin_max: usize,
    /// Greatest number of idle connections, all origins together; beyond it the one that was idle longest is closed.
    pub idle_connections_max: usize,
    /// An idle connection is closed after this time; with zero, with the next poll.
    pub idle_timeout: Duration,
    /// Greatest length of the buffer that a connection is read into, in bytes; at least 16 KiB, and at least twice
    /// [`header_bytes_max`](Self::header_bytes_max), are taken.
    pub read_buffer_bytes_max: usize,
    /// Greatest length of a reply's head, in bytes.
    pub header_bytes_max: usize,
    /// Greatest number of header fields of a reply.
    pub header_count_max: usize,
    /// Where a host has several addresses: how long one may take before the next is tried beside it (the connection
    /// attempt delay of RFC 8305 section 5).
    pub happy_eyeballs_delay: Duration,
    /// A silent connection is probed after this time, so that one whose other side has vanished is noticed.
    pub tcp_keepalive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_per_origin_max: 6,
            idle_connections_max: 32,
            idle_timeout: Duration::from_secs(30),
            read_buffer_bytes_max: 512 * 1024,
            header_bytes_max: 64 * 1024,
            header_count_max: 100,
            happy_eyeballs_delay: Duration::from_millis(250),
            tcp_keepalive: Duration::from_secs(60),
        }
    }
}

impl Options {
    /// The setting that keeps hyper's read buffer within its bound: it asks for up to so many bytes, and where a buffer
    /// grows by that it may double. Beyond it a head is too large, and hyper accepts no less than 8 KiB.
    pub(crate) fn hyper_buffer_bytes(&self) -> usize {
        const HYPER_BYTES_MIN: usize = 8 * 1024;
        (self.read_buffer_bytes_max / 2).max(self.header_bytes_max).max(HYPER_BYTES_MIN)
    }
}
