//! A limit by itself, and one that was made before its manager.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dlmanager::{DirectoryError, DownloadManager, FaultKind, LimitUsage, OpenError, PersistLimit, Swept, Unmet};

use crate::support::{close, names, visible, within};

/// A file of 10 bytes that was last accessed so many hours ago.
fn put(path: &Path, hours: u64) {
    fs::write(path, "0123456789").unwrap();
    set_used(path, hours);
}

fn set_used(path: &Path, hours: u64) {
    let accessed = SystemTime::now() - Duration::from_secs(3600 * hours);
    let times = fs::FileTimes::new().set_accessed(accessed).set_modified(accessed);
    fs::File::options().write(true).open(path).unwrap().set_times(times).unwrap();
}

/// Six files, `a` the oldest.
fn six_files(folder: &Path) {
    for (hours, name) in (1..).zip(["f", "e", "d", "c", "b", "a"]) {
        put(&folder.join(name), hours);
    }
}

const fn usage(files: u64, bytes: u64) -> LimitUsage {
    LimitUsage { files, bytes }
}

#[test]
fn the_rule_holds_without_a_manager() {
    for (size_limit, file_limit, left, unmet) in [
        (10, 5, "bcdef", Some(Unmet::FileLimit)),
        (10, 3, "def", Some(Unmet::FileLimit)),
        (0, 5, "abcdef", None),
        (5, 0, "abcdef", None),
        (35, 1, "def", None),
        (60, 1, "bcdef", None),
        (61, 1, "abcdef", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        six_files(folder.path());
        let mut limit = PersistLimit::new(size_limit, file_limit);
        assert_eq!(limit.register_dir_content(folder.path(), "*").unwrap(), 6);
        assert_eq!(limit.usage(), usage(6, 60));
        assert_eq!(visible(folder.path()).len(), 6, "nothing goes before it is asked for");
        for _ in 0..2 {
            let Swept { usage: after, unmet: why, failures, .. } = limit.remove_old_files();
            assert_eq!(visible(folder.path()).into_iter().collect::<String>(), left, "{limit:?}");
            assert_eq!((after, why), (usage(left.len() as u64, 10 * left.len() as u64), unmet), "{limit:?}");
            assert_eq!((limit.usage(), failures), (after, Vec::new()));
        }
        assert!(!folder.path().join(".dlmanager").exists());
    }
}

#[test]
fn a_file_counts_once_as_it_was_seen_last_and_only_while_it_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    put(&path("a"), 1);
    put(&path(".hidden"), 2);
    fs::create_dir(path("folder")).unwrap();
    let mut limit = PersistLimit::of_size(10);
    for _ in 0..2 {
        assert!(limit.register_file(path("a")).unwrap());
        assert!(limit.register_file(path("folder/../a")).unwrap(), "another way to the same file");
        assert_eq!(limit.usage(), usage(1, 10));
    }
    fs::write(path("a"), "longer than before").unwrap();
    assert!(limit.register_file(path("a")).unwrap());
    assert_eq!(limit.usage(), usage(1, 18));
    assert!(limit.register_file(path(".hidden")).unwrap(), "one that is named counts");
    for missing in ["missing", "missing/below", "a/below", "folder", "folder/..", "."] {
        assert!(!limit.register_file(path(missing)).unwrap(), "{missing}");
    }
    assert!(!limit.register_file("/").unwrap());
    assert_eq!(limit.usage(), usage(2, 28));
    fs::remove_file(path("a")).unwrap();
    assert!(!limit.register_file(path("a")).unwrap());
    assert_eq!(limit.usage(), usage(1, 10), "what is gone is forgotten");
    assert!(limit.register_file("").is_err());
}

