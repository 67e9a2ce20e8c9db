//! The body of a redirect is read, so that its connection can be used again, but neither for long nor for ever.

use dlmanager_core::{Config, Event, FaultKind, Instant, NetOp, Request};

use crate::hand::{Asked, Hand, URL, chunk, head, usual};

/// How often a redirect's body is asked for, what is asked next, and when. Its chunks have these lengths, and the last one says
/// so where it `ends`; where there are no more, nothing comes.
fn followed(announced: Option<u32>, chunks: &[usize], ends: bool, read_max: u64) -> (usize, String, Instant) {
    let config = Config { redirect_body_bytes_max: read_max, ..Config::default() };
    let mut hand = Hand::of(config, Request::new(URL).unwrap());
    let (mut asked, mut fetched) = (0, 0);
    // What is not answered.
    let mut silent = Vec::new();
    loop {
        match hand.next() {
            Asked::File(action) => hand.answer(usual(action.op)),
            Asked::Net(NetOp::Fetch { request, .. }) if fetched == 1 => {
                return (asked, request.uri().to_string(), hand.now);
            }
            Asked::Net(NetOp::Fetch { ticket, .. }) => {
                fetched += 1;
                hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                let length = announced.map(|length| length.to_string());
                let mut fields = vec![("location", "/elsewhere")];
                fields.extend(length.as_deref().map(|length| ("content-length", length)));
                hand.answer(ticket.done(Ok(head(302, &fields))));
            }
            Asked::Net(NetOp::ReadBody { ticket, .. }) => {
                asked += 1;
                match chunks.get(asked - 1) {
                    Some(length) => hand.answer(ticket.done(Ok(chunk(*length, ends && asked == chunks.len())))),
                    None => silent.push(ticket),
                }
            }
            Asked::Net(NetOp::DropBody { ticket, .. }) => {
                // What is read of it is read no more.
                for ticket in silent.drain(..) {
                    hand.answer(ticket.done(Err(FaultKind::Aborted.into())));
                }
                hand.answer(ticket.done(Ok(())));
            }
            Asked::Told(_) => {}
            Asked::Waits(until) => {
                assert!(until > Some(hand.now), "{until:?}");
                // Just before, nothing is given up.
                hand.pass(until.map(|until| Instant::from_nanos(until.as_nanos() - 1)));
                assert!(matches!(hand.next(), Asked::Waits(still) if still == until));
                hand.pass(until);
            }
        }
    }
}

const ELSEWHERE: &str = "http://example.org/elsewhere";

#[test]
fn a_body_that_ends_is_read_to_its_end() {
    for announced in [None, Some(1_000)] {
        let (asked, uri, now) = followed(announced, &[400, 400, 200], true, 1_001);
        assert_eq!((asked, uri.as_str(), now), (3, ELSEWHERE, Instant::ZERO), "{announced:?}");
    }
}

#[test]
fn one_that_is_too_long_is_left_once_so_much_was_read() {
    let (asked, uri, now) = followed(None, &[100; 10], true, 300);
    assert_eq!((asked, uri.as_str(), now), (3, ELSEWHERE, Instant::ZERO));
    assert_eq!(followed(None, &[299, 1, 1], true, 300).0, 2);
    assert_eq!(followed(Some(300), &[300], true, 300).0, 1);
    assert_eq!(followed(Some(301), &[301], true, 300).0, 0, "that is known before");
    assert_eq!(followed(None, &[1], true, 0).0, 0, "nothing of it is wanted");
}

#[test]
fn one_that_does_not_come_is_left_in_time() {
    for chunks in [&[][..], &[100]] {
        let (asked, uri, now) = followed(None, chunks, false, 10_000);
        assert_eq!((asked, uri.as_str()), (chunks.len() + 1, ELSEWHERE));
        assert_eq!(now, Instant::ZERO + Config::default().first_byte_timeout, "as long as a reply may take to begin");
    }
}
