//! All exchanges of a transport: slots, driven by the loop that owns them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{ActionId, Chunk, Completion, Event, Fault, FaultKind, FetchRequest, Head, NetAction, NetOp};
use dlmanager_tls::TlsConfig;
use http::Response;
use hyper::body::Incoming;
use slab::Slab;

use crate::Options;
use crate::body::Body;
use crate::client::{Client, Key};
use crate::connect::Connector;
use crate::fault;
use crate::link::Link;
use crate::origin::Origin;
use crate::pool::{Place, Pool};
use crate::runtime::{Runtime, Sleep};
use crate::slot::{Fetch, ReadBody, Slot, Work};
use crate::wake::{Alarm, ReadyList};

/// Executes network actions. See the [crate's documentation](crate).
pub struct Exchanges {
    options: Options,
    connector: Connector,
    slots: Slab<Slot>,
    bodies: BTreeMap<Key, Whereabouts>,
    /// How long a connection for these clients may take to be made.
    connect_timeouts: HashMap<Client, Duration>,
    pool: Pool,
    /// That of the last request, as the next one is likely to go there as well.
    recent_origin: Option<Arc<Origin>>,
    /// Runs until the first idle connection is due, or to no purpose.
    expiry: Option<Sleep>,
    expiry_alarm: Arc<Alarm>,
    expiry_waker: Waker,
    ready: Arc<ReadyList>,
    /// Keys to be polled next.
    queue: Vec<usize>,
    /// Events to be handed out next.
    outbox: Vec<(Client, Event)>,
    /// A call is under way, or the last one has panicked.
    is_at_work: bool,
}

/// Where an exchange is, between its `Fetch` and its `DropBody`.
enum Whereabouts {
    /// With the pool, waiting for a place at this origin.
    Waiting(Arc<Origin>),
    /// In the slot with this key.
    Slot(usize),
    /// Its body was delivered.
    Whole,
    /// It has failed or was aborted.
    Broken,
}

/// How a step of a slot's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// There may be more to do at once.
    Again,
    /// It waits, or is over.
    Rest,
}

/// The key in the ready list that stands for the expiry of idle connections. Slots never get there.
const EXPIRY: usize = usize::MAX;

impl Exchanges {
    /// No exchange and no connection yet; those to come are made by `runtime`, and for `https` secured by `tls`.
    #[must_use]
    pub fn new(runtime: impl Runtime, tls: TlsConfig, options: Options) -> Self {
        let ready = Arc::<ReadyList>::default();
        let expiry_alarm = Alarm::new(EXPIRY, &ready);
        Self {
            connector: Connector::new(Box::new(runtime), tls, &options),
            slots: Slab::new(),
            bodies: BTreeMap::new(),
            connect_timeouts: HashMap::new(),
            pool: Pool::new(&options),
            recent_origin: None,
            expiry: None,
            expiry_waker: Arc::clone(&expiry_alarm).into(),
            expiry_alarm,
            ready,
            queue: Vec::new(),
            outbox: Vec::new(),
            is_at_work: false,
            options,
        }
    }

    /// Takes an action on. Its events come from [`poll`](Self::poll), which has to be called before the loop sleeps: an
    /// action that was started wakes nobody.
    pub fn start(&mut self, action: NetAction) {
        self.start_for(Client::default(), action);
    }

    /// Cuts an action short: a `Fetch` is answered as aborted and its connection closed, a `ReadBody` is answered as
    /// aborted and its body stays as it was. An action that is answered already, or is none, is passed over.
    ///
    /// As with [`start`](Self::start), [`poll`](Self::poll) has to be called afterwards.
    pub fn abort(&mut self, target: ActionId) {
        self.abort_for(Client::default(), target);
    }

