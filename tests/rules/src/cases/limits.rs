//! Bounds on what a server may send.

use dlmanager::DownloadError;
use dlmanager::core::FaultKind;
use dlmanager_origin::{Body, Reply};

use crate::bench::{Bench, another, body};
use crate::case::{Case, Rule};
use crate::ended::Ended;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A file that is announced to be too long is not fetched",
        cases: &[
            Case {
                name: "a byte more",
                check: |bench| {
                    let ended = too_large(bench, Reply::body(body()), 99_999);
                    assert_eq!(ended.error(), &DownloadError::TooLarge { length: 100_000, bytes_max: 99_999 });
                },
            },
            Case {
                name: "an exabyte",
                check: |bench| {
                    let announced = 1_000_000_000_000_000_000;
                    let ended = too_large(bench, Reply::body(body()).content_length(announced), 99_999);
                    assert_eq!(ended.error(), &DownloadError::TooLarge { length: announced, bytes_max: 99_999 });
                },
            },
            Case {
                name: "behind a redirect",
                check: |bench| {
                    let other = another();
                    other.serve("/b", Reply::body(body()));
                    let ended = too_large(bench, Reply::redirect(302, &other.url("/b")), 99_999);
                    assert_eq!(ended.error(), &DownloadError::TooLarge { length: 100_000, bytes_max: 99_999 });
                },
            },
        ],
    },
    Rule {
        text: "A file that turns out to be too long is given up as soon as it is",
        cases: &[
            Case { name: "chunked", check: |bench| counted(bench, Reply::body(endless()).chunked(&[])) },
            Case { name: "until close", check: |bench| counted(bench, Reply::body(endless()).until_close()) },
        ],
    },
    Rule {
        text: "A file of just the greatest length is taken",
        cases: &[
            Case { name: "announced", check: |bench| fits(bench, Reply::body(body())) },
            Case { name: "chunked", check: |bench| fits(bench, Reply::body(body()).chunked(&[])) },
            Case { name: "until close", check: |bench| fits(bench, Reply::body(body()).until_close()) },
        ],
    },
    Rule {
        text: "A head that is too large is refused, and asked for once",
        cases: &[
            Case { name: "101 fields", check: |bench| head_too_large(bench, Reply::body(body()).padding(100, 1)) },
            Case { name: "1,000 fields", check: |bench| head_too_large(bench, Reply::body(body()).padding(999, 10)) },
            Case {
                name: "a field of 200 kB",
                check: |bench| head_too_large(bench, Reply::body(body()).padding(1, 200_000)),
            },
            Case {
                name: "90 fields of 4 kB",
                check: |bench| head_too_large(bench, Reply::body(body()).padding(90, 4_000)),
            },
            Case {
                name: "fields without end",
                check: |bench| head_too_large(bench, Reply::body(body()).endless_headers()),
            },
            Case {
                name: "a redirect",
                check: |bench| head_too_large(bench, Reply::redirect(302, "/b").padding(1, 200_000)),
            },
            Case {
                name: "a status line without end",
                check: |bench| head_too_large(bench, Reply::raw(format!("HTTP/1.1 200 {}", "x".repeat(300_000)))),
            },
        ],
    },
    Rule {
        text: "A head within the bounds is taken",
        cases: &[
            Case { name: "100 fields", check: |bench| head_fits(bench, Reply::body(body()).padding(99, 1)) },
            Case { name: "a field of 60 kB", check: |bench| head_fits(bench, Reply::body(body()).padding(1, 60_000)) },
        ],
    },
];

fn too_large(bench: &Bench, reply: Reply, bytes_max: u64) -> Ended {
    let ended = bench.get_by(bench.builder().file_bytes_max(bytes_max), reply);
    assert_eq!(ended.error().kind(), "too-large");
    ended.nothing_is_left().requests(1).retried(&[]);
    ended
}

fn endless() -> Body {
    Body::pattern(6, 1 << 40)
}

fn counted(bench: &Bench, reply: Reply) {
    const BYTES_MAX: u64 = 1_000_000;
    let ended = too_large(bench, reply, BYTES_MAX);
    match ended.error() {
        DownloadError::TooLarge { length, bytes_max: BYTES_MAX } => {
            assert!((BYTES_MAX + 1..BYTES_MAX * 2).contains(length), "{length}");
        }
        other => panic!("{other:?}"),
    }
    let sent = ended.requests[0].sent.expect("the client has left");
    assert!(sent.body_bytes < 1 << 30, "{sent:?}");
}

fn fits(bench: &Bench, reply: Reply) {
    bench.get_by(bench.builder().file_bytes_max(100_000), reply).complete(&body()).requests(1);
}

fn head_too_large(bench: &Bench, reply: Reply) {
    bench.get(reply).broke(FaultKind::HeadTooLarge).requests(1).retried(&[]);
}

fn head_fits(bench: &Bench, reply: Reply) {
    bench.get(reply).complete(&body()).requests(1);
}