#[test]
fn a_directory_counts_as_a_glob_would_have_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.zip", "b.zip", "c.ZIP", ".d.zip", "e"] {
        put(&folder.path().join(name), 1);
    }
    fs::create_dir(folder.path().join("folder.zip")).unwrap();
    put(&folder.path().join("folder.zip/f.zip"), 1);
    for (pattern, count) in [("*", 4), ("*.zip", 2), ("[!ab]*", 2), (".*", 1), (".*.zip", 1), ("*/f.zip", 0), ("", 0)] {
        let mut limit = PersistLimit::of_size(10);
        for _ in 0..2 {
            assert_eq!(limit.register_dir_content(folder.path(), pattern).unwrap(), count, "{pattern}");
            assert_eq!(limit.usage(), usage(count, 10 * count), "{pattern}");
        }
    }
    let mut limit = PersistLimit::of_size(10);
    assert_eq!(limit.register_dir_content(folder.path().join("missing"), "*").unwrap(), 0);
    assert_eq!(limit.register_dir_content(folder.path().join("e"), "*").unwrap(), 0, "a file is no directory");
    assert_eq!(limit.usage(), usage(0, 0));
}

#[test]
fn files_of_several_directories_go_by_age_and_equals_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("x")).unwrap();
    fs::create_dir(path("y")).unwrap();
    put(&path("x/a"), 1);
    put(&path("y/b"), 3);
    put(&path("x/c"), 2);
    put(&path("y/kept"), 9);
    let mut limit = PersistLimit::new(20, 1);
    limit.register_dir_content(path("x"), "*").unwrap();
    limit.register_file(path("y/b")).unwrap();
    assert_eq!(limit.remove_old_files().usage, usage(1, 10));
    assert_eq!((visible(&path("x")), visible(&path("y"))), (names(&["a"]), names(&["kept"])));

    let same = fs::FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH).set_modified(SystemTime::UNIX_EPOCH);
    let mut limit = PersistLimit::new(1, 2);
    for name in ["x/b", "y/a", "x/d", "y/c"] {
        put(&path(name), 0);
        fs::File::options().write(true).open(path(name)).unwrap().set_times(same).unwrap();
        limit.register_file(path(name)).unwrap();
    }
    limit.remove_old_files();
    assert_eq!((visible(&path("x")), visible(&path("y"))), (names(&["a", "d"]), names(&["c", "kept"])));
}

#[test]
fn each_file_is_looked_at_again_before_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    six_files(folder.path());
    let path = |name: &str| folder.path().join(name);
    let mut limit = PersistLimit::new(31, 1);
    limit.register_dir_content(folder.path(), "*").unwrap();
    // The oldest becomes the youngest; the next one is gone; one is no file any more.
    set_used(&path("a"), 0);
    fs::remove_file(path("b")).unwrap();
    fs::remove_file(path("c")).unwrap();
    fs::create_dir(path("c")).unwrap();
    let swept = limit.remove_old_files();
    assert_eq!((swept.usage, swept.failures), (usage(3, 30), Vec::new()));
    assert_eq!(visible(folder.path()), names(&["a", "c", "e", "f"]));

    // One that shrank meanwhile makes room by that alone.
    put(&path("e"), 5);
    let mut limit = PersistLimit::new(25, 1);
    limit.register_dir_content(folder.path(), "*").unwrap();
    fs::write(path("e"), "").unwrap();
    set_used(&path("e"), 5);
    assert_eq!(limit.remove_old_files().usage, usage(3, 20));
    assert_eq!(visible(folder.path()), names(&["a", "c", "e", "f"]));
}

