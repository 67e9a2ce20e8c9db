//! A loop around the transport that checks that each action is answered exactly once, with a deadline on every wait.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{ActionId, Answer, BodyId, Chunk, Event, Fault, FetchRequest, Head, NetAction, NetOp};
use dlmanager_hyper::{Hyper, Options};
use dlmanager_origin::{Body, Origin, Records};
use tokio::runtime::{Builder, Runtime};

/// No wait takes longer than this. It is far above what any takes, so that a slow machine fails no test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) origin: Arc<Origin>,
    pub(crate) hyper: Hyper,
    runtime: Runtime,
    tickets: Tickets,
    bodies: u64,
    outstanding: BTreeSet<ActionId>,
    answers: BTreeMap<ActionId, Answer>,
    /// The order in which actions were answered.
    pub(crate) answered: Vec<ActionId>,
    /// How often each `Fetch` had a connection.
    pub(crate) connected: BTreeMap<ActionId, usize>,
}

/// A `Fetch` that was started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetched {
    pub(crate) id: ActionId,
    pub(crate) body: BodyId,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        Self {
            origin: Arc::new(Origin::start().unwrap()),
            hyper: Hyper::new(options),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            tickets: Tickets::new(),
            bodies: 0,
            outstanding: BTreeSet::new(),
            answers: BTreeMap::new(),
            answered: Vec::new(),
            connected: BTreeMap::new(),
        }
    }

    pub(crate) fn new_body(&mut self) -> BodyId {
        self.bodies += 1;
        body_id(self.bodies)
    }

    /// Starts a `Fetch` of a path of the origin.
    pub(crate) fn fetch(&mut self, path: &str) -> Fetched {
        let url = self.origin.url(path);
        self.fetch_url(&url)
    }

    pub(crate) fn fetch_url(&mut self, url: &str) -> Fetched {
        let request = FetchRequest::get(url).header("host", "test.example").body(()).unwrap();
        self.fetch_request(request)
    }

    pub(crate) fn fetch_request(&mut self, request: FetchRequest) -> Fetched {
        let body = self.new_body();
        self.fetch_as(body, request)
    }

    pub(crate) fn fetch_as(&mut self, body: BodyId, request: FetchRequest) -> Fetched {
        let ticket = self.tickets.ticket();
        let id = ticket.id();
        self.start(NetOp::Fetch { ticket, body, request: Box::new(request) });
        Fetched { id, body }
    }

    pub(crate) fn read(&mut self, body: BodyId, bytes_max: usize) -> ActionId {
        let ticket = self.tickets.ticket();
        let id = ticket.id();
        self.start(NetOp::ReadBody { ticket, body, bytes_max });
        id
    }

    pub(crate) fn drop_body(&mut self, body: BodyId) -> ActionId {
        let ticket = self.tickets.ticket();
        let id = ticket.id();
        self.start(NetOp::DropBody { ticket, body });
        id
    }

    fn start(&mut self, op: NetOp) {
        let action = NetAction { lane: lane(action_lane(&op)), op };
        self.outstanding.insert(action.id());
        self.hyper.start(action);
    }

    /// Waits for the answer of an action.
    pub(crate) fn answer(&mut self, id: ActionId) -> Answer {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            assert!(self.outstanding.contains(&id), "{id:?} is not under way");
            self.wait();
        }
    }

    pub(crate) fn is_answered(&self, id: ActionId) -> bool {
        self.answered.contains(&id)
    }

    pub(crate) fn head(&mut self, id: ActionId) -> Result<Head, Fault> {
        match self.answer(id) {
            Answer::Fetch(result) => result.map(|head| *head),
            other => panic!("not the answer of a fetch: {other:?}"),
        }
    }

    pub(crate) fn chunk(&mut self, id: ActionId) -> Result<Chunk, Fault> {
        match self.answer(id) {
            Answer::ReadBody(result) => result,
            other => panic!("not the answer of a read: {other:?}"),
        }
    }

    pub(crate) fn assert_aborted(&mut self, id: ActionId) {
        let answer = self.answer(id);
        assert!(matches!(answer, Answer::Aborted), "{answer:?}");
    }

    /// Ends an exchange and waits until that is answered.
    pub(crate) fn finish(&mut self, body: BodyId) {
        let id = self.drop_body(body);
        assert!(matches!(self.answer(id), Answer::DropBody(Ok(()))));
    }

    /// Reads a body to its end: its chunks, and the fault that ended it where one did.
    pub(crate) fn read_all(&mut self, body: BodyId, bytes_max: usize) -> (Vec<Chunk>, Option<Fault>) {
        let mut chunks = Vec::new();
        loop {
            let id = self.read(body, bytes_max);
            match self.chunk(id) {
                Ok(chunk) => {
                    assert!(chunk.data.len() <= bytes_max, "{} bytes, {bytes_max} asked for", chunk.data.len());
                    assert!(chunk.last || !chunk.data.is_empty(), "an empty chunk that is not the last");
                    assert!(chunk.pinned >= chunk.data.len() && chunk.pinned <= 16 * chunk.data.len());
                    let last = chunk.last;
                    chunks.push(chunk);
                    if last {
                        return (chunks, None);
                    }
                }
                Err(fault) => return (chunks, Some(fault)),
            }
        }
    }

    /// A whole exchange, which has to work.
    pub(crate) fn get(&mut self, path: &str, bytes_max: usize) -> (Head, Vec<Chunk>) {
        let fetched = self.fetch(path);
        let head = self.head(fetched.id).unwrap();
        let (chunks, fault) = self.read_all(fetched.body, bytes_max);
        assert_eq!(fault, None);
        self.finish(fetched.body);
        (head, chunks)
    }

    /// A whole exchange that has to yield these bytes.
    pub(crate) fn assert_get(&mut self, path: &str, expected: &Body) {
        let (head, chunks) = self.get(path, 1 << 20);
        assert_eq!(head.status, 200);
        assert_bytes(&chunks, expected);
    }

    /// Waits for an event.
    fn wait(&mut self) {
        let mut events = Vec::new();
        let hyper = &mut self.hyper;
        let waited = self.runtime.block_on(async {
            let event = poll_fn(|cx| {
                hyper.poll(cx, &mut events);
                if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
            });
            tokio::time::timeout(DEADLINE, event).await
        });
        assert!(waited.is_ok(), "nothing happened; under way: {:?}", self.outstanding);
        self.take(events);
    }

    /// Polls once, without waiting.
    pub(crate) fn poll_once(&mut self) {
        self.poll_counting();
    }

    /// Polls once, and says how often that asked to be polled again.
    pub(crate) fn poll_counting(&mut self) -> usize {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut events = Vec::new();
        {
            let _context = self.runtime.enter();
            self.hyper.poll(&mut Context::from_waker(&waker), &mut events);
        }
        self.take(events);
        count.0.load(Ordering::SeqCst)
    }

    /// Polls until nobody asks for more: fails where that goes on for ever.
    pub(crate) fn assert_comes_to_rest(&mut self) {
        let rested = (0..100).any(|_| self.poll_counting() == 0);
        assert!(rested, "polled a hundred times, and still not at rest");
    }

    /// Polls until what the origin has seen satisfies `holds`.
    pub(crate) fn drive_until(&mut self, holds: impl FnMut(&Records) -> bool + Send + 'static) -> Records {
        let origin = Arc::clone(&self.origin);
        let seen = self.drive_while(move || origin.wait_for(DEADLINE, holds));
        seen.unwrap_or_else(|timed_out| panic!("{timed_out}"))
    }

    /// Polls while another thread waits for something, which has to have a deadline.
    pub(crate) fn drive_while<T: Send + 'static>(&mut self, wait: impl FnOnce() -> T + Send + 'static) -> T {
        let mut waiting = self.runtime.spawn_blocking(wait);
        let mut events = Vec::new();
        let hyper = &mut self.hyper;
        let waited = self.runtime.block_on(poll_fn(|cx| {
            hyper.poll(cx, &mut events);
            Pin::new(&mut waiting).poll(cx)
        }));
        self.take(events);
        waited.unwrap()
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Connected(id) => {
                    assert!(self.outstanding.contains(&id), "connected after its answer: {id:?}");
                    *self.connected.entry(id).or_default() += 1;
                }
                Event::Completed(completion) => {
                    let id = completion.id();
                    assert!(self.outstanding.remove(&id), "answered twice: {id:?}");
                    self.answered.push(id);
                    self.answers.insert(id, completion.into_answer());
                }
                Event::Tick => panic!("a transport makes no ticks"),
            }
        }
    }

    /// Nothing may be left unanswered.
    pub(crate) fn end(self) {
        assert!(self.outstanding.is_empty(), "never answered: {:?}", self.outstanding);
    }
}

fn action_lane(op: &NetOp) -> u64 {
    match op {
        NetOp::Fetch { body, .. } | NetOp::ReadBody { body, .. } | NetOp::DropBody { body, .. } => body.serial(),
    }
}

pub(crate) fn joined(chunks: &[Chunk]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| chunk.data.iter().copied()).collect()
}

pub(crate) fn assert_bytes(chunks: &[Chunk], expected: &Body) {
    let bytes = joined(chunks);
    assert_eq!(expected.compare(&bytes[..]).unwrap(), None, "{} bytes of {expected:?}", bytes.len());
}
