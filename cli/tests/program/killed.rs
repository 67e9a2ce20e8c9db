//! The program is killed or interrupted, and run again: only what is missing travels, and the file is right.

use std::fs::{self, File};
use std::time::Duration;

use dlmanager_origin::{At, Gate, Link, Records, Request, Resource};
use rustix::process::Signal;

use crate::child::Running;
use crate::support::{Bench, DEADLINE, TRANSPORTS};

const MIB: u64 = 1 << 20;
/// The most that a download holds of what it has received and not yet written.
const HELD_BYTES_MAX: u64 = MIB;

/// From where on the rest is asked for; `None` where all is.
pub(crate) fn asked_from(request: &Request) -> Option<u64> {
    request.header("Range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
}

/// What was seen, once each reply has ended.
fn settled(bench: &Bench) -> Records {
    bench.origin.wait_for(DEADLINE, |seen| seen.requests.iter().all(|request| request.sent.is_some())).unwrap()
}

fn bytes_sent(seen: &Records) -> u64 {
    seen.requests.iter().filter_map(|request| request.sent).map(|sent| sent.body_bytes).sum()
}

#[test]
fn after_kill_9_the_same_command_fetches_what_is_missing_and_no_more() {
    const LENGTH: u64 = 64 * MIB;
    const MIDDLE: u64 = 40 * MIB;
    for transport in TRANSPORTS {
        let bench = Bench::new();
        let (resource, gate) = (Resource::new(1, LENGTH), Gate::new());
        bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(MIDDLE), &gate), resource.reply(1)]);
        let line = format!("get --json --transport {transport} {{}}/a");
        let mut running = Running::start(&bench, &line);
        running.wait_received(MIDDLE);
        running.kill();
        assert_eq!(bench.names(""), [".dlmanager"], "what is unfinished has no name of its own");

        let ran = bench.run(&line).exits(0);
        bench.assert_bytes("a", &resource.body(1));
        assert_eq!(bench.names(""), ["a"], "nothing else is left");
        let seen = settled(&bench);
        assert_eq!(seen.requests.len(), 2);
        let from = asked_from(&seen.requests[1]).unwrap();
        assert!((MIDDLE - HELD_BYTES_MAX..=MIDDLE).contains(&from), "{transport}: goes on at {from}");
        assert_eq!(seen.requests[1].header("If-Range"), Some(resource.etag(1).as_str()));
        assert_eq!(bytes_sent(&seen), MIDDLE + LENGTH - from);
        let first = ran.json().into_iter().find(|event| event["event"] == "progress").unwrap();
        assert_eq!((&first["bytes"], &first["total"]), (&from.into(), &LENGTH.into()), "it is told where it goes on");
    }
}

/// What a second carries depends on the machine, which has to make the bytes as well as to fetch them, so this is there in an
/// optimised build alone: `cargo test --release -p dlmanager-cli --test program -- --nocapture each_second`.
#[cfg(not(debug_assertions))]
#[test]
fn a_file_of_256_mib_over_64_mib_a_second_that_is_killed_each_second_is_there_after_8_starts() {
    const STARTS_MAX: usize = 8;
    const LENGTH: u64 = 256 * MIB;
    let bench = Bench::new();
    let (resource, link) = (Resource::new(2, LENGTH), Link::new(64 * MIB));
    bench.origin.serve("/a", resource.reply(1).over(&link));
    let began = std::time::Instant::now();
    let mut starts = 0;
    let ran = loop {
        starts += 1;
        assert!(starts <= STARTS_MAX, "it is not there after {STARTS_MAX} starts");
        let mut running = Running::start(&bench, "get {}/a");
        if running.ends_within(Duration::from_secs(1)) {
            break running.end();
        }
        running.kill();
    };
    let took = began.elapsed();
    ran.exits(0).says("a: goes on at ");
    bench.assert_bytes("a", &resource.body(1));
    assert_eq!(bench.names(""), ["a"]);
    let wasted = bytes_sent(&settled(&bench)) - LENGTH;
    println!("{starts} starts, {took:.1?}, {:.1} MiB sent more than once", wasted as f64 / MIB as f64);
}

#[test]
fn killed_at_any_moment_while_the_server_goes_from_a_to_b_and_back_the_file_is_one_of_them() {
    const LENGTH: u64 = 6 * MIB;
    const ROUNDS: u64 = 24;
    for (seed, transport) in (1..).zip(TRANSPORTS) {
        let bench = Bench::new();
        let (resource, link) = (Resource::new(3, LENGTH), Link::new(24 * MIB));
        let mut random = Random(seed);
        let line = format!("get --transport {transport} {{}}/a");
        let (mut killed, mut resumed) = (0, 0);
        for round in 0..ROUNDS {
            // Two runs of each version, so that there is something to go on with.
            let version = 1 + round / 2 % 2;
            bench.origin.serve("/a", resource.reply(version).over(&link));
            let mut running = Running::start(&bench, &line);
            if running.ends_within(Duration::from_millis(random.below(300))) {
                running.end().exits(0);
            } else {
                running.kill();
                killed += 1;
            }
            // Who is killed may have given the file its name just before. It is of the version before where all of that was
            // there already: nothing is asked of the server then.
            if let Ok(file) = File::open(bench.path("a")) {
                let whole = resource.whole_version([1, 2], file).unwrap();
                assert!(whole.is_some(), "{transport}, seed {seed}, round {round}: neither version");
                fs::remove_file(bench.path("a")).unwrap();
            }
        }
        bench.origin.serve("/a", resource.reply(1));
        bench.run(&line).exits(0);
        // All of the other version may have been there already.
        let whole = resource.whole_version([1, 2], File::open(bench.path("a")).unwrap()).unwrap();
        assert!(whole.is_some(), "{transport}, seed {seed}: neither version");
        // Who is killed while he tries whether locks work may leave what he tried them with: the next sweep takes it.
        if bench.names("") != ["a"] {
            assert_eq!(bench.names(""), [".dlmanager", "a"]);
            let left = bench.names(".dlmanager");
            assert!(left.iter().all(|name| name.starts_with("probe.")), "{left:?}");
        }
        resumed += settled(&bench).requests.iter().filter(|request| asked_from(request).is_some()).count();
        println!("{transport}: {killed} of {ROUNDS} killed, {resumed} asked for the rest");
        assert!(killed > 0 && resumed > 0, "{transport}: nothing was tested");
    }
}

