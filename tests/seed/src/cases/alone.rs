//! `PersistLimit` by itself: registered files, in real directories, and no manager.

use std::path::PathBuf;

use dlmanager::{LimitUsage, OpenError, PersistLimit};
use dlmanager_origin::Reply;

use crate::bench::Bench;
use crate::place::TEN;
use crate::setting::Setting;
use crate::wait::close;

/// A limit of several directories and patterns, and one that a manager gets.
pub(super) fn made_beforehand(setting: &Setting) {
    let bench = Bench::new(setting);
    for (name, hours) in [("x/a.zip", 6), ("y/b.tar", 5), ("x/c.tar", 4), ("y/d.zip", 3), ("y/e.tar", 2)] {
        bench.place.put_aged(name, TEN, hours);
    }
    let mut limit = PersistLimit::new(10, 2);
    assert_eq!(limit.register_dir_content(path(&bench, "x"), "*.zip").unwrap(), 1);
    assert_eq!(limit.register_dir_content(path(&bench, "y"), "*.zip").unwrap(), 1);
    assert_eq!(limit.register_dir_content(path(&bench, "y"), "*.tar").unwrap(), 2);
    assert_eq!(limit.usage(), LimitUsage { files: 4, bytes: 40 });
    let swept = limit.remove_old_files();
    assert_eq!((swept.usage, limit.usage()), (LimitUsage { files: 2, bytes: 20 }, swept.usage));
    bench.place.assert_visible(&[("x/c.tar", TEN), ("y/d.zip", TEN), ("y/e.tar", TEN)]);

    let bench = Bench::new(setting);
    for (name, hours) in [("a.zip", 6), ("b", 5), ("c.tar", 4), ("d.zip", 3)] {
        bench.place.put_aged(name, TEN, hours);
    }
    let mut limit = PersistLimit::new(10, 1);
    for pattern in ["*.zip", "*.tar"] {
        limit.register_dir_content(bench.place.path(), pattern).unwrap();
    }
    let mut beyond = limit.clone();
    beyond.register_dir_content(path(&bench, ".."), "*").unwrap();
    let refused = bench.builder().persist_limit(beyond).open().unwrap_err();
    assert!(matches!(refused, OpenError::Registered { .. }), "{refused}");
    let manager = bench.builder().persist_limit(limit).open().expect("registering is adopting");
    bench.origin.serve("/new.zip", Reply::body(TEN));
    bench.download(&manager, "/new.zip");
    close(&manager);
    bench.place.assert_holds(&[("b", TEN), ("new.zip", TEN)]);
}

pub(super) fn register_file_skips(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    bench.place.put_aged(".hidden", TEN, 9);
    bench.place.put_folder("folder");
    bench.place.put_symlink("link", "a");
    bench.place.put_other("other");
    let mut limit = PersistLimit::new(10, 1);
    for (name, counts) in [
        ("missing", false),
        ("missing/below", false),
        ("folder", false),
        ("link", false),
        ("other", false),
        ("f", true),
        (".hidden", true),
    ] {
        assert_eq!(limit.register_file(path(&bench, name)).unwrap(), counts, "{name}");
    }
    assert_eq!(limit.usage(), LimitUsage { files: 2, bytes: 20 });
    limit.remove_old_files();
    assert_eq!(bench.place.kind(".hidden"), None);
    assert_eq!(bench.place.read("f").as_deref(), Some(TEN));
    assert_eq!(bench.place.read("a").as_deref(), Some(TEN), "what is not registered stays");
}

pub(super) fn a_pattern_is_a_glob(setting: &Setting) {
    let bench = Bench::new(setting);
    for name in ["a.zip", "b.zip", "c.tar", ".d.zip", "folder/e.zip"] {
        bench.place.put(name, TEN);
    }
    for (pattern, counted) in [("*", 3), ("*.zip", 2), ("[!b]*", 2), ("?.tar", 1), (".*", 1), ("x", 0)] {
        let mut limit = PersistLimit::of_size(10);
        assert_eq!(limit.register_dir_content(bench.place.path(), pattern).unwrap(), counted, "{pattern}");
        assert_eq!(limit.usage().files, counted, "{pattern}");
    }
    let mut limit = PersistLimit::of_size(10);
    assert_eq!(limit.register_dir_content(path(&bench, "missing"), "*").unwrap(), 0);
}

pub(super) fn the_rows_of_the_python_librarys_tests_hold(setting: &Setting) {
    for (size_limit, file_limit, left) in
        [(10, 5, "bcdef"), (10, 3, "def"), (0, 5, "abcdef"), (5, 0, "abcdef"), (35, 1, "def")]
    {
        let bench = Bench::new(setting);
        bench.place.put_six();
        let mut limit = PersistLimit::new(size_limit, file_limit);
        limit.register_dir_content(bench.place.path(), "*").unwrap();
        assert_eq!(bench.place.names().len(), 6);
        let swept = limit.remove_old_files();
        assert_eq!(bench.place.names().concat(), left, "{size_limit}, {file_limit}");
        assert_eq!((swept.usage.files, swept.failures), (left.len() as u64, vec![]));
    }
}

pub(super) fn looked_at_again(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    let mut limit = PersistLimit::new(10, 4);
    for _ in 0..2 {
        limit.register_dir_content(bench.place.path(), "*").unwrap();
        limit.register_file(path(&bench, "a")).unwrap();
        assert_eq!(limit.usage(), LimitUsage { files: 6, bytes: 60 }, "each counts once");
    }
    bench.place.put("a", b"changed, and used just now");
    bench.place.set_used("a", std::time::SystemTime::now());
    bench.place.remove_file("b");
    let swept = limit.remove_old_files();
    assert_eq!(bench.place.names(), ["a", "d", "e", "f"]);
    assert_eq!(swept.usage, LimitUsage { files: 4, bytes: 30 + 26 });
}

fn path(bench: &Bench, name: &str) -> PathBuf {
    bench.place.path().join(name)
}
