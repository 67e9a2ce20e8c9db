//! Identifiers of open files and scans, and `Close`.

use std::time::Duration;

use dlmanager_core::FaultKind::{Exists, Io};
use dlmanager_core::FileKind::Regular;
use dlmanager_core::OpenMode::{CreateNew, CreateOrExisting, Existing, Read};
use dlmanager_core::{Algorithm, Algorithms, FileId};

use super::cases;
use crate::bench::{Bench, at_second, refused};

cases! {
    close_twice: "Closing twice is fine",
    close_of_nothing: "Closing what was never opened is fine",
    close_after_a_failed_open: "Closing after a failed Open is fine",
    use_of_nothing: "What is done to what is not open is Io",
    use_after_close: "What is done after Close is Io, and writes nothing",
    an_identifier_in_use: "Open under an identifier in use is Io, and makes nothing",
    a_scan_is_no_file: "A scan is no file, and a file no scan: using one for the other is Io",
    nothing_stays_open: "Whatever fails, everything is closed by its Close",
}

fn close_twice(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"bytes"]).unwrap();
    for _ in 0..3 {
        bench.close(file).unwrap();
    }
    bench.assert_file("a", b"bytes");
}

fn close_of_nothing(bench: &Bench<'_>) {
    bench.close(bench.fresh_id()).unwrap();
    bench.assert_list(&[]);
}

fn close_after_a_failed_open(bench: &Bench<'_>) {
    bench.put_file("a", b"theirs");
    let file = bench.fresh_id();
    assert_eq!(refused(bench.open_as(file, "a", CreateNew)), Exists);
    assert_eq!(refused(bench.write(file, 0, &[b"x"])), Io);
    bench.close(file).unwrap();
    bench.assert_file("a", b"theirs");
}

/// Every operation on an open file is refused.
fn assert_unusable(bench: &Bench<'_>, file: FileId) {
    let sha256 = Algorithms::NONE.with(Algorithm::Sha256);
    assert_eq!(refused(bench.read(file, 0, 10)), Io, "Read");
    assert_eq!(refused(bench.write(file, 0, &[b"xxxxxxxx"])), Io, "Write");
    assert_eq!(refused(bench.truncate(file, 0)), Io, "Truncate");
    assert_eq!(refused(bench.set_times(file, at_second(0))), Io, "SetTimes");
    assert_eq!(refused(bench.hash(file, sha256, 0, 0)), Io, "Hash");
    assert_eq!(refused(bench.sync(file)), Io, "Sync");
    assert_eq!(refused(bench.finish(file, 5)), Io, "Finish");
}

fn use_of_nothing(bench: &Bench<'_>) {
    assert_unusable(bench, bench.fresh_id());
    bench.assert_list(&[]);
}

fn use_after_close(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"bytes"]).unwrap();
    bench.close(file).unwrap();
    assert_unusable(bench, file);
    bench.assert_file("a", b"bytes");
}

fn an_identifier_in_use(bench: &Bench<'_>) {
    let file = bench.create("a");
    assert_eq!(refused(bench.open_as(file, "b", CreateNew)), Io);
    assert_eq!(refused(bench.open_as(file, "a", Existing)), Io);
    bench.write(file, 0, &[b"bytes"]).unwrap();
    bench.assert_file("a", b"bytes");
    bench.assert_list(&[("a", Regular)]);
}

fn a_scan_is_no_file(bench: &Bench<'_>) {
    let file = bench.create("a");
    assert_eq!(refused(bench.scan(file, 10)), Io);
    let scan = bench.fresh_id();
    bench.scan(scan, 10).unwrap();
    assert_unusable(bench, scan);
    assert_eq!(refused(bench.open_as(scan, "b", CreateNew)), Io);
    bench.assert_list(&[("a", Regular)]);
}

fn nothing_stays_open(bench: &Bench<'_>) {
    assert_eq!(bench.open_handles(), 0);
    bench.make_dir("folder").unwrap();
    for round in 1..=20 {
        let file = bench.create(&format!("folder/{round}"));
        let scan = bench.fresh_id();
        bench.scan(scan, 1).unwrap();
        refused(bench.open("folder", CreateNew));
        refused(bench.open("folder", Existing));
        refused(bench.open("missing/a", Existing));
        refused(bench.open(&format!("folder/{round}/below"), CreateNew));
        refused(bench.rename("folder", "folder/new", true));
        refused(bench.make_dir(&format!("folder/{round}/below/far")));
        refused(bench.open("folder", CreateOrExisting));
        refused(bench.open("folder", Read));
        refused(bench.finish(file, 1));
        bench.probe("folder/probe").unwrap();
        let _ = bench.lock(file, "folder");
        let _ = bench.lock(file, &format!("folder/{round}"));
        bench.read(file, 0, 1).unwrap();
        bench.stat("folder/1").unwrap();
        bench.sync_dir("folder/1").unwrap();
        bench.make_dir("folder/deep/down").unwrap();
        bench.touch("folder/1", Duration::ZERO).unwrap();
        assert_eq!(bench.open_handles(), 2);
        bench.close(file).unwrap();
        bench.close(scan).unwrap();
        assert_eq!(bench.open_handles(), 0);
    }
}
