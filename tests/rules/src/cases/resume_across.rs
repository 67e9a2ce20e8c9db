//! Going on where an earlier run broke off.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use dlmanager::core::{FaultKind, Resume};
use dlmanager_origin::{At, Cut, Reply, Resource};

use crate::bench::{Bench, DEADLINE, another, body, close, end, open};
use crate::case::{Case, Rule};
use crate::ended::Ended;
use crate::folder::symlink;

/// What is there when the first run gives up, of 2 MiB.
const CUT: u64 = 1_500_000;
const LENGTH: u64 = 2 << 20;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "A later run asks for what is missing under the validator",
        cases: &[
            Case {
                name: "a strong ETag",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get(whole(1));
                    went_on(&ended, CUT).if_ranges(&[Some(&resource().etag(1))]);
                },
            },
            Case {
                name: "a strong Last-Modified, without an ETag",
                check: |bench| {
                    give_up(bench, whole(1).without("ETag"));
                    let ended = bench.get(whole(1).without("ETag"));
                    went_on(&ended, CUT).if_ranges(&[Some("Sun, 06 Nov 1994 08:50:37 GMT")]);
                },
            },
            Case {
                name: "three runs",
                check: |bench| {
                    give_up(bench, whole(1));
                    let second = whole(1).cut_at(At::Body(300_000), Cut::Fin);
                    let ended = bench.get_by(bench.builder().retries(0), second);
                    assert_eq!(ended.error().kind(), "network");
                    let ended = bench.get(whole(1));
                    went_on(&ended, CUT + 300_000);
                },
            },
            Case {
                name: "progress begins with what is kept",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get(whole(1));
                    went_on(&ended, CUT);
                    assert_eq!(ended.first_progress(), Some((CUT, Some(LENGTH))));
                },
            },
            Case {
                name: "a connection that stalls, whose manager is closed: what is kept is one version's",
                check: |bench| {
                    bench.origin.serve("/file", whole(1).stall_at(At::Body(CUT)));
                    let manager = open(bench.builder());
                    let download = manager.download(bench.origin.url("/file")).expect("it is admitted");
                    let stalled = bench.origin.wait_for(DEADLINE, |seen| seen.requests.len() == 1);
                    stalled.unwrap_or_else(|late| panic!("{late}"));
                    close(&manager);
                    assert!(end(&download).expect_err("it was canceled").is_canceled());
                    bench.settled();
                    bench.get(whole(2)).complete(&resource().body(2));
                },
            },
            Case {
                name: "all bytes are there: nothing is asked",
                check: |bench| {
                    give_up(bench, whole(1));
                    let mut file = fs::File::options().append(true).open(partial(bench)).expect("it is there");
                    let rest = &resource().body(1).to_vec()[1_500_000..];
                    std::io::Write::write_all(&mut file, rest).expect("it can be written");
                    let ended = bench.get(whole(1));
                    ended.complete(&resource().body(1)).requests(0);
                },
            },
        ],
    },
    Rule {
        text: "What has changed meanwhile is fetched anew",
        cases: &[
            Case {
                name: "another version",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get(whole(2));
                    ended.complete(&resource().body(2)).requests(1).asked_from(&[Some(CUT)]);
                },
            },
            Case {
                name: "A, then B, then A again, each in a run of its own",
                check: |bench| {
                    give_up(bench, whole(1));
                    let second = whole(2).cut_at(At::Body(1_200_000), Cut::Fin);
                    let ended = bench.get_by(bench.builder().retries(0), second);
                    assert_eq!(ended.error().kind(), "network");
                    let ended = bench.get(whole(1));
                    ended.complete(&resource().body(1)).requests(1).if_ranges(&[Some(&resource().etag(2))]);
                },
            },
            Case {
                name: "A, then some of B, then a part of A",
                check: |bench| {
                    give_up(bench, whole(1));
                    // Too little of B for a record of its own.
                    let second = whole(2).cut_at(At::Body(500_000), Cut::Fin);
                    let ended = bench.get_by(bench.builder().retries(0), second);
                    assert_eq!(ended.error().kind(), "network");
                    bench.get(whole(1)).complete(&resource().body(1)).requests(1).asked_from(&[None]);
                },
            },
            Case {
                name: "a part of another version under its own ETag",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get([whole(2).ignore_if_range(), whole(2)]);
                    ended.complete(&resource().body(2)).requests(2).asked_from(&[Some(CUT), None]);
                },
            },
            Case {
                name: "a part with another start",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get([whole(1).range_moved(-4_096), whole(1)]);
                    ended.complete(&resource().body(1)).requests(2).asked_from(&[Some(CUT), None]);
                },
            },
            Case {
                name: "a part with another total",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get([whole(1).content_range("bytes {first}-{last}/3000000"), whole(1)]);
                    ended.complete(&resource().body(1)).requests(2).asked_from(&[Some(CUT), None]);
                },
            },
            Case {
                name: "416",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get([Reply::empty(416), Reply::body(body())]);
                    ended.complete(&body()).requests(2).asked_from(&[Some(CUT), None]);
                },
            },
            Case {
                name: "the server has lost it: a 404 is the end of it",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get(Reply::empty(404));
                    assert_eq!(ended.error().status(), Some(404));
                    ended.requests(1);
                },
            },
        ],
    },
    Rule {
        text: "Without a strong validator nothing is kept for a later run",
        cases: &[
            Case { name: "a weak ETag", check: |bench| anew(bench, whole(1).etag("W/\"x\"")) },
            Case {
                name: "no validator",
                check: |bench| anew(bench, whole(1).without("ETag").without("Last-Modified")),
            },
            Case {
                name: "a Last-Modified in the second of its Date",
                check: |bench| {
                    let now = SystemTime::now();
                    anew(bench, whole(1).without("ETag").last_modified(now).date(now));
                },
            },
        ],
    },
    Rule {
        text: "A record that is not what it was is none",
        cases: &[
            Case {
                name: "missing",
                check: |bench| without_record(bench, |path| fs::remove_file(path).expect("it goes")),
            },
            Case {
                name: "empty",
                check: |bench| without_record(bench, |path| fs::write(path, []).expect("it can be written")),
            },
            Case {
                name: "cut",
                check: |bench| {
                    without_record(bench, |path| {
                        let bytes = fs::read(&path).expect("it is there");
                        fs::write(path, &bytes[..bytes.len() / 2]).expect("it can be written");
                    });
                },
            },
            Case {
                name: "zeros",
                check: |bench| {
                    without_record(bench, |path| {
                        let length = fs::read(&path).expect("it is there").len();
                        fs::write(path, vec![0; length]).expect("it can be written");
                    });
                },
            },
            Case { name: "a bit of the first byte", check: |bench| with_flipped(bench, |_| 0) },
            Case { name: "a bit in the middle", check: |bench| with_flipped(bench, |length| length / 2) },
            Case { name: "a bit of the last byte", check: |bench| with_flipped(bench, |length| length - 1) },
            Case {
                name: "text by hand",
                check: |bench| {
                    without_record(bench, |path| fs::write(path, "offset = 5\n").expect("it can be written"));
                },
            },
            Case {
                name: "of another file: its URL is another",
                check: |bench| {
                    give_up(bench, whole(1));
                    bench.origin.serve("/other", whole(2));
                    let ended =
                        bench.fetch(bench.builder(), &bench.origin.url("/other"), |request| request.name("file"));
                    ended.complete(&resource().body(2)).requests(1).asked_from(&[None]);
                },
            },
            Case {
                name: "of another server",
                check: |bench| {
                    give_up(bench, whole(1));
                    let other = another();
                    other.serve("/file", whole(2).ignore_if_range());
                    let ended = bench.fetch(bench.builder(), &other.url("/file"), |request| request);
                    ended.complete(&resource().body(2));
                    assert_eq!(other.records().requests[0].header("Range"), None);
                },
            },
        ],
    },
    Rule {
        text: "Unfinished bytes that are not what they were are not built upon",
        cases: &[
            Case {
                name: "gone, with the record there",
                check: |bench| {
                    give_up(bench, whole(1));
                    fs::remove_file(partial(bench)).expect("it goes");
                    bench.get(whole(1)).complete(&resource().body(1)).requests(1).asked_from(&[None]);
                },
            },
            Case {
                name: "shorter: what is there counts",
                check: |bench| {
                    give_up(bench, whole(1));
                    cut_to(bench, 1_200_000);
                    went_on(&bench.get(whole(1)), 1_200_000);
                },
            },
            Case {
                name: "empty",
                check: |bench| {
                    give_up(bench, whole(1));
                    cut_to(bench, 0);
                    bench.get(whole(1)).complete(&resource().body(1)).requests(1).asked_from(&[None]);
                },
            },
            Case {
                name: "longer than the file should be",
                check: |bench| {
                    give_up(bench, whole(1));
                    cut_to(bench, LENGTH + 1);
                    bench.get(whole(1)).complete(&resource().body(1)).requests(1).asked_from(&[None]);
                },
            },
            Case {
                name: "a symlink to a file outside",
                check: |bench| {
                    give_up(bench, whole(1));
                    let outside = bench.folder.parent().join("outside");
                    fs::write(&outside, resource().body(2).to_vec()).expect("it can be written");
                    fs::remove_file(partial(bench)).expect("it goes");
                    symlink(&outside, &partial_path(bench));
                    fetched_beside(bench);
                    assert_eq!(fs::read_link(partial_path(bench)).expect("it is there"), outside);
                    assert_eq!(fs::read(outside).expect("it is there"), resource().body(2).to_vec());
                },
            },
            Case {
                name: "a second name of a file outside",
                check: |bench| {
                    give_up(bench, whole(1));
                    let outside = bench.folder.parent().join("outside");
                    fs::write(&outside, resource().body(2).to_vec()).expect("it can be written");
                    fs::remove_file(partial(bench)).expect("it goes");
                    fs::hard_link(&outside, partial_path(bench)).expect("a second name can be given");
                    fetched_beside(bench);
                    assert_eq!(fs::read(outside).expect("it is there"), resource().body(2).to_vec());
                },
            },
            Case {
                name: "a folder",
                check: |bench| {
                    give_up(bench, whole(1));
                    fs::remove_file(partial(bench)).expect("it goes");
                    fs::create_dir(partial_path(bench)).expect("the folder can be made");
                    fs::write(partial_path(bench).join("inside"), "mine").expect("it can be written");
                    fetched_beside(bench);
                    assert_eq!(fs::read(partial_path(bench).join("inside")).expect("it is there"), b"mine");
                },
            },
        ],
    },
    Rule {
        text: "What is kept is what the policy says",
        cases: &[
            Case {
                name: "below 1 MiB nothing is",
                check: |bench| {
                    let ended = bench.get_by(bench.builder().retries(0), whole(1).cut_at(At::Body(500_000), Cut::Fin));
                    ended.broke(FaultKind::Reset).requests(1);
                },
            },
            Case {
                name: "Resume::WithinRun: nothing is",
                check: |bench| {
                    let builder = bench.configured(|config| config.resume = Resume::WithinRun).retries(0);
                    bench.get_by(builder, broken(whole(1))).broke(FaultKind::Reset).requests(1);
                },
            },
            Case {
                name: "Resume::Never: nothing is",
                check: |bench| {
                    let builder = bench.configured(|config| config.resume = Resume::Never).retries(0);
                    bench.get_by(builder, broken(whole(1))).broke(FaultKind::Reset).requests(1);
                },
            },
            Case {
                name: "Resume::Never in the later run: what is there is not used",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get_by(bench.configured(|config| config.resume = Resume::Never), whole(1));
                    ended.complete(&resource().body(1)).requests(1).asked_from(&[None]);
                },
            },
            Case {
                name: "Resume::WithinRun in the later run: what is there is not used",
                check: |bench| {
                    give_up(bench, whole(1));
                    let ended = bench.get_by(bench.configured(|config| config.resume = Resume::WithinRun), whole(1));
                    ended.complete(&resource().body(1)).requests(1).asked_from(&[None]);
                },
            },
            Case {
                name: "canceled by the caller: nothing is",
                check: |bench| {
                    bench.origin.serve("/file", whole(1).stall_at(At::Body(CUT)));
                    let manager = open(bench.builder());
                    let download = manager.download(bench.origin.url("/file")).expect("it is admitted");
                    let seen = bench.origin.wait_for(DEADLINE, |seen| seen.requests.len() == 1);
                    seen.unwrap_or_else(|late| panic!("{late}"));
                    download.cancel().expect("it runs");
                    assert!(end(&download).expect_err("it was canceled").is_canceled());
                    close(&manager);
                    bench.folder.assert_holds(&[]);
                },
            },
        ],
    },
];

