//! Ranges that are answered otherwise than they should be, and resources with versions.

mod client;

use std::time::{Duration, SystemTime};

use client::{Client, DEADLINE};
use dlmanager_origin::{At, Body, Cut, DigestAlgorithm, Origin, Reply, Resource, http_date};

const LENGTH: u64 = 1000;

fn resource() -> Resource {
    Resource::new(5, LENGTH)
}

fn ask(reply: Reply, headers: &str) -> (String, Vec<u8>) {
    let origin = Origin::start().unwrap();
    origin.serve("/a", reply);
    let mut client = Client::connect(&origin);
    client.send(&format!("GET /a HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"));
    (client.head(), client.rest())
}

/// Status, Content-Range and body of the answer to a request for all from byte 400 on.
fn ask_from_400(reply: Reply) -> (String, Option<String>, Vec<u8>) {
    let (head, body) = ask(reply, "Range: bytes=400-\r\nIf-Range: \"5-v1\"\r\n");
    (head[9..12].to_owned(), header(&head, "Content-Range"), body)
}

fn header(head: &str, name: &str) -> Option<String> {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned());
    head.lines().find_map(value)
}

fn bytes(from: usize, to: usize) -> Vec<u8> {
    resource().body(1).to_vec()[from..to].to_vec()
}

#[test]
fn a_resource_has_all_validators_and_honours_them() {
    let (head, body) = ask(resource().reply(1), "");
    assert_eq!(body, bytes(0, 1000));
    assert_eq!(header(&head, "ETag").as_deref(), Some("\"5-v1\""));
    assert_eq!(header(&head, "Last-Modified").as_deref(), Some("Sun, 06 Nov 1994 08:50:37 GMT"));
    assert!(header(&head, "Date").is_some());

    let whole = ("200".to_owned(), None);
    let (status, content_range, body) = ask_from_400(resource().reply(1));
    assert_eq!((&*status, content_range.as_deref()), ("206", Some("bytes 400-999/1000")));
    assert_eq!(body, bytes(400, 1000));
    let (status, content_range, body) = ask_from_400(resource().reply(2));
    assert_eq!((status, content_range), whole, "another version");
    assert_eq!(resource().whole_version(1..=2, &body[..]).unwrap(), Some(2));
}

#[test]
fn a_part_can_be_another_than_was_asked_for() {
    for (reply, range, from, to) in [
        (resource().reply(1).range_moved(100), "bytes 500-999/1000", 500, 1000),
        (resource().reply(1).range_moved(-100), "bytes 300-999/1000", 300, 1000),
        (resource().reply(1).range_moved(-500), "bytes 0-999/1000", 0, 1000),
        (resource().reply(1).range_moved(5000), "bytes 999-999/1000", 999, 1000),
        (resource().reply(1).range_bytes_max(50), "bytes 400-449/1000", 400, 450),
        (resource().reply(1).range_moved(-100).range_bytes_max(100), "bytes 300-399/1000", 300, 400),
    ] {
        let (status, content_range, body) = ask_from_400(reply);
        assert_eq!((&*status, content_range.as_deref()), ("206", Some(range)));
        assert_eq!(body, bytes(from, to), "{range}");
    }
}

#[test]
fn a_part_can_say_of_itself_what_is_not_so() {
    for (text, expected) in [
        ("bytes {first}-{last}/*", "bytes 400-999/*"),
        ("bytes {first}-{last}/2000", "bytes 400-999/2000"),
        ("bytes 0-{last}/{total}", "bytes 0-999/1000"),
        ("lines 1-2/3", "lines 1-2/3"),
    ] {
        let (status, content_range, body) = ask_from_400(resource().reply(1).content_range(text));
        assert_eq!((&*status, content_range.as_deref()), ("206", Some(expected)));
        assert_eq!(body, bytes(400, 1000));
    }
    let (status, content_range, body) = ask_from_400(resource().reply(1).no_content_range());
    assert_eq!((&*status, content_range, body), ("206", None, bytes(400, 1000)));
}

#[test]
fn a_part_can_come_in_an_envelope() {
    let (head, body) = ask(resource().reply(1).multipart(), "Range: bytes=400-402\r\n");
    assert_eq!(&head[9..12], "206");
    assert_eq!(header(&head, "Content-Range"), None);
    let expected = [
        b"--part-of-the-origin\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 400-402/1000\r\n\r\n",
        &bytes(400, 403)[..],
        b"\r\n--part-of-the-origin--\r\n",
    ];
    assert_eq!(body, expected.concat());
    assert_eq!(header(&head, "Content-Length"), Some(body.len().to_string()));
}

#[test]
fn if_range_can_be_ignored() {
    let (status, content_range, body) = ask_from_400(resource().reply(2).ignore_if_range());
    assert_eq!((&*status, content_range.as_deref()), ("206", Some("bytes 400-999/1000")));
    assert_eq!(body, resource().body(2).to_vec()[400..]);
}

