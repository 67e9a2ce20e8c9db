//! `Open` by its modes, beyond making what is not there and opening what is.

use dlmanager_core::FaultKind::{Denied, Exists, Io, NotFound, WrongType};
use dlmanager_core::FileKind::{Folder, Regular};
use dlmanager_core::OpenMode::{CreateNew, CreateOrExisting, Existing, Read};
use dlmanager_core::{OpenMode, Opened};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, refused};

cases! {
    open_tells_the_length_and_who_made_it: "Open tells whether it made the file, and how long the file is",
    create_or_existing_makes_or_keeps: "CreateOrExisting makes the file where none is, and keeps the bytes of one that is",
    create_or_existing_over_something_else: "CreateOrExisting over a folder, a symlink or a pipe is WrongType, and makes nothing",
    create_or_existing_without_its_folder: "CreateOrExisting in a missing folder is NotFound, below a file WrongType",
    create_or_existing_with_the_usual_mode: "A file that CreateOrExisting makes has mode 0666 less the umask",
    every_mode_but_one_reads_and_writes: "A file is open for reading and writing, by Read for reading only",
    a_file_with_two_names: "Existing and CreateOrExisting refuse a file with a second name as WrongType; Read opens it",
    a_file_with_one_name_again: "A file whose second name is gone is opened like any other",
    read_over_nothing_and_something_else: "Read of nothing is NotFound, of a folder, a symlink or a pipe WrongType",
}

fn opened(bench: &Bench<'_>, name: &str, mode: OpenMode) -> Opened {
    bench.open_as(bench.fresh_id(), name, mode).unwrap()
}

fn open_tells_the_length_and_who_made_it(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    bench.put_file("folder/empty", b"");
    assert_eq!(opened(bench, "new", CreateNew), Opened { created: true, length: 0 });
    for mode in [Existing, CreateOrExisting, Read] {
        assert_eq!(opened(bench, "a", mode), Opened { created: false, length: 10 }, "{mode:?}");
        assert_eq!(opened(bench, "folder/empty", mode), Opened { created: false, length: 0 }, "{mode:?}");
    }
    let file = bench.open("new", Existing).unwrap();
    bench.write(file, 3, &[b"x"]).unwrap();
    assert_eq!(opened(bench, "new", Existing), Opened { created: false, length: 4 });
}

fn create_or_existing_makes_or_keeps(bench: &Bench<'_>) {
    bench.make_dir("folder").unwrap();
    for name in ["a", "folder/a"] {
        assert_eq!(opened(bench, name, CreateOrExisting), Opened { created: true, length: 0 });
        let file = bench.open(name, CreateOrExisting).unwrap();
        bench.write(file, 0, &[b"0123456789"]).unwrap();
        assert_eq!(opened(bench, name, CreateOrExisting), Opened { created: false, length: 10 });
        bench.assert_file(name, b"0123456789");
    }
    bench.assert_list(&[("a", Regular), ("folder", Folder), ("folder/a", Regular)]);
}

/// Refused over each of what is no regular file.
fn assert_wrong_type(bench: &Bench<'_>, mode: OpenMode) {
    let outside = bench.outside().to_owned();
    bench.put("folder/sub", Thing::Folder);
    bench.put_file("file", b"theirs");
    for (name, target) in [("link", "file"), ("dangling", "nowhere"), ("folder/link", "../file")] {
        bench.put(name, Thing::Symlink(target));
    }
    bench.put("away", Thing::Symlink(&format!("{outside}/kept")));
    bench.put("new", Thing::Symlink(&format!("{outside}/new")));
    let before = bench.list();
    for name in ["folder", "folder/sub", "link", "dangling", "folder/link", "away", "new"] {
        assert_eq!(refused(bench.open(name, mode)), WrongType, "{name}");
    }
    bench.assert_file("file", b"theirs");
    assert_eq!(bench.list(), before);
    bench.put("pipe", Thing::Other);
    bench.put("folder/pipe", Thing::Other);
    assert_eq!(refused(bench.open("pipe", mode)), WrongType);
    assert_eq!(refused(bench.open("folder/pipe", mode)), WrongType);
}

fn create_or_existing_over_something_else(bench: &Bench<'_>) {
    assert_wrong_type(bench, CreateOrExisting);
}

fn create_or_existing_without_its_folder(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    assert_eq!(refused(bench.open("folder/a", CreateOrExisting)), NotFound);
    assert_eq!(refused(bench.open("file/a", CreateOrExisting)), WrongType);
    bench.assert_list(&[("file", Regular)]);
}

fn create_or_existing_with_the_usual_mode(bench: &Bench<'_>) {
    bench.open("a", CreateOrExisting).unwrap();
    let (mode, usual) = bench.modes("a");
    assert_eq!(mode, usual, "mode {mode:o} where a new file has {usual:o}");
}

fn every_mode_but_one_reads_and_writes(bench: &Bench<'_>) {
    for (name, mode) in [("a", CreateNew), ("a", Existing), ("a", CreateOrExisting), ("b", CreateOrExisting)] {
        let file = bench.open(name, mode).unwrap();
        bench.write(file, 0, &[b"abc"]).unwrap();
        assert_eq!(bench.read(file, 0, 10).unwrap(), &b"abc"[..], "{mode:?}");
        bench.truncate(file, 2).unwrap();
    }
    let file = bench.open("a", Read).unwrap();
    assert_eq!(bench.read(file, 0, 10).unwrap(), &b"ab"[..]);
    for kind in [refused(bench.write(file, 0, &[b"xyz"])), refused(bench.truncate(file, 0))] {
        assert!(matches!(kind, Io | Denied), "{kind:?}");
    }
    bench.finish(file, 2).unwrap();
    bench.assert_file("a", b"ab");
}

fn a_file_with_two_names(bench: &Bench<'_>) {
    bench.put_file("a", b"theirs");
    bench.put("folder/b", Thing::Link("a"));
    for name in ["a", "folder/b"] {
        assert_eq!(refused(bench.open(name, Existing)), WrongType);
        assert_eq!(refused(bench.open(name, CreateOrExisting)), WrongType);
        assert_eq!(refused(bench.open(name, CreateNew)), Exists);
        let file = bench.open(name, Read).unwrap();
        assert_eq!(bench.read(file, 0, 10).unwrap(), &b"theirs"[..]);
        bench.assert_file(name, b"theirs");
    }
}

fn a_file_with_one_name_again(bench: &Bench<'_>) {
    bench.put_file("a", b"theirs");
    bench.put("b", Thing::Link("a"));
    assert_eq!(bench.delete_one("b", dlmanager_core::Expect::File), dlmanager_core::Deleted::Deleted);
    for mode in [Existing, CreateOrExisting] {
        bench.open("a", mode).unwrap();
    }
}

fn read_over_nothing_and_something_else(bench: &Bench<'_>) {
    assert_eq!(refused(bench.open("a", Read)), NotFound);
    assert_eq!(refused(bench.open("folder/a", Read)), NotFound);
    bench.assert_list(&[]);
    assert_wrong_type(bench, Read);
}
