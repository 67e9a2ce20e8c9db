//! `Probe` and `Gauge`.

use dlmanager_core::FaultKind::{Exists, NotFound, WrongType};
use dlmanager_core::FileKind::{Folder, Regular, Symlink};

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, refused};

cases! {
    probe_leaves_nothing: "Probe leaves nothing behind, wherever it looks, and finds the same each time",
    probe_finds_what_locks_do: "Probe finds that locks work where a second one is refused, and only there",
    probe_at_a_taken_name: "Probe at a name that is taken is Exists, and what has it stays",
    probe_without_its_folder: "Probe in a missing folder is NotFound, below a file WrongType",
    gauge_tells_the_time: "Gauge tells the clock that stamps files, and changes nothing",
}

fn probe_leaves_nothing(bench: &Bench<'_>) {
    bench.make_dir(".dlmanager").unwrap();
    let probed = bench.probe("a").unwrap();
    for name in ["a", "b", ".dlmanager/probe"] {
        assert_eq!(bench.probe(name), Ok(probed.clone()));
        bench.assert_list(&[(".dlmanager", Folder)]);
    }
    bench.create("a");
}

fn probe_finds_what_locks_do(bench: &Bench<'_>) {
    let (first, second) = (bench.create("a"), bench.open("a", dlmanager_core::OpenMode::Existing).unwrap());
    let is_refused = bench.lock(first, "a").is_ok() && bench.lock(second, "a").is_err();
    assert_eq!(bench.probe("b").unwrap().locks, is_refused);
}

fn probe_at_a_taken_name(bench: &Bench<'_>) {
    bench.put_file("a", b"theirs");
    bench.put("folder", Thing::Folder);
    assert_eq!(refused(bench.probe("a")), Exists);
    assert_eq!(refused(bench.probe("folder")), Exists);
    bench.assert_file("a", b"theirs");
    bench.put("link", Thing::Symlink("a"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    assert_eq!(refused(bench.probe("link")), Exists);
    assert_eq!(refused(bench.probe("dangling")), Exists);
    bench.assert_list(&[("a", Regular), ("dangling", Symlink), ("folder", Folder), ("link", Symlink)]);
}

fn probe_without_its_folder(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    assert_eq!(refused(bench.probe("folder/a")), NotFound);
    assert_eq!(refused(bench.probe("file/a")), WrongType);
    bench.assert_list(&[("file", Regular)]);
}

fn gauge_tells_the_time(bench: &Bench<'_>) {
    // The clocks of file systems may be coarse, and lag behind the system's.
    const TOLERANCE_NANOS: u64 = 3_000_000_000;
    bench.put_file("a", b"x");
    let stamped = bench.touch("a", std::time::Duration::ZERO).unwrap();
    for _ in 0..2 {
        let gauged = bench.gauge();
        for clock in [bench.now(), stamped] {
            let apart = gauged.now.as_nanos().abs_diff(clock.as_nanos());
            assert!(apart <= TOLERANCE_NANOS, "{gauged:?} {clock:?}");
        }
        assert_ne!(gauged.free_bytes, Some(0));
    }
    bench.assert_list(&[("a", Regular)]);
}
