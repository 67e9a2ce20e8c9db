//! Tickets: the right to complete an action, once, with an answer of the right type.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use bytes::Bytes;

use crate::action::{Chunk, Deleted, FileStat, Head, Opened, Probed, ScanBatch};
use crate::{ActionId, Digests, Fault, FaultKind, Gauged, Stamp};

/// The right and duty to complete one action.
///
/// It cannot be cloned, and completing it consumes it, so answering twice or with another operation's result does not
/// compile:
///
/// ```compile_fail
/// # fn twice(ticket: dlmanager_core::Ticket<dlmanager_core::op::Sync>) {
/// let first = ticket.done(Ok(()));
/// let second = ticket.done(Ok(())); // use of moved value
/// # }
/// ```
///
/// A driver keeps [`id`](Self::id) beside code that may panic or drop the ticket, and answers
/// [`Completion::aborted`] when that happened.
#[must_use = "an action that is never completed keeps its download from ending"]
pub struct Ticket<O: Op> {
    id: ActionId,
    op: PhantomData<fn(O)>,
}

impl<O: Op> Ticket<O> {
    pub(crate) const fn new(id: ActionId) -> Self {
        Self { id, op: PhantomData }
    }

    /// The action that this ticket stands for.
    pub const fn id(&self) -> ActionId {
        self.id
    }

    /// The completion of this action, to be handed to the core.
    pub fn done(self, result: Result<O::Out, Fault>) -> Completion {
        Completion { id: self.id, answer: O::erase(result) }
    }
}

impl<O: Op> fmt::Debug for Ticket<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.id.serial)
    }
}

/// The answer to one action, on its way to the core.
///
/// ```
/// use dlmanager_core::{Action, Config, Event, FaultKind, Instant, Manager, Output, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// manager.download(Instant::ZERO, Request::new("https://example.org/a")?)?;
/// let _started = manager.poll();
/// let Output::Action(Action::File(action)) = manager.poll() else { unreachable!() };
/// let completion = action.fail(FaultKind::ReadOnly.into());
/// assert!(completion.is_failure()); // so what is behind it in its epoch is skipped
/// manager.handle(Instant::ZERO, Event::Completed(completion));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "hand it to `Manager::handle` as `Event::Completed`"]
#[derive(Debug)]
pub struct Completion {
    pub(crate) id: ActionId,
    pub(crate) answer: Answer,
}

impl Completion {
    /// The completion of an action whose ticket was lost: the code that held it panicked or was dropped.
    ///
    /// What the action did is then unknown, and the core assumes neither success nor failure.
    pub const fn aborted(id: ActionId) -> Self {
        Self { id, answer: Answer::Aborted }
    }

    /// The action that is answered.
    pub const fn id(&self) -> ActionId {
        self.id
    }

    /// Whether the action did not work, so that the rest of its epoch is to be answered with
    /// [`FaultKind::Skipped`](crate::FaultKind::Skipped).
    pub const fn is_failure(&self) -> bool {
        self.answer.is_failure()
    }

    /// A completion that no ticket stands for, for drivers under hostile test.
    #[cfg(feature = "testing")]
    pub const fn forge(id: ActionId, answer: Answer) -> Self {
        Self { id, answer }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// An operation that a [`Ticket`] can stand for. Sealed: the core defines them all, in [`op`].
///
/// ```
/// use dlmanager_core::{Completion, Fault, Op, Ticket};
///
/// // One function for all operations: the compiler holds each to its own answer.
/// fn execute<O: Op>(ticket: Ticket<O>, run: impl FnOnce() -> Result<O::Out, Fault>) -> Completion {
///     ticket.done(run())
/// }
/// ```
pub trait Op: sealed::Sealed {
    /// What the operation yields when it works.
    type Out;

    #[doc(hidden)]
    fn erase(result: Result<Self::Out, Fault>) -> Answer;
}

/// An operation, as the ledger of unanswered actions knows it.
pub(crate) trait Kinded: Op {
    const KIND: Kind;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident -> $out:ty,)*) => {
        /// The operations, as types: each names what its ticket may be completed with.
        pub mod op {
            $($(#[$doc])* #[derive(Debug)] pub enum $name {})*
        }

        $(
            impl sealed::Sealed for op::$name {}
            impl Op for op::$name {
                type Out = $out;

                fn erase(result: Result<Self::Out, Fault>) -> Answer {
                    Answer::$name(result)
                }
            }
        )*

        /// A completed operation's result, with the type erased.
        #[derive(Debug)]
        pub enum Answer {
            $($(#[$doc])* $name(Result<$out, Fault>),)*
            /// The ticket was lost; what the operation did is unknown.
            Aborted,
        }

        impl Answer {
            const fn is_failure(&self) -> bool {
                match self {
                    $(Self::$name(result) => result.is_err(),)*
                    Self::Aborted => true,
                }
            }

            const fn kind(&self) -> Option<Kind> {
                match self {
                    $(Self::$name(_) => Some(Kind::$name),)*
                    Self::Aborted => None,
                }
            }
        }

        /// Which operation it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind { $($name,)* }

        $(impl Kinded for op::$name { const KIND: Kind = Kind::$name; })*

        impl Kind {
            /// What an action of this kind was answered. An answer of another kind cannot be made with tickets; a forged one
            /// says no more than that the ticket is lost.
            pub(crate) fn answer(self, answer: Answer) -> Answer {
                if answer.kind() == Some(self) {
                    return answer;
                }
                let fault = Fault::new(FaultKind::Aborted);
                match self {
                    $(Self::$name => Answer::$name(Err(fault)),)*
                }
            }
        }
    };
}

operations! {
    /// Sends a request; yields the head of the reply.
    Fetch -> Box<Head>,
    /// Reads what is ready of a body; yields it.
    ReadBody -> Chunk,
    /// Ends an exchange.
    DropBody -> (),
    /// Finds out what the file system and the machine can do.
    Probe -> Probed,
    /// Finds out what the clock and the disk say.
    Gauge -> Gauged,
    /// Makes a folder and its parents.
    MakeDir -> (),
    /// Reads a batch of the directory's entries; yields them.
    Scan -> ScanBatch,
    /// Looks at a name; yields what stands there, `None` where nothing does.
    Stat -> Option<FileStat>,
    /// Opens a file; yields whether it was made, and its length.
    Open -> Opened,
    /// Reads at an offset; yields the bytes.
    Read -> Bytes,
    /// Writes at an offset; yields the emptied vector back, to be used again.
    Write -> Vec<Bytes>,
    /// Cuts a file.
    Truncate -> (),
    /// Stamps an open file.
    SetTimes -> (),
    /// Adds to a file's running digests; yields them.
    Hash -> Digests,
    /// Notes a file's digests with it.
    KeepDigests -> (),
    /// Flushes a file to the disk.
    Sync -> (),
    /// Compares a file with what it should be.
    Finish -> (),
    /// Gives a file its final name.
    Rename -> (),
    /// Flushes a folder's names to the disk.
    SyncDir -> (),
    /// Deletes a batch of names; yields what became of each, in their order.
    Delete -> Vec<Deleted>,
    /// Stamps a file as accessed now; yields the stamp that it bears afterwards.
    Touch -> Stamp,
    /// Takes the exclusive lock of an open file; yields its length in bytes, which nobody else changes from then on.
    Lock -> u64,
    /// Gives a lock back.
    Unlock -> (),
    /// Closes a file or ends a scan.
    Close -> (),
}
