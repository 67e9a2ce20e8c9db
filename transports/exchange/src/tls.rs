//! TLS over a byte stream: rustls's state machine, fed and drained.
//!
//! One for all runtimes, as rustls does no IO and hyper's streams are of no runtime.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, BufRead, IoSlice, Write as _};
use std::mem;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use dlmanager_core::{Fault, FaultKind};
use dlmanager_tls::rustls::ClientConnection;
use dlmanager_tls::{TlsConfig, handshake_fault, server_name};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::origin::Origin;
use crate::runtime::{Connecting, Stream};

/// A connection over TLS.
pub(crate) struct TlsStream {
    session: ClientConnection,
    io: Box<dyn Stream>,
    /// rustls by itself takes 4 KiB at a time from the system.
    ciphertext: Box<[u8]>,
    /// What of it rustls has not taken.
    untaken: Range<usize>,
    /// What has ended the receiving, as long as nobody was told.
    failure: Option<io::Error>,
    close_notified: bool,
    /// The last read went on as long as one may.
    is_spent: bool,
}

const CIPHERTEXT_BYTES: usize = 128 * 1024;

/// So often one read lets rustls take something, some 4 KiB at a time: what a server sends may be without any plaintext (there
/// is no bound for tickets), and meanwhile the loop does nothing else. Enough to fill the largest of hyper's buffers.
const ROUNDS_MAX: usize = 72;

impl TlsStream {
    /// Shakes hands with `origin` over a stream to it.
    pub(crate) async fn connect(connecting: Connecting, origin: &Origin, tls: &TlsConfig) -> Result<Self, Fault> {
        // First, as it can fail without the network.
        let session = session(origin, tls)?;
        let mut stream = Self {
            session,
            io: connecting.await?,
            ciphertext: vec![0; CIPHERTEXT_BYTES].into(),
            untaken: 0..0,
            failure: None,
            close_notified: false,
            is_spent: false,
        };
        let shaken = poll_fn(|cx| stream.poll_handshake(cx)).await;
        shaken.map_err(|error| handshake_fault(&origin.to_string(), &error))?;
        Ok(stream)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.is_handshaking() {
            ready!(self.poll_send(cx))?;
            if ready!(self.poll_receive(cx))? == Received::End {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        // The client has the last word.
        self.poll_send(cx)
    }

    /// Lets rustls take what has come, some of it at a time; receives first where there is nothing left.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Received>> {
        if self.untaken.is_empty() {
            let mut read = ReadBuf::new(&mut self.ciphertext[..]);
            ready!(Pin::new(&mut self.io).poll_read(cx, read.unfilled()))?;
            self.untaken = 0..read.filled().len();
        }
        // With nothing, it takes note of the end.
        let taken = self.session.read_tls(&mut &self.ciphertext[self.untaken.clone()])?;
        self.untaken.start += taken;
        let processed = self.session.process_new_packets();
        // An answer to it, or the alert that says what was wrong with it. Nothing waits for its departure.
        let _ = self.poll_send(cx);
        match processed {
            Ok(_) if taken == 0 => Poll::Ready(Ok(Received::End)),
            Ok(_) => Poll::Ready(Ok(Received::Some)),
            Err(error) => Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error))),
        }
    }

    /// Sends what rustls has to send.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Sink { io: &mut *self.io, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Hands out plaintext that is there, as much as fits.
    fn take_plaintext(&mut self, into: &mut ReadBufCursor<'_>) -> Plaintext {
        let mut plaintext = self.session.reader();
        let mut taken = Plaintext::None;
        loop {
            match plaintext.fill_buf() {
                Ok([]) => return if taken == Plaintext::Some { taken } else { Plaintext::End },
                Ok(bytes) => {
                    let count = bytes.len().min(into.remaining());
                    into.put_slice(&bytes[..count]);
                    plaintext.consume(count);
                    taken = Plaintext::Some;
                    if into.remaining() == 0 {
                        return taken;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return taken,
                Err(error) => {
                    self.failure = Some(error);
                    return taken;
                }
            }
        }
    }
}

fn session(origin: &Origin, tls: &TlsConfig) -> Result<ClientConnection, Fault> {
    let unusable = |error: &dyn Error| Fault::new(FaultKind::Tls).with_detail(format!("{origin}: {error}"));
    let name = server_name(origin.host())?;
    let config = tls.client_config().map_err(|error| unusable(&error))?;
    ClientConnection::new(config, name).map_err(|error| unusable(&error))
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("io", &self.io).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    Some,
    /// The other side has closed the stream under the session.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plaintext {
    None,
    Some,
    /// The other side has said that this is the end.
    End,
}

impl Read for TlsStream {
    /// Fills the buffer as far as can be done without waiting, like a read from a socket: not record by record.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if mem::take(&mut this.is_spent) {
            // Who got a few bytes only, as hyper for a head, asks for more at once.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut delivered = false;
        let mut rounds = 0;
        loop {
            match this.take_plaintext(&mut into) {
                Plaintext::Some => delivered = true,
                Plaintext::None => {}
                Plaintext::End => return Poll::Ready(Ok(())),
            }
            if into.remaining() == 0 || (delivered && this.failure.is_some()) {
                return Poll::Ready(Ok(()));
            }
            if let Some(failure) = this.failure.take() {
                return Poll::Ready(Err(failure));
            }
            if rounds == ROUNDS_MAX {
                if delivered {
                    this.is_spent = true;
                    return Poll::Ready(Ok(()));
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            rounds += 1;
            match this.poll_receive(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => this.failure = Some(error),
                Poll::Pending if delivered => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Write for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // So that no more than one piece waits to be sent.
        ready!(self.poll_send(cx))?;
        let count = self.session.writer().write(bytes)?;
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What waits is sent by `poll_flush`.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.close_notified {
            self.close_notified = true;
            self.session.send_close_notify();
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The sending side of a stream as std knows it: where it would wait, it is `WouldBlock`, and wakes.
struct Sink<'a, 'b> {
    io: &'a mut dyn Stream,
    cx: &'a mut Context<'b>,
}

impl io::Write for Sink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        blocking(Pin::new(&mut *self.io).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        blocking(Pin::new(&mut *self.io).poll_write_vectored(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(Pin::new(&mut *self.io).poll_flush(self.cx))
    }
}

fn blocking<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

#[cfg(test)]
mod tests;
