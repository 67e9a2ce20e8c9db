//! `evict`

use std::fs;
use std::time::{Duration, SystemTime};

use crate::support::{Bench, set_accessed};

/// What is left of six files of 10 bytes, `a` accessed longest ago: from the Python library's own tests.
const ROWS: [(u64, u64, &str); 5] =
    [(10, 5, "bcdef"), (10, 3, "def"), (0, 5, "abcdef"), (5, 0, "abcdef"), (35, 1, "def")];

#[test]
fn the_files_accessed_longest_ago_go_until_the_bounds_hold() {
    for (size, keep, left) in ROWS {
        let bench = Bench::new();
        bench.six_files("cache");
        let limits = format!("--size-limit {size} --file-limit {keep}");

        bench.run(&format!("evict --dir cache --adopt {limits} --dry-run")).exits(0);
        assert_eq!(bench.names("cache").concat(), "abcdef", "a dry run removes nothing");

        bench.run(&format!("evict --dir cache --adopt {limits}")).exits(0);
        assert_eq!(bench.names("cache").concat(), left, "{limits}");
    }
}

#[test]
fn a_dry_run_tells_what_the_real_one_does() {
    for (size, keep, left) in ROWS {
        let bench = Bench::new();
        bench.six_files("cache");
        let line = format!("evict -d cache --adopt --json --size-limit {size} --file-limit {keep}");
        let told = |line: &str| -> Vec<String> {
            let ran = bench.run(line).exits(0);
            let events = ran.json();
            let is_right = |event: &serde_json::Value| {
                event["event"] == "evicted" && event["bytes"] == 10 && event["why"] == "too many bytes"
            };
            assert!(events.iter().all(is_right), "{ran:#?}");
            events.iter().map(|event| event["path"].as_str().unwrap().to_owned()).collect()
        };
        let (dry, real) = (told(&format!("{line} --dry-run")), told(&line));
        let gone: Vec<_> =
            "abcdef".chars().filter(|name| !left.contains(*name)).map(|name| format!("cache/{name}")).collect();
        assert_eq!((&dry, &real), (&gone, &gone), "{line}");
    }
}

#[test]
fn strangers_files_are_left_alone_without_adopt() {
    for dry in ["", "--dry-run"] {
        let bench = Bench::new();
        bench.six_files("cache");
        let ran = bench.run(&format!("evict -d cache --size-limit 10 --file-limit 3 {dry}")).exits(2);
        ran.says("cache: the directory holds files that dlmanager did not put there (").says("--adopt");
        assert_eq!(bench.names("cache").concat(), "abcdef");
    }
}

#[test]
fn in_a_managed_directory_adopt_is_not_needed() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.serve(&format!("/{name}"), 100);
    }
    bench.run("get -d cache --size-limit 1G {}/a {}/b {}/c").exits(0);
    for (age, name) in ["c", "b", "a"].into_iter().enumerate() {
        set_accessed(&bench.path("cache").join(name), SystemTime::now() - Duration::from_secs(60 * (age as u64 + 1)));
    }
    let ran = bench.run("evict -d cache --size-limit 200 --file-limit 1 --dry-run").exits(0);
    assert!(ran.stdout.is_empty());
    ran.says("a: would be evicted, 100 B").says("b: would be evicted, 100 B").says("1 file left, 100 B");
    let ran = bench.run("evict -d cache --size-limit 200 --file-limit 1").exits(0);
    ran.says("a: evicted, 100 B").says("b: evicted, 100 B").says("1 file left, 100 B");
    assert_eq!(bench.names("cache"), [".dlmanager", "c"]);
}

#[test]
fn only_files_that_count_go() {
    let bench = Bench::new();
    bench.six_files("cache");
    bench.write("cache/.hidden", "0123456789");
    fs::create_dir(bench.path("cache/folder")).unwrap();
    bench.write("cache/folder/inner", "0123456789");
    set_accessed(&bench.path("cache/.hidden"), SystemTime::UNIX_EPOCH);
    set_accessed(&bench.path("cache/folder/inner"), SystemTime::UNIX_EPOCH);
    let line = "evict -d cache --adopt --size-limit 1 --file-limit 1 --pattern [bcd]";
    let ran = bench.run(&format!("{line} --dry-run")).exits(0);
    assert!(ran.stderr.starts_with("b: would be evicted, 10 B\nc: would be evicted, 10 B\n"), "{ran:#?}");
    ran.says("1 file left");
    bench.run(line).exits(0);
    assert_eq!(bench.names("cache"), [".hidden", "a", "d", "e", "f", "folder"]);
    assert_eq!(bench.names("cache/folder"), ["inner"]);
}

