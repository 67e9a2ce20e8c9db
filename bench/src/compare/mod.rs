//! The same work by several programs in turn, and one table.

mod case;
pub(crate) mod measure;
mod nginx;
pub(crate) mod raw;
mod subject;
mod table;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use case::{Case, Start};
use measure::{Used, measure};
use nginx::{Half, Nginx};
use subject::{Subject, Work, name};

/// Sizes, repeats and places.
#[derive(Debug, clap::Parser)]
pub(crate) struct Options {
    /// Small sizes and few repeats: under two minutes, for a first impression
    #[arg(long)]
    quick: bool,
    /// How often each program does each work
    #[arg(long, default_value_t = 7, default_value_if("quick", "true", "3"))]
    repeats: usize,
    /// Length of a large file in MiB
    #[arg(long, default_value_t = 1024, default_value_if("quick", "true", "256"))]
    pub(crate) large_mib: u64,
    /// How many small files
    #[arg(long, default_value_t = 2000, default_value_if("quick", "true", "500"))]
    pub(crate) small_files: usize,
    /// How many files of a dead origin
    #[arg(long, default_value_t = 20_000, default_value_if("quick", "true", "2000"))]
    pub(crate) queued: usize,
    /// Only work whose key contains this: plain, tls, sha256, small-none, small-data, small-disk, many, tls-cores, dead,
    /// limited, resume
    #[arg(long)]
    only: Option<String>,
    /// Only programs whose name contains this, and those that the goals are about
    #[arg(long)]
    program: Option<String>,
    /// Where files are served from and fetched to: memory where there is some, so that no disk is measured
    #[arg(long, default_value = "/dev/shm")]
    dir: PathBuf,
    /// Where files are flushed to a disk
    #[arg(long, default_value = "target")]
    disk: PathBuf,
    /// The program dlmanager [default: a release build is made]
    #[arg(long)]
    dlmanager: Option<PathBuf>,
    /// A program that has not ended by then has failed
    #[arg(long, default_value_t = 300)]
    seconds_max: u64,
}

/// What one program has used for one work, run by run.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) runs: Result<Vec<Used>, String>,
}

/// Does all the work, and prints as it goes.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let dlmanager = match &options.dlmanager {
        Some(path) => path.canonicalize().with_context(|| format!("{} is not there", path.display()))?,
        None => build()?,
    };
    let bench = Bench::new(options, dlmanager)?;
    println!("{} repeats, in turn; medians; ratios are medians of the ratios run by run", options.repeats);
    let mut missed = 0;
    for case in case::all(options) {
        if options.only.as_ref().is_none_or(|only| case.key.contains(only.as_str())) {
            let rows = bench.compare(&case)?;
            missed += table::print(&case, &rows);
        }
    }
    println!(
        "\n{}",
        if missed == 0 { "every goal is reached".to_owned() } else { format!("{missed} goals are missed") }
    );
    Ok(())
}

/// The program as it is shipped: built by itself, so that nobody's features are added to its own.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["build", "--release", "--package", "dlmanager-cli"]).status()?;
    ensure!(status.success(), "the program does not build");
    let beside = std::env::current_exe()?.with_file_name("dlmanager");
    let built = [beside, PathBuf::from("target/release/dlmanager")];
    let built = built.iter().find(|path| path.exists()).context("the program is not where cargo puts it")?;
    Ok(built.canonicalize()?)
}

