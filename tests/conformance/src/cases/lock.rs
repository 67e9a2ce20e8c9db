//! `Lock` and `Unlock`.

use dlmanager_core::FaultKind::{Busy, Changed, Io, WrongType};
use dlmanager_core::OpenMode::{CreateOrExisting, Existing, Read};
use dlmanager_core::{Deleted, Expect};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, refused};

cases! {
    one_holder_within_a_program: "A file that is open twice is locked once: the second is Busy, also where it only reads",
    one_holder_among_programs: "A file that another program has locked is Busy, under identifiers of its own",
    unlock_frees: "Unlock gives the lock back, and may be repeated",
    unlock_of_what_is_not_locked: "Unlock of what is not locked, not open, or a scan is fine, and frees nobody else's lock",
    lock_again: "Who holds a lock may ask for it again",
    a_lock_ends_with_close: "A lock ends with its file's Close, and not with another handle's",
    a_lock_ends_with_its_program: "A lock ends with its program",
    a_lock_follows_its_file: "A lock follows its file when that is renamed, and does not stay at the name",
    a_name_that_leads_elsewhere: "A lock under a name that leads to another file by then is Changed, and nothing is locked",
    a_name_that_leads_nowhere: "A lock under a name that is gone, or no longer a file's, is Changed, and nothing is locked",
    a_lock_that_has_lost_its_name: "Who holds a lock and asks again under a name that leads elsewhere is told, and keeps it",
    locks_of_two_files: "Locks of two files have nothing to do with each other",
    a_locked_file_can_be_worked_on: "A lock keeps nobody from reading, writing, renaming or deleting the file",
    the_length_under_the_lock: "Lock tells the length that the file has then, whatever it had when it was opened",
    a_second_name: "A lock of a file that has a second name by then is WrongType, and nothing is locked",
    lock_of_nothing: "A lock of what is not open, or a scan, is Io",
}

fn a_second_name(bench: &Bench<'_>) {
    bench.need_locks();
    let (first, second) = (bench.fresh_id(), bench.fresh_id());
    bench.put_file("a", b"0123");
    for file in [first, second] {
        bench.open_as(file, "a", Existing).unwrap();
    }
    bench.put("b", Thing::Link("a"));
    assert_eq!(refused(bench.lock(first, "a")), WrongType);
    assert_eq!(bench.delete_one("b", Expect::File), Deleted::Deleted);
    assert_eq!(bench.lock(second, "a"), Ok(4));
}

fn the_length_under_the_lock(bench: &Bench<'_>) {
    bench.need_locks();
    let (first, second) = (bench.fresh_id(), bench.fresh_id());
    bench.put_file("a", b"0123");
    for file in [first, second] {
        assert_eq!(bench.open_as(file, "a", Existing).unwrap().length, 4);
    }
    assert_eq!(bench.lock(first, "a"), Ok(4));
    bench.write(first, 4, &[b"45"]).unwrap();
    assert_eq!(bench.lock(first, "a"), Ok(6));
    bench.unlock(first).unwrap();
    assert_eq!(bench.lock(second, "a"), Ok(6));
    bench.truncate(second, 1).unwrap();
    bench.unlock(second).unwrap();
    assert_eq!(bench.lock(first, "a"), Ok(1));
}

fn one_holder_within_a_program(bench: &Bench<'_>) {
    bench.need_locks();
    let first = bench.create("a");
    bench.lock(first, "a").unwrap();
    for mode in [Existing, CreateOrExisting, Read] {
        let second = bench.open("a", mode).unwrap();
        assert_eq!(refused(bench.lock(second, "a")), Busy, "{mode:?}");
        // Also where its `Lock` failed.
        bench.unlock(second).unwrap();
        assert_eq!(refused(bench.lock(second, "a")), Busy, "{mode:?}");
    }
    bench.unlock(first).unwrap();
    let reader = bench.open("a", Read).unwrap();
    bench.lock(reader, "a").unwrap();
    assert_eq!(refused(bench.lock(first, "a")), Busy);
}

