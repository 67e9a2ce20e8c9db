//! What takes several programs, or several threads: locks that end with a process, and names that are made by one.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{
    Algorithm, Algorithms, Answer, DeleteItem, Digests, Expect, FaultKind, FileAction, FileOp, Hasher, Op, OpenMode,
    Opened, Ticket, op,
};
use dlmanager_fs::Directory;

/// Names the folder to the same test in another process.
const AGAIN: &str = "DLMANAGER_FS_TEST_PROGRAM";

fn execute<O: Op>(directory: &Directory, op: impl FnOnce(Ticket<O>) -> FileOp) -> Answer {
    let op = op(Tickets::new().ticket());
    directory.execute(FileAction { lane: lane(1), epoch: 0, op }).into_answer()
}

macro_rules! kind_or {
    ($answer:expr, $op:ident) => {
        match $answer {
            Answer::$op(result) => result.map_err(|fault| fault.kind()),
            other => panic!("answered with {other:?}"),
        }
    };
}

fn open(directory: &Directory, file: u64, name: &str, mode: OpenMode) -> Result<Opened, FaultKind> {
    let file = file_id(file);
    kind_or!(execute::<op::Open>(directory, |ticket| FileOp::Open { ticket, file, path: path(name), mode }), Open)
}

fn lock(directory: &Directory, file: u64, name: &str) -> Result<(), FaultKind> {
    let file = file_id(file);
    kind_or!(execute::<op::Lock>(directory, |ticket| FileOp::Lock { ticket, file, path: path(name) }), Lock).map(drop)
}

fn close(directory: &Directory, file: u64) {
    let file = file_id(file);
    kind_or!(execute::<op::Close>(directory, |ticket| FileOp::Close { ticket, file }), Close).unwrap();
}

fn write(directory: &Directory, file: u64, offset: u64, bytes: Bytes) {
    let file = file_id(file);
    let op = |ticket| FileOp::Write { ticket, file, offset, data: vec![bytes] };
    kind_or!(execute::<op::Write>(directory, op), Write).unwrap();
}

fn hash(directory: &Directory, file: u64, from: u64, to: u64) -> Result<Digests, FaultKind> {
    let (file, algorithms) = (file_id(file), Algorithms::NONE.with(Algorithm::Sha256));
    kind_or!(execute::<op::Hash>(directory, |ticket| FileOp::Hash { ticket, file, algorithms, from, to }), Hash)
}

fn delete(directory: &Directory, name: &str) {
    let items = vec![DeleteItem { path: path(name), expect: Expect::File }];
    let answer = execute::<op::Delete>(directory, |ticket| FileOp::Delete { ticket, items });
    assert!(matches!(answer, Answer::Delete(Ok(_))), "{answer:?}");
}

/// Starts this test in a process of its own, which says a line when it is ready.
fn start_again(test: &str, folder: &Path) -> Child {
    let program = env::current_exe().expect("this program");
    let arguments = ["--exact", test, "--nocapture"];
    let mut command = Command::new(program);
    command.args(arguments).env(AGAIN, folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a process");
    let lines = BufReader::new(child.stdout.as_mut().expect("its output")).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.contains("ready")), "it ended before");
    child
}

#[test]
fn a_killed_process_has_no_lock_and_what_it_has_written_stays() {
    if let Some(folder) = env::var_os(AGAIN) {
        let directory = Directory::create(folder).unwrap();
        open(&directory, 1, "a", OpenMode::CreateNew).unwrap();
        write(&directory, 1, 0, Bytes::from_static(b"unflushed"));
        lock(&directory, 1, "a").unwrap();
        println!("\nready");
        // Until it is killed, or who started it is gone.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::create(folder.path()).unwrap();
    let mut child = start_again("a_killed_process_has_no_lock_and_what_it_has_written_stays", folder.path());
    assert_eq!(open(&directory, 1, "a", OpenMode::CreateOrExisting), Ok(Opened { created: false, length: 9 }));
    assert_eq!(lock(&directory, 1, "a"), Err(FaultKind::Busy));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lock(&directory, 1, "a"), Ok(()));
}

