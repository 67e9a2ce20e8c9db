//! What only a directory in memory can do: fail as told, fill up, be slow, and keep its own time. That it otherwise obeys
//! the rules, the conformance suite shows.

use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{
    Answer, Completion, DeleteItem, Expect, Fault, FaultKind, FileAction, FileOp, Op, OpenMode, Stamp, Ticket, op,
};
use dlmanager_fs_memory::{Failure, MemoryDirectory};

fn execute<O: Op>(directory: &MemoryDirectory, op: impl FnOnce(Ticket<O>) -> FileOp) -> Completion {
    let op = op(Tickets::new().ticket());
    directory.execute(FileAction { lane: lane(1), epoch: 0, op })
}

fn kind(completion: Completion) -> Option<FaultKind> {
    let fault = match completion.into_answer() {
        Answer::Open(result) => result.err(),
        Answer::Close(result) | Answer::Sync(result) | Answer::Rename(result) => result.err(),
        Answer::MakeDir(result) => result.err(),
        Answer::Write(result) => result.err(),
        Answer::Touch(result) => result.err(),
        Answer::Delete(result) => result.err(),
        other => panic!("answered with {other:?}"),
    };
    fault.map(|fault| fault.kind())
}

fn create(directory: &MemoryDirectory, file: u64, name: &str) -> Option<FaultKind> {
    let mode = OpenMode::CreateNew;
    kind(execute::<op::Open>(directory, |ticket| FileOp::Open { ticket, file: file_id(file), path: path(name), mode }))
}

