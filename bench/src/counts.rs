//! Instructions of the core, counted under callgrind: the same on every run, whatever else the machine does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use dlmanager_bench::Work;
use nix::sys::resource::{UsageWho, getrusage};

/// What to count, and where the figures are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep the figures, instead of comparing them with those that are kept
    #[arg(long)]
    keep: bool,
    /// How much more than the kept figure is too much, in percent
    #[arg(long, default_value_t = 2.0)]
    tolerance: f64,
    /// Where the figures are kept
    #[arg(long, default_value = "bench/counts.txt")]
    file: PathBuf,
}

/// What runs under callgrind.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkArguments {
    /// Its name
    name: String,
    /// How often
    times: u32,
}

/// Does a piece of work so often.
pub(crate) fn work(arguments: &WorkArguments) -> anyhow::Result<()> {
    let work = Work::ALL.into_iter().find(|work| work.name() == arguments.name).context("there is no such work")?;
    work.prepare().run(arguments.times);
    Ok(())
}

/// Counts, and compares.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut kept = BTreeMap::new();
    if !arguments.keep {
        let text = fs::read_to_string(&arguments.file)
            .with_context(|| format!("no figures are kept in {}: --keep them", arguments.file.display()))?;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (count, name) = line.trim().split_once(' ').context("a line without a name")?;
            kept.insert(name.to_owned(), count.parse::<f64>()?);
        }
    }
    let mut text = format!(
        "# Instructions of the core, for each piece of work, by `dlmanager-bench counts`.\n# {}\n",
        compiler()?
    );
    let mut worse = 0;
    println!("{:>12} {:>12}", "instructions", "kept");
    for work in Work::ALL {
        let count = count(work)?;
        writeln!(text, "{count:.0} {}", work.name())?;
        let (before, verdict) = match kept.get(work.name()) {
            Some(&before) if count > before * (1.0 + arguments.tolerance / 100.0) => {
                worse += 1;
                (format!("{before:.0}"), "WORSE")
            }
            Some(&before) if count < before * (1.0 - arguments.tolerance / 100.0) => (format!("{before:.0}"), "better"),
            Some(&before) => (format!("{before:.0}"), ""),
            None => ("-".to_owned(), ""),
        };
        println!("{count:>12.0} {before:>12}  {} {verdict}", work.name());
    }
    if arguments.keep {
        fs::write(&arguments.file, text)?;
    }
    ensure!(worse == 0, "{worse} counts have grown by more than {} %", arguments.tolerance);
    Ok(())
}

/// The difference between so many times and once more: what comes before and after is the same in both.
fn count(work: Work) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let (few, many) = work.times();
    let (few_count, many_count) = (collected(work, few, folder.path())?, collected(work, many, folder.path())?);
    Ok((many_count - few_count) as f64 / f64::from(many - few))
}

fn collected(work: Work, times: u32, folder: &Path) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["work", work.name(), &times.to_string()])
        .current_dir(folder)
        .output()
        .context("valgrind does not start (Debian: valgrind)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} has failed under valgrind: {said}", work.name());
    let Some((_, count)) = said.split_once("Collected : ") else { bail!("valgrind does not tell the count: {said}") };
    Ok(count.split_whitespace().next().unwrap_or_default().parse()?)
}

fn compiler() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("rustc does not start")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// How fast the core is on this machine, in CPU time, so that other programs disturb it little.
pub(crate) fn speed() -> anyhow::Result<()> {
    println!("{:>10} {:>14}", "ns", "events/s");
    for work in Work::ALL {
        let mut prepared = work.prepare();
        let (mut times, mut took, mut events) = (0_u64, Duration::ZERO, 0);
        prepared.run(work.times().1);
        while took < Duration::from_millis(500) {
            let before = prepared.events();
            let began = cpu_time()?;
            prepared.run(work.times().1);
            took += cpu_time()?.saturating_sub(began);
            times += u64::from(work.times().1);
            events += prepared.events() - before;
        }
        let nanos = took.as_secs_f64() * 1e9 / times as f64;
        let rate = if events == 0 {
            "-".to_owned()
        } else {
            format!("{:.1} million", events as f64 / took.as_secs_f64() / 1e6)
        };
        println!("{nanos:>10.1} {rate:>14}  {}", work.name());
    }
    Ok(())
}

/// What this process has used so far.
fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    Ok(Duration::from_micros((micros(usage.user_time()) + micros(usage.system_time())).try_into()?))
}
