//! Symlinks on the way to a name: every operation refuses them, and nothing changes where they lead.

use std::collections::BTreeMap;
use std::time::Duration;

use dlmanager_core::FaultKind::WrongType;
use dlmanager_core::FileKind;
use dlmanager_core::OpenMode::{CreateNew, CreateOrExisting, Existing, Read};
use dlmanager_core::{Deleted, Expect};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, is_denied, refused};

cases! {
    a_symlinked_folder_that_leads_out: "No operation goes through a symlink that leads out of the directory",
    a_symlinked_folder_that_stays_inside: "No operation goes through a symlink to a folder of the directory",
    a_symlink_to_the_directory_itself: "No operation goes through a symlink to the directory itself",
    a_symlink_in_the_middle: "No operation goes through a symlink in the middle of a path",
    a_dangling_folder: "No operation goes through a dangling symlink, and none makes what it leads to",
    a_symlinked_work_folder: "No operation goes through a work folder that is a symlink",
    a_work_folder_that_becomes_a_symlink: "A work folder that is replaced by a symlink is no longer gone through",
}

/// Every operation below `link` is refused; `kept` is a file that stands where the link leads, `empty` a folder.
fn assert_refused_below(bench: &Bench<'_>, link: &str) {
    let below = |name: &str| format!("{link}/{name}");
    let mut before = bench.list();
    bench.put_file("ours", b"ours");
    before.insert("ours".into(), FileKind::Regular);

    assert_eq!(refused(bench.make_dir(&below("new"))), WrongType, "MakeDir");
    assert_eq!(refused(bench.make_dir(&below("empty"))), WrongType, "MakeDir of what is there");
    assert_eq!(refused(bench.make_dir(&below("empty/new"))), WrongType, "MakeDir far below");
    assert_eq!(refused(bench.stat(&below("kept"))), WrongType, "Stat");
    assert_eq!(refused(bench.stat(&below("not-there"))), WrongType, "Stat of nothing");
    assert_eq!(refused(bench.open(&below("new"), CreateNew)), WrongType, "CreateNew");
    assert_eq!(refused(bench.open(&below("kept"), CreateNew)), WrongType, "CreateNew of what is there");
    assert_eq!(refused(bench.open(&below("empty/new"), CreateNew)), WrongType, "CreateNew far below");
    for mode in [Existing, CreateOrExisting, Read] {
        assert_eq!(refused(bench.open(&below("kept"), mode)), WrongType, "{mode:?}");
        assert_eq!(refused(bench.open(&below("new"), mode)), WrongType, "{mode:?} of nothing");
    }
    assert_eq!(refused(bench.probe(&below("new"))), WrongType, "Probe");
    for clobber in [false, true] {
        assert_eq!(refused(bench.rename("ours", &below("new"), clobber)), WrongType, "rename to");
        assert_eq!(refused(bench.rename("ours", &below("kept"), clobber)), WrongType, "rename over");
        assert_eq!(refused(bench.rename(&below("kept"), "new", clobber)), WrongType, "rename from");
    }
    assert_eq!(refused(bench.sync_dir(&below("kept"))), WrongType, "SyncDir");
    assert_eq!(refused(bench.touch(&below("kept"), Duration::ZERO)), WrongType, "Touch");
    for (name, expect) in [("kept", Expect::File), ("empty", Expect::EmptyFolder), ("not-there", Expect::File)] {
        let deleted = bench.delete_one(&below(name), expect);
        assert!(is_denied(&deleted, WrongType), "Delete {name}: {deleted:?}");
    }

    bench.assert_file("ours", b"ours");
    assert_eq!(bench.list(), before);
    assert_eq!(bench.delete_one("ours", Expect::File), Deleted::Deleted);
}

fn a_symlinked_folder_that_leads_out(bench: &Bench<'_>) {
    let outside = bench.outside().to_owned();
    bench.put("link", Thing::Symlink(&outside));
    assert_refused_below(bench, "link");
}

fn put_inside(bench: &Bench<'_>, folder: &str) {
    bench.put_file(&format!("{folder}/kept"), b"theirs");
    bench.put(&format!("{folder}/empty"), Thing::Folder);
}

fn a_symlinked_folder_that_stays_inside(bench: &Bench<'_>) {
    put_inside(bench, "real");
    bench.put("link", Thing::Symlink("real"));
    assert_refused_below(bench, "link");
    bench.assert_file("real/kept", b"theirs");
}

fn a_symlink_to_the_directory_itself(bench: &Bench<'_>) {
    bench.put_file("kept", b"theirs");
    bench.put("empty", Thing::Folder);
    bench.put("link", Thing::Symlink("."));
    assert_refused_below(bench, "link");
    bench.assert_file("kept", b"theirs");
}

fn a_symlink_in_the_middle(bench: &Bench<'_>) {
    let outside = bench.outside().to_owned();
    put_inside(bench, "real");
    bench.put("folder/link", Thing::Symlink("../real"));
    bench.put("folder/sub/away", Thing::Symlink(&outside));
    assert_refused_below(bench, "folder/link");
    assert_refused_below(bench, "folder/sub/away");
    bench.assert_file("real/kept", b"theirs");
}

fn a_dangling_folder(bench: &Bench<'_>) {
    let outside = format!("{}/new", bench.outside());
    bench.put("link", Thing::Symlink("nowhere"));
    bench.put("away", Thing::Symlink(&outside));
    assert_refused_below(bench, "link");
    assert_refused_below(bench, "away");
}

fn a_symlinked_work_folder(bench: &Bench<'_>) {
    let outside = bench.outside().to_owned();
    bench.put(".dlmanager", Thing::Symlink(&outside));
    assert_refused_below(bench, ".dlmanager");
    assert_eq!(refused(bench.make_dir(".dlmanager")), WrongType);
    assert_eq!(bench.delete_one(".dlmanager", Expect::EmptyFolder), Deleted::Changed);
    assert_eq!(bench.scan_all(bench.fresh_id(), 10, 2).entries, BTreeMap::new());
}

fn a_work_folder_that_becomes_a_symlink(bench: &Bench<'_>) {
    let outside = bench.outside().to_owned();
    bench.make_dir(".dlmanager").unwrap();
    let file = bench.create(".dlmanager/key.part");
    bench.write(file, 0, &[b"one"]).unwrap();
    bench.rename(".dlmanager/key.part", "a", false).unwrap();
    assert_eq!(bench.delete_one(".dlmanager", Expect::EmptyFolder), Deleted::Deleted);
    bench.put(".dlmanager", Thing::Symlink(&outside));
    assert_refused_below(bench, ".dlmanager");
    bench.write(file, 3, &[b"two"]).unwrap();
    bench.assert_file("a", b"onetwo");
}
