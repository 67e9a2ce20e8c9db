//! The task that a shared transport runs in.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dlmanager_core::{ActionId, Completion, Event, NetAction};
use dlmanager_exchange::Client;

use super::line::{Line, Mailbox, Order, What};
use crate::sync::{comes_back, wake};

/// A transport that knows its clients apart.
pub(crate) trait ForMany: Send + 'static {
    fn join(&mut self, client: Client, connect_timeout: Duration);
    /// Ends all that the client has under way, and has no events for it any more.
    fn leave(&mut self, client: Client);
    fn start(&mut self, client: Client, action: NetAction);
    fn abort(&mut self, client: Client, target: ActionId);
    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<(Client, Event)>);
}

macro_rules! for_many {
    ($transport:ty) => {
        impl ForMany for $transport {
            fn join(&mut self, client: Client, connect_timeout: Duration) {
                self.exchanges().set_connect_timeout(client, connect_timeout);
            }

            fn leave(&mut self, client: Client) {
                self.exchanges().leave(client);
            }

            fn start(&mut self, client: Client, action: NetAction) {
                self.exchanges().start_for(client, action);
            }

            fn abort(&mut self, client: Client, target: ActionId) {
                self.exchanges().abort_for(client, target);
            }

            fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<(Client, Event)>) {
                self.poll_all(context, events);
            }
        }
    };
}

#[cfg(feature = "tokio")]
for_many!(dlmanager_hyper::Hyper);
#[cfg(feature = "smol")]
for_many!(dlmanager_smol::Smol);

/// Carries orders to the transport and events back, until nobody is left.
pub(super) struct Hub {
    line: Arc<Line>,
    transport: Box<dyn ForMany>,
    clients: HashMap<Client, Account>,
    /// The clients with news to be delivered.
    told: Vec<Client>,
    // Kept for their capacity.
    orders: Vec<Order>,
    events: Vec<(Client, Event)>,
}

struct Account {
    mailbox: Arc<Mailbox>,
    /// What the transport owes, so that its panic can be answered for it.
    unanswered: HashSet<ActionId>,
    news: Vec<Event>,
}

impl Hub {
    pub(super) fn new(line: Arc<Line>, transport: Box<dyn ForMany>) -> Self {
        Self { line, transport, clients: HashMap::new(), told: Vec::new(), orders: Vec::new(), events: Vec::new() }
    }

    fn carry_out(&mut self, Order { client, what }: Order) {
        match what {
            What::Join { connect_timeout, mailbox } => {
                self.join(client, mailbox);
                self.call(|transport| transport.join(client, connect_timeout));
            }
            What::Start(action) => {
                if let Some(account) = self.clients.get_mut(&client) {
                    account.unanswered.insert(action.id());
                    self.call(|transport| transport.start(client, action));
                }
            }
            What::Abort(target) => self.call(|transport| transport.abort(client, target)),
            What::Leave => {
                self.clients.remove(&client);
                self.call(|transport| transport.leave(client));
            }
        }
    }

    fn join(&mut self, client: Client, mailbox: Arc<Mailbox>) {
        self.clients.insert(client, Account { mailbox, unanswered: HashSet::new(), news: Vec::new() });
    }

    /// Has the transport do something. Where it panics, all that is under way is lost, for everybody.
    fn call(&mut self, call: impl FnOnce(&mut dyn ForMany)) {
        if !comes_back(|| call(&mut *self.transport)) {
            self.lose();
        }
    }

    fn lose(&mut self) {
        for (client, account) in &mut self.clients {
            if account.news.is_empty() && !account.unanswered.is_empty() {
                self.told.push(*client);
            }
            account.news.extend(account.unanswered.drain().map(|id| Event::Completed(Completion::aborted(id))));
        }
    }

    /// Assigns the transport's events to their clients.
    fn sort(&mut self) {
        for (client, event) in self.events.drain(..) {
            let Some(account) = self.clients.get_mut(&client) else { continue };
            if let Event::Completed(completion) = &event {
                account.unanswered.remove(&completion.id());
            }
            if account.news.is_empty() {
                self.told.push(client);
            }
            account.news.push(event);
        }
    }

    fn deliver(&mut self) {
        for client in self.told.drain(..) {
            let Some(account) = self.clients.get_mut(&client) else { continue };
            account.mailbox.post(&mut account.news).into_iter().for_each(wake);
        }
    }
}

impl Future for Hub {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut orders = std::mem::take(&mut this.orders);
        let hung_up = this.line.take(&mut orders, context.waker().clone());
        for order in orders.drain(..) {
            this.carry_out(order);
        }
        this.orders = orders;
        if hung_up {
            return Poll::Ready(());
        }
        let Self { transport, events, .. } = this;
        let worked = comes_back(|| transport.poll(context, events));
        // What was yielded before a panic counts.
        this.sort();
        if !worked {
            // Who is told of it has something to be dropped, and by that the transport is called again.
            this.lose();
        }
        this.deliver();
        Poll::Pending
    }
}

impl Drop for Hub {
    /// Who still waits is told: the runtime is shut down.
    fn drop(&mut self) {
        for Order { client, what } in self.line.end() {
            match what {
                What::Join { mailbox, .. } => self.join(client, mailbox),
                What::Start(action) => {
                    if let Some(account) = self.clients.get_mut(&client) {
                        account.unanswered.insert(action.id());
                    }
                }
                What::Abort(_) => {}
                What::Leave => drop(self.clients.remove(&client)),
            }
        }
        self.lose();
        self.deliver();
    }
}

#[cfg(test)]
mod tests;
