//! The program is killed at each system call that changes something on disk, and run again.
//!
//! strace delivers the signal as the call is entered, so that it is not made and all before it were: between two calls a
//! process can die at one place only. It counts each name by itself; so the calls of one name are gone through one by one,
//! until the program comes to its end alive. And it counts each thread by itself, so that a thread's second call would hide
//! behind another's second: what several threads call is gone through once more for each file.
//!
//! The suite takes a part of the calls, another for each transport. All of them, some minutes:
//!
//! ```text
//! DLMANAGER_EVERY_CALL=1 cargo test -p dlmanager-cli --test program -- --nocapture every_call
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use dlmanager_origin::{At, Gate, Resource};
use rustix::process::Signal;

use crate::child::Running;
use crate::killed::asked_from;
use crate::support::{Bench, DEADLINE, PROXY_VARIABLES, TRANSPORTS, program};

/// From a mebibyte on there is a record.
const LENGTH: u64 = 2 << 20;
/// What an earlier run has left.
const KEPT: u64 = 15 << 17;

/// All by which the file backend changes something, or may one day.
const CALLS: [&str; 24] = [
    "mkdir",
    "mkdirat",
    "open",
    "openat",
    "openat2",
    "creat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "utimensat",
    "fsync",
    "fdatasync",
    "flock",
    "fchmod",
    "rename",
    "renameat",
    "renameat2",
    "linkat",
    "unlink",
    "unlinkat",
];

/// What the program finds when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// The most of the file, of the version that the server has.
    TheMost,
    /// The most of the file, of a version that the server no longer has.
    TheMostOfAnother,
}

#[test]
fn killed_at_every_call_it_is_whole_after_a_restart_and_nothing_else_is_left_where_there_was_nothing() {
    Sweep::of(Found::Nothing);
}

#[test]
fn killed_at_every_call_while_it_goes_on_it_keeps_what_was_there() {
    Sweep::of(Found::TheMost);
}

#[test]
fn killed_at_every_call_while_it_starts_over_no_byte_of_the_old_version_is_left() {
    Sweep::of(Found::TheMostOfAnother);
}

/// A system call.
#[derive(Debug)]
struct Call {
    name: &'static str,
    /// One of these is what it is made with; any where there are none.
    paths: Vec<String>,
}

/// A program that is killed again and again over the same files.
struct Sweep {
    bench: Bench,
    resource: Resource,
    found: Found,
    transport: &'static str,
}

impl Sweep {
    fn of(found: Found) {
        if let Err(reason) = strace_kills() {
            // Beside the harness, which would hold it back.
            let _ = writeln!(io::stderr(), "SKIPPED: killing the program at each system call: {reason}");
            return;
        }
        let all = std::env::var_os("DLMANAGER_EVERY_CALL").is_some();
        for (turn, transport) in TRANSPORTS.into_iter().enumerate() {
            let sweep = Self { bench: Bench::new(), resource: Resource::new(9, LENGTH), found, transport };
            sweep.prepare();
            let mut killed: BTreeMap<&str, usize> = BTreeMap::new();
            for (number, call) in sweep.made().into_iter().enumerate() {
                // In the suite the transports take turns.
                let calls = (1..).filter(|at| all || (at + number) % TRANSPORTS.len() == turn);
                let times = calls.take_while(|at| sweep.kill(&call, *at)).count();
                let is_of_a_file = !call.paths.is_empty();
                assert!(times > 0 || !all || is_of_a_file, "{transport} is never killed at {call:?}, which it makes");
                *killed.entry(call.name).or_default() += times;
            }
            println!("{found:?}, {transport}: killed {} times: {killed:?}", killed.values().sum::<usize>());
            assert!(killed.values().sum::<usize>() >= 8, "{transport}: next to nothing was tested: {killed:?}");
        }
    }

    /// The version that the server has when the program is killed and after.
    fn version(&self) -> u64 {
        if self.found == Found::TheMostOfAnother { 2 } else { 1 }
    }

    fn line(&self) -> String {
        format!("get --transport {} -d out {{}}/a", self.transport)
    }

    /// Makes what the program is to find.
    fn prepare(&self) {
        self.bench.origin.serve("/a", self.resource.reply(1).gate_at(At::Body(KEPT), &Gate::new()));
        let mut running = Running::start(&self.bench, &format!("{} --json", self.line()));
        running.wait_received(KEPT);
        running.signal(Signal::INT);
        running.end().exits(130);
        fs::rename(self.bench.path("out"), self.bench.path("found")).unwrap();
        assert_eq!(self.bench.names("found/.dlmanager").len(), 2, "the file and its record");
        self.bench.origin.serve("/a", self.resource.reply(self.version()));
    }

    /// Puts there what the program is to find.
    fn set_out(&self) {
        let out = self.bench.path("out");
        if out.exists() {
            fs::remove_dir_all(&out).unwrap();
        }
        if self.found != Found::Nothing {
            fs::create_dir_all(out.join(".dlmanager")).unwrap();
            for name in self.bench.names("found/.dlmanager") {
                let from = self.bench.path("found/.dlmanager").join(&name);
                fs::copy(from, out.join(".dlmanager").join(&name)).unwrap();
            }
        }
    }

