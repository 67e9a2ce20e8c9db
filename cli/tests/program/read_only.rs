//! A file system that is mounted read-only: what only reads works, and what writes says so before anything is fetched.
//!
//! Mounting takes root. Where that cannot be, it is said loudly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dlmanager::{DownloadManager, PersistLimit, Verified};
use tempfile::TempDir;

use crate::support::Bench;

const READ_ONLY: &str = "the file system is read-only (os error 30)";

/// A disk in memory that can only be read. Dropping it unmounts it.
struct ReadOnly {
    folder: TempDir,
}

impl ReadOnly {
    /// With six files of 10 bytes in the folder `cache`, the first one accessed longest ago.
    fn mount(bench: &Bench) -> Result<Self, String> {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        mount(["-t", "tmpfs", "-o", "size=1m", "dlmanager-test"], disk.folder.path())?;
        bench.six_files("made");
        let copied = Command::new("cp").arg("-a").arg(bench.path("made")).arg(disk.cache()).status();
        assert!(copied.is_ok_and(|status| status.success()), "the files are copied with their stamps");
        mount(["-o", "remount,ro"], disk.folder.path())?;
        Ok(disk)
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

fn mount<const N: usize>(arguments: [&str; N], point: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(arguments).arg(point).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A disk, or `None`, which is said.
fn disk(bench: &Bench) -> Option<ReadOnly> {
    match ReadOnly::mount(bench) {
        Ok(disk) => Some(disk),
        Err(error) => {
            eprintln!("SKIPPED: a read-only file system cannot be mounted: {error}");
            None
        }
    }
}

#[test]
fn what_writes_says_so_and_asks_no_server() {
    let bench = Bench::new();
    let Some(disk) = disk(&bench) else { return };
    bench.serve("/a", 10);
    bench.serve("/new", 10);
    let cache = disk.cache();
    let folder = cache.display();
    for line in [
        format!("get -d {folder} {{}}/a"),
        format!("get -d {folder} {{}}/new"),
        format!("get -d {folder} --adopt --size-limit 1 --file-limit 3 {{}}/new"),
        format!("evict -d {folder} --adopt --size-limit 1 --file-limit 3"),
        format!("evict -d {folder} --size-limit 1 --file-limit 3"),
    ] {
        let ran = bench.run(&line).exits(2);
        ran.says(&format!("error: cannot write to the directory {folder}: {READ_ONLY}"));
    }
    bench.run(&format!("get -d {folder}/sub {{}}/a")).exits(2).says("cannot make the directory").says(READ_ONLY);
    bench.run(&format!("pin -d {folder} a")).exits(1).says(&format!("error: cannot pin a: {READ_ONLY}"));
    bench.run(&format!("unpin -d {folder} a")).exits(0).says("a was not pinned");
    assert_eq!(bench.requests(), 0);
    let left = fs::read_dir(&cache).unwrap().count();
    assert_eq!(left, 6);
}

#[test]
fn what_only_reads_works() {
    let bench = Bench::new();
    let Some(disk) = disk(&bench) else { return };
    let cache = disk.cache();
    let folder = cache.display();
    let listed = bench.run(&format!("list -d {folder} --json")).exits(0).json();
    let names: Vec<_> = listed.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
    assert!(listed.iter().all(|file| file["leased"] == false && file["pinned"] == false), "{listed:#?}");
    bench.run(&format!("verify -d {folder}")).exits(0).says("0 match, 0 differ, 6 unrecorded, 0 unreadable");
    let line = format!("evict -d {folder} --adopt --size-limit 1 --file-limit 3 --dry-run --explain");
    let ran = bench.run(&line).exits(0).says("a: would be evicted, 10 B: too many bytes");
    ran.says("f: kept, 10 B: so many files are kept");
}

#[test]
fn a_program_that_embeds_it_can_use_what_is_there_and_is_told_what_cannot_be() {
    let bench = Bench::new();
    let Some(disk) = disk(&bench) else { return };
    let error = DownloadManager::new(disk.cache()).unwrap_err();
    let text = format!("cannot write to the directory {}: {READ_ONLY}", disk.cache().display());
    assert_eq!(error.to_string(), text);
    let there = disk.cache().join("a");
    let error = dlmanager::fetch(bench.origin.url("/a"), &there).wait().unwrap_err();
    assert!(error.to_string().contains(READ_ONLY), "{error}");
    assert_eq!(bench.requests(), 0, "what cannot be written is not asked for");
    let lease = PersistLimit::lease(&there).unwrap();
    assert_eq!(fs::read(lease.path()).unwrap(), b"0123456789");
    assert!(matches!(PersistLimit::verify(&there), Ok(Verified::NoDigest)));
    let error = PersistLimit::pin(&there).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(30), "{error}");
    drop(lease);

    // A bound that cannot be kept ends its pass, and says what it could not remove.
    let mut limit = PersistLimit::new(1, 3);
    assert_eq!(limit.register_dir_content(disk.cache(), "*").unwrap(), 6);
    let swept = limit.remove_old_files();
    assert_eq!((swept.usage.files, swept.failures.len()), (6, 6), "{swept:?}");
}
