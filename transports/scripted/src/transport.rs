//! The transport: exchanges, and the events that are due.

use std::collections::BTreeMap;
use std::fmt;

use dlmanager_core::{ActionId, BodyId, Completion, Event, Fault, FaultKind, Instant, NetAction, NetOp};
use http::{HeaderMap, StatusCode, Uri};

use crate::Reply;

/// A transport that answers from a script. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct ScriptedTransport {
    scripts: BTreeMap<String, Script>,
    otherwise: Reply,
    asked: BTreeMap<String, usize>,
    requests: Vec<SeenRequest>,
    exchanges: BTreeMap<BodyId, Exchange>,
    /// What will happen, in order of time, then of the actions that caused it.
    events: BTreeMap<Due, (BodyId, Event)>,
    events_made: u64,
    open: Count,
    open_at: BTreeMap<String, Count>,
    reusable: usize,
    body_bytes: u64,
}

/// What answers a request, given how many there were before.
type Server = dyn FnMut(&SeenRequest, usize) -> Reply + Send;

/// What the requests for a URL are answered with.
enum Script {
    Replies(Vec<Reply>),
    Server(Box<Server>),
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replies(replies) => f.debug_tuple("Replies").field(replies).finish(),
            Self::Server(_) => f.debug_tuple("Server").finish_non_exhaustive(),
        }
    }
}

/// A request that was sent.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// When it was asked for.
    pub at: Instant,
    /// Where to.
    pub uri: Uri,
    /// All its header fields.
    pub headers: HeaderMap,
}

type Due = (Instant, u64);

#[derive(Debug)]
struct Exchange {
    origin: String,
    reply: Reply,
    /// When the head comes; `None` where it does not.
    head_at: Option<Instant>,
    /// What was taken of the body, in bytes.
    offset: usize,
    /// What is unanswered, and where its answer waits; `None` where none will ever come by itself.
    outstanding: Vec<(ActionId, Option<Due>)>,
    /// It gives nothing more from then on, for this reason.
    broken: Option<(Instant, FaultKind)>,
    dropping: bool,
    /// The end of the body was taken.
    at_end: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    now: usize,
    peak: usize,
}

impl Default for ScriptedTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptedTransport {
    /// A transport whose servers answer everything with `404 Not Found`.
    pub fn new() -> Self {
        Self {
            scripts: BTreeMap::new(),
            otherwise: Reply::status(StatusCode::NOT_FOUND),
            asked: BTreeMap::new(),
            requests: Vec::new(),
            exchanges: BTreeMap::new(),
            events: BTreeMap::new(),
            events_made: 0,
            open: Count::default(),
            open_at: BTreeMap::new(),
            reusable: 0,
            body_bytes: 0,
        }
    }

    /// The replies to the requests for `url`, one for each; the last one also to all further ones. Replaces an earlier
    /// script and begins it anew.
    ///
    /// `url` is compared as text with what the core asks for, so give it as a URL is written in full:
    /// `http://origin.example/`, not `http://origin.example`.
    pub fn script(&mut self, url: &str, replies: impl IntoIterator<Item = Reply>) {
        self.answer_by(url, Script::Replies(replies.into_iter().collect()));
    }

    /// Answers each request for `url` by what the server says to it, given how many there were before. Replaces an earlier
    /// script, as [`script`](Self::script) does. See [`Resource`](crate::Resource).
    pub fn serve(&mut self, url: &str, server: impl FnMut(&SeenRequest, usize) -> Reply + Send + 'static) {
        self.answer_by(url, Script::Server(Box::new(server)));
    }

    fn answer_by(&mut self, url: &str, script: Script) {
        self.scripts.insert(url.to_owned(), script);
        self.asked.remove(url);
    }

    /// The reply to a request that no script answers.
    pub fn otherwise(&mut self, reply: Reply) {
        self.otherwise = reply;
    }

    /// Takes on an action of the core. It is answered by [`next_event`](Self::next_event).
    pub fn start(&mut self, now: Instant, action: NetAction) {
        let (id, body) = (action.id(), action.body());
        match action.op {
            NetOp::Fetch { ticket, request, .. } => {
                let (uri, headers) = (request.uri().clone(), request.headers().clone());
                let seen = SeenRequest { at: now, uri, headers };
                let (origin, reply) = (origin(&seen.uri), self.reply_to(&seen));
                self.requests.push(seen);
                self.open(&origin);
                let (connection, head) = (reply.connection(now), reply.head(now));
                if let Some((at, Ok(()))) = connection {
                    self.push(at, body, Event::Connected(id));
                }
                let head_at = head.as_ref().and_then(|(at, head)| head.is_ok().then_some(*at));
                let broken = head.as_ref().and_then(|(at, head)| head.is_err().then_some((*at, FaultKind::Skipped)));
                let answer = head.map(|(at, head)| (at, ticket.done(head.map(Box::new))));
                let due = answer.map(|(at, answer)| self.push(at, body, Event::Completed(answer)));
                let outstanding = vec![(id, due)];
                let exchange =
                    Exchange { origin, reply, head_at, offset: 0, outstanding, broken, dropping: false, at_end: false };
                self.exchanges.insert(body, exchange);
            }
            NetOp::ReadBody { ticket, bytes_max, .. } => {
                let Some(exchange) = self.exchanges.get_mut(&body) else {
                    let answer = ticket.done(Err(Fault::new(FaultKind::Unsupported).with_detail("no such exchange")));
                    self.push(now, body, Event::Completed(answer));
                    return;
                };
                let chunk = match (exchange.broken, exchange.head_at) {
                    (Some((at, kind)), _) => Some((now.max(at), Err(kind.into()))),
                    (None, Some(head_at)) => {
                        exchange.reply.chunk(head_at, now.max(head_at), exchange.offset, bytes_max)
                    }
                    (None, None) => None,
                };
                if let Some((_, Ok(chunk))) = &chunk {
                    exchange.offset += chunk.data.len();
                    self.body_bytes += chunk.data.len() as u64;
                    exchange.at_end = chunk.last;
                }
                let answer = chunk.map(|(at, chunk)| (at, ticket.done(chunk)));
                let due = answer.map(|(at, answer)| self.push(at, body, Event::Completed(answer)));
                self.wait_for(body, id, due);
            }
            NetOp::DropBody { ticket, .. } => {
                let delay = self.exchanges.get(&body).map(|exchange| exchange.reply.drop_delay()).unwrap_or_default();
                self.break_off(now, body, |_| true);
                let due = self.push(now + delay, body, Event::Completed(ticket.done(Ok(()))));
                if let Some(exchange) = self.exchanges.get_mut(&body) {
                    exchange.dropping = true;
                    exchange.outstanding.push((id, Some(due)));
                }
            }
        }
    }

