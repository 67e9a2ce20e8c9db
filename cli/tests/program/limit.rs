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
    ran.says("warning: --size-limit is exceeded: --file-limit keeps the files that are left")
        .says("7 fetched (6.84 KiB), 0 there already, 0 missing; 2 of them evicted again");
}

#[test]
fn a_bound_that_files_in_use_exceed_is_a_warning_as_all_that_was_asked_for_is_there() {
    let bench = Bench::new();
    bench.serve("/new", 10);
    bench.six_files("out");
    bench.run("pin -d out a b c").exits(0);
    let line = "get -d out --adopt --size-limit 1 --file-limit 1 {}/new";
    let ran =
        bench.run(line).exits(0).says("warning: --size-limit is exceeded: files that should go are in use or pinned");
    assert!(!ran.stderr.contains("error"), "{ran:#?}");
    assert_eq!(bench.run(&format!("{line} -q")).exits(0).stderr, "");
}

#[test]
fn files_whose_end_was_just_told_are_not_said_to_be_in_use() {
    let bench = Bench::new();
    let urls: Vec<_> = (0..200).map(|n| format!("{{}}/f{n}")).collect();
    for n in 0..200 {
        bench.serve(&format!("/f{n}"), 1000);
    }
    let line = format!("get -d out -j 64 --per-host 64 --size-limit 2KB --file-limit 1 {}", urls.join(" "));
    let ran = bench.run(&line).exits(0);
    assert!(!ran.stderr.contains("exceeded"), "{ran:#?}");
    ran.says("200 fetched (195.31 KiB), 0 there already, 0 missing; 199 of them evicted again");
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
