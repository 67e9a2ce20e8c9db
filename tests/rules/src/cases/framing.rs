//! Where a body ends, and what is no HTTP at all (RFC 9112 sections 6 and 7).

use dlmanager::core::FaultKind;
use dlmanager_origin::{At, Body, Cut, Origin, Reply, Tls};

use crate::bench::{Bench, Replies, authority, body, close, end, open};
use crate::case::{Case, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A body that breaks off is no file, and is tried again",
        cases: &[
            Case { name: "FIN within a length", check: |bench| breaks_off(bench, cut(Cut::Fin)) },
            Case { name: "reset within a length", check: |bench| breaks_off(bench, cut(Cut::Reset)) },
            Case { name: "FIN within a chunk", check: |bench| breaks_off(bench, cut(Cut::Fin).chunked(&[70_000])) },
            Case { name: "FIN between two chunks", check: |bench| breaks_off(bench, cut(Cut::Fin).chunked(&[10_000])) },
            Case {
                name: "FIN instead of the last chunk",
                check: |bench| breaks_off(bench, Reply::body(body()).chunked(&[]).cut_at(At::Body(100_000), Cut::Fin)),
            },
            Case {
                name: "reset of a body without a length",
                check: |bench| breaks_off(bench, cut(Cut::Reset).until_close()),
            },
            Case { name: "TLS, FIN within a length", check: |bench| breaks_off_over_tls(bench, cut(Cut::Fin)) },
            Case {
                name: "TLS, no close_notify, without a length",
                check: |bench| breaks_off_over_tls(bench, cut(Cut::BareFin).until_close()),
            },
            Case {
                name: "then it comes whole",
                check: |bench| {
                    bench.get([cut(Cut::Fin), Reply::body(body())]).complete(&body()).requests(2).retried(&["network"]);
                },
            },
        ],
    },
    Rule {
        text: "Only one `chunked` is a transfer coding, and it overrides a length",
        cases: &[
            Case {
                name: "chunked beside a smaller length",
                check: |bench| {
                    let reply = Reply::body(body()).chunked(&[]).header("Content-Length", "10");
                    bench.get(reply).complete(&body()).requests(1);
                },
            },
            Case {
                name: "chunked beside a greater length",
                check: |bench| {
                    let reply = Reply::body(body()).chunked(&[]).header("Content-Length", "1000000");
                    bench.get(reply).complete(&body()).requests(1);
                },
            },
            Case { name: "gzip, chunked", check: |bench| coded(bench, "gzip, chunked") },
            Case { name: "chunked, chunked", check: |bench| coded(bench, "chunked, chunked") },
            Case { name: "chunked, gzip", check: |bench| coded(bench, "chunked, gzip") },
            Case { name: "identity", check: |bench| coded(bench, "identity") },
            Case {
                name: "extensions and trailers are passed over",
                check: |bench| {
                    let chunks =
                        "5;a=b\r\nhello\r\n6;c=\"d\"\r\n world\r\n0\r\nX-Trailer: 1\r\nContent-Length: 3\r\n\r\n";
                    let reply = Reply::body(chunks).framed_by_hand().header("Transfer-Encoding", "chunked");
                    bench.get(reply).complete(&Body::from("hello world")).requests(1);
                },
            },
        ],
    },
    Rule {
        text: "Malformed chunks are no file, and are asked for once",
        cases: &[
            Case { name: "a size that is no number", check: |bench| malformed(bench, "zz\r\nhello\r\n0\r\n\r\n") },
            Case { name: "a negative size", check: |bench| malformed(bench, "-5\r\nhello\r\n0\r\n\r\n") },
            Case {
                name: "a size beyond 64 bits",
                check: |bench| malformed(bench, "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
            },
            Case { name: "more than its size", check: |bench| malformed(bench, "5\r\nhelloXX\r\n0\r\n\r\n") },
            Case { name: "no size", check: |bench| malformed(bench, "\r\nhello\r\n0\r\n\r\n") },
        ],
    },
    Rule {
        text: "Bytes after the end are not in the file, and end the connection's use",
        cases: &[
            Case { name: "after a length", check: |bench| excess(bench, Reply::body(body()).extra("surplus")) },
            Case {
                name: "after the last chunk",
                check: |bench| excess(bench, Reply::body(body()).chunked(&[]).extra("surplus")),
            },
            Case {
                name: "a whole forged reply after a length",
                check: |bench| {
                    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
                    excess(bench, Reply::body(body()).extra(forged));
                },
            },
        ],
    },
    Rule {
        text: "A body that only the connection's end delimits is taken, and said to be unverified",
        cases: &[
            Case { name: "HTTP/1.1", check: |bench| unverified(bench, Reply::body(body()).until_close()) },
            Case {
                name: "HTTP/1.0",
                check: |bench| unverified(bench, Reply::body(body()).framed_by_hand().http_1_0()),
            },
            Case {
                name: "one that stops short is taken as well, as nobody can tell",
                check: |bench| {
                    let ended = bench.get(cut(Cut::Fin).until_close());
                    assert!(
                        ended.complete(&Body::from(&body().to_vec()[..60_000])).requests(1).file().length_unverified
                    );
                },
            },
            Case {
                name: "a length, and HTTP/1.0, is verified",
                check: |bench| {
                    let ended = bench.get(Reply::body(body()).http_1_0());
                    assert!(!ended.complete(&body()).requests(1).file().length_unverified);
                },
            },
        ],
    },
    Rule {
        text: "An empty body is an empty file",
        cases: &[
            Case { name: "length 0", check: |bench| empty(bench, Reply::body("")) },
            Case { name: "no chunk but the last", check: |bench| empty(bench, Reply::body("").chunked(&[])) },
            Case { name: "until close", check: |bench| empty(bench, Reply::body("").until_close()) },
        ],
    },
    Rule {
        text: "Interim replies are passed over",
        cases: &[
            Case { name: "100", check: |bench| interim(bench, Reply::body(body()).interim(100, &[])) },
            Case {
                name: "103 with fields that would mean something in a reply",
                check: |bench| {
                    let fields = [("Content-Length", "3"), ("Location", "/elsewhere"), ("Transfer-Encoding", "gzip")];
                    interim(bench, Reply::body(body()).interim(103, &fields));
                },
            },
            Case {
                name: "several of them",
                check: |bench| {
                    let reply = Reply::body(body()).interim(100, &[]).interim(103, &[("Link", "</a>")]);
                    interim(bench, reply.interim(103, &[]).interim(102, &[]));
                },
            },
            Case {
                name: "the connection ends after one: no reply",
                check: |bench| {
                    let interim = Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\n");
                    bench.get(interim).broke(FaultKind::Reset).requests(3).retried(&["network"; 2]);
                },
            },
        ],
    },
    Rule {
        text: "What is not HTTP/1.x is no file, and is asked for once",
        cases: &[
            Case { name: "another protocol's greeting", check: |bench| no_http(bench, "SSH-2.0-OpenSSH_9.2\r\n") },
            Case { name: "HTTP/0.9: a body at once", check: |bench| no_http(bench, "<html>a page</html>\n") },
            Case {
                name: "a frame of HTTP/2",
                check: |bench| no_http(bench, b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64"),
            },
            Case { name: "HTTP/3.0", check: |bench| no_http(bench, "HTTP/3.0 200 OK\r\nContent-Length: 1\r\n\r\nx") },
            Case { name: "a status of two digits", check: |bench| no_http(bench, "HTTP/1.1 20 OK\r\n\r\nx") },
            Case {
                name: "a field without a colon",
                check: |bench| {
                    bench.get(Reply::body(body()).line("no colon at all")).broke(FaultKind::Protocol).requests(1);
                },
            },
            Case {
                name: "a field with a zero byte",
                check: |bench| {
                    bench.get(Reply::body(body()).line(b"X: a\0b")).broke(FaultKind::Protocol).requests(1);
                },
            },
        ],
    },
    Rule {
        text: "A connection that ends before a whole head is tried again",
        cases: &[
            Case { name: "without a byte", check: |bench| no_head(bench, Reply::close()) },
            Case { name: "by a reset", check: |bench| no_head(bench, Reply::reset()) },
            Case {
                name: "within the status line",
                check: |bench| no_head(bench, Reply::body(body()).cut_at(At::Head(7), Cut::Fin)),
            },
            Case {
                name: "before the empty line",
                check: |bench| no_head(bench, Reply::body(body()).cut_at(At::Head(38), Cut::Fin)),
            },
        ],
    },
    Rule {
        text: "A kept connection that ends without a byte is replaced, and that is no attempt",
        cases: &[
            Case { name: "by FIN", check: |bench| kept(bench, Reply::close()) },
            Case { name: "by a reset", check: |bench| kept(bench, Reply::reset()) },
        ],
    },
];

/// 60,000 of 100,000 bytes.
fn cut(cut: Cut) -> Reply {
    Reply::body(body()).cut_at(At::Body(60_000), cut)
}

fn breaks_off(bench: &Bench, reply: Reply) {
    bench.get(reply).broke(FaultKind::Reset).requests(3).retried(&["network"; 2]);
}

fn breaks_off_over_tls(bench: &Bench, reply: Reply) {
    let origin = Origin::start_tls(&Tls::new(authority())).expect("an origin on loopback");
    origin.serve("/file", reply);
    let ended = bench.fetch(bench.builder(), &origin.url("/file"), |request| request);
    ended.broke(FaultKind::Reset).retried(&["network"; 2]);
    assert_eq!(origin.records().requests.len(), 3);
}

fn coded(bench: &Bench, codings: &str) {
    let reply = Reply::body("5\r\nhello\r\n0\r\n\r\n").framed_by_hand().header("Transfer-Encoding", codings);
    bench.get(reply).refused("transfer coding").requests(1);
}

fn malformed(bench: &Bench, chunks: &str) {
    let reply = Reply::body(chunks).framed_by_hand().header("Transfer-Encoding", "chunked");
    bench.get(reply).broke(FaultKind::Protocol).requests(1).retried(&[]);
}

/// Two files one after the other, of which the first has more than it should.
fn excess(bench: &Bench, reply: Reply) {
    bench.origin.serve("/first", reply);
    bench.origin.serve("/second", Reply::body(Body::pattern(2, 10)));
    let manager = bench.open();
    for path in ["/first", "/second"] {
        let download = manager.download(bench.origin.url(path)).expect("it is admitted");
        assert_eq!(end(&download).expect("the file is there").requests, 1, "{path}");
    }
    close(&manager);
    bench.folder.assert_holds(&[("first", &body()), ("second", &Body::pattern(2, 10))]);
    let seen = bench.settled();
    assert_eq!((seen.requests.len(), seen.connections.total), (2, 2), "requests, connections");
}

fn unverified(bench: &Bench, reply: Reply) {
    assert!(bench.get(reply).complete(&body()).requests(1).file().length_unverified);
}

fn empty(bench: &Bench, reply: Reply) {
    bench.get(reply).complete(&Body::from("")).requests(1);
}

fn interim(bench: &Bench, reply: Reply) {
    bench.get(reply).complete(&body()).requests(1).connections(1);
}

fn no_http(bench: &Bench, bytes: impl Into<Body>) {
    bench.get(Reply::raw(bytes)).broke(FaultKind::Protocol).requests(1).retried(&[]);
}

fn no_head(bench: &Bench, reply: Reply) {
    bench.get(reply.clone()).broke(FaultKind::Reset).requests(3).retried(&["network"; 2]);
    let replies: Replies = [reply, Reply::body(body())].into();
    bench.get(replies).complete(&body()).requests(2).retried(&["network"]);
}

/// The second request of a connection finds it ended.
fn kept(bench: &Bench, ending: Reply) {
    bench.origin.serve("/first", Reply::body(body()));
    bench.origin.script("/second", vec![ending, Reply::body(body())]);
    let manager = open(bench.builder().retries(0));
    let mut requests = Vec::new();
    for path in ["/first", "/second"] {
        let download = manager.download(bench.origin.url(path)).expect("it is admitted");
        requests.push(end(&download).expect("the file is there").requests);
    }
    close(&manager);
    assert_eq!(requests, [1, 1], "requests that count");
    bench.folder.assert_holds(&[("first", &body()), ("second", &body())]);
    let seen = bench.settled();
    let connections: Vec<usize> = seen.requests.iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 1], "the connection of each request");
}