fn one_holder_among_programs(bench: &Bench<'_>) {
    bench.need_locks();
    let program = bench.program();
    bench.make_dir("folder").unwrap();
    for name in ["a", "folder/a"] {
        let file = bench.create(name);
        program.open_as(file, name, Existing).unwrap();
        program.lock(file, name).unwrap();
        assert_eq!(refused(bench.lock(file, name)), Busy);
        let second = bench.open(name, Read).unwrap();
        assert_eq!(refused(bench.lock(second, name)), Busy);
    }
}

fn unlock_frees(bench: &Bench<'_>) {
    bench.need_locks();
    let (first, second) = (bench.create("a"), bench.open("a", Existing).unwrap());
    for _ in 0..3 {
        for (holder, other) in [(first, second), (second, first)] {
            bench.lock(holder, "a").unwrap();
            assert_eq!(refused(bench.lock(other, "a")), Busy);
            bench.unlock(holder).unwrap();
            bench.unlock(holder).unwrap();
        }
    }
}

fn unlock_of_what_is_not_locked(bench: &Bench<'_>) {
    bench.unlock(bench.fresh_id()).unwrap();
    let scan = bench.fresh_id();
    bench.scan(scan, 1).unwrap();
    bench.unlock(scan).unwrap();
    let (first, second) = (bench.create("a"), bench.open("a", Existing).unwrap());
    bench.unlock(first).unwrap();
    bench.need_locks();
    bench.lock(first, "a").unwrap();
    bench.unlock(second).unwrap();
    assert_eq!(refused(bench.lock(second, "a")), Busy);
    bench.close(first).unwrap();
    bench.unlock(first).unwrap();
}

fn lock_again(bench: &Bench<'_>) {
    bench.need_locks();
    let (first, second) = (bench.create("a"), bench.open("a", Existing).unwrap());
    bench.lock(first, "a").unwrap();
    bench.lock(first, "a").unwrap();
    assert_eq!(refused(bench.lock(second, "a")), Busy);
    bench.unlock(first).unwrap();
    bench.lock(second, "a").unwrap();
}

fn a_lock_ends_with_close(bench: &Bench<'_>) {
    bench.need_locks();
    let (first, second) = (bench.create("a"), bench.open("a", Existing).unwrap());
    bench.lock(first, "a").unwrap();
    // As record locks of POSIX would: they end with any of the process's descriptors.
    bench.close(bench.open("a", Read).unwrap()).unwrap();
    assert_eq!(refused(bench.lock(second, "a")), Busy);
    bench.close(first).unwrap();
    bench.lock(second, "a").unwrap();
}

fn a_lock_ends_with_its_program(bench: &Bench<'_>) {
    bench.need_locks();
    let file = bench.create("a");
    let program = bench.program();
    program.open_as(file, "a", Existing).unwrap();
    program.lock(file, "a").unwrap();
    assert_eq!(refused(bench.lock(file, "a")), Busy);
    drop(program);
    bench.lock(file, "a").unwrap();
}

fn a_lock_follows_its_file(bench: &Bench<'_>) {
    bench.need_locks();
    let file = bench.create("a");
    bench.lock(file, "a").unwrap();
    bench.rename("a", "b", false).unwrap();
    let second = bench.open("b", Existing).unwrap();
    assert_eq!(refused(bench.lock(second, "b")), Busy);
    bench.lock(file, "b").unwrap();
    let new = bench.create("a");
    bench.lock(new, "a").unwrap();
    bench.unlock(file).unwrap();
    bench.lock(second, "b").unwrap();
}

fn a_name_that_leads_elsewhere(bench: &Bench<'_>) {
    bench.need_locks();
    let file = bench.create("a");
    bench.rename("a", "b", false).unwrap();
    assert_eq!(bench.open("a", CreateOrExisting).map(drop), Ok(()));
    assert_eq!(refused(bench.lock(file, "a")), Changed);
    let second = bench.open("b", Existing).unwrap();
    bench.lock(second, "b").unwrap();
    bench.unlock(second).unwrap();
    // Replaced, with no name left.
    bench.rename("a", "b", true).unwrap();
    assert_eq!(refused(bench.lock(file, "b")), Changed);
    bench.unlock(file).unwrap();
    bench.lock(second, "b").expect_err("it was opened before the name led elsewhere");
    let new = bench.open("b", Existing).unwrap();
    bench.lock(new, "b").unwrap();
}

