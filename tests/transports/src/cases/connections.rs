//! How many connections there are, and which of them are used again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dlmanager_core::FaultKind;
use dlmanager_origin::{At, Body, Cut, Ended, Gate, Reply};

use super::cases;
use crate::bench::{Bench, Scheme};
use crate::subject::Settings;
use crate::world::{DEADLINE, assert_bytes};

cases! {
    exchanges_one_after_the_other_use_one_connection: "Exchanges one after the other use one connection",
    a_body_that_was_received_gives_its_connection_back: "A body gives its connection back with its last byte",
    no_origin_ever_has_more_connections_than_allowed: "No origin ever has more connections than allowed, and all exchanges are served",
    a_waiting_exchange_takes_the_place_of_one_that_is_dropped: "A waiting exchange takes the place of one that is dropped",
    what_ends_a_connection_keeps_it_from_being_used_again: "What ends a connection keeps it from being used again",
    a_body_that_is_left_closes_its_connection: "A body that is left before its end closes its connection",
    a_connection_that_the_server_closes_while_it_is_idle_is_closed_and_replaced: "An idle connection that the server closes is closed, and no request is spent on it",
    a_request_that_finds_its_kept_connection_closed_goes_out_once_more: "A request that finds its kept connection closed goes out once more, on a new one",
    it_goes_out_only_once_more: "A request never goes out a third time",
    nothing_goes_out_again_once_a_byte_of_the_reply_has_come: "No request goes out again once a byte of its reply has come",
    an_idle_connection_is_closed_when_its_time_is_over: "An idle connection is closed when its time is over",
    without_an_idle_time_no_connection_is_kept: "Without an idle time no connection is kept",
    an_endless_idle_time_is_none: "With an endless idle time connections stay",
    a_host_is_found_by_its_name: "A host is found by its name, and its connections are its own",
    many_origins_are_served_at_the_same_time: "Many origins are served at the same time, each over its own connections",
    beyond_the_bound_the_connection_that_was_idle_longest_is_closed: "Of too many idle connections the one that was idle longest is closed",
}

fn exchanges_one_after_the_other_use_one_connection(bench: &Bench) {
    let mut world = bench.world();
    let body = Body::pattern(1, 100_000);
    world.origin.serve("/length", Reply::body(body.clone()));
    world.origin.serve("/chunked", Reply::body(body.clone()).chunked(&[1000]));
    world.origin.serve("/trailers", trailers());
    for _ in 0..10 {
        world.assert_get("/length", &body);
        world.assert_get("/chunked", &body);
        world.assert_get("/trailers", &Body::from("hello"));
    }
    let seen = world.origin.records();
    assert_eq!((seen.requests.len(), seen.connections.total), (30, 1));
    assert!(world.connected.values().all(|&times| times == 1));
    assert_eq!(world.connected.len(), 30);
    world.end();
}

fn trailers() -> Reply {
    Reply::body("5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n")
        .framed_by_hand()
        .header("Transfer-Encoding", "chunked")
        .keep_alive()
}

/// A connection is given back with the last byte: nobody has to wait for `DropBody`.
fn a_body_that_was_received_gives_its_connection_back(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/empty", Reply::empty(200));
    world.origin.serve("/a", Reply::body("hello"));
    let bodies = ["/empty", "/a", "/empty", "/a"].map(|path| {
        let fetched = world.fetch(path);
        world.head(fetched.id).unwrap();
        if path == "/a" {
            let (chunks, _) = world.read_all(fetched.body, 100);
            assert_bytes(&chunks, &Body::from("hello"));
        }
        fetched.body
    });
    assert_eq!(world.origin.records().connections.total, 1);
    for body in bodies {
        world.finish(body);
    }
    world.assert_get("/a", &Body::from("hello"));
    assert_eq!(world.origin.records().connections.total, 1);
    world.end();
}

fn no_origin_ever_has_more_connections_than_allowed(bench: &Bench) {
    let mut world = bench.world_with(Settings { connections_per_origin_max: 6, ..Settings::default() });
    let gate = Gate::new();
    let body = Body::pattern(1, 50_000);
    let (kept, closed) = (Reply::body(body.clone()), Reply::body(body.clone()).close_after());
    world.origin.serve("/kept", kept.gate_at(At::Body(20_000), &gate));
    world.origin.serve("/closed", closed.gate_at(At::Body(20_000), &gate));
    world.origin.serve("/cut", Reply::body(body.clone()).gate_at(At::Body(10), &gate).cut_at(At::Body(20), Cut::Reset));
    let fetched: Vec<_> = (0..30)
        .map(|n| {
            let path = ["/kept", "/closed", "/cut"][n % 3];
            (path, world.fetch(path))
        })
        .collect();
    // All places are taken, and the rest waits.
    world.drive_until(|seen| seen.requests.len() == 6);
    world.assert_comes_to_rest();
    assert_eq!(world.connected.len(), 6);
    gate.open();
    for (path, fetched) in fetched {
        match world.head(fetched.id) {
            Ok(_) => {
                let (chunks, fault) = world.read_all(fetched.body, 1 << 20);
                match fault {
                    None => assert_bytes(&chunks, &body),
                    Some(fault) => assert_eq!((path, fault.kind()), ("/cut", FaultKind::Reset)),
                }
            }
            Err(fault) => assert_eq!((path, fault.kind()), ("/cut", FaultKind::Reset)),
        }
        world.finish(fetched.body);
    }
    let seen = world.origin.records();
    assert_eq!((seen.requests.len(), seen.connections.peak), (30, 6));
    world.end();
}