#[test]
fn a_bound_that_file_limit_keeps_from_being_met_is_no_failure_but_told() {
    let bench = Bench::new();
    bench.six_files("cache");
    for dry in ["--dry-run", ""] {
        bench.run(&format!("evict -d cache --adopt --size-limit 10 {dry}")).exits(0).says("--file-limit keeps");
        let ran = bench.run(&format!("evict -q -d cache --adopt --size-limit 10 {dry}")).exits(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    }
    assert_eq!(bench.names("cache").concat(), "bcdef");
}

#[test]
fn what_is_leased_or_pinned_stays_and_that_is_told() {
    for dry in ["--dry-run", ""] {
        let bench = Bench::new();
        bench.six_files("cache");
        bench.run("pin -d cache b").exits(0);
        let lease = dlmanager::PersistLimit::lease(bench.path("cache/c")).unwrap();
        set_accessed(&bench.path("cache/c"), SystemTime::now() - Duration::from_secs(3600 * 24));
        let ran = bench.run(&format!("evict -d cache --adopt --size-limit 1 --file-limit 1 {dry}")).exits(1);
        let ran = ran.says("c: kept, 10 B: in use").says("in use or pinned");
        if dry.is_empty() {
            assert_eq!(bench.names("cache"), [".dlmanager", "b", "c"]);
            ran.says("b: kept, 10 B: pinned");
        }
        drop(lease);
        bench.run(&format!("evict -d cache --adopt --size-limit 1 --file-limit 1 {dry}")).exits(0);
        bench.run("unpin -d cache b").exits(0);
    }
}

#[test]
fn each_file_is_explained_where_that_is_asked() {
    let bench = Bench::new();
    bench.six_files("cache");
    let line = "evict -d cache --adopt --size-limit 31 --file-limit 1 --explain";
    let ran = bench.run(&format!("{line} --dry-run")).exits(0);
    let expected = "a: would be evicted, 10 B: too many bytes\nb: would be evicted, 10 B: too many bytes\n\
        c: would be evicted, 10 B: too many bytes\nd: kept, 10 B: within the bounds\ne: kept, 10 B: within the bounds\n\
        f: kept, 10 B: within the bounds\n3 files left, 30 B\n";
    assert_eq!(ran.stderr, expected);
    assert_eq!(bench.names("cache").concat(), "abcdef");
    let ran = bench.run(line).exits(0);
    assert_eq!(ran.stderr, expected.replace("would be evicted", "evicted"));
}

#[test]
fn what_was_not_used_for_too_long_goes() {
    for (dry, left) in [("--dry-run", 6), ("", 4)] {
        let bench = Bench::new();
        bench.six_files("cache");
        for name in ["b", "e"] {
            set_accessed(&bench.path("cache").join(name), SystemTime::now() - Duration::from_secs(3 * 86_400));
        }
        let ran = bench.run(&format!("evict -d cache --adopt --max-age 2d --explain {dry}")).exits(0);
        ran.says("not accessed for too long").says("4 files left, 40 B");
        assert_eq!(bench.names("cache").len(), left);
    }
}

#[test]
fn while_too_little_is_free_files_go_down_to_the_number_to_keep() {
    // No disk has so much.
    for (dry, left) in [("--dry-run", "abcdef"), ("", "def")] {
        let bench = Bench::new();
        bench.six_files("cache");
        let ran = bench.run(&format!("evict -d cache --adopt --min-free 8P --file-limit 3 {dry} --explain")).exits(0);
        ran.says("too little free space").says("--file-limit keeps").says("3 files left");
        assert_eq!(bench.names("cache").concat(), left);
    }
    let bench = Bench::new();
    bench.six_files("cache");
    bench.run("evict -d cache --adopt --min-free 1").exits(0).says("6 files left");
    assert_eq!(bench.names("cache").concat(), "abcdef");
}

#[test]
fn what_dead_processes_left_goes_and_nothing_else_in_the_work_folder() {
    let bench = Bench::new();
    bench.six_files("cache");
    fs::create_dir(bench.path("cache/.dlmanager")).unwrap();
    let key = "0123456789abcdef0123456789abcdef";
    for (name, seconds) in
        [(format!("{key}.part"), 3_600), (format!("{}.part", key.replace('0', "1")), 0), ("notes".into(), 9_999_999)]
    {
        let path = format!("cache/.dlmanager/{name}");
        bench.write(&path, "1234567");
        let written = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().write(true).open(bench.path(&path)).unwrap().set_modified(written).unwrap();
    }
    bench.run("evict -d cache --adopt --size-limit 1G").exits(0);
    assert_eq!(bench.names("cache/.dlmanager"), [format!("{}.part", key.replace('0', "1")), "notes".into()]);
}

#[test]
fn a_dry_run_does_not_even_mark_an_empty_directory() {
    let bench = Bench::new();
    fs::create_dir(bench.path("cache")).unwrap();
    bench.run("evict -d cache --size-limit 10 --dry-run").exits(0);
    assert!(bench.names("cache").is_empty());
}

#[test]
fn what_cannot_be_is_said_before_anything_is_touched() {
    let bench = Bench::new();
    bench.write("file", "x");
    bench.run("evict -d missing --size-limit 1").exits(2).says("missing");
    assert!(!bench.path("missing").exists());
    bench.run("evict -d file --size-limit 1").exits(2).says("file is not a directory");
    bench.run("evict -d . --size-limit many").exits(2).says("--size-limit");
    bench.run("evict -d .").exits(2).says("--size-limit").says("--max-age").says("--min-free");
    bench.run("evict -d . --size-limit 1 --pattern [").exits(2).says("--pattern").says("a '[' has no ']'");
    bench.run("evict --size-limit 1").exits(2).says("--dir");
    assert_eq!(bench.names(""), ["file"]);
}
