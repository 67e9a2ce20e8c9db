//! A driver that breaks the contract: answers that nobody may give, to actions that were never issued.

use bytes::Bytes;
use dlmanager_core::{
    Action, ActionId, Algorithm, Algorithms, Answer, BootId, Chunk, Completion, Config, Deleted, Digests, Durability,
    Event, Fault, FaultKind, FileKind, FileStat, Gauged, Hasher, Head, Instant, LimitConfig, Manager, Notice, Opened,
    Output, Pattern, Probed, Record, Request, ScanBatch, ScanEntry, Stamp, StorePath, Validator,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use crate::choices::Choices;

/// No turn of any driver, however hostile, has more outputs than this.
const OUTPUTS_MAX: usize = 10_000;

/// What a hostile run came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Hostile {
    /// Answers that were forged.
    pub forged: u64,
    /// Actions that the core asked for.
    pub actions: u64,
    /// Downloads that ended.
    pub finished: u64,
}

/// Answers actions, those that stand and those that never stood, with anything at all.
///
/// # Panics
///
/// Where the core panics, or asks for more and more.
pub fn hostile_body(data: &[u8]) -> Hostile {
    let mut choices = Choices::new(data);
    let limit = choices.happens(128).then(|| LimitConfig {
        size_limit: 10,
        file_limit: 2,
        pattern: Pattern::default(),
        adopt: choices.happens(200),
        ..LimitConfig::default()
    });
    let config = Config {
        gather_bytes: 8,
        held_bytes_max: 64,
        requests_max: 10,
        record_bytes_min: 1,
        checkpoint_bytes: 16,
        limit,
        ..Config::default()
    };
    let config =
        Config { durability: choices.one_of(&[Durability::Data, Durability::None, Durability::Full]), ..config };
    let mut manager = Manager::new(config, 0);
    let mut now = Instant::ZERO;
    let mut ids: Vec<ActionId> = Vec::new();
    let mut seen = Hostile::default();
    let mut admitted = 0_u64;
    while !choices.is_used_up() {
        match choices.byte() {
            0..=39 if admitted < 40 => {
                let url = format!("http://h{}.example/f{}", choices.index(2), choices.index(4));
                if let Ok(mut request) = Request::new(&url) {
                    if choices.happens(60) {
                        let mut hasher = Hasher::new(Algorithm::ALL.into_iter().collect());
                        hasher.update(&[7; 2]);
                        let digest = hasher.digests().get(choices.one_of(&Algorithm::ALL)).copied();
                        request = digest.into_iter().fold(request, Request::checksum);
                    }
                    admitted += u64::from(manager.download(now, request).is_ok());
                }
            }
            40..=49 => now = now + std::time::Duration::from_millis(u64::from(choices.byte()) * 400),
            50..=59 => manager.handle(now, Event::Tick),
            60..=66 => {
                let id = any_id(&mut choices, &ids);
                manager.handle(now, Event::Connected(id));
            }
            67..=69 => {
                let _ = manager.cancel_if(now, |_| choices.happens(128));
            }
            // Time runs backwards.
            70..=74 => now = Instant::from_nanos(now.as_nanos() / 2),
            _ => {
                let id = any_id(&mut choices, &ids);
                let answer = any_answer(&mut choices);
                seen.forged += 1;
                manager.handle(now, Event::Completed(Completion::forge(id, answer)));
            }
        }
        if choices.happens(170) {
            take_all(&mut manager, &mut ids, &mut seen);
        }
    }
    // What is asked for is bounded by what is wanted, whatever was answered.
    assert!(manager.downloads().count() as u64 <= admitted);
    assert!(manager.outstanding() as u64 <= 64 * (admitted + 1), "{} are unanswered", manager.outstanding());
    assert!(seen.finished <= admitted);
    seen
}

