//! `list`

use std::fs;
use std::time::{Duration, SystemTime};

#[cfg(unix)]
use crate::child::Running;
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
        let lines: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.splitn(5, "  ").collect()).collect();
        let [a, b] = &lines[..] else { panic!("{ran:#?}") };
        assert_eq!([a[0], a[1], a[3], a[4]], ["10", "1970-01-01T00:00:00Z", "---", "a 1"]);
        assert_eq!([b[0], b[1], b[3], b[4]], [" 5", "2023-11-14T22:13:20Z", "---", "b"]);
        assert!([a, b].iter().all(|row| row[2].trim().strip_suffix('d').unwrap().parse::<u64>().unwrap() > 700));
    }
    let mut listed = bench.run("list -d cache --json").exits(0).json();
    for object in &mut listed {
        assert!(object.as_object_mut().unwrap().remove("age_seconds").unwrap().as_u64().unwrap() > 60_000_000);
    }
    let row = |name: &str, bytes: u64, accessed: &str| {
        serde_json::json!({
            "name": name, "path": format!("cache/{name}"), "bytes": bytes, "accessed": accessed,
            "leased": false, "pinned": false, "partial": false, "total": null,
        })
    };
    let expected = [row("a 1", 10, "1970-01-01T00:00:00Z"), row("b", 5, "2023-11-14T22:13:20Z")];
    assert_eq!(listed, expected);
    assert_eq!(bench.names("cache"), [".hidden", "a 1", "b", "folder"], "listing leaves nothing");
}

#[test]
fn what_is_leased_pinned_or_unfinished_is_told() {
    let bench = Bench::new();
    bench.six_files("cache");
    bench.run("pin -d cache b c").exits(0);
    let lease = dlmanager::PersistLimit::lease(bench.path("cache/c")).unwrap();
    fs::write(bench.path("cache/.dlmanager/0123456789abcdef0123456789abcdef.part"), "1234567").unwrap();
    let listed = bench.run("list -d cache --json").exits(0).json();
    let told = |flag: &str| -> Vec<&str> {
        listed.iter().filter(|row| row[flag] == true).map(|row| row["name"].as_str().unwrap()).collect()
    };
    assert_eq!(told("pinned"), ["b", "c"]);
    assert_eq!(told("leased"), ["c"]);
    assert_eq!(told("partial"), ["0123456789abcdef0123456789abcdef.part"]);
    let text = bench.run("list -d cache").exits(0).stdout;
    assert!(text.contains("-P-  b\n") && text.contains("LP-  c\n") && text.contains("---  a\n"), "{text}");
    assert!(text.contains("--U  0123456789abcdef0123456789abcdef.part\n"), "{text}");
    drop(lease);
    bench.run("unpin -d cache b c").exits(0);
    assert!(bench.run("list -d cache --json").exits(0).json().iter().all(|row| row["pinned"] == false));
}

#[cfg(unix)]
#[test]
fn an_unfinished_file_is_told_with_its_url_and_total() {
    use dlmanager_origin::{At, Gate, Resource};
    let bench = Bench::new();
    bench.origin.serve("/a", Resource::new(1, 3 << 20).reply(1).gate_at(At::Body(2 << 20), &Gate::new()));
    let mut running = Running::start(&bench, "get -d cache --json {}/a");
    running.wait_received(2 << 20);
    running.kill();
    let listed = bench.run("list -d cache --json").exits(0).json();
    let [row] = &listed[..] else { panic!("{listed:#?}") };
    assert_eq!((&row["partial"], &row["leased"]), (&true.into(), &false.into()));
    assert_eq!(row["total"], 3 << 20);
    assert!(row["name"].as_str().unwrap().ends_with("/a"), "{row}");
}

#[test]
fn a_directory_of_a_later_version_is_a_misuse() {
    let bench = Bench::new();
    bench.six_files("cache");
    fs::create_dir(bench.path("cache/.dlmanager")).unwrap();
    bench.write("cache/.dlmanager/owner", "dlmanager 2\n");
    for line in ["list", "evict --size-limit 1", "evict --size-limit 1 --dry-run", "evict --size-limit 1 --adopt"] {
        bench.run(&format!("{line} -d cache")).exits(2).says("later version of dlmanager");
    }
    bench.run("get -d cache --size-limit 1G {}/a").exits(2).says("later version of dlmanager");
    assert_eq!(bench.names("cache").len(), 7);
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
