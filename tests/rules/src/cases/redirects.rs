//! Redirects (RFC 9110 section 15.4).

use std::time::Duration;

use dlmanager::DownloadError;
use dlmanager::core::FaultKind;
use dlmanager_origin::{At, Body, Reply, Request};

use crate::bench::{Bench, another, another_over_tls, body};
use crate::case::{Case, Rule};
use crate::ended::Ended;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A redirect is followed by a GET, and the file keeps the name that was asked for",
        cases: &[
            Case { name: "301", check: |bench| followed(bench, 301) },
            Case { name: "302", check: |bench| followed(bench, 302) },
            Case { name: "303", check: |bench| followed(bench, 303) },
            Case { name: "307", check: |bench| followed(bench, 307) },
            Case { name: "308", check: |bench| followed(bench, 308) },
        ],
    },
    Rule {
        text: "A Location is a reference, resolved against the URL that it came from",
        cases: &[
            Case { name: "absolute path", check: |bench| leads(bench, "/x/y?z", "/x/y?z") },
            Case { name: "relative path", check: |bench| leads(bench, "y", "/deep/y") },
            Case { name: "up", check: |bench| leads(bench, "../../../y", "/y") },
            Case { name: "only a query", check: |bench| leads(bench, "?z=1", "/deep/file?z=1") },
            Case { name: "a fragment is not sent", check: |bench| leads(bench, "/y#part", "/y") },
            Case { name: "blanks around it", check: |bench| leads(bench, "  /y  ", "/y") },
            Case { name: "escapes stay as they are", check: |bench| leads(bench, "/a%2Fb%20c", "/a%2Fb%20c") },
            Case {
                name: "a URL without its scheme",
                check: |bench| {
                    let address = bench.origin.addr();
                    leads(bench, &format!("//{address}/y"), "/y");
                },
            },
        ],
    },
    Rule {
        text: "Twenty redirects are followed, and no more",
        cases: &[
            Case {
                name: "20",
                check: |bench| {
                    chain(bench, 20).complete(&body()).requests(21);
                },
            },
            Case {
                name: "21",
                check: |bench| {
                    too_many(&chain(bench, 21));
                },
            },
            Case { name: "to itself", check: |bench| too_many(&bench.get(Reply::redirect(302, "/file"))) },
            Case {
                name: "to itself by an empty Location",
                check: |bench| too_many(&bench.get(Reply::redirect(302, ""))),
            },
            Case {
                name: "back and forth",
                check: |bench| {
                    bench.origin.serve("/back", Reply::redirect(302, "/file"));
                    too_many(&bench.get(Reply::redirect(302, "/back")));
                },
            },
        ],
    },
    Rule {
        text: "A redirect leads to http and https only",
        cases: &[
            Case { name: "ftp", check: |bench| refused(bench, "ftp://127.0.0.1/file", "only http and https") },
            Case { name: "file", check: |bench| refused(bench, "file:///etc/passwd", "only http and https") },
            Case { name: "data", check: |bench| refused(bench, "data:,hello", "only http and https") },
            Case { name: "javascript", check: |bench| refused(bench, "javascript:alert(1)", "only http and https") },
            Case { name: "no host", check: |bench| refused(bench, "http://", "not a URL") },
            Case { name: "a port that is none", check: |bench| refused(bench, "http://127.0.0.1:99999/", "not a URL") },
            Case {
                name: "what it leads to is told without user info",
                check: |bench| {
                    let ended = bench.get(Reply::redirect(302, "ftp://user:secret@127.0.0.1/file"));
                    let text = ended.redirect_refused("only http and https").error().to_string();
                    assert!(!text.contains("secret"), "{text}");
                },
            },
        ],
    },
    Rule {
        text: "From https to http only where that is allowed",
        cases: &[
            Case {
                name: "https to http is refused",
                check: |bench| {
                    let secure = another_over_tls();
                    secure.serve("/file", Reply::redirect(302, &bench.origin.url("/plain")));
                    bench.origin.serve("/plain", Reply::body(body()));
                    let ended = bench.fetch(bench.builder(), &secure.url("/file"), |request| request);
                    ended.redirect_refused("from https to http").requests(0);
                },
            },
            Case {
                name: "https to http, allowed",
                check: |bench| {
                    let secure = another_over_tls();
                    secure.serve("/file", Reply::redirect(302, &bench.origin.url("/plain")));
                    bench.origin.serve("/plain", Reply::body(body()));
                    let builder = bench.configured(|config| config.allow_downgrade = true);
                    bench.fetch(builder, &secure.url("/file"), |request| request).complete(&body()).requests(1);
                },
            },
            Case {
                name: "http to https",
                check: |bench| {
                    let secure = another_over_tls();
                    secure.serve("/secure", Reply::body(body()));
                    bench.get(Reply::redirect(301, &secure.url("/secure"))).complete(&body()).requests(1);
                    assert_eq!(secure.records().requests.len(), 1);
                },
            },
            Case {
                name: "https to http to https is refused at its first hop",
                check: |bench| {
                    let secure = another_over_tls();
                    secure.serve("/file", Reply::redirect(302, &bench.origin.url("/plain")));
                    bench.origin.serve("/plain", Reply::redirect(302, &secure.url("/secure")));
                    secure.serve("/secure", Reply::body(body()));
                    let ended = bench.fetch(bench.builder(), &secure.url("/file"), |request| request);
                    ended.redirect_refused("from https to http").requests(0);
                },
            },
        ],
    },
    Rule {
        text: "A redirect that says nothing, or two things, is refused, and asked for once",
        cases: &[
            Case {
                name: "no Location",
                check: |bench| {
                    bench.get(Reply::empty(302)).refused("without Location").requests(1).retried(&[]);
                },
            },
            Case {
                name: "two different Locations",
                check: |bench| {
                    let reply = Reply::redirect(302, "/a").header("Location", "/b");
                    bench.get(reply).refused("two different Locations").requests(1).retried(&[]);
                },
            },
            Case {
                name: "twice the same Location",
                check: |bench| {
                    bench.origin.serve("/a", Reply::body(body()));
                    bench.get(Reply::redirect(302, "/a").header("Location", "/a")).complete(&body()).requests(2);
                },
            },
            Case {
                name: "a Location that is not UTF-8",
                check: |bench| {
                    bench.get(Reply::empty(302).line(b"Location: /a\xff")).refused("not text").requests(1).retried(&[]);
                },
            },
        ],
    },
    Rule {
        text: "Nothing but a redirect leads elsewhere",
        cases: &[
            Case { name: "Refresh", check: |bench| ignored(bench, "Refresh", "0; url=/elsewhere") },
            Case { name: "Content-Location", check: |bench| ignored(bench, "Content-Location", "/elsewhere") },
            Case { name: "Location of a 200", check: |bench| ignored(bench, "Location", "/elsewhere") },
            Case { name: "Link", check: |bench| ignored(bench, "Link", "</elsewhere>; rel=duplicate") },
            Case { name: "Alt-Svc", check: |bench| ignored(bench, "Alt-Svc", "h2=\"127.0.0.1:1\"; ma=3600") },
        ],
    },
    Rule {
        text: "The body of a redirect is read where it is short, so that its connection serves again",
        cases: &[
            Case {
                name: "16 KiB",
                check: |bench| {
                    drained(bench, page(16 * 1024)).connections(1);
                },
            },
            Case {
                name: "chunked",
                check: |bench| {
                    drained(bench, page(1_000).chunked(&[])).connections(1);
                },
            },
            Case {
                name: "a byte more",
                check: |bench| {
                    drained(bench, page(16 * 1024 + 1)).connections(2);
                },
            },
            Case {
                name: "one without end",
                check: |bench| {
                    drained(bench, page(1 << 30)).connections(2);
                },
            },
            Case {
                name: "one that stalls holds up no longer than a head may",
                check: |bench| {
                    bench.origin.serve("/elsewhere", Reply::body(body()));
                    let stalled = page(1_000).stall_at(At::Body(10));
                    let builder = bench.builder().first_byte_timeout(Duration::from_millis(500));
                    bench.get_by(builder, stalled).complete(&body()).requests(2).connections(2).retried(&[]);
                },
            },
        ],
    },
    Rule {
        text: "What fails behind a redirect is asked for from the first URL on",
        cases: &[
            Case {
                name: "503, then it works",
                check: |bench| {
                    bench.origin.script("/elsewhere", vec![Reply::empty(503), Reply::body(body())]);
                    let ended = bench.get(Reply::redirect(302, "/elsewhere"));
                    ended.complete(&body()).requests(4).retried(&["status"]);
                    assert_eq!(paths(&ended), ["/file", "/elsewhere", "/file", "/elsewhere"]);
                },
            },
            Case {
                name: "404 is final",
                check: |bench| {
                    bench.get(Reply::redirect(302, "/missing")).status(404).requests(2).retried(&[]);
                },
            },
            Case {
                name: "the redirect is to somewhere else by then",
                check: |bench| {
                    bench.origin.serve("/broken", Reply::empty(503));
                    bench.origin.serve("/whole", Reply::body(body()));
                    let replies = [Reply::redirect(302, "/broken"), Reply::redirect(302, "/whole")];
                    let ended = bench.get(replies);
                    ended.complete(&body()).retried(&["status"]);
                    assert_eq!(paths(&ended), ["/file", "/broken", "/file", "/whole"]);
                },
            },
        ],
    },
    Rule {
        text: "A redirect to another origin is an exchange with that origin",
        cases: &[
            Case {
                name: "another port",
                check: |bench| {
                    let other = another();
                    other.serve("/b", Reply::body(body()));
                    let ended = bench.get(Reply::redirect(302, &other.url("/b")));
                    assert_eq!(ended.complete(&body()).requests(1).file().url.as_str(), other.url("/b"));
                    let host = other.records().requests[0].header("Host").map(str::to_owned);
                    assert_eq!(host, Some(other.addr().to_string()));
                },
            },
            Case {
                name: "one that is not there",
                check: |bench| {
                    let port = crate::ports::Refusing::new();
                    let ended = bench.get(Reply::redirect(302, &port.url("/b")));
                    ended.broke(FaultKind::Connect).requests(3).retried(&["network"; 2]);
                },
            },
        ],
    },
];

