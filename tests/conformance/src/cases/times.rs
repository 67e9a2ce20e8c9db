//! `SetTimes`.

use dlmanager_core::OpenMode::Existing;

use super::cases;
use crate::bench::{Bench, at_second};

cases! {
    set_times_stamps: "SetTimes stamps the file as modified when it was told, and as accessed now",
    set_times_keeps_the_bytes: "SetTimes keeps the bytes and the length",
    set_times_follows_the_file: "SetTimes stamps the file that is open, whatever name it has by then",
    a_write_behind_set_times: "A write behind SetTimes stamps the file as modified now again",
}

/// The clocks of file systems may be coarse, and lag behind the system's.
const TOLERANCE_NANOS: i64 = 2_100_000_000;

fn set_times_stamps(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"bytes"]).unwrap();
    bench.set_stamps("a", at_second(0), at_second(0));
    for seconds in [0, 86_400, 400_000_000, -900_000_000] {
        let before = bench.now();
        bench.set_times(file, at_second(seconds)).unwrap();
        let stat = bench.stat_there("a");
        assert_eq!(stat.modified, at_second(seconds));
        let accessed = stat.accessed.as_nanos();
        let (earliest, latest) = (before.as_nanos() - TOLERANCE_NANOS, bench.now().as_nanos() + TOLERANCE_NANOS);
        assert!((earliest..=latest).contains(&accessed), "accessed {accessed}, not within {earliest} and {latest}");
    }
}

fn set_times_keeps_the_bytes(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"bytes"]).unwrap();
    bench.set_times(file, at_second(0)).unwrap();
    bench.sync(file).unwrap();
    bench.finish(file, 5).unwrap();
    bench.assert_file("a", b"bytes");
    assert_eq!(bench.stat_there("a").modified, at_second(0), "a flush does not stamp");
}

fn set_times_follows_the_file(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.rename("a", "b", false).unwrap();
    bench.put_file("a", b"theirs");
    bench.set_stamps("a", at_second(2), at_second(4));
    bench.set_times(file, at_second(6)).unwrap();
    let stat = bench.stat_there("a");
    assert_eq!((stat.accessed, stat.modified), (at_second(2), at_second(4)));
    assert_eq!(bench.stat_there("b").modified, at_second(6));
    bench.rename("b", "c", false).unwrap();
    assert_eq!(bench.stat_there("c").modified, at_second(6), "a rename does not stamp");
}

fn a_write_behind_set_times(bench: &Bench<'_>) {
    bench.put_file("a", b"bytes");
    let file = bench.open("a", Existing).unwrap();
    bench.set_times(file, at_second(0)).unwrap();
    bench.write(file, 5, &[b"more"]).unwrap();
    let age = bench.now().as_nanos() - bench.stat_there("a").modified.as_nanos();
    assert!(age < 10_000_000_000, "modified {age} ns ago");
}
