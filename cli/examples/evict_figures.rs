//! `dlmanager evict` beside what a shell does with the same files:
//!
//! ```text
//! cargo build --release -p dlmanager-cli
//! cargo run --release -p dlmanager-cli --example evict_figures -- target/release/dlmanager FOLDER [FILES] [ROUNDS]
//! ```
//!
//! In a new folder within FOLDER, which is removed afterwards, files of one byte are made, 200,000 unless said otherwise, with
//! stamps of access in a random order, and half of them are evicted: by turns with `find -printf | sort -n | head | xargs rm` and
//! with the program. Told are the wall times, their ratio, and the peak of the program's memory (Linux).

use std::error::Error;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(program), Some(within)) = (arguments.next(), arguments.next()) else {
        return Err("which program, and in which folder?".into());
    };
    let program = fs::canonicalize(program)?;
    let files: u64 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let (mut ratios, mut peaks) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let folder = tempfile::Builder::new().prefix("evict-figures").tempdir_in(&within)?;
        make(folder.path(), files)?;
        let shell = shell(folder.path(), files / 2)?;
        check(folder.path(), files - files / 2)?;
        folder.close()?;

        let folder = tempfile::Builder::new().prefix("evict-figures").tempdir_in(&within)?;
        make(folder.path(), files)?;
        let (ours, peak) = ours(&program, folder.path(), files)?;
        check(folder.path(), files - files / 2)?;
        folder.close()?;

        let ratio = ours.as_secs_f64() / shell.as_secs_f64();
        println!(
            "{round}: find | sort | head | xargs rm {shell:.2?}, dlmanager evict {ours:.2?}: {ratio:.2}; {peak} MiB"
        );
        ratios.push(ratio);
        peaks.push(peak);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}, greatest peak {} MiB", ratios[ratios.len() / 2], peaks.iter().max().unwrap_or(&0));
    Ok(())
}

/// Files whose order of access is not that of their names.
fn make(folder: &Path, files: u64) -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now();
    let mut random = 1_u64;
    for at in 0..files {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let file = File::create(folder.join(format!("file-{at:012}.bin")))?;
        std::io::Write::write_all(&mut &file, b"x")?;
        let accessed = now - Duration::from_secs(3_600) - Duration::from_nanos(random >> 20);
        file.set_times(FileTimes::new().set_accessed(accessed).set_modified(accessed))?;
    }
    // So that neither side finds the disk at work on what was just made.
    let status = Command::new("sync").status()?;
    if status.success() { Ok(()) } else { Err("sync failed".into()) }
}

fn shell(folder: &Path, victims: u64) -> Result<Duration, Box<dyn Error>> {
    let line = format!(
        "find . -maxdepth 1 -type f -printf '%A@ %f\\n' | sort -n | head -n {victims} | cut -d' ' -f2 | xargs rm"
    );
    let began = Instant::now();
    let status = Command::new("sh").args(["-c", &line]).env("LC_ALL", "C").current_dir(folder).status()?;
    let wall = began.elapsed();
    if status.success() { Ok(wall) } else { Err("the shell failed".into()) }
}

fn ours(program: &Path, folder: &Path, files: u64) -> Result<(Duration, u64), Box<dyn Error>> {
    // One byte each: from half of them on.
    let limit = (files - files / 2 + 1).to_string();
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(["evict", "-q", "--adopt", "--file-limit", "1", "--size-limit", &limit, "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()?;
    let mut peak_kibibytes = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            let wall = began.elapsed();
            return if status.success() { Ok((wall, peak_kibibytes / 1024)) } else { Err("the program failed".into()) };
        }
        // The high-water mark only rises, so that the last look before the end is close to it.
        if let Ok(status) = fs::read_to_string(format!("/proc/{}/status", child.id())) {
            let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let number = mark.and_then(|mark| mark.split_whitespace().next()?.parse().ok());
            peak_kibibytes = number.unwrap_or(peak_kibibytes);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn check(folder: &Path, left: u64) -> Result<(), Box<dyn Error>> {
    let found = fs::read_dir(folder)?.count() as u64;
    if found == left { Ok(()) } else { Err(format!("{found} files are left, not {left}").into()) }
}