/// The system takes the lock of a closed file away when nothing uses the file any more: here a digest that goes on.
#[test]
fn a_closed_file_is_unlocked_although_something_still_uses_it() {
    const ATTEMPTS: u32 = 100;
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::create(folder.path()).unwrap();
    open(&directory, 2, "a", OpenMode::CreateNew).unwrap();
    // Sparse, so that it takes a while to read and no room.
    let length = 1 << 26;
    write(&directory, 2, length - 1, Bytes::from_static(b"x"));
    for _ in 0..ATTEMPTS {
        open(&directory, 1, "a", OpenMode::Existing).unwrap();
        lock(&directory, 1, "a").unwrap();
        let was_in_use = thread::scope(|scope| {
            let hashing = scope.spawn(|| hash(&directory, 1, 0, length));
            thread::sleep(Duration::from_millis(2));
            close(&directory, 1);
            assert_eq!(lock(&directory, 2, "a"), Ok(()));
            let is_in_use = !hashing.is_finished();
            // It fails where the file was closed before it began.
            hashing.join().unwrap().is_ok() && is_in_use
        });
        if was_in_use {
            return;
        }
        close(&directory, 2);
        open(&directory, 2, "a", OpenMode::Existing).unwrap();
    }
    panic!("in none of {ATTEMPTS} attempts something still used the file");
}

#[test]
fn one_of_many_makes_the_file_and_the_others_find_it() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::create(folder.path()).unwrap();
    let files = AtomicU64::new(0);
    for round in 0..200 {
        let name = format!("{round}");
        let made: usize = thread::scope(|scope| {
            let open_it = || {
                let file = files.fetch_add(1, Ordering::Relaxed);
                usize::from(open(&directory, file, &name, OpenMode::CreateOrExisting).unwrap().created)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open_it)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(made, 1, "round {round}");
    }
}

/// Two threads take turns with a partial: who gets its lock finds it as the one before has left it, deletes it, and only then
/// unlocks. Whoever held a lock on a file that is deleted by then would work beside the other.
#[test]
fn there_is_one_holder_although_the_file_is_made_and_deleted_all_the_time() {
    const TURNS: u32 = 500;
    let folder = tempfile::tempdir().unwrap();
    let is_held = AtomicBool::new(false);
    let changed = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let directory = Directory::create(folder.path()).unwrap();
                let mut turns = 0;
                while turns < TURNS {
                    if open(&directory, 1, "part", OpenMode::CreateOrExisting).is_ok() {
                        match lock(&directory, 1, "part") {
                            Ok(()) => {
                                assert!(!is_held.swap(true, Ordering::SeqCst), "two holders");
                                thread::yield_now();
                                is_held.store(false, Ordering::SeqCst);
                                delete(&directory, "part");
                                turns += 1;
                            }
                            Err(FaultKind::Changed) => {
                                changed.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(kind) => assert_eq!(kind, FaultKind::Busy),
                        }
                    }
                    close(&directory, 1);
                }
            });
        }
    });
    assert!(changed.into_inner() > 0, "nobody ever locked what was deleted by then, so that this tried nothing");
}

#[test]
fn a_file_is_hashed_while_it_is_written() {
    const PIECES: u64 = 400;
    const PIECE: u64 = 10_007;
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::create(folder.path()).unwrap();
    open(&directory, 1, "a", OpenMode::CreateNew).unwrap();
    let written = AtomicU64::new(0);
    let piece = |number: u64| vec![u8::try_from(number % 251).unwrap(); usize::try_from(PIECE).unwrap()];
    let digests = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..PIECES {
                write(&directory, 1, number * PIECE, piece(number).into());
                written.store((number + 1) * PIECE, Ordering::Release);
            }
        });
        let mut from = 0;
        loop {
            let to = written.load(Ordering::Acquire);
            let digests = hash(&directory, 1, from, to).unwrap();
            from = to;
            if to == PIECES * PIECE {
                return digests;
            }
        }
    });
    let mut hasher = Hasher::new(Algorithms::NONE.with(Algorithm::Sha256));
    (0..PIECES).for_each(|number| hasher.update(&piece(number)));
    assert_eq!(digests, hasher.digests());
}
