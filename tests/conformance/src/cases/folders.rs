//! `MakeDir`.

use dlmanager_core::FaultKind::WrongType;
use dlmanager_core::FileKind::{Folder, Other, Regular, Symlink};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, refused};

cases! {
    make_dir_with_parents: "MakeDir makes a folder and its parents",
    make_dir_twice: "MakeDir of a folder that is there is fine, and keeps what is in it",
    make_dir_over_a_file: "MakeDir over a file, or below one, is WrongType, and the file stays",
    make_dir_over_a_symlink: "MakeDir over a symlink is WrongType, even one to a folder",
    make_dir_over_a_pipe: "MakeDir over a pipe is WrongType",
}

fn make_dir_with_parents(bench: &Bench<'_>) {
    bench.make_dir("a").unwrap();
    bench.make_dir("b/c/d").unwrap();
    bench.make_dir("a/e").unwrap();
    bench.assert_list(&[("a", Folder), ("a/e", Folder), ("b", Folder), ("b/c", Folder), ("b/c/d", Folder)]);
}

fn make_dir_twice(bench: &Bench<'_>) {
    bench.make_dir("a/b").unwrap();
    bench.put_file("a/b/file", b"theirs");
    bench.make_dir("a/b").unwrap();
    bench.make_dir("a").unwrap();
    bench.assert_file("a/b/file", b"theirs");
    bench.assert_list(&[("a", Folder), ("a/b", Folder), ("a/b/file", Regular)]);
}

fn make_dir_over_a_file(bench: &Bench<'_>) {
    bench.put_file("a", b"theirs");
    bench.put_file("folder/a", b"theirs");
    for name in ["a", "a/b", "a/b/c", "folder/a", "folder/a/b"] {
        assert_eq!(refused(bench.make_dir(name)), WrongType, "{name}");
    }
    bench.assert_file("a", b"theirs");
    bench.assert_list(&[("a", Regular), ("folder", Folder), ("folder/a", Regular)]);
}

fn make_dir_over_a_symlink(bench: &Bench<'_>) {
    let outside = bench.outside().to_owned();
    bench.put("folder", Thing::Folder);
    bench.put("link", Thing::Symlink("folder"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    bench.put("away", Thing::Symlink(&outside));
    for link in ["link", "dangling", "away"] {
        assert_eq!(refused(bench.make_dir(link)), WrongType, "{link}");
        assert_eq!(refused(bench.make_dir(&format!("{link}/new"))), WrongType, "{link}/new");
        assert_eq!(refused(bench.make_dir(&format!("{link}/empty"))), WrongType, "{link}/empty");
    }
    bench.assert_list(&[("away", Symlink), ("dangling", Symlink), ("folder", Folder), ("link", Symlink)]);
}

fn make_dir_over_a_pipe(bench: &Bench<'_>) {
    bench.put("a", Thing::Other);
    assert_eq!(refused(bench.make_dir("a")), WrongType);
    assert_eq!(refused(bench.make_dir("a/b")), WrongType);
    bench.assert_list(&[("a", Other)]);
}
