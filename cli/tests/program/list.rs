//! `list`

use std::fs;
use std::time::{Duration, SystemTime};

use crate::support::{Bench, set_accessed};

#[test]
fn files_are_listed_by_name_with_size_and_last_access() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("cache/folder")).unwrap();
    for (name, text, seconds) in [("b", "12345", 1_700_000_000), ("a 1", "1234567890", 0), (".hidden", "", 5)] {
        bench.write(&format!("cache/{name}"), text);
        set_accessed(&bench.path("cache").join(name), SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    }
    for _ in 0..2 {
        let ran = bench.run("list --dir cache").exits(0);
        assert_eq!(ran.stdout, "10  1970-01-01T00:00:00Z  a 1\n 5  2023-11-14T22:13:20Z  b\n");
    }
    let listed = bench.run("list -d cache --json").exits(0).json();
    let expected = [
        serde_json::json!({ "name": "a 1", "path": "cache/a 1", "bytes": 10, "accessed": "1970-01-01T00:00:00Z" }),
        serde_json::json!({ "name": "b", "path": "cache/b", "bytes": 5, "accessed": "2023-11-14T22:13:20Z" }),
    ];
    assert_eq!(listed, expected);
    assert_eq!(bench.names("cache"), [".hidden", "a 1", "b", "folder"], "listing leaves nothing");
}

#[test]
fn an_empty_directory_is_no_failure_and_a_missing_one_is_a_misuse() {
    let bench = Bench::new();
    fs::create_dir(bench.path("cache")).unwrap();
    assert_eq!(bench.run("list -d cache").exits(0).stdout, "");
    bench.run("list -d missing").exits(2).says("missing");
    bench.run("list").exits(2).says("--dir");
}

#[cfg(unix)]
#[test]
fn no_name_does_anything_to_the_terminal() {
    let bench = Bench::new();
    let name = "a\x1b[31m\nb\u{9b}2J\u{202e}";
    fs::create_dir(bench.path("cache")).unwrap();
    bench.write(&format!("cache/{name}"), "x");
    let text = bench.run("list -d cache").exits(0).stdout;
    assert!(text.ends_with("  a\\u{1b}[31m\\nb\\u{9b}2J\\u{202e}\n"), "{text:?}");
    let ran = bench.run("list -d cache --json").exits(0);
    assert!(!ran.stdout.contains(['\x1b', '\u{9b}', '\u{202e}']) && ran.stdout.lines().count() == 1);
    assert_eq!(ran.json()[0]["name"], name);
    let ran = bench.run("evict -d cache --adopt --size-limit 1 --json --dry-run").exits(0);
    assert!(!ran.stderr.contains('\x1b'));
}