fn paths(ended: &Ended) -> Vec<&str> {
    ended.requests.iter().map(Request::path).collect()
}

fn followed(bench: &Bench, status: u16) {
    bench.origin.serve("/other-name", Reply::body(body()));
    let ended = bench.get(Reply::redirect(status, "/other-name"));
    ended.complete(&body()).requests(2).connections(1).retried(&[]);
    assert!(ended.requests.iter().all(|request| request.method == "GET"));
    let file = ended.file();
    assert_eq!((file.url.as_str(), file.requests), (&*bench.origin.url("/other-name"), 2));
}

/// Where a Location at `/deep/file` leads.
fn leads(bench: &Bench, location: &str, target: &str) {
    // A query is looked up as it is before its path is.
    bench.origin.serve(target, Reply::body(body()));
    bench.origin.script("/deep/file", vec![Reply::redirect(302, location), Reply::body(body())]);
    let ended = bench.fetch(bench.builder(), &bench.origin.url("/deep/file"), |request| request);
    ended.complete(&body()).requests(2);
    assert_eq!(ended.requests[1].target, target);
}

fn chain(bench: &Bench, hops: usize) -> Ended {
    for hop in 1..hops {
        bench.origin.serve(&format!("/{hop}"), Reply::redirect(302, &format!("/{}", hop + 1)));
    }
    bench.origin.serve(&format!("/{hops}"), Reply::body(body()));
    bench.get(Reply::redirect(302, "/1"))
}

#[track_caller]
fn too_many(ended: &Ended) {
    ended.failed(&DownloadError::TooManyRedirects { redirects_max: 20 }).requests(21).retried(&[]);
}

fn refused(bench: &Bench, location: &str, reason: &str) {
    bench.get(Reply::redirect(302, location)).redirect_refused(reason).requests(1).retried(&[]);
}

fn ignored(bench: &Bench, name: &str, value: &str) {
    bench.origin.serve("/elsewhere", Reply::body("another file"));
    bench.get(Reply::body(body()).header(name, value)).complete(&body()).requests(1);
}

/// A redirect with a page.
fn page(length: u64) -> Reply {
    Reply::body(Body::pattern(5, length)).status(302).header("Location", "/elsewhere")
}

fn drained(bench: &Bench, page: Reply) -> Ended {
    bench.origin.serve("/elsewhere", Reply::body(body()));
    let ended = bench.get(page);
    ended.complete(&body()).requests(2).retried(&[]);
    ended
}
