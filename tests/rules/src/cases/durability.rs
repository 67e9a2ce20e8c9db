//! What is flushed, and what happens where a disk does not do what it should.

use std::fs;

use dlmanager::core::{Fault, FaultKind, FileOp};
use dlmanager::{DownloadError, Durability, FileStep, How, Published};
use dlmanager_origin::{At, Gate, Reply};

use crate::bench::{Bench, DEADLINE, body, close, end, open};
use crate::case::{Case, Rule};
use crate::store::Watched;

pub(super) const RULES: &[Rule] = &[
    Rule {
        text: "What is flushed is what was asked for, in the order that makes it safe",
        cases: &[
            Case { name: "none", check: |bench| flushes(bench, Durability::None, &["rename"]) },
            Case {
                name: "data: before the name",
                check: |bench| flushes(bench, Durability::Data, &["sync", "rename"]),
            },
            Case {
                name: "full: before the name, and the name",
                check: |bench| flushes(bench, Durability::Full, &["sync", "rename", "sync-dir"]),
            },
        ],
    },
    Rule {
        text: "A failed flush ends the file, and is not tried again",
        cases: &[
            Case {
                name: "of the data",
                check: |bench| {
                    let store = Watched::failing(&bench.folder.path(), |op| {
                        matches!(op, FileOp::Sync { .. }).then_some(FaultKind::Io)
                    });
                    let ended = bench.get_by(bench.builder().store(store.clone()), Reply::body(body()));
                    let fault = Fault::new(FaultKind::Io);
                    ended.failed(&DownloadError::File { step: FileStep::Flush, fault }).requests(1);
                    assert_eq!((store.count("sync"), store.count("rename")), (1, 0), "flushes, renames");
                },
            },
            Case {
                name: "of the name: the file is there, and not safely",
                check: |bench| {
                    let store = Watched::failing(&bench.folder.path(), |op| {
                        matches!(op, FileOp::SyncDir { .. }).then_some(FaultKind::Io)
                    });
                    let builder = bench.builder().durability(Durability::Full).store(store.clone());
                    let ended = bench.get_by(builder, Reply::body(body()));
                    let fault = Fault::new(FaultKind::Io);
                    assert_eq!(ended.error(), &DownloadError::Publish { fault, published: Published::Yes });
                    bench.folder.assert_holds(&[("file", &body())]);
                    ended.requests(1);
                    assert_eq!(store.count("sync-dir"), 1);
                },
            },
        ],
    },
    Rule {
        text: "Where there is no room, what is unfinished makes room, and the error says so",
        cases: &[
            Case {
                name: "at a write",
                check: |bench| {
                    no_space(bench, |op| matches!(op, FileOp::Write { .. }).then_some(FaultKind::NoSpace));
                },
            },
            Case {
                name: "at the flush",
                check: |bench| {
                    no_space(bench, |op| matches!(op, FileOp::Sync { .. }).then_some(FaultKind::NoSpace));
                },
            },
            Case {
                name: "others go on",
                check: |bench| {
                    // Only what lies beyond 50,000 bytes finds no room.
                    let store = Watched::failing(&bench.folder.path(), |op| {
                        matches!(op, FileOp::Write { offset, .. } if *offset > 50_000).then_some(FaultKind::NoSpace)
                    });
                    let gate = Gate::new();
                    bench.origin.serve("/large", Reply::body(body()));
                    let small = dlmanager_origin::Body::pattern(9, 20_000);
                    bench.origin.serve("/small", Reply::body(small.clone()).gate_at(At::Body(10_000), &gate));
                    let manager = open(bench.builder().store(store));
                    let going = manager.download(bench.origin.url("/small")).expect("it is admitted");
                    assert!(gate.wait_reached(1, DEADLINE));
                    let large = manager.download(bench.origin.url("/large")).expect("it is admitted");
                    let error = end(&large).expect_err("there is no room");
                    assert_eq!(error.kind(), "file");
                    gate.open();
                    assert_eq!(end(&going).expect("the other one has room").how, How::Fetched);
                    close(&manager);
                    bench.folder.assert_holds(&[("small", &small)]);
                },
            },
        ],
    },
    Rule {
        text: "A directory that does not work is an error, and nothing is written elsewhere",
        cases: &[
            Case {
                name: "it vanishes midway",
                check: |bench| {
                    let gate = Gate::new();
                    bench.origin.serve("/file", Reply::body(body()).gate_at(At::Body(60_000), &gate));
                    let manager = open(bench.builder().retries(0));
                    let download = manager.download(bench.origin.url("/file")).expect("it is admitted");
                    assert!(gate.wait_reached(1, DEADLINE));
                    fs::remove_dir_all(bench.folder.path()).expect("it can be removed");
                    gate.open();
                    let error = end(&download).expect_err("there is no directory");
                    assert!(matches!(error.kind(), "file" | "publish"), "{error:?}");
                    close(&manager);
                    bench.folder.assert_holds(&[]);
                },
            },
            Case {
                name: "a folder has the name",
                check: |bench| {
                    bench.folder.put("file/inside", b"mine");
                    let ended = bench.get(Reply::body(body()));
                    assert_eq!(ended.error().kind(), "not-a-file");
                    ended.requests(0);
                    bench.folder.assert_holds(&[("file/inside", &"mine".into())]);
                },
            },
        ],
    },
];

/// All that has to do with safety, in its order.
fn flushes(bench: &Bench, durability: Durability, expected: &[&str]) {
    let store = Watched::new(&bench.folder.path());
    let builder = bench.builder().durability(durability).store(store.clone());
    bench.get_by(builder, Reply::body(body())).complete(&body()).requests(1);
    let safety: Vec<&str> = store.done().into_iter().filter(|done| !matches!(*done, "write" | "delete")).collect();
    assert_eq!(safety, expected);
}

fn no_space(bench: &Bench, fails: fn(&FileOp) -> Option<FaultKind>) {
    let store = Watched::failing(&bench.folder.path(), fails);
    let ended = bench.get_by(bench.builder().store(store), Reply::body(body()));
    assert!(ended.error().is_no_space(), "{:?}", ended.error());
    ended.nothing_is_left().requests(1).retried(&[]);
}
