//! Pipes in memory, and the runtime that connects with them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use dlmanager_core::Fault;
use dlmanager_exchange::{Connecting, Origin, Runtime, Sleep};
use hyper::rt::{Read, ReadBufCursor, Write};

/// How many bytes a pipe holds in each direction.
pub(crate) const CAPACITY: usize = 64 * 1024;

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub(crate) to_server: VecDeque<u8>,
    pub(crate) to_client: VecDeque<u8>,
    pub(crate) client_left: bool,
    reader: Option<Waker>,
}

impl Pipe {
    /// Sends as much as fits.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(CAPACITY - self.to_client.len());
        self.to_client.extend(&bytes[..count]);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        count
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: Instant,
    sleepers: Vec<Waker>,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) connecting: usize,
    pub(crate) hold_connecting: bool,
    pub(crate) refusal: Option<Fault>,
    /// So many of the next attempts to connect and reads panic.
    pub(crate) panics: usize,
}

/// The runtime, and what the other side does. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Pipes(Arc<Mutex<State>>);

impl Pipes {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            now: Instant::now(),
            sleepers: Vec::new(),
            pipes: Vec::new(),
            connecting: 0,
            hold_connecting: false,
            refusal: None,
            panics: 0,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic under the lock")
    }

    fn panic_if_told(&self) {
        let told = {
            let mut state = self.lock();
            let told = state.panics > 0;
            state.panics -= usize::from(told);
            told
        };
        // Outside the lock, which whatever is dropped by a panic takes as well.
        assert!(!told, "a runtime that panics, on purpose");
    }

    pub(crate) fn wake_sleepers(&self) {
        let sleepers = std::mem::take(&mut self.lock().sleepers);
        sleepers.into_iter().for_each(Waker::wake);
    }
}

/// Counts the attempts that are under way.
struct Attempt(Pipes);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.lock().connecting -= 1;
    }
}

impl Runtime for Pipes {
    fn connect(&self, _: &Origin) -> Connecting {
        let pipes = self.clone();
        Box::pin(async move {
            pipes.lock().connecting += 1;
            let _attempt = Attempt(pipes.clone());
            pipes.panic_if_told();
            if let Some(fault) = pipes.lock().refusal.clone() {
                return Err(fault);
            }
            if pipes.lock().hold_connecting {
                std::future::pending::<()>().await;
            }
            let mut state = pipes.lock();
            state.pipes.push(Pipe::default());
            let stream = ClientEnd { pipes: pipes.clone(), number: state.pipes.len() - 1 };
            Ok(Box::new(stream) as Box<_>)
        })
    }

    fn now(&self) -> Instant {
        self.lock().now
    }

    fn sleep_until(&self, due: Instant) -> Sleep {
        let pipes = self.clone();
        Box::pin(std::future::poll_fn(move |cx| {
            let mut state = pipes.lock();
            if state.now >= due {
                return Poll::Ready(());
            }
            state.sleepers.push(cx.waker().clone());
            Poll::Pending
        }))
    }
}

#[derive(Debug)]
struct ClientEnd {
    pipes: Pipes,
    number: usize,
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        self.pipes.lock().pipes[self.number].client_left = true;
    }
}

impl Read for ClientEnd {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.pipes.panic_if_told();
        let pipe = &mut self.pipes.lock().pipes[self.number];
        if pipe.to_client.is_empty() {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = pipe.to_client.len().min(into.remaining());
        into.put_slice(&pipe.to_client.drain(..count).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl Write for ClientEnd {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pipes.lock().pipes[self.number].to_server.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
