//! The program, built once and run.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::setting::Setting;
use crate::wait::{DEADLINE, on_a_thread};

/// What building may take on a small machine, from nothing and behind other builds.
const BUILD_DEADLINE: Duration = Duration::from_secs(900);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

/// A run that is under way; it is killed when this is dropped.
struct Running(Child);

/// Runs the program in a folder, with the setting's transport.
pub(crate) fn run(setting: &Setting, folder: &Path, arguments: &[&str]) -> Ran {
    start(setting, folder, arguments).end()
}

fn start(setting: &Setting, folder: &Path, arguments: &[&str]) -> Running {
    let mut command = Command::new(program());
    command.args(arguments).args(["--transport", setting.transport.name]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Running(command.spawn().expect("the program can be run"))
}

impl Running {
    /// Waits until it ends, in time.
    fn end(mut self) -> Ran {
        let mut pipe = self.0.stderr.take().expect("the pipe is taken once");
        let read = move || {
            let mut stderr = String::new();
            pipe.read_to_string(&mut stderr).map(|_| stderr)
        };
        let stderr = on_a_thread(DEADLINE, read).expect("the program ends in time").expect("it writes UTF-8");
        let status = self.0.wait().expect("it can be waited for");
        Ran { code: status.code(), stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to be done where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program as the sources have it now. `cargo test --workspace` has built it; otherwise that is done here, as the tests of
/// one crate cannot name the program of another.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        built().unwrap_or_else(|| on_a_thread(BUILD_DEADLINE, build).unwrap_or_else(|error| panic!("{error}")))
    })
}

/// The program beside this one's folder, where it is newer than each file that it is made of.
fn built() -> Option<PathBuf> {
    let this = env::current_exe().ok()?;
    let program = this.ancestors().nth(2)?.join(format!("dlmanager{}", env::consts::EXE_SUFFIX));
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let built = modified(&program)?;
    // A line of make's: the program, a colon, and its sources; blanks in their paths are escaped.
    let sources = fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = sources.trim_end().split_once(": ")?;
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split(' ').map(|source| PathBuf::from(source.replace('\0', " ")));
    sources.all(|source| modified(&source).is_some_and(|source| source <= built)).then_some(program)
}

fn build() -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--package",
        "dlmanager-cli",
        "--bin",
        "dlmanager",
        "--message-format",
        "json-render-diagnostics",
    ]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = cargo.output().expect("cargo can be run");
    assert!(output.status.success(), "the program cannot be built");
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    messages.lines().filter_map(executable).next_back().expect("cargo names the program")
}

/// Ctrl-C: the program ends what runs, keeps what can be gone on with, and exits with 130; run again, it goes on.
#[cfg(unix)]
pub(crate) fn is_interrupted(setting: &Setting) {
    use dlmanager_origin::{At, Gate, Reply, Resource};
    use rustix::process::{Pid, Signal, kill_process};

    use crate::bench::Bench;
    use crate::place::TEN;

    // More than the buffers of a connection hold: some of it has arrived when the last of it was sent.
    const SENT: u64 = 32 << 20;

    let bench = Bench::new(setting);
    let (resource, stalled) = (Resource::new(32, SENT + 1_000_000), Gate::new());
    bench.origin.serve("/whole", Reply::body(TEN));
    bench.origin.script("/stalled", vec![resource.reply(1).gate_at(At::Body(SENT), &stalled), resource.reply(1)]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, url) = (bench.origin.url("/whole"), bench.origin.url("/stalled"));
    let arguments = ["get", "-j", "1", &whole, &url];
    let running = start(setting, folder.path(), &arguments);
    assert!(stalled.wait_reached(1, DEADLINE));
    kill_process(Pid::from_child(&running.0), Signal::INT).expect("it runs");
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    bench.wait_disconnected();
    let names = || {
        let entries = folder.path().read_dir().unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), [".dlmanager", "whole"]);
    assert_eq!(fs::read(folder.path().join("whole")).unwrap(), TEN);

    let ran = run(setting, folder.path(), &arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(names(), ["stalled", "whole"]);
    let file = fs::File::open(folder.path().join("stalled")).unwrap();
    assert_eq!(resource.body(1).compare(file).unwrap(), None);
    assert!(bench.origin.records().requests.last().unwrap().header("Range").is_some(), "only the rest is fetched");
}

/// There is no way to send Ctrl-C to one program alone.
#[cfg(not(unix))]
pub(crate) fn is_interrupted(_: &Setting) {}
