//! `Open`, and `Finish`, which looks at what was opened.

use dlmanager_core::FaultKind::{Changed, Exists, NotFound, WrongType};
use dlmanager_core::FileKind::{Folder, Other, Regular, Symlink};
use dlmanager_core::OpenMode::{CreateNew, Existing};
use dlmanager_core::{Deleted, Expect};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, refused};

cases! {
    create_makes_an_empty_file: "CreateNew makes an empty regular file",
    create_over_a_file: "CreateNew over a file is Exists, and the file stays",
    create_over_a_folder: "CreateNew over a folder is Exists, and the folder stays",
    create_over_a_symlink: "CreateNew over a symlink to a file is Exists, and both stay",
    create_over_a_dangling_symlink: "CreateNew over a dangling symlink is Exists, and makes nothing where it leads",
    create_over_a_pipe: "CreateNew over a pipe is Exists",
    create_without_its_folder: "CreateNew in a missing folder is NotFound, and makes no folder",
    create_below_a_file: "CreateNew below a file is WrongType",
    create_with_the_usual_mode: "A new file has mode 0666 less the umask",
    existing_keeps_the_bytes: "Existing keeps the bytes, and writes go over them",
    existing_without_a_file: "Existing without a file is NotFound, and makes none",
    existing_over_a_folder: "Existing over a folder is WrongType",
    existing_over_a_symlink: "Existing over a symlink is WrongType, dangling or not",
    existing_over_a_pipe: "Existing over a pipe is WrongType, and does not wait for a reader",
    open_twice: "A file may be open twice; both see the same bytes",
    finish_compares_the_length: "Finish with another length is Changed, with the right one it is fine",
    finish_sees_what_others_wrote: "Finish sees bytes that another handle added",
    finish_sees_where_the_name_leads: "Finish under a name that leads elsewhere or nowhere is Changed",
    finish_counts_names: "Finish of a file that has a second name is WrongType where the name matters",
}

fn create_makes_an_empty_file(bench: &Bench<'_>) {
    bench.make_dir("folder").unwrap();
    for name in ["a", "folder/a"] {
        bench.create(name);
        bench.assert_file(name, b"");
    }
    bench.assert_list(&[("a", Regular), ("folder", Folder), ("folder/a", Regular)]);
}

fn create_over_a_file(bench: &Bench<'_>) {
    bench.put_file("a", b"theirs");
    assert_eq!(refused(bench.open("a", CreateNew)), Exists);
    bench.assert_file("a", b"theirs");
}

fn create_over_a_folder(bench: &Bench<'_>) {
    bench.put("a", Thing::Folder);
    assert_eq!(refused(bench.open("a", CreateNew)), Exists);
    bench.assert_list(&[("a", Folder)]);
}

fn create_over_a_symlink(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    bench.put("a", Thing::Symlink("file"));
    assert_eq!(refused(bench.open("a", CreateNew)), Exists);
    bench.assert_file("file", b"theirs");
    bench.assert_list(&[("a", Symlink), ("file", Regular)]);
}

fn create_over_a_dangling_symlink(bench: &Bench<'_>) {
    let outside = format!("{}/new", bench.outside());
    bench.put("a", Thing::Symlink("nowhere"));
    bench.put("folder/a", Thing::Symlink("nowhere"));
    bench.put("b", Thing::Symlink(&outside));
    for name in ["a", "folder/a", "b"] {
        assert_eq!(refused(bench.open(name, CreateNew)), Exists);
    }
    bench.assert_list(&[("a", Symlink), ("b", Symlink), ("folder", Folder), ("folder/a", Symlink)]);
}

fn create_over_a_pipe(bench: &Bench<'_>) {
    bench.put("a", Thing::Other);
    assert_eq!(refused(bench.open("a", CreateNew)), Exists);
    bench.assert_list(&[("a", Other)]);
}

fn create_without_its_folder(bench: &Bench<'_>) {
    assert_eq!(refused(bench.open("folder/a", CreateNew)), NotFound);
    assert_eq!(refused(bench.open("far/folder/a", CreateNew)), NotFound);
    bench.assert_list(&[]);
}

fn create_below_a_file(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    assert_eq!(refused(bench.open("file/a", CreateNew)), WrongType);
    assert_eq!(refused(bench.open("file/far/a", CreateNew)), WrongType);
    bench.assert_file("file", b"theirs");
}

