//! smol's sockets as hyper's byte streams.

use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use smol::Async;
use smol::io::AsyncWrite;
use socket2::SockRef;

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Async<TcpStream>,
    /// How often it may be polled before it is tried to receive again, where the reactor does not say that there is something:
    /// a connection is polled for other reasons, too.
    skips: u32,
}

/// What a call has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    /// As much as there was room for, or the end.
    Full,
    /// All that was there, with room left.
    Rest,
}

/// After nothing was left to receive. Not for ever: the reactor takes an event for old that it delivers in the turn in which it
/// was asked for, and may do so time and again.
const SKIPS_MAX: u32 = 4;

impl Socket {
    pub(crate) fn new(stream: Async<TcpStream>) -> Self {
        Self { stream, skips: 0 }
    }
}

impl Read for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.skips > 0 {
                let is_quiet = self.stream.poll_readable(cx)?.is_pending();
                self.skips = if is_quiet { self.skips - 1 } else { 0 };
                if self.skips > 0 {
                    return Poll::Pending;
                }
            }
            match receive(self.stream.get_ref(), &mut into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.skips = SKIPS_MAX,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(received) => {
                    if received == Received::Rest {
                        self.skips = SKIPS_MAX;
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

/// Receives what is there, straight into hyper's buffer. The safe ways zero all that is free of it before each read, or
/// copy what has come.
#[allow(unsafe_code)]
fn receive(stream: &TcpStream, into: &mut ReadBufCursor<'_>) -> io::Result<Received> {
    let room = into.remaining();
    // SAFETY: `recv` does nothing to these bytes but write into them, so that none gets uninitialized.
    let free = unsafe { into.as_mut() };
    let count = SockRef::from(stream).recv(free)?;
    // SAFETY: `recv` has written the first `count` of the bytes that the cursor has not passed.
    unsafe { into.advance(count) };
    Ok(if (1..room).contains(&count) { Received::Rest } else { Received::Full })
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::thread::{self, Thread};
    use std::time::Duration;

    use hyper::rt::ReadBuf;

    use super::*;

    struct Unparks(Thread);

    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// On a thread of its own, as an executor is that knows nothing of the reactor, whose thread alone delivers the events.
    #[test]
    fn each_byte_comes_after_few_polls_whichever_thread_has_the_reactor() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut socket = Socket::new(Async::new(client).unwrap());
        let waker = Waker::from(Arc::new(Unparks(thread::current())));
        let mut cx = Context::from_waker(&waker);
        for round in 0..500 {
            let mut polls = 0;
            loop {
                let mut room = [0; 16];
                let mut buffer = ReadBuf::new(&mut room);
                polls += 1;
                if let Poll::Ready(received) = Pin::new(&mut socket).poll_read(&mut cx, buffer.unfilled()) {
                    received.unwrap();
                    assert_eq!(buffer.filled(), b"x");
                    break;
                }
                if polls == 1 {
                    server.write_all(b"x").unwrap();
                }
                thread::park_timeout(Duration::from_secs(10));
            }
            assert!(polls <= 2 * SKIPS_MAX, "round {round}: {polls}");
        }
    }
}
