//! What is sent, and what the head of a reply says.

use dlmanager_core::{Admission, Config, Digest, Event, FetchRequest, NetOp, Notice, Outcome, Request};
use http::Version;

use crate::hand::{Asked, Hand, chunk, head, usual};

/// The first request, and how the download ends whose reply has this head and no body.
fn replied(config: Config, request: Request, reply: dlmanager_core::Head) -> (FetchRequest, Outcome) {
    let mut hand = Hand::of(config, request);
    let (mut sent, mut reply) = (None, Some(reply));
    loop {
        match hand.next() {
            Asked::File(action) => hand.answer(usual(action.op)),
            Asked::Net(NetOp::Fetch { ticket, request, .. }) => {
                hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                sent = Some(*request);
                hand.answer(ticket.done(Ok(Box::new(reply.take().expect("one request")))));
            }
            Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(3, true)))),
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::Told(Notice::Finished { outcome, .. }) => return (sent.unwrap(), outcome),
            Asked::Told(_) => {}
            Asked::Waits(until) => hand.pass(until),
        }
    }
}

#[test]
fn a_name_or_a_password_alone_is_sent_as_well() {
    for (url, expected) in [
        ("http://user:secret@example.org/file", Some("Basic dXNlcjpzZWNyZXQ=")),
        ("http://user@example.org/file", Some("Basic dXNlcjo=")),
        ("http://:secret@example.org/file", Some("Basic OnNlY3JldA==")),
        ("http://example.org/file", None),
    ] {
        let (sent, _) = replied(Config::default(), Request::new(url).unwrap(), *head(200, &[]));
        let sent = sent.headers().get("authorization").map(|value| value.to_str().unwrap());
        assert_eq!(sent, expected, "{url}");
    }
}

#[test]
fn a_location_that_is_no_url_is_told_without_what_its_query_holds() {
    for (redact_queries, shown) in [(false, true), (true, false)] {
        let config = Config { redact_queries, ..Config::default() };
        let request = Request::new("http://example.org/file").unwrap();
        let reply = *head(302, &[("location", "ftp://example.net/a?token=secret")]);
        let (_, outcome) = replied(config, request, reply);
        let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
        let text = error.to_string();
        assert!(text.contains("has the scheme \"ftp\": only http and https can be fetched"), "{text}");
        assert_eq!(text.contains("secret"), shown, "{text}");
    }
}

#[test]
fn how_it_was_coded_is_told_also_where_it_comes_in_chunks() {
    let request = || Request::new("http://example.org/file").unwrap();
    for fields in [vec![("transfer-encoding", "chunked")], vec![("content-length", "3")], vec![]] {
        let fields: Vec<_> = fields.into_iter().chain([("content-encoding", "gzip")]).collect();
        let (_, outcome) = replied(Config::default(), request(), *head(200, &fields));
        let Outcome::Complete(complete) = outcome else { panic!("{outcome:?}") };
        assert_eq!(complete.content_encoding.as_deref(), Some("gzip"), "{fields:?}");
        // In HTTP/1.1 nothing but the connection's end says where it ends.
        assert_eq!(complete.length_unverified, fields.len() == 1);
    }
    let mut second = *head(200, &[]);
    second.version = Version::HTTP_2;
    let (_, outcome) = replied(Config::default(), request(), second);
    let Outcome::Complete(complete) = outcome else { panic!("{outcome:?}") };
    assert!(!complete.length_unverified, "in HTTP/2 a stream has an end");
}

#[test]
fn who_joins_asks_for_the_same_bytes_or_for_any() {
    let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
    let other: Digest = format!("sha256:{}", "cd".repeat(32)).parse().unwrap();
    let request = || Request::new("http://example.org/file").unwrap();
    let mut hand = Hand::of(Config::default(), request().checksum(digest));
    assert_eq!(request().checksum(digest).expected(), Some(digest));
    for (joins, request) in [(true, request()), (true, request().checksum(digest)), (false, request().checksum(other))]
    {
        assert_eq!(hand.manager.download(hand.now, request).is_ok(), joins);
    }
    // Of a file that the server will name, too.
    let named = || request().content_disposition(true);
    let mut hand = Hand::of(Config::default(), named().checksum(digest));
    assert!(hand.manager.download(hand.now, named()).is_ok());
    assert!(hand.manager.download(hand.now, named().checksum(other)).is_err());
}

#[test]
fn who_ends_before_his_file_has_a_name_is_joined_no_more() {
    let request = || Request::new("http://example.org/file").unwrap().content_disposition(true);
    for status in [404, 200] {
        let mut hand = Hand::of(Config::default(), request());
        let mut others = vec![];
        loop {
            match hand.next() {
                Asked::File(action) => hand.answer(usual(action.op)),
                Asked::Net(NetOp::Fetch { ticket, .. }) => {
                    let joined = hand.manager.download(hand.now, request()).unwrap();
                    assert!(matches!(joined, Admission::Joined(_)), "{joined:?}");
                    hand.answer(ticket.done(Ok(head(status, &[("content-length", "3")]))));
                    if status == 200 {
                        // Named, and so no longer the one that will have a name.
                        others.push(hand.manager.download(hand.now, request()).unwrap());
                    }
                }
                Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(3, true)))),
                Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
                Asked::Told(Notice::Finished { .. }) => break,
                Asked::Told(_) => {}
                Asked::Waits(until) => hand.pass(until),
            }
        }
        others.push(hand.manager.download(hand.now, request()).unwrap());
        assert!(matches!(others[0], Admission::Started(_)), "{status} {others:?}");
    }
}

#[test]
fn who_was_led_elsewhere_goes_before_those_who_have_not_begun() {
    let mut hand = Hand::new(Config { per_host: 1, ..Config::default() });
    for name in ["a", "b", "c"] {
        let request = Request::new(&format!("http://example.org/{name}")).unwrap();
        hand.manager.download(hand.now, request).unwrap();
    }
    let mut asked = vec![];
    while asked.len() < 4 {
        match hand.next() {
            Asked::File(action) => hand.answer(usual(action.op)),
            Asked::Net(NetOp::Fetch { ticket, request, .. }) => {
                asked.push(request.uri().path().to_owned());
                let (status, fields) = if asked.len() == 1 {
                    (302, vec![("location", "/elsewhere"), ("content-length", "0")])
                } else {
                    (404, vec![])
                };
                hand.answer(ticket.done(Ok(head(status, &fields))));
            }
            Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(0, true)))),
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::Told(_) => {}
            Asked::Waits(until) => hand.pass(until),
        }
    }
    assert_eq!(asked, ["/a", "/elsewhere", "/b", "/c"]);
}
