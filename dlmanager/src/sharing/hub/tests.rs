use std::sync::Mutex;
use std::task::Waker;

use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{Answer, Fault, FaultKind, NetOp};

use super::super::line::{Handle, Seat};
use super::super::spread::Lines;
use super::super::{Kind, SharedTransport};
use super::*;
use crate::sync::{lock, panicking_waker};
use crate::{OpenError, Transport};

/// A transport that answers when it is told to, and panics at a call of that name.
#[derive(Default)]
struct Script {
    open: Vec<(Client, NetAction)>,
    left: Vec<Client>,
    panics_at: Option<&'static str>,
    answers: bool,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn panic_at(&self, call: &str) {
        let panics = lock(&self.0).panics_at.take_if(|at| *at == call).is_some();
        assert!(!panics, "a transport that panics, on purpose");
    }
}

impl ForMany for Scripted {
    fn join(&mut self, _: Client, _: Duration) {
        self.panic_at("join");
    }

    fn leave(&mut self, client: Client) {
        lock(&self.0).left.push(client);
        self.panic_at("leave");
    }

    fn start(&mut self, client: Client, action: NetAction) {
        self.panic_at("start");
        lock(&self.0).open.push((client, action));
    }

    fn abort(&mut self, _: Client, _: ActionId) {
        self.panic_at("abort");
    }

    fn poll(&mut self, _: &mut Context<'_>, events: &mut Vec<(Client, Event)>) {
        {
            let mut script = lock(&self.0);
            if script.answers {
                events.extend(script.open.drain(..).map(|(client, action)| {
                    // Tells whose it was: the identifiers are all the same.
                    let fault = Fault::new(FaultKind::Reset).with_detail(format!("of {client}"));
                    (client, Event::Completed(action.fail(fault)))
                }));
            }
        }
        self.panic_at("poll");
    }
}

struct World {
    script: Scripted,
    hub: Hub,
    shared: SharedTransport,
}

fn seat(shared: &SharedTransport, connect_timeout: Duration) -> Result<Seat, OpenError> {
    let Kind::Lines(lines) = &*shared.kind else { panic!("it has lines") };
    Seat::take(&shared.kind, &lines.handles[0], connect_timeout)
}

impl World {
    fn new() -> Self {
        let (script, handle) = (Scripted::default(), Handle::new());
        let hub = Hub::new(handle.line(), Box::new(script.clone()));
        Self { script, hub, shared: SharedTransport { kind: Arc::new(Kind::Lines(Lines::new(vec![handle], 6))) } }
    }

    fn seat(&self) -> Seat {
        seat(&self.shared, Duration::from_secs(1)).unwrap()
    }

    fn poll(&mut self) -> Poll<()> {
        Pin::new(&mut self.hub).poll(&mut Context::from_waker(Waker::noop()))
    }
}

/// The first action of a core, with the identifiers that every core begins with.
fn first_read() -> NetAction {
    NetAction { lane: lane(1), op: NetOp::ReadBody { ticket: Tickets::new().ticket(), body: body_id(1), bytes_max: 1 } }
}