    /// Does what can be done now and appends what has happened to `events`. Where more may happen later, `cx` is woken.
    ///
    /// # Panics
    ///
    /// Where the runtime does. What it was called for is lost then, without an answer, and its place is free again.
    pub fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>) {
        self.run_woken();
        events.extend(self.outbox.drain(..).map(|(_, event)| event));
        self.rest(cx);
    }

    /// From now on a connection for this client may take so long to be made, its host's resolving and the TLS handshake
    /// included, and fails then. Waiting for a place at a full origin does not count: that is why the time is kept here
    /// where connections are shared. Elsewhere, who has asked for an exchange ends it.
    ///
    /// As the timer may be made with the action, actions have to be started where exchanges are polled: within the
    /// runtime.
    pub fn set_connect_timeout(&mut self, client: Client, timeout: Duration) {
        self.connect_timeouts.insert(client, timeout);
    }

    /// As [`start`](Self::start), for one of several clients. Its events come from [`poll_all`](Self::poll_all).
    pub fn start_for(&mut self, client: Client, action: NetAction) {
        let key = Key { client, body: action.body() };
        self.work(|this| match action.op {
            NetOp::Fetch { ticket, request, .. } => this.fetch(Fetch { ticket, key, request, read: None }),
            NetOp::ReadBody { ticket, bytes_max, .. } => this.read_body(key, ReadBody { ticket, bytes_max }),
            NetOp::DropBody { ticket, .. } => {
                this.drop_body(key);
                this.completed(client, ticket.done(Ok(())));
            }
        });
    }

    /// As [`abort`](Self::abort), for one of several clients.
    pub fn abort_for(&mut self, client: Client, target: ActionId) {
        self.work(|this| this.abort_one(client, target));
    }

    fn abort_one(&mut self, client: Client, target: ActionId) {
        let keys: Vec<_> = self.bodies.keys().copied().filter(|key| key.client == client).collect();
        for key in keys {
            let (fetch, read) = self.asked(key);
            if fetch == Some(target) {
                self.drop_body(key);
                self.bodies.insert(key, Whereabouts::Broken);
                return;
            }
            if let Some(read) = read.and_then(|read| read.take_if(|read| read.ticket.id() == target)) {
                self.completed(client, Completion::aborted(read.ticket.id()));
                return;
            }
        }
    }

    /// Ends all exchanges of a client, which hears no more of them: [`poll_all`](Self::poll_all) has no events for it
    /// afterwards.
    pub fn leave(&mut self, client: Client) {
        let keys: Vec<_> = self.bodies.keys().copied().filter(|key| key.client == client).collect();
        self.work(|this| keys.into_iter().for_each(|key| this.drop_body(key)));
        self.outbox.retain(|(of, _)| *of != client);
        self.connect_timeouts.remove(&client);
    }

    /// As [`poll`](Self::poll), for several clients: says whose each event is.
    ///
    /// # Panics
    ///
    /// Where the runtime does.
    pub fn poll_all(&mut self, cx: &mut Context<'_>, events: &mut Vec<(Client, Event)>) {
        self.run_woken();
        events.append(&mut self.outbox);
        self.rest(cx);
    }

    fn run_woken(&mut self) {
        self.work(|this| {
            this.ready.take_into(&mut this.queue);
            let mut next = 0;
            while let Some(&key) = this.queue.get(next) {
                next += 1;
                this.run(key);
            }
            this.queue.clear();
        });
    }

    /// Does what may call the runtime, which may panic: what it was called for is cleared away by the next call.
    fn work(&mut self, work: impl FnOnce(&mut Self)) {
        if mem::replace(&mut self.is_at_work, true) {
            self.clear_away();
        }
        work(self);
        self.is_at_work = false;
    }

    /// Closes what was lost in a panic.
    fn clear_away(&mut self) {
        let is_lost = |slot: &Slot| matches!(slot.work, Work::Vacant);
        let lost: Vec<_> = self.slots.iter().filter(|(_, slot)| is_lost(slot)).map(|(key, _)| key).collect();
        for whereabouts in self.bodies.values_mut() {
            if matches!(whereabouts, Whereabouts::Slot(slot) if lost.contains(slot)) {
                *whereabouts = Whereabouts::Broken;
            }
        }
        for slot in lost {
            self.pool.unpark(slot);
            self.close(slot);
        }
    }

    /// Arranges for the next poll.
    fn rest(&mut self, cx: &Context<'_>) {
        // What was woken meanwhile. Most of it was about things that were then seen.
        let mut woken = mem::take(&mut self.queue);
        self.ready.take_into(&mut woken);
        woken.retain(|&key| self.still_wants(key));
        self.queue = woken;
        if !self.queue.is_empty() {
            cx.waker().wake_by_ref();
        }
        self.ready.sleep(cx.waker());
    }

    fn still_wants(&self, key: usize) -> bool {
        match self.slots.get(key) {
            Some(slot) => slot.alarm.clear() && slot.work.wants_news(),
            None => key == EXPIRY && self.expiry_alarm.clear(),
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        if self.bodies.contains_key(&fetch.key) {
            return self.fail(fetch, Fault::new(FaultKind::Busy).with_detail("the exchange exists already"));
        }
        let origin = match self.origin_of(&fetch.request) {
            Ok(origin) => origin,
            Err(fault) => {
                self.bodies.insert(fetch.key, Whereabouts::Broken);
                return self.fail(fetch, fault);
            }
        };
        match self.pool.take_place(&origin) {
            Place::Idle(slot) => {
                let Work::Idle { link } = self.take_work(slot) else {
                    unreachable!("the pool knows as idle only what is");
                };
                self.request(slot, fetch, link);
            }
            Place::New => self.connect(origin, fetch),
            Place::Full => {
                self.bodies.insert(fetch.key, Whereabouts::Waiting(Arc::clone(&origin)));
                self.pool.wait(&origin, fetch);
            }
        }
    }

    fn origin_of(&mut self, request: &FetchRequest) -> Result<Arc<Origin>, Fault> {
        let recent = self.recent_origin.as_ref().filter(|origin| origin.is_that_of(request.uri()));
        if let Some(origin) = recent {
            return Ok(Arc::clone(origin));
        }
        let origin = Arc::new(Origin::of(request.uri())?);
        Ok(Arc::clone(self.recent_origin.insert(origin)))
    }

    fn read_body(&mut self, key: Key, read: ReadBody) {
        let answer = match self.bodies.get(&key) {
            Some(Whereabouts::Waiting(_) | Whereabouts::Slot(_)) => match self.asked(key) {
                (_, Some(place @ None)) => {
                    *place = Some(read);
                    if let Some(&Whereabouts::Slot(slot)) = self.bodies.get(&key) {
                        self.queue.push(slot);
                    }
                    return;
                }
                _ => Err(Fault::new(FaultKind::Busy).with_detail("the body is being read already")),
            },
            Some(Whereabouts::Whole) => Ok(end_of_body()),
            Some(Whereabouts::Broken) | None => Err(FaultKind::Skipped.into()),
        };
        self.completed(key.client, read.ticket.done(answer));
    }

    /// Ends an exchange, wherever it is, and forgets it.
    fn drop_body(&mut self, key: Key) {
        match self.bodies.remove(&key) {
            Some(Whereabouts::Waiting(origin)) => {
                if let Some(fetch) = self.pool.withdraw(&origin, key) {
                    self.aborted(key.client, Some(fetch.ticket.id()), fetch.read);
                }
            }
            Some(Whereabouts::Slot(slot)) => match self.take_work(slot) {
                Work::Connecting { fetch, .. } | Work::Requesting { fetch, .. } => {
                    self.aborted(key.client, Some(fetch.ticket.id()), fetch.read);
                    self.close(slot);
                }
                Work::Receiving { incoming, link, read, .. } => {
                    self.aborted(key.client, None, read);
                    if incoming.is_whole() {
                        self.recycle(slot, link);
                    } else {
                        drop(link);
                        self.close(slot);
                    }
                }
                Work::Idle { .. } | Work::Vacant => unreachable!("an exchange leaves its slot before the slot is idle"),
            },
            Some(Whereabouts::Whole | Whereabouts::Broken) | None => {}
        }
    }

    /// What is asked for of an exchange: its unanswered `Fetch`, and the place of its read.
    fn asked(&mut self, key: Key) -> (Option<ActionId>, Option<&mut Option<ReadBody>>) {
        match self.bodies.get(&key) {
            Some(Whereabouts::Waiting(origin)) => match self.pool.waiting(origin, key) {
                Some(fetch) => (Some(fetch.ticket.id()), Some(&mut fetch.read)),
                None => (None, None),
            },
            Some(&Whereabouts::Slot(slot)) => match self.slots.get_mut(slot) {
                Some(slot) => slot.work.asked(),
                None => (None, None),
            },
            Some(Whereabouts::Whole | Whereabouts::Broken) | None => (None, None),
        }
    }

    /// Polls what stands under a key, until it waits for something.
    fn run(&mut self, key: usize) {
        if key == EXPIRY {
            return self.expire();
        }
        while self.step(key) == Next::Again {}
    }

    /// Takes the work in a slot to its next stage.
    fn step(&mut self, key: usize) -> Next {
        let Some(slot) = self.slots.get_mut(key) else { return Next::Rest };
        // What is polled now sees all that it could have been woken for before.
        slot.alarm.clear();
        let mut cx = Context::from_waker(&slot.waker);
        match mem::replace(&mut slot.work, Work::Vacant) {
            Work::Connecting { fetch, mut connecting } => match connecting.as_mut().poll(&mut cx) {
                Poll::Pending => {
                    slot.work = Work::Connecting { fetch, connecting };
                    Next::Rest
                }
                Poll::Ready(Ok(link)) => {
                    self.request(key, fetch, link);
                    Next::Again
                }
                Poll::Ready(Err(fault)) => self.break_off(key, fetch, fault),
            },
            Work::Requesting { fetch, mut link, mut responding } => {
                link.drive(&mut cx);
                // Only `drive` makes it ready. Still it has to be able to wake: within tokio its channel says `Pending`
                // where the budget for this poll is used up, whether it has something or not, and wakes later.
                match responding.as_mut().poll(&mut cx) {
                    Poll::Pending => {
                        slot.work = Work::Requesting { fetch, link, responding };
                        Next::Rest
                    }
                    Poll::Ready(Ok(response)) => {
                        self.respond(key, fetch, link, response);
                        Next::Again
                    }
                    Poll::Ready(Err(refused)) => {
                        let unsent = refused.message().is_some();
                        self.unanswered(key, fetch, &link, unsent, &refused.into_error())
                    }
                }
            }
            Work::Receiving { key: exchange, incoming, link, read } if incoming.is_delivered() => {
                self.bodies.insert(exchange, Whereabouts::Whole);
                if let Some(read) = read {
                    self.completed(exchange.client, read.ticket.done(Ok(end_of_body())));
                }
                self.recycle(key, link);
                Next::Rest
            }
            Work::Receiving { key: exchange, mut incoming, mut link, read: Some(read) } => {
                match incoming.poll_chunk(&mut link, &mut cx, read.bytes_max) {
                    Poll::Pending => {
                        slot.work = Work::Receiving { key: exchange, incoming, link, read: Some(read) };
                        Next::Rest
                    }
                    Poll::Ready(Ok(chunk)) => {
                        slot.work = Work::Receiving { key: exchange, incoming, link, read: None };
                        self.completed(exchange.client, read.ticket.done(Ok(chunk)));
                        Next::Again
                    }
                    Poll::Ready(Err(fault)) => {
                        self.completed(exchange.client, read.ticket.done(Err(fault)));
                        self.bodies.insert(exchange, Whereabouts::Broken);
                        drop(link);
                        self.close(key);
                        Next::Rest
                    }
                }
            }
            work @ Work::Receiving { read: None, .. } => {
                slot.work = work;
                Next::Rest
            }
            Work::Idle { mut link } => {
                link.drive(&mut cx);
                if link.has_ended() {
                    self.pool.unpark(key);
                    self.close(key);
                } else {
                    slot.work = Work::Idle { link };
                }
                Next::Rest
            }
            Work::Vacant => Next::Rest,
        }
    }

    /// Begins an exchange on a new connection; the pool has counted it.
    fn connect(&mut self, origin: Arc<Origin>, fetch: Fetch) {
        let connect_timeout = self.connect_timeouts.get(&fetch.key.client).copied();
        let entry = self.slots.vacant_entry();
        let key = entry.key();
        let alarm = Alarm::new(key, &self.ready);
        let waker = Arc::clone(&alarm).into();
        self.bodies.insert(fetch.key, Whereabouts::Slot(key));
        // First, as the runtime may panic.
        let slot = entry.insert(Slot { origin, alarm, waker, work: Work::Vacant });
        let connecting = self.connector.connect(&slot.origin, connect_timeout);
        slot.work = Work::Connecting { fetch, connecting };
        self.queue.push(key);
    }

    /// Sends a request on a connection that stands.
    fn request(&mut self, key: usize, fetch: Fetch, mut link: Box<Link>) {
        self.outbox.push((fetch.key.client, Event::Connected(fetch.ticket.id())));
        self.bodies.insert(fetch.key, Whereabouts::Slot(key));
        let responding = link.send(&fetch.request);
        self.put_work(key, Work::Requesting { fetch, link, responding });
        self.queue.push(key);
    }

    /// The head of a reply has come.
    fn respond(&mut self, key: usize, fetch: Fetch, link: Box<Link>, response: Response<Incoming>) {
        link.gauge().head_received();
        let (parts, incoming) = response.into_parts();
        let head = Head { version: parts.version, status: parts.status, headers: parts.headers };
        self.completed(fetch.key.client, fetch.ticket.done(Ok(Box::new(head))));
        let incoming = Box::new(Body::new(incoming));
        self.put_work(key, Work::Receiving { key: fetch.key, incoming, link, read: fetch.read });
    }

    /// No head has come, and none will.
    fn unanswered(&mut self, key: usize, fetch: Fetch, link: &Link, unsent: bool, error: &hyper::Error) -> Next {
        let begun = link.gauge().has_reply_begun();
        // A server may close a kept connection at any time. Where it cannot have answered, and may be asked twice, the
        // request goes out once more (RFC 9112 section 9.3.1), on a connection that is new.
        let stale = link.was_reused() && (unsent || (!begun && fetch.request.method().is_safe()));
        if !stale {
            return self.break_off(key, fetch, fault::of_head(error, link.gauge(), &self.options));
        }
        let Some(slot) = self.slots.get_mut(key) else { return Next::Rest };
        let connect_timeout = self.connect_timeouts.get(&fetch.key.client).copied();
        let connecting = self.connector.connect(&slot.origin, connect_timeout);
        slot.work = Work::Connecting { fetch, connecting };
        Next::Again
    }

    /// A `Fetch` in a slot has failed.
    fn break_off(&mut self, key: usize, fetch: Fetch, fault: Fault) -> Next {
        self.bodies.insert(fetch.key, Whereabouts::Broken);
        self.fail(fetch, fault);
        self.close(key);
        Next::Rest
    }

    /// Answers a `Fetch`, and the read that was asked for behind it.
    fn fail(&mut self, fetch: Fetch, fault: Fault) {
        self.completed(fetch.key.client, fetch.ticket.done(Err(fault)));
        if let Some(read) = fetch.read {
            self.completed(fetch.key.client, read.ticket.done(Err(FaultKind::Skipped.into())));
        }
    }

    fn aborted(&mut self, client: Client, fetch: Option<ActionId>, read: Option<ReadBody>) {
        let read = read.map(|read| read.ticket.id());
        for id in fetch.into_iter().chain(read) {
            self.completed(client, Completion::aborted(id));
        }
    }

    fn completed(&mut self, client: Client, completion: Completion) {
        self.outbox.push((client, Event::Completed(completion)));
    }

    /// The exchange in a slot has received all: its connection serves the next one, becomes idle, or is closed.
    fn recycle(&mut self, key: usize, mut link: Box<Link>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.alarm.clear();
        // Sees excess bytes and an end that followed the body at once.
        link.drive(&mut Context::from_waker(&slot.waker));
        if !link.is_reusable() {
            drop(link);
            return self.close(key);
        }
        let origin = Arc::clone(&slot.origin);
        if let Some(fetch) = self.pool.next_for_connection(&origin) {
            return self.request(key, fetch, link);
        }
        slot.work = Work::Idle { link };
        if let Some(surplus) = self.pool.park(key, &origin, self.connector.runtime.now()) {
            self.close(surplus);
        }
        if self.expiry.is_none() {
            self.queue.push(EXPIRY);
        }
    }

    /// Closes what is left in a slot and gives its place away.
    fn close(&mut self, key: usize) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        // First, so that the new connection does not stand beside it; and should that panic, the slot is still found.
        drop(mem::replace(&mut slot.work, Work::Vacant));
        let slot = self.slots.remove(key);
        if let Some(fetch) = self.pool.closed(&slot.origin) {
            self.connect(slot.origin, fetch);
        }
    }

    /// Closes the idle connections whose time is over.
    fn expire(&mut self) {
        self.expiry_alarm.clear();
        loop {
            if let Some(expiry) = &mut self.expiry
                && expiry.as_mut().poll(&mut Context::from_waker(&self.expiry_waker)).is_pending()
            {
                return;
            }
            let now = self.connector.runtime.now();
            while let Some(key) = self.pool.expired(now) {
                self.close(key);
            }
            match self.pool.next_expiry() {
                Some(due) => self.expiry = Some(self.connector.runtime.sleep_until(due)),
                None => return self.expiry = None,
            }
        }
    }

    fn take_work(&mut self, key: usize) -> Work {
        self.slots.get_mut(key).map_or(Work::Vacant, |slot| mem::replace(&mut slot.work, Work::Vacant))
    }

    fn put_work(&mut self, key: usize, work: Work) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.work = work;
        }
    }
}

fn end_of_body() -> Chunk {
    Chunk { data: Bytes::new(), pinned: 0, last: true }
}

impl fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanges")
            .field("connections", &self.slots.len())
            .field("exchanges", &self.bodies.len())
            .finish_non_exhaustive()
    }
}
