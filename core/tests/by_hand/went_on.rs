//! Going on with what is there: what the server says of the rest, and what an earlier run left.

use std::time::Duration;

use dlmanager_core::{
    Config, DownloadError, Event, FaultKind, FileName, FileOp, FileStep, NetOp, Notice, Outcome, Record, Request, Stamp,
};

use crate::hand::{Asked, Hand, URL, chunk, head, usual};
use crate::scene::{BOOT, ETAG, Scene, record};

fn config() -> Config {
    Config { gather_bytes: 1, record_bytes_min: 1, retries_max: 0, ..Config::default() }
}

/// A later run's, of 8 bytes behind the 50 that are there.
fn rest(fields: &[(&'static str, &'static str)]) -> Scene {
    let mut scene = Scene::new(config(), &[8]);
    scene.left = Some((50, Some(record(58, BOOT, 50))));
    scene.fields.extend(fields);
    scene
}

#[test]
fn the_rest_has_the_time_and_the_length_that_its_own_reply_says() {
    let mut scene = rest(&[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    scene.run();
    let Some(Outcome::Complete(complete)) = &scene.outcome else { panic!("{:?}", scene.outcome) };
    // Its Content-Range says how long it is, and that without a Content-Length, too.
    assert_eq!((complete.length, complete.length_unverified), (58, false));
    assert_eq!(scene.stamped, Some(Stamp::from_nanos(784_111_777 * 1_000_000_000)));
}

#[test]
fn a_rest_that_is_longer_than_it_said_is_no_rest() {
    let mut scene = rest(&[]);
    scene.ends = false;
    scene.run();
    scene.send(1, true);
    scene.run_to_the_end();
    let Some(Outcome::Failed(DownloadError::Overlong { expected: 58 })) = scene.outcome else {
        panic!("{:?}", scene.outcome)
    };
}

#[test]
fn a_record_that_goes_while_it_is_looked_at_is_none() {
    for kind in [FaultKind::NotFound, FaultKind::WrongType] {
        let mut scene = rest(&[]);
        scene.fails.insert("open record".into(), kind);
        scene.run();
        assert_eq!(scene.ranges, [None], "{kind:?}");
        assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{kind:?}: {:?}", scene.outcome);
    }
    let mut scene = rest(&[]);
    scene.fails.insert("open record".into(), FaultKind::Denied);
    scene.run_to_the_end();
    let Some(Outcome::Failed(DownloadError::File { step: FileStep::Look, fault })) = &scene.outcome else {
        panic!("{:?}", scene.outcome)
    };
    assert_eq!(fault.kind(), FaultKind::Denied, "the reason, and not that what follows was skipped");
}

#[test]
fn what_follows_a_record_that_cannot_be_read_is_not_skipped() {
    // A broken one: its removal, and the cut, come in an epoch of their own.
    let mut scene = rest(&[]);
    scene.fails.insert("read".into(), FaultKind::NotFound);
    scene.run();
    assert!(scene.has_asked("remove record") && scene.has_asked("cut to 0"), "{:?}", scene.asked);
    assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{:?}", scene.outcome);
}

#[test]
fn a_record_that_could_not_be_looked_for_is_read_all_the_same() {
    let mut scene = rest(&[]);
    scene.fails.insert("look for record".into(), FaultKind::Io);
    scene.run();
    assert_eq!(scene.ranges, [Some("bytes=50-".to_owned())]);
}

#[test]
fn a_record_that_is_too_long_is_none() {
    let mut long = record(58, BOOT, 50).to_vec();
    long.resize(100_000, 0);
    let mut scene = rest(&[]);
    scene.left = Some((50, Some(long.into())));
    scene.run();
    assert_eq!(scene.ranges, [None]);
    assert_eq!(scene.read_bytes_max, Record::BYTES_MAX + 1, "so that it is seen to be too long");
}

#[test]
fn no_record_is_read_where_none_was_seen_or_nothing_was_left() {
    for left in [Some((50, None)), Some((0, Some(record(58, BOOT, 0)))), None] {
        let mut scene = rest(&[]);
        scene.left = left.clone();
        scene.run();
        assert_eq!((scene.ranges.len(), scene.reads), (1, 0), "{left:?}");
        assert_eq!(scene.ranges, [None]);
    }
}

#[test]
fn who_is_named_by_the_server_goes_on_with_the_same_version_and_takes_the_reply_of_another() {
    for (fields, ranges) in [
        (vec![("etag", ETAG), ("content-length", "58")], vec![None, Some("bytes=50-".to_owned())]),
        (vec![("etag", "\"c\""), ("content-length", "8")], vec![None]),
        (vec![("content-length", "8")], vec![None]),
    ] {
        let mut scene = Scene::of(config(), Request::new(URL).unwrap().content_disposition(true), &[8]);
        scene.left = Some((50, Some(record(58, BOOT, 50))));
        scene.fields = fields.clone();
        if ranges.len() == 2 {
            scene.then = Some(vec![("etag", ETAG)]);
        }
        scene.run();
        assert_eq!(scene.ranges, ranges, "{fields:?}");
        assert_eq!(scene.has_asked("cut to 0"), ranges.len() == 1, "{fields:?} {:?}", scene.asked);
        let Some(Outcome::Complete(complete)) = &scene.outcome else { panic!("{:?}", scene.outcome) };
        assert_eq!(complete.length, if ranges.len() == 2 { 58 } else { 8 });
    }
}

#[test]
fn a_retry_asks_for_the_rest_at_once() {
    let mut scene = Scene::new(Config { retries_max: 1, ..config() }, &[8]);
    scene.ends = false;
    scene.run();
    let looks = scene.looks;
    scene.reset();
    scene.chunks = [4].into();
    scene.ends = true;
    scene.run_to_the_end();
    assert_eq!(scene.ranges[1].as_deref(), Some("bytes=8-"));
    assert_eq!(scene.looks, looks, "the name is ours");
}

#[test]
fn who_gets_on_costs_nothing_of_what_an_origin_may_cost() {
    let mut scene = Scene::new(Config { retries_max: 1, ..config() }, &[1 << 20]);
    scene.ends = false;
    scene.whole = Some(21 << 20);
    for _ in 0..20 {
        scene.run_to_a_chunk();
        scene.reset();
        scene.chunks = [1 << 20].into();
    }
    scene.ends = true;
    scene.run_to_the_end();
    let Some(Outcome::Complete(complete)) = &scene.outcome else { panic!("{:?}", scene.outcome) };
    assert_eq!((complete.length, complete.requests), (21 << 20, 21));
}

#[test]
fn who_gets_on_by_less_than_a_mebibyte_has_no_more_attempts_for_it() {
    let mut scene = Scene::new(Config { retries_max: 1, ..config() }, &[300_000]);
    scene.ends = false;
    scene.whole = Some(1 << 30);
    for _ in 0..2 {
        scene.run_to_a_chunk();
        scene.reset();
        scene.chunks = [300_000].into();
    }
    scene.run_to_the_end();
    assert!(matches!(scene.outcome, Some(Outcome::Failed(DownloadError::Network(_)))), "{:?}", scene.outcome);
    assert_eq!(scene.ranges.len(), 2);
}

#[test]
fn the_last_request_that_is_allowed_says_what_led_to_another_one() {
    for (status, fields, cause) in [
        (302, vec![("location", "/elsewhere"), ("content-length", "0")], "status"),
        (206, vec![("content-range", "bytes 1-7/8")], "bad-reply"),
    ] {
        let mut scene = rest(&[]);
        if status == 302 {
            scene.left = None;
        }
        let mut hand = Hand::of(Config { requests_max: 1, ..config() }, Request::new(URL).unwrap());
        let error = loop {
            match hand.next() {
                Asked::File(action) => {
                    let completion = scene.completion_of(action);
                    hand.answer(completion);
                }
                Asked::Net(NetOp::Fetch { ticket, .. }) => {
                    hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                    hand.answer(ticket.done(Ok(head(status, &fields))));
                }
                Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(0, true)))),
                Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
                Asked::Told(Notice::Finished { outcome: Outcome::Failed(error), .. }) => break error,
                Asked::Told(_) => {}
                Asked::Waits(until) => hand.pass(until),
            }
        };
        let DownloadError::TooManyRequests { requests_max: 1, cause: told } = &error else { panic!("{error:?}") };
        assert_eq!(told.kind(), cause, "{status}: {told:?}");
    }
}

