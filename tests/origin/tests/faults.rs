//! Cuts, stalls and gates at every kind of place.

mod client;

use std::io::ErrorKind;

use client::{Client, DEADLINE, sample};
use dlmanager_origin::{At, Body, Cut, Ended, Gate, Origin, Reply, Sent};

/// What was sent of the only request.
fn sent(origin: &Origin) -> Sent {
    let seen = origin.wait_for(DEADLINE, |seen| seen.requests.first().is_some_and(|first| first.sent.is_some()));
    seen.unwrap().requests[0].sent.unwrap()
}

#[test]
fn a_cut_leaves_exactly_the_bytes_before_it() {
    let wire = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome body";
    let head = wire.len() - 9;
    for at in 0..=head {
        let origin = Origin::start().unwrap();
        origin.serve("/a", Reply::body("some body").cut_at(At::Head(at), Cut::Fin));
        assert_eq!(Client::get(&origin, "/a").rest_text(), wire[..at]);
        assert_eq!(sent(&origin), Sent { body_bytes: 0, ended: Ended::Cut });
    }
    for at in 0..=9 {
        let origin = Origin::start().unwrap();
        origin.serve("/a", Reply::body("some body").cut_at(At::Body(at as u64), Cut::Fin));
        assert_eq!(Client::get(&origin, "/a").rest_text(), wire[..head + at]);
        assert_eq!(sent(&origin), Sent { body_bytes: at as u64, ended: Ended::Cut });
    }
}

#[test]
fn a_connection_that_was_ended_in_order_is_not_reset_by_what_the_client_sends_late() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("body").cut_at(At::Body(2), Cut::Fin));
    let mut client = Client::get(&origin, "/a");
    client.rest();
    // The answer to bytes for a closed socket would be a reset, and the next write would fail.
    for _ in 0..1000 {
        client.ask("/a");
    }
    assert_eq!(client.rest(), b"");
    assert_eq!(origin.records().requests.len(), 1);
}

#[test]
fn a_cut_at_the_end_is_a_kept_connection_that_is_not_kept() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("body").cut_at(At::End, Cut::Fin));
    assert_eq!(Client::get(&origin, "/a").rest_text(), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(sent(&origin), Sent { body_bytes: 4, ended: Ended::Cut });
}

#[test]
fn a_cut_can_fall_into_a_chunk_and_before_the_last() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (at, expected) in [(0, "4\r\n"), (2, "4\r\nab"), (4, "4\r\nabcd\r\n1\r\n"), (5, "4\r\nabcd\r\n1\r\ne\r\n")] {
        let origin = Origin::start().unwrap();
        origin.serve("/a", Reply::body("abcde").chunked(&[4]).cut_at(At::Body(at), Cut::Fin));
        assert_eq!(Client::get(&origin, "/a").rest_text(), format!("{head}{expected}"), "at {at}");
    }
}

#[test]
fn a_cut_far_inside_a_large_body_is_exact_too() {
    let (body, bytes) = sample(1_000_000);
    for at in [65_535, 65_536, 65_537, 777_777] {
        let origin = Origin::start().unwrap();
        origin.serve("/a", Reply::body(body.clone()).cut_at(At::Body(at as u64), Cut::Fin));
        let mut client = Client::get(&origin, "/a");
        client.head();
        assert!(client.rest() == bytes[..at]);
    }
}

#[test]
fn a_reset_is_a_reset() {
    let (body, bytes) = sample(10_000);
    for at in [At::Start, At::Head(5), At::Body(0), At::Body(5_000), At::End] {
        let origin = Origin::start().unwrap();
        origin.serve("/a", Reply::body(body.clone()).cut_at(at, Cut::Reset));
        let (found, end) = Client::get(&origin, "/a").until_end();
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset, "{at:?}");
        assert_eq!(sent(&origin).ended, Ended::Cut);
        if at == At::End {
            // Arrived bytes may be lost by a reset, but none may be wrong.
            let body_found = found.windows(4).position(|window| window == b"\r\n\r\n").map(|end| &found[end + 4..]);
            assert!(body_found.is_none_or(|found| bytes.starts_with(found)));
        }
    }
}

#[test]
fn a_place_that_is_never_reached_is_passed_over() {
    let origin = Origin::start().unwrap();
    let reply = Reply::body("body").cut_at(At::Head(1000), Cut::Fin).cut_at(At::Body(5), Cut::Fin);
    origin.serve("/a", reply.clone());
    origin.serve("/chunked", reply.chunked(&[3]));
    let mut client = Client::get(&origin, "/a");
    client.head();
    assert_eq!(client.text(4), "body");
    client.ask("/chunked");
    client.head();
    assert_eq!(client.text(19), "3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n");
    client.send("HEAD /a HTTP/1.1\r\n\r\n");
    client.head();
    client.ask("/a");
    client.head();
}

