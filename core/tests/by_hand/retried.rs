//! What an origin that fails costs: retries come out of one purse for all of its downloads, and a connection that stands says
//! that it is there.

use dlmanager_core::{Config, Event, FaultKind, FileOp, NetOp, Notice, Outcome, Request};

use crate::hand::{Asked, Hand, chunk, head, usual};

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    /// No connection can be made.
    Refused,
    Status(u16),
}

/// Downloads from these URLs, all at once; each request is answered by its number, from 0. How many requests there were. All
/// downloads fail.
fn requests(urls: &[String], config: Config, reply: impl Fn(usize) -> Reply) -> usize {
    asked_of(urls, config, |at, _| reply(at)).len()
}

/// The hosts that were asked, in order; each request is answered by its number and its host.
fn asked_of(urls: &[String], config: Config, reply: impl Fn(usize, &str) -> Reply) -> Vec<String> {
    let mut hand = Hand::new(config);
    for url in urls {
        hand.manager.download(hand.now, Request::new(url).unwrap()).unwrap();
    }
    let (mut asked, mut ended) = (Vec::new(), 0);
    loop {
        match hand.next() {
            Asked::File(action) => hand.answer(usual(action.op)),
            Asked::Net(NetOp::Fetch { ticket, request, .. }) => {
                let host = request.uri().host().unwrap().to_owned();
                let reply = reply(asked.len(), &host);
                asked.push(host);
                let completion = match reply {
                    Reply::Refused => ticket.done(Err(FaultKind::Connect.into())),
                    Reply::Status(status) => {
                        hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                        ticket.done(Ok(head(status, &[("content-length", "0")])))
                    }
                };
                hand.answer(completion);
            }
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::Net(NetOp::ReadBody { .. }) => panic!("of an error nothing is read"),
            Asked::Told(Notice::Finished { outcome, .. }) => {
                assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
                ended += 1;
            }
            Asked::Told(_) => {}
            Asked::Waits(None) => {
                assert_eq!(ended, urls.len());
                return asked;
            }
            Asked::Waits(until) => hand.pass(until),
        }
    }
}

fn urls(origin: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("http://{origin}/{origin}-{at}")).collect()
}

fn config(retries_max: u32) -> Config {
    Config { retries_max, per_host: 1, ..Config::default() }
}

#[test]
fn an_origin_costs_ten_retries_however_many_ask_for_them() {
    let always = |_| Reply::Status(503);
    assert_eq!(requests(&urls("a", 1), config(5), always), 6, "one alone has its own");
    assert_eq!(requests(&urls("a", 2), config(5), always), 12);
    assert_eq!(requests(&urls("a", 20), config(5), always), 30);
    assert_eq!(requests(&urls("a", 20), config(0), always), 20);
    let two = [urls("a", 20), urls("b", 20)].concat();
    assert_eq!(requests(&two, config(5), always), 60, "and another one has a purse of its own");
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    for status in [400, 404, 410] {
        assert_eq!(requests(&urls("a", 5), config(5), |_| Reply::Status(status)), 5, "{status}");
    }
}

#[test]
fn a_connection_that_stands_says_that_the_origin_is_there() {
    // Nine failures in a row, time and again: nobody is ended for another one's failure.
    let mostly = |at: usize| if at % 10 == 9 { Reply::Status(404) } else { Reply::Refused };
    assert_eq!(requests(&urls("a", 60), config(0), mostly), 60);
    // Ten, and the one that goes alone: the rest does not even try.
    assert_eq!(requests(&urls("a", 60), config(0), |_| Reply::Refused), 11);
    // The one that goes alone gets through.
    let after_ten = |at: usize| if at == 10 { Reply::Status(404) } else { Reply::Refused };
    assert_eq!(requests(&urls("a", 60), config(0), after_ten), 22);
    // Who waits for another origin is not concerned.
    let two = [urls("a", 60), urls("b", 1)].concat();
    assert_eq!(requests(&two, config(0), |_| Reply::Refused), 12);
    // Nor where many do.
    let two = [urls("a", 60), urls("b", 20)].concat();
    let asked = asked_of(&two, config(0), |_, host| if host == "a" { Reply::Refused } else { Reply::Status(404) });
    assert_eq!(asked.iter().filter(|host| *host == "b").count(), 20);
    assert_eq!(asked.len(), 31);
}

