//! The network: exchanges on their way, and what a program hears of them, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use dlmanager_core::{ActionId, Chunk, Completion, Event, Fault, FaultKind, Head, NetAction, NetOp, Ticket, op};
use http::StatusCode;
use http::header::{IF_RANGE, RANGE};

use crate::decisions::Stream;
use crate::disk::Blow;
use crate::marks::Mark;
use crate::oracle::Asked;
use crate::server::{Place, Reply};
use crate::sim::{Sim, State, What};

/// How long a byte of a body that trickles takes.
const DRIPS: u64 = 3_000_000_000;

/// What comes next of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// The server's answer to the wish for a connection.
    Connect,
    Head,
    Piece,
    Dropped,
}

/// A request and all that comes of it.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) place: Place,
    pub(crate) range: Option<u64>,
    if_range: Option<String>,
    pending: Option<Pending>,
    dropping: Option<Ticket<op::DropBody>>,
    pub(crate) reply: Option<Reply>,
    /// How much of the body was handed out, and how much of that the program has taken in.
    sent: usize,
    pub(crate) told: usize,
    /// The last piece was handed out, or taken in.
    says_last: bool,
    pub(crate) told_last: bool,
    pub(crate) head_told: bool,
    /// Why it broke.
    pub(crate) broken: Option<FaultKind>,
    /// The program has something to take in.
    has_news: bool,
    /// The file that was written from it when it was asked for.
    pub(crate) part: Option<String>,
    held: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Pending {
    Fetch(Ticket<op::Fetch>),
    Read(Ticket<op::ReadBody>, usize),
}

/// Bytes that tell when they are let go.
struct Tracked {
    bytes: Bytes,
    held: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Pending {
    const fn id(&self) -> ActionId {
        match self {
            Self::Fetch(ticket) => ticket.id(),
            Self::Read(ticket, _) => ticket.id(),
        }
    }

    fn fail(self, kind: FaultKind) -> Completion {
        match self {
            Self::Fetch(ticket) => ticket.done(Err(Fault::new(kind))),
            Self::Read(ticket, _) => ticket.done(Err(Fault::new(kind))),
        }
    }
}

impl Exchange {
    /// Where in the file the program is that reads it.
    pub(crate) fn reached(&self) -> u64 {
        self.reply.as_ref().map_or(0, |reply| reply.offset) + self.told as u64
    }

    /// The program has done with it.
    pub(crate) const fn is_dropped(&self) -> bool {
        self.dropping.is_some()
    }

