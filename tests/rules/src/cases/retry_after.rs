//! A server that asks to be left alone for a time (RFC 9110 section 10.2.3).

use std::time::{Duration, Instant};

use dlmanager::{Event, How, Notice};
use dlmanager_origin::{Reply, Resource, http_date};

use crate::bench::{Bench, DEADLINE, another, body, close, end, open};
use crate::case::{Case, Rule};

/// What is waited beyond what was asked for: a tenth more, or the least backoff.
const JITTER: Duration = Duration::from_millis(150);
const SECOND: Duration = Duration::from_secs(1);

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "Nobody is asked again before the time that it asked for",
        cases: &[
            Case { name: "503, seconds", check: |bench| waits(bench, Reply::empty(503).header("Retry-After", "1")) },
            Case { name: "429, seconds", check: |bench| waits(bench, Reply::empty(429).header("Retry-After", "1")) },
            Case {
                name: "a date, counted from the reply's own Date",
                check: |bench| {
                    // The server's clock is 30 years behind.
                    let now = Resource::new(1, 1).last_modified(1);
                    let reply = Reply::empty(503).date(now).header("Retry-After", &http_date(now + SECOND));
                    waits(bench, reply);
                },
            },
            Case {
                name: "a second server is asked at once, the same server by nobody",
                check: |bench| {
                    let other = another();
                    other.serve("/other", Reply::body(body()));
                    bench
                        .origin
                        .script("/file", vec![Reply::empty(503).header("Retry-After", "3"), Reply::body(body())]);
                    bench.origin.serve("/second", Reply::body(body()));
                    let manager = open(bench.builder());
                    let mut events = manager.events();
                    let first = manager.download(bench.origin.url("/file")).expect("it is admitted");
                    loop {
                        let event = events.recv_timeout(DEADLINE).expect("it is told");
                        if let Event::Download { notice: Notice::Retrying { .. }, .. } = event {
                            break;
                        }
                    }
                    let told = Instant::now();
                    let second = manager.download(bench.origin.url("/second")).expect("it is admitted");
                    let elsewhere = manager.download(other.url("/other")).expect("it is admitted");
                    assert_eq!(end(&elsewhere).expect("nobody asked to wait").how, How::Fetched);
                    assert!(first.is_running() && second.is_running(), "the second server is asked at once");
                    end(&second).expect("the file is there");
                    assert!(told.elapsed() >= SECOND * 3 - JITTER, "{:?}", told.elapsed());
                    end(&first).expect("the file is there");
                    close(&manager);
                    assert_eq!(bench.settled().requests.len(), 3);
                    bench.folder.assert_holds(&[("file", &body()), ("other", &body()), ("second", &body())]);
                },
            },
        ],
    },
    Rule {
        text: "Nobody waits longer than the greatest time allowed",
        cases: &[
            Case { name: "a day", check: |bench| capped(bench, "86400") },
            Case { name: "more than there is time", check: |bench| capped(bench, "99999999999999999999999") },
            Case { name: "a date in a thousand years", check: |bench| capped(bench, "Wed, 31 Dec 2994 00:00:00 GMT") },
        ],
    },
    Rule {
        text: "What asks for no time is as if nothing had been said",
        cases: &[
            Case { name: "zero", check: |bench| nothing_said(bench, Reply::empty(503).header("Retry-After", "0")) },
            Case {
                name: "negative",
                check: |bench| nothing_said(bench, Reply::empty(503).header("Retry-After", "-5")),
            },
            Case {
                name: "a word",
                check: |bench| nothing_said(bench, Reply::empty(503).header("Retry-After", "soon")),
            },
            Case {
                name: "a fraction",
                check: |bench| nothing_said(bench, Reply::empty(503).header("Retry-After", "9.5")),
            },
            Case {
                name: "two that differ",
                check: |bench| {
                    let reply = Reply::empty(503).header("Retry-After", "900").header("Retry-After", "800");
                    nothing_said(bench, reply);
                },
            },
            Case {
                name: "a date that is over",
                check: |bench| {
                    let now = Resource::new(1, 1).last_modified(60);
                    let reply = Reply::empty(503).date(now).header("Retry-After", &http_date(now - SECOND * 60));
                    nothing_said(bench, reply);
                },
            },
            Case {
                name: "a date without a Date to count from",
                check: |bench| {
                    let then = Resource::new(1, 1).last_modified(60);
                    nothing_said(bench, Reply::empty(503).header("Retry-After", &http_date(then)));
                },
            },
        ],
    },
    Rule {
        text: "It makes no failure one that may pass",
        cases: &[Case {
            name: "404",
            check: |bench| {
                bench.get(Reply::empty(404).header("Retry-After", "1")).status(404).requests(1).retried(&[]);
            },
        }],
    },
];

fn waits(bench: &Bench, busy: Reply) {
    let begin = Instant::now();
    let ended = bench.get([busy, Reply::body(body())]);
    ended.complete(&body()).requests(2).retried(&["status"]);
    let (_, delay) = ended.retries()[0];
    assert!((SECOND..SECOND + JITTER).contains(&delay), "{delay:?}");
    assert!(begin.elapsed() >= SECOND, "{:?}", begin.elapsed());
}

fn capped(bench: &Bench, retry_after: &str) {
    let most = Duration::from_millis(40);
    let now = Resource::new(1, 1).last_modified(1);
    let busy = Reply::empty(503).date(now).header("Retry-After", retry_after);
    let ended = bench.get_by(bench.configured(|config| config.retry_after_max = most), [busy, Reply::body(body())]);
    ended.complete(&body()).requests(2).retried(&["status"]);
    let (_, delay) = ended.retries()[0];
    assert!((most..most * 2).contains(&delay), "{delay:?}");
}

fn nothing_said(bench: &Bench, busy: Reply) {
    let ended = bench.get([busy, Reply::body(body())]);
    ended.complete(&body()).requests(2).retried(&["status"]);
    let (_, delay) = ended.retries()[0];
    assert!(delay <= Duration::from_millis(4), "{delay:?}");
}