fn a_name_that_leads_nowhere(bench: &Bench<'_>) {
    bench.need_locks();
    bench.make_dir("folder").unwrap();
    for name in ["a", "folder/a"] {
        let file = bench.create(name);
        let second = bench.open(name, Existing).unwrap();
        bench.rename(name, "b", false).unwrap();
        assert_eq!(refused(bench.lock(file, name)), Changed, "gone");
        bench.lock(second, "b").unwrap();
        bench.close(second).unwrap();
        assert_eq!(bench.delete_one("b", Expect::File), Deleted::Deleted);
        assert_eq!(refused(bench.lock(file, "b")), Changed, "deleted");
        bench.make_dir(name).unwrap();
        assert_eq!(refused(bench.lock(file, name)), Changed, "a folder");
    }
    let file = bench.create("folder/c");
    bench.rename("folder/c", "c", false).unwrap();
    assert_eq!(bench.delete_one("folder/a", Expect::EmptyFolder), Deleted::Deleted);
    assert_eq!(bench.delete_one("folder", Expect::EmptyFolder), Deleted::Deleted);
    assert_eq!(refused(bench.lock(file, "folder/c")), Changed, "its folder is gone");
    bench.put_file("folder", b"theirs");
    assert_eq!(refused(bench.lock(file, "folder/c")), Changed, "its folder is a file");
    bench.put("link", Thing::Symlink("c"));
    assert_eq!(refused(bench.lock(file, "link")), Changed, "a symlink to it");
    bench.lock(file, "c").unwrap();
}

fn a_lock_that_has_lost_its_name(bench: &Bench<'_>) {
    bench.need_locks();
    let (file, second) = (bench.create("a"), bench.open("a", Existing).unwrap());
    bench.lock(file, "a").unwrap();
    bench.rename("a", "b", false).unwrap();
    // It is held all the same.
    assert_eq!(refused(bench.lock(file, "a")), Changed);
    assert_eq!(refused(bench.lock(second, "b")), Busy);
    bench.unlock(file).unwrap();
    bench.lock(second, "b").unwrap();
}

fn locks_of_two_files(bench: &Bench<'_>) {
    bench.need_locks();
    let (a, b) = (bench.create("a"), bench.create("b"));
    bench.lock(a, "a").unwrap();
    bench.lock(b, "b").unwrap();
    bench.unlock(a).unwrap();
    let second = bench.open("b", Existing).unwrap();
    assert_eq!(refused(bench.lock(second, "b")), Busy);
}

fn a_locked_file_can_be_worked_on(bench: &Bench<'_>) {
    bench.need_locks();
    let file = bench.create("a");
    bench.lock(file, "a").unwrap();
    let second = bench.open("a", Existing).unwrap();
    bench.write(file, 0, &[b"one"]).unwrap();
    // Where locks bind everybody, others must wait.
    if !cfg!(windows) {
        bench.write(second, 3, &[b"two"]).unwrap();
        assert_eq!(bench.read(second, 0, 10).unwrap(), &b"onetwo"[..]);
    }
    bench.rename("a", "b", false).unwrap();
    assert_eq!(bench.delete_one("b", Expect::File), Deleted::Deleted);
    bench.unlock(file).unwrap();
}

fn lock_of_nothing(bench: &Bench<'_>) {
    bench.need_locks();
    bench.put_file("a", b"theirs");
    assert_eq!(refused(bench.lock(bench.fresh_id(), "a")), Io);
    let scan = bench.fresh_id();
    bench.scan(scan, 1).unwrap();
    assert_eq!(refused(bench.lock(scan, "a")), Io);
    let file = bench.open("a", Existing).unwrap();
    bench.close(file).unwrap();
    assert_eq!(refused(bench.lock(file, "a")), Io);
}
