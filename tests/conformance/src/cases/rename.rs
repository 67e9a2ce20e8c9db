//! `Rename`.

use dlmanager_core::FaultKind::{Exists, NotFound, WrongType};
use dlmanager_core::FileKind::{Folder, Other, Regular, Symlink};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, refused};

cases! {
    rename_moves_the_file: "A rename gives the file its new name and takes the old one",
    rename_into_another_folder: "A rename may lead from one folder to another",
    no_clobber_over_a_file: "A rename without clobber over a file is Exists, and both files stay",
    no_clobber_over_a_folder: "A rename without clobber over a folder is Exists, and both stay",
    no_clobber_over_a_symlink: "A rename without clobber over a symlink is Exists, dangling or not, and both stay",
    no_clobber_over_a_pipe: "A rename without clobber over a pipe is Exists",
    no_clobber_over_itself: "A rename without clobber to the file's own name is Exists",
    replace_a_file: "A rename with clobber replaces a file",
    replace_nothing: "A rename with clobber works where nothing is",
    replace_a_folder: "A rename with clobber over a folder is WrongType, even an empty one",
    replace_a_symlink: "A rename with clobber over a symlink is WrongType, and where it leads nothing changes",
    replace_a_pipe: "A rename with clobber over a pipe is WrongType",
    rename_of_nothing: "A rename of what is not there is NotFound, and what has the new name stays",
    rename_of_a_folder: "A rename of a folder is WrongType",
    rename_of_a_symlink: "A rename of a symlink is WrongType",
    rename_into_a_missing_folder: "A rename into a missing folder is NotFound, below a file WrongType, and the file stays",
    a_renamed_file_stays_open: "A file that is renamed stays open, and writes follow it",
    a_replaced_file_stays_open: "Writes to a file that was replaced do not reach the new one",
}

fn rename_moves_the_file(bench: &Bench<'_>) {
    for (clobber, to) in [(false, "b"), (true, "c")] {
        bench.put_file("a", b"bytes");
        bench.rename("a", to, clobber).unwrap();
        bench.assert_file(to, b"bytes");
    }
    bench.assert_list(&[("b", Regular), ("c", Regular)]);
}

fn rename_into_another_folder(bench: &Bench<'_>) {
    bench.put_file(".dlmanager/key.part", b"bytes");
    bench.make_dir("sub/folder").unwrap();
    bench.rename(".dlmanager/key.part", "sub/folder/a", false).unwrap();
    bench.assert_file("sub/folder/a", b"bytes");
    bench.rename("sub/folder/a", "a", true).unwrap();
    bench.assert_file("a", b"bytes");
    bench.assert_list(&[(".dlmanager", Folder), ("a", Regular), ("sub", Folder), ("sub/folder", Folder)]);
}

fn no_clobber_over_a_file(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.put_file("b", b"theirs");
    assert_eq!(refused(bench.rename("a", "b", false)), Exists);
    bench.assert_file("a", b"ours");
    bench.assert_file("b", b"theirs");
}

fn no_clobber_over_a_folder(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.put("b", Thing::Folder);
    assert_eq!(refused(bench.rename("a", "b", false)), Exists);
    bench.assert_file("a", b"ours");
    bench.assert_list(&[("a", Regular), ("b", Folder)]);
}

