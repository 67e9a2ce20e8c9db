//! Servers that fail for everybody: a budget of retries, and a breaker.

use std::time::{Duration, Instant};

use dlmanager::core::FaultKind;
use dlmanager::{Download, DownloadError, DownloadManager, Error};
use dlmanager_origin::{At, Cut, Origin, Reply, Request};

use crate::bench::{another, body, close, end, open};
use crate::case::{Case, Rule};
use crate::ports::{Refusing, Silent};

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "An origin has ten retries, whoever needs them",
        cases: &[
            Case {
                name: "one download",
                check: |bench| {
                    let ended = bench.get_by(bench.builder().retries(100), Reply::empty(503));
                    ended.status(503).requests(11).retried(&["status"; 10]);
                },
            },
            Case {
                name: "five downloads share them",
                check: |bench| {
                    let manager = open(bench.builder().retries(100));
                    let failing = start(&manager, &bench.origin, "down", 5, &Reply::empty(503));
                    assert!(failing.iter().all(|download| kind(download) == "status"));
                    close(&manager);
                    assert_eq!(bench.settled().requests.len(), 15);
                    bench.folder.assert_holds(&[]);
                },
            },
            Case {
                name: "another origin has its own",
                check: |bench| {
                    let other = another();
                    let manager = open(bench.builder().retries(100));
                    for (origin, name) in [(&bench.origin, "a"), (&other, "b")] {
                        let failing = start(&manager, origin, name, 1, &Reply::empty(503));
                        assert_eq!(kind(&failing[0]), "status");
                    }
                    close(&manager);
                    assert_eq!((bench.settled().requests.len(), other.records().requests.len()), (11, 11));
                },
            },
            Case {
                name: "ten successes give one back",
                check: |bench| {
                    let manager = open(bench.builder().retries(100));
                    let failing = start(&manager, &bench.origin, "before", 1, &Reply::empty(503));
                    assert_eq!(kind(&failing[0]), "status");
                    let small = Reply::body("x");
                    assert!(
                        start(&manager, &bench.origin, "nine", 9, &small).iter().all(|download| end(download).is_ok())
                    );
                    assert_eq!(kind(&start(&manager, &bench.origin, "too-early", 1, &Reply::empty(503))[0]), "status");
                    assert!(
                        start(&manager, &bench.origin, "ten", 1, &small).iter().all(|download| end(download).is_ok())
                    );
                    assert_eq!(kind(&start(&manager, &bench.origin, "after", 1, &Reply::empty(503))[0]), "status");
                    close(&manager);
                    let seen = bench.settled();
                    let count = |path: &str| seen.requests_to(path).count();
                    assert_eq!((count("/before-0"), count("/too-early-0"), count("/after-0")), (11, 1, 2));
                },
            },
            Case {
                name: "who gets on pays nothing",
                check: |bench| {
                    let mut replies: Vec<Reply> =
                        (1..=30).map(|step| Reply::body(body()).cut_at(At::Body(step * 3_000), Cut::Fin)).collect();
                    replies.push(Reply::body(body()));
                    let ended = bench.get_by(bench.builder().retries(1), replies);
                    ended.complete(&body()).requests(31);
                },
            },
        ],
    },
    Rule {
        text: "After ten failures to connect one attempt goes alone, and with it all that wait",
        cases: &[
            Case {
                name: "nobody answers: 200 downloads end after eleven timeouts",
                check: |bench| {
                    let port = Silent::new();
                    let builder = bench.builder().retries(0).per_host(1).connect_timeout(Duration::from_millis(40));
                    let manager = open(builder);
                    let begin = Instant::now();
                    let waiting = all(&manager, &port.url("/file"), 200);
                    assert!(waiting.iter().all(|download| kind(download) == "timeout"));
                    // One after another they would take 8 s.
                    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
                    close(&manager);
                    bench.folder.assert_holds(&[]);
                },
            },
            Case {
                name: "refused: each is told the cause",
                check: |bench| {
                    let port = Refusing::new();
                    let manager = open(bench.builder().retries(0).per_host(1));
                    for download in all(&manager, &port.url("/file"), 40) {
                        match end(&download).expect_err("nobody is there") {
                            Error::Failed(DownloadError::Network(fault)) => {
                                assert_eq!(fault.kind(), FaultKind::Connect);
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                    close(&manager);
                    bench.folder.assert_holds(&[]);
                },
            },
            Case {
                name: "another origin is not concerned",
                check: |bench| {
                    let port = Refusing::new();
                    bench.origin.serve("/alive", Reply::body(body()));
                    let manager = open(bench.builder().retries(0).per_host(1));
                    let dead = all(&manager, &port.url("/file"), 40);
                    let alive = manager.download(bench.origin.url("/alive")).expect("it is admitted");
                    end(&alive).expect("its server is there");
                    assert!(dead.iter().all(|download| kind(download) == "network"));
                    close(&manager);
                    bench.folder.assert_holds(&[("alive", &body())]);
                },
            },
            Case {
                name: "failures of a server that is there are not meant",
                check: |bench| {
                    let manager = open(bench.builder().retries(0).per_host(1));
                    let failing = start(&manager, &bench.origin, "cut", 30, &Reply::close());
                    assert!(failing.iter().all(|download| kind(download) == "network"));
                    close(&manager);
                    let asked = bench.settled();
                    let paths: std::collections::BTreeSet<_> = asked.requests.iter().map(Request::path).collect();
                    assert_eq!(paths.len(), 30, "each of them was asked for");
                },
            },
        ],
    },
];

/// Downloads of paths that are all answered so.
fn start(manager: &DownloadManager, origin: &Origin, name: &str, count: usize, reply: &Reply) -> Vec<Download> {
    let start = |number: usize| {
        let path = format!("/{name}-{number}");
        origin.serve(&path, reply.clone());
        manager.download(origin.url(&path)).expect("it is admitted")
    };
    let started: Vec<_> = (0..count).map(start).collect();
    for download in &started {
        // What follows counts on it.
        let _ = end(download);
    }
    started
}

/// Downloads of one URL under different names, all at once.
fn all(manager: &DownloadManager, url: &str, count: usize) -> Vec<Download> {
    let start = |number: usize| manager.request(url).name(format!("file-{number}")).start().expect("it is admitted");
    (0..count).map(start).collect()
}

fn kind(download: &Download) -> &'static str {
    end(download).expect_err("it fails").kind()
}