fn a_waiting_exchange_takes_the_place_of_one_that_is_dropped(bench: &Bench) {
    let mut world = bench.world_with(Settings { connections_per_origin_max: 1, ..Settings::default() });
    world.origin.serve("/stalled", Reply::body("hello").stall_at(At::Start));
    world.origin.serve("/a", Reply::body("hello"));
    let stalled = world.fetch("/stalled");
    let (dropped, waiting) = (world.fetch("/a"), world.fetch("/a"));
    let read = world.read(waiting.body, 100);
    world.drive_until(|seen| seen.requests.len() == 1);
    world.finish(dropped.body);
    world.assert_aborted(dropped.id);
    assert!(!world.is_answered(waiting.id));
    world.finish(stalled.body);
    world.assert_aborted(stalled.id);
    assert_eq!(world.chunk(read).unwrap().data, "hello");
    world.finish(waiting.body);
    let seen = world.origin.records();
    assert_eq!((seen.requests.len(), seen.connections.total, seen.connections.peak), (2, 2, 1));
    world.end();
}

fn what_ends_a_connection_keeps_it_from_being_used_again(bench: &Bench) {
    let body = Body::pattern(1, 1000);
    for (name, reply) in [
        ("Connection: close", Reply::body(body.clone()).close_after()),
        ("HTTP/1.0", Reply::body(body.clone()).http_1_0()),
        ("no length", Reply::body(body.clone()).until_close()),
        (
            "excess bytes",
            Reply::body(body.clone()).extra("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad").keep_alive(),
        ),
        ("switched", Reply::empty(101)),
    ] {
        let mut world = bench.world();
        world.origin.serve("/ends", reply);
        world.origin.serve("/a", Reply::body(body.clone()));
        for _ in 0..3 {
            world.get("/ends", 1 << 20);
        }
        world.assert_get("/a", &body);
        let seen = world.origin.records();
        assert_eq!((seen.requests.len(), seen.connections.total), (4, 4), "{name}");
        assert!(world.connected.values().all(|&times| times == 1), "{name}");
        world.end();
    }
}

fn a_body_that_is_left_closes_its_connection(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/a", Reply::body(Body::pattern(1, 100 << 20)));
    for read_first in [false, true] {
        let fetched = world.fetch("/a");
        world.head(fetched.id).unwrap();
        if read_first {
            let read = world.read(fetched.body, 10);
            assert!(!world.chunk(read).unwrap().last);
        }
        world.finish(fetched.body);
    }
    let seen = world
        .origin
        .wait_for(DEADLINE, |seen| {
            seen.connections.open == 0 && seen.requests.iter().all(|request| request.sent.is_some())
        })
        .unwrap();
    assert_eq!((seen.connections.total, seen.connections.peak), (2, 1));
    assert!(seen.requests.iter().all(|request| request.sent.unwrap().ended == Ended::ClientLeft));
    world.end();
}

/// A server of its own, as only the server's side of a connection tells when the client has closed it too.
fn a_connection_that_the_server_closes_while_it_is_idle_is_closed_and_replaced(bench: &Bench) {
    bench.only_over(Scheme::Http, "by a server without TLS");
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    let (close, told_to_close) = mpsc::channel();
    let (closed, noticed) = mpsc::channel();
    let server = thread::spawn(move || {
        for _ in 0..3 {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 1000];
            assert!(socket.read(&mut request).unwrap() > 0);
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
            told_to_close.recv_timeout(DEADLINE).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            assert_eq!(socket.read(&mut request).unwrap(), 0);
            closed.send(()).unwrap();
        }
    });
    let mut world = bench.world();
    let mut noticed = Some(noticed);
    for _ in 0..3 {
        let fetched = world.fetch_url(&url);
        world.head(fetched.id).unwrap();
        assert_bytes(&world.read_all(fetched.body, 100).0, &Body::from("hello"));
        world.finish(fetched.body);
        world.assert_comes_to_rest();
        close.send(()).unwrap();
        let receiver = noticed.take().unwrap();
        noticed = Some(world.drive_while(move || {
            receiver.recv_timeout(DEADLINE).unwrap();
            receiver
        }));
        // Not a request was spent on finding out.
        assert_eq!(world.connected[&fetched.id], 1);
    }
    server.join().unwrap();
    world.end();
}

