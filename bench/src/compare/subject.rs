//! The programs that are compared, and how each is told the same work.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::case::{Case, Start};

/// A program, with what is particular to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// dlmanager on hyper and tokio, with the case's durability.
    Hyper,
    /// dlmanager on smol.
    Smol,
    /// dlmanager on hyper, without flushes.
    HyperWithoutFlushes,
    /// dlmanager on smol, without flushes.
    SmolWithoutFlushes,
    /// dlmanager on hyper, on one core, with one loop for the network.
    HyperOnOneCore,
    /// dlmanager on hyper, with one loop for the network.
    HyperOnOneLoop,
    Curl,
    /// curl, and then sha256sum.
    CurlThenSha256sum,
    Wget2,
    Aria2,
    /// A bare loop over a socket.
    Raw,
    /// The same, with a flush and a rename for each file.
    RawFlushing,
    /// The same, with the system calls that dlmanager makes for each new file.
    RawContract,
}

/// Everything that a command line may need.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) case: &'a Case,
    /// What is to be fetched.
    pub(crate) urls: &'a [String],
    /// SHA-256 of the one file, where it is to be checked.
    pub(crate) sha256: Option<&'a str>,
    /// Where the files go.
    pub(crate) dir: &'a Path,
    /// Where lists and other files of a run go.
    pub(crate) scratch: &'a Path,
    pub(crate) ca_file: &'a Path,
    pub(crate) dlmanager: &'a Path,
}

impl Subject {
    /// The program that has to be installed.
    fn program(self) -> Option<&'static str> {
        match self {
            Self::Hyper
            | Self::Smol
            | Self::HyperWithoutFlushes
            | Self::SmolWithoutFlushes
            | Self::HyperOnOneLoop
            | Self::Raw
            | Self::RawFlushing
            | Self::RawContract => None,
            Self::HyperOnOneCore => Some("taskset"),
            Self::Curl | Self::CurlThenSha256sum => Some("curl"),
            Self::Wget2 => Some("wget2"),
            Self::Aria2 => Some("aria2c"),
        }
    }

    /// The program that would have to be installed and is not.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let program = self.program()?;
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
        (!found).then_some(program)
    }

    /// Whether it is what is being compared with the others.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Hyper | Self::Smol)
    }

    /// The same without flushes.
    pub(crate) fn unflushed(self) -> Self {
        if self == Self::Smol { Self::SmolWithoutFlushes } else { Self::HyperWithoutFlushes }
    }

    /// The command line that does the work.
    pub(crate) fn command(self, work: &Work<'_>) -> anyhow::Result<Vec<OsString>> {
        match self {
            Self::Hyper
            | Self::Smol
            | Self::HyperWithoutFlushes
            | Self::SmolWithoutFlushes
            | Self::HyperOnOneCore
            | Self::HyperOnOneLoop => self.dlmanager(work),
            Self::Curl => curl(work),
            Self::CurlThenSha256sum => {
                let [url] = work.urls else { anyhow::bail!("one file at a time") };
                let script = "curl -sSf -o \"$1\" \"$2\" && echo \"$3  $1\" | sha256sum --check --status";
                let mut command = words(&["sh", "-c", script, "sh"]);
                command.push(work.dir.join(name(url)).into());
                command.extend([url.into(), work.sha256.unwrap_or_default().into()]);
                Ok(command)
            }
            Self::Wget2 => wget2(work),
            Self::Aria2 => aria2(work),
            Self::Raw => raw("plain", work),
            Self::RawFlushing => raw("flush", work),
            Self::RawContract => raw("contract", work),
        }
    }

    fn dlmanager(self, work: &Work<'_>) -> anyhow::Result<Vec<OsString>> {
        let mut command = if self == Self::HyperOnOneCore { words(&["taskset", "-c", "0"]) } else { Vec::new() };
        command.push(work.dlmanager.into());
        let transport = if matches!(self, Self::Smol | Self::SmolWithoutFlushes) { "smol" } else { "hyper" };
        let is_unflushed = matches!(self, Self::HyperWithoutFlushes | Self::SmolWithoutFlushes);
        let durability = if is_unflushed { "none" } else { work.case.durability };
        let jobs = work.case.jobs.to_string();
        command.extend(words(&["get", "-q", "--transport", transport, "--durability", durability]));
        command.extend(words(&["--jobs", &jobs, "--per-host", &jobs, "-d"]));
        command.push(work.dir.into());
        if work.case.network_threads > 1 && !matches!(self, Self::HyperOnOneCore | Self::HyperOnOneLoop) {
            command.extend(words(&["--network-threads", &work.case.network_threads.to_string()]));
        }
        if work.case.secure {
            command.extend(["--cacert".into(), work.ca_file.into()]);
        }
        if let Some(sha256) = work.sha256 {
            command.extend(["--checksum".into(), format!("sha256:{sha256}").into()]);
        }
        match work.urls {
            [url] => command.push(url.into()),
            _ => command.extend(["-i".into(), list(work)?.into()]),
        }
        Ok(command)
    }
}

