//! A body: from hyper's frames to the core's chunks.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use dlmanager_core::{Chunk, Fault};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::fault;
use crate::link::Link;

/// A chunk keeps no more than this many times its length alive. Whoever adds up what is kept would otherwise take a few
/// chunks of some KiB for a megabyte, and stop to read before there is enough to be written.
const PINNED_RATIO_MAX: usize = 16;

/// Frames of up to this length are small: where several are ready, they are gathered into one chunk.
const SMALL_BYTES_MAX: usize = 4 * 1024;

/// So much is gathered at most.
const GATHER_BYTES_MAX: usize = 16 * 1024;

/// A body that is being received.
///
/// It holds at most two frames, of which hyper's read buffer is a bound, beside the one frame and the buffer that hyper
/// holds; while nobody reads, nothing more is received.
#[derive(Debug)]
pub(crate) struct Body {
    incoming: Incoming,
    /// Whether the length is known from the head, and with it the end.
    sized: bool,
    /// Received, and to be delivered first.
    front: Piece,
    /// Received after it.
    behind: Piece,
    end: End,
}

#[derive(Debug, Default)]
struct Piece {
    data: Bytes,
    /// See [`Chunk::pinned`].
    pinned: usize,
}

#[derive(Debug)]
enum End {
    /// More may come.
    Open,
    /// All is received.
    Whole,
    /// This came instead of the rest.
    Broken(Fault),
}

enum Frame {
    Data(Bytes),
    Whole,
    Broken(hyper::Error),
    NotYet,
}

impl Body {
    pub(crate) fn new(incoming: Incoming) -> Self {
        let end = if incoming.is_end_stream() { End::Whole } else { End::Open };
        let sized = incoming.size_hint().exact().is_some();
        Self { incoming, sized, front: Piece::default(), behind: Piece::default(), end }
    }

    /// All is received, whether it was delivered or not: the connection has no part in it any more.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.end, End::Whole)
    }

    /// All is received and delivered.
    pub(crate) fn is_delivered(&self) -> bool {
        self.is_whole() && self.front.data.is_empty()
    }

    /// The next chunk, of at most `bytes_max` bytes, or what broke the body off.
    pub(crate) fn poll_chunk(
        &mut self,
        link: &mut Link,
        cx: &mut Context<'_>,
        bytes_max: usize,
    ) -> Poll<Result<Chunk, Fault>> {
        if self.front.data.is_empty() {
            ready!(self.poll_receive(link, cx));
        }
        if !self.sized && self.behind.data.is_empty() {
            // Where the next frame tells whether there is one, look for it.
            self.look_ahead(link, cx);
        }
        if self.front.data.is_empty()
            && let End::Broken(fault) = &self.end
        {
            return Poll::Ready(Err(fault.clone()));
        }
        Poll::Ready(Ok(self.cut(bytes_max)))
    }

    /// Receives a frame, or the end, into the empty front.
    fn poll_receive(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.end, End::Open) {
            return Poll::Ready(());
        }
        let mut frame = self.take_frame();
        if matches!(frame, Frame::NotYet) {
            link.drive(cx);
            frame = self.take_frame();
        }
        match frame {
            Frame::Data(data) => self.front = Piece::of_buffer(data, link),
            Frame::Whole => self.end = End::Whole,
            Frame::Broken(error) => self.end = End::Broken(fault::of_body(&error)),
            Frame::NotYet => return Poll::Pending,
        }
        if self.sized && self.incoming.is_end_stream() {
            self.end = End::Whole;
        }
        Poll::Ready(())
    }

    /// Receives what is ready, as long as it is small; the first that is not is kept behind.
    fn look_ahead(&mut self, link: &mut Link, cx: &mut Context<'_>) {
        let mut gathered = BytesMut::new();
        while matches!(self.end, End::Open) {
            link.drive(cx);
            match self.take_frame() {
                Frame::Data(data) => {
                    let length = self.front.data.len() + gathered.len() + data.len();
                    if data.len() > SMALL_BYTES_MAX || length > GATHER_BYTES_MAX {
                        self.behind = Piece::of_buffer(data, link);
                        break;
                    }
                    gathered.extend_from_slice(&data);
                }
                Frame::Whole => self.end = End::Whole,
                Frame::Broken(error) => self.end = End::Broken(fault::of_body(&error)),
                Frame::NotYet => break,
            }
        }
        if !gathered.is_empty() {
            let mut whole = BytesMut::with_capacity(self.front.data.len() + gathered.len());
            whole.extend_from_slice(&self.front.data);
            whole.extend_from_slice(&gathered);
            self.front = Piece { pinned: whole.len(), data: whole.freeze() };
        }
    }

    /// What hyper has received. Its only producer is [`Link::drive`], so that nobody has to be woken by it.
    fn take_frame(&mut self) -> Frame {
        let mut nobody = Context::from_waker(Waker::noop());
        loop {
            match Pin::new(&mut self.incoming).poll_frame(&mut nobody) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Frame::Data(data),
                    // Trailers are not asked for.
                    Ok(_) | Err(_) => {}
                },
                Poll::Ready(Some(Err(error))) => return Frame::Broken(error),
                Poll::Ready(None) => return Frame::Whole,
                Poll::Pending => return Frame::NotYet,
            }
        }
    }

    /// Cuts a chunk off the front.
    fn cut(&mut self, bytes_max: usize) -> Chunk {
        let count = self.front.data.len().min(bytes_max.max(1));
        let piece = if count == self.front.data.len() {
            mem::replace(&mut self.front, mem::take(&mut self.behind))
        } else {
            Piece { data: self.front.data.split_to(count), pinned: self.front.pinned }
        };
        let Piece { data, pinned } = piece.unpinned();
        Chunk { data, pinned, last: self.is_delivered() }
    }
}

impl Piece {
    fn of_buffer(data: Bytes, link: &Link) -> Self {
        Self { pinned: link.gauge().buffer_bytes().max(data.len()), data }
    }

    /// The same, copied where it keeps much more alive than it has.
    fn unpinned(self) -> Self {
        let length = self.data.len();
        if self.pinned <= length.saturating_mul(PINNED_RATIO_MAX) {
            return self;
        }
        Self { data: Bytes::copy_from_slice(&self.data), pinned: length }
    }
}
