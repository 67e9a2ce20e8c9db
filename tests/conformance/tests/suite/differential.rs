//! The same random operations on a real directory and on one in memory: the same answers, and the same directory after
//! each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use dlmanager_conformance::{Backend, Thing};
use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{
    Algorithm, Algorithms, Answer, DeleteItem, Deleted, Expect, Fault, FaultKind, FileAction, FileKind, FileOp,
    FileStat, OpenMode, Opened, Stamp,
};

use crate::support::{InMemory, on_disk};

const RUNS: u64 = 150;
const STEPS: usize = 200;

/// Few names, so that operations meet; the first ones are folders often, the last ones lead through all that is no folder.
const NAMES: &[&str] = &[
    "d",
    ".dlmanager",
    "a",
    "b",
    "d/a",
    ".dlmanager/a",
    "d/d",
    "d/d/a",
    "a/b",
    "link",
    "link/a",
    "d/link",
    "d/link/a",
];
const TARGETS: &[&str] = &["a", "d", ".", "..", "nowhere", "/", "link"];
const FILES: u64 = 4;

#[test]
fn a_real_directory_and_one_in_memory_do_not_differ() {
    let mut seen = BTreeMap::new();
    for seed in 1..=RUNS {
        run(seed, &mut seen);
    }
    // What never happened was not compared.
    for wanted in [
        "MakeDir Ok",
        "MakeDir WrongType",
        "Stat Ok",
        "Stat WrongType",
        "Open Ok",
        "Open Exists",
        "Open NotFound",
        "Open WrongType",
        "Open Io",
        "Probe Ok",
        "Probe Exists",
        "Probe NotFound",
        "Probe WrongType",
        "Read Ok",
        "Read Io",
        "Truncate Ok",
        "Truncate Changed",
        "Truncate Io",
        "SetTimes Ok",
        "SetTimes Io",
        "Hash Ok",
        "Hash Changed",
        "Hash Io",
        "Lock Ok",
        "Lock Busy",
        "Lock Changed",
        "Lock Io",
        "Unlock Ok",
        "Write Ok",
        "Write Io",
        "Sync Ok",
        "Sync Io",
        "Finish Ok",
        "Finish Changed",
        "Finish WrongType",
        "Finish Io",
        "Rename Ok",
        "Rename Exists",
        "Rename NotFound",
        "Rename WrongType",
        "SyncDir Ok",
        "SyncDir NotFound",
        "SyncDir WrongType",
        "Delete Deleted",
        "Delete Gone",
        "Delete Changed",
        "Delete Busy",
        "Delete Denied",
        "Touch Ok",
        "Touch NotFound",
        "Touch WrongType",
        "Scan Ok",
        "Scan Io",
        "Close Ok",
    ] {
        assert!(seen.contains_key(wanted), "no {wanted} among {seen:?}");
    }
}

fn run(seed: u64, seen: &mut BTreeMap<String, usize>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, BTreeMap::new());
    let (disk, memory) = (on_disk(), InMemory::default());
    let backends: [&dyn Backend; 2] = [&disk, &memory];
    let mut trace = Vec::new();
    for _ in 0..STEPS {
        let step = random.step();
        trace.push(format!("{step:?}"));
        let [on_disk, in_memory] = backends.map(|backend| step.perform(backend));
        assert_eq!(on_disk, in_memory, "seed {seed}: disk and memory answer otherwise after {trace:#?}");
        let [on_disk_after, in_memory_after] = backends.map(contents);
        assert_eq!(on_disk_after, in_memory_after, "seed {seed}: disk and memory differ after {trace:#?}");
        for answer in on_disk {
            // Without what was read, which is another each time.
            let kinds: Vec<&str> = answer.split(' ').take(2).collect();
            *seen.entry(kinds.join(" ")).or_default() += 1;
        }
    }
}

/// Everything in the directory, with the bytes of files.
fn contents(backend: &dyn Backend) -> BTreeMap<String, (FileKind, Option<Vec<u8>>)> {
    backend.list().into_iter().map(|(name, kind)| (name.clone(), (kind, backend.read(&name)))).collect()
}

