//! What an earlier run left is damaged, forged, or replaced by something else: the download starts over or says what is
//! wrong; the file is never a wrong one, and nobody's files are touched.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use dlmanager::core::{Record, Validator};
use dlmanager_origin::{At, Gate, Resource};
use rustix::process::Signal;

use crate::child::Running;
use crate::killed::asked_from;
use crate::support::{Bench, Ran};

const MIB: u64 = 1 << 20;
const LENGTH: u64 = 4 * MIB;
/// What the earlier run has fetched.
const MIDDLE: u64 = 3 * MIB;

/// What a run was interrupted over.
struct Left {
    bench: Bench,
    resource: Resource,
    partial: PathBuf,
    record: PathBuf,
}

impl Left {
    fn new() -> Self {
        let bench = Bench::new();
        let (resource, gate) = (Resource::new(1, LENGTH), Gate::new());
        bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(MIDDLE), &gate), resource.reply(1)]);
        let mut running = Running::start(&bench, "get --json -d out {}/a");
        running.wait_received(MIDDLE);
        running.signal(Signal::INT);
        running.end().exits(130);
        let find = |end: &str| {
            let names = bench.names("out/.dlmanager");
            bench.path("out/.dlmanager").join(names.iter().find(|name| name.ends_with(end)).unwrap())
        };
        let (partial, record) = (find(".part"), find(".rec"));
        assert_eq!(partial.metadata().unwrap().len(), MIDDLE);
        Self { partial, record, bench, resource }
    }

    /// The same command again. The file is right, and the rest was asked for from there on.
    #[track_caller]
    fn goes_on(&self, what: &str, from: Option<u64>) -> Ran {
        let ran = self.bench.run("get -d out {}/a");
        assert_eq!(ran.code, Some(0), "{what}: {ran:#?}");
        self.bench.assert_bytes("out/a", &self.resource.body(1));
        let seen = self.bench.origin.records();
        assert_eq!(seen.requests.get(1).and_then(asked_from), from, "{what}");
        ran
    }

    fn rewrite(&self, change: impl FnOnce(&mut Record)) {
        let mut record = Record::decode(&fs::read(&self.record).unwrap()).unwrap();
        change(&mut record);
        fs::write(&self.record, record.encode().unwrap()).unwrap();
    }
}