#[test]
fn a_failed_removal_is_told_and_neither_stops_the_pass_nor_falsifies_the_sum() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["x", "y"] {
        fs::create_dir(path(name)).unwrap();
    }
    put(&path("x/a"), 9);
    put(&path("y/b"), 8);
    put(&path("y/c"), 7);
    put(&path("y/d"), 6);
    let mut limit = PersistLimit::new(30, 1);
    limit.register_dir_content(path("x"), "*").unwrap();
    limit.register_dir_content(path("y"), "*").unwrap();
    // What was a folder is none for now, so that nothing in it can be removed.
    fs::rename(path("x"), path("away")).unwrap();
    fs::write(path("x"), "in the way").unwrap();
    for _ in 0..2 {
        let swept = limit.remove_old_files();
        let [(failed, fault)] = &swept.failures[..] else { panic!("{swept:?}") };
        assert_eq!((failed.file_name().unwrap(), fault.kind()), ("a".as_ref(), FaultKind::WrongType));
        assert!(failed.ends_with("x/a"), "{failed:?}");
        assert_eq!(visible(&path("y")), names(&["d"]), "others go in its place");
        assert_eq!((swept.usage, limit.usage()), (usage(2, 20), usage(2, 20)));
        put(&path("y/c"), 7);
        limit.register_file(path("y/c")).unwrap();
    }
    fs::remove_file(path("x")).unwrap();
    fs::rename(path("away"), path("x")).unwrap();
    let swept = limit.remove_old_files();
    assert_eq!((swept.failures, swept.usage), (Vec::new(), usage(2, 20)), "it is tried again");
    assert_eq!((visible(&path("x")), visible(&path("y"))), (names(&[]), names(&["c", "d"])));
}

#[test]
fn in_use_is_told_where_nothing_else_can_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("x")).unwrap();
    put(&path("x/a"), 2);
    put(&path("x/b"), 1);
    let mut limit = PersistLimit::new(10, 1);
    limit.register_dir_content(path("x"), "*").unwrap();
    fs::rename(path("x"), path("away")).unwrap();
    fs::write(path("x"), "in the way").unwrap();
    let swept = limit.remove_old_files();
    assert_eq!((swept.failures.len(), swept.unmet), (2, Some(Unmet::InUse)));
    // A folder that is gone has taken its files along.
    fs::remove_file(path("x")).unwrap();
    let swept = limit.remove_old_files();
    assert_eq!((swept.failures, swept.usage), (Vec::new(), usage(1, 10)));
}