fn create_with_the_usual_mode(bench: &Bench<'_>) {
    bench.create("a");
    bench.make_dir("folder").unwrap();
    bench.create("folder/a");
    for name in ["a", "folder/a"] {
        let (mode, usual) = bench.modes(name);
        assert_eq!(mode, usual, "mode {mode:o} where a new file has {usual:o}");
    }
}

fn existing_keeps_the_bytes(bench: &Bench<'_>) {
    bench.put_file("folder/a", b"0123456789");
    bench.put_file("a", b"0123456789");
    for name in ["a", "folder/a"] {
        let file = bench.open(name, Existing).unwrap();
        bench.assert_file(name, b"0123456789");
        bench.write(file, 3, &[b"xy"]).unwrap();
        bench.assert_file(name, b"012xy56789");
    }
}

fn existing_without_a_file(bench: &Bench<'_>) {
    assert_eq!(refused(bench.open("a", Existing)), NotFound);
    assert_eq!(refused(bench.open("folder/a", Existing)), NotFound);
    bench.assert_list(&[]);
}

fn existing_over_a_folder(bench: &Bench<'_>) {
    bench.put("folder/a", Thing::Folder);
    assert_eq!(refused(bench.open("folder", Existing)), WrongType);
    assert_eq!(refused(bench.open("folder/a", Existing)), WrongType);
}

fn existing_over_a_symlink(bench: &Bench<'_>) {
    let outside = format!("{}/kept", bench.outside());
    bench.put_file("file", b"theirs");
    bench.put("link", Thing::Symlink("file"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    bench.put("away", Thing::Symlink(&outside));
    bench.put("folder/link", Thing::Symlink("../file"));
    for name in ["link", "dangling", "away", "folder/link"] {
        assert_eq!(refused(bench.open(name, Existing)), WrongType, "{name}");
    }
    bench.assert_file("file", b"theirs");
}

fn existing_over_a_pipe(bench: &Bench<'_>) {
    bench.put("a", Thing::Other);
    bench.put("folder/a", Thing::Other);
    assert_eq!(refused(bench.open("a", Existing)), WrongType);
    assert_eq!(refused(bench.open("folder/a", Existing)), WrongType);
}

fn open_twice(bench: &Bench<'_>) {
    let first = bench.create("a");
    let second = bench.open("a", Existing).unwrap();
    bench.write(first, 0, &[b"one"]).unwrap();
    bench.write(second, 3, &[b"two"]).unwrap();
    bench.close(first).unwrap();
    bench.write(second, 6, &[b"three"]).unwrap();
    bench.assert_file("a", b"onetwothree");
}

fn finish_compares_the_length(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.finish(file, 0).unwrap();
    bench.write(file, 0, &[b"0123456789"]).unwrap();
    for wrong in [0, 9, 11, u64::MAX] {
        assert_eq!(refused(bench.finish(file, wrong)), Changed, "{wrong}");
    }
    bench.finish(file, 10).unwrap();
}

fn finish_sees_what_others_wrote(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"0123456789"]).unwrap();
    let other = bench.open("a", Existing).unwrap();
    bench.write(other, 10, &[b"x"]).unwrap();
    assert_eq!(refused(bench.finish(file, 10)), Changed);
}

fn finish_sees_where_the_name_leads(bench: &Bench<'_>) {
    bench.make_dir("folder").unwrap();
    for name in ["a", "folder/a"] {
        let file = bench.create(name);
        bench.write(file, 0, &[b"0123"]).unwrap();
        bench.finish_as(file, 4, name).unwrap();
        assert_eq!(refused(bench.finish_as(file, 3, name)), Changed, "another length");
        bench.rename(name, "b", false).unwrap();
        assert_eq!(refused(bench.finish_as(file, 4, name)), Changed, "gone");
        bench.finish_as(file, 4, "b").unwrap();
        bench.put_file(name, b"0123");
        assert_eq!(refused(bench.finish_as(file, 4, name)), Changed, "another file");
        assert_eq!(bench.delete_one("b", Expect::File), Deleted::Deleted);
        assert_eq!(refused(bench.finish_as(file, 4, "b")), Changed, "deleted");
        bench.finish(file, 4).unwrap();
    }
}

fn finish_counts_names(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.put("b", Thing::Link("a"));
    assert_eq!(refused(bench.finish_as(file, 0, "a")), WrongType);
    bench.finish(file, 0).unwrap();
    assert_eq!(bench.delete_one("b", Expect::File), Deleted::Deleted);
    bench.finish_as(file, 0, "a").unwrap();
}
