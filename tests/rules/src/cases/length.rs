//! `Content-Length` (RFC 9110 section 8.6, RFC 9112 section 6.3).

use dlmanager::core::FaultKind;
use dlmanager_origin::Reply;

use crate::bench::{Bench, body};
use crate::case::{Case, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "Lengths that agree are one",
        cases: &[Case {
            name: "twice the same field",
            check: |bench| {
                bench.get(lengths(&["100000", "100000"]).keep_alive()).complete(&body()).requests(1);
            },
        }],
    },
    Rule {
        text: "A Content-Length that is not one length is refused, and asked for once",
        cases: &[
            Case { name: "two that differ", check: |bench| refused(bench, &["100000", "60000"]) },
            Case { name: "two that differ, the true one last", check: |bench| refused(bench, &["60000", "100000"]) },
            Case { name: "a list that differs", check: |bench| refused(bench, &["100000, 60000"]) },
            Case { name: "negative", check: |bench| refused(bench, &["-1"]) },
            Case { name: "with a sign", check: |bench| refused(bench, &["+100000"]) },
            Case { name: "hexadecimal", check: |bench| refused(bench, &["0x186a0"]) },
            Case { name: "a fraction", check: |bench| refused(bench, &["100000.0"]) },
            Case { name: "with a unit", check: |bench| refused(bench, &["100000 bytes"]) },
            Case { name: "empty", check: |bench| refused(bench, &[""]) },
            Case { name: "beyond 64 bits", check: |bench| refused(bench, &["99999999999999999999999"]) },
            Case {
                name: "the greatest of 64 bits",
                check: |bench| {
                    let ended = bench.get(lengths(&["18446744073709551615"]));
                    ended.broke(FaultKind::HeadTooLarge).requests(1).retried(&[]);
                    assert!(ended.error().to_string().contains("Content-Length"), "{}", ended.error());
                },
            },
        ],
    },
    Rule {
        text: "A length is believed, and a body that is shorter is no file",
        cases: &[
            Case {
                name: "9 EB announced, 100 kB sent",
                check: |bench| {
                    let ended = bench.get(lengths(&["9000000000000000000"]));
                    ended.broke(FaultKind::Reset).requests(3).retried(&["network"; 2]);
                },
            },
            Case {
                name: "one byte too few",
                check: |bench| {
                    bench.get(lengths(&["100001"])).broke(FaultKind::Reset).requests(3).retried(&["network"; 2]);
                },
            },
            Case {
                name: "leading zeros",
                check: |bench| {
                    bench.get(lengths(&["0000100000"])).complete(&body()).requests(1);
                },
            },
        ],
    },
    Rule {
        text: "A coding that nobody asked for is stored as it came, and told",
        cases: &[
            Case { name: "gzip", check: |bench| coded(bench, "gzip", Some("gzip")) },
            Case { name: "two codings", check: |bench| coded(bench, "gzip, br", Some("gzip, br")) },
            Case { name: "identity is none", check: |bench| coded(bench, "identity", None) },
            Case {
                name: "none is asked for",
                check: |bench| {
                    let ended = bench.get(Reply::body(body()));
                    assert_eq!(ended.complete(&body()).header(0, "Accept-Encoding"), Some("identity"));
                },
            },
        ],
    },
];

/// The body with these Content-Lengths and no other.
fn lengths(lengths: &[&str]) -> Reply {
    let reply = Reply::body(body()).framed_by_hand();
    lengths.iter().fold(reply, |reply, length| reply.header("Content-Length", length))
}

/// The transport refuses it before the core could, which would as well.
fn refused(bench: &Bench, values: &[&str]) {
    bench.get(lengths(values)).broke(FaultKind::Protocol).requests(1).retried(&[]);
}

fn coded(bench: &Bench, coding: &str, told: Option<&str>) {
    let ended = bench.get(Reply::body(body()).header("Content-Encoding", coding));
    assert_eq!(ended.complete(&body()).requests(1).file().content_encoding.as_deref(), told);
}