    /// Its bytes that the program has not let go.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Sim {
    /// A program asks something of the network.
    pub(crate) fn net_start(self: &Arc<Self>, process: usize, action: NetAction) {
        self.hear(process);
        let strike = {
            let mut state = self.state();
            if !state.processes[process].is_alive {
                return;
            }
            state.actions += 1;
            let at = state.actions;
            state.strikes.iter().find(|strike| strike.at == at).map(|strike| strike.how)
        };
        if let Some(Blow::Dies | Blow::PowerLost) = strike {
            return self.die(process, strike == Some(Blow::PowerLost));
        }
        let mut state = self.state();
        let state = &mut *state;
        let body = action.body().serial();
        match action.op {
            NetOp::Fetch { ticket, request, .. } => {
                state.requests += 1;
                let field = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
                let range = field(RANGE);
                let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
                let if_range = field(IF_RANGE).map(str::to_owned);
                let uri = request.uri();
                state.trace.note(&[10, process as u64, body, from.unwrap_or(u64::MAX)], || {
                    format!("p{process} -> GET {uri} from {from:?} if {if_range:?} ({body})")
                });
                let Some(place) = Place::of(uri) else { return state.fail(format!("a request for {uri}")) };
                if range.is_some() && from.is_none() {
                    return state.fail(format!("asks for {range:?}"));
                }
                let asked = Asked { process, body, place, range: from, if_range: if_range.as_deref(), uri };
                let result = state.fetch_asked(self.now(), &asked);
                state.check(result);
                let exchange = Exchange {
                    place,
                    range: from,
                    if_range,
                    pending: Some(Pending::Fetch(ticket)),
                    dropping: None,
                    reply: None,
                    sent: 0,
                    told: 0,
                    says_last: false,
                    told_last: false,
                    head_told: false,
                    broken: None,
                    has_news: false,
                    part: state.oracle.part_of(process, place.name),
                    held: Arc::default(),
                };
                if state.exchanges.insert((process, body), exchange).is_some() {
                    return state.fail(format!("p{process}: exchange {body} was used twice"));
                }
                let span = state.latency();
                self.schedule(state, span, What::Net(process, body, Step::Connect));
            }
            NetOp::ReadBody { ticket, bytes_max, .. } => {
                let most = state.setting.config.read_bytes_max.max(1);
                let Some(exchange) = state.exchanges.get_mut(&(process, body)) else {
                    return state.fail(format!("p{process}: a read of exchange {body}, which is not there"));
                };
                if exchange.pending.is_some() || exchange.dropping.is_some() || !exchange.head_told {
                    return state.fail(format!("p{process}: a read of exchange {body} that is not its turn"));
                }
                if bytes_max == 0 || bytes_max > most {
                    return state.fail(format!("p{process}: {bytes_max} bytes are asked for, of at most {most}"));
                }
                exchange.pending = Some(Pending::Read(ticket, bytes_max));
                let drips = exchange.reply.as_ref().is_some_and(|reply| reply.drips);
                let span = if drips { DRIPS } else { state.latency() };
                self.schedule(state, span, What::Net(process, body, Step::Piece));
            }
            NetOp::DropBody { ticket, .. } => {
                let Some(exchange) = state.exchanges.get_mut(&(process, body)) else {
                    return state.fail(format!("p{process}: exchange {body} is ended, and is not there"));
                };
                if exchange.dropping.replace(ticket).is_some() {
                    return state.fail(format!("p{process}: exchange {body} is ended twice"));
                }
                // It overtakes what is under way.
                if let Some(pending) = exchange.pending.take() {
                    let completion = Completion::aborted(pending.id());
                    self.answer(state, process, completion);
                }
                let span = state.latency();
                self.schedule(state, span, What::Net(process, body, Step::Dropped));
            }
        }
        if strike.is_some() {
            state.trace.note(&[11, body], || format!("p{process}: struck ({body})"));
            self.fail_pending(state, process, body, FaultKind::Reset);
        }
    }

    /// A program no longer wants to know.
    pub(crate) fn net_abort(&self, process: usize, target: ActionId) {
        let mut state = self.state();
        let state = &mut *state;
        let is_it = |exchange: &Exchange| exchange.pending.as_ref().is_some_and(|pending| pending.id() == target);
        let found = state.exchanges.iter().find(|((owner, _), exchange)| *owner == process && is_it(exchange));
        let Some(key) = found.map(|(key, _)| *key) else { return };
        if state.happens(Stream::Server, Mark::LateAnswer) {
            return;
        }
        if let Some(pending) = state.exchanges.get_mut(&key).and_then(|exchange| exchange.pending.take()) {
            self.answer(state, process, Completion::aborted(pending.id()));
        }
    }

    /// A program is to hear this.
    fn answer(&self, state: &mut State, process: usize, completion: Completion) {
        let id = completion.id();
        let program = &mut state.processes[process];
        program.answered.push(id);
        program.inbox.push(Event::Completed(completion));
        if state.happens(Stream::Server, Mark::RepeatedAnswer) {
            let answered = &state.processes[process].answered;
            let count = u32::try_from(answered.len().min(4)).unwrap_or(1);
            let back = state.decisions.below(Stream::Server, count) as usize;
            let program = &mut state.processes[process];
            let old = program.answered[program.answered.len() - 1 - back];
            program.inbox.push(Event::Completed(Completion::aborted(old)));
        }
        self.wake_in(state, process);
    }

