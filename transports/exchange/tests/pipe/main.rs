//! Exchanges over pipes in memory, on a clock that stands until it is moved: no socket, no thread, no real time.

mod clients;
mod pipe;
mod world;

use std::time::Duration;

use dlmanager_core::{Answer, Fault, FaultKind};
use dlmanager_exchange::Options;

use crate::world::World;

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A whole exchange on a connection that the server has or gets now.
fn exchange(world: &mut World, url: &str) -> usize {
    let fetched = world.fetch(url);
    let connection = world.serve(HELLO);
    assert_eq!(world.head(fetched.id).status, 200);
    let read = world.read(fetched.body, 100);
    let chunk = world.chunk(read).unwrap();
    assert_eq!((&chunk.data[..], chunk.last), (&b"hello"[..], true));
    world.finish(fetched.body);
    connection
}

#[test]
fn an_idle_connection_is_closed_at_its_time_and_not_before() {
    let idle_timeout = Duration::from_secs(30);
    let mut world = World::new(Options { idle_timeout, ..Options::default() });
    let connection = exchange(&mut world, "http://a/");
    world.advance(idle_timeout - Duration::from_nanos(1));
    assert!(world.is_open(connection));
    world.advance(Duration::from_nanos(1));
    assert!(!world.is_open(connection));
}

#[test]
fn each_use_gives_a_connection_its_idle_time_anew() {
    let idle_timeout = Duration::from_secs(30);
    let mut world = World::new(Options { idle_timeout, ..Options::default() });
    let connection = exchange(&mut world, "http://a/");
    for _ in 0..3 {
        world.advance(Duration::from_secs(20));
        assert_eq!(exchange(&mut world, "http://a/"), connection);
    }
    world.advance(Duration::from_secs(29));
    let other = exchange(&mut world, "http://b/");
    world.advance(Duration::from_secs(1));
    assert_eq!((world.is_open(connection), world.is_open(other)), (false, true));
    world.advance(Duration::from_secs(29));
    assert!(!world.is_open(other));
}

#[test]
fn while_a_body_is_received_no_time_ends_its_connection() {
    let mut world = World::new(Options { idle_timeout: Duration::from_secs(1), ..Options::default() });
    let fetched = world.fetch("http://a/");
    let connection = world.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    world.head(fetched.id);
    world.advance(Duration::from_secs(1_000_000));
    assert!(world.is_open(connection));
    world.send(connection, b"world");
    for (expected, last) in [("hello", false), ("world", true)] {
        let read = world.read(fetched.body, 100);
        let chunk = world.chunk(read).unwrap();
        assert_eq!((&chunk.data[..], chunk.last), (expected.as_bytes(), last));
    }
    world.finish(fetched.body);
}

#[test]
fn it_does_not_matter_in_how_many_pieces_a_reply_comes() {
    let reply = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n";
    for piece in [1, 2, 3, 7, reply.len()] {
        let mut world = World::new(Options::default());
        let fetched = world.fetch("http://a/");
        let connection = world.serve(b"");
        let mut body = Vec::new();
        let mut read = world.read(fetched.body, 100);
        let mut last = false;
        for bytes in reply.chunks(piece) {
            world.send(connection, bytes);
            while !last && let Some(answer) = world.try_answer(read) {
                let Answer::ReadBody(Ok(chunk)) = answer else { panic!("{answer:?}") };
                body.extend_from_slice(&chunk.data);
                last = chunk.last;
                if !last {
                    read = world.read(fetched.body, 100);
                }
            }
        }
        assert!(last, "in pieces of {piece}");
        assert_eq!(body, b"hello");
        assert_eq!(world.head(fetched.id).status, 200);
        world.finish(fetched.body);
        assert_eq!(exchange(&mut world, "http://a/"), connection);
    }
}

/// What a connection holds of a body that nobody reads: three frames and a buffer, and never more.
#[test]
fn an_unread_body_takes_no_more_than_its_bound() {
    const LENGTH: usize = 64 << 20;
    for read_buffer_bytes_max in [64 * 1024, 256 * 1024] {
        let mut world =
            World::new(Options { read_buffer_bytes_max, header_bytes_max: 16 * 1024, ..Options::default() });
        let fetched = world.fetch("http://a/");
        let connection = world.serve(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes());
        world.head(fetched.id);
        let piece = vec![0x5a; 1 << 20];
        let mut sent = 0;
        // Large reads first, so that the buffer grows to its full size.
        for _ in 0..200 {
            sent += world.try_send(connection, &piece);
            let read = world.read(fetched.body, 1 << 20);
            world.chunk(read).unwrap();
        }
        // Now nobody reads, and as much is sent as is taken.
        let received = world.received_bytes;
        loop {
            let taken = world.try_send(connection, &piece);
            if taken == 0 {
                break;
            }
            sent += taken;
        }
        assert!(sent < LENGTH, "all was taken");
        let held = sent - received - pipe::CAPACITY;
        assert!(held <= 4 * read_buffer_bytes_max, "{held} bytes are held");
    }
}

