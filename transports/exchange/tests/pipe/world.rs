//! A loop that polls until nothing is left to do, whenever something has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{ActionId, Answer, BodyId, Chunk, Event, Fault, FetchRequest, Head, NetAction, NetOp};
use dlmanager_exchange::{Client, Exchanges, Options, TlsConfig};

use crate::pipe::Pipes;

pub(crate) struct World {
    pipes: Pipes,
    pub(crate) exchanges: Exchanges,
    /// Who asks, and hears the answers.
    pub(crate) client: Client,
    /// Each client's own: the identifiers of all begin with the same.
    issued: BTreeMap<Client, Issued>,
    answers: BTreeMap<(Client, ActionId), Answer>,
    pub(crate) connected: BTreeSet<(Client, ActionId)>,
    pub(crate) received_bytes: usize,
}

#[derive(Default)]
struct Issued {
    tickets: Tickets,
    bodies: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetched {
    pub(crate) id: ActionId,
    pub(crate) body: BodyId,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        let pipes = Pipes::new();
        Self {
            exchanges: Exchanges::new(pipes.clone(), TlsConfig::default(), options),
            pipes,
            client: Client::default(),
            issued: BTreeMap::new(),
            answers: BTreeMap::new(),
            connected: BTreeSet::new(),
            received_bytes: 0,
        }
    }

    /// Starts a `Fetch`, without a poll.
    pub(crate) fn start_fetch(&mut self, url: &str) -> Fetched {
        let issued = self.issued.entry(self.client).or_default();
        issued.bodies += 1;
        let (ticket, body) = (issued.tickets.ticket(), body_id(issued.bodies));
        let id = ticket.id();
        let request = Box::new(FetchRequest::get(url).body(()).unwrap());
        self.start(body, NetOp::Fetch { ticket, body, request });
        Fetched { id, body }
    }

    pub(crate) fn fetch(&mut self, url: &str) -> Fetched {
        let fetched = self.start_fetch(url);
        self.poll();
        fetched
    }

    pub(crate) fn read(&mut self, body: BodyId, bytes_max: usize) -> ActionId {
        let ticket = self.issued.entry(self.client).or_default().tickets.ticket();
        let id = ticket.id();
        self.start(body, NetOp::ReadBody { ticket, body, bytes_max });
        self.poll();
        id
    }

    /// Without a poll.
    pub(crate) fn drop_body(&mut self, body: BodyId) -> ActionId {
        let ticket = self.issued.entry(self.client).or_default().tickets.ticket();
        let id = ticket.id();
        self.start(body, NetOp::DropBody { ticket, body });
        id
    }

    pub(crate) fn finish(&mut self, body: BodyId) {
        let id = self.drop_body(body);
        self.poll();
        assert!(matches!(self.try_answer(id), Some(Answer::DropBody(Ok(())))));
    }

    fn start(&mut self, body: BodyId, op: NetOp) {
        self.exchanges.start_for(self.client, NetAction { lane: lane(body.serial()), op });
    }

    pub(crate) fn try_answer(&mut self, id: ActionId) -> Option<Answer> {
        self.answers.remove(&(self.client, id))
    }

    #[track_caller]
    pub(crate) fn head(&mut self, id: ActionId) -> Head {
        match self.try_answer(id) {
            Some(Answer::Fetch(Ok(head))) => *head,
            other => panic!("no head: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn chunk(&mut self, id: ActionId) -> Result<Chunk, Fault> {
        match self.try_answer(id) {
            Some(Answer::ReadBody(answer)) => {
                self.received_bytes += answer.as_ref().map_or(0, |chunk| chunk.data.len());
                answer
            }
            other => panic!("no chunk: {other:?}"),
        }
    }

    /// Polls until nothing has been woken.
    pub(crate) fn poll(&mut self) {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut polls = 0;
        while flag.0.swap(false, Ordering::SeqCst) {
            polls += 1;
            assert!(polls < 1000, "it does not come to rest");
            let mut events = Vec::new();
            self.exchanges.poll_all(&mut Context::from_waker(&waker), &mut events);
            for (client, event) in events {
                match event {
                    Event::Connected(id) => assert!(self.connected.insert((client, id)), "connected twice"),
                    Event::Completed(completion) => {
                        let id = completion.id();
                        assert!(
                            self.answers.insert((client, id), completion.into_answer()).is_none(),
                            "answered twice"
                        );
                    }
                    Event::Tick => panic!("a transport makes no ticks"),
                }
            }
        }
    }

    /// So many of the runtime's next calls panic. Polls until none does any more, and tells how many polls did.
    pub(crate) fn panic_at(&mut self, calls: usize) -> usize {
        self.pipes.lock().panics = calls;
        let mut panics = 0;
        while catch_unwind(AssertUnwindSafe(|| self.poll())).is_err() {
            panics += 1;
        }
        panics
    }

    /// The runtime panics when an exchange is dropped. Returns whether it was called.
    pub(crate) fn panic_at_drop(&mut self, body: BodyId) -> bool {
        self.pipes.lock().panics = 1;
        catch_unwind(AssertUnwindSafe(|| self.drop_body(body))).is_err()
    }

    /// Something has happened to a connection, as far as its owner can tell.
    pub(crate) fn wake(&self, connection: usize) {
        self.pipes.lock().pipes[connection].send(&[]);
    }

    /// Moves the clock.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.pipes.lock().now += time;
        self.pipes.wake_sleepers();
        self.poll();
    }

    /// Takes the one request that has come, answers it, and tells on which connection.
    #[track_caller]
    pub(crate) fn serve(&mut self, reply: &[u8]) -> usize {
        self.serve_request("GET / HTTP/1.1\r\n", reply)
    }

    #[track_caller]
    pub(crate) fn serve_request(&mut self, line: &str, reply: &[u8]) -> usize {
        let found = {
            let mut state = self.pipes.lock();
            let asked = |bytes: &std::collections::VecDeque<u8>| {
                let request: Vec<u8> = bytes.iter().copied().collect();
                request.starts_with(line.as_bytes()) && request.ends_with(b"\r\n\r\n")
            };
            let found = state.pipes.iter().position(|pipe| !pipe.client_left && asked(&pipe.to_server));
            if let Some(connection) = found {
                state.pipes[connection].to_server.clear();
            }
            found
        };
        // Outside the lock, which whatever is dropped by a panic takes as well.
        let connection = found.expect("a request");
        self.send(connection, reply);
        connection
    }

    #[track_caller]
    pub(crate) fn send(&mut self, connection: usize, bytes: &[u8]) {
        assert_eq!(self.try_send(connection, bytes), bytes.len());
    }

    /// Sends what fits into the pipe now, and lets the client look at it.
    pub(crate) fn try_send(&mut self, connection: usize, bytes: &[u8]) -> usize {
        let count = self.pipes.lock().pipes[connection].send(bytes);
        self.poll();
        count
    }

    pub(crate) fn is_open(&self, connection: usize) -> bool {
        !self.pipes.lock().pipes[connection].client_left
    }

    /// How many were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.pipes.lock().pipes.len()
    }

    /// How many are being made.
    pub(crate) fn connecting(&self) -> usize {
        self.pipes.lock().connecting
    }

    pub(crate) fn hold_connecting(&mut self, hold: bool) {
        self.pipes.lock().hold_connecting = hold;
    }

    pub(crate) fn refuse(&mut self, fault: Option<Fault>) {
        self.pipes.lock().refusal = fault;
    }
}