fn resource() -> Resource {
    Resource::new(12, LENGTH)
}

fn whole(version: u64) -> Reply {
    resource().reply(version)
}

fn broken(reply: Reply) -> Reply {
    reply.cut_at(At::Body(CUT), Cut::Fin)
}

/// A run that gives up after 1.5 MB, and keeps them.
fn give_up(bench: &Bench, reply: Reply) {
    let ended = bench.get_by(bench.builder().retries(0), broken(reply));
    assert_eq!(ended.error().kind(), "network");
    let found = fs::read(partial(bench)).expect("what is unfinished is there");
    assert_eq!(found, resource().body(1).to_vec()[..1_500_000], "what is kept");
    assert!(record(bench).exists());
    assert!(!bench.folder.path().join("file").exists());
}

/// A run that has nothing to go on with.
fn anew(bench: &Bench, reply: Reply) {
    bench.get_by(bench.builder().retries(0), broken(reply.clone())).broke(FaultKind::Reset).requests(1);
    bench.get(reply).complete(&resource().body(1)).requests(1).asked_from(&[None]);
}

/// Only what was missing has travelled.
#[track_caller]
fn went_on(ended: &Ended, from: u64) -> &Ended {
    ended.complete(&resource().body(1)).requests(1).rewound(0).asked_from(&[Some(from)]);
    assert_eq!(ended.sent(0), LENGTH - from, "bytes that travelled");
    ended
}

