//! What a status means for a file (RFC 9110 section 15).

use dlmanager_origin::{Ended, Reply};

use crate::bench::{Bench, body};
use crate::case::{Case, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A success that is not 200 is no file, and is asked for once",
        cases: &[
            Case { name: "201", check: |bench| once(bench, 201) },
            Case { name: "202", check: |bench| once(bench, 202) },
            Case { name: "203, a proxy's version", check: |bench| once(bench, 203) },
            Case { name: "204", check: |bench| bodiless(bench, 204) },
            Case { name: "205", check: |bench| bodiless(bench, 205) },
            Case { name: "226", check: |bench| once(bench, 226) },
            Case { name: "299, which has no meaning", check: |bench| once(bench, 299) },
        ],
    },
    Rule {
        text: "A part that nobody asked for is no file",
        cases: &[
            Case {
                name: "206, the whole",
                check: |bench| {
                    let reply = Reply::body(body()).status(206).header("Content-Range", "bytes 0-99999/100000");
                    bench.get(reply).status(206).requests(1).retried(&[]);
                },
            },
            Case {
                name: "206, a part",
                check: |bench| {
                    let reply = Reply::body(body()).status(206).header("Content-Range", "bytes 0-99999/200000");
                    bench.get(reply).status(206).requests(1).retried(&[]);
                },
            },
            Case { name: "206 that does not say which", check: |bench| once(bench, 206) },
        ],
    },
    Rule {
        text: "A redirection that leads nowhere is no file, and is asked for once",
        cases: &[
            Case { name: "300", check: |bench| once(bench, 300) },
            Case {
                name: "300 with a preferred place",
                check: |bench| {
                    bench.get(Reply::redirect(300, "/elsewhere")).status(300).requests(1).retried(&[]);
                },
            },
            Case { name: "304, although nothing was said to be there", check: |bench| bodiless(bench, 304) },
            Case {
                name: "305, a proxy",
                check: |bench| {
                    bench.get(Reply::redirect(305, "http://127.0.0.1:1/")).status(305).requests(1).retried(&[]);
                },
            },
        ],
    },
    Rule {
        text: "What is refused for good is asked for once",
        cases: &[
            Case { name: "400", check: |bench| once(bench, 400) },
            Case { name: "401", check: |bench| once(bench, 401) },
            Case { name: "403", check: |bench| once(bench, 403) },
            Case { name: "404", check: |bench| once(bench, 404) },
            Case { name: "407", check: |bench| once(bench, 407) },
            Case { name: "410", check: |bench| once(bench, 410) },
            Case { name: "416, although no part was asked for", check: |bench| once(bench, 416) },
            Case { name: "451", check: |bench| once(bench, 451) },
            Case { name: "501", check: |bench| once(bench, 501) },
            Case { name: "505", check: |bench| once(bench, 505) },
            Case { name: "599, which has no meaning", check: |bench| once(bench, 599) },
        ],
    },
    Rule {
        text: "The body of an error is not read",
        cases: &[
            Case {
                name: "a page of 1 GiB",
                check: |bench| {
                    let page = Reply::body(dlmanager_origin::Body::pattern(1, 1 << 30)).status(404);
                    let ended = bench.get(page);
                    ended.status(404).requests(1);
                    let sent = ended.requests[0].sent.expect("the client has left");
                    assert!(sent.ended == Ended::ClientLeft && sent.body_bytes < 1 << 29, "{sent:?}");
                },
            },
            Case {
                name: "one without end does not hold it up",
                check: |bench| {
                    let page = Reply::body(body()).status(403).stall_at(dlmanager_origin::At::Body(10));
                    bench.get(page).status(403).requests(1);
                },
            },
        ],
    },
];

/// With a body that would do for a file.
fn once(bench: &Bench, status: u16) {
    bench.get(Reply::body(body()).status(status)).status(status).requests(1).retried(&[]);
}

fn bodiless(bench: &Bench, status: u16) {
    bench.get(Reply::empty(status)).status(status).requests(1).retried(&[]);
}
