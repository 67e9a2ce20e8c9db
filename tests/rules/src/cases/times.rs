//! The time that a file bears.

use std::fs;
use std::time::{Duration, SystemTime};

use dlmanager_origin::{At, Cut, Reply, Resource};

use crate::bench::{Bench, body};
use crate::case::{Case, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A file bears the time at which the server says that it was made",
        cases: &[
            Case { name: "of a whole", check: |bench| bears(bench, Reply::body(body()).last_modified(then()), then()) },
            Case {
                name: "of one that was gone on with",
                check: |bench| {
                    let resource = Resource::new(8, 300_000);
                    let replies = [resource.reply(1).cut_at(At::Body(200_000), Cut::Fin), resource.reply(1)];
                    bench.get(replies).complete(&resource.body(1)).requests(2);
                    assert_eq!(modified(bench), resource.last_modified(1));
                },
            },
            Case {
                name: "of the version that it became",
                check: |bench| {
                    let resource = Resource::new(8, 300_000);
                    let replies = [resource.reply(1).cut_at(At::Body(200_000), Cut::Fin), resource.reply(2)];
                    bench.get(replies).complete(&resource.body(2)).requests(2);
                    assert_eq!(modified(bench), resource.last_modified(2));
                },
            },
            Case {
                name: "of what a redirect leads to",
                check: |bench| {
                    bench.origin.serve("/b", Reply::body(body()).last_modified(then()));
                    let other = then() + Duration::from_secs(60);
                    bench.get(Reply::redirect(302, "/b").last_modified(other)).complete(&body());
                    assert_eq!(modified(bench), then());
                },
            },
        ],
    },
    Rule {
        text: "Without such a time it bears that of its making",
        cases: &[
            Case { name: "none", check: |bench| is_new(bench, Reply::body(body())) },
            Case {
                name: "no date",
                check: |bench| is_new(bench, Reply::body(body()).header("Last-Modified", "yesterday")),
            },
            Case {
                name: "a day that is none",
                check: |bench| {
                    is_new(bench, Reply::body(body()).header("Last-Modified", "Wed, 31 Feb 2024 00:00:00 GMT"));
                },
            },
        ],
    },
];

fn then() -> SystemTime {
    Resource::new(1, 1).last_modified(7)
}

fn modified(bench: &Bench) -> SystemTime {
    let metadata = fs::metadata(bench.folder.path().join("file")).expect("it is there");
    metadata.modified().expect("this system has such times")
}

fn bears(bench: &Bench, reply: Reply, time: SystemTime) {
    bench.get(reply).complete(&body()).requests(1);
    assert_eq!(modified(bench), time);
}

fn is_new(bench: &Bench, reply: Reply) {
    // File systems count in steps.
    let before = SystemTime::now() - Duration::from_secs(2);
    bench.get(reply).complete(&body()).requests(1);
    assert!(modified(bench) >= before);
}