#[test]
fn idle_connections_to_many_origins_keep_to_their_bound() {
    let mut world = World::new(Options { idle_connections_max: 8, ..Options::default() });
    let connections: Vec<_> = (0..100).map(|n| exchange(&mut world, &format!("http://host-{n}/"))).collect();
    let open: Vec<_> = connections.iter().filter(|&&connection| world.is_open(connection)).collect();
    assert_eq!(open, connections[92..].iter().collect::<Vec<_>>());
    // The bound is one of idle connections: more may be in use.
    let fetched: Vec<_> = (0..50).map(|n| world.fetch(&format!("http://host-{n}/"))).collect();
    assert_eq!(world.connections(), 150);
    for fetched in fetched {
        world.drop_body(fetched.body);
    }
}

#[test]
fn what_the_runtime_says_of_a_connection_that_failed_is_told() {
    let fault = Fault::new(FaultKind::Connect).with_detail("no way to host a").with_os_code(7);
    let mut world = World::new(Options::default());
    world.refuse(Some(fault.clone()));
    let fetched = world.fetch("http://a/");
    let Some(Answer::Fetch(Err(told))) = world.try_answer(fetched.id) else { panic!("no fault") };
    assert_eq!(told, fault);
    assert!(world.connected.is_empty());
    world.finish(fetched.body);
    // The place is free again.
    world.refuse(None);
    for _ in 0..Options::default().connections_per_origin_max {
        let fetched = world.fetch("http://a/");
        world.serve(HELLO);
        world.head(fetched.id);
    }
}

#[test]
fn a_connection_is_not_begun_before_it_is_polled_and_dropped_with_its_exchange() {
    let mut world = World::new(Options::default());
    world.hold_connecting(true);
    let fetched = world.start_fetch("http://a/");
    assert_eq!(world.connecting(), 0);
    world.poll();
    assert_eq!(world.connecting(), 1);
    world.drop_body(fetched.body);
    assert_eq!(world.connecting(), 0);
    world.poll();
    assert!(matches!(world.try_answer(fetched.id), Some(Answer::Aborted)));
}

/// All that is under way is lost then: its owner drops it.
#[test]
fn a_runtime_that_panics_takes_no_places() {
    let connections = Options::default().connections_per_origin_max;
    let mut world = World::new(Options::default());
    let lost: Vec<_> = (0..connections).map(|n| world.start_fetch(&format!("http://a/{n}"))).collect();
    let waiting = world.start_fetch("http://a/waiting");
    assert_eq!(world.panic_at(connections), connections);
    for fetched in lost.into_iter().chain([waiting]) {
        world.finish(fetched.body);
    }
    for n in 0..connections {
        let fetched = world.fetch(&format!("http://a/{n}"));
        assert!(world.connected.contains(&(world.client, fetched.id)), "there is no place for exchange {n}");
    }
}

#[test]
fn a_connection_that_panics_while_it_is_idle_or_gives_its_body_back_is_closed() {
    let mut world = World::new(Options { connections_per_origin_max: 1, ..Options::default() });
    let idle = exchange(&mut world, "http://a/");
    world.wake(idle);
    assert_eq!(world.panic_at(1), 1);
    let whole = world.fetch("http://a/");
    let connection = world.serve(HELLO);
    assert_ne!(connection, idle);
    assert!(!world.is_open(idle));
    world.head(whole.id);
    let read = world.read(whole.body, 4);
    assert!(!world.chunk(read).unwrap().last);
    assert!(world.panic_at_drop(whole.body), "the connection of a body that has come as a whole was not looked at");
    exchange(&mut world, "http://a/");
    assert!(!world.is_open(connection));
}

#[test]
fn exchanges_beyond_the_bound_are_served_in_their_order() {
    let mut world = World::new(Options { connections_per_origin_max: 2, ..Options::default() });
    let fetched: Vec<_> = (0..20).map(|n| world.fetch(&format!("http://a/{n}"))).collect();
    for (n, fetched) in fetched.into_iter().enumerate() {
        let connection = world.serve_request(&format!("GET /{n} HTTP/1.1\r\n"), HELLO);
        assert!(connection < 2);
        world.head(fetched.id);
        let read = world.read(fetched.body, 100);
        assert!(world.chunk(read).unwrap().last);
        world.finish(fetched.body);
    }
    assert_eq!(world.connections(), 2);
}