    /// The next step of an exchange.
    pub(crate) fn go_on(&self, process: usize, body: u64, step: Step) {
        let mut state = self.state();
        let state = &mut *state;
        if !state.processes[process].is_alive {
            return;
        }
        let Some(exchange) = state.exchanges.get_mut(&(process, body)) else { return };
        match step {
            Step::Dropped => {
                if let Some(ticket) = exchange.dropping.take() {
                    state.exchanges.remove(&(process, body));
                    self.answer(state, process, ticket.done(Ok(())));
                }
            }
            Step::Connect => {
                if let Some(Pending::Fetch(ticket)) = &exchange.pending {
                    let id = ticket.id();
                    self.connect(state, process, body, id);
                }
            }
            Step::Head => {
                if let Some(Pending::Fetch(_)) = exchange.pending {
                    self.head(state, process, body);
                }
            }
            Step::Piece => {
                if let Some(Pending::Read(..)) = exchange.pending {
                    self.piece(state, process, body);
                }
            }
        }
    }

    fn fail_pending(&self, state: &mut State, process: usize, body: u64, kind: FaultKind) {
        let pending = state.exchanges.get_mut(&(process, body)).and_then(|exchange| exchange.pending.take());
        if let Some(pending) = pending {
            state.trace.note(&[12, process as u64, body, kind as u64], || format!("p{process} <- {kind:?} ({body})"));
            if let Some(exchange) = state.exchanges.get_mut(&(process, body)) {
                (exchange.broken, exchange.has_news) = (Some(kind), true);
            }
            self.answer(state, process, pending.fail(kind));
        }
    }

    fn connect(&self, state: &mut State, process: usize, body: u64, id: ActionId) {
        if state.happens(Stream::Server, Mark::ConnectFails) {
            let kind = state.decisions.one_of(Stream::Server, &[FaultKind::Connect, FaultKind::Resolve]);
            return self.fail_pending(state, process, body, kind);
        }
        if state.happens(Stream::Server, Mark::ConnectHangs) {
            return;
        }
        state.processes[process].inbox.push(Event::Connected(id));
        self.wake_in(state, process);
        if state.happens(Stream::Server, Mark::HeadHangs) {
            return;
        }
        let span = state.latency();
        self.schedule(state, span, What::Net(process, body, Step::Head));
    }

    fn head(&self, state: &mut State, process: usize, body: u64) {
        if state.happens(Stream::Server, Mark::ResetBeforeHead) {
            return self.fail_pending(state, process, body, FaultKind::Reset);
        }
        if state.happens(Stream::Server, Mark::ResetInHead) {
            let kind = state.decisions.one_of(Stream::Server, &[FaultKind::Protocol, FaultKind::HeadTooLarge]);
            return self.fail_pending(state, process, body, kind);
        }
        let Some(exchange) = state.exchanges.get(&(process, body)) else { return };
        let (place, range, if_range) = (exchange.place, exchange.range, exchange.if_range.clone());
        let (mut deciding, resources) = state.deciding();
        let resource = &mut resources[place.name * 2 + place.source as usize];
        let reply = resource.answer(place, range, if_range.as_deref(), &mut deciding);
        let number = [13, process as u64, body, u64::from(reply.head.status.as_u16()), reply.version, reply.offset];
        state.trace.note(&number, || {
            let Head { status, headers, .. } = &reply.head;
            format!("p{process} <- {status} of version {} from {}, {headers:?} ({body})", reply.version, reply.offset)
        });
        let Some(exchange) = state.exchanges.get_mut(&(process, body)) else { return };
        let head = Box::new(reply.head.clone());
        (exchange.reply, exchange.has_news) = (Some(reply), true);
        if let Some(Pending::Fetch(ticket)) = exchange.pending.take() {
            self.answer(state, process, ticket.done(Ok(head)));
        }
    }

