//! An origin, an empty folder, and the program run in it.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use dlmanager_origin::{Authority, Body, Origin, Reply, ServerCertificate, Tls};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What carries the bytes.
pub(crate) const TRANSPORTS: [&str; 2] = ["hyper", "smol"];

/// Where the environment names proxies.
pub(crate) const PROXY_VARIABLES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// What a test works with. The program runs in the folder.
pub(crate) struct Bench {
    pub(crate) origin: Origin,
    folder: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { origin: Origin::start().unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    /// The same with an origin that speaks TLS, whose CA's certificate is in the file `ca.pem`.
    pub(crate) fn secured(certificate: ServerCertificate) -> Self {
        let authority = Authority::new("the tests' own CA").unwrap();
        let origin = Origin::start_tls(&Tls::new(&authority).certificate(certificate)).unwrap();
        let bench = Self { origin, folder: tempfile::tempdir().unwrap() };
        bench.write("ca.pem", &authority.pem());
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, to be run in the folder with these arguments, separated by blanks; `{}` is the origin's URL.
    pub(crate) fn command(&self, line: &str) -> Command {
        self.command_of(self.arguments(line))
    }

    /// The arguments in a line, separated by blanks; `{}` is the origin's URL.
    pub(crate) fn arguments(&self, line: &str) -> Vec<String> {
        let line = line.replace("{}", self.origin.url("").trim_end_matches('/'));
        line.split_whitespace().map(String::from).collect()
    }

    pub(crate) fn command_of(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.folder.path()).timeout(DEADLINE);
        // What somebody has set is told of.
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(&mut self.command(line))
    }

    /// Serves these bytes under a path.
    pub(crate) fn serve(&self, path: &str, length: u64) -> Body {
        let body = Body::pattern(length, length);
        self.origin.serve(path, Reply::body(body.clone()));
        body
    }

    /// How many requests the origin got.
    pub(crate) fn requests(&self) -> usize {
        self.origin.records().requests.len()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The file under that name has these bytes.
    pub(crate) fn assert_bytes(&self, name: &str, body: &Body) {
        let file = File::open(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(body.compare(file).unwrap(), None, "{name} differs");
    }

    /// All names in a folder, hidden ones included, in order.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Files of 10 bytes, the first one accessed longest ago.
    pub(crate) fn six_files(&self, folder: &str) {
        fs::create_dir_all(self.path(folder)).unwrap();
        for (age, name) in ["f", "e", "d", "c", "b", "a"].into_iter().enumerate() {
            self.write(&format!("{folder}/{name}"), "0123456789");
            let accessed = SystemTime::now() - Duration::from_secs(3600 + 60 * age as u64);
            set_accessed(&self.path(folder).join(name), accessed);
        }
    }
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Standard error says this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in {self:#?}");
        self
    }

    /// Standard output as JSON, one object a line.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_dlmanager"))
}

/// Changes nothing but the access time.
pub(crate) fn set_accessed(path: &Path, accessed: SystemTime) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_accessed(accessed)).unwrap();
}