fn no_clobber_over_a_symlink(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.put_file("file", b"theirs");
    bench.put("link", Thing::Symlink("file"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    for to in ["link", "dangling"] {
        assert_eq!(refused(bench.rename("a", to, false)), Exists, "{to}");
    }
    bench.assert_file("a", b"ours");
    bench.assert_file("file", b"theirs");
    bench.assert_list(&[("a", Regular), ("dangling", Symlink), ("file", Regular), ("link", Symlink)]);
}

fn no_clobber_over_a_pipe(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.put("b", Thing::Other);
    assert_eq!(refused(bench.rename("a", "b", false)), Exists);
    bench.assert_list(&[("a", Regular), ("b", Other)]);
}

fn no_clobber_over_itself(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    assert_eq!(refused(bench.rename("a", "a", false)), Exists);
    bench.assert_file("a", b"ours");
}

fn replace_a_file(bench: &Bench<'_>) {
    bench.put_file("folder/a", b"ours");
    bench.put_file("b", b"theirs, which is longer");
    bench.rename("folder/a", "b", true).unwrap();
    bench.assert_file("b", b"ours");
    bench.assert_list(&[("b", Regular), ("folder", Folder)]);
    bench.rename("b", "b", true).unwrap();
    bench.assert_file("b", b"ours");
}

fn replace_nothing(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.rename("a", "b", true).unwrap();
    bench.assert_file("b", b"ours");
    bench.assert_list(&[("b", Regular)]);
}

fn replace_a_folder(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.put("empty", Thing::Folder);
    bench.put_file("full/file", b"theirs");
    assert_eq!(refused(bench.rename("a", "empty", true)), WrongType);
    assert_eq!(refused(bench.rename("a", "full", true)), WrongType);
    bench.assert_file("a", b"ours");
    bench.assert_file("full/file", b"theirs");
    bench.assert_list(&[("a", Regular), ("empty", Folder), ("full", Folder), ("full/file", Regular)]);
}

fn replace_a_symlink(bench: &Bench<'_>) {
    let outside = format!("{}/kept", bench.outside());
    bench.put_file("a", b"ours");
    bench.put_file("file", b"theirs");
    bench.put("link", Thing::Symlink("file"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    bench.put("away", Thing::Symlink(&outside));
    let before = bench.list();
    for to in ["link", "dangling", "away"] {
        assert_eq!(refused(bench.rename("a", to, true)), WrongType, "{to}");
    }
    bench.assert_file("file", b"theirs");
    assert_eq!(bench.list(), before);
}

fn replace_a_pipe(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.put("b", Thing::Other);
    assert_eq!(refused(bench.rename("a", "b", true)), WrongType);
    bench.assert_list(&[("a", Regular), ("b", Other)]);
}

fn rename_of_nothing(bench: &Bench<'_>) {
    bench.put_file("b", b"theirs");
    for clobber in [false, true] {
        for from in ["a", "folder/a"] {
            for to in ["b", "c"] {
                assert_eq!(refused(bench.rename(from, to, clobber)), NotFound, "{from} to {to}, clobber {clobber}");
            }
        }
    }
    bench.assert_file("b", b"theirs");
    bench.assert_list(&[("b", Regular)]);
}

fn rename_of_a_folder(bench: &Bench<'_>) {
    bench.put_file("folder/file", b"theirs");
    for clobber in [false, true] {
        assert_eq!(refused(bench.rename("folder", "b", clobber)), WrongType);
    }
    bench.assert_list(&[("folder", Folder), ("folder/file", Regular)]);
}

fn rename_of_a_symlink(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    bench.put("link", Thing::Symlink("file"));
    for clobber in [false, true] {
        assert_eq!(refused(bench.rename("link", "b", clobber)), WrongType);
    }
    bench.assert_list(&[("file", Regular), ("link", Symlink)]);
}

fn rename_into_a_missing_folder(bench: &Bench<'_>) {
    bench.put_file("a", b"ours");
    bench.put_file("file", b"theirs");
    for clobber in [false, true] {
        assert_eq!(refused(bench.rename("a", "folder/a", clobber)), NotFound);
        assert_eq!(refused(bench.rename("a", "file/a", clobber)), WrongType);
        assert_eq!(refused(bench.rename("file/a", "b", clobber)), WrongType);
    }
    bench.assert_file("a", b"ours");
    bench.assert_list(&[("a", Regular), ("file", Regular)]);
}

fn a_renamed_file_stays_open(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"one"]).unwrap();
    bench.rename("a", "b", false).unwrap();
    bench.write(file, 3, &[b"two"]).unwrap();
    bench.sync(file).unwrap();
    bench.finish(file, 6).unwrap();
    bench.assert_file("b", b"onetwo");
    bench.assert_list(&[("b", Regular)]);
}

fn a_replaced_file_stays_open(bench: &Bench<'_>) {
    let replaced = bench.create("a");
    bench.put_file("b", b"new");
    bench.rename("b", "a", true).unwrap();
    bench.write(replaced, 0, &[b"into the old one"]).unwrap();
    bench.assert_file("a", b"new");
}
