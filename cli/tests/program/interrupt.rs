//! Ctrl-C and SIGTERM.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use dlmanager_origin::{At, Body, Gate, Reply};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Bench, DEADLINE, program};

fn start(bench: &Bench, arguments: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.current_dir(bench.path("")).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// The exit code and standard error, once the program has ended by itself.
fn end(child: &mut Child) -> (Option<i32>, String) {
    let mut pipe = child.stderr.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stderr = String::new();
        sender.send(pipe.read_to_string(&mut stderr).map(|_| stderr))
    });
    let Ok(stderr) = receiver.recv_timeout(DEADLINE) else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("the program did not end");
    };
    (child.wait().unwrap().code(), stderr.unwrap())
}

#[test]
fn a_signal_cancels_what_runs_and_keeps_what_is_there() {
    for signal in [Signal::INT, Signal::TERM] {
        let bench = Bench::new();
        let gate = Gate::new();
        let whole = bench.serve("/whole", 1000);
        bench.origin.serve("/stalled", Reply::body(Body::pattern(1, 1_000_000)).gate_at(At::Body(500_000), &gate));
        bench.write("there", "mine");
        let urls = ["/whole", "/there", "/stalled"].map(|path| bench.origin.url(path));
        let mut child = start(&bench, &["get", "-j", "1", &urls[0], &urls[1], &urls[2]]);
        assert!(gate.wait_reached(1, DEADLINE));
        send(&child, signal);
        let (code, stderr) = end(&mut child);
        assert_eq!(code, Some(130), "{stderr}");
        assert!(stderr.contains("interrupted: ") && stderr.contains("stalled: canceled"), "{stderr}");
        assert!(stderr.contains("1 fetched (1000 B), 1 there already, 1 missing"), "{stderr}");
        assert_eq!(bench.names(""), ["there", "whole"], "nothing unfinished is left");
        bench.assert_bytes("whole", &whole);
        assert_eq!(bench.read("there"), "mine");
    }
}

#[test]
fn a_second_signal_leaves_at_once() {
    let bench = Bench::new();
    let gate = Gate::new();
    bench.origin.serve("/f", Reply::body("x").gate_at(At::Start, &gate));
    // More events than a pipe holds, and nobody reads them: the program cannot come to an orderly end.
    let list: String = (0..3000).map(|n| format!("{} f{n}\n", bench.origin.url(&format!("/f?{n}")))).collect();
    bench.write("list", &list);
    let mut child = start(&bench, &["get", "--json", "-i", "list"]);
    assert!(gate.wait_reached(1, DEADLINE));
    send(&child, Signal::INT);
    send(&child, Signal::TERM);
    // Kept open while it ends: closing it would let the program go on.
    let stdout = child.stdout.take();
    let (code, stderr) = end(&mut child);
    assert_eq!(code, Some(130), "{stderr}");
    drop(stdout);
}
