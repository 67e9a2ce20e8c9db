//! `Scan`, and the kinds that `Stat` tells.

use std::collections::{BTreeMap, BTreeSet};

use dlmanager_core::FaultKind::{NotFound, WrongType};
use dlmanager_core::FileKind::{self, Folder, Other, Regular, Symlink};
use dlmanager_core::{Deleted, Expect};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, Scanned, at_second, refused};

cases! {
    stat_tells_the_kind: "Stat tells files, folders and symlinks apart, and follows none",
    stat_of_a_pipe: "Stat tells a pipe apart",
    stat_of_nothing: "Stat of what is not there is None, in a missing folder too",
    scan_of_an_empty_directory: "A scan of an empty directory ends with nothing",
    scan_tells_what_stat_tells: "A scan yields the entries of the directory itself, as Stat tells them",
    scan_tells_pipes: "A scan yields pipes as other things",
    scan_leaves_the_work_folder_out: "A scan leaves the work folder out, whatever it is, and nothing else that is hidden",
    scan_counts_unnameable_names: "A scan counts names that are not UTF-8 apart",
    scan_one_by_one: "A scan in batches of one yields every entry once",
    scan_in_batches: "A scan in batches of any size yields every entry once",
    scan_while_files_appear: "What appears during a scan comes once or not, and what stays comes once",
    scan_while_files_go: "What goes during a scan fails nothing, and what stays comes once",
    scan_after_its_end: "A scan stays at its end",
    scans_are_independent: "Two scans in turns each yield everything",
    scan_of_a_folder: "A scan of a folder yields what is in it, with the folder's name before, also of the work folder",
    scan_without_its_folder: "A scan of a folder that is not there is NotFound, of a file or a symlink WrongType",
    scan_can_be_left: "A scan can be closed in the middle, and the next one begins anew",
}

/// More than one system call yields, on the file systems of today.
const MANY: usize = 1500;

fn kinds(scanned: &Scanned) -> BTreeMap<&str, FileKind> {
    scanned.entries.iter().map(|(name, stat)| (name.as_str(), stat.kind)).collect()
}

fn put_many(bench: &Bench<'_>, prefix: &str, count: usize) -> BTreeSet<String> {
    let names: BTreeSet<String> = (0..count).map(|number| format!("{prefix}{number}")).collect();
    for name in &names {
        bench.put_file(name, b"x");
    }
    names
}

