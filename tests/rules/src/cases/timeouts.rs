//! What takes too long.

use std::time::Duration;

use dlmanager::TimeoutKind;
use dlmanager_origin::{At, Reply};

use crate::bench::{Bench, body};
use crate::case::{Case, Rule};
use crate::ports::{Mute, Silent};

/// Long enough for what is awaited to be seen to be missing.
const SHORT: Duration = Duration::from_millis(60);

/// Short as well, but long enough for a machine under load to do what is not to time out.
const AMPLE: Duration = Duration::from_millis(500);

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A connection that is not made in time is tried again",
        cases: &[
            Case {
                name: "nobody answers",
                check: |bench| {
                    let port = Silent::new();
                    not_connected(bench, &port.url("/file"));
                },
            },
            Case {
                name: "TLS is never begun",
                check: |bench| {
                    let port = Mute::new();
                    not_connected(bench, &port.https_url("/file"));
                },
            },
        ],
    },
    Rule {
        text: "A head that is not whole in time is tried again",
        cases: &[
            Case { name: "no byte comes", check: |bench| no_head(bench, Reply::body(body()).stall_at(At::Start)) },
            Case { name: "it stops midway", check: |bench| no_head(bench, Reply::body(body()).stall_at(At::Head(20))) },
            Case {
                name: "only an interim reply comes",
                check: |bench| {
                    let reply = Reply::body(body()).interim(103, &[]);
                    no_head(bench, reply.stall_at(At::Head("HTTP/1.1 103 Early Hints\r\n\r\n".len())));
                },
            },
            Case {
                name: "then it comes",
                check: |bench| {
                    let replies = [Reply::body(body()).stall_at(At::Start), Reply::body(body())];
                    let ended = bench.get_by(bench.builder().first_byte_timeout(AMPLE), replies);
                    ended.complete(&body()).requests(2).retried(&["timeout"]);
                },
            },
        ],
    },
    Rule {
        text: "A body that stalls is tried again",
        cases: &[
            Case { name: "before its first byte", check: |bench| stalls(bench, stalled_at(0)) },
            Case { name: "midway", check: |bench| stalls(bench, stalled_at(60_000)) },
            Case { name: "before its last byte", check: |bench| stalls(bench, stalled_at(99_999)) },
            Case { name: "before its last chunk", check: |bench| stalls(bench, stalled_at(100_000).chunked(&[])) },
            Case {
                name: "a trickle is a stall",
                check: |bench| stalls(bench, Reply::body(body()).drip(1, Duration::from_millis(10))),
            },
            Case {
                name: "then it comes whole",
                check: |bench| {
                    let replies = [stalled_at(60_000), Reply::body(body())];
                    let ended = bench.get_by(bench.builder().stall_timeout(AMPLE), replies);
                    ended.complete(&body()).requests(2).retried(&["timeout"]);
                },
            },
        ],
    },
    Rule {
        text: "A body that is slow but goes on is no stall",
        cases: &[Case {
            name: "it takes twice the timeout",
            check: |bench| {
                // 21 pieces, one each 100 ms.
                let reply = Reply::body(body()).drip(4_800, Duration::from_millis(100));
                let ended = bench.get_by(bench.builder().stall_timeout(AMPLE * 2), reply);
                ended.complete(&body()).requests(1).retried(&[]);
            },
        }],
    },
    Rule {
        text: "The timeout of the whole is for all attempts together, and ends the download",
        cases: &[
            Case {
                name: "a slow body",
                check: |bench| {
                    let reply = Reply::body(body()).drip(2_000, SHORT);
                    let ended = bench.get_by(bench.builder().timeout(AMPLE), reply);
                    ended.timed_out(TimeoutKind::Whole).requests(1).retried(&[]);
                },
            },
            Case {
                name: "no head",
                check: |bench| {
                    let reply = Reply::body(body()).stall_at(At::Start);
                    let ended = bench.get_by(bench.builder().timeout(AMPLE), reply);
                    ended.timed_out(TimeoutKind::Whole).requests(1).retried(&[]);
                },
            },
            Case {
                name: "one failure after another",
                check: |bench| {
                    // The seed makes each run the same: each delay is one of up to 100 ms.
                    let builder = bench.configured(|config| {
                        config.retries_max = 100;
                        (config.backoff_min, config.backoff_max) =
                            (Duration::from_millis(100), Duration::from_millis(100));
                        config.timeout = Some(Duration::from_millis(300));
                    });
                    let ended = bench.get_by(builder.seed(1), Reply::empty(503));
                    ended.timed_out(TimeoutKind::Whole);
                    assert!(ended.retries().len() >= 2, "{:?}", ended.retries());
                },
            },
        ],
    },
];

fn not_connected(bench: &Bench, url: &str) {
    let builder = bench.builder().retries(1).connect_timeout(SHORT);
    bench.fetch(builder, url, |request| request).timed_out(TimeoutKind::Connect).retried(&["timeout"]);
}

fn no_head(bench: &Bench, reply: Reply) {
    let ended = bench.get_by(bench.builder().first_byte_timeout(SHORT), reply);
    ended.timed_out(TimeoutKind::FirstByte).requests(3).retried(&["timeout"; 2]);
}

fn stalled_at(bytes: u64) -> Reply {
    Reply::body(body()).stall_at(At::Body(bytes))
}

fn stalls(bench: &Bench, reply: Reply) {
    let ended = bench.get_by(bench.builder().stall_timeout(SHORT), reply);
    ended.timed_out(TimeoutKind::Stall).requests(3).retried(&["timeout"; 2]);
}
