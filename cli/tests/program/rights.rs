//! Directories that cannot be written to, from the start or from some moment on, and one that vanishes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use dlmanager_origin::{At, Gate, Resource};

use crate::child::Running;
use crate::killed::asked_from;
use crate::support::Bench;

const MIB: u64 = 1 << 20;
const LENGTH: u64 = 4 * MIB;
const MIDDLE: u64 = 3 * MIB;

fn set_mode(bench: &Bench, folder: &str, mode: u32) {
    fs::set_permissions(bench.path(folder), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_to_is_said_before_anything_is_fetched() {
    let bench = Bench::new();
    bench.serve("/a", 10);
    fs::create_dir(bench.path("out")).unwrap();
    set_mode(&bench, "out", 0o555);
    let ran = Running::start_bound(&bench, "get -d out {}/a").end().exits(2);
    ran.says("error: ").says("out").says("permission denied");
    assert!(bench.names("out").is_empty());
    assert_eq!(bench.requests(), 0);
}

#[test]
fn one_that_can_no_longer_be_written_to_fails_the_download_and_once_it_can_be_it_goes_on() {
    let bench = Bench::new();
    let (resource, gate) = (Resource::new(1, LENGTH), Gate::new());
    bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(MIDDLE), &gate), resource.reply(1)]);
    let mut running = Running::start_bound(&bench, "get --json -d out {}/a");
    running.wait_received(MIDDLE);
    set_mode(&bench, "out", 0o555);
    gate.open();
    running.end().exits(1).says("error: a: ").says("permission denied");
    assert_eq!(bench.names("out"), [".dlmanager"], "no file but a whole one has the name");

    set_mode(&bench, "out", 0o755);
    Running::start_bound(&bench, "get -d out {}/a").end().exits(0);
    bench.assert_bytes("out/a", &resource.body(1));
    assert_eq!(bench.names("out"), ["a"]);
}

#[test]
fn one_that_vanishes_fails_the_download_and_is_not_made_anew_behind_its_users_back() {
    let bench = Bench::new();
    let (resource, gate) = (Resource::new(1, LENGTH), Gate::new());
    bench.origin.script("/a", vec![resource.reply(1).gate_at(At::Body(MIDDLE), &gate), resource.reply(1)]);
    let mut running = Running::start(&bench, "get --json -d out {}/a");
    running.wait_received(MIDDLE);
    fs::remove_dir_all(bench.path("out")).unwrap();
    gate.open();
    running.end().exits(1).says("error: a: ");
    assert!(bench.names("").is_empty());

    bench.run("get -d out {}/a").exits(0);
    assert_eq!(asked_from(&bench.origin.records().requests[1]), None);
    bench.assert_bytes("out/a", &resource.body(1));
}