    /// Kills the program at call number `at` of that name, and runs it again. `false` where it has come to its end before.
    #[track_caller]
    fn kill(&self, call: &Call, at: usize) -> bool {
        let Call { name, paths } = call;
        let place = format!("{:?}, {}: killed at {name} {at} {paths:?}", self.found, self.transport);
        self.set_out();
        let before = self.bench.requests();
        let inject = format!("inject={name}:signal=SIGKILL:when={at}");
        let status = self.traced(&[&format!("trace={name}"), &inject], paths, Path::new("/dev/null"));
        let is_killed = status.signal() == Some(Signal::KILL.as_raw());
        assert!(is_killed || status.success(), "{place}: {status}");
        // What has the name is whole, at every moment.
        match File::open(self.bench.path("out/a")) {
            Ok(file) => {
                let version = self.resource.whole_version([1, 2], file).unwrap();
                assert_eq!(version, Some(self.version()), "{place}: what has the name is not the file");
            }
            Err(error) => assert!(is_killed && error.kind() == io::ErrorKind::NotFound, "{place}: {error}"),
        }
        let has_record = !is_killed || self.left().iter().any(|name| name.ends_with(".rec"));
        if is_killed {
            let ran = self.bench.run(&self.line());
            assert_eq!(ran.code, Some(0), "{place}: {ran:?}");
        }
        self.bench.assert_bytes("out/a", &self.resource.body(self.version()));
        self.assert_nothing_else_is_left(&place);
        // Who dies between the removal of the record and the renaming has the whole file and nothing that says so.
        if self.found == Found::TheMost && has_record {
            for request in &self.bench.origin.records().requests[before..] {
                assert!(asked_from(request) >= Some(KEPT), "{place}: what was kept is fetched again: {request:?}");
            }
        }
        is_killed
    }

    /// What stands beside the file, or what is to be the file.
    fn left(&self) -> Vec<String> {
        let is_there = self.bench.path("out/.dlmanager").exists();
        if is_there { self.bench.names("out/.dlmanager") } else { Vec::new() }
    }

    /// Nothing but the file; and, where the program died while it tried whether locks work, the empty file by which it did:
    /// its name is a random one, under which nobody looks for it.
    #[track_caller]
    fn assert_nothing_else_is_left(&self, place: &str) {
        let names: Vec<String> = self.bench.names("out").into_iter().filter(|name| name != ".dlmanager").collect();
        assert_eq!(names, ["a"], "{place}");
        for name in self.left() {
            let length = fs::metadata(self.bench.path("out/.dlmanager").join(&name)).unwrap().len();
            assert!(name.starts_with("probe.") && length == 0, "{place}: {name} is left, of {length} bytes");
        }
        assert!(self.left().len() <= 1, "{place}: {:?} are left", self.left());
    }

    /// The calls that the program makes, and once more for each file those that several threads make.
    fn made(&self) -> Vec<Call> {
        self.set_out();
        let log = self.bench.path("calls");
        assert!(self.traced(&[&format!("trace=?{}", CALLS.join(",?"))], &[], &log).success());
        let log = fs::read_to_string(log).unwrap();
        let mut made = Vec::new();
        for name in CALLS {
            // Before each call stands its thread.
            let called = log.lines().filter_map(|line| line.split_once(' ')).filter(|(_, call)| {
                call.trim_start().strip_prefix(name).is_some_and(|arguments| arguments.starts_with('('))
            });
            let threads: BTreeSet<&str> = called.map(|(thread, _)| thread).collect();
            if !threads.is_empty() {
                made.push(Call { name, paths: Vec::new() });
            }
            if threads.len() > 1 {
                made.push(Call { name, paths: vec![".dlmanager".to_owned()] });
                for file in self.bench.names("found/.dlmanager") {
                    let whole = self.bench.path("out/.dlmanager").join(&file).into_os_string().into_string().unwrap();
                    made.push(Call { name, paths: vec![format!(".dlmanager/{file}"), file, whole] });
                }
            }
        }
        made
    }

    fn traced(&self, expressions: &[&str], paths: &[String], log: &Path) -> ExitStatus {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(log);
        for expression in expressions {
            command.args(["-e", expression]);
        }
        for path in paths {
            command.args(["-P", path]);
        }
        command.arg(program()).args(self.bench.arguments(&self.line())).current_dir(self.bench.path(""));
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        // Where cargo looks for libraries: the loader would open file after file.
        command.env_remove("LD_LIBRARY_PATH");
        status_of(command)
    }
}

/// Whether strace is there, may trace, and can kill as it enters a call.
fn strace_kills() -> Result<(), String> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    command.args(["-e", "trace=exit_group", "-e", "inject=exit_group:signal=SIGKILL:when=1", "true"]);
    match command.stdin(Stdio::null()).stderr(Stdio::piped()).output() {
        Err(error) => Err(format!("strace does not start (on Debian: apt-get install strace): {error}")),
        Ok(output) if output.status.signal() == Some(Signal::KILL.as_raw()) => Ok(()),
        Ok(output) => Err(format!("strace may not trace here: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn status_of(mut command: Command) -> ExitStatus {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if std::time::Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{command:?} does not end");
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