// What fails, and in what order that is heard of.

#[test]
fn the_reason_is_told_also_where_what_it_had_skipped_is_heard_of_first() {
    let mut scene = Scene::new(config(), &[8]);
    scene.ends = false;
    scene.holds = vec!["write"];
    scene.run();
    // A second write behind the first.
    scene.send(8, false);
    scene.run();
    let mut held = std::mem::take(&mut scene.held);
    if held.len() == 2 {
        let second = held.pop().unwrap();
        scene.hand.answer(second.fail(FaultKind::Skipped.into()));
    }
    scene.hand.answer(held.pop().unwrap().fail(FaultKind::Io.into()));
    scene.holds.clear();
    scene.run_to_the_end();
    let Some(Outcome::Failed(DownloadError::File { step, fault })) = &scene.outcome else {
        panic!("{:?}", scene.outcome)
    };
    assert_eq!((*step, fault.kind()), (FileStep::Write, FaultKind::Io));
}

#[test]
fn what_fails_later_is_not_the_reason() {
    let mut scene = Scene::new(config(), &[8]);
    scene.ends = false;
    scene.holds = vec!["write"];
    scene.run();
    scene.reset();
    scene.run();
    scene.fails.insert("write".into(), FaultKind::Io);
    scene.holds.clear();
    scene.let_go();
    scene.run_to_the_end();
    assert!(matches!(scene.outcome, Some(Outcome::Failed(DownloadError::Network(_)))), "{:?}", scene.outcome);
}