#[derive(Debug, Clone)]
enum Step {
    PutSymlink { name: &'static str, target: &'static str },
    PutLink { name: &'static str, existing: &'static str },
    MakeDir(&'static str),
    Stat(&'static str),
    Open { file: u64, name: &'static str, mode: OpenMode },
    Probe(&'static str),
    Read { file: u64, offset: u64, bytes_max: usize },
    Write { file: u64, offset: u64, pieces: Vec<Vec<u8>> },
    Truncate { file: u64, length: u64 },
    SetTimes { file: u64, modified: Stamp },
    Hash { file: u64, algorithms: Algorithms, from: u64, to: u64 },
    Sync(u64),
    Finish { file: u64, length: u64, name: Option<&'static str> },
    Rename { from: &'static str, to: &'static str, clobber: bool },
    SyncDir(&'static str),
    Delete { name: &'static str, expect: Wanted },
    Touch { name: &'static str, unless_within: Duration },
    Scan { scan: u64 },
    Lock { file: u64, name: &'static str },
    Unlock(u64),
    Close(u64),
}

/// As [`Expect`], with stamps that are right or wrong wherever they come from.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    File,
    EmptyFolder,
    Unchanged { is_right: bool },
}

impl Step {
    /// The answers, in words that do not depend on stamps and systems.
    fn perform(&self, backend: &dyn Backend) -> Vec<String> {
        let ticket = &mut Tickets::new();
        let op = match self.clone() {
            Self::PutSymlink { name, target } => {
                // Put where its folder is one and the name is free, as the backends list it.
                let list = backend.list();
                let folder = name.rsplit_once('/').map(|(folder, _)| folder);
                let has_folder = folder.is_none_or(|folder| list.get(folder) == Some(&FileKind::Folder));
                if has_folder && !list.contains_key(name) {
                    backend.put(name, Thing::Symlink(target)).expect("a symlink");
                }
                return Vec::new();
            }
            Self::PutLink { name, existing } => {
                let list = backend.list();
                let folder = name.rsplit_once('/').map(|(folder, _)| folder);
                let has_folder = folder.is_none_or(|folder| list.get(folder) == Some(&FileKind::Folder));
                if has_folder && !list.contains_key(name) && list.get(existing) == Some(&FileKind::Regular) {
                    backend.put(name, Thing::Link(existing)).expect("a second name");
                }
                return Vec::new();
            }
            Self::Probe(name) => FileOp::Probe { ticket: ticket.ticket(), path: path(name) },
            Self::Read { file, offset, bytes_max } => {
                FileOp::Read { ticket: ticket.ticket(), file: file_id(file), offset, bytes_max }
            }
            Self::Truncate { file, length } => {
                FileOp::Truncate { ticket: ticket.ticket(), file: file_id(file), length }
            }
            Self::SetTimes { file, modified } => {
                FileOp::SetTimes { ticket: ticket.ticket(), file: file_id(file), modified }
            }
            Self::Hash { file, algorithms, from, to } => {
                FileOp::Hash { ticket: ticket.ticket(), file: file_id(file), algorithms, from, to }
            }
            Self::Lock { file, name } => {
                FileOp::Lock { ticket: ticket.ticket(), file: file_id(file), path: path(name) }
            }
            Self::Unlock(file) => FileOp::Unlock { ticket: ticket.ticket(), file: file_id(file) },
            Self::MakeDir(name) => FileOp::MakeDir { ticket: ticket.ticket(), path: path(name) },
            Self::Stat(name) => FileOp::Stat { ticket: ticket.ticket(), path: path(name) },
            Self::Open { file, name, mode } => {
                FileOp::Open { ticket: ticket.ticket(), file: file_id(file), path: path(name), mode }
            }
            Self::Write { file, offset, pieces } => {
                let data = pieces.into_iter().map(Bytes::from).collect();
                FileOp::Write { ticket: ticket.ticket(), file: file_id(file), offset, data }
            }
            Self::Sync(file) => FileOp::Sync { ticket: ticket.ticket(), file: file_id(file) },
            Self::Finish { file, length, name } => {
                FileOp::Finish { ticket: ticket.ticket(), file: file_id(file), length, path: name.map(path) }
            }
            Self::Rename { from, to, clobber } => {
                FileOp::Rename { ticket: ticket.ticket(), from: path(from), to: path(to), clobber }
            }
            Self::SyncDir(name) => FileOp::SyncDir { ticket: ticket.ticket(), path: path(name) },
            Self::Delete { name, expect } => {
                let items = vec![DeleteItem { path: path(name), expect: expectation(backend, name, expect) }];
                FileOp::Delete { ticket: ticket.ticket(), items }
            }
            Self::Touch { name, unless_within } => {
                FileOp::Touch { ticket: ticket.ticket(), path: path(name), unless_within }
            }
            Self::Scan { scan } => return scan_all(backend, scan),
            Self::Close(file) => FileOp::Close { ticket: ticket.ticket(), file: file_id(file) },
        };
        vec![words(execute(backend, op))]
    }
}

fn execute(backend: &dyn Backend, op: FileOp) -> Answer {
    backend.execute(FileAction { lane: lane(1), epoch: 0, op }).into_answer()
}

fn look(backend: &dyn Backend, name: &str) -> Option<FileStat> {
    match execute(backend, FileOp::Stat { ticket: Tickets::new().ticket(), path: path(name) }) {
        Answer::Stat(result) => result.ok().flatten(),
        other => panic!("Stat was answered with {other:?}"),
    }
}

fn expectation(backend: &dyn Backend, name: &str, wanted: Wanted) -> Expect {
    match wanted {
        Wanted::File => Expect::File,
        Wanted::EmptyFolder => Expect::EmptyFolder,
        Wanted::Unchanged { is_right } => {
            let stat = look(backend, name);
            let (accessed, modified) = stat.map_or_else(Default::default, |stat| (stat.accessed, stat.modified));
            let wrong = i64::from(!is_right);
            let modified = Stamp::from_nanos(modified.as_nanos() - wrong);
            Expect::Unchanged { length: stat.map_or(0, |stat| stat.length), accessed, modified }
        }
    }
}

/// Scans to the end in batches of two, and closes the scan.
fn scan_all(backend: &dyn Backend, scan: u64) -> Vec<String> {
    let scan = file_id(scan);
    let mut found = BTreeSet::new();
    loop {
        match execute(backend, FileOp::Scan { ticket: Tickets::new().ticket(), scan, folder: None, entries_max: 2 }) {
            Answer::Scan(Ok(batch)) => {
                found.extend(
                    batch.entries.iter().map(|entry| format!("{} {}", entry.path, stat_words(Some(entry.stat)))),
                );
                if batch.done {
                    let _ = execute(backend, FileOp::Close { ticket: Tickets::new().ticket(), file: scan });
                    return found.into_iter().chain(["Scan Ok".into()]).collect();
                }
            }
            Answer::Scan(Err(fault)) => return vec![format!("Scan {:?}", fault.kind())],
            other => panic!("Scan was answered with {other:?}"),
        }
    }
}

fn stat_words(stat: Option<FileStat>) -> String {
    match stat {
        Some(FileStat { kind: FileKind::Regular, length, .. }) => format!("file of {length}"),
        Some(stat) => format!("{:?}", stat.kind),
        None => "nothing".into(),
    }
}

fn words(answer: Answer) -> String {
    fn word<T>(op: &str, result: Result<T, Fault>) -> String {
        result.map_or_else(|fault| format!("{op} {:?}", fault.kind()), |_| format!("{op} Ok"))
    }
    match answer {
        Answer::MakeDir(result) => word("MakeDir", result),
        Answer::Stat(Ok(stat)) if stat.is_some() => format!("Stat Ok {}", stat_words(stat)),
        Answer::Stat(result) => word("Stat", result),
        Answer::Open(Ok(Opened { created, length })) => {
            format!("Open Ok {} {length}", if created { "new" } else { "old" })
        }
        Answer::Open(result) => word("Open", result),
        Answer::Probe(Ok(probed)) => format!("Probe Ok {}", probed.locks),
        Answer::Probe(result) => word("Probe", result),
        Answer::Read(Ok(bytes)) => format!("Read Ok {bytes:?}"),
        Answer::Read(result) => word("Read", result),
        Answer::Truncate(result) => word("Truncate", result),
        Answer::SetTimes(result) => word("SetTimes", result),
        Answer::Hash(Ok(digests)) => {
            let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
            format!("Hash Ok {}", digests.join(" "))
        }
        Answer::Hash(result) => word("Hash", result),
        Answer::Lock(result) => word("Lock", result),
        Answer::Unlock(result) => word("Unlock", result),
        Answer::Write(result) => word("Write", result),
        Answer::Sync(result) => word("Sync", result),
        Answer::Finish(result) => word("Finish", result),
        Answer::Rename(result) => word("Rename", result),
        Answer::SyncDir(result) => word("SyncDir", result),
        Answer::Delete(Ok(deleted)) => match deleted.as_slice() {
            [Deleted::Denied(fault)] if fault.kind() == FaultKind::WrongType => "Delete Denied".into(),
            [other] => format!("Delete {other:?}"),
            other => panic!("one name was answered with {other:?}"),
        },
        Answer::Touch(result) => word("Touch", result),
        Answer::Close(result) => word("Close", result),
        other => panic!("answered with {other:?}"),
    }
}

/// xorshift64, and the names that files were opened under last.
struct Random(u64, BTreeMap<u64, &'static str>);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).expect("an index")]
    }

    fn index(&mut self, bound: u64) -> usize {
        usize::try_from(self.below(bound)).expect("an index")
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }

    /// The name that the file was opened under, every other time.
    fn own_or(&mut self, file: u64, name: &'static str) -> &'static str {
        let own = self.1.get(&file).copied().unwrap_or(name);
        if self.is() { own } else { name }
    }

    fn step(&mut self) -> Step {
        let name = self.one_of(NAMES);
        let file = 1 + self.below(FILES);
        match self.below(36) {
            0 => Step::PutSymlink { name, target: self.one_of(TARGETS) },
            1..=3 => Step::MakeDir(name),
            4..=5 => Step::Stat(name),
            6..=9 => {
                let modes = [OpenMode::CreateNew, OpenMode::Existing, OpenMode::CreateOrExisting, OpenMode::Read];
                self.1.insert(file, name);
                Step::Open { file, name, mode: self.one_of(&modes) }
            }
            10..=12 => {
                let pieces = (0..self.below(5)).map(|_| vec![self.0.to_le_bytes()[3]; self.0 as usize % 9]).collect();
                Step::Write { file, offset: self.below(30), pieces }
            }
            13 => Step::Sync(file),
            14 => {
                let (length, own) = (self.below(3), self.own_or(file, name));
                Step::Finish { file, length, name: self.is().then_some(own) }
            }
            15..=17 => Step::Rename { from: name, to: self.one_of(NAMES), clobber: self.is() },
            18 => Step::SyncDir(name),
            19..=20 => {
                let is_right = self.is();
                let expect = self.one_of(&[Wanted::File, Wanted::EmptyFolder, Wanted::Unchanged { is_right }]);
                Step::Delete { name, expect }
            }
            21 => Step::Touch { name, unless_within: self.one_of(&[Duration::ZERO, Duration::MAX]) },
            22 => Step::Scan { scan: file },
            23 => {
                let existing = self.one_of(NAMES);
                Step::PutLink { name, existing: self.own_or(file, existing) }
            }
            24 => Step::Probe(name),
            25 => Step::Read { file, offset: self.below(30), bytes_max: self.index(40) },
            26 => Step::Truncate { file, length: self.below(20) },
            27 => Step::SetTimes { file, modified: Stamp::from_nanos(1_000_000_000 * self.0 as i32 as i64) },
            28..=30 => {
                // Few ends, so that one begins where another has ended.
                let [from, to] = [(); 2].map(|()| self.one_of(&[0, 0, 5, 10]));
                let algorithms = Algorithms::NONE.with(self.one_of(&[Algorithm::Sha256, Algorithm::Md5]));
                Step::Hash { file, algorithms, from, to }
            }
            31..=33 => Step::Lock { file, name: self.own_or(file, name) },
            34 => Step::Unlock(file),
            _ => Step::Close(file),
        }
    }
}