fn take_all(manager: &mut Manager, ids: &mut Vec<ActionId>, seen: &mut Hostile) {
    for _ in 0..OUTPUTS_MAX {
        match manager.poll() {
            Output::Action(Action::Net(action)) => ids.push(action.id()),
            Output::Action(Action::File(action)) => ids.push(action.id()),
            Output::Action(Action::Abort(_)) => continue,
            Output::Notice(notice) => {
                seen.finished += u64::from(matches!(notice, Notice::Finished { .. }));
                continue;
            }
            Output::Wait(_) => return,
        }
        seen.actions += 1;
    }
    panic!("no end of outputs");
}

fn any_id(choices: &mut Choices<'_>, ids: &[ActionId]) -> ActionId {
    let issued = ids.len().checked_sub(1 + choices.index(12)).and_then(|at| ids.get(at));
    match issued {
        Some(id) if !choices.happens(30) => *id,
        Some(id) => ActionId::forge(id.serial() ^ u64::from(choices.byte()), u32::from(choices.byte())),
        None => ActionId::forge(u64::MAX, u32::MAX),
    }
}

fn any_result<T>(choices: &mut Choices<'_>, value: impl FnOnce(&mut Choices<'_>) -> T) -> Result<T, Fault> {
    if choices.happens(60) { Err(choices.one_of(FaultKind::ALL).into()) } else { Ok(value(choices)) }
}

fn any_number(choices: &mut Choices<'_>) -> u64 {
    choices.one_of(&[0, 1, 10, 64, u64::MAX, u64::MAX / 2, 1 << 32, 7])
}

fn any_stat(choices: &mut Choices<'_>) -> FileStat {
    FileStat {
        kind: choices.one_of(&[
            FileKind::Regular,
            FileKind::Regular,
            FileKind::Folder,
            FileKind::Symlink,
            FileKind::Other,
        ]),
        length: any_number(choices),
        accessed: any_stamp(choices),
        modified: any_stamp(choices),
    }
}

fn any_stamp(choices: &mut Choices<'_>) -> Stamp {
    Stamp::from_nanos(choices.one_of(&[0, 1, -1, i64::MAX, i64::MIN]))
}

fn any_head(choices: &mut Choices<'_>) -> Head {
    const VALUES: &[&str] = &[
        "10",
        "\"10\"",
        "W/\"10\"",
        "bytes 10-63/64",
        "bytes 1-9/10",
        "bytes 10-18446744073709551614/18446744073709551615",
        "Thu, 01 Jan 2026 00:00:00 GMT",
        "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:",
        "0",
        "-1",
        "+10",
        "10, 10",
        "10, 11",
        "18446744073709551616",
        "18446744073709551615",
        "",
        " ",
        "chunked",
        "gzip, chunked",
        "identity",
        "http://h1.example/f9",
        "//x",
        "/",
        "ftp://x",
        "http://[",
        "\u{e4}",
        "a b",
        "gzip",
    ];
    const NAMES: &[&str] = &[
        "content-length",
        "transfer-encoding",
        "location",
        "content-encoding",
        "content-range",
        "retry-after",
        "etag",
        "etag",
        "content-range",
        "last-modified",
        "date",
        "repr-digest",
    ];
    let mut headers = HeaderMap::new();
    for _ in 0..choices.index(5) {
        let name = HeaderName::from_static(choices.one_of(NAMES));
        if let Ok(value) = HeaderValue::from_bytes(choices.one_of(VALUES).as_bytes()) {
            headers.append(name, value);
        }
    }
    let status = choices.one_of(&[200, 200, 200, 206, 206, 416, 302, 301, 404, 503, 100, 999, 204, 304]);
    let version =
        choices.one_of(&[Version::HTTP_11, Version::HTTP_09, Version::HTTP_10, Version::HTTP_2, Version::HTTP_3]);
    Head { version, status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK), headers }
}

