//! Between managers and the transport that they share: orders one way, events the other.

use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use dlmanager_core::{ActionId, Event, Fault, FaultKind, NetAction, NetOp};
use dlmanager_exchange::Client;

use super::Kind;
use crate::sync::{lock, wake};
use crate::{OpenError, Transport};

/// Said where the transport's runtime was shut down.
const ENDED: &str = "the shared transport has ended, as its runtime was shut down";

/// Where managers leave their orders.
#[derive(Default)]
pub(super) struct Line {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    orders: Vec<Order>,
    hub: Option<Waker>,
    clients: u64,
    /// Nobody has a handle any more.
    hung_up: bool,
    /// Nobody takes orders any more.
    ended: bool,
}

/// What a client wants.
pub(super) struct Order {
    pub(super) client: Client,
    pub(super) what: What,
}

pub(super) enum What {
    Join { connect_timeout: Duration, mailbox: Arc<Mailbox> },
    Start(NetAction),
    Abort(ActionId),
    Leave,
}

impl Line {
    /// Gives an order, which comes back where nobody takes it any more.
    fn give(&self, order: Order) -> Result<(), Order> {
        let hub = {
            let mut state = lock(&self.state);
            if state.ended {
                return Err(order);
            }
            state.orders.push(order);
            state.hub.take()
        };
        hub.into_iter().for_each(wake);
        Ok(())
    }

    /// Takes the orders, and says whether there is nobody left to give more; `waker` is woken when there are more.
    pub(super) fn take(&self, orders: &mut Vec<Order>, waker: Waker) -> bool {
        let mut state = lock(&self.state);
        orders.append(&mut state.orders);
        let (old, hung_up) = (state.hub.replace(waker), state.hung_up);
        drop(state);
        drop(old);
        hung_up
    }

    /// No order is taken from now on. Takes those that nobody has taken.
    pub(super) fn end(&self) -> Vec<Order> {
        let mut state = lock(&self.state);
        state.ended = true;
        let (orders, old) = (mem::take(&mut state.orders), state.hub.take());
        drop(state);
        drop(old);
        orders
    }
}

/// What keeps the transport alive.
pub(super) struct Handle(Arc<Line>);

impl Handle {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn line(&self) -> Arc<Line> {
        Arc::clone(&self.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let hub = {
            let mut state = lock(&self.0.state);
            state.hung_up = true;
            state.hub.take()
        };
        hub.into_iter().for_each(wake);
    }
}

/// Where a manager finds its events.
#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<Mail>,
}

#[derive(Default)]
struct Mail {
    events: Vec<Event>,
    waker: Option<Waker>,
}

impl Mailbox {
    /// Returns whom to wake.
    pub(super) fn post(&self, events: &mut Vec<Event>) -> Option<Waker> {
        let mut mail = lock(&self.state);
        mail.events.append(events);
        mail.waker.take()
    }

    fn take(&self, events: &mut Vec<Event>, waker: Waker) {
        let mut mail = lock(&self.state);
        events.append(&mut mail.events);
        let old = mail.waker.replace(waker);
        drop(mail);
        drop(old);
    }
}

/// A manager's place at a shared transport. Dropped, it ends what the manager had under way.
pub(super) struct Seat {
    /// Keeps the transport alive, as the manager does not.
    _kind: Arc<Kind>,
    line: Arc<Line>,
    client: Client,
    mailbox: Arc<Mailbox>,
    /// Answers to what nobody took.
    own: Vec<Event>,
}

impl Seat {
    pub(super) fn take(kind: &Arc<Kind>, Handle(line): &Handle, connect_timeout: Duration) -> Result<Self, OpenError> {
        let client = {
            let mut state = lock(&line.state);
            state.clients += 1;
            Client::new(state.clients)
        };
        let mailbox = Arc::<Mailbox>::default();
        let what = What::Join { connect_timeout, mailbox: Arc::clone(&mailbox) };
        line.give(Order { client, what }).map_err(|_| OpenError::Start(ENDED.into()))?;
        Ok(Self { _kind: Arc::clone(kind), line: Arc::clone(line), client, mailbox, own: Vec::new() })
    }
}

impl Transport for Seat {
    fn start(&mut self, action: NetAction) {
        let refused = self.line.give(Order { client: self.client, what: What::Start(action) });
        if let Err(Order { what: What::Start(action), .. }) = refused {
            let answer = match action.op {
                // There is nothing left to be dropped.
                NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
                _ => action.fail(Fault::new(FaultKind::Io).with_detail(ENDED)),
            };
            self.own.push(Event::Completed(answer));
        }
    }

    fn abort(&mut self, target: ActionId) {
        // What was started before the end is answered by the end.
        let _ = self.line.give(Order { client: self.client, what: What::Abort(target) });
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        events.append(&mut self.own);
        self.mailbox.take(events, context.waker().clone());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Refused where the transport has ended, and all with it.
        let _ = self.line.give(Order { client: self.client, what: What::Leave });
    }
}
