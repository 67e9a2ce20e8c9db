//! `Delete`.

use dlmanager_core::FaultKind::WrongType;
use dlmanager_core::FileKind::{Folder, Regular, Symlink};
use dlmanager_core::{Deleted, Expect, OpenMode, Stamp, StorePath};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, at_second, is_denied};

cases! {
    delete_a_file: "Deleting a file that may be any removes it, wherever it is",
    delete_a_symlink_itself: "Deleting a symlink removes the symlink, and where it leads nothing changes",
    delete_a_pipe: "Deleting a pipe removes it",
    delete_a_folder_for_a_file: "A folder where a file is expected is Changed, and stays",
    delete_what_is_gone: "Deleting what is not there is Gone, in a missing folder too",
    delete_below_a_file: "Deleting below a file is denied as WrongType",
    delete_an_unchanged_file: "A file with the expected length and stamps goes",
    delete_a_changed_file: "A file with another length or stamp is Changed, and stays",
    delete_another_kind_for_an_unchanged_file: "A folder or symlink where an unchanged file is expected is Changed",
    delete_an_empty_folder: "An empty folder goes",
    delete_a_full_folder: "A folder with something in it is Busy, and stays with all that is in it",
    delete_a_file_for_a_folder: "A file or symlink where a folder is expected is Changed, and stays",
    delete_a_batch: "A batch is answered name by name, in order, and one that cannot go keeps no other",
    delete_an_open_file: "An open file goes, and its name is free at once",
    delete_an_unchanged_file_that_is_locked: "An unchanged file whose lock somebody has is Busy and stays, until it is free",
    delete_an_unchanged_file_that_is_pinned: "An unchanged file with a pin is Pinned and stays, until the pin is gone",
    delete_what_is_changed_first_of_all: "A file that is not as expected is Changed, whatever locks and pins it has",
    delete_leaves_a_second_name: "An unchanged file with a second name goes under its own alone",
    delete_a_batch_of_unchanged_files: "Of a batch of unchanged files those go that nobody uses",
}

/// Puts a file and tells what an unchanged one looks like.
fn put_known(bench: &Bench<'_>, name: &str, bytes: &[u8]) -> (u64, Stamp, Stamp) {
    bench.put_file(name, bytes);
    bench.set_stamps(name, at_second(100), at_second(50));
    let stat = bench.stat_there(name);
    assert_eq!((stat.length, stat.accessed, stat.modified), (bytes.len() as u64, at_second(100), at_second(50)));
    (stat.length, stat.accessed, stat.modified)
}

fn delete_a_file(bench: &Bench<'_>) {
    bench.put_file("a", b"bytes");
    bench.put_file(".dlmanager/key.part", b"bytes");
    bench.put_file("b", b"bytes");
    assert_eq!(bench.delete_one("a", Expect::File), Deleted::Deleted);
    assert_eq!(bench.delete_one(".dlmanager/key.part", Expect::File), Deleted::Deleted);
    bench.assert_list(&[(".dlmanager", Folder), ("b", Regular)]);
}