#[test]
fn who_waits_with_a_part_of_his_file_for_an_origin_that_is_gone_asks_no_more() {
    let config = Config { retries_max: 1, per_host: 1, ..Config::default() };
    let mut hand = Hand::new(config);
    for name in std::iter::once("part".to_owned()).chain(urls("b", 30)) {
        let name = name.rsplit('/').next().unwrap().to_owned();
        hand.manager.download(hand.now, Request::new(&format!("http://a/{name}")).unwrap()).unwrap();
    }
    let (mut asked, mut parts, mut probe) = (Vec::new(), 0, None);
    let mut waited = false;
    let failed = loop {
        match hand.next() {
            Asked::File(action) => hand.answer(usual(action.op)),
            Asked::Net(NetOp::Fetch { ticket, request, .. }) => {
                asked.push(request.uri().path().to_owned());
                if asked.len() == 1 {
                    hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                    hand.answer(ticket.done(Ok(head(200, &[("etag", "\"b\"")]))));
                } else if asked.len() == 12 {
                    // Ten have failed: this one goes alone.
                    probe = Some(ticket);
                } else {
                    hand.answer(ticket.done(Err(FaultKind::Connect.into())));
                }
            }
            Asked::Net(NetOp::ReadBody { ticket, .. }) => {
                parts += 1;
                hand.answer(ticket.done(if parts == 1 { Ok(chunk(8, false)) } else { Err(FaultKind::Reset.into()) }));
            }
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::Told(Notice::Finished { outcome: Outcome::Failed(error), id }) if id.serial() == 1 => break error,
            Asked::Told(_) => {}
            Asked::Waits(_) if probe.is_some() && !waited => {
                // The time comes to try again, and the only slot is taken.
                waited = true;
                hand.pass(Some(hand.now + Config::default().backoff_max / 10));
            }
            Asked::Waits(until) => match probe.take() {
                Some(probe) => hand.answer(probe.done(Err(FaultKind::Connect.into()))),
                None => hand.pass(until),
            },
        }
    };
    assert_eq!(failed.kind(), "network", "{failed:?}");
    assert_eq!(asked.iter().filter(|path| *path == "/part").count(), 1, "{asked:?}");
}

#[test]
fn who_waits_for_another_process_is_not_ended_by_an_origin_that_is_gone() {
    let mut hand = Hand::of(Config { retries_max: 0, ..Config::default() }, Request::new("http://a/locked").unwrap());
    let (mut ended, mut is_locked) = (Vec::new(), false);
    for round in 0..2 {
        loop {
            match hand.next() {
                Asked::File(action) if !is_locked && matches!(action.op, FileOp::Lock { .. }) => {
                    is_locked = true;
                    hand.answer(action.fail(FaultKind::Busy.into()));
                }
                Asked::File(action) => hand.answer(usual(action.op)),
                Asked::Net(NetOp::Fetch { ticket, .. }) => hand.answer(ticket.done(Err(FaultKind::Connect.into()))),
                Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
                Asked::Net(op) => panic!("{op:?}"),
                Asked::Told(Notice::Finished { id, .. }) => ended.push(id.serial()),
                Asked::Told(_) => {}
                Asked::Waits(_) => break,
            }
        }
        if round == 0 {
            for url in urls("a", 60) {
                hand.manager.download(hand.now, Request::new(&url).unwrap()).unwrap();
            }
        }
    }
    assert!(is_locked && ended.len() == 60 && !ended.contains(&1), "{ended:?}");
}
