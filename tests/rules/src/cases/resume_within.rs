//! Going on where it broke off, within one run (RFC 9110 sections 13.1.5 and 14).

use std::time::{Duration, SystemTime};

use dlmanager::core::{FaultKind, Resume};
use dlmanager_origin::{At, Cut, Reply, Resource};

use crate::bench::{Bench, Replies, another, body};
use crate::case::{Case, Rule};
use crate::ended::Ended;

/// What is there before the first attempt breaks off, of 300,000 bytes.
const CUT: u64 = 200_000;
const LENGTH: u64 = 300_000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "What is missing is asked for under the validator, and appended where it fits",
        cases: &[
            Case {
                name: "a strong ETag",
                check: |bench| {
                    let ended = appended(bench, [broken(whole(1)), whole(1)]);
                    ended.requests(2).if_ranges(&[None, Some(&resource().etag(1))]);
                },
            },
            Case {
                name: "a strong Last-Modified, without an ETag",
                check: |bench| {
                    let reply = whole(1).without("ETag");
                    let ended = appended(bench, [broken(reply.clone()), reply]);
                    ended.requests(2).if_ranges(&[None, Some("Sun, 06 Nov 1994 08:50:37 GMT")]);
                },
            },
            Case { name: "it breaks off again and again", check: |bench| step_by_step(bench, 60_000) },
            Case {
                name: "it breaks off again and again, each time before there is enough to be written",
                check: |bench| step_by_step(bench, 20_000),
            },
            Case {
                name: "a reset",
                check: |bench| {
                    let reset = whole(1).cut_at(At::Body(CUT), Cut::Reset);
                    let ended = bench.get([reset, whole(1)]);
                    ended.complete(&resource().body(1)).requests(2).rewound(0);
                    // A reset may overtake bytes, so where it goes on is not known; that nothing else travels is.
                    let from = LENGTH - ended.sent(1);
                    assert!(from <= CUT, "{from}");
                    ended.asked_from(&[None, (from > 0).then_some(from)]);
                },
            },
            Case {
                name: "a stall",
                check: |bench| {
                    let stalled = whole(1).stall_at(At::Body(CUT));
                    let builder = bench.builder().stall_timeout(Duration::from_millis(500));
                    let ended = bench.get_by(builder, [stalled, whole(1)]);
                    ended.complete(&resource().body(1)).requests(2).rewound(0).asked_from(&[None, Some(CUT)]);
                },
            },
            Case {
                name: "the last byte",
                check: |bench| {
                    let ended = bench.get([whole(1).cut_at(At::Body(LENGTH - 1), Cut::Fin), whole(1)]);
                    ended.complete(&resource().body(1)).requests(2).rewound(0).asked_from(&[None, Some(LENGTH - 1)]);
                    assert_eq!(ended.sent(1), 1);
                },
            },
            Case {
                name: "failures between do not lose what is there",
                check: |bench| {
                    let replies =
                        [broken(whole(1)), Reply::empty(503), Reply::body("").cut_at(At::Head(9), Cut::Fin), whole(1)];
                    let ended = bench.get_by(bench.builder().retries(5), replies);
                    ended.complete(&resource().body(1)).rewound(0);
                    ended
                        .asked_from(&[None, Some(CUT), Some(CUT), Some(CUT)])
                        .retried(&["network", "status", "network"]);
                },
            },
            Case {
                name: "a shorter part than asked for: then the rest of it",
                check: |bench| {
                    let ended = bench.get([broken(whole(1)), whole(1).range_bytes_max(40_000), whole(1)]);
                    ended.complete(&resource().body(1)).requests(3).rewound(0);
                    ended.asked_from(&[None, Some(CUT), Some(CUT + 40_000)]);
                },
            },
            Case {
                name: "a part that comes in chunks",
                check: |bench| {
                    appended(bench, [broken(whole(1)), whole(1).chunked(&[7_000])]).requests(2);
                },
            },
            Case {
                name: "nothing was there: all is asked for",
                check: |bench| {
                    let ended = bench.get([whole(1).cut_at(At::Body(0), Cut::Fin), whole(1)]);
                    ended.complete(&resource().body(1)).requests(2).asked_from(&[None, None]);
                },
            },
            Case {
                name: "behind a redirect",
                check: |bench| {
                    bench.origin.script("/b", vec![broken(whole(1)), whole(1)]);
                    let ended = bench.get(Reply::redirect(302, "/b"));
                    ended.complete(&resource().body(1)).requests(4).rewound(0);
                    assert_eq!(ended.range(3), Some("bytes=200000-"));
                },
            },
        ],
    },
    Rule {
        text: "A server that sends the whole has its whole taken, from the first byte on",
        cases: &[
            Case {
                name: "another version",
                check: |bench| {
                    let ended = bench.get([broken(whole(1)), whole(2)]);
                    ended.complete(&resource().body(2)).requests(2).rewound(1).asked_from(&[None, Some(CUT)]);
                },
            },
            Case {
                name: "without a validator",
                check: |bench| {
                    let ended = bench.get([broken(whole(1)), Reply::body(resource().body(2))]);
                    ended.complete(&resource().body(2)).requests(2).rewound(1).asked_from(&[None, Some(CUT)]);
                },
            },
            Case {
                name: "shorter than what was there",
                check: |bench| {
                    bench.get([broken(whole(1)), Reply::body(body())]).complete(&body()).requests(2).rewound(1);
                },
            },
            Case {
                name: "longer than what was announced",
                check: |bench| {
                    let longer = Resource::new(4, 400_000);
                    let ended = bench.get([broken(whole(1)), longer.reply(1)]);
                    ended.complete(&longer.body(1)).requests(2).rewound(1);
                },
            },
            Case {
                name: "no ranges at all: asked once more without If-Range, then taken",
                check: |bench| {
                    let deaf = Reply::body(resource().body(1)).etag(&resource().etag(1));
                    let ended = bench.get([broken(deaf.clone()), deaf]);
                    let etag = resource().etag(1);
                    ended.complete(&resource().body(1)).requests(3).rewound(1);
                    ended.asked_from(&[None, Some(CUT), Some(CUT)]).if_ranges(&[None, Some(&etag), None]);
                },
            },
        ],
    },
    Rule {
        text: "The whole in reply to If-Range under the same ETag is asked for once more without it",
        cases: &[
            Case {
                name: "then the part comes",
                check: |bench| {
                    let ended = appended(bench, [broken(whole(1)), deaf_to_if_range(1)]);
                    ended.requests(3).asked_from(&[None, Some(CUT), Some(CUT)]);
                    ended.if_ranges(&[None, Some(&resource().etag(1)), None]);
                },
            },
            Case {
                name: "then a part of another version comes: started over",
                check: |bench| {
                    let replies = [broken(whole(1)), deaf_to_if_range(1), whole(2), whole(2)];
                    let ended = bench.get(replies);
                    ended.complete(&resource().body(2)).requests(4).rewound(1);
                    ended.asked_from(&[None, Some(CUT), Some(CUT), None]);
                },
            },
            Case {
                name: "then a part without a validator comes: started over",
                check: |bench| {
                    let bare = whole(2).without("ETag").without("Last-Modified");
                    let ended = bench.get([broken(whole(1)), deaf_to_if_range(1), bare, whole(2)]);
                    ended.complete(&resource().body(2)).requests(4).rewound(1);
                    ended.asked_from(&[None, Some(CUT), Some(CUT), None]);
                },
            },
        ],
    },
    Rule {
        text: "A part that does not fit is dropped, and all is asked for anew",
        cases: &[
            Case { name: "a later start", check: |bench| starts_over(bench, whole(1).range_moved(1_000)) },
            Case {
                name: "an earlier start, which overlaps",
                check: |bench| starts_over(bench, whole(1).range_moved(-1_000)),
            },
            Case { name: "from the first byte on", check: |bench| starts_over(bench, whole(1).range_moved(-200_000)) },
            Case {
                name: "another total",
                check: |bench| starts_over(bench, whole(1).content_range("bytes {first}-{last}/400000")),
            },
            Case {
                name: "a total below its end",
                check: |bench| starts_over(bench, whole(1).content_range("bytes {first}-{last}/250000")),
            },
            Case {
                name: "an unknown total",
                check: |bench| starts_over(bench, whole(1).content_range("bytes {first}-{last}/*")),
            },
            Case { name: "no Content-Range", check: |bench| starts_over(bench, whole(1).no_content_range()) },
            Case { name: "in an envelope", check: |bench| starts_over(bench, whole(1).multipart()) },
            Case {
                name: "another unit",
                check: |bench| starts_over(bench, whole(1).content_range("lines {first}-{last}/{total}")),
            },
            Case {
                name: "nonsense for a Content-Range",
                check: |bench| starts_over(bench, whole(1).content_range("bytes 0x30d40-299999/300000")),
            },
            Case {
                name: "an end before its start",
                check: |bench| starts_over(bench, whole(1).content_range("bytes {first}-100/{total}")),
            },
            Case {
                name: "two Content-Ranges",
                check: |bench| {
                    let second = "bytes 0-99999/300000";
                    starts_over(bench, whole(1).to_range(whole(1).header("Content-Range", second)));
                },
            },
            Case {
                name: "a length that its range contradicts",
                check: |bench| {
                    let short = whole(1).range_bytes_max(50_000).content_range("bytes {first}-299999/{total}");
                    starts_over(bench, short);
                },
            },
            Case {
                name: "another version under its own ETag",
                check: |bench| {
                    let ended = bench.get([broken(whole(1)), whole(2).ignore_if_range(), whole(2)]);
                    over(&ended, 2);
                },
            },
            Case {
                name: "no validator",
                check: |bench| {
                    let bare = whole(2).ignore_if_range().without("ETag").without("Last-Modified");
                    over(&bench.get([broken(whole(1)), bare, whole(2)]), 2);
                },
            },
            Case {
                name: "the ETag has become weak",
                check: |bench| {
                    let weak = whole(2).ignore_if_range().etag(&format!("W/{}", resource().etag(1)));
                    over(&bench.get([broken(whole(1)), weak, whole(2)]), 2);
                },
            },
            Case {
                name: "Last-Modified alone, and another one",
                check: |bench| {
                    let [before, after] = [whole(1).without("ETag"), whole(2).without("ETag")];
                    over(&bench.get([broken(before), after.clone().ignore_if_range(), after]), 2);
                },
            },
            Case {
                name: "416",
                check: |bench| starts_over(bench, Reply::empty(416).header("Content-Range", "bytes */300000")),
            },
            Case {
                name: "416 of a file that has shrunk",
                check: |bench| {
                    let ended = bench.get([
                        broken(whole(1)),
                        Reply::empty(416).header("Content-Range", "bytes */100000"),
                        Reply::body(body()),
                    ]);
                    ended.complete(&body()).requests(3).rewound(1).asked_from(&[None, Some(CUT), None]);
                },
            },
        ],
    },
    Rule {
        text: "Without a strong validator it goes on only with an equal Last-Modified and total",
        cases: &[
            Case {
                name: "a weak ETag, Last-Modified and total equal",
                check: |bench| {
                    let weak = whole(1).etag("W/\"x\"");
                    let ended = appended(bench, [broken(weak.clone()), weak.ignore_if_range()]);
                    ended.requests(2);
                    assert_ne!(ended.header(1, "If-Range"), Some("W/\"x\""), "a weak ETag is none for If-Range");
                },
            },
            Case {
                name: "a weak ETag, another Last-Modified",
                check: |bench| {
                    let [before, after] = [1, 2].map(|version| whole(version).etag("W/\"x\"").ignore_if_range());
                    over(&bench.get([broken(before), after.clone(), after]), 2);
                },
            },
            Case {
                name: "a weak ETag and no Last-Modified",
                check: |bench| {
                    let [before, after] =
                        [1, 2].map(|version| whole(version).etag("W/\"x\"").without("Last-Modified").ignore_if_range());
                    let ended = bench.get([broken(before), after]);
                    ended.complete(&resource().body(2)).requests(2).rewound(1).asked_from(&[None, None]);
                },
            },
            Case {
                name: "nothing at all",
                check: |bench| {
                    let bare = |version| whole(version).without("ETag").without("Last-Modified").ignore_if_range();
                    let ended = bench.get([broken(bare(1)), bare(2)]);
                    ended.complete(&resource().body(2)).requests(2).rewound(1).asked_from(&[None, None]);
                },
            },
            Case {
                name: "a Last-Modified in the second of its Date is not sent as If-Range",
                check: |bench| {
                    let now = SystemTime::now();
                    let fresh = whole(1).without("ETag").last_modified(now).date(now);
                    let ended = appended(bench, [broken(fresh.clone()), fresh]);
                    ended.requests(2).if_ranges(&[None, None]);
                },
            },
            Case {
                name: "a Last-Modified without a Date is not sent as If-Range",
                check: |bench| {
                    let undated = whole(1).without("ETag").without("Date");
                    let ended = appended(bench, [broken(undated.clone()), undated]);
                    ended.requests(2).if_ranges(&[None, None]);
                },
            },
        ],
    },
    Rule {
        text: "No file is made of two versions, whatever comes and goes",
        cases: &[
            Case {
                name: "A, then B, then A again",
                check: |bench| {
                    let ended = bench.get([broken(whole(1)), whole(2).cut_at(At::Body(100_000), Cut::Fin), whole(1)]);
                    ended.complete(&resource().body(1)).requests(3).rewound(2);
                    let (one, two) = (resource().etag(1), resource().etag(2));
                    ended.if_ranges(&[None, Some(&one), Some(&two)]).asked_from(&[None, Some(CUT), Some(100_000)]);
                },
            },
            Case {
                name: "A, then B, then a part of A although B was asked for",
                check: |bench| {
                    let ended = bench.get([
                        broken(whole(1)),
                        whole(2).cut_at(At::Body(100_000), Cut::Fin),
                        whole(1).ignore_if_range(),
                        whole(1),
                    ]);
                    ended.complete(&resource().body(1)).requests(4).rewound(2);
                },
            },
            Case {
                name: "every reply has another ETag, as links with a token have",
                check: |bench| {
                    let tagged = |tag: &str| whole(1).etag(tag);
                    let replies = [broken(tagged("\"a\"")), broken(tagged("\"b\"")), tagged("\"c\"")];
                    let ended = bench.get(replies);
                    ended.complete(&resource().body(1)).requests(3).if_ranges(&[None, Some("\"a\""), Some("\"b\"")]);
                },
            },
            Case {
                name: "a redirect leads to another server with another version",
                check: |bench| {
                    let (first, second) = (another(), another());
                    first.serve("/x", broken(whole(1)));
                    second.serve("/x", whole(2));
                    let ended =
                        bench.get([Reply::redirect(302, &first.url("/x")), Reply::redirect(302, &second.url("/x"))]);
                    ended.complete(&resource().body(2)).requests(2).rewound(1);
                },
            },
            Case {
                name: "an error page under a 206",
                check: |bench| {
                    let page = Reply::body("<html>sorry</html>").status(206);
                    starts_over(bench, page.header("Content-Range", "bytes 0-17/18"));
                },
            },
            Case {
                name: "a part that goes on beyond its end",
                check: |bench| {
                    // The length ends it; what follows is nobody's.
                    let ended = appended(bench, [broken(whole(1)), whole(1).extra("surplus")]);
                    ended.requests(2);
                },
            },
            Case {
                name: "a part that stops short, for good",
                check: |bench| {
                    let replies = vec![broken(whole(1)), whole(1).cut_at(At::Body(0), Cut::Fin)];
                    bench.get(replies).broke(FaultKind::Reset).requests(3).retried(&["network"; 2]);
                },
            },
        ],
    },
    Rule {
        text: "Who does not want to go on begins anew each time",
        cases: &[
            Case {
                name: "Resume::Never",
                check: |bench| {
                    let ended = bench
                        .get_by(bench.configured(|config| config.resume = Resume::Never), [broken(whole(1)), whole(1)]);
                    ended.complete(&resource().body(1)).requests(2).rewound(1).asked_from(&[None, None]);
                },
            },
            Case {
                name: "Resume::WithinRun goes on",
                check: |bench| {
                    let ended = bench.get_by(
                        bench.configured(|config| config.resume = Resume::WithinRun),
                        [broken(whole(1)), whole(1)],
                    );
                    ended.complete(&resource().body(1)).requests(2).rewound(0).asked_from(&[None, Some(CUT)]);
                },
            },
            Case {
                name: "Resume::WithinRun keeps nothing when it gives up",
                check: |bench| {
                    let builder = bench.configured(|config| config.resume = Resume::WithinRun).retries(0);
                    bench.get_by(builder, broken(whole(1))).broke(FaultKind::Reset).requests(1);
                },
            },
        ],
    },
];

