//! Several programs in one directory at the same time.

use std::fs;
use std::time::{Duration, SystemTime};

use dlmanager_origin::{At, Gate, Resource};

use crate::child::Running;
use crate::support::{Bench, set_accessed};

const NAMES: [&str; 3] = ["a", "b", "c"];
const LENGTH: u64 = 2 << 20;

/// The origin with three resources, which is held at their middle, and the command that fetches all.
fn serve(bench: &Bench, gate: &Gate) -> String {
    for (seed, name) in (1..).zip(NAMES) {
        let reply = Resource::new(seed, LENGTH).reply(1);
        bench.origin.serve(&format!("/{name}"), reply.gate_at(At::Body(LENGTH / 2), gate));
    }
    "get -d cache --json {}/a {}/b {}/c".into()
}

#[test]
fn what_six_programs_want_is_fetched_once() {
    let bench = Bench::new();
    let gate = Gate::new();
    let line = serve(&bench, &gate);
    let mut running: Vec<Running> = (0..6).map(|_| Running::start(&bench, &line)).collect();
    // All are there before anything is.
    for program in &mut running {
        program.wait_started(3);
    }
    gate.open();
    for program in running {
        let ran = program.end().exits(0);
        let ended = ran.json().into_iter().filter(|event| event["event"] == "finished");
        assert_eq!(ended.filter(|event| event["bytes"] == LENGTH).count(), 3);
    }
    for (seed, name) in (1..).zip(NAMES) {
        bench.assert_bytes(&format!("cache/{name}"), &Resource::new(seed, LENGTH).body(1));
    }
    assert_eq!(bench.requests(), 3);
    assert_eq!(bench.names("cache"), NAMES, "nothing else is left");
}

#[test]
fn where_the_one_that_fetches_is_killed_another_goes_on_with_what_it_had() {
    let bench = Bench::new();
    let gate = Gate::new();
    let line = serve(&bench, &gate);
    let mut first = Running::start(&bench, &line);
    first.wait_received(LENGTH / 2);
    let mut others: Vec<Running> = (0..2).map(|_| Running::start(&bench, &line)).collect();
    for program in &mut others {
        program.wait_started(3);
    }
    first.kill();
    gate.open();
    for program in others {
        program.end().exits(0);
    }
    for (seed, name) in (1..).zip(NAMES) {
        bench.assert_bytes(&format!("cache/{name}"), &Resource::new(seed, LENGTH).body(1));
    }
    assert_eq!(bench.names("cache"), NAMES);
}

