//! Sending bytes place by place, with what is to happen at each.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::{Connection, Interrupted};
use crate::reply::{Act, At, Cut};

/// A reply on its way out. Bytes gather here until something happens at their end or there are enough of them.
pub(crate) struct Output<'a> {
    connection: &'a Arc<Connection>,
    gathered: Vec<u8>,
    acts: VecDeque<(At, Act)>,
    head_bytes: usize,
}

/// Why a reply goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    Cut(Cut),
    Interrupted(Interrupted),
}

impl From<Interrupted> for Halt {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

impl<'a> Output<'a> {
    pub(crate) fn new(connection: &'a Arc<Connection>, mut acts: Vec<(At, Act)>) -> Self {
        // Stable: what is to happen at one place happens in the order given.
        acts.sort_by_key(|(at, _)| *at);
        Self { connection, gathered: Vec::new(), acts: acts.into(), head_bytes: 0 }
    }

    /// Does all that is to happen before or at this place and was not done yet; `at` has been reached.
    pub(crate) fn reach(&mut self, at: At) -> Result<(), Halt> {
        while self.acts.front().is_some_and(|(next, _)| *next <= at) {
            let Some((_, act)) = self.acts.pop_front() else { break };
            self.flush()?;
            match act {
                Act::Cut(cut) => return Err(Halt::Cut(cut)),
                Act::Stall => self.connection.wait(None, || false)?,
                Act::Pause(pause) => self.pause(pause)?,
                Act::Gate(gate) => {
                    gate.arrive(self.connection);
                    self.connection.wait(None, || gate.is_open())?;
                }
            }
        }
        Ok(())
    }

    /// Drops what was to happen before this place and was never reached.
    pub(crate) fn pass(&mut self, at: At) {
        while self.acts.front().is_some_and(|(next, _)| *next < at) {
            self.acts.pop_front();
        }
    }

    /// The next place within the body where something is to happen.
    pub(crate) fn next_in_body(&self) -> Option<u64> {
        match self.acts.front() {
            Some((At::Body(at), _)) => Some(*at),
            _ => None,
        }
    }

    /// Sends a part of the head, with what is to happen in it.
    pub(crate) fn head(&mut self, mut bytes: &[u8]) -> Result<(), Halt> {
        loop {
            self.reach(At::Head(self.head_bytes))?;
            let count = match self.acts.front() {
                Some((At::Head(at), _)) => bytes.len().min(at - self.head_bytes),
                _ => bytes.len(),
            };
            let (now, later) = bytes.split_at(count);
            self.bytes(now)?;
            self.head_bytes += count;
            bytes = later;
            if bytes.is_empty() {
                return self.reach(At::Head(self.head_bytes));
            }
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        const GATHERED_BYTES: usize = 64 * 1024;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED_BYTES { self.flush() } else { Ok(()) }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Halt> {
        let written = self.connection.wire.write_all(&self.gathered);
        self.gathered.clear();
        written.map_err(|_| {
            let stopped = self.connection.is_stopped();
            Halt::Interrupted(if stopped { Interrupted::Stopped } else { Interrupted::ClientLeft })
        })
    }

    pub(crate) fn pause(&mut self, pause: Duration) -> Result<(), Halt> {
        // A time that the clock cannot tell is forever.
        Ok(self.connection.wait(Instant::now().checked_add(pause), || false)?)
    }

    /// Sends what has gathered and waits until that moment.
    pub(crate) fn pause_until(&mut self, until: Instant) -> Result<(), Halt> {
        self.flush()?;
        Ok(self.connection.wait(Some(until), || false)?)
    }
}
