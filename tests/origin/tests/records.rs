//! Scripts, and what the origin says it has seen.

mod client;

use std::time::Duration;

use client::{Client, DEADLINE, fetch};
use dlmanager_origin::{Connections, Ended, Origin, Reply, Sent};

#[test]
fn a_script_has_a_reply_for_each_request_and_its_last_for_the_rest() {
    let origin = Origin::start().unwrap();
    let reply = |text: &str| Reply::body(text).close_after();
    origin.script("/a", vec![reply("1"), reply("2"), reply("3")]);
    origin.serve("/b", reply("b"));
    let last = |path: &str| fetch(&origin, path).pop().unwrap();
    assert_eq!([last("/a"), last("/b"), last("/a"), last("/a"), last("/a")], ['1', 'b', '2', '3', '3']);
    origin.serve("/a", reply("4"));
    assert_eq!([last("/a"), last("/a")], ['4', '4']);
    origin.script("/a", Vec::new());
    let mut client = Client::get(&origin, "/a");
    assert!(client.head().starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_target_is_looked_up_with_its_query_first() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("path").close_after());
    origin.serve("/a?x=1", Reply::body("query").close_after());
    assert!(fetch(&origin, "/a?x=1").ends_with("query"));
    assert!(fetch(&origin, "/a?x=2").ends_with("path"));
    assert_eq!(origin.records().requests_to("/a").count(), 2);
}

#[test]
fn requests_are_recorded_as_they_came() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("12345"));
    let mut first = Client::connect(&origin);
    first.send("GET /a?b HTTP/1.1\r\nHost: h\r\naccept-encoding:  identity \r\n\r\n");
    first.head();
    let mut second = Client::get(&origin, "/none");
    second.head();
    first.exactly(5);
    first.ask("/a");
    first.head();
    let seen = origin.wait_for(DEADLINE, |seen| seen.requests.iter().all(|request| request.sent.is_some())).unwrap();
    let short: Vec<_> = seen.requests.iter().map(|r| (r.ordinal, r.connection, r.target.as_str())).collect();
    assert_eq!(short, [(0, 0, "/a?b"), (1, 1, "/none"), (2, 0, "/a")]);
    let request = &seen.requests[0];
    assert_eq!((request.method.as_str(), request.path()), ("GET", "/a"));
    assert_eq!(request.header("Accept-Encoding"), Some("identity"));
    assert_eq!(request.header("Range"), None);
    assert_eq!(request.headers[0], ("Host".to_owned(), "h".to_owned()));
    assert_eq!(request.sent, Some(Sent { body_bytes: 5, ended: Ended::Whole }));
    assert_eq!(seen.connections, Connections { total: 2, open: 2, peak: 2 });
}

#[test]
fn connections_that_replace_each_other_do_not_count_beside_each_other() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("x"));
    for _ in 0..300 {
        let mut client = Client::get(&origin, "/a");
        client.head();
        client.exactly(1);
    }
    let seen = origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    assert_eq!(seen.connections.total, 300);
    if cfg!(unix) {
        assert_eq!(seen.connections.peak, 1);
    }
}

#[test]
fn connections_at_once_show_in_the_peak() {
    let origin = Origin::start().unwrap();
    let clients: Vec<_> = (0..7).map(|_| Client::connect(&origin)).collect();
    origin.wait_for(DEADLINE, |seen| seen.connections == Connections { total: 7, open: 7, peak: 7 }).unwrap();
    drop(clients);
    let seen = origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    assert_eq!(seen.connections.peak, 7);
}

#[test]
fn waiting_in_vain_tells_what_was_seen() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("x").close_after());
    fetch(&origin, "/a");
    let error = origin.wait_for(Duration::from_millis(1), |seen| seen.requests.len() == 2).unwrap_err();
    assert_eq!(error.0.requests.len(), 1);
    let text = error.to_string();
    assert!(text.contains("with 1 connections") && text.contains("0: GET /a on connection 0"), "{text}");
}

#[test]
fn urls_are_absolute() {
    let (origin, other) = (Origin::start().unwrap(), Origin::start().unwrap());
    let expected = format!("http://{}/a%20b?c", origin.addr());
    assert_eq!([origin.url("/a%20b?c"), origin.url("a%20b?c")], [expected.clone(), expected]);
    origin.serve("/r", Reply::redirect(302, &other.url("/a")).close_after());
    assert!(fetch(&origin, "/r").contains(&format!("Location: http://{}/a\r\n", other.addr())));
}
