//! The scenarios: each rule of resuming and publishing, at least once.

use std::time::Duration;

use dlmanager_core::{
    Algorithm, Algorithms, Config, Digest, Durability, Fault, FaultKind, FileOp, Hasher, IfPresent, Request, Resume,
};
use dlmanager_fs_memory::{Failure, MemoryDirectory};
use dlmanager_scripted::{Reply, Resource, SeenRequest, content};
use http::header::{CONTENT_RANGE, RANGE};

use super::scenario::{Ends, Nth, Scenario, Validated};

/// Writes of 16 bytes, a record from 16 bytes on, and a checkpoint each 48.
pub(super) fn config(durability: Durability) -> Config {
    Config {
        gather_bytes: 16,
        gather_time: Duration::from_millis(5),
        read_bytes_max: 16,
        record_bytes_min: 16,
        checkpoint_bytes: 48,
        checkpoint_time: Duration::ZERO,
        backoff_min: Duration::ZERO,
        stall_bytes_min: 1,
        durability,
        ..Config::default()
    }
}

const NOTHING_RECORDED: u64 = 1 << 20;

/// The scenario of that name.
///
/// # Panics
///
/// Where there is none.
pub fn scenario(name: &str) -> Scenario {
    scenarios().into_iter().find(|scenario| scenario.name == name).expect("a scenario of that name")
}

/// Each run of a server has its first reply cut in the middle.
fn cut_first(file: &Resource, request: &SeenRequest, nth: Nth) -> Reply {
    let reply = file.reply_to(request);
    if nth.earlier == 0 { reply.cut_at(90) } else { reply }
}

/// A server that says once what it was not asked for.
fn once(file: &Resource, request: &SeenRequest, nth: Nth, instead: impl FnOnce(&Resource, usize) -> Reply) -> Reply {
    let first = request
        .headers
        .get(RANGE)
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match first {
        // The first request of a run may ask for a part, or be cut so that the second one does.
        Some(first) if nth.earlier <= 1 => instead(file, first),
        _ => cut_first(file, request, nth),
    }
}

fn fails_once(
    directory: &MemoryDirectory,
    nth: usize,
    failure: impl Into<Failure>,
    mut is_it: impl FnMut(&FileOp) -> bool + Send + 'static,
) {
    let failure = failure.into();
    let mut seen = 0;
    directory.fail_when(move |operation| {
        seen += usize::from(is_it(operation.op));
        (seen == nth && is_it(operation.op)).then(|| failure.clone())
    });
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind)
}

fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithms::NONE.with(Algorithm::Sha256));
    hasher.update(bytes);
    hasher.digests().get(Algorithm::Sha256).copied().expect("it was asked for")
}

fn right_digest(request: Request) -> Request {
    request.checksum(digest(&content(1, 200)))
}

fn wrong_digest(request: Request) -> Request {
    request.checksum(digest(b"another file"))
}

const SAME: &[&[u64]] = &[&[1]];
const CHANGED: &[&[u64]] = &[&[1], &[2]];
const BACK_AGAIN: &[&[u64]] = &[&[1], &[2], &[1]];
/// Another version while the second run is under way, then the old one again.
const SPLICE: &[&[u64]] = &[&[1], &[2, 1]];
const SPLICE_IN_ONE_RUN: &[&[u64]] = &[&[1, 2, 1]];
const LONGER: &[&[u64]] = &[&[1], &[3]];
const ALL: &[&[&[u64]]] = &[SAME, CHANGED, BACK_AGAIN, SPLICE, LONGER];

