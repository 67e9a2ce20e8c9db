//! Delays, drips and rates. The only tests that measure time, and only that it was not too short.

mod client;

use std::time::{Duration, Instant};

use client::{Client, DEADLINE, sample};
use dlmanager_origin::{At, Ended, Origin, Reply};

#[test]
fn a_delay_comes_before_the_first_byte_and_a_pause_where_it_is_put() {
    let origin = Origin::start().unwrap();
    let pause = Duration::from_millis(60);
    origin.serve("/delay", Reply::body("x").delay(pause));
    origin.serve("/pause", Reply::body("xy").pause_at(At::Body(1), pause));
    let start = Instant::now();
    let mut client = Client::get(&origin, "/delay");
    client.exactly(1);
    assert!(start.elapsed() >= pause);
    client.head();
    client.exactly(1);
    let start = Instant::now();
    client.ask("/pause");
    client.head();
    client.exactly(1);
    client.exactly(1);
    assert!(start.elapsed() >= pause);
}

#[test]
fn a_rate_bounds_a_body() {
    let origin = Origin::start().unwrap();
    let (body, bytes) = sample(50_000);
    origin.serve("/a", Reply::body(body).rate(200_000).close_after());
    let start = Instant::now();
    let mut client = Client::get(&origin, "/a");
    client.head();
    assert!(client.rest() == bytes);
    // A quarter of a second, but for the first piece, a fiftieth of one, which waits for nothing.
    assert!(start.elapsed() >= Duration::from_millis(225), "{:?}", start.elapsed());
}

#[test]
fn a_drip_sends_a_piece_an_interval_in_any_framing() {
    let origin = Origin::start().unwrap();
    let every = Duration::from_millis(10);
    origin.serve("/a", Reply::body("0123456789").drip(1, every).close_after());
    origin.serve("/chunked", Reply::body("0123456789").chunked(&[4]).drip(3, every).close_after());
    let start = Instant::now();
    assert!(client::fetch(&origin, "/a").ends_with("0123456789"));
    assert!(start.elapsed() >= every * 9);
    let start = Instant::now();
    assert!(client::fetch(&origin, "/chunked").ends_with("4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n"));
    assert!(start.elapsed() >= every * 3);
}

#[test]
fn a_client_that_leaves_ends_a_pause_of_any_length() {
    let origin = Origin::start().unwrap();
    origin.serve("/pause", Reply::body("x").delay(Duration::MAX));
    origin.serve("/drip", Reply::body("xyz").drip(1, Duration::from_secs(3600)));
    for (ordinal, path) in ["/pause", "/drip"].into_iter().enumerate() {
        let client = Client::get(&origin, path);
        origin.wait_for(DEADLINE, |seen| seen.requests.len() == ordinal + 1).unwrap();
        drop(client);
        let seen = origin.wait_for(DEADLINE, |seen| seen.requests[ordinal].sent.is_some()).unwrap();
        assert_eq!(seen.requests[ordinal].sent.unwrap().ended, Ended::ClientLeft);
    }
}