fn delete_a_symlink_itself(bench: &Bench<'_>) {
    let outside = bench.outside().to_owned();
    bench.put_file("file", b"theirs");
    bench.put("link", Thing::Symlink("file"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    bench.put("away", Thing::Symlink(&outside));
    for name in ["link", "dangling", "away"] {
        assert_eq!(bench.delete_one(name, Expect::File), Deleted::Deleted, "{name}");
    }
    bench.assert_file("file", b"theirs");
    bench.assert_list(&[("file", Regular)]);
}

fn delete_a_pipe(bench: &Bench<'_>) {
    bench.put("a", Thing::Other);
    assert_eq!(bench.delete_one("a", Expect::File), Deleted::Deleted);
    bench.assert_list(&[]);
}

fn delete_a_folder_for_a_file(bench: &Bench<'_>) {
    bench.put("a", Thing::Folder);
    assert_eq!(bench.delete_one("a", Expect::File), Deleted::Changed);
    bench.assert_list(&[("a", Folder)]);
}

fn delete_what_is_gone(bench: &Bench<'_>) {
    let unchanged = Expect::Unchanged { length: 1, accessed: at_second(1), modified: at_second(1) };
    for expect in [Expect::File, Expect::EmptyFolder, unchanged] {
        assert_eq!(bench.delete_one("a", expect), Deleted::Gone, "{expect:?}");
        assert_eq!(bench.delete_one("folder/a", expect), Deleted::Gone, "{expect:?}");
    }
}

fn delete_below_a_file(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    for expect in [Expect::File, Expect::EmptyFolder] {
        let deleted = bench.delete_one("file/a", expect);
        assert!(is_denied(&deleted, WrongType), "{deleted:?}");
    }
    bench.assert_file("file", b"theirs");
}

fn delete_an_unchanged_file(bench: &Bench<'_>) {
    let (length, accessed, modified) = put_known(bench, "a", b"bytes");
    assert_eq!(bench.delete_one("a", Expect::Unchanged { length, accessed, modified }), Deleted::Deleted);
    bench.assert_list(&[]);
}

fn delete_a_changed_file(bench: &Bench<'_>) {
    let (length, accessed, modified) = put_known(bench, "a", b"bytes");
    let later = |stamp: Stamp| Stamp::from_nanos(stamp.as_nanos() + 2_000_000_000);
    for expect in [
        Expect::Unchanged { length: length + 1, accessed, modified },
        Expect::Unchanged { length: 0, accessed, modified },
        Expect::Unchanged { length, accessed: later(accessed), modified },
        Expect::Unchanged { length, accessed, modified: later(modified) },
        Expect::Unchanged { length, accessed: modified, modified: accessed },
    ] {
        assert_eq!(bench.delete_one("a", expect), Deleted::Changed, "{expect:?}");
    }
    bench.set_stamps("a", later(accessed), modified);
    assert_eq!(bench.delete_one("a", Expect::Unchanged { length, accessed, modified }), Deleted::Changed);
    bench.assert_file("a", b"bytes");
}

fn delete_another_kind_for_an_unchanged_file(bench: &Bench<'_>) {
    let (length, accessed, modified) = put_known(bench, "file", b"bytes");
    bench.put("link", Thing::Symlink("file"));
    bench.put("folder", Thing::Folder);
    assert_eq!(bench.delete_one("link", Expect::Unchanged { length, accessed, modified }), Deleted::Changed);
    for name in ["link", "folder"] {
        let stat = bench.stat_there(name);
        let expect = Expect::Unchanged { length: stat.length, accessed: stat.accessed, modified: stat.modified };
        assert_eq!(bench.delete_one(name, expect), Deleted::Changed, "{name}");
    }
    bench.assert_list(&[("file", Regular), ("folder", Folder), ("link", Symlink)]);
}

fn delete_an_empty_folder(bench: &Bench<'_>) {
    bench.put("folder/below", Thing::Folder);
    assert_eq!(bench.delete_one("folder/below", Expect::EmptyFolder), Deleted::Deleted);
    assert_eq!(bench.delete_one("folder", Expect::EmptyFolder), Deleted::Deleted);
    bench.assert_list(&[]);
}

fn delete_a_full_folder(bench: &Bench<'_>) {
    bench.put_file(".dlmanager/owner", b"");
    bench.put("folder/below", Thing::Folder);
    assert_eq!(bench.delete_one(".dlmanager", Expect::EmptyFolder), Deleted::Busy);
    assert_eq!(bench.delete_one("folder", Expect::EmptyFolder), Deleted::Busy);
    let kinds = [(".dlmanager", Folder), (".dlmanager/owner", Regular), ("folder", Folder), ("folder/below", Folder)];
    bench.assert_list(&kinds);
}

fn delete_a_file_for_a_folder(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    bench.put("empty", Thing::Folder);
    bench.put("link", Thing::Symlink("empty"));
    assert_eq!(bench.delete_one("file", Expect::EmptyFolder), Deleted::Changed);
    assert_eq!(bench.delete_one("link", Expect::EmptyFolder), Deleted::Changed);
    bench.assert_list(&[("empty", Folder), ("file", Regular), ("link", Symlink)]);
}

fn delete_a_batch(bench: &Bench<'_>) {
    bench.put_file("a", b"1");
    bench.put("folder", Thing::Folder);
    bench.put_file("full/file", b"2");
    bench.put_file("b", b"3");
    let deleted = bench.delete(&[
        ("a", Expect::File),
        ("a", Expect::File),
        ("folder", Expect::File),
        ("full", Expect::EmptyFolder),
        ("a/below", Expect::File),
        ("folder", Expect::EmptyFolder),
        ("b", Expect::File),
    ]);
    use Deleted::{Busy, Changed, Deleted as Done, Gone};
    assert_eq!(deleted, [Done, Gone, Changed, Busy, Gone, Done, Done]);
    bench.assert_list(&[("full", Folder), ("full/file", Regular)]);
}

fn delete_an_unchanged_file_that_is_locked(bench: &Bench<'_>) {
    bench.need_locks();
    let (length, accessed, modified) = put_known(bench, "a", b"bytes");
    let unchanged = Expect::Unchanged { length, accessed, modified };
    let file = bench.open("a", OpenMode::Read).unwrap();
    bench.lock(file, "a").unwrap();
    assert_eq!(bench.delete_one("a", unchanged), Deleted::Busy);
    assert_eq!(bench.stat_there("a").length, length);
    // That it was tried frees nobody's lock.
    assert_eq!(bench.delete_one("a", unchanged), Deleted::Busy);
    bench.unlock(file).unwrap();
    // Nor is a lock left where it did not go for another reason.
    assert_eq!(bench.delete_one("a", Expect::Unchanged { length: 0, accessed, modified }), Deleted::Changed);
    bench.lock(file, "a").unwrap();
    bench.close(file).unwrap();
    let program = bench.program();
    program.open_as(file, "a", OpenMode::Existing).unwrap();
    program.lock(file, "a").unwrap();
    assert_eq!(bench.delete_one("a", unchanged), Deleted::Busy);
    drop(program);
    assert_eq!(bench.delete_one("a", unchanged), Deleted::Deleted);
    bench.assert_list(&[]);
}

fn delete_an_unchanged_file_that_is_pinned(bench: &Bench<'_>) {
    let (length, accessed, modified) = put_known(bench, "a", b"bytes");
    let unchanged = Expect::Unchanged { length, accessed, modified };
    let pin = StorePath::entry("a").unwrap().pin();
    bench.put_file(StorePath::entry("b").unwrap().pin().as_str(), b"");
    bench.put_file(pin.as_str(), b"");
    assert_eq!(bench.delete_one("a", unchanged), Deleted::Pinned);
    assert_eq!(bench.stat_there("a").length, length);
    assert_eq!(bench.delete_one(pin.as_str(), Expect::File), Deleted::Deleted);
    // The pin of another name does not matter.
    assert_eq!(bench.delete_one("a", unchanged), Deleted::Deleted);
}

fn delete_what_is_changed_first_of_all(bench: &Bench<'_>) {
    bench.need_locks();
    let (length, accessed, modified) = put_known(bench, "a", b"bytes");
    bench.put_file(StorePath::entry("a").unwrap().pin().as_str(), b"");
    let file = bench.open("a", OpenMode::Read).unwrap();
    bench.lock(file, "a").unwrap();
    let changed = Expect::Unchanged { length: length + 1, accessed, modified };
    assert_eq!(bench.delete_one("a", changed), Deleted::Changed);
    assert_eq!(bench.delete_one("a", Expect::Unchanged { length, accessed, modified }), Deleted::Pinned);
    assert_eq!(bench.delete_one("a", Expect::File), Deleted::Deleted);
}

fn delete_leaves_a_second_name(bench: &Bench<'_>) {
    let (length, accessed, modified) = put_known(bench, "a", b"bytes");
    bench.put("b", Thing::Link("a"));
    assert_eq!(bench.delete_one("a", Expect::Unchanged { length, accessed, modified }), Deleted::Deleted);
    bench.assert_file("b", b"bytes");
    bench.assert_list(&[("b", Regular)]);
}

fn delete_a_batch_of_unchanged_files(bench: &Bench<'_>) {
    bench.need_locks();
    let known: Vec<_> = ["a", "b", "c", "d"].map(|name| put_known(bench, name, b"bytes")).into();
    let file = bench.open("b", OpenMode::Read).unwrap();
    bench.lock(file, "b").unwrap();
    bench.put_file(StorePath::entry("c").unwrap().pin().as_str(), b"");
    let unchanged = |at: usize| {
        let (length, accessed, modified): (u64, Stamp, Stamp) = known[at];
        Expect::Unchanged { length, accessed, modified }
    };
    let deleted = bench.delete(&[
        ("a", unchanged(0)),
        ("b", unchanged(1)),
        ("c", unchanged(2)),
        ("x", unchanged(0)),
        ("d", unchanged(3)),
    ]);
    use Deleted::{Busy, Deleted as Done, Gone, Pinned};
    assert_eq!(deleted, [Done, Busy, Pinned, Gone, Done]);
}

fn delete_an_open_file(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"old"]).unwrap();
    assert_eq!(bench.delete_one("a", Expect::File), Deleted::Deleted);
    bench.assert_list(&[]);
    let again = bench.create("a");
    bench.write(again, 0, &[b"new"]).unwrap();
    bench.write(file, 0, &[b"older"]).unwrap();
    bench.assert_file("a", b"new");
    bench.assert_list(&[("a", Regular)]);
}