#[test]
fn a_lease_of_a_program_that_is_killed_keeps_nothing() {
    let bench = Bench::new();
    bench.six_files("cache");
    // flock(1) holds the lock that a lease is.
    let mut holder = match std::process::Command::new("flock")
        .args(["--shared", "--no-fork", "a", "sleep", "600"])
        .current_dir(bench.path("cache"))
        .spawn()
    {
        Ok(holder) => holder,
        Err(error) => return eprintln!("skipped: there is no flock(1): {error}"),
    };
    let is_leased = || bench.run("list -d cache --json").exits(0).json()[0]["leased"] == true;
    while !is_leased() {
        assert!(holder.try_wait().unwrap().is_none(), "it holds the file");
        std::thread::sleep(Duration::from_millis(10));
    }
    bench.run("evict -d cache --adopt --size-limit 1 --file-limit 3").exits(0).says("a: kept, 10 B: in use");
    assert_eq!(bench.names("cache"), ["a", "e", "f"]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    set_accessed(&bench.path("cache/a"), SystemTime::now() - Duration::from_secs(1_000_000));
    bench.run("evict -d cache --adopt --size-limit 1 --file-limit 2").exits(0);
    assert_eq!(bench.names("cache"), ["e", "f"]);
}

#[test]
fn programs_that_fetch_and_evict_at_the_same_time_lose_nothing_and_leave_nothing() {
    const FILES: u64 = 12;
    let bench = Bench::new();
    for at in 0..FILES {
        bench.serve(&format!("/{at}"), 10_000);
    }
    let urls: String = (0..FILES).map(|at| format!(" {{}}/{at}")).collect();
    for _ in 0..3 {
        let line = format!("get -d cache --adopt --size-limit 50000 --file-limit 3{urls}");
        let running: Vec<Running> = (0..4).map(|_| Running::start(&bench, &line)).collect();
        for program in running {
            program.end().exits(0);
        }
        let left: Vec<String> = bench.names("cache").into_iter().filter(|name| !name.starts_with('.')).collect();
        for name in &left {
            assert_eq!(fs::metadata(bench.path("cache").join(name)).unwrap().len(), 10_000, "{name}");
        }
        bench.run("evict -d cache --size-limit 50000 --file-limit 3").exits(0);
        let left = bench.names("cache").into_iter().filter(|name| !name.starts_with('.')).count();
        assert_eq!(left, 4, "below 50,000 bytes");
        assert_eq!(bench.names("cache/.dlmanager"), ["owner"]);
    }
}

#[test]
fn who_waits_for_another_programs_download_says_so_once() {
    let bench = Bench::new();
    let gate = Gate::new();
    let reply = Resource::new(1, LENGTH).reply(1);
    bench.origin.serve("/a", reply.gate_at(At::Body(LENGTH / 2), &gate));
    let mut first = Running::start(&bench, "get -d cache --json {}/a");
    first.wait_received(LENGTH / 2);
    let mut second = Running::start(&bench, "get -d cache --json {}/a");
    second.wait_for("waiting", 1);
    gate.open();
    first.end().exits(0);
    let ran = second.end().exits(0).says("a: another download keeps its lock, which is waited for");
    let events = ran.json();
    let waiting: Vec<_> = events.iter().filter(|event| event["event"] == "waiting").collect();
    assert_eq!(waiting.len(), 1, "{events:#?}");
    assert_eq!(
        *waiting[0],
        serde_json::json!({ "event": "waiting", "url": bench.origin.url("/a"), "name": "a", "for": "download" })
    );
    assert_eq!(events.last().unwrap()["outcome"], "present");
}

/// Another program that evicts. Dropping it ends that.
struct Evicting(std::process::Child);

impl Drop for Evicting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// flock(1) on the work folder, as another program that evicts; `None` where there is none, which is said.
fn evicts(bench: &Bench) -> Option<Evicting> {
    let mut command = std::process::Command::new("flock");
    command.args(["--exclusive", "--no-fork", ".dlmanager", "sleep", "600"]).current_dir(bench.path("cache"));
    let holder = match command.spawn() {
        Ok(holder) => holder,
        Err(error) => {
            eprintln!("skipped: there is no flock(1): {error}");
            return None;
        }
    };
    let is_kept = || {
        let tried = std::process::Command::new("flock")
            .args(["--nonblock", ".dlmanager", "true"])
            .current_dir(bench.path("cache"))
            .status();
        tried.is_ok_and(|status| !status.success())
    };
    while !is_kept() {
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(Evicting(holder))
}

#[test]
fn an_eviction_waits_for_another_programs_and_says_so() {
    let bench = Bench::new();
    bench.six_files("cache");
    fs::create_dir(bench.path("cache/.dlmanager")).unwrap();
    let Some(holder) = evicts(&bench) else { return };
    let mut program = Running::start(&bench, "evict -d cache --adopt --size-limit 1 --file-limit 3 --json");
    program.wait_for("waiting", 1);
    assert_eq!(bench.names("cache").len(), 7, "nothing goes meanwhile");
    drop(holder);
    let ran = program.end().exits(0).says("another process is evicting in the directory, which is waited for");
    let waiting = ran.json().into_iter().find(|event| event["event"] == "waiting").unwrap();
    assert_eq!(
        waiting,
        serde_json::json!({ "event": "waiting", "url": null, "name": null, "path": "cache", "for": "eviction" })
    );
    assert_eq!(bench.names("cache"), ["d", "e", "f"]);
}

#[test]
fn an_eviction_that_never_has_its_turn_is_given_up() {
    let bench = Bench::new();
    bench.six_files("cache");
    fs::create_dir(bench.path("cache/.dlmanager")).unwrap();
    let Some(holder) = evicts(&bench) else { return };
    let began = std::time::Instant::now();
    let ran = bench.run("evict -d cache --adopt --size-limit 1 --file-limit 3").exits(1);
    ran.says("error: --size-limit is exceeded: another process keeps others from evicting in the directory");
    let took = began.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(60)).contains(&took), "{took:?}");
    // A download ends all the same, and so does its program.
    bench.serve("/new", 10);
    let ran = bench.run("get -d cache --adopt --size-limit 1 --file-limit 3 {}/new").exits(0);
    let ran = ran.says("warning: --size-limit is exceeded: another process keeps others from evicting");
    assert!(!ran.stderr.contains("error"), "{ran:#?}");
    drop(holder);
    assert_eq!(bench.names("cache"), [".dlmanager", "a", "b", "c", "d", "e", "f", "new"]);
}
