//! A helper process that runs one program and tells what it has used.
//!
//! The system adds up what ended children have used, so each program is the only child of a process of its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};

/// What the helper is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where its complaints go; what it prints is thrown away.
    output: PathBuf,
    /// Kills the program after so many seconds.
    seconds_max: u64,
    program: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// What a program has used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Used {
    /// From before its start to its end.
    pub(crate) wall: Duration,
    /// In the program and in the system on its behalf, on all cores.
    pub(crate) cpu: Duration,
    /// The most memory that one of its processes held.
    pub(crate) peak_kib: u64,
    /// Its exit status, 128 and the signal where one has ended it.
    pub(crate) status: i32,
}

/// Runs the program and prints what it has used.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let output = File::create(&arguments.output)?;
    let mut command = Command::new(&arguments.program);
    command.args(&arguments.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
    let limit = Duration::from_secs(arguments.seconds_max);
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{} does not start", arguments.program.display()))?;
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
    let (ended, watched) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if watched.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL);
        }
    });
    let status = child.wait()?;
    let wall = began.elapsed();
    drop(ended);
    let _ = watch.join();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let cpu_micros = micros(usage.user_time()) + micros(usage.system_time());
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
    let code = status.code().unwrap_or(128 + signal);
    println!("{} {cpu_micros} {} {code}", wall.as_micros(), usage.max_rss());
    Ok(())
}

/// Has a helper run a program.
pub(crate) fn measure(program: &[OsString], output: &std::path::Path, seconds_max: u64) -> anyhow::Result<Used> {
    let helper = Command::new(std::env::current_exe()?)
        .arg("measure")
        .arg(output)
        .arg(seconds_max.to_string())
        .args(program)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(helper.status.success(), "measuring {program:?} has failed");
    let text = String::from_utf8(helper.stdout)?;
    let figures: Vec<i64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [wall, cpu, peak_kib, status] = figures[..] else { bail!("measuring {program:?} has said {text:?}") };
    Ok(Used {
        wall: Duration::from_micros(wall.try_into()?),
        cpu: Duration::from_micros(cpu.try_into()?),
        peak_kib: peak_kib.try_into()?,
        status: status.try_into()?,
    })
}
