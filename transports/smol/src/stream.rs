//! smol's sockets as hyper's byte streams.

use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use smol::Async;
use smol::io::AsyncWrite;
use socket2::SockRef;

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Async<TcpStream>,
    /// There was nothing left to receive: before the reactor says that there is, it is not tried again, however often a
    /// connection is polled for other reasons.
    is_drained: bool,
}

impl Socket {
    pub(crate) fn new(stream: Async<TcpStream>) -> Self {
        Self { stream, is_drained: false }
    }
}

impl Read for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.is_drained {
                ready!(self.stream.poll_readable(cx))?;
                self.is_drained = false;
            }
            match receive(self.stream.get_ref(), &mut into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_drained = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => return Poll::Ready(received),
            }
        }
    }
}

/// Receives what is there, straight into hyper's buffer. The safe ways zero all that is free of it before each read, or
/// copy what has come.
#[allow(unsafe_code)]
fn receive(stream: &TcpStream, into: &mut ReadBufCursor<'_>) -> io::Result<()> {
    // SAFETY: `recv` does nothing to these bytes but write into them, so that none gets uninitialized.
    let free = unsafe { into.as_mut() };
    let count = SockRef::from(stream).recv(free)?;
    // SAFETY: `recv` has written the first `count` of the bytes that the cursor has not passed.
    unsafe { into.advance(count) };
    Ok(())
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