#[test]
fn a_stall_lasts_until_the_client_leaves() {
    for at in [At::Start, At::Head(10), At::Body(3), At::End] {
        let origin = Origin::start().unwrap();
        origin.serve("/a", Reply::body("body").stall_at(at));
        let mut client = Client::get(&origin, "/a");
        let expected = match at {
            At::Start => 0,
            At::Head(count) => count,
            At::Body(count) => 38 + usize::try_from(count).unwrap(),
            At::End => 42,
        };
        client.exactly(expected);
        let seen = origin.wait_for(DEADLINE, |seen| seen.requests.len() == 1).unwrap();
        assert_eq!((seen.connections.open, seen.requests[0].sent), (1, None));
        client.0.set_nonblocking(true).unwrap();
        assert_eq!(client.0.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "{at:?}");
        drop(client);
        let seen = origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
        assert_eq!(seen.connections.total, 1);
        let body_bytes = expected.saturating_sub(38) as u64;
        assert_eq!(sent(&origin), Sent { body_bytes, ended: Ended::ClientLeft });
    }
}

#[test]
fn a_stall_ends_with_the_origin() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("body").stall_at(At::Body(2)));
    let mut client = Client::get(&origin, "/a");
    client.head();
    client.exactly(2);
    drop(origin);
    assert_eq!(client.rest(), b"");
}

#[test]
fn an_origin_stops_under_a_client_that_does_not_read() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body(Body::pattern(1, 1 << 40)));
    let mut client = Client::get(&origin, "/a");
    client.head();
    drop(origin);
    // What was under way may arrive; then the connection ends, one way or the other.
    let (bytes, _) = client.until_end();
    assert!(bytes.len() < 1 << 30);
}

#[test]
fn a_gate_holds_every_reply_until_it_is_opened_and_none_after() {
    let origin = Origin::start().unwrap();
    let gate = Gate::new();
    origin.serve("/a", Reply::body("body").gate_at(At::Body(2), &gate).close_after());
    let mut clients: Vec<Client> = (0..3).map(|_| Client::get(&origin, "/a")).collect();
    assert!(gate.wait_reached(3, DEADLINE));
    for client in &mut clients {
        client.head();
        assert_eq!(client.text(2), "bo");
        client.0.set_nonblocking(true).unwrap();
        assert_eq!(client.0.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.0.set_nonblocking(false).unwrap();
    }
    assert!(!gate.is_open());
    gate.open();
    for client in &mut clients {
        assert_eq!(client.rest_text(), "dy");
    }
    assert_eq!(Client::get(&origin, "/a").rest_text().len(), 61);
    assert_eq!(gate.arrivals(), 4);
    assert!(!gate.wait_reached(5, std::time::Duration::from_millis(1)));
}

#[test]
fn a_client_can_leave_a_gate() {
    let origin = Origin::start().unwrap();
    let gate = Gate::new();
    origin.serve("/a", Reply::body("body").gate_at(At::Start, &gate));
    let client = Client::get(&origin, "/a");
    assert!(gate.wait_reached(1, DEADLINE));
    drop(client);
    origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    assert_eq!(sent(&origin), Sent { body_bytes: 0, ended: Ended::ClientLeft });
    assert!(!gate.is_open());
}

#[test]
fn faults_at_one_place_happen_in_the_order_given() {
    let origin = Origin::start().unwrap();
    let (first, second) = (Gate::new(), Gate::new());
    let reply = Reply::body("body").gate_at(At::Body(1), &second).cut_at(At::Body(1), Cut::Fin);
    origin.serve("/a", reply.gate_at(At::Head(0), &first));
    let mut client = Client::get(&origin, "/a");
    assert!(first.wait_reached(1, DEADLINE));
    assert_eq!(second.arrivals(), 0);
    first.open();
    assert!(second.wait_reached(1, DEADLINE));
    second.open();
    client.head();
    assert_eq!(client.rest_text(), "b");
}

#[test]
fn a_client_that_goes_away_in_the_middle_is_noticed() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body(Body::pattern(1, 1 << 40)));
    let mut client = Client::get(&origin, "/a");
    client.head();
    client.exactly(100_000);
    drop(client);
    let sent = sent(&origin);
    assert_eq!(sent.ended, Ended::ClientLeft);
    assert!((100_000..1 << 30).contains(&sent.body_bytes));
}