/// All of them.
pub fn scenarios() -> Vec<Scenario> {
    let full = config(Durability::Full);
    let plain = Scenario::default;
    vec![
        Scenario { name: "a small file", length: 12, ..plain() },
        Scenario { name: "a small file, flushed with its name", length: 12, config: full.clone(), ..plain() },
        Scenario { name: "a small file, never flushed", length: 12, config: config(Durability::None), ..plain() },
        Scenario { name: "a large file", histories: ALL, ..plain() },
        Scenario { name: "a large file, flushed with its name", config: full, histories: ALL, ..plain() },
        Scenario { name: "a large file, never flushed", config: config(Durability::None), histories: ALL, ..plain() },
        Scenario {
            name: "a large file, noted down only when it is flushed",
            config: Config { record_bytes_min: 100, ..config(Durability::Data) },
            histories: ALL,
            ..plain()
        },
        Scenario { name: "cut once, and gone on with", server: cut_first, histories: ALL, ..plain() },
        Scenario {
            name: "cut once, and another version when asked for the rest",
            server: cut_first,
            histories: &[&[&[1, 2]], SPLICE_IN_ONE_RUN, &[&[1, 2], &[1]], &[&[1, 2], &[2, 1]], &[&[1, 3]]],
            ..plain()
        },
        Scenario {
            name: "cut again and again",
            server: |file, request, nth| {
                let reply = file.reply_to(request);
                if nth.earlier < 5 { reply.cut_at(35) } else { reply }
            },
            histories: &[SAME, CHANGED, &[&[1, 1, 2, 2, 1, 1]], &[&[1, 2, 1, 2, 1]]],
            ..plain()
        },
        Scenario {
            name: "200 to If-Range with the same ETag",
            server: |file, request, nth| {
                if request.headers.contains_key(http::header::IF_RANGE) {
                    return file.whole();
                }
                cut_first(file, request, nth)
            },
            histories: &[SAME, CHANGED, BACK_AGAIN, &[&[1], &[1, 2, 1]]],
            ..plain()
        },
        Scenario {
            name: "a 206 that begins too early",
            server: |file, request, nth| once(file, request, nth, |file, first| file.part(first - 1)),
            is_honest: false,
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario {
            name: "a 206 that begins too late",
            server: |file, request, nth| once(file, request, nth, |file, first| file.part(first + 1)),
            is_honest: false,
            ..plain()
        },
        Scenario {
            name: "a 206 of another version",
            // A cache that mixes up what it has: the part of the current version, whatever If-Range says.
            server: |file, request, nth| once(file, request, nth, Resource::part),
            is_honest: false,
            histories: &[&[&[1], &[2]], &[&[1, 2]], SPLICE, &[&[1], &[3]], &[&[1, 3]]],
            ..plain()
        },
        Scenario {
            name: "a 206 of another length",
            server: |file, request, nth| {
                once(file, request, nth, |file, first| {
                    file.part(first).header(CONTENT_RANGE, &format!("bytes {first}-199/201"))
                })
            },
            is_honest: false,
            ..plain()
        },
        Scenario {
            name: "416",
            server: |file, request, nth| once(file, request, nth, |file, _| file.part(1_000)),
            is_honest: false,
            histories: &[SAME, CHANGED, &[&[1], &[3]]],
            ..plain()
        },
        Scenario {
            name: "a server without ranges",
            server: |file, _, nth| if nth.earlier == 0 { file.whole().cut_at(90) } else { file.whole() },
            is_honest: false,
            histories: &[SAME, CHANGED, BACK_AGAIN, SPLICE],
            validated: Validated::Date,
            ..plain()
        },
        Scenario {
            name: "another URL with the same name and the same ETag",
            validated: Validated::ByUrl,
            histories: &[CHANGED, BACK_AGAIN],
            ..plain()
        },
        Scenario { name: "a date", validated: Validated::Date, server: cut_first, histories: ALL, ..plain() },
        Scenario {
            name: "a weak ETag",
            validated: Validated::WeakEtag,
            server: cut_first,
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario {
            name: "a young date",
            validated: Validated::YoungDate,
            server: cut_first,
            histories: &[SAME, LONGER],
            ..plain()
        },
        Scenario {
            name: "no validator",
            validated: Validated::Not,
            server: cut_first,
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario { name: "the right digest", request: right_digest, server: cut_first, ..plain() },
        Scenario {
            name: "a wrong digest",
            request: wrong_digest,
            ends: Ends::WrongDigest,
            server: cut_first,
            is_honest: false,
            ..plain()
        },
        Scenario {
            name: "a file is replaced",
            before: Some(b"what was there before"),
            request: |request| request.if_present(IfPresent::Replace),
            histories: ALL,
            ..plain()
        },
        Scenario {
            name: "a file with a wrong digest is replaced",
            before: Some(b"what was there before"),
            request: |request| right_digest(request).if_present(IfPresent::Replace),
            ..plain()
        },
        Scenario {
            name: "all bytes came before the connection broke",
            server: |file, request, nth| {
                let reply = file.reply_to(request);
                if nth.run == 0 && nth.earlier == 0 { reply.stall_at(200) } else { reply }
            },
            ..plain()
        },
        Scenario {
            name: "the rename fails",
            faults: |directory| {
                fails_once(directory, 1, fault(FaultKind::Io), |op| matches!(op, FileOp::Rename { .. }));
            },
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario {
            name: "the rename's answer is lost",
            faults: |directory| {
                fails_once(directory, 1, Failure::after(fault(FaultKind::Aborted)), |op| {
                    matches!(op, FileOp::Rename { .. })
                });
            },
            ..plain()
        },
        Scenario {
            name: "no space midway",
            faults: |directory| directory.set_capacity(Some(250)),
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario {
            name: "a write that fails midway",
            faults: |directory| {
                let failure = Failure::after_bytes(fault(FaultKind::Io), 5);
                fails_once(directory, 6, failure, |op| matches!(op, FileOp::Write { .. }));
            },
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario {
            name: "the first flush fails",
            faults: |directory| fails_once(directory, 1, fault(FaultKind::Io), |op| matches!(op, FileOp::Sync { .. })),
            histories: &[SAME, CHANGED],
            flush_fails: true,
            ..plain()
        },
        Scenario {
            name: "the second flush fails",
            faults: |directory| fails_once(directory, 2, fault(FaultKind::Io), |op| matches!(op, FileOp::Sync { .. })),
            histories: &[SAME, CHANGED],
            flush_fails: true,
            ..plain()
        },
        Scenario {
            name: "the last flush fails",
            config: Config { checkpoint_bytes: NOTHING_RECORDED, ..config(Durability::Data) },
            faults: |directory| fails_once(directory, 1, fault(FaultKind::Io), |op| matches!(op, FileOp::Sync { .. })),
            histories: &[SAME, CHANGED],
            flush_fails: true,
            ..plain()
        },
        Scenario {
            name: "the record cannot be written",
            faults: |directory| {
                let is_record =
                    |op: &FileOp| matches!(op, FileOp::Open { path, .. } if path.as_str().ends_with(".rec"));
                fails_once(directory, 2, fault(FaultKind::Io), is_record);
            },
            histories: &[SAME, CHANGED, BACK_AGAIN],
            ..plain()
        },
        Scenario {
            name: "the record cannot be deleted",
            faults: |directory| {
                let is_record = |op: &FileOp| matches!(op, FileOp::Delete { items, .. } if items[0].path.as_str().ends_with(".rec"));
                fails_once(directory, 1, fault(FaultKind::Io), is_record);
            },
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario {
            name: "a machine that does not tell its starts apart",
            knows_boot: false,
            histories: ALL,
            ..plain()
        },
        Scenario { name: "no locks", locks_work: false, server: cut_first, histories: &[SAME, CHANGED], ..plain() },
        Scenario {
            name: "gone on with within a run only",
            config: Config { resume: Resume::WithinRun, ..config(Durability::Data) },
            server: cut_first,
            histories: ALL,
            ..plain()
        },
        Scenario {
            name: "never gone on with",
            config: Config { resume: Resume::Never, ..config(Durability::Data) },
            server: cut_first,
            histories: &[SAME, CHANGED],
            ..plain()
        },
        Scenario {
            name: "given up after a cut",
            config: Config { retries_max: 0, ..config(Durability::Data) },
            server: |file, request, nth| {
                let reply = file.reply_to(request);
                if nth.run == 0 { reply.cut_at(90) } else { reply }
            },
            histories: ALL,
            ..plain()
        },
        Scenario {
            name: "canceled, and asked for again",
            cancel_after: Some(Duration::from_millis(45)),
            is_shared: true,
            histories: ALL,
            ..plain()
        },
        Scenario {
            name: "taken away, and asked for again",
            is_taken_away: true,
            is_shared: true,
            histories: ALL,
            ..plain()
        },
    ]
}