    fn piece(&self, state: &mut State, process: usize, body: u64) {
        let Some(exchange) = state.exchanges.get_mut(&(process, body)) else { return };
        let (Some(reply), Some(&Pending::Read(_, bytes_max))) = (&exchange.reply, exchange.pending.as_ref()) else {
            return;
        };
        let end = reply.ends_at.unwrap_or(reply.body.len());
        let halts = [reply.resets_at, reply.stalls_at].into_iter().flatten().min();
        if reply.resets_at.is_some_and(|at| at <= exchange.sent) {
            return self.fail_pending(state, process, body, FaultKind::Reset);
        }
        if reply.stalls_at.is_some_and(|at| at <= exchange.sent) {
            return;
        }
        let until = halts.unwrap_or(end).min(end);
        let most = (until - exchange.sent.min(until)).min(bytes_max);
        let drips = reply.drips;
        let (is_whole_body, is_short) = (end == reply.body.len(), most <= 1);
        let length = if drips {
            most.min(1)
        } else if is_short {
            most
        } else {
            // All of it, or less.
            let less = state.decisions.below(Stream::Server, 4);
            if less < 3 {
                most
            } else {
                1 + state.decisions.below(Stream::Server, u32::try_from(most).unwrap_or(1)) as usize
            }
        }
        .min(most);
        let Some(exchange) = state.exchanges.get_mut(&(process, body)) else { return };
        let Some(reply) = &exchange.reply else { return };
        let bytes = reply.body.slice(exchange.sent..exchange.sent + length);
        exchange.sent += length;
        let reaches_end = exchange.sent >= end && halts.is_none_or(|at| at > end);
        // Transports say it with the last byte, or with a piece of nothing behind it.
        let says = length == 0 || !is_whole_body || state.decisions.below(Stream::Server, 2) == 0;
        let last = reaches_end && says;
        (exchange.says_last, exchange.has_news) = (last, true);
        exchange.held.fetch_add(bytes.len(), Ordering::Relaxed);
        let held = exchange.held();
        let data = if bytes.is_empty() {
            bytes
        } else {
            Bytes::from_owner(Tracked { bytes, held: Arc::clone(&exchange.held) })
        };
        let Some(Pending::Read(ticket, _)) = exchange.pending.take() else { return };
        state.trace.note(&[14, process as u64, body, length as u64, u64::from(last)], || {
            format!("p{process} <- {length} bytes{} ({body})", if last { ", the last" } else { "" })
        });
        let pinned = data.len();
        self.answer(state, process, ticket.done(Ok(Chunk { data, pinned, last })));
        let config = &state.setting.config;
        let bound = config.held_bytes_max + config.read_bytes_max;
        if held >= bound {
            state.fail(format!("p{process}: {held} bytes of a body are held, and less than {bound} may be"));
        }
    }
}

impl State {
    /// A program takes in what there is for it.
    pub(crate) fn told(&mut self, process: usize, now: u64) {
        let keys: Vec<(usize, u64)> =
            self.exchanges.range((process, 0)..=(process, u64::MAX)).map(|(key, _)| *key).collect();
        for key in keys {
            let Some(exchange) = self.exchanges.get_mut(&key).filter(|exchange| exchange.has_news) else { continue };
            exchange.has_news = false;
            let result = self.exchange_heard(key);
            self.check(result);
            let Some(exchange) = self.exchanges.get_mut(&key) else { continue };
            let Some(reply) = &exchange.reply else { continue };
            let is_head = !std::mem::replace(&mut exchange.head_told, true);
            exchange.told = exchange.sent;
            exchange.told_last = exchange.says_last;
            if is_head && reply.head.status == StatusCode::PARTIAL_CONTENT {
                self.tally.hit(Mark::PartSent);
            }
            self.exchange_told(now, key, is_head);
        }
    }
}
