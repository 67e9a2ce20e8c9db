//! What is tried again, how often, and after how long.

use std::collections::BTreeSet;
use std::time::Duration;

use dlmanager::DownloadError;
use dlmanager::core::FaultKind;
use dlmanager_origin::{At, Body, Cut, Reply};

use crate::bench::{Bench, body};
use crate::case::{Case, Rule};
use crate::ended::Ended;
use crate::ports::Refusing;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A failure that may pass is tried again",
        cases: &[
            Case { name: "408", check: |bench| passes(bench, 408) },
            Case { name: "425", check: |bench| passes(bench, 425) },
            Case { name: "429", check: |bench| passes(bench, 429) },
            Case { name: "500", check: |bench| passes(bench, 500) },
            Case { name: "502", check: |bench| passes(bench, 502) },
            Case { name: "503", check: |bench| passes(bench, 503) },
            Case { name: "504", check: |bench| passes(bench, 504) },
            Case {
                name: "different ones in a row",
                check: |bench| {
                    let replies = [Reply::reset(), Reply::empty(503), Reply::body(body())];
                    bench.get(replies).complete(&body()).requests(3).retried(&["network", "status"]);
                },
            },
            Case {
                name: "a connection that is refused",
                check: |bench| {
                    let port = Refusing::new();
                    let ended = bench.fetch(bench.builder(), &port.url("/file"), |request| request);
                    ended.broke(FaultKind::Connect).retried(&["network"; 2]);
                },
            },
            Case {
                name: "a host that does not resolve",
                check: |bench| {
                    let ended = bench.fetch(bench.builder(), "http://no-such-host.invalid/file", |request| request);
                    ended.broke(FaultKind::Resolve).retried(&["network"; 2]);
                },
            },
        ],
    },
    Rule {
        text: "There are so many retries as were allowed",
        cases: &[
            Case { name: "none", check: |bench| allowed(bench, 0) },
            Case { name: "one", check: |bench| allowed(bench, 1) },
            Case { name: "four", check: |bench| allowed(bench, 4) },
            Case {
                name: "what fails for good after a retry is final",
                check: |bench| {
                    let replies = [Reply::empty(503), Reply::empty(404), Reply::body(body())];
                    bench.get(replies).status(404).requests(2).retried(&["status"]);
                },
            },
        ],
    },
    Rule {
        text: "New ground gives the attempts back, old ground does not",
        cases: &[
            Case {
                name: "each attempt gets further",
                check: |bench| {
                    let mut replies: Vec<Reply> = (1..=8).map(|step| cut(step * 10_000)).collect();
                    replies.push(Reply::body(body()));
                    let ended = bench.get_by(bench.builder().retries(1), replies);
                    ended.complete(&body()).requests(9).retried(&["network"; 8]);
                },
            },
            Case {
                name: "each attempt gets as far as the first",
                check: |bench| {
                    let ended = bench.get_by(bench.builder().retries(3), cut(60_000));
                    ended.broke(FaultKind::Reset).requests(4).retried(&["network"; 3]);
                },
            },
            Case {
                name: "each attempt gets less far",
                check: |bench| {
                    let replies: Vec<Reply> = (1..=9).rev().map(|step| cut(step * 10_000)).collect();
                    let ended = bench.get_by(bench.builder().retries(1), replies);
                    ended.broke(FaultKind::Reset).requests(2).retried(&["network"]);
                },
            },
            Case {
                name: "less than a hundredth is no ground",
                check: |bench| {
                    let replies: Vec<Reply> = (0..9).map(|step| cut(50_000 + step * 100)).collect();
                    let ended = bench.get_by(bench.builder().retries(2), replies);
                    ended.broke(FaultKind::Reset).requests(3).retried(&["network"; 2]);
                },
            },
        ],
    },
    Rule {
        text: "There are never more requests than the greatest number, whatever progress they make",
        cases: &[Case {
            name: "each attempt gets further",
            check: |bench| {
                let replies: Vec<Reply> = (1..=9).map(|step| cut(step * 10_000)).collect();
                let ended = bench.get_by(bench.configured(|config| config.requests_max = 4), replies);
                match ended.error() {
                    DownloadError::TooManyRequests { requests_max: 4, cause } => assert_eq!(cause.kind(), "network"),
                    other => panic!("{other:?}"),
                }
                ended.nothing_is_left().requests(4).retried(&["network"; 3]);
            },
        }],
    },
    Rule {
        text: "Each delay is drawn from nothing up to a bound that doubles",
        cases: &[
            Case {
                name: "within the bounds",
                check: |bench| {
                    let delays = delays(bench, 1);
                    let bounds = [8, 16, 32, 40, 40, 40].map(Duration::from_millis);
                    assert_eq!(delays.len(), bounds.len());
                    assert!(delays.iter().zip(bounds).all(|(delay, bound)| *delay <= bound), "{delays:?}");
                },
            },
            Case {
                name: "the seed decides",
                check: |bench| {
                    assert_eq!(delays(bench, 1), delays(bench, 1), "the same seed");
                    let drawn: BTreeSet<_> = (1..=3).map(|seed| delays(bench, seed)).collect();
                    assert_eq!(drawn.len(), 3, "other seeds");
                },
            },
        ],
    },
];

fn passes(bench: &Bench, status: u16) {
    let failure = Reply::body("an error page").status(status);
    bench.get([failure, Reply::body(body())]).complete(&body()).requests(2).retried(&["status"]);
}

fn allowed(bench: &Bench, retries: usize) {
    let builder = bench.builder().retries(u32::try_from(retries).expect("a small number"));
    let ended = bench.get_by(builder, Reply::empty(503));
    ended.status(503).requests(retries + 1).retried(&vec!["status"; retries]);
}

/// Without a validator, so that each attempt begins anew.
fn cut(at: u64) -> Reply {
    Reply::body(body()).cut_at(At::Body(at), Cut::Fin)
}

fn delays(bench: &Bench, seed: u64) -> Vec<Duration> {
    let builder = bench.configured(|config| {
        config.retries_max = 6;
        config.backoff_min = Duration::from_millis(8);
        config.backoff_max = Duration::from_millis(40);
    });
    let ended: Ended = bench.get_by(builder.seed(seed), Reply::body(Body::from("busy")).status(503));
    ended.status(503).requests(7);
    ended.retries().into_iter().map(|(_, delay)| delay).collect()
}
