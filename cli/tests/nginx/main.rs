//! The program against nginx, byte for byte. Skipped, and said so, where nginx is not installed.

mod server;
mod tls;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use crate::server::Nginx;

const GIB: u64 = 1 << 30;

/// Bytes of which no two stretches of 8 are the same.
fn fill(path: &Path, length: u64, seed: u64) {
    let mut file = File::create(path).expect("a file to serve");
    let mut block = Vec::with_capacity(1 << 20);
    let mut state = seed;
    let mut left = length;
    while left > 0 {
        block.clear();
        while (block.len() as u64) < left.min(1 << 20) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            block.extend_from_slice(&state.to_le_bytes());
        }
        block.truncate(usize::try_from(left.min(1 << 20)).expect("a block fits"));
        file.write_all(&block).expect("room for the file");
        left -= block.len() as u64;
    }
}

fn assert_same(got: &Path, wanted: &Path) {
    let (mut got_file, mut wanted_file) = (File::open(got).expect("the file is there"), File::open(wanted).unwrap());
    assert_eq!(got_file.metadata().unwrap().len(), wanted_file.metadata().unwrap().len(), "{}", got.display());
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let length = got_file.read(&mut a).unwrap();
        if length == 0 {
            return;
        }
        wanted_file.read_exact(&mut b[..length]).unwrap();
        assert!(a[..length] == b[..length], "{} differs", got.display());
    }
}

fn dlmanager() -> assert_cmd::Command {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_dlmanager"))
}

#[test]
fn a_gibibyte_arrives_byte_for_byte() {
    let Some(nginx) = Nginx::start(&[None]) else { return };
    fill(&nginx.www().join("big"), GIB, 1);
    let target = tempfile::tempdir().unwrap();
    let output =
        dlmanager().args(["get", "-q", "-d"]).arg(target.path()).arg(nginx.url("http", 0, "big")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_same(&target.path().join("big"), &nginx.www().join("big"));
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing but the file is there");
}

#[test]
fn two_thousand_small_files_arrive_byte_for_byte() {
    let Some(nginx) = Nginx::start(&[None]) else { return };
    let mut list = String::new();
    for number in 0..2_000 {
        let name = format!("file-{number:04}");
        fill(&nginx.www().join(&name), 16 * 1024, number + 2);
        list += &format!("{}\n", nginx.url("http", 0, &name));
    }
    let target = tempfile::tempdir().unwrap();
    let mut command = dlmanager();
    command.args(["get", "-q", "-j", "16", "--per-host", "16", "-i", "-", "-d"]).arg(target.path());
    let output = command.write_stdin(list).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for number in 0..2_000 {
        let name = format!("file-{number:04}");
        assert_same(&target.path().join(&name), &nginx.www().join(&name));
    }
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 2_000, "nothing but the files is there");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().count(), 2_000, "the path of each finished file is printed where stdout is no terminal");
}