fn any_answer(choices: &mut Choices<'_>) -> Answer {
    match choices.index(26) {
        0 => Answer::Fetch(any_result(choices, |choices| Box::new(any_head(choices)))),
        1 | 2 => Answer::ReadBody(any_result(choices, |choices| {
            let data = Bytes::from(vec![7; choices.index(200)]);
            Chunk { pinned: any_number(choices).min(1 << 40) as usize, data, last: choices.happens(60) }
        })),
        3 => Answer::DropBody(any_result(choices, |_| ())),
        4 => Answer::MakeDir(any_result(choices, |_| ())),
        5 => Answer::Scan(any_result(choices, |choices| {
            let entries = (0..choices.index(6)).filter_map(|at| {
                let path = StorePath::entry(["f0", "f1", ".hidden", "f0", "x", ".dlmanager"][at])?;
                Some(ScanEntry { path, stat: any_stat(choices) })
            });
            let entries = entries.collect();
            ScanBatch { entries, unnameable: any_number(choices), done: choices.happens(200) }
        })),
        6 => Answer::Stat(any_result(choices, |choices| choices.happens(128).then(|| any_stat(choices)))),
        7 => Answer::Open(any_result(choices, |choices| Opened {
            created: choices.happens(128),
            length: any_number(choices),
        })),
        8 => Answer::Write(any_result(choices, |choices| vec![Bytes::from_static(b"back"); choices.index(3)])),
        9 => Answer::Sync(any_result(choices, |_| ())),
        10 => Answer::Finish(any_result(choices, |_| ())),
        11 => Answer::Rename(any_result(choices, |_| ())),
        12 => Answer::SyncDir(any_result(choices, |_| ())),
        13 => Answer::Delete(any_result(choices, |choices| {
            (0..choices.index(6))
                .map(|at| {
                    [Deleted::Deleted, Deleted::Gone, Deleted::Changed, Deleted::Busy, Deleted::Pinned, Deleted::Locked]
                        [at]
                        .clone()
                })
                .collect()
        })),
        14 => Answer::Touch(any_result(choices, any_stamp)),
        15 => {
            if choices.happens(128) {
                Answer::Aborted
            } else {
                Answer::Close(any_result(choices, |_| ()))
            }
        }
        16 => Answer::Probe(any_result(choices, |choices| Probed {
            boot: choices.happens(200).then_some(BootId([1; 16])),
            locks: choices.happens(200),
        })),
        17 => Answer::Read(any_result(choices, any_record)),
        18 => Answer::Truncate(any_result(choices, |_| ())),
        19 => Answer::SetTimes(any_result(choices, |_| ())),
        20 => Answer::Hash(any_result(choices, |choices| {
            let mut hasher = Hasher::new(choices.one_of(&Algorithm::ALL.map(|one| Algorithms::NONE.with(one))));
            hasher.update(&vec![7; choices.index(3)]);
            if choices.happens(30) { Digests::default() } else { hasher.digests() }
        })),
        21 => Answer::Lock(any_result(choices, any_number)),
        22 => Answer::Unlock(any_result(choices, |_| ())),
        24 => Answer::KeepDigests(any_result(choices, |_| ())),
        23 => Answer::Gauge(any_result(choices, |choices| Gauged {
            now: any_stamp(choices),
            free_bytes: choices.happens(128).then(|| any_number(choices)),
        })),
        _ => Answer::Aborted,
    }
}

/// What may stand in a record: a whole one of any numbers, or a broken one.
fn any_record(choices: &mut Choices<'_>) -> Bytes {
    let total = choices.happens(200).then(|| any_number(choices));
    let record = Record {
        url: choices.one_of(&["http://h0.example/f0", "http://h1.example/f1", "https://h0.example/f0"]).into(),
        validator: Validator::Etag("\"10\"".into()),
        total,
        boot: choices.happens(200).then_some(BootId([1; 16])),
        durable: any_number(choices).min(total.unwrap_or(u64::MAX)),
    };
    let bytes = record.encode().unwrap_or_default();
    if choices.happens(40) { bytes.slice(..bytes.len() / 2) } else { bytes }
}