#[test]
fn killed_before_the_new_version_was_noted_the_old_ones_record_is_not_believed() {
    const EARLY: u64 = MIB / 2;
    for transport in TRANSPORTS {
        let bench = Bench::new();
        let resource = Resource::new(8, 4 * MIB);
        let line = format!("get --json --transport {transport} {{}}/a");
        for (version, at) in [(1, 3 * MIB), (2, EARLY)] {
            bench.origin.serve("/a", resource.reply(version).gate_at(At::Body(at), &Gate::new()));
            let mut running = Running::start(&bench, &line);
            running.wait_received(at);
            running.kill();
        }
        bench.origin.serve("/a", resource.reply(1));
        bench.run(&line).exits(0);
        bench.assert_bytes("a", &resource.body(1));
        assert_eq!(asked_from(&settled(&bench).requests[2]), None, "nothing of the first version is left");
    }
}

#[test]
fn after_a_signal_the_same_command_goes_on_where_it_stopped_and_that_was_said() {
    const LENGTH: u64 = 8 * MIB;
    const MIDDLE: u64 = 5 * MIB;
    for (signal, transport) in [Signal::INT, Signal::TERM].into_iter().zip(TRANSPORTS) {
        let bench = Bench::new();
        let (resource, gate) = (Resource::new(4, LENGTH), Gate::new());
        bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(MIDDLE), &gate), resource.reply(1)]);
        let line = format!("get --transport {transport} {{}}/a");
        let mut running = Running::start(&bench, &format!("{line} --json"));
        running.wait_received(MIDDLE);
        running.signal(signal);
        let ran =
            running.end().exits(130).says("interrupted: what is unfinished is kept, and the same command goes on");
        assert_eq!(ran.json().last().unwrap()["outcome"], "canceled");

        bench.run(&line).exits(0).says("a: goes on at 5.00 MiB of 8.00 MiB");
        bench.assert_bytes("a", &resource.body(1));
        assert_eq!(bench.names(""), ["a"]);
        let seen = settled(&bench);
        assert_eq!(asked_from(&seen.requests[1]), Some(MIDDLE));
        assert_eq!(bytes_sent(&seen), LENGTH, "not a byte travels twice");
    }
}

#[test]
fn who_resumes_nothing_leaves_nothing_and_starts_over() {
    for resume in ["never", "within-run"] {
        let bench = Bench::new();
        let (resource, gate) = (Resource::new(5, 4 * MIB), Gate::new());
        bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(3 * MIB), &gate), resource.reply(1)]);
        let line = format!("get --json --resume {resume} {{}}/a");
        let mut running = Running::start(&bench, &line);
        running.wait_received(3 * MIB);
        running.signal(Signal::INT);
        running.end().exits(130).says("interrupted: canceling what runs");
        assert!(bench.names("").is_empty());

        bench.run(&line).exits(0);
        assert_eq!(asked_from(&settled(&bench).requests[1]), None);
        bench.assert_bytes("a", &resource.body(1));
    }
}

#[test]
fn what_one_resume_leaves_another_removes() {
    let bench = Bench::new();
    let (resource, gate) = (Resource::new(6, 4 * MIB), Gate::new());
    bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(3 * MIB), &gate), resource.reply(1)]);
    let mut running = Running::start(&bench, "get --json {}/a");
    running.wait_received(3 * MIB);
    running.kill();
    bench.run("get --resume never {}/a").exits(0);
    assert_eq!(asked_from(&settled(&bench).requests[1]), None);
    bench.assert_bytes("a", &resource.body(1));
    assert_eq!(bench.names(""), ["a"]);
}

#[test]
fn two_at_once_fetch_it_once_and_if_the_first_is_killed_the_second_goes_on() {
    for dies in [false, true] {
        let bench = Bench::new();
        let (resource, gate) = (Resource::new(7, 4 * MIB), Gate::new());
        bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(3 * MIB), &gate), resource.reply(1)]);
        let mut first = Running::start(&bench, "get --json {}/a");
        first.wait_received(3 * MIB);
        let mut second = Running::start(&bench, "get {}/a");
        second.wait_says("a: another download keeps its lock");
        if dies {
            first.kill();
            second.end().exits(0).says("a: goes on at ");
            assert!(asked_from(&settled(&bench).requests[1]) > Some(2 * MIB));
        } else {
            gate.open();
            first.end().exits(0);
            let ran = second.end().exits(0).says("a: there already");
            assert_eq!(ran.stderr.matches("another download").count(), 1, "{ran:#?}");
            assert_eq!(bench.requests(), 1);
        }
        bench.assert_bytes("a", &resource.body(1));
        assert_eq!(bench.names(""), ["a"]);
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
}