/// The record is spoiled; the server would answer any range with bytes of another version.
fn without_record(bench: &Bench, spoil: impl FnOnce(PathBuf)) {
    give_up(bench, whole(1));
    spoil(record(bench));
    let ended = bench.get(whole(2).ignore_if_range().etag(&resource().etag(1)));
    ended.complete(&resource().body(2)).requests(1).asked_from(&[None]);
}

fn with_flipped(bench: &Bench, at: impl FnOnce(usize) -> usize) {
    without_record(bench, |path| {
        let mut bytes = fs::read(&path).expect("it is there");
        let at = at(bytes.len());
        bytes[at] ^= 0x10;
        fs::write(path, bytes).expect("it can be written");
    });
}

/// The only unfinished file that ends so.
fn unfinished(bench: &Bench, ending: &str) -> PathBuf {
    let names = bench.folder.unfinished();
    let mut named = names.iter().filter(|name| name.ends_with(ending));
    let name = named.next().unwrap_or_else(|| panic!("no {ending} in {names:?}"));
    assert_eq!(named.next(), None);
    bench.folder.path().join(name)
}

fn partial(bench: &Bench) -> PathBuf {
    unfinished(bench, ".part")
}

fn record(bench: &Bench) -> PathBuf {
    unfinished(bench, ".rec")
}

/// Where the unfinished file was: beside its record, under the same name.
fn partial_path(bench: &Bench) -> PathBuf {
    record(bench).with_extension("part")
}

fn cut_to(bench: &Bench, length: u64) {
    let file = fs::File::options().write(true).open(partial(bench)).expect("it is there");
    file.set_len(length).expect("it can be cut");
}

/// Something that is not ours has the unfinished file's name: a copy of another name is fetched from its first byte on.
fn fetched_beside(bench: &Bench) {
    let left = bench.folder.names();
    let ended = bench.get(whole(1));
    ended.requests(1).asked_from(&[None]);
    assert!(!ended.file().is_present());
    assert_eq!(fs::read(bench.folder.path().join("file")).expect("it is there"), resource().body(1).to_vec());
    let mut expected = left;
    expected.push("file".to_owned());
    expected.sort();
    assert_eq!(bench.folder.names(), expected, "nothing that is there was touched");
}