#[test]
fn who_cancels_does_not_wait_for_what_is_under_way() {
    let mut hand = Hand::new(config());
    let admission = hand.manager.download(hand.now, Request::new(URL).unwrap()).unwrap();
    hand.manager.download(hand.now, Request::new("http://example.org/other").unwrap()).unwrap();
    let mut fetches = vec![];
    loop {
        match hand.next() {
            Asked::File(action) => hand.answer(usual(action.op)),
            Asked::Net(NetOp::Fetch { ticket, .. }) => fetches.push(ticket),
            Asked::Net(other) => panic!("{other:?}"),
            Asked::Told(_) => {}
            Asked::Waits(_) => break,
        }
    }
    assert_eq!(hand.aborted, []);
    hand.manager.cancel(hand.now, admission.id()).unwrap();
    while !matches!(hand.next(), Asked::Waits(_)) {}
    assert_eq!(hand.aborted, [fetches[0].id()], "that, no closer, and nothing of the other one");
}

// Times.

/// When requests were sent to a server that asks to be left alone for so long, where a connection is waited for so long.
fn asked_at(retry_after: &str, connect: u64) -> Vec<f64> {
    let config = Config {
        retries_max: 1,
        connect_timeout: Duration::from_secs(connect),
        backoff_min: Duration::from_secs(1),
        retry_after_max: Duration::from_secs(1_000),
        ..config()
    };
    let mut hand = Hand::of(config, Request::new(URL).unwrap());
    let mut at = vec![];
    loop {
        match hand.next() {
            Asked::File(action) => hand.answer(usual(action.op)),
            Asked::Net(NetOp::Fetch { ticket, .. }) => {
                at.push(hand.now.as_nanos() as f64 / 1e9);
                hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                hand.answer(ticket.done(Ok(head(503, &[("retry-after", retry_after), ("content-length", "0")]))));
            }
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::Net(NetOp::ReadBody { .. }) => panic!("of an error nothing is read"),
            Asked::Told(Notice::Finished { .. }) => return at,
            Asked::Told(_) => {}
            Asked::Waits(until) => hand.pass(until),
        }
    }
}

