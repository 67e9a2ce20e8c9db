//! Disks that are full, and have room again: one in memory, and ext4 in a file.
//!
//! They are mounted, which takes root. Where that cannot be, it is said loudly.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dlmanager_origin::{At, Body, Gate, Reply, Resource};
use tempfile::TempDir;

use crate::child::Running;
use crate::killed::asked_from;
use crate::support::{Bench, TRANSPORTS};

const MIB: u64 = 1 << 20;

#[derive(Debug, Clone, Copy)]
enum FileSystem {
    /// Of 8 MiB.
    Tmpfs,
    /// In a file of 16 MiB, on a loop device.
    Ext4,
}

/// A mounted disk. Dropping it unmounts it.
struct Disk {
    folder: TempDir,
    file_system: FileSystem,
}

impl Disk {
    fn mount(file_system: FileSystem) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let (point, image) = (folder.path().join("disk"), folder.path().join("image"));
        fs::create_dir(&point).unwrap();
        match file_system {
            FileSystem::Tmpfs => {
                run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "dlmanager-test"]).arg(&point))?;
            }
            FileSystem::Ext4 => {
                File::create(&image).unwrap().set_len(16 * MIB).unwrap();
                run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
                run(Command::new("mount").args(["-o", "loop"]).args([&image, &point]))?;
            }
        }
        let disk = Self { folder, file_system };
        fs::create_dir(disk.out()).unwrap();
        Ok(disk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("disk").join(name)
    }

    /// Where the program fetches to.
    fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// Fills it, but for about so many bytes.
    fn fill_up_to(&self, room_bytes: u64) {
        let mut filler = File::create(self.path("filler")).unwrap();
        let mut filled = 0;
        let error = loop {
            match filler.write(&[1; 64 * 1024]) {
                Ok(written) => filled += written as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{:?}", self.file_system);
        assert!(filled >= 5 * MIB, "{:?} had room for {filled} bytes alone", self.file_system);
        filler.set_len(filled - room_bytes).unwrap();
        // What is freed is free at once.
        filler.sync_all().unwrap();
    }

    fn free(&self) {
        fs::remove_file(self.path("filler")).unwrap();
        File::open(self.path("")).unwrap().sync_all().unwrap();
    }

    /// Waits until more than so many bytes can be gone on with: they are on the disk, and so is their record.
    fn wait_for_unfinished(&self, bytes: u64) {
        let length = |end: &str| {
            let entries = fs::read_dir(self.out().join(".dlmanager")).ok()?;
            let mut ending =
                entries.filter_map(|entry| entry.ok().filter(|entry| entry.path().to_string_lossy().ends_with(end)));
            Some(ending.next()?.metadata().ok()?.len())
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !(length(".part") > Some(bytes) && length(".rec") > Some(0)) {
            assert!(Instant::now() < deadline, "{:?}: nothing that can be gone on with", self.file_system);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[track_caller]
    fn assert_bytes(&self, name: &str, body: &Body) {
        let file = File::open(self.out().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(body.compare(file).unwrap(), None, "{name} differs");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = run(Command::new("umount").arg(self.path("")));
        if let Err(error) = unmounted
            && !thread::panicking()
        {
            panic!("{error}");
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output() {
        Err(error) => Err(format!("{command:?}: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Does this on a disk of each kind, through each transport.
fn on_each_disk(test: impl Fn(&Disk, &Bench, &str)) {
    for file_system in [FileSystem::Tmpfs, FileSystem::Ext4] {
        for transport in TRANSPORTS {
            match Disk::mount(file_system) {
                Ok(disk) => {
                    let out = disk.out().into_os_string().into_string().unwrap();
                    test(&disk, &Bench::new(), &format!("get --transport {transport} -d {out}"));
                }
                Err(reason) => {
                    // Beside the harness, which would hold it back.
                    let _ = writeln!(io::stderr(), "SKIPPED: full disks, {file_system:?}: {reason}");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_file_for_which_there_is_no_room_leaves_nothing_and_harms_no_other() {
    on_each_disk(|disk, bench, get| {
        disk.fill_up_to(4 * MIB);
        let (big, small) = (Resource::new(1, 20 * MIB), Resource::new(2, 2 * MIB));
        let (half, begun) = (Gate::new(), Gate::new());
        bench.origin.serve("/small", small.reply(1).gate_at(At::Body(MIB), &half));
        bench.origin.serve("/big", big.reply(1).gate_at(At::Body(1), &begun));
        // One without a length, of which nobody could know that it is too long.
        let endless = Reply::body(Body::pattern(3, 20 * MIB)).chunked(&[16_384]);
        bench.origin.serve("/endless", endless.gate_at(At::Body(1), &begun));
        let mut running = Running::start(bench, &format!("{get} --json {{}}/small {{}}/big {{}}/endless"));
        running.wait_received(MIB);
        begun.open();
        running.wait_says("error: big: ");
        running.wait_says("error: endless: ");
        half.open();
        let ran = running.end().exits(1);
        for name in ["big", "endless"] {
            let told = ran.stderr.lines().filter(|line| line.starts_with(&format!("error: {name}: "))).count();
            assert_eq!(told, 1, "{ran:#?}");
        }
        assert_eq!(ran.stderr.matches("no space left").count(), 2, "{ran:#?}");
        disk.assert_bytes("small", &small.body(1));
        assert_eq!(disk.names(), ["small"], "what was unfinished is removed, so that its room is free");
        assert_eq!(bench.origin.records().requests.len(), 3, "a full disk is no reason to ask again");
    });
}

#[test]
fn once_there_is_room_the_same_command_fetches_it() {
    on_each_disk(|disk, bench, get| {
        let resource = Resource::new(4, 5 * MIB);
        bench.origin.serve("/a", resource.reply(1));
        // With room for a part, and with none for anything.
        for room_bytes in [2 * MIB, 0] {
            disk.fill_up_to(room_bytes);
            bench.run(&format!("{get} {{}}/a")).exits(1).says("error: a: ").says("no space left");
            assert!(disk.names().is_empty(), "{:?}", disk.names());
        }
        disk.free();
        bench.run(&format!("{get} {{}}/a")).exits(0);
        disk.assert_bytes("a", &resource.body(1));
        assert_eq!(disk.names(), ["a"]);
    });
}

#[test]
fn what_was_kept_goes_too_once_the_rest_has_no_room() {
    on_each_disk(|disk, bench, get| {
        let (resource, gate) = (Resource::new(5, 5 * MIB), Gate::new());
        bench.origin.serve("/a", resource.reply(1).gate_at(At::Body(2 * MIB), &gate));
        let mut running = Running::start(bench, &format!("{get} --json {{}}/a"));
        running.wait_received(2 * MIB);
        disk.wait_for_unfinished(MIB);
        running.kill();
        bench.origin.serve("/a", resource.reply(1));
        disk.fill_up_to(MIB);
        bench.run(&format!("{get} {{}}/a")).exits(1).says("error: a: ").says("no space left");
        assert!(disk.names().is_empty(), "{:?}", disk.names());
        disk.free();
        bench.run(&format!("{get} {{}}/a")).exits(0);
        let requests = bench.origin.records().requests;
        assert!(asked_from(&requests[1]) > Some(MIB), "it went on with what was kept: {:?}", requests[1]);
        assert_eq!(asked_from(&requests[2]), None);
        disk.assert_bytes("a", &resource.body(1));
        assert_eq!(disk.names(), ["a"]);
    });
}