fn resource() -> Resource {
    Resource::new(8, LENGTH)
}

fn whole(version: u64) -> Reply {
    resource().reply(version)
}

/// It breaks off, the connection in order.
fn broken(reply: Reply) -> Reply {
    reply.cut_at(At::Body(CUT), Cut::Fin)
}

/// The whole to `If-Range`, although it is the same version; the part to a range alone.
fn deaf_to_if_range(version: u64) -> Reply {
    whole(version).to_if_range(Reply::body(resource().body(version)).etag(&resource().etag(version)))
}

/// Each attempt brings so many bytes, and no byte twice.
fn step_by_step(bench: &Bench, step: u64) {
    let last = LENGTH / step;
    let cuts = (0..last).map(|_| whole(1).cut_at(At::Body(step), Cut::Fin));
    let ended = bench.get(cuts.chain([whole(1)]).collect::<Vec<_>>());
    ended.complete(&resource().body(1)).rewound(0);
    let starts: Vec<_> = (0..ended.requests.len() as u64).map(|nth| (nth > 0).then_some(nth * step)).collect();
    ended.asked_from(&starts);
    let sent: u64 = (0..ended.requests.len()).map(|request| ended.sent(request)).sum();
    assert_eq!(sent, LENGTH, "bytes that travelled");
}

/// What was there was kept, and only the rest has travelled.
fn appended(bench: &Bench, replies: impl Into<Replies>) -> Ended {
    let ended = bench.get(replies);
    ended.complete(&resource().body(1)).rewound(0);
    let last = ended.requests.len() - 1;
    assert_eq!(ended.range(last), Some("bytes=200000-"));
    assert_eq!(ended.sent(last), LENGTH - CUT, "bytes that travelled again");
    ended
}

/// The second reply is of no use, and the third is taken from its first byte on.
fn starts_over(bench: &Bench, useless: Reply) {
    over(&bench.get([broken(whole(1)), useless, whole(1)]), 1);
}

#[track_caller]
fn over(ended: &Ended, version: u64) {
    ended.complete(&resource().body(version)).requests(3).rewound(1);
    ended.asked_from(&[None, Some(CUT), None]).retried(&["network"]);
}
