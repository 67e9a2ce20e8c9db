//! Which names are taken.

use std::time::Duration;

use dlmanager_core::FaultKind::BadName;
use dlmanager_core::FileKind::Regular;
use dlmanager_core::OpenMode::{CreateNew, CreateOrExisting, Existing, Read};
use dlmanager_core::{Deleted, Expect};

use super::cases;
use crate::bench::{Bench, is_denied, refused};

cases! {
    long_names: "A component of 255 bytes works with every operation",
    names_that_are_too_long: "A component of 256 bytes is BadName for every operation",
    paths_that_lead_out: "A path that is absolute, or has a component '', '.' or '..', is BadName for every operation",
    names_of_many_kinds: "Names with spaces, dots and letters of any script work",
}

fn long_names(bench: &Bench<'_>) {
    for name in ["n".repeat(255), "ü".repeat(127)] {
        let nested = format!("{name}/{name}");
        bench.make_dir(&name).unwrap();
        bench.create(&nested);
        bench.rename(&nested, &format!("{name}/b"), false).unwrap();
        bench.rename(&format!("{name}/b"), &nested, false).unwrap();
        bench.touch(&nested, Duration::ZERO).unwrap();
        assert!(bench.scan_all(bench.fresh_id(), 10, 2).entries.contains_key(&name));
        assert_eq!(bench.delete_one(&nested, Expect::File), Deleted::Deleted);
        assert_eq!(bench.delete_one(&name, Expect::EmptyFolder), Deleted::Deleted);
    }
}

fn names_that_are_too_long(bench: &Bench<'_>) {
    let long = "n".repeat(256);
    for bad in [long.clone(), format!("{long}/a"), format!("folder/{long}")] {
        assert_bad(bench, &bad);
    }
}

fn paths_that_lead_out(bench: &Bench<'_>) {
    for bad in ["", ".", "..", "../a", "folder/..", "folder/../a", "./a", "folder/", "folder//a", "/", "/etc", "/etc/a"]
    {
        assert_bad(bench, bad);
    }
}

/// Every operation with the name is refused, and changes nothing.
fn assert_bad(bench: &Bench<'_>, bad: &str) {
    if bench.list().is_empty() {
        bench.put_file("file", b"theirs");
        bench.put_file("folder/file", b"theirs");
    }
    let before = bench.list();
    assert_eq!(refused(bench.make_dir(bad)), BadName, "MakeDir {bad:?}");
    assert_eq!(refused(bench.stat(bad)), BadName, "Stat {bad:?}");
    for mode in [CreateNew, Existing, CreateOrExisting, Read] {
        assert_eq!(refused(bench.open(bad, mode)), BadName, "{mode:?} {bad:?}");
    }
    assert_eq!(refused(bench.probe(bad)), BadName, "Probe {bad:?}");
    assert_eq!(refused(bench.touch(bad, Duration::ZERO)), BadName, "Touch {bad:?}");
    for clobber in [false, true] {
        assert_eq!(refused(bench.rename("file", bad, clobber)), BadName, "rename to {bad:?}");
        assert_eq!(refused(bench.rename(bad, "b", clobber)), BadName, "rename from {bad:?}");
    }
    for expect in [Expect::File, Expect::EmptyFolder] {
        let deleted = bench.delete_one(bad, expect);
        assert!(is_denied(&deleted, BadName), "Delete {bad:?}: {deleted:?}");
    }
    assert_eq!(bench.list(), before);
    bench.assert_file("file", b"theirs");
    assert_eq!(bench.stat_there("file").kind, Regular);
}

fn names_of_many_kinds(bench: &Bench<'_>) {
    for name in ["a b", ".hidden", "a.tar.xz", "日本語", "e\u{301}", "...", "-rf", "~", "%2e%2e", "a\\b"] {
        if cfg!(windows) && (name.contains('\\') || name == "...") {
            continue;
        }
        let file = bench.create(name);
        bench.write(file, 0, &[name.as_bytes()]).unwrap();
        bench.assert_file(name, name.as_bytes());
        assert!(bench.scan_all(bench.fresh_id(), 100, 2).entries.contains_key(name), "{name}");
        assert_eq!(bench.delete_one(name, Expect::File), Deleted::Deleted, "{name}");
    }
}