/// What the seat hears, in words.
fn heard(seat: &mut Seat) -> Vec<String> {
    let mut events = Vec::new();
    seat.poll(&mut Context::from_waker(Waker::noop()), &mut events);
    let words = |event| match event {
        Event::Completed(completion) => match completion.into_answer() {
            Answer::ReadBody(Err(fault)) => fault.to_string(),
            Answer::Aborted => "aborted".to_owned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    events.into_iter().map(words).collect()
}

#[test]
fn answers_come_to_whom_they_belong_though_all_identifiers_are_the_same() {
    let mut world = World::new();
    let mut seats: Vec<_> = (0..3).map(|_| world.seat()).collect();
    for seat in &mut seats {
        seat.start(first_read());
    }
    assert!(world.poll().is_pending());
    assert!(seats.iter_mut().all(|seat| heard(seat).is_empty()));
    lock(&world.script.0).answers = true;
    assert!(world.poll().is_pending());
    for (seat, number) in seats.iter_mut().zip(1..) {
        assert_eq!(heard(seat), [format!("the connection broke: of client {number}")]);
    }
}

#[test]
fn a_panic_ends_what_is_under_way_for_all_and_the_transport_is_called_again() {
    for call in ["join", "leave", "start", "abort", "poll"] {
        let mut world = World::new();
        let mut seats = [world.seat(), world.seat()];
        for seat in &mut seats {
            seat.start(first_read());
        }
        assert!(world.poll().is_pending());
        lock(&world.script.0).panics_at = Some(call);
        match call {
            "join" | "leave" => drop(world.seat()),
            "start" => seats[0].start(first_read()),
            "abort" => seats[0].abort(first_read().id()),
            _ => {}
        }
        assert!(world.poll().is_pending(), "{call}");
        for seat in &mut seats {
            assert_eq!(heard(seat), ["aborted"], "{call}");
        }
        // What the panic has lost is not answered twice, and what is new is.
        *lock(&world.script.0) = Script { answers: true, ..Script::default() };
        seats[1].start(first_read());
        assert!(world.poll().is_pending(), "{call}");
        assert_eq!((heard(&mut seats[0]).len(), heard(&mut seats[1]).len()), (0, 1), "{call}");
    }
}

#[test]
fn what_came_before_the_panic_counts() {
    let mut world = World::new();
    let mut seat = world.seat();
    seat.start(first_read());
    *lock(&world.script.0) = Script { answers: true, panics_at: Some("poll"), ..Script::default() };
    assert!(world.poll().is_pending());
    assert_eq!(heard(&mut seat), ["the connection broke: of client 1"]);
}

#[test]
fn who_leaves_hears_nothing_and_the_last_one_to_leave_ends_it() {
    let mut world = World::new();
    let (mut staying, mut leaving) = (world.seat(), world.seat());
    leaving.start(first_read());
    staying.start(first_read());
    assert!(world.poll().is_pending());
    drop(leaving);
    assert!(world.poll().is_pending());
    assert_eq!(lock(&world.script.0).left, [Client::new(2)]);
    lock(&world.script.0).answers = true;
    assert!(world.poll().is_pending());
    assert_eq!(heard(&mut staying), ["the connection broke: of client 1"]);
    drop(std::mem::replace(&mut world.shared, SharedTransport::from_fn(|| -> Seat { unreachable!("not called") })));
    assert!(world.poll().is_pending(), "a seat is left");
    drop(staying);
    assert!(world.poll().is_ready());
    assert_eq!(lock(&world.script.0).left, [Client::new(2), Client::new(1)]);
}

#[test]
fn when_the_task_is_dropped_all_that_was_asked_is_answered() {
    let mut world = World::new();
    let mut seats = [world.seat(), world.seat()];
    seats[0].start(first_read());
    assert!(world.poll().is_pending());
    // Not even taken.
    seats[1].start(first_read());
    drop(world.hub);
    for seat in &mut seats {
        assert_eq!(heard(seat), ["aborted"]);
        seat.start(first_read());
        assert_eq!(heard(seat), ["input/output error: the shared transport has ended, as its runtime was shut down"]);
    }
    assert!(seat(&world.shared, Duration::ZERO).is_err());
}

#[test]
fn a_waker_that_panics_keeps_no_news_from_others() {
    let mut world = World::new();
    let mut seats: Vec<_> = (0..8).map(|_| world.seat()).collect();
    for seat in &mut seats {
        seat.start(first_read());
        seat.poll(&mut Context::from_waker(&panicking_waker()), &mut Vec::new());
    }
    lock(&world.script.0).answers = true;
    assert!(world.poll().is_pending());
    for seat in &mut seats {
        assert_eq!(heard(seat).len(), 1);
    }
}
