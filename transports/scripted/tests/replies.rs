//! The transport answers as its script says, at the time that it says.

use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::testing::{Tickets, body_id, lane};
use dlmanager_core::{Answer, BodyId, Chunk, Event, FaultKind, Head, Instant, NetAction, NetOp, op};
use dlmanager_scripted::{Reply, ScriptedTransport, content};
use http::StatusCode;

const URL: &str = "http://origin.example/file";

/// A transport and the ids of what it was asked.
struct Setting {
    net: ScriptedTransport,
    tickets: Tickets,
    now: Instant,
}

impl Setting {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut net = ScriptedTransport::new();
        net.script(URL, replies);
        Self { net, tickets: Tickets::new(), now: Instant::ZERO }
    }

    fn start(&mut self, body: BodyId, op: NetOp) {
        self.net.start(self.now, NetAction { lane: lane(body.serial()), op });
    }

    fn fetch(&mut self, body: BodyId) {
        let ticket = self.tickets.ticket::<op::Fetch>();
        let request = Box::new(http::Request::get(URL).header("x-asked", "1").body(()).unwrap());
        self.start(body, NetOp::Fetch { ticket, body, request });
    }

    fn read(&mut self, body: BodyId, bytes_max: usize) {
        let ticket = self.tickets.ticket::<op::ReadBody>();
        self.start(body, NetOp::ReadBody { ticket, body, bytes_max });
    }

    fn drop_body(&mut self, body: BodyId) {
        let ticket = self.tickets.ticket::<op::DropBody>();
        self.start(body, NetOp::DropBody { ticket, body });
    }

    /// The next answer, with time passing until it comes.
    fn answer(&mut self) -> Option<Answer> {
        loop {
            self.now = self.now.max(self.net.wake_at()?);
            if let Event::Completed(completion) = self.net.next_event(self.now)? {
                return Some(completion.into_answer());
            }
        }
    }

    fn head(&mut self) -> Head {
        match self.answer() {
            Some(Answer::Fetch(Ok(head))) => *head,
            other => panic!("not a head: {other:?}"),
        }
    }

    fn chunk(&mut self, body: BodyId, bytes_max: usize) -> Result<Chunk, FaultKind> {
        self.read(body, bytes_max);
        match self.answer() {
            Some(Answer::ReadBody(chunk)) => chunk.map_err(|fault| fault.kind()),
            other => panic!("not a chunk: {other:?}"),
        }
    }

    /// All that can be read of a body, and how it ends.
    fn read_all(&mut self, body: BodyId, bytes_max: usize) -> (Vec<u8>, Result<(), FaultKind>) {
        let mut bytes = Vec::new();
        loop {
            match self.chunk(body, bytes_max) {
                Ok(chunk) => {
                    assert!(chunk.data.len() <= bytes_max && chunk.pinned >= chunk.data.len());
                    assert!(chunk.last || !chunk.data.is_empty());
                    bytes.extend_from_slice(&chunk.data);
                    if chunk.last {
                        return (bytes, Ok(()));
                    }
                }
                Err(kind) => return (bytes, Err(kind)),
            }
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

#[test]
fn a_body_arrives_whole_in_chunks_no_larger_than_asked_for() {
    let body = content(7, 10_000);
    for bytes_max in [1, 999, 10_000, 1 << 20] {
        for reply in
            [Reply::ok(body.clone()), Reply::ok(body.clone()).chunked(), Reply::ok(body.clone()).close_delimited()]
        {
            let mut setting = Setting::new([reply.pieces(333, SECOND)]);
            setting.fetch(body_id(1));
            assert_eq!(setting.head().status, StatusCode::OK);
            assert_eq!(setting.read_all(body_id(1), bytes_max), (body.to_vec(), Ok(())));
            assert_eq!(setting.now, at(10_000 / 333));
        }
    }
}

#[test]
fn connection_head_and_pieces_come_at_their_times() {
    let reply = Reply::ok(content(1, 30)).connect_after(SECOND * 2).head_after(SECOND * 3).pieces(10, SECOND * 4);
    let mut setting = Setting::new([reply]);
    setting.fetch(body_id(1));
    assert_eq!(setting.net.wake_at(), Some(at(2)));
    assert!(setting.net.next_event(at(1)).is_none());
    assert!(matches!(setting.net.next_event(at(2)), Some(Event::Connected(id)) if id.serial() == 1));
    assert!(matches!(setting.answer(), Some(Answer::Fetch(Ok(_)))));
    assert_eq!(setting.now, at(5));
    let chunk = setting.chunk(body_id(1), 100).unwrap();
    assert_eq!((chunk.data.len(), setting.now), (10, at(5)));
    let chunk = setting.chunk(body_id(1), 100).unwrap();
    assert_eq!((chunk.data.len(), setting.now), (10, at(9)));
    let chunk = setting.chunk(body_id(1), 100).unwrap();
    assert_eq!((chunk.data.len(), chunk.last, setting.now), (10, true, at(13)));
}

#[test]
fn what_came_while_nobody_asked_is_there_at_once() {
    let mut setting = Setting::new([Reply::ok(content(1, 100)).pieces(10, SECOND)]);
    setting.fetch(body_id(1));
    setting.head();
    setting.now = at(4);
    assert_eq!(setting.chunk(body_id(1), 1000).unwrap().data, content(1, 50));
}

#[test]
fn replies_are_taken_in_turn_and_the_last_one_repeats() {
    let statuses = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::NOT_FOUND];
    let mut setting = Setting::new(statuses.map(Reply::status));
    let mut seen = Vec::new();
    for body in 1..=3 {
        setting.fetch(body_id(body));
        seen.push(setting.head().status);
    }
    assert_eq!(seen, [statuses[0], statuses[1], statuses[1]]);
    assert_eq!(setting.net.requests_for(URL), 3);
    assert_eq!(setting.net.requests()[0].headers["x-asked"], "1");
}

#[test]
fn bodies_end_as_scripted() {
    let body = content(3, 1_000);
    let ends = [
        (Reply::ok(body.clone()).cut_at(400), 400, Err(FaultKind::Reset)),
        (Reply::ok(body.clone()).end_at(400), 400, Ok(())),
        (Reply::ok(body.clone()).announce(400), 1_000, Ok(())),
        (Reply::ok(Bytes::new()), 0, Ok(())),
    ];
    for (reply, length, end) in ends {
        let mut setting = Setting::new([reply]);
        setting.fetch(body_id(1));
        setting.head();
        assert_eq!(setting.read_all(body_id(1), 64), (body[..length].to_vec(), end));
    }
}

#[test]
fn connections_fail_as_scripted() {
    let faults = [
        (Reply::refuse(), FaultKind::Connect),
        (Reply::unresolved(), FaultKind::Resolve),
        (Reply::no_connection(FaultKind::Tls), FaultKind::Tls),
        (Reply::garbage(), FaultKind::Protocol),
        (Reply::no_head(FaultKind::Reset), FaultKind::Reset),
    ];
    for (reply, kind) in faults {
        let mut setting = Setting::new([reply.connect_after(SECOND)]);
        setting.fetch(body_id(1));
        setting.read(body_id(1), 10);
        assert!(matches!(setting.answer(), Some(Answer::Fetch(Err(fault))) if fault.kind() == kind));
        assert_eq!(setting.now, at(1));
        assert!(matches!(setting.answer(), Some(Answer::ReadBody(Err(fault))) if fault.kind() == FaultKind::Skipped));
    }
}

#[test]
fn dropping_a_body_overtakes_what_is_under_way_and_frees_the_exchange_when_answered() {
    for reply in [Reply::never_connects(), Reply::silent(), Reply::ok(content(1, 10)).connect_after(SECOND)] {
        let mut setting = Setting::new([reply.drop_after(SECOND * 5)]);
        setting.fetch(body_id(1));
        setting.drop_body(body_id(1));
        assert!(matches!(setting.answer(), Some(Answer::Aborted)));
        assert_eq!(setting.now, Instant::ZERO);
        assert_eq!(setting.net.open_exchanges(), 1);
        assert!(matches!(setting.answer(), Some(Answer::DropBody(Ok(())))));
        assert_eq!(setting.now, at(5));
        assert_eq!((setting.net.open_exchanges(), setting.net.open_exchanges_peak()), (0, 1));
        assert_eq!(setting.net.wake_at(), None, "nothing comes of an exchange that has ended");
    }
}

#[test]
fn a_stalled_read_is_answered_when_the_body_is_dropped() {
    let mut setting = Setting::new([Reply::ok(content(1, 100)).stall_at(60)]);
    setting.fetch(body_id(1));
    setting.head();
    assert_eq!(setting.chunk(body_id(1), 100).unwrap().data.len(), 60);
    setting.read(body_id(1), 100);
    assert_eq!(setting.net.wake_at(), None);
    setting.drop_body(body_id(1));
    assert!(matches!(setting.answer(), Some(Answer::Aborted)));
    assert!(matches!(setting.answer(), Some(Answer::DropBody(Ok(())))));
}

#[test]
fn an_aborted_fetch_is_answered_once_and_its_exchange_stays_open_until_dropped() {
    let mut setting = Setting::new([Reply::ok(content(1, 100)).connect_after(SECOND)]);
    let id = {
        setting.fetch(body_id(1));
        dlmanager_core::ActionId::forge(1, u32::MAX)
    };
    setting.net.abort(setting.now, id);
    setting.net.abort(setting.now, id);
    assert!(matches!(setting.answer(), Some(Answer::Aborted)));
    assert!(setting.answer().is_none());
    assert_eq!(setting.net.open_exchanges(), 1);
    assert_eq!(setting.chunk(body_id(1), 10).unwrap_err(), FaultKind::Reset);
    setting.drop_body(body_id(1));
    setting.drop_body(body_id(1));
    assert!(matches!(setting.answer(), Some(Answer::DropBody(Ok(())))));
    assert!(matches!(setting.answer(), Some(Answer::DropBody(Ok(())))));
    assert_eq!(setting.net.open_exchanges(), 0);
}

#[test]
fn exchanges_are_counted_by_origin() {
    let mut setting = Setting::new([Reply::ok(content(1, 10))]);
    for body in 1..=3 {
        setting.fetch(body_id(body));
    }
    setting.drop_body(body_id(2));
    while setting.answer().is_some() {}
    assert_eq!((setting.net.open_exchanges(), setting.net.open_exchanges_peak()), (2, 3));
    assert_eq!(setting.net.open_exchanges_peak_at("http://origin.example"), 3);
    assert_eq!(setting.net.open_exchanges_peak_at("http://other.example"), 0);
}

#[test]
fn a_connection_is_free_for_another_exchange_only_behind_the_end_of_its_body() {
    let mut setting = Setting::new([Reply::ok(content(1, 10))]);
    for (body, taken) in [(1, 10), (2, 9)] {
        setting.fetch(body_id(body));
        setting.head();
        assert_eq!(setting.chunk(body_id(body), taken).unwrap().last, taken == 10);
        setting.drop_body(body_id(body));
        setting.answer();
    }
    assert_eq!(setting.net.reusable_connections(), 1);
}
