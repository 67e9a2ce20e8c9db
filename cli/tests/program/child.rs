//! The program as a process that is looked at while it runs, signalled, and killed.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Bench, DEADLINE, PROXY_VARIABLES, Ran, program};

/// A run of the program. Dropping it kills the program.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<(Stream, String)>,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Running {
    pub(crate) fn start(bench: &Bench, line: &str) -> Self {
        let mut command = Command::new(program());
        command.args(bench.arguments(line));
        Self::spawn(bench, command)
    }

    /// Runs it as it is run by somebody whom rights bind, which root is not.
    pub(crate) fn start_bound(bench: &Bench, line: &str) -> Self {
        const NOBODY: u32 = 65_534;
        if !rustix::process::geteuid().is_root() {
            return Self::start(bench, line);
        }
        // Where the program was built may be root's alone.
        let reachable = tempfile::tempdir().unwrap();
        fs::set_permissions(reachable.path(), Permissions::from_mode(0o755)).unwrap();
        let copy = reachable.path().join("dlmanager");
        fs::copy(program(), &copy).unwrap();
        let mut command = Command::new(copy);
        command.args(bench.arguments(line)).uid(NOBODY).gid(NOBODY);
        chown(bench.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
        // A program that runs needs its name no more.
        Self::spawn(bench, command)
    }

    fn spawn(bench: &Bench, mut command: Command) -> Self {
        command.current_dir(bench.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        forward(Stream::Out, child.stdout.take().unwrap(), sender.clone());
        forward(Stream::Err, child.stderr.take().unwrap(), sender);
        Self { child, lines, stdout: Vec::new(), stderr: Vec::new() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until standard error says this.
    #[track_caller]
    pub(crate) fn wait_says(&mut self, text: &str) {
        while !self.stderr.iter().any(|line| line.contains(text)) {
            assert!(self.next(Instant::now() + DEADLINE), "{text:?} is not in {:?}", self.stderr);
        }
    }

    /// Waits until it has told (by `--json`) that so many downloads have started.
    #[track_caller]
    pub(crate) fn wait_started(&mut self, count: usize) {
        self.wait_for("started", count);
    }

    /// Waits until it has told (by `--json`) so many of these events.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, event: &str, count: usize) {
        let event = format!("{event:?}");
        while self.stdout.iter().filter(|line| line.contains(&event)).count() < count {
            assert!(self.next(Instant::now() + DEADLINE), "it has ended: {:?}, {:?}", self.stdout, self.stderr);
        }
    }

    /// Waits until it has told (by `--json`) that so many bytes are there.
    #[track_caller]
    pub(crate) fn wait_received(&mut self, bytes: u64) {
        let is_there = |line: &String| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["event"] == "progress" && event["bytes"].as_u64() >= Some(bytes)
        };
        while !self.stdout.last().is_some_and(is_there) {
            assert!(self.next(Instant::now() + DEADLINE), "it has ended: {:?}, {:?}", self.stdout, self.stderr);
        }
    }

    /// Whether it ends by itself in this time.
    pub(crate) fn ends_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while self.next(deadline) {}
        Instant::now() < deadline
    }

    /// How it ends by itself.
    pub(crate) fn end(mut self) -> Ran {
        assert!(self.ends_within(DEADLINE), "the program does not end: {:?}", self.stderr);
        let status: ExitStatus = self.child.wait().unwrap();
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect();
        Ran { code: status.code(), stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }

    /// Takes a line in; `false` where there is none until then, or there will be no more.
    fn next(&mut self, deadline: Instant) -> bool {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((Stream::Out, line)) => self.stdout.push(line),
            Ok((Stream::Err, line)) => self.stderr.push(line),
            Err(_) => return false,
        }
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn forward(stream: Stream, pipe: impl Read + Send + 'static, lines: Sender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if lines.send((stream, line)).is_err() {
                return;
            }
        }
    });
}