fn a_request_that_finds_its_kept_connection_closed_goes_out_once_more(bench: &Bench) {
    for cut in [Reply::close(), Reply::reset()] {
        let mut world = bench.world();
        let whole = || Reply::body("hello");
        world.origin.script("/a", vec![whole(), cut.clone(), whole()]);
        world.assert_get("/a", &Body::from("hello"));
        let fetched = world.fetch("/a");
        assert_eq!(world.head(fetched.id).unwrap().status, 200);
        assert_eq!(world.connected[&fetched.id], 2);
        world.finish(fetched.body);
        let seen = world.origin.records();
        assert_eq!((seen.requests.len(), seen.connections.total), (3, 2));
        world.end();
    }
}

fn it_goes_out_only_once_more(bench: &Bench) {
    let mut world = bench.world();
    world.origin.script("/a", vec![Reply::body("hello"), Reply::close()]);
    world.assert_get("/a", &Body::from("hello"));
    let fetched = world.fetch("/a");
    assert_eq!(world.head(fetched.id).unwrap_err().kind(), FaultKind::Reset);
    world.finish(fetched.body);
    let seen = world.origin.records();
    assert_eq!((seen.requests.len(), seen.connections.total), (3, 2));
    world.end();
}

fn nothing_goes_out_again_once_a_byte_of_the_reply_has_come(bench: &Bench) {
    let mut world = bench.world();
    world.origin.script("/a", vec![Reply::body("hello"), Reply::body("hello").cut_at(At::Head(1), Cut::Fin)]);
    world.assert_get("/a", &Body::from("hello"));
    let fetched = world.fetch("/a");
    assert_eq!(world.head(fetched.id).unwrap_err().kind(), FaultKind::Reset);
    world.finish(fetched.body);
    assert_eq!(world.origin.records().requests.len(), 2);
    world.end();
}

fn an_idle_connection_is_closed_when_its_time_is_over(bench: &Bench) {
    let mut world = bench.world_with(Settings { idle_timeout: Duration::from_millis(30), ..Settings::default() });
    world.origin.serve("/a", Reply::body("hello"));
    for connections in 1..4 {
        world.assert_get("/a", &Body::from("hello"));
        world.drive_until(move |seen| seen.connections.open == 0 && seen.connections.total == connections);
    }
    world.end();
}

fn without_an_idle_time_no_connection_is_kept(bench: &Bench) {
    let mut world = bench.world_with(Settings { idle_timeout: Duration::ZERO, ..Settings::default() });
    world.origin.serve("/a", Reply::body("hello"));
    for _ in 0..3 {
        world.assert_get("/a", &Body::from("hello"));
    }
    let seen = world.origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    assert_eq!(seen.connections.total, 3);
    world.end();
}

fn an_endless_idle_time_is_none(bench: &Bench) {
    let mut world = bench.world_with(Settings { idle_timeout: Duration::MAX, ..Settings::default() });
    world.origin.serve("/a", Reply::body("hello"));
    for _ in 0..3 {
        world.assert_get("/a", &Body::from("hello"));
    }
    assert_eq!(world.origin.records().connections.total, 1);
    world.end();
}

fn a_host_is_found_by_its_name(bench: &Bench) {
    let mut world = bench.world();
    world.origin.serve("/a", Reply::body("hello"));
    world.assert_get("/a", &Body::from("hello"));
    for name in ["localhost", "LocalHost"] {
        let by_name = world.url("/a").replace("127.0.0.1", name);
        assert_bytes(&world.get_url(&by_name, 100).1, &Body::from("hello"));
    }
    assert_eq!(world.origin.records().connections.total, 2);
    world.end();
}

/// So many that they do not get through with one poll where the runtime bounds what a poll may do.
fn many_origins_are_served_at_the_same_time(bench: &Bench) {
    const EACH: u64 = 4;
    let mut world = bench.world();
    let others: Vec<_> = (0..12).map(|_| bench.origin()).collect();
    let mut fetched = Vec::new();
    for at in 0..EACH {
        for (seed, origin) in (0..).zip(&others) {
            let (path, body) = (format!("/{at}"), Body::pattern(seed * EACH + at, 200_000));
            origin.serve(&path, Reply::body(body.clone()));
            fetched.push((world.fetch_url(&origin.url(&path)), body));
        }
    }
    for (fetched, _) in &fetched {
        world.head(fetched.id).unwrap();
    }
    for (fetched, body) in fetched {
        assert_bytes(&world.read_all(fetched.body, 10_000).0, &body);
        world.finish(fetched.body);
    }
    for origin in &others {
        let seen = origin.records();
        assert_eq!((seen.requests.len(), seen.connections.total), (4, 4));
    }
    world.end();
}

fn beyond_the_bound_the_connection_that_was_idle_longest_is_closed(bench: &Bench) {
    let mut world = bench.world_with(Settings { idle_connections_max: 2, ..Settings::default() });
    let others = [bench.origin(), bench.origin()];
    world.origin.serve("/a", Reply::body("hello"));
    world.assert_get("/a", &Body::from("hello"));
    for other in &others {
        other.serve("/a", Reply::body("hello"));
        let fetched = world.fetch_url(&other.url("/a"));
        assert_bytes(&world.read_all(fetched.body, 100).0, &Body::from("hello"));
        world.finish(fetched.body);
    }
    world.origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    for other in &others {
        assert_eq!(other.records().connections.open, 1);
    }
    world.end();
}