struct Bench<'a> {
    options: &'a Options,
    dlmanager: PathBuf,
    // Ends before its folder goes.
    nginx: Nginx,
    memory: tempfile::TempDir,
    disk: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    fn new(options: &'a Options, dlmanager: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&options.disk)?;
        let folder = |parent: &Path| {
            let made = tempfile::Builder::new().prefix("dlmanager-bench-").tempdir_in(parent);
            made.with_context(|| format!("no folder can be made in {}", parent.display()))
        };
        let memory = folder(&options.dir)?;
        let disk = folder(&options.disk.canonicalize()?)?;
        fs::create_dir(memory.path().join("www"))?;
        let nginx = Nginx::start(memory.path(), Half(options.large_mib * 1024 * 1024 / 2))?;
        Ok(Self { options, dlmanager, nginx, memory, disk })
    }

    fn compare(&self, case: &Case) -> anyhow::Result<Vec<Row>> {
        eprintln!("{}: {}", case.key, case.title);
        let urls = self.serve(case)?;
        let sha256 = if case.sha256 { Some(sha256(&self.nginx.www().join(name(&urls[0])))?) } else { None };
        let mut rows: Vec<Row> = Vec::new();
        for &subject in &case.subjects {
            let runs = match subject.missing() {
                Some(program) => Err(format!("{program} is not installed")),
                None => Ok(Vec::new()),
            };
            let needed = subject.is_ours() || table::is_reference(case, subject);
            let wanted = |program: &String| subject.to_string().contains(program.as_str());
            if needed || self.options.program.as_ref().is_none_or(wanted) {
                rows.push(Row { subject, runs });
            }
        }
        let half = if case.start == Start::Half { Some(self.half(case, &urls[0])?) } else { None };
        for repeat in 0..self.options.repeats {
            for row in &mut rows {
                let Ok(runs) = &mut row.runs else { continue };
                match self.once(case, row.subject, &urls, sha256.as_deref(), half.as_deref(), repeat == 0) {
                    Ok(used) => runs.push(used),
                    Err(error) => row.runs = Err(format!("{error:#}")),
                }
            }
        }
        Ok(rows)
    }

    /// Makes the files of a case, and returns their URLs.
    fn serve(&self, case: &Case) -> anyhow::Result<Vec<String>> {
        let www = self.nginx.www();
        fs::remove_dir_all(&www)?;
        fs::create_dir(&www)?;
        let names = (0..case.files).map(|number| format!("{}-{number}.bin", case.key));
        if case.start == Start::Dead {
            return Ok(names.map(|name| self.nginx.dead_url(&name)).collect());
        }
        let folder = match case.start {
            Start::Fresh | Start::Dead => "",
            Start::Limited => "limited/",
            Start::Half => "half/",
        };
        let mut urls = Vec::new();
        let mut first = None;
        for (number, name) in names.enumerate() {
            let path = www.join(&name);
            match &first {
                // Large files may well be one.
                Some(first) if case.bytes_each > 1024 * 1024 => fs::hard_link(first, &path)?,
                _ => fill(&path, case.bytes_each, number as u64)?,
            }
            first.get_or_insert(path);
            urls.push(self.nginx.url(case.secure, &format!("{folder}{name}")));
        }
        Ok(urls)
    }

    /// What a run of dlmanager leaves that was interrupted halfway.
    fn half(&self, case: &Case, url: &str) -> anyhow::Result<PathBuf> {
        let dir = self.memory.path().join("half");
        let mut child = Command::new(&self.dlmanager)
            .args(["get", "-q", "-d"])
            .arg(&dir)
            .arg(url)
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        let parts = || fs::read_dir(dir.join(".dlmanager")).into_iter().flatten().flatten();
        let halfway = || parts().any(|entry| entry.metadata().is_ok_and(|part| part.len() >= case.bytes_each / 2));
        while !halfway() {
            ensure!(Instant::now() < deadline, "half of the file has not come");
            ensure!(child.try_wait()?.is_none(), "the program has ended before half of the file has come");
            thread::sleep(Duration::from_millis(10));
        }
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGINT)?;
        child.wait()?;
        ensure!(halfway(), "the interrupted program has not kept what it had");
        Ok(dir)
    }

    /// One program, once.
    fn once(
        &self,
        case: &Case,
        subject: Subject,
        urls: &[String],
        sha256: Option<&str>,
        half: Option<&Path>,
        thorough: bool,
    ) -> anyhow::Result<Used> {
        let place = if case.on_disk { self.disk.path() } else { self.memory.path() };
        let dir = place.join("fetched");
        let scratch = self.memory.path().join("scratch");
        for folder in [&dir, &scratch] {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => fs::create_dir(folder)?,
            }
        }
        if let Some(half) = half {
            if subject.is_ours() {
                copy(&half.join(".dlmanager"), &dir.join(".dlmanager"))?;
            } else {
                let from = fs::File::open(self.nginx.www().join(name(&urls[0])))?;
                let mut to = fs::File::create(dir.join(name(&urls[0])))?;
                std::io::copy(&mut from.take(case.bytes_each / 2), &mut to)?;
            }
        }
        let ca_file = self.nginx.ca_file();
        let work =
            Work { case, urls, sha256, dir: &dir, scratch: &scratch, ca_file: &ca_file, dlmanager: &self.dlmanager };
        let command = subject.command(&work)?;
        let output = scratch.join("output");
        let used = measure(&command, &output, self.options.seconds_max)?;
        if case.start == Start::Dead {
            ensure!(used.status != 0, "it claims to have fetched from a dead origin");
            ensure!(used.status < 128, "it was ended after {} s", used.wall.as_secs());
            ensure!(!subject.is_ours() || used.status == 1, "its exit status is {}, not 1", used.status);
            return Ok(used);
        }
        let said = fs::read_to_string(&output).unwrap_or_default();
        ensure!(used.status == 0, "its exit status is {}: {}", used.status, said.lines().next().unwrap_or("silence"));
        for url in urls {
            let (fetched, served) = (dir.join(name(url)), self.nginx.www().join(name(url)));
            let length = fs::metadata(&fetched).with_context(|| format!("{} is not there", name(url)))?.len();
            ensure!(length == case.bytes_each, "{} has {length} bytes", name(url));
            if thorough {
                ensure!(is_same(&fetched, &served)?, "{} is not what was served", name(url));
            }
        }
        Ok(used)
    }
}

fn sha256(path: &Path) -> anyhow::Result<String> {
    let output = Command::new("sha256sum").arg(path).output().context("sha256sum does not start")?;
    ensure!(output.status.success(), "sha256sum has failed");
    let text = String::from_utf8(output.stdout)?;
    text.split_whitespace().next().map(str::to_owned).context("sha256sum says nothing")
}

/// Makes a file of bytes that neither repeat nor compress.
fn fill(path: &Path, length: u64, seed: u64) -> anyhow::Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut left = length;
    while left > 0 {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let bytes = state.to_le_bytes();
        let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&bytes[..count])?;
        left -= count as u64;
    }
    file.flush()?;
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> anyhow::Result<bool> {
    let (mut one, mut other) = (fs::File::open(one)?, fs::File::open(other)?);
    let (mut left, mut right) = (vec![0; 1024 * 1024], vec![0; 1024 * 1024]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(other.read(&mut right[..1])? == 0);
        }
        match other.read_exact(&mut right[..count]) {
            Ok(()) if left[..count] == right[..count] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => bail!(error),
        }
    }
}

/// Copies a folder of files.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_differ_and_are_as_long_as_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, length, seed) in [("a", 1_000_003, 1), ("b", 1_000_003, 2), ("c", 1_000_003, 1), ("d", 1_000_002, 1)]
        {
            fill(&path(name), length, seed).unwrap();
            assert_eq!(fs::metadata(path(name)).unwrap().len(), length);
        }
        assert!(is_same(&path("a"), &path("c")).unwrap());
        for other in ["b", "d"] {
            assert!(!is_same(&path("a"), &path(other)).unwrap() && !is_same(&path(other), &path("a")).unwrap());
        }
    }
}
