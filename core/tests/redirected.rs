//! The body of a redirect is read, so that its connection can be used again, but neither for long nor for ever.

use bytes::Bytes;
use dlmanager_core::{
    Action, Chunk, Config, Event, FileOp, Head, Instant, Manager, NetOp, Opened, Output, Probed, Request,
};
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

/// How often a redirect's body is asked for, what is asked next, and when. Its chunks have these lengths, and the last one says
/// so where it `ends`; where there are no more, nothing comes.
fn followed(announced: Option<u32>, chunks: &[usize], ends: bool, read_max: u64) -> (usize, String, Instant) {
    let config = Config { redirect_body_bytes_max: read_max, ..Config::default() };
    let mut manager = Manager::new(config, 1);
    manager.download(Instant::ZERO, Request::new("http://example.org/file").unwrap()).unwrap();
    let (mut asked, mut fetched, mut now) = (0, 0, Instant::ZERO);
    // What is not answered.
    let mut silent = Vec::new();
    loop {
        manager.check_invariants();
        let completion = match manager.poll() {
            Output::Action(Action::File(action)) => match action.op {
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
                FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
                FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
                other => panic!("{other:?}"),
            },
            Output::Action(Action::Net(action)) => match action.op {
                NetOp::Fetch { request, .. } if fetched == 1 => return (asked, request.uri().to_string(), now),
                NetOp::Fetch { ticket, .. } => {
                    fetched += 1;
                    manager.handle(now, Event::Connected(ticket.id()));
                    let mut headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static("/elsewhere"))]);
                    headers.extend(announced.map(|length| (CONTENT_LENGTH, HeaderValue::from(length))));
                    ticket.done(Ok(Box::new(Head { version: Version::HTTP_11, status: StatusCode::FOUND, headers })))
                }
                NetOp::ReadBody { ticket, .. } => {
                    asked += 1;
                    let Some(length) = chunks.get(asked - 1) else {
                        silent.push(ticket);
                        continue;
                    };
                    let last = ends && asked == chunks.len();
                    ticket.done(Ok(Chunk { data: Bytes::from(vec![0; *length]), pinned: *length, last }))
                }
                NetOp::DropBody { ticket, .. } => {
                    // What is read of it is read no more.
                    for ticket in silent.drain(..) {
                        let gone = ticket.done(Err(dlmanager_core::FaultKind::Aborted.into()));
                        manager.handle(now, Event::Completed(gone));
                    }
                    ticket.done(Ok(()))
                }
            },
            Output::Action(Action::Abort(_)) | Output::Notice(_) => continue,
            Output::Wait(wait) => {
                let until = wait.until.unwrap();
                assert!(until > now, "{wait:?}");
                // Just before, nothing is given up.
                now = Instant::from_nanos(until.as_nanos() - 1);
                manager.handle(now, Event::Tick);
                assert!(matches!(manager.poll(), Output::Wait(still) if still.until == Some(until)));
                now = until;
                manager.handle(now, Event::Tick);
                continue;
            }
        };
        manager.handle(now, Event::Completed(completion));
        manager.handle(now, Event::Tick);
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