fn set_length(path: &Path, length: u64) {
    File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

type Damage = (&'static str, fn(&Left), Option<u64>);

/// What is done to what was left, and from where on the download then goes on.
const DAMAGES: &[Damage] = &[
    ("nothing", |_| {}, Some(MIDDLE)),
    ("the record is cut", |left| set_length(&left.record, 40), None),
    ("the record is empty", |left| set_length(&left.record, 0), None),
    (
        "the record is zeroed",
        |left| fs::write(&left.record, vec![0; fs::read(&left.record).unwrap().len()]).unwrap(),
        None,
    ),
    (
        "the record goes on behind its end",
        |left| OpenOptions::new().append(true).open(&left.record).unwrap().write_all(b"more").unwrap(),
        None,
    ),
    (
        "the record is of another format",
        |left| {
            let mut bytes = fs::read(&left.record).unwrap();
            bytes[8] += 1;
            fs::write(&left.record, bytes).unwrap();
        },
        None,
    ),
    (
        "the record was edited by hand",
        |left| {
            let text = fs::read(&left.record).unwrap();
            let edited: Vec<u8> = text.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect();
            assert_ne!(edited, text);
            fs::write(&left.record, edited).unwrap();
        },
        None,
    ),
    ("the record is of another URL", |left| left.rewrite(|record| record.url = "http://a.example/a".into()), None),
    ("the record has a smaller total", |left| left.rewrite(|record| record.total = Some(MIDDLE - 1)), None),
    // Asked for, and answered by the whole.
    (
        "the record is of another version",
        |left| left.rewrite(|record| record.validator = Validator::Etag("\"other\"".into())),
        Some(MIDDLE),
    ),
    (
        "the machine was started anew",
        |left| left.rewrite(|record| (record.boot, record.durable) = (None, MIB)),
        Some(MIB),
    ),
    (
        "the machine was started anew, and less is there than was flushed",
        |left| {
            left.rewrite(|record| (record.boot, record.durable) = (None, MIDDLE));
            set_length(&left.partial, MIDDLE - 1);
        },
        None,
    ),
    ("the record is gone", |left| fs::remove_file(&left.record).unwrap(), None),
    ("the bytes are gone", |left| fs::remove_file(&left.partial).unwrap(), None),
    ("the bytes are fewer", |left| set_length(&left.partial, MIB + 1), Some(MIB + 1)),
    ("there are no bytes", |left| set_length(&left.partial, 0), None),
    ("there are more bytes than the file has", |left| set_length(&left.partial, LENGTH + 1), None),
];

#[test]
fn whatever_was_damaged_the_file_is_right_and_nothing_is_left() {
    for (what, damage, from) in DAMAGES {
        let left = Left::new();
        damage(&left);
        left.goes_on(what, *from);
        assert_eq!(left.bench.names("out"), ["a"], "{what}");
    }
}

#[test]
fn bytes_that_were_changed_are_found_by_a_checksum_and_fetched_anew() {
    let left = Left::new();
    OpenOptions::new().append(true).open(&left.partial).unwrap().write_all(b"not what the server has").unwrap();
    let digest = blake3::hash(&left.resource.body(1).to_vec());
    left.bench.run(&format!("get -d out {{}}/a --checksum blake3:{digest}")).exits(0).says("a: attempt 1 failed");
    left.bench.assert_bytes("out/a", &left.resource.body(1));
    let seen = left.bench.origin.records();
    let from: Vec<_> = seen.requests.iter().skip(1).map(asked_from).collect();
    assert_eq!(from, [Some(MIDDLE + 23), None]);
}

/// What stands where the unfinished bytes or their record were.
type Stranger = (&'static str, fn(&Path, &Path));

const STRANGERS: &[Stranger] = &[
    ("a symlink to a file", |path, stranger| symlink(stranger, path).unwrap()),
    ("a hard link to a file", |path, stranger| fs::hard_link(stranger, path).unwrap()),
    ("a symlink that leads nowhere", |path, stranger| symlink(stranger.with_file_name("nothing"), path).unwrap()),
    ("a folder", |path, _| fs::create_dir(path).unwrap()),
    ("a folder with something in it", |path, _| {
        fs::create_dir(path).unwrap();
        fs::write(path.join("mine"), "mine").unwrap();
    }),
    ("a pipe", |path, _| rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap()),
];

#[test]
fn what_stands_where_unfinished_bytes_belong_is_not_written_to() {
    for (what, place) in STRANGERS {
        let left = Left::new();
        let stranger = left.bench.path("stranger");
        // As long as what was left: it would be gone on with.
        fs::copy(&left.partial, &stranger).unwrap();
        let before = fs::metadata(&stranger).unwrap();
        fs::remove_file(&left.partial).unwrap();
        place(&left.partial, &stranger);
        left.goes_on(what, None);
        let after = fs::metadata(&stranger).unwrap();
        assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()), "{what}");
        assert_eq!(after.ino(), before.ino(), "{what}");
        assert_eq!(left.bench.names(""), ["out", "stranger"], "{what}: nothing is made outside");
        assert!(left.bench.names("out").iter().all(|name| name == "a" || name == ".dlmanager"), "{what}");
    }
}

#[test]
fn what_stands_where_a_record_belongs_is_not_written_to() {
    for (what, place) in STRANGERS {
        let left = Left::new();
        let stranger = left.bench.path("stranger");
        fs::copy(&left.record, &stranger).unwrap();
        let before = (fs::read(&stranger).unwrap(), fs::metadata(&stranger).unwrap().modified().unwrap());
        fs::remove_file(&left.record).unwrap();
        place(&left.record, &stranger);
        if what.contains("folder") {
            // It is not what the download may remove, so it is named and left to its owner.
            let ran = left.bench.run("get -d out {}/a").exits(1).says("error: a: ");
            assert!(ran.stderr.contains(".rec: ") && !left.bench.path("out/a").exists(), "{what}: {ran:#?}");
        } else {
            left.goes_on(what, None);
        }
        assert_eq!(
            (fs::read(&stranger).unwrap(), fs::metadata(&stranger).unwrap().modified().unwrap()),
            before,
            "{what}"
        );
        assert_eq!(left.bench.names(""), ["out", "stranger"], "{what}: nothing is made outside");
    }
}