fn stat_tells_the_kind(bench: &Bench<'_>) {
    let outside = format!("{}/kept", bench.outside());
    bench.put_file("file", b"0123456789");
    bench.put("folder", Thing::Folder);
    bench.put("link", Thing::Symlink("file"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    bench.put("away", Thing::Symlink(&outside));
    bench.put_file("folder/below", b"abc");
    assert_eq!((bench.stat_there("file").kind, bench.stat_there("file").length), (Regular, 10));
    assert_eq!((bench.stat_there("folder/below").kind, bench.stat_there("folder/below").length), (Regular, 3));
    assert_eq!(bench.stat_there("folder").kind, Folder);
    for link in ["link", "dangling", "away"] {
        assert_eq!(bench.stat_there(link).kind, Symlink, "{link}");
    }
}

fn stat_of_a_pipe(bench: &Bench<'_>) {
    bench.put("a", Thing::Other);
    assert_eq!(bench.stat_there("a").kind, Other);
}

fn scan_of_a_folder(bench: &Bench<'_>) {
    bench.put_file("a", b"x");
    bench.put_file("folder/b", b"bytes");
    bench.put("folder/below/deeper", Thing::Folder);
    bench.put_file("folder/.dlmanager", b"");
    bench.put_file(".dlmanager/key.part", b"123");
    for (folder, names) in [
        ("folder", &["folder/.dlmanager", "folder/b", "folder/below"][..]),
        ("folder/below", &["folder/below/deeper"]),
        ("folder/below/deeper", &[]),
        (".dlmanager", &[".dlmanager/key.part"]),
    ] {
        for entries_max in [1, 100] {
            let scan = bench.fresh_id();
            let mut found = BTreeMap::new();
            loop {
                let batch = bench.scan_folder(scan, folder, entries_max).expect("a batch");
                found.extend(batch.entries.into_iter().map(|entry| (entry.path.as_str().to_owned(), entry.stat)));
                if batch.done {
                    break;
                }
            }
            assert!(found.keys().eq(names), "{folder}: {found:?}");
            assert!(found.iter().all(|(name, stat)| bench.stat_there(name) == *stat));
        }
    }
}

fn scan_without_its_folder(bench: &Bench<'_>) {
    bench.put_file("file", b"x");
    bench.put("folder", Thing::Folder);
    bench.put("link", Thing::Symlink("folder"));
    for (folder, kind) in [("missing", NotFound), ("missing/below", NotFound), ("file", WrongType), ("link", WrongType)]
    {
        assert_eq!(refused(bench.scan_folder(bench.fresh_id(), folder, 10)), kind, "{folder}");
    }
}

fn stat_of_nothing(bench: &Bench<'_>) {
    assert_eq!(bench.stat("a"), Ok(None));
    assert_eq!(bench.stat("folder/a"), Ok(None));
    assert_eq!(bench.stat(".dlmanager/key.part"), Ok(None));
}

fn scan_of_an_empty_directory(bench: &Bench<'_>) {
    let scanned = bench.scan_all(bench.fresh_id(), 10, 2);
    assert_eq!((scanned.entries, scanned.unnameable), (BTreeMap::new(), 0));
}

fn scan_tells_what_stat_tells(bench: &Bench<'_>) {
    bench.put_file("file", b"0123456789");
    bench.set_stamps("file", at_second(20), at_second(10));
    bench.put_file("folder/not in the directory itself", b"abc");
    bench.put("link", Thing::Symlink("file"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    bench.put("to-folder", Thing::Symlink("folder"));
    let scanned = bench.scan_all(bench.fresh_id(), 100, 2);
    let expected =
        [("dangling", Symlink), ("file", Regular), ("folder", Folder), ("link", Symlink), ("to-folder", Symlink)];
    assert_eq!(kinds(&scanned), BTreeMap::from(expected));
    for (name, stat) in &scanned.entries {
        assert_eq!(*stat, bench.stat_there(name), "{name}");
    }
}

fn scan_tells_pipes(bench: &Bench<'_>) {
    bench.put("a", Thing::Other);
    assert_eq!(kinds(&bench.scan_all(bench.fresh_id(), 100, 2)), BTreeMap::from([("a", Other)]));
}

fn scan_leaves_the_work_folder_out(bench: &Bench<'_>) {
    bench.put_file(".hidden", b"");
    bench.put_file(".dlmanager.txt", b"");
    let expected = BTreeMap::from([(".hidden", Regular), (".dlmanager.txt", Regular)]);
    bench.make_dir(".dlmanager").unwrap();
    bench.create(".dlmanager/key.part");
    assert_eq!(kinds(&bench.scan_all(bench.fresh_id(), 100, 2)), expected);
    assert_eq!(bench.delete_one(".dlmanager/key.part", Expect::File), Deleted::Deleted);
    assert_eq!(bench.delete_one(".dlmanager", Expect::EmptyFolder), Deleted::Deleted);
    bench.put_file(".dlmanager", b"");
    assert_eq!(kinds(&bench.scan_all(bench.fresh_id(), 100, 2)), expected);
}

fn scan_counts_unnameable_names(bench: &Bench<'_>) {
    bench.put_file("a", b"");
    for name in ["b", "c", "d"] {
        bench.put(name, Thing::Unnameable);
    }
    for entries_max in [1, 2, 100] {
        let scanned = bench.scan_all(bench.fresh_id(), entries_max, 6);
        assert_eq!(kinds(&scanned), BTreeMap::from([("a", Regular)]));
        assert_eq!(scanned.unnameable, 3);
    }
}

fn scan_one_by_one(bench: &Bench<'_>) {
    let names = put_many(bench, "f", 20);
    let scanned = bench.scan_all(bench.fresh_id(), 1, 21);
    assert_eq!(scanned.entries.into_keys().collect::<BTreeSet<_>>(), names);
}

fn scan_in_batches(bench: &Bench<'_>) {
    let names = put_many(bench, "a file with a name of some length ", MANY);
    for entries_max in [7, 100, MANY - 1, MANY, MANY + 1, usize::MAX] {
        let batches_max = MANY / entries_max + 2;
        let scanned = bench.scan_all(bench.fresh_id(), entries_max, batches_max);
        assert_eq!(scanned.entries.into_keys().collect::<BTreeSet<_>>(), names);
    }
}

fn scan_while_files_appear(bench: &Bench<'_>) {
    let names = put_many(bench, "there before ", MANY);
    let scan = bench.fresh_id();
    let first = bench.scan(scan, 10).unwrap();
    let new = put_many(bench, "new ", 200);
    let mut rest = bench.scan_all(scan, 100, MANY / 100 + 4).entries;
    for entry in first.entries {
        let name = entry.path.as_str().to_owned();
        assert!(rest.insert(name, entry.stat).is_none(), "{} came twice", entry.path);
    }
    let seen: BTreeSet<String> = rest.into_keys().collect();
    assert!(seen.is_superset(&names), "without {:?}", names.difference(&seen).collect::<Vec<_>>());
    let all: BTreeSet<String> = names.union(&new).cloned().collect();
    assert!(seen.is_subset(&all), "with {:?}", seen.difference(&all).collect::<Vec<_>>());
}

fn scan_while_files_go(bench: &Bench<'_>) {
    let stay = put_many(bench, "stays ", MANY);
    let go = put_many(bench, "goes ", 200);
    let scan = bench.fresh_id();
    let first = bench.scan(scan, 10).unwrap();
    let items: Vec<(&str, Expect)> = go.iter().map(|name| (name.as_str(), Expect::File)).collect();
    assert!(bench.delete(&items).iter().all(|deleted| *deleted == Deleted::Deleted));
    let mut seen: BTreeSet<String> = bench.scan_all(scan, 100, (MANY + 200) / 100 + 2).entries.into_keys().collect();
    for entry in first.entries {
        assert!(seen.insert(entry.path.as_str().to_owned()), "{} came twice", entry.path);
    }
    assert!(seen.is_superset(&stay), "without {:?}", stay.difference(&seen).collect::<Vec<_>>());
}

fn scan_after_its_end(bench: &Bench<'_>) {
    bench.put_file("a", b"");
    let scan = bench.fresh_id();
    assert_eq!(bench.scan_all(scan, 10, 2).entries.len(), 1);
    for _ in 0..2 {
        bench.put_file(&format!("late {}", bench.list().len()), b"");
        let batch = bench.scan(scan, 10).unwrap();
        assert!(batch.done && batch.entries.is_empty() && batch.unnameable == 0, "{batch:?}");
    }
}

fn scans_are_independent(bench: &Bench<'_>) {
    let names = put_many(bench, "f", 10);
    let scans = [bench.fresh_id(), bench.fresh_id()];
    let mut seen = [BTreeSet::new(), BTreeSet::new()];
    for _ in 0..11 {
        for (scan, seen) in scans.iter().zip(&mut seen) {
            seen.extend(bench.scan(*scan, 1).unwrap().entries.into_iter().map(|entry| entry.path.as_str().to_owned()));
        }
    }
    assert_eq!(seen, [names.clone(), names]);
}

fn scan_can_be_left(bench: &Bench<'_>) {
    let names = put_many(bench, "f", 10);
    let scan = bench.fresh_id();
    assert_eq!(bench.scan(scan, 3).unwrap().entries.len(), 3);
    bench.close(scan).unwrap();
    let scanned = bench.scan_all(bench.fresh_id(), 3, 5);
    assert_eq!(scanned.entries.into_keys().collect::<BTreeSet<_>>(), names);
}
