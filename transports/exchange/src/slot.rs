//! What a slot does: an exchange at one of its stages, or an idle connection.

use std::sync::Arc;
use std::task::Waker;

use dlmanager_core::{ActionId, FetchRequest, Ticket, op};

use crate::body::Body;
use crate::client::Key;
use crate::connect::Linking;
use crate::link::{Link, Responding};
use crate::origin::Origin;
use crate::wake::Alarm;

/// The place of one connection, from before it is made until it is closed.
pub(crate) struct Slot {
    pub(crate) origin: Arc<Origin>,
    pub(crate) alarm: Arc<Alarm>,
    /// Raises `alarm`.
    pub(crate) waker: Waker,
    pub(crate) work: Work,
}

/// What a slot does.
pub(crate) enum Work {
    /// Only while it is being looked at, and where that has panicked.
    Vacant,
    Connecting {
        fetch: Fetch,
        connecting: Linking,
    },
    Requesting {
        fetch: Fetch,
        link: Box<Link>,
        responding: Responding,
    },
    Receiving {
        key: Key,
        incoming: Box<Body>,
        link: Box<Link>,
        read: Option<ReadBody>,
    },
    Idle {
        link: Box<Link>,
    },
}

/// A `Fetch` that is not yet answered.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) ticket: Ticket<op::Fetch>,
    pub(crate) key: Key,
    pub(crate) request: Box<FetchRequest>,
    /// A `ReadBody` that was asked for already.
    pub(crate) read: Option<ReadBody>,
}

/// A `ReadBody` that is not yet answered.
#[derive(Debug)]
pub(crate) struct ReadBody {
    pub(crate) ticket: Ticket<op::ReadBody>,
    pub(crate) bytes_max: usize,
}

impl Work {
    /// Whether there is anything to do when its connection has news. A body that nobody reads has to wait: that is what
    /// holds its server back.
    pub(crate) fn wants_news(&self) -> bool {
        match self {
            Self::Vacant => false,
            Self::Connecting { .. } | Self::Requesting { .. } | Self::Idle { .. } => true,
            Self::Receiving { read, .. } => read.is_some(),
        }
    }

    /// The unanswered `Fetch`, and the read that is asked for or may be.
    pub(crate) fn asked(&mut self) -> (Option<ActionId>, Option<&mut Option<ReadBody>>) {
        match self {
            Self::Vacant | Self::Idle { .. } => (None, None),
            Self::Connecting { fetch, .. } | Self::Requesting { fetch, .. } => {
                (Some(fetch.ticket.id()), Some(&mut fetch.read))
            }
            Self::Receiving { read, .. } => (None, Some(read)),
        }
    }
}
