//! `get` with a limit: whose files may go.

use std::fs;
use std::time::SystemTime;

use crate::support::Bench;

#[test]
fn a_new_directory_is_kept_within_its_bounds_over_many_runs() {
    let bench = Bench::new();
    for n in 0..6 {
        let body = bench.serve(&format!("/f{n}"), 1000);
        bench.run(&format!("get {{}}/f{n} -d out --size-limit 2KB --file-limit 2")).exits(0);
        bench.assert_bytes(&format!("out/f{n}"), &body);
    }
    assert_eq!(bench.names("out"), [".dlmanager", "f4", "f5"]);
    assert_eq!(bench.names("out/.dlmanager"), ["owner"]);
}

#[test]
fn five_files_are_kept_unless_said_otherwise_and_that_is_told() {
    let bench = Bench::new();
    let urls: Vec<_> = (0..7).map(|n| format!("{{}}/f{n}")).collect();
    for n in 0..7 {
        bench.serve(&format!("/f{n}"), 1000);
    }
    let ran = bench.run(&format!("get -d out --size-limit 1 {}", urls.join(" "))).exits(0);
    assert_eq!(bench.names("out").len(), 1 + 5);
    ran.says("warning: --size-limit is exceeded: --file-limit keeps the files that are left");
}

#[test]
fn files_whose_end_was_just_told_are_not_said_to_be_in_use() {
    let bench = Bench::new();
    let urls: Vec<_> = (0..200).map(|n| format!("{{}}/f{n}")).collect();
    for n in 0..200 {
        bench.serve(&format!("/f{n}"), 1000);
    }
    let line = format!("get -q -d out -j 64 --per-host 64 --size-limit 2KB --file-limit 1 {}", urls.join(" "));
    let ran = bench.run(&line).exits(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(bench.names("out").len(), 1 + 1);
}

#[test]
fn a_limit_on_a_strangers_directory_is_refused_and_nothing_is_touched() {
    let bench = Bench::new();
    bench.serve("/new", 10);
    bench.six_files("out");
    let before = stamps(&bench);
    let ran = bench.run("get -d out {}/new --size-limit 10 --file-limit 3").exits(2);
    ran.says("out: the directory holds files that dlmanager did not put there (").says("--adopt");
    assert_eq!(bench.names("out"), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!((stamps(&bench), bench.requests()), (before, 0));

    bench.run("get -d out {}/new --size-limit 10 --file-limit 3 --adopt").exits(0);
    assert_eq!(bench.names("out"), ["e", "f", "new"], "nothing of ours stays in a directory that is not ours");
}

#[test]
fn a_limit_of_zero_is_none() {
    let bench = Bench::new();
    bench.serve("/new", 10);
    bench.six_files("out");
    bench.run("get -d out {}/new --size-limit 0").exits(0);
    bench.run("get -d out {}/new --size-limit 1 --file-limit 0").exits(0);
    assert_eq!(bench.names("out"), ["a", "b", "c", "d", "e", "f", "new"]);
}

/// The access times of the files, and when anything in the directory changed.
fn stamps(bench: &Bench) -> Vec<SystemTime> {
    let accessed = |name: &str| fs::metadata(bench.path("out").join(name)).unwrap().accessed().unwrap();
    let mut stamps = ["a", "b", "c", "d", "e", "f"].map(accessed).to_vec();
    stamps.push(fs::metadata(bench.path("out")).unwrap().modified().unwrap());
    stamps
}