#[cfg(unix)]
#[test]
fn symlinks_are_not_followed_and_read_only_files_go() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("x")).unwrap();
    put(&path("x/a"), 2);
    put(&path("x/b"), 1);
    fs::set_permissions(path("x/a"), fs::Permissions::from_mode(0o444)).unwrap();
    symlink("a", path("x/link")).unwrap();
    symlink("nowhere", path("x/dangling")).unwrap();
    symlink("x", path("way")).unwrap();
    let mut limit = PersistLimit::new(10, 1);
    assert!(!limit.register_file(path("x/link")).unwrap());
    assert!(!limit.register_file(path("x/dangling")).unwrap());
    assert_eq!(limit.register_dir_content(path("x"), "*").unwrap(), 2);
    // The folder itself may be reached by one, and is the same then.
    assert_eq!(limit.register_dir_content(path("way"), "*").unwrap(), 2);
    assert_eq!(limit.usage(), usage(2, 20));
    assert_eq!(limit.remove_old_files().usage, usage(1, 10));
    assert_eq!(visible(&path("x")), names(&["b", "dangling", "link"]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf_8_is_told_where_it_is_given_and_passed_over_where_it_is_found() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
    fs::write(&path, "x").unwrap();
    let mut limit = PersistLimit::of_size(10);
    assert_eq!(limit.register_file(&path).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(limit.register_dir_content(folder.path(), "*").unwrap(), 0);
}

fn sweep(manager: &DownloadManager) -> Swept {
    let sweep = manager.remove_old_files();
    within(move || sweep.wait()).unwrap()
}

#[test]
fn content_that_was_registered_beforehand_is_adopted_by_the_manager_of_that_directory() {
    let folder = tempfile::tempdir().unwrap();
    for (hours, name) in (1..).zip(["e.bin", "d.txt", "c.zip", "b.bin", "a.zip"]) {
        put(&folder.path().join(name), hours);
    }
    let mut limit = PersistLimit::new(1, 1);
    limit.register_dir_content(folder.path().join("."), "*.zip").unwrap();
    limit.register_dir_content(folder.path(), "*.bin").unwrap();
    limit.register_file(folder.path().join("d.txt")).unwrap();
    let manager = DownloadManager::builder(folder.path()).persist_limit(limit.clone()).open().unwrap();
    assert_eq!(sweep(&manager).usage, usage(1, 10));
    assert_eq!(visible(folder.path()), names(&["e.bin"]));
    close(&manager);

    // A pattern of the builder counts beside them.
    put(&folder.path().join("f.log"), 9);
    put(&folder.path().join("g.iso"), 9);
    let manager = DownloadManager::builder(folder.path()).persist_limit(limit).pattern("*.log").open();
    let manager = manager.unwrap_or_else(|error| panic!("{error}"));
    sweep(&manager);
    assert_eq!(visible(folder.path()), names(&["e.bin", "g.iso"]));
}

#[test]
fn a_directory_that_is_not_there_yet_can_be_registered() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("made/later");
    let mut limit = PersistLimit::new(10, 1);
    assert_eq!(limit.register_dir_content(&directory, "*.zip").unwrap(), 0);
    let manager = DownloadManager::builder(&directory).persist_limit(limit).open().unwrap();
    assert_eq!(manager.limit_usage(), Some(usage(0, 0)));
}

#[test]
fn a_file_that_was_registered_adopts_no_directory_and_counts_where_it_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    six_files(folder.path());
    put(&folder.path().join("[x]"), 9);
    put(&folder.path().join("x"), 9);
    let mut limit = PersistLimit::new(10, 1);
    limit.register_file(folder.path().join("[x]")).unwrap();
    let refused = DownloadManager::builder(folder.path()).persist_limit(limit.clone()).open().unwrap_err();
    assert!(matches!(refused, OpenError::Limit { error: DirectoryError::NotOurs { .. }, .. }), "{refused}");
    let builder = DownloadManager::builder(folder.path()).persist_limit(limit).adopt(true);
    let manager = builder.pattern("[ab]").open().unwrap();
    sweep(&manager);
    assert_eq!(visible(folder.path()), names(&["b", "c", "d", "e", "f", "x"]));
}

#[test]
fn what_is_out_of_a_managers_reach_is_refused_and_named() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(folder.path().join("sub")).unwrap();
    for path in ["sub/a", ".hidden"] {
        put(&folder.path().join(path), 1);
    }
    put(&other.path().join("a"), 1);
    let refused = |register: &dyn Fn(&mut PersistLimit), named: &Path| {
        let mut limit = PersistLimit::new(1, 1);
        register(&mut limit);
        let error = DownloadManager::builder(folder.path()).persist_limit(limit).adopt(true).open().unwrap_err();
        let OpenError::Registered { path } = &error else { panic!("{error}") };
        assert!(path.ends_with(named), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    };
    let file = |path: std::path::PathBuf| move |limit: &mut PersistLimit| assert!(limit.register_file(&path).unwrap());
    refused(&file(other.path().join("a")), Path::new("a"));
    refused(&file(folder.path().join("sub/a")), Path::new("sub/a"));
    refused(&file(folder.path().join(".hidden")), Path::new(".hidden"));
    let content = |path: std::path::PathBuf, pattern: &'static str| {
        move |limit: &mut PersistLimit| drop(limit.register_dir_content(&path, pattern).unwrap().to_string())
    };
    refused(&content(other.path().into(), "*.zip"), Path::new("*.zip"));
    refused(&content(other.path().join("missing"), "*"), Path::new("missing/*"));
    refused(&content(folder.path().join("sub"), "*"), Path::new("sub/*"));
    refused(&content(folder.path().into(), ".*"), Path::new(".*"));
    assert_eq!(visible(other.path()), names(&["a"]));
}