#[test]
fn requests_for_a_part_can_have_another_answer() {
    let other = Reply::body("other");
    let reply = resource().reply(1).to_range(Reply::empty(416)).to_if_range(other);
    let status = |headers: &str| ask(reply.clone(), headers).0[9..12].to_owned();
    assert_eq!(status(""), "200");
    assert_eq!(status("If-Range: \"5-v1\"\r\n"), "200");
    assert_eq!(ask(reply.clone(), "Range: bytes=1-\r\nIf-Range: \"5-v1\"\r\n").1, b"other");
    assert_eq!(status("Range: bytes=1-\r\n"), "416");
    // What happens on the way is the chosen reply's own.
    let cut = Reply::body("other").cut_at(At::Body(2), Cut::Fin);
    assert_eq!(ask(resource().reply(1).to_range(cut), "Range: bytes=1-\r\n").1, b"ot");
}

#[test]
fn validators_can_be_replaced_and_left_out() {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    let reply = resource().reply(1).etag("W/\"x\"").last_modified(then).date(then);
    let (head, _) = ask(reply.clone(), "");
    assert_eq!(head.matches("ETag: W/\"x\"\r\n").count(), 1);
    for name in ["Last-Modified", "Date"] {
        assert_eq!(head.matches(name).count(), 1, "{head}");
        assert_eq!(header(&head, name).as_deref(), Some("Fri, 02 Jan 1970 00:00:00 GMT"));
    }
    assert_eq!(http_date(then), "Fri, 02 Jan 1970 00:00:00 GMT");
    let (head, _) = ask(reply.without("etag").without("LAST-MODIFIED"), "");
    assert!(!head.contains("ETag") && !head.contains("Last-Modified") && head.contains("Date"), "{head}");
}

#[test]
fn digests_are_of_the_whole_or_of_what_is_sent() {
    let body = Body::from("0123456789");
    let reply = Reply::body(body.clone()).ranges();
    let reply = reply.repr_digest(DigestAlgorithm::Sha256).content_digest(DigestAlgorithm::Sha256);
    let sha_256_of_0_to_9 = "sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:";
    assert_eq!(body.digest_field(DigestAlgorithm::Sha256), sha_256_of_0_to_9);
    let (head, _) = ask(reply.clone(), "");
    assert_eq!(header(&head, "Repr-Digest").as_deref(), Some(sha_256_of_0_to_9));
    assert_eq!(header(&head, "Content-Digest").as_deref(), Some(sha_256_of_0_to_9));
    let (head, _) = ask(reply, "Range: bytes=3-4\r\n");
    assert_eq!(header(&head, "Repr-Digest").as_deref(), Some(sha_256_of_0_to_9));
    assert_eq!(header(&head, "Content-Digest"), Some(Body::from("34").digest_field(DigestAlgorithm::Sha256)));
    let long = Reply::body(body.clone()).repr_digest(DigestAlgorithm::Sha512);
    let value = header(&ask(long, "").0, "Repr-Digest").unwrap();
    assert_eq!(value, body.digest_field(DigestAlgorithm::Sha512));
    assert!(value.starts_with("sha-512=:") && value.len() == "sha-512=::".len() + 88, "{value}");
}

#[test]
fn padding_makes_a_head_large() {
    let (head, _) = ask(Reply::body("x").padding(3, 1000), "");
    for number in 0..3 {
        assert_eq!(header(&head, &format!("X-Padding-{number}")).map(|value| value.len()), Some(1000));
    }
    assert_eq!(head.matches("X-Padding").count(), 3);
}

#[test]
fn bodies_over_one_link_share_its_rate() {
    use dlmanager_origin::Link;
    use std::thread;
    use std::time::Instant;

    // Two bodies of 60 kB at 200 kB a second: together 0.6 s, each alone 0.3 s.
    let origin = Origin::start().unwrap();
    let link = Link::new(200_000);
    for path in ["/a", "/b"] {
        origin.serve(path, Reply::body(Body::pattern(1, 60_000)).over(&link).close_after());
    }
    let begin = Instant::now();
    thread::scope(|scope| {
        for path in ["/a", "/b"] {
            let origin = &origin;
            scope.spawn(move || {
                let mut client = Client::get(origin, path);
                client.head();
                assert_eq!(Body::pattern(1, 60_000).compare(client.0).unwrap(), None);
            });
        }
    });
    assert!(begin.elapsed() >= Duration::from_millis(590), "{:?}", begin.elapsed());
    // Who leaves a slow link is noticed.
    origin.serve("/slow", Reply::body("0123456789").over(&Link::new(1)));
    let mut client = Client::get(&origin, "/slow");
    client.head();
    drop(client);
    origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
}