fn write(directory: &MemoryDirectory, file: u64, offset: u64, pieces: &[&'static [u8]]) -> Option<FaultKind> {
    let data = pieces.iter().map(|piece| Bytes::from_static(piece)).collect();
    kind(execute::<op::Write>(directory, |ticket| FileOp::Write { ticket, file: file_id(file), offset, data }))
}

fn sync(directory: &MemoryDirectory, file: u64) -> Option<FaultKind> {
    kind(execute::<op::Sync>(directory, |ticket| FileOp::Sync { ticket, file: file_id(file) }))
}

fn close(directory: &MemoryDirectory, file: u64) -> Option<FaultKind> {
    kind(execute::<op::Close>(directory, |ticket| FileOp::Close { ticket, file: file_id(file) }))
}

fn rename(directory: &MemoryDirectory, from: &str, to: &str) -> Option<FaultKind> {
    let (from, to) = (path(from), path(to));
    kind(execute::<op::Rename>(directory, |ticket| FileOp::Rename { ticket, from, to, clobber: true }))
}

fn delete(directory: &MemoryDirectory, name: &str) -> Option<FaultKind> {
    let items = vec![DeleteItem { path: path(name), expect: Expect::File }];
    kind(execute::<op::Delete>(directory, |ticket| FileOp::Delete { ticket, items }))
}

fn io() -> Fault {
    Fault::new(FaultKind::Io)
}

#[test]
fn the_chosen_operation_fails_and_no_other() {
    for position in 1..=5 {
        let directory = MemoryDirectory::new();
        directory.put_file("before", b"");
        directory.fail_operation(position, io());
        let answers = [
            create(&directory, 1, "a"),
            write(&directory, 1, 0, &[b"bytes"]),
            sync(&directory, 1),
            close(&directory, 1),
            rename(&directory, "a", "b"),
        ];
        let failed: Vec<usize> = (1..).zip(&answers).filter(|(_, answer)| answer.is_some()).map(|(at, _)| at).collect();
        // What could not be created cannot be written, flushed or renamed either.
        let expected = if position == 1 { vec![1, 2, 3, 5] } else { vec![usize::try_from(position).unwrap()] };
        assert_eq!(failed, expected);
        assert_eq!(directory.operations(), 5);
        assert_eq!(directory.open_handles(), 0, "a close that fails closes all the same");
    }
}

#[test]
fn a_rule_chooses_by_kind_and_path() {
    let directory = MemoryDirectory::new();
    directory.put_folder("folder");
    directory.fail_when(|operation| {
        let is_below = operation.path.is_some_and(|path| path.as_str().starts_with("folder/"));
        (is_below && matches!(operation.op, FileOp::Sync { .. })).then(|| io().into())
    });
    assert_eq!((create(&directory, 1, "a"), create(&directory, 2, "folder/a")), (None, None));
    assert_eq!((sync(&directory, 1), sync(&directory, 2)), (None, Some(FaultKind::Io)));
    assert_eq!(rename(&directory, "folder/a", "b"), None);
    assert_eq!(sync(&directory, 2), Some(FaultKind::Io), "it is known by the name that it was opened with");
    directory.clear_rules();
    assert_eq!(sync(&directory, 2), None);
}

#[test]
fn the_first_rule_that_says_something_counts() {
    let directory = MemoryDirectory::new();
    directory.fail_when(|operation| {
        matches!(operation.op, FileOp::Open { .. }).then(|| Fault::new(FaultKind::Denied).into())
    });
    directory.fail_when(|_| Some(io().into()));
    assert_eq!(create(&directory, 1, "a"), Some(FaultKind::Denied));
    assert_eq!(close(&directory, 1), Some(FaultKind::Io));
}

#[test]
fn a_failure_may_come_instead_or_after() {
    for (failure, is_done) in [(Failure::instead(io()), false), (Failure::after(io()), true)] {
        let directory = MemoryDirectory::new();
        directory.put_file("a", b"bytes");
        directory.fail_operation(1, failure);
        assert_eq!(rename(&directory, "a", "b"), Some(FaultKind::Io));
        assert_eq!((directory.stat("a").is_some(), directory.stat("b").is_some()), (!is_done, is_done));
    }
}

#[test]
fn a_write_may_fail_after_some_bytes() {
    for bytes in 0..=7 {
        let directory = MemoryDirectory::new();
        assert_eq!(create(&directory, 1, "a"), None);
        directory.fail_operation(1, Failure::after_bytes(io(), bytes));
        assert_eq!(write(&directory, 1, 0, &[b"ab", b"", b"cde"]), Some(FaultKind::Io));
        let kept = usize::try_from(bytes).unwrap().min(5);
        assert_eq!(directory.read("a").unwrap(), b"abcde"[..kept]);
    }
}

#[test]
fn a_full_directory_takes_what_fits_and_again_what_is_freed() {
    let directory = MemoryDirectory::new();
    directory.set_capacity(Some(10));
    directory.put_file("other", b"1234");
    assert_eq!(create(&directory, 1, "a"), None);
    assert_eq!(write(&directory, 1, 0, &[b"abc", b"defgh"]), Some(FaultKind::NoSpace));
    assert_eq!(directory.read("a").unwrap(), b"abcdef");
    assert_eq!(directory.used_bytes(), 10);
    assert_eq!(write(&directory, 1, 0, &[b"uvwxyz"]), None, "overwriting needs no room");
    assert_eq!(write(&directory, 1, 100, &[b"!"]), Some(FaultKind::NoSpace));
    assert_eq!(delete(&directory, "other"), None);
    assert_eq!(directory.used_bytes(), 6);
    assert_eq!(write(&directory, 1, 100, &[b"!!!!"]), None, "a gap takes no room");
    assert_eq!(directory.stat("a").unwrap().length, 104);
    assert_eq!(delete(&directory, "a"), None);
    assert_eq!(directory.used_bytes(), 10, "a file that is open keeps its bytes");
    assert_eq!(close(&directory, 1), None);
    assert_eq!(directory.used_bytes(), 0);
}

fn make_dir(directory: &MemoryDirectory, name: &str) -> Option<FaultKind> {
    kind(execute::<op::MakeDir>(directory, |ticket| FileOp::MakeDir { ticket, path: path(name) }))
}

#[test]
fn on_a_full_directory_names_may_need_room() {
    let directory = MemoryDirectory::new();
    directory.set_capacity(Some(4));
    directory.put_file("folder/a", b"1234");
    let make = |names: [&str; 3]| {
        let [file, folder, renamed] = names;
        let answers =
            (create(&directory, 1, file), make_dir(&directory, folder), rename(&directory, "folder/a", renamed));
        close(&directory, 1);
        answers
    };
    assert_eq!(make(["b", "c/d", "folder/b"]), (None, None, None), "by default they need none");
    assert_eq!(rename(&directory, "folder/b", "folder/a"), None);
    directory.set_names_need_room(true);
    let full = Some(FaultKind::NoSpace);
    assert_eq!(make(["e", "c/e", "folder/e"]), (full, full, full));
    assert_eq!(make(["b", "c/d", "b"]), (Some(FaultKind::Exists), None, None), "what is there needs none");
    assert_eq!(directory.list().len(), 4);
    assert_eq!(rename(&directory, "b", "folder/a"), full);
    assert_eq!(delete(&directory, "b"), None);
    directory.put_file("folder/a", b"123");
    assert_eq!(make(["e", "c/e", "folder/e"]), (None, None, None));
}

#[test]
fn freed_room_may_be_seen_late() {
    let directory = MemoryDirectory::new();
    directory.set_capacity(Some(10));
    directory.put_file("a", b"123456");
    directory.put_file("b", b"12");
    let free = || match execute::<op::Gauge>(&directory, |ticket| FileOp::Gauge { ticket }).into_answer() {
        Answer::Gauge(gauged) => gauged.unwrap().free_bytes.unwrap(),
        other => panic!("answered with {other:?}"),
    };
    assert_eq!(free(), 2);
    directory.set_free_space_lag(2);
    assert_eq!(delete(&directory, "a"), None);
    assert_eq!((directory.used_bytes(), free()), (2, 2));
    assert_eq!(delete(&directory, "b"), None);
    assert_eq!([free(), free(), free()], [2, 8, 10], "each is seen behind two looks of its own");
    directory.put_file("a", b"123456");
    assert_eq!(delete(&directory, "a"), None);
    assert_eq!(create(&directory, 1, "c"), None);
    assert_eq!(write(&directory, 1, 0, &[b"0123456789"]), None, "it can be written to");
    assert_eq!([free(), free(), free()], [0, 0, 0]);
    directory.set_free_space_lag(0);
    assert_eq!(close(&directory, 1), None);
    assert_eq!(delete(&directory, "c"), None);
    assert_eq!(free(), 10);
}

#[test]
fn only_renames_that_may_replace_fail_and_only_so_often() {
    let directory = MemoryDirectory::new();
    directory.put_file("a", b"1");
    directory.fail_replacing(2, Fault::new(FaultKind::Busy));
    let keep = |from: &str, to: &str| {
        let (from, to) = (path(from), path(to));
        kind(execute::<op::Rename>(&directory, |ticket| FileOp::Rename { ticket, from, to, clobber: false }))
    };
    assert_eq!((keep("a", "b"), create(&directory, 1, "a")), (None, None));
    let answers = [(); 3].map(|()| rename(&directory, "a", "b"));
    assert_eq!(answers, [Some(FaultKind::Busy), Some(FaultKind::Busy), None]);
    assert_eq!(keep("b", "a"), None);
    assert_eq!(rename(&directory, "a", "b"), None);
}

#[test]
fn replaced_and_removed_files_give_their_room_back() {
    let directory = MemoryDirectory::new();
    directory.put_file("a", b"1234");
    directory.put_file("b", b"123456");
    assert_eq!(rename(&directory, "a", "b"), None);
    assert_eq!(directory.used_bytes(), 4);
    directory.put_file("folder/deep/c", b"12");
    directory.put_file("b", b"1");
    assert_eq!(directory.used_bytes(), 3);
    assert!(directory.remove("folder") && !directory.remove("folder"));
    assert_eq!(directory.used_bytes(), 1);
    assert_eq!(directory.list().into_keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn latencies_are_told_by_the_first_rule_that_says_something() {
    let directory = MemoryDirectory::new();
    let day = Duration::from_secs(24 * 3600);
    directory.delay_when(move |operation| matches!(operation.op, FileOp::Sync { .. }).then_some(day));
    directory.delay_when(|operation| operation.path.is_some().then_some(Duration::from_millis(5)));
    let ticket = Tickets::new().ticket();
    assert_eq!(directory.latency(&FileOp::Sync { ticket, file: file_id(1) }), day);
    let ticket = Tickets::new().ticket();
    assert_eq!(directory.latency(&FileOp::Stat { ticket, path: path("a") }), Duration::from_millis(5));
    let ticket = Tickets::new().ticket();
    assert_eq!(
        directory.latency(&FileOp::Scan { ticket, scan: file_id(1), folder: None, entries_max: 1 }),
        Duration::ZERO
    );
    assert_eq!(directory.operations(), 0, "asking executes nothing");
}

#[test]
fn the_clock_stands_still_until_it_is_moved() {
    let directory = MemoryDirectory::new();
    let start = directory.now();
    assert_eq!(create(&directory, 1, "a"), None);
    directory.advance(Duration::from_secs(10));
    assert_eq!(write(&directory, 1, 0, &[b"bytes"]), None);
    let stat = directory.stat("a").unwrap();
    assert_eq!((stat.accessed, stat.modified), (start, Stamp::from_nanos(start.as_nanos() + 10_000_000_000)));
    directory.set_now(Stamp::from_nanos(i64::MAX));
    directory.advance(Duration::MAX);
    assert_eq!(directory.now(), Stamp::from_nanos(i64::MAX));
    let touched = execute::<op::Touch>(&directory, |ticket| FileOp::Touch {
        ticket,
        path: path("a"),
        unless_within: Duration::from_secs(60),
    });
    assert_eq!(kind(touched), None);
    assert_eq!(directory.stat("a").unwrap().accessed, directory.now());
}

#[test]
fn clones_share_the_directory_its_handles_and_its_rules() {
    let directory = MemoryDirectory::new();
    let clone = directory.clone();
    assert_eq!(create(&directory, 1, "a"), None);
    assert_eq!(write(&clone, 1, 0, &[b"bytes"]), None);
    assert_eq!(directory.read("a").unwrap(), b"bytes");
    clone.fail_when(|_| Some(io().into()));
    assert_eq!(sync(&directory, 1), Some(FaultKind::Io));
    assert_eq!(clone.open_handles(), 1);
}

#[test]
fn a_rule_may_look_at_the_directory() {
    let directory = MemoryDirectory::new();
    let clone = directory.clone();
    directory.fail_when(move |_| clone.stat("poison").map(|_| io().into()));
    assert_eq!(create(&directory, 1, "a"), None);
    directory.put_file("poison", b"");
    assert_eq!(create(&directory, 2, "b"), Some(FaultKind::Io));
    assert_eq!(directory.read("b"), None);
}
