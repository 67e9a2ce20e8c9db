//! A loop around the transport that checks that each action is answered exactly once, with a deadline on every wait.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{ActionId, Answer, BodyId, Chunk, Event, Fault, FetchRequest, Head, NetAction, NetOp};
use dlmanager_origin::{Body, Origin, Records};

use crate::subject::{Settings, Subject, Transport};

/// No wait takes longer than this. It is far above what any takes, so that a slow machine fails no test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) origin: Arc<Origin>,
    subject: Arc<dyn Subject>,
    settings: Settings,
    transport: Box<dyn Transport>,
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
    pub(crate) fn new(subject: Arc<dyn Subject>, origin: Origin, settings: Settings) -> Self {
        Self {
            origin: Arc::new(origin),
            transport: subject.transport(&settings),
            subject,
            settings,
            tickets: Tickets::new(),
            bodies: 0,
            outstanding: BTreeSet::new(),
            answers: BTreeMap::new(),
            answered: Vec::new(),
            connected: BTreeMap::new(),
        }
    }

    /// The URL of a path of the origin.
    pub(crate) fn url(&self, path: &str) -> String {
        self.origin.url(path)
    }

    pub(crate) fn new_body(&mut self) -> BodyId {
        self.bodies += 1;
        body_id(self.bodies)
    }

    /// Starts a `Fetch` of a path of the origin.
    pub(crate) fn fetch(&mut self, path: &str) -> Fetched {
        let url = self.url(path);
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
        let body = match &op {
            NetOp::Fetch { body, .. } | NetOp::ReadBody { body, .. } | NetOp::DropBody { body, .. } => *body,
        };
        let action = NetAction { lane: lane(body.serial()), op };
        self.outstanding.insert(action.id());
        self.transport.start(action);
    }

    pub(crate) fn abort(&mut self, target: ActionId) {
        self.transport.abort(target);
    }

    /// Drops the transport with all that it has, and takes a new one.
    pub(crate) fn replace_transport(&mut self) {
        self.transport = self.subject.transport(&self.settings);
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

    #[track_caller]
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
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str, bytes_max: usize) -> (Head, Vec<Chunk>) {
        let url = self.url(path);
        self.get_url(&url, bytes_max)
    }

    #[track_caller]
    pub(crate) fn get_url(&mut self, url: &str, bytes_max: usize) -> (Head, Vec<Chunk>) {
        let fetched = self.fetch_url(url);
        let head = self.head(fetched.id).unwrap();
        let (chunks, fault) = self.read_all(fetched.body, bytes_max);
        assert_eq!(fault, None);
        self.finish(fetched.body);
        (head, chunks)
    }

    /// A whole exchange that has to yield these bytes.
    #[track_caller]
    pub(crate) fn assert_get(&mut self, path: &str, expected: &Body) {
        let (head, chunks) = self.get(path, 1 << 20);
        assert_eq!(head.status, 200);
        assert_bytes(&chunks, expected);
    }

    /// Waits until a reply has arrived as far as the origin has sent it: nothing of it is on its way any more.
    pub(crate) fn wait_until_sent(&mut self, path: &str) {
        let target = path.to_owned();
        let sent = move |seen: &Records| seen.requests_to(&target).all(|request| request.sent.is_some());
        self.origin.wait_for(DEADLINE, sent).unwrap_or_else(|timed_out| panic!("{timed_out}"));
    }

    /// Waits for an event.
    fn wait(&mut self) {
        let mut events = Vec::new();
        let transport = &mut self.transport;
        let waited = self.subject.block_on(
            DEADLINE,
            pin!(poll_fn(|cx| {
                transport.poll(cx, &mut events);
                if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
            })),
        );
        assert!(waited, "nothing happened; under way: {:?}", self.outstanding);
        self.take(events);
    }

    /// Polls once, without waiting.
    pub(crate) fn poll_once(&mut self) {
        self.poll_counting();
    }

    /// Polls once, and says how often that asked to be polled again.
    pub(crate) fn poll_counting(&mut self) -> usize {
        /// News from the network, which may come at any time on other threads, do not count.
        struct Count(AtomicUsize, ThreadId);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                if thread::current().id() == self.1 {
                    self.0.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0), thread::current().id()));
        let waker = Waker::from(Arc::clone(&count));
        let mut events = Vec::new();
        let transport = &mut self.transport;
        self.subject.enter(&mut || transport.poll(&mut Context::from_waker(&waker), &mut events));
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
        let (sender, receiver) = mpsc::channel();
        let sleeper = Arc::new(Mutex::new(Waker::noop().clone()));
        let lock = |sleeper: &Mutex<Waker>| sleeper.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waiting = thread::spawn({
            let sleeper = Arc::clone(&sleeper);
            move || {
                let outcome = sender.send(wait());
                lock(&sleeper).wake();
                outcome
            }
        });
        let (mut events, mut outcome) = (Vec::new(), None);
        let transport = &mut self.transport;
        let waited = self.subject.block_on(
            DEADLINE * 2,
            pin!(poll_fn(|cx| {
                *sleeper.lock().unwrap_or_else(PoisonError::into_inner) = cx.waker().clone();
                transport.poll(cx, &mut events);
                outcome = receiver.try_recv().ok();
                if outcome.is_some() { Poll::Ready(()) } else { Poll::Pending }
            })),
        );
        self.take(events);
        assert!(waited, "the other thread still waits, or has panicked");
        drop(waiting.join());
        outcome.expect("what the other thread has waited for")
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

pub(crate) fn joined(chunks: &[Chunk]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| chunk.data.iter().copied()).collect()
}

#[track_caller]
pub(crate) fn assert_bytes(chunks: &[Chunk], expected: &Body) {
    let bytes = joined(chunks);
    assert_eq!(expected.compare(&bytes[..]).unwrap(), None, "{} bytes of {expected:?}", bytes.len());
}
