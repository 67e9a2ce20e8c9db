//! The byte stream under a connection, and what is known of the bytes that came over it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::runtime::Stream;

/// How an alert begins: its content type and the version's first byte (RFC 8446 section 5.1).
const TLS_ALERT: [u8; 2] = [21, 3];

/// What hyper reads from and writes to.
#[derive(Debug)]
pub(crate) struct Wire {
    io: Box<dyn Stream>,
    gauge: Arc<Gauge>,
}

/// What hyper does not tell about a connection.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// The head of a reply is awaited.
    in_head: AtomicBool,
    /// Bytes received since the last request was sent, as long as the head is awaited.
    reply_bytes: AtomicUsize,
    /// What came first looks like an alert of TLS, which is how a server of TLS answers to what is none.
    is_tls_alert: AtomicBool,
    buffer_bytes: AtomicUsize,
}

impl Gauge {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            in_head: AtomicBool::new(true),
            reply_bytes: AtomicUsize::new(0),
            is_tls_alert: AtomicBool::new(false),
            buffer_bytes: AtomicUsize::new(0),
        })
    }

    /// A request goes out.
    pub(crate) fn request_sent(&self) {
        self.reply_bytes.store(0, Ordering::Relaxed);
        self.in_head.store(true, Ordering::Relaxed);
    }

    /// The head of the reply is there.
    pub(crate) fn head_received(&self) {
        self.in_head.store(false, Ordering::Relaxed);
    }

    /// Whether a byte of the reply came while its head was awaited.
    pub(crate) fn has_reply_begun(&self) -> bool {
        self.reply_bytes.load(Ordering::Relaxed) > 0
    }

    /// Whether what came instead of a reply is a record of TLS.
    pub(crate) fn is_tls_alert(&self) -> bool {
        self.is_tls_alert.load(Ordering::Relaxed)
    }

    /// No buffer that hyper reads into has had more bytes than this, so no piece of it keeps more alive.
    ///
    /// hyper reads into what is free of its buffer. While a body comes, that is all of a buffer when it is new; while a
    /// head comes, a new buffer holds the part of the head that is there already.
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes.load(Ordering::Relaxed)
    }
}

impl Wire {
    pub(crate) fn new(io: Box<dyn Stream>, gauge: Arc<Gauge>) -> Self {
        Self { io, gauge }
    }

    /// Reads, and counts what came.
    #[allow(unsafe_code)]
    fn poll_read_head(&mut self, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let free = into.remaining();
        // SAFETY: nothing is done to these bytes but by way of a `ReadBuf`, which never makes one uninitialized.
        let mut read = ReadBuf::uninit(unsafe { into.as_mut() });
        ready!(Pin::new(&mut self.io).poll_read(cx, read.unfilled()))?;
        let count = read.filled().len();
        let before = self.gauge.reply_bytes.fetch_add(count, Ordering::Relaxed);
        if before == 0 {
            self.gauge.is_tls_alert.store(read.filled().starts_with(&TLS_ALERT), Ordering::Relaxed);
        }
        self.gauge.buffer_bytes.fetch_max(free.saturating_add(before), Ordering::Relaxed);
        // SAFETY: those are the bytes that the `ReadBuf` was filled with.
        unsafe { into.advance(count) };
        Poll::Ready(Ok(()))
    }
}

impl Read for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.gauge.in_head.load(Ordering::Relaxed) {
            return self.poll_read_head(cx, into);
        }
        if into.remaining() > self.gauge.buffer_bytes() {
            self.gauge.buffer_bytes.store(into.remaining(), Ordering::Relaxed);
        }
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