fn raw(way: &str, work: &Work<'_>) -> anyhow::Result<Vec<OsString>> {
    let mut command = vec![std::env::current_exe()?.into()];
    command.extend(words(&["raw", "--way", way]));
    command.extend([work.dir.into(), list(work)?.into()]);
    Ok(command)
}

fn curl(work: &Work<'_>) -> anyhow::Result<Vec<OsString>> {
    let mut command = words(&["curl", "-sS"]);
    if work.case.start != Start::Dead {
        command.push("-f".into());
    }
    if work.case.secure {
        command.extend(["--cacert".into(), work.ca_file.into()]);
    }
    if work.case.start == Start::Half {
        command.extend(words(&["-C", "-"]));
    }
    if let [url] = work.urls {
        command.push("-o".into());
        command.push(work.dir.join(name(url)).into());
        command.push(url.into());
        return Ok(command);
    }
    let text: String = work
        .urls
        .iter()
        .map(|url| format!("url = \"{url}\"\noutput = \"{}\"\n", work.dir.join(name(url)).display()))
        .collect();
    let configuration = work.scratch.join("curl.conf");
    fs::write(&configuration, text)?;
    command.extend(words(&["--parallel", "--parallel-max", &work.case.jobs.to_string(), "-K"]));
    command.push(configuration.into());
    Ok(command)
}

fn wget2(work: &Work<'_>) -> anyhow::Result<Vec<OsString>> {
    let jobs = format!("--max-threads={}", work.case.jobs);
    let mut command = words(&["wget2", "-q", "--no-config", "--no-hsts", "--no-ocsp", &jobs, "-P"]);
    command.push(work.dir.into());
    if work.case.start == Start::Dead {
        command.push("--tries=1".into());
    }
    if work.case.start == Start::Half {
        command.push("-c".into());
    }
    if work.case.secure {
        command.push(glued("--ca-certificate=", work.ca_file));
    }
    command.extend(["-i".into(), list(work)?.into()]);
    Ok(command)
}

fn aria2(work: &Work<'_>) -> anyhow::Result<Vec<OsString>> {
    let jobs = work.case.jobs.to_string();
    let mut command =
        words(&["aria2c", "-q", "--no-conf", "--file-allocation=none", "-x", "1", "-s", "1", "-j", &jobs]);
    command.extend(["-d".into(), work.dir.into()]);
    if work.case.start == Start::Dead {
        command.push("--max-tries=1".into());
    }
    if work.case.start == Start::Half {
        command.push("-c".into());
    }
    if work.case.secure {
        command.push(glued("--ca-certificate=", work.ca_file));
    }
    if let Some(sha256) = work.sha256 {
        command.push(format!("--checksum=sha-256={sha256}").into());
    }
    match work.urls {
        // With a list it would take the checksum for nothing.
        [url] => command.push(url.into()),
        _ => command.extend(["-i".into(), list(work)?.into()]),
    }
    Ok(command)
}

/// The URLs as a file, one a line.
fn list(work: &Work<'_>) -> anyhow::Result<PathBuf> {
    let path = work.scratch.join("urls");
    fs::write(&path, work.urls.join("\n") + "\n")?;
    Ok(path)
}

/// The name that a URL's file gets.
pub(crate) fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn glued(option: &str, path: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push(path);
    word
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hyper => "dlmanager, hyper",
            Self::Smol => "dlmanager, smol",
            Self::HyperWithoutFlushes => "hyper, unflushed",
            Self::SmolWithoutFlushes => "smol, unflushed",
            Self::HyperOnOneCore => "dlmanager, 1 core",
            Self::HyperOnOneLoop => "dlmanager, 1 loop",
            Self::Curl => "curl",
            Self::CurlThenSha256sum => "curl, sha256sum",
            Self::Wget2 => "wget2",
            Self::Aria2 => "aria2",
            Self::Raw => "raw socket",
            Self::RawFlushing => "raw, flush each",
            Self::RawContract => "raw, all calls",
        })
    }
}