    /// Answers an action that is under way as aborted, at once; the end of an exchange cannot be aborted.
    pub fn abort(&mut self, now: Instant, id: ActionId) {
        let holder =
            self.exchanges.iter().find(|(_, exchange)| exchange.outstanding.iter().any(|(other, _)| *other == id));
        if let Some((&body, Exchange { dropping: false, .. })) = holder {
            self.break_off(now, body, |other| other == id);
        }
    }

    /// The next thing that has happened by `now`, for [`Manager::handle`](dlmanager_core::Manager::handle).
    pub fn next_event(&mut self, now: Instant) -> Option<Event> {
        let entry = self.events.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (due, (body, event)) = entry.remove_entry();
        if let (Event::Completed(_), Some(exchange)) = (&event, self.exchanges.get_mut(&body)) {
            exchange.outstanding.retain(|(_, waiting)| *waiting != Some(due));
            if exchange.dropping && exchange.outstanding.is_empty() {
                self.close(body);
            }
        }
        Some(event)
    }

    /// When the next thing happens, unless another action comes before.
    pub fn wake_at(&self) -> Option<Instant> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> &[SeenRequest] {
        &self.requests
    }

    /// How many requests there were for this URL.
    pub fn requests_for(&self, url: &str) -> usize {
        self.requests.iter().filter(|request| request.uri == *url).count()
    }

    /// How many exchanges are open: asked for, and their end not yet answered.
    pub const fn open_exchanges(&self) -> usize {
        self.open.now
    }

    /// The most exchanges that were ever open at the same time.
    pub const fn open_exchanges_peak(&self) -> usize {
        self.open.peak
    }

    /// The most exchanges that were ever open at the same time with one origin, given as `http://origin.example`.
    pub fn open_exchanges_peak_at(&self, origin: &str) -> usize {
        self.open_at.get(origin).map_or(0, |count| count.peak)
    }

    /// How many exchanges have ended behind the end of their body, so that a connection would be free for another.
    pub const fn reusable_connections(&self) -> usize {
        self.reusable
    }

    /// How many bytes of bodies were sent, as far as they were taken.
    pub const fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    fn reply_to(&mut self, request: &SeenRequest) -> Reply {
        let url = request.uri.to_string();
        let Some(script) = self.scripts.get_mut(&url) else { return self.otherwise.clone() };
        let asked = self.asked.entry(url).or_default();
        let earlier = *asked;
        *asked += 1;
        match script {
            Script::Replies(replies) => replies.get(earlier).or(replies.last()).unwrap_or(&self.otherwise).clone(),
            Script::Server(server) => server(request, earlier),
        }
    }

    fn push(&mut self, at: Instant, body: BodyId, event: Event) -> Due {
        self.events_made += 1;
        let due = (at, self.events_made);
        self.events.insert(due, (body, event));
        due
    }

    fn wait_for(&mut self, body: BodyId, id: ActionId, due: Option<Due>) {
        if let Some(exchange) = self.exchanges.get_mut(&body) {
            exchange.outstanding.push((id, due));
        }
    }

    /// Answers what is under way in an exchange as aborted; after that nothing more comes of it.
    fn break_off(&mut self, now: Instant, body: BodyId, chosen: impl Fn(ActionId) -> bool) {
        let Some(exchange) = self.exchanges.get_mut(&body) else { return };
        if exchange.dropping {
            return;
        }
        exchange.broken = Some((now, FaultKind::Reset));
        let (ended, kept) = std::mem::take(&mut exchange.outstanding).into_iter().partition(|(id, _)| chosen(*id));
        exchange.outstanding = kept;
        let ended: Vec<(ActionId, Option<Due>)> = ended;
        exchange.at_end &= ended.is_empty();
        for (id, due) in ended {
            self.events.retain(|key, (_, event)| {
                Some(*key) != due && !matches!(event, Event::Connected(connecting) if *connecting == id)
            });
            let due = self.push(now, body, Event::Completed(Completion::aborted(id)));
            self.wait_for(body, id, Some(due));
        }
    }

    fn open(&mut self, origin: &str) {
        self.open.add();
        self.open_at.entry(origin.to_owned()).or_default().add();
    }

    fn close(&mut self, body: BodyId) {
        if let Some(exchange) = self.exchanges.remove(&body) {
            self.open.now -= 1;
            self.reusable += usize::from(exchange.at_end);
            if let Some(count) = self.open_at.get_mut(&exchange.origin) {
                count.now -= 1;
            }
        }
    }
}

impl Count {
    fn add(&mut self) {
        self.now += 1;
        self.peak = self.peak.max(self.now);
    }
}

fn origin(uri: &Uri) -> String {
    format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |authority| authority.as_str()))
}