#[test]
fn a_server_that_asks_to_be_left_alone_is_and_not_for_much_longer() {
    let [first, second] = asked_at("100", 10)[..] else { panic!("two requests") };
    assert_eq!(first, 0.0);
    // Those who were told the same time come within a tenth of it.
    assert!((100.0..110.0).contains(&second), "{second}");
    let [_, second] = asked_at("1", 10)[..] else { panic!("two requests") };
    assert!((1.0..2.0).contains(&second), "{second}");
}

#[test]
fn the_first_byte_is_waited_for_from_when_the_connection_stands() {
    let seconds = Duration::from_secs;
    let config = Config { connect_timeout: seconds(10), first_byte_timeout: seconds(20), ..config() };
    for again in [false, true] {
        let mut hand = Hand::of(config.clone(), Request::new(URL).unwrap());
        let started = hand.now;
        let mut fetch = None;
        let outcome = loop {
            match hand.next() {
                Asked::File(action) => hand.answer(usual(action.op)),
                Asked::Net(NetOp::Fetch { ticket, .. }) => {
                    // It takes a while.
                    hand.now = started + seconds(9);
                    hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                    fetch = Some(ticket);
                }
                Asked::Net(NetOp::DropBody { ticket, .. }) => {
                    if let Some(fetch) = fetch.take() {
                        hand.answer(fetch.done(Err(FaultKind::Aborted.into())));
                    }
                    hand.answer(ticket.done(Ok(())));
                }
                Asked::Net(NetOp::ReadBody { .. }) => panic!("no head has come"),
                Asked::Told(Notice::Finished { outcome, .. }) => break outcome,
                Asked::Told(_) => {}
                Asked::Waits(until) => {
                    hand.pass(until);
                    if let Some(fetch) = fetch.as_ref().filter(|_| again) {
                        hand.manager.handle(hand.now, Event::Connected(fetch.id()));
                    }
                }
            }
        };
        let Outcome::Failed(DownloadError::Timeout(kind)) = &outcome else { panic!("{outcome:?}") };
        assert_eq!(*kind, dlmanager_core::TimeoutKind::FirstByte);
        assert_eq!(hand.now, started + seconds(29), "however often it is told that it stands: {again}");
    }
}

#[test]
fn which_folder_could_not_be_made_is_told() {
    for (is_work_folder, step) in [(true, FileStep::Create), (false, FileStep::Folder)] {
        let name = FileName::new("folder/file").unwrap();
        let mut hand = Hand::of(config(), Request::new(URL).unwrap().name(name));
        let error = loop {
            match hand.next() {
                Asked::File(action) => match &action.op {
                    FileOp::MakeDir { path, .. } if (path.as_str() == ".dlmanager") == is_work_folder => {
                        hand.answer(action.fail(FaultKind::Denied.into()));
                    }
                    FileOp::Open { .. } if is_work_folder => hand.answer(action.fail(FaultKind::NotFound.into())),
                    _ => hand.answer(usual(action.op)),
                },
                Asked::Net(NetOp::Fetch { ticket, .. }) => hand.answer(ticket.done(Ok(head(200, &[])))),
                Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(3, true)))),
                Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
                Asked::Told(Notice::Finished { outcome: Outcome::Failed(error), .. }) => break error,
                Asked::Told(_) => {}
                Asked::Waits(until) => hand.pass(until),
            }
        };
        let DownloadError::File { step: told, fault } = &error else { panic!("{error:?}") };
        assert_eq!((*told, fault.kind()), (step, FaultKind::Denied));
    }
}
