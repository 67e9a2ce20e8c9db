//! Heads, lengths and framings, byte for byte.

mod client;

use client::{Client, DEADLINE, fetch, sample};
use dlmanager_origin::{At, Body, Ended, Origin, Reply};

#[test]
fn a_plain_reply_is_these_bytes_and_the_connection_lives_on() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("hello").header("X", "1"));
    let mut client = Client::get(&origin, "/a");
    let expected = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: 1\r\n\r\nhello";
    assert_eq!(client.text(expected.len()), expected);
    client.ask("/a");
    assert_eq!(client.text(expected.len()), expected);
    client.ask("/b");
    assert_eq!(client.head(), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(origin.records().connections.total, 1);
}

#[test]
fn headers_go_out_as_they_were_given() {
    let origin = Origin::start().unwrap();
    let reply = Reply::empty(302).header("Location", "/x").header("Location", "/y");
    origin.serve("/a", reply.line("no colon at all").line(b"X:\xff\x00").line(" folded").close_after());
    let bytes = Client::get(&origin, "/a").rest();
    let expected = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: /x\r\nLocation: /y\r\n\
        no colon at all\r\nX:\xff\x00\r\n folded\r\n\r\n";
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn a_stated_length_is_taken_at_its_word_and_closes() {
    let origin = Origin::start().unwrap();
    origin.serve("/long", Reply::body("12345").content_length(9));
    origin.serve("/twice", Reply::body("12345").content_length(5).content_length(6));
    origin.serve("/odd", Reply::body("12345").framed_by_hand().header("Content-Length", "+5"));
    assert_eq!(fetch(&origin, "/long"), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345");
    assert_eq!(fetch(&origin, "/twice"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345");
    assert_eq!(fetch(&origin, "/odd"), "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n12345");
}

#[test]
fn chunks_have_the_sizes_that_were_chosen() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("abcdefghijklmnopqrstuvwxyz").chunked(&[1, 0, 16, 4]));
    origin.serve("/empty", Reply::body("").chunked(&[]));
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = Client::get(&origin, "/a");
    assert_eq!(client.head(), head);
    let expected = "1\r\na\r\n10\r\nbcdefghijklmnopq\r\n4\r\nrstu\r\n4\r\nvwxy\r\n1\r\nz\r\n0\r\n\r\n";
    assert_eq!(client.text(expected.len()), expected);
    // Chunked is a length: the connection lives on.
    client.ask("/empty");
    assert_eq!(client.text(head.len() + 5), format!("{head}0\r\n\r\n"));
}

#[test]
fn a_large_chunked_body_arrives_byte_for_byte() {
    let origin = Origin::start().unwrap();
    let (body, bytes) = sample(1_000_003);
    origin.serve("/a", Reply::body(body).chunked(&[70_000, 3, 100_000]));
    let mut client = Client::get(&origin, "/a");
    client.head();
    let mut found = Vec::new();
    loop {
        let mut size = String::new();
        while !size.ends_with("\r\n") {
            size.push_str(&client.text(1));
        }
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        found.extend(client.exactly(size));
        assert_eq!(client.text(2), "\r\n");
        if size == 0 {
            break;
        }
    }
    assert!(found == bytes);
}

#[test]
fn without_a_length_the_end_of_the_connection_ends_the_body() {
    let origin = Origin::start().unwrap();
    let (body, bytes) = sample(300_000);
    origin.serve("/a", Reply::body(body).until_close());
    let mut client = Client::get(&origin, "/a");
    assert_eq!(client.head(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    assert!(client.rest() == bytes);
}

#[test]
fn extra_bytes_follow_a_body_and_leave_the_connection_open() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("body").extra("more"));
    let mut client = Client::get(&origin, "/a");
    client.head();
    assert_eq!(client.text(8), "bodymore");
    client.ask("/a");
    assert_eq!(client.head(), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
}

#[test]
fn replies_that_have_no_body_have_none() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("hello"));
    origin.serve("/none", Reply::empty(204));
    let mut client = Client::connect(&origin);
    client.send("HEAD /a HTTP/1.1\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    client.ask("/none");
    assert_eq!(client.head(), "HTTP/1.1 204 No Content\r\n\r\n");
    client.send("GET /none HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(client.rest_text(), "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

#[test]
fn interim_replies_come_first() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("x").interim(100, &[]).interim(103, &[("Link", "</b>")]).close_after());
    assert_eq!(
        fetch(&origin, "/a"),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
    );
}

#[test]
fn garbage_nothing_and_a_reset_instead_of_http() {
    let origin = Origin::start().unwrap();
    origin.serve("/garbage", Reply::raw(b"SSH-2.0-x\r\n\xff"));
    origin.serve("/nothing", Reply::close());
    origin.serve("/reset", Reply::reset());
    assert_eq!(Client::get(&origin, "/garbage").rest(), b"SSH-2.0-x\r\n\xff");
    assert_eq!(fetch(&origin, "/nothing"), "");
    let (bytes, end) = Client::get(&origin, "/reset").until_end();
    assert_eq!((bytes.len(), end.unwrap_err().kind()), (0, std::io::ErrorKind::ConnectionReset));
}

#[test]
fn raw_bytes_may_be_http_made_by_hand() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::raw("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na").keep_alive());
    let mut client = Client::get(&origin, "/a");
    client.head();
    assert_eq!(client.text(1), "a");
    client.ask("/a");
    assert_eq!(client.head(), "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n");
}

