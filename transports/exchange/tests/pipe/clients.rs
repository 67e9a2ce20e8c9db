//! Several clients with the same identifiers share exchanges.

use std::time::Duration;

use dlmanager_core::{Answer, FaultKind};
use dlmanager_exchange::{Client, Options};

use crate::HELLO;
use crate::world::{Fetched, World};

fn world(connections_per_origin_max: usize) -> World {
    World::new(Options { connections_per_origin_max, ..Options::default() })
}

/// Asks as one of the clients.
fn fetch(world: &mut World, client: u64, url: &str) -> Fetched {
    world.client = Client::new(client);
    world.fetch(url)
}

/// Answers the one request that has come, for this path, and reads its body to the end.
#[track_caller]
fn serve(world: &mut World, client: u64, path: &str, fetched: Fetched) {
    world.serve_request(&format!("GET {path} HTTP/1.1\r\n"), HELLO);
    world.client = Client::new(client);
    world.head(fetched.id);
    let read = world.read(fetched.body, 100);
    assert!(world.chunk(read).unwrap().last);
    world.finish(fetched.body);
}

#[test]
fn clients_with_the_same_identifiers_are_told_apart() {
    let mut world = world(6);
    let fetched: Vec<_> = (1..=3).map(|client| fetch(&mut world, client, &format!("http://a/{client}"))).collect();
    assert!(fetched.iter().all(|of| (of.id, of.body) == (fetched[0].id, fetched[0].body)), "{fetched:?}");
    for (client, fetched) in (1..).zip(fetched) {
        serve(&mut world, client, &format!("/{client}"), fetched);
    }
    assert_eq!(world.connections(), 3);
}

#[test]
fn an_abort_is_one_of_its_clients_own() {
    let mut world = world(6);
    let [first, second] = [1, 2].map(|client| fetch(&mut world, client, &format!("http://a/{client}")));
    world.exchanges.abort_for(Client::new(1), first.id);
    world.poll();
    assert!(world.try_answer(second.id).is_none());
    world.client = Client::new(1);
    assert!(matches!(world.try_answer(first.id), Some(Answer::Aborted)));
    serve(&mut world, 2, "/2", second);
}

#[test]
fn at_a_full_origin_clients_take_turns() {
    let mut world = world(1);
    let much: Vec<_> = (0..3).map(|n| (1, fetch(&mut world, 1, &format!("http://a/1/{n}")))).collect();
    let some: Vec<_> = (0..2).map(|n| (2, fetch(&mut world, 2, &format!("http://a/2/{n}")))).collect();
    let one = (3, fetch(&mut world, 3, "http://a/3/0"));
    let order =
        [("/1/0", much[0]), ("/1/1", much[1]), ("/2/0", some[0]), ("/3/0", one), ("/1/2", much[2]), ("/2/1", some[1])];
    for (path, (client, fetched)) in order {
        serve(&mut world, client, path, fetched);
    }
    assert_eq!(world.connections(), 1);
}

#[test]
fn who_leaves_leaves_its_places_and_hears_no_more() {
    let mut world = world(2);
    let received = fetch(&mut world, 1, "http://a/");
    let connection = world.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    world.head(received.id);
    fetch(&mut world, 1, "http://a/2");
    let waiting = [fetch(&mut world, 1, "http://a/3"), fetch(&mut world, 2, "http://a/4")];
    // Answered, and not yet told.
    world.client = Client::new(1);
    let dropped = world.drop_body(waiting[0].body);
    world.exchanges.leave(Client::new(1));
    world.poll();
    assert!(world.try_answer(dropped).is_none());
    assert!(!world.is_open(connection));
    serve(&mut world, 2, "/4", waiting[1]);
    assert_eq!(world.connections(), 3, "those of the one who left are closed");
    // Nothing is left of it that could be in the way.
    for n in 0..2 {
        fetch(&mut world, 2, &format!("http://a/{n}"));
    }
    assert_eq!(world.connections(), 4, "one more beside the one that was idle");
}

#[test]
fn time_for_connecting_begins_when_there_is_a_place() {
    let timeout = Duration::from_secs(10);
    let mut world = world(1);
    world.exchanges.set_connect_timeout(Client::new(2), timeout);
    world.hold_connecting(true);
    let holding = fetch(&mut world, 1, "http://a/");
    let waiting = fetch(&mut world, 2, "http://a/");
    world.advance(timeout * 1000);
    assert!(world.try_answer(waiting.id).is_none());
    world.client = Client::new(1);
    assert!(world.try_answer(holding.id).is_none(), "without a timeout there is none");
    world.finish(holding.body);
    world.client = Client::new(2);
    world.advance(timeout - Duration::from_nanos(1));
    assert!(world.try_answer(waiting.id).is_none());
    assert_eq!(world.connecting(), 1);
    world.advance(Duration::from_nanos(1));
    let Some(Answer::Fetch(Err(fault))) = world.try_answer(waiting.id) else { panic!("no fault") };
    assert_eq!(fault.kind(), FaultKind::Connect);
    assert!(fault.to_string().contains("a:80 has not accepted one within 10s"), "{fault}");
    assert_eq!(world.connecting(), 0);
    // A connection that stands has all the time that it needs.
    world.hold_connecting(false);
    let slow = fetch(&mut world, 2, "http://a/");
    world.advance(timeout * 1000);
    assert!(world.try_answer(slow.id).is_none());
}
