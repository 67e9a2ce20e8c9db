//! `Range` and `If-Range`, where the reply honours them.

mod client;

use client::{Client, sample};
use dlmanager_origin::{At, Cut, Origin, Reply};

fn ask(origin: &Origin, headers: &str) -> (String, Vec<u8>) {
    let mut client = Client::connect(origin);
    client.send(&format!("GET /a HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"));
    (client.head(), client.rest())
}

fn status(head: &str) -> &str {
    &head[9..12]
}

#[test]
fn a_range_is_a_206_with_its_bytes() {
    let origin = Origin::start().unwrap();
    let (body, bytes) = sample(200_000);
    origin.serve("/a", Reply::body(body).etag("\"v1\"").ranges());
    let (head, found) = ask(&origin, "");
    assert_eq!((status(&head), found == bytes), ("200", true));
    assert!(head.contains("Accept-Ranges: bytes\r\n") && head.contains("ETag: \"v1\"\r\n"));

    let (head, found) = ask(&origin, "Range: bytes=150000-\r\n");
    assert_eq!((status(&head), found == bytes[150_000..]), ("206", true));
    assert!(head.contains("Content-Range: bytes 150000-199999/200000\r\n"));
    assert!(head.contains("Content-Length: 50000\r\n"));

    let (head, found) = ask(&origin, "Range: bytes=5-7\r\n");
    assert_eq!((status(&head), found.as_slice()), ("206", &bytes[5..=7]));
}

#[test]
fn a_range_beyond_the_end_is_a_416() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("0123456789").ranges());
    let (head, found) = ask(&origin, "Range: bytes=10-\r\n");
    assert_eq!((status(&head), found.len()), ("416", 0));
    assert!(head.contains("Content-Range: bytes */10\r\n"));
}

#[test]
fn if_range_gets_the_whole_unless_its_validator_is_strong_and_the_same() {
    let origin = Origin::start().unwrap();
    let date = "Wed, 01 Jul 2026 00:00:00 GMT";
    let reply = Reply::body("0123456789").ranges().header("Last-Modified", date);
    for (etag, validator, expected) in [
        ("\"v1\"", "\"v1\"", "206"),
        ("\"v1\"", "\"v2\"", "200"),
        ("W/\"v1\"", "W/\"v1\"", "200"),
        ("\"v1\"", date, "206"),
        ("\"v1\"", "Wed, 01 Jul 2026 00:00:01 GMT", "200"),
    ] {
        origin.serve("/a", reply.clone().etag(etag));
        let (head, _) = ask(&origin, &format!("Range: bytes=3-\r\nIf-Range: {validator}\r\n"));
        assert_eq!(status(&head), expected, "{etag} {validator}");
    }
}

#[test]
fn a_reply_that_does_not_know_ranges_is_whole() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("0123456789"));
    let (head, found) = ask(&origin, "Range: bytes=3-\r\n");
    assert_eq!((status(&head), found.as_slice()), ("200", &b"0123456789"[..]));
    assert!(!head.contains("Accept-Ranges"));
}

#[test]
fn places_in_a_part_are_counted_from_its_start() {
    let origin = Origin::start().unwrap();
    origin.serve("/a", Reply::body("0123456789").ranges().cut_at(At::Body(2), Cut::Fin));
    let (_, found) = ask(&origin, "Range: bytes=3-\r\n");
    assert_eq!(found, b"34");
}