#[test]
fn the_client_ends_the_connection_when_it_says_so() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("x"));
    for request in ["GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"] {
        let mut client = Client::connect(&origin);
        client.send(request);
        assert_eq!(client.rest_text(), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx");
    }
    origin.serve("/old", Reply::body("x").http_1_0());
    assert_eq!(fetch(&origin, "/old"), "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx");
}

#[test]
fn pipelined_requests_are_answered_in_order_and_their_bodies_skipped() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("A"));
    origin.serve("/b", Reply::body("B"));
    let mut client = Client::connect(&origin);
    let post = "POST /b HTTP/1.1\r\nContent-Length: 19\r\n\r\nGET /x HTTP/1.1\r\n\r\n";
    client.send(&format!("GET /a HTTP/1.1\r\n\r\n{post}\r\nGET /a HTTP/1.1\r\n\r\n"));
    for expected in ["A", "B", "A"] {
        client.head();
        assert_eq!(client.text(1), expected);
    }
    assert_eq!(origin.records().requests.len(), 3);
}

#[test]
fn what_is_no_request_gets_a_400() {
    let origin = Origin::start().unwrap();
    for request in [
        "\u{16}\u{3}\u{1}".to_owned(),
        "hello\r\n\r\n".to_owned(),
        "GET / HTTP/2\r\n\r\n".to_owned(),
        "x".repeat(70_000),
    ] {
        let mut client = Client::connect(&origin);
        client.send(&request);
        assert!(client.rest_text().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    }
    assert_eq!(origin.records().requests.len(), 0);
}

#[test]
fn endless_headers_go_on_until_the_client_leaves() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("x").endless_headers());
    let mut client = Client::get(&origin, "/a");
    let head = String::from_utf8(client.exactly(4_000_000)).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Endless-0: 0\r\nX-Endless-1: 1\r\n"));
    assert!(!head.contains("\r\n\r\n"));
    drop(client);
    let seen = origin.wait_for(DEADLINE, |seen| seen.requests[0].sent.is_some()).unwrap();
    assert_eq!(seen.requests[0].sent.unwrap().ended, Ended::ClientLeft);
}

#[test]
fn endless_headers_can_stall_as_well() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("x").endless_headers().cut_at(At::Head(100_001), dlmanager_origin::Cut::Fin));
    assert_eq!(Client::get(&origin, "/a").rest().len(), 100_001);
}

#[test]
fn a_body_of_any_kind_is_served_as_it_is() {
    let origin = Origin::start().unwrap();
    for body in [Body::from("text"), Body::from(vec![0, 1, 255]), Body::from(b"slice"), Body::pattern(4, 200_001)] {
        origin.serve("/a", Reply::body(body.clone()).close_after());
        let mut client = Client::get(&origin, "/a");
        assert!(client.head().contains(&format!("Content-Length: {}\r\n", body.len())));
        assert_eq!(body.compare(client.0).unwrap(), None);
    }
}
