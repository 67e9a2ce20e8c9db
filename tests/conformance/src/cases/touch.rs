//! `Touch`, and the stamps that `Stat` tells.

use std::time::Duration;

use dlmanager_core::FaultKind::{NotFound, WrongType};
use dlmanager_core::Stamp;

use super::cases;
use crate::backend::Thing;
use crate::bench::{Bench, at_second, refused};

cases! {
    stat_tells_the_stamps: "Stat tells the stamps and the length of a file",
    touch_stamps_an_old_file: "Touch stamps an old file as accessed now, tells the stamp, and leaves the rest",
    touch_leaves_a_young_stamp: "Touch leaves a stamp that is younger than asked, and tells it",
    touch_with_zero_always_stamps: "Touch with a span of zero always stamps",
    touch_takes_the_future_for_old: "Touch takes a stamp from the future for old",
    touch_in_a_folder: "Touch works in folders",
    touch_of_nothing: "Touch of what is not there is NotFound, and makes nothing",
    touch_of_something_else: "Touch of a folder, a symlink or a pipe is WrongType, and where it leads nothing changes",
}

const MINUTE: Duration = Duration::from_secs(60);
const SECOND_NANOS: i64 = 1_000_000_000;
/// The clocks of file systems may be coarse, and lag behind the system's.
const TOLERANCE_NANOS: i64 = 2 * SECOND_NANOS + SECOND_NANOS / 10;

fn before(now: Stamp, seconds: i64) -> Stamp {
    // Whole, even seconds, as the backend's are.
    Stamp::from_nanos((now.as_nanos() / SECOND_NANOS / 2 * 2 - seconds) * SECOND_NANOS)
}

#[track_caller]
fn assert_stamped_now(bench: &Bench<'_>, name: &str, earliest: Stamp, answered: Stamp) {
    let stat = bench.stat_there(name);
    assert_eq!(stat.accessed, answered, "the stamp that it answered with");
    let (earliest, latest) = (earliest.as_nanos() - TOLERANCE_NANOS, bench.now().as_nanos() + TOLERANCE_NANOS);
    let stamped = answered.as_nanos();
    assert!((earliest..=latest).contains(&stamped), "stamped {stamped}, not within {earliest} and {latest}");
}

fn stat_tells_the_stamps(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    bench.set_stamps("a", at_second(20), at_second(10));
    let stat = bench.stat_there("a");
    assert_eq!((stat.length, stat.accessed, stat.modified), (10, at_second(20), at_second(10)));
}

fn touch_stamps_an_old_file(bench: &Bench<'_>) {
    bench.put_file("a", b"bytes");
    for modified in [at_second(10), at_second(30)] {
        bench.set_stamps("a", at_second(20), modified);
        let start = bench.now();
        let answered = bench.touch("a", MINUTE).unwrap();
        assert_stamped_now(bench, "a", start, answered);
        assert_eq!(bench.stat_there("a").modified, modified, "touch leaves the time of modification");
    }
    bench.assert_file("a", b"bytes");
}

fn touch_leaves_a_young_stamp(bench: &Bench<'_>) {
    bench.put_file("a", b"bytes");
    let young = before(bench.now(), 10);
    bench.set_stamps("a", young, at_second(10));
    assert_eq!(bench.touch("a", MINUTE), Ok(young));
    assert_eq!(bench.touch("a", Duration::MAX), Ok(young));
    assert_eq!(bench.stat_there("a").accessed, young);
    let start = bench.now();
    let answered = bench.touch("a", Duration::from_secs(5)).unwrap();
    assert_stamped_now(bench, "a", start, answered);
}

fn touch_with_zero_always_stamps(bench: &Bench<'_>) {
    bench.put_file("a", b"bytes");
    bench.set_stamps("a", before(bench.now(), 4), at_second(10));
    let start = bench.now();
    let answered = bench.touch("a", Duration::ZERO).unwrap();
    assert_stamped_now(bench, "a", start, answered);
}

fn touch_takes_the_future_for_old(bench: &Bench<'_>) {
    bench.put_file("a", b"bytes");
    bench.set_stamps("a", before(bench.now(), -100_000), at_second(10));
    let start = bench.now();
    let answered = bench.touch("a", MINUTE).unwrap();
    assert_stamped_now(bench, "a", start, answered);
}

fn touch_in_a_folder(bench: &Bench<'_>) {
    bench.put_file("sub/folder/a", b"bytes");
    bench.set_stamps("sub/folder/a", at_second(20), at_second(10));
    let start = bench.now();
    let answered = bench.touch("sub/folder/a", MINUTE).unwrap();
    assert_stamped_now(bench, "sub/folder/a", start, answered);
}

fn touch_of_nothing(bench: &Bench<'_>) {
    assert_eq!(refused(bench.touch("a", MINUTE)), NotFound);
    assert_eq!(refused(bench.touch("folder/a", MINUTE)), NotFound);
    bench.assert_list(&[]);
}

fn touch_of_something_else(bench: &Bench<'_>) {
    let outside = format!("{}/kept", bench.outside());
    bench.put_file("file", b"theirs");
    bench.set_stamps("file", at_second(20), at_second(10));
    bench.put("folder", Thing::Folder);
    bench.put("link", Thing::Symlink("file"));
    bench.put("dangling", Thing::Symlink("nowhere"));
    bench.put("away", Thing::Symlink(&outside));
    bench.put("pipe", Thing::Other);
    for name in ["folder", "link", "dangling", "away", "pipe"] {
        assert_eq!(refused(bench.touch(name, Duration::ZERO)), WrongType, "{name}");
    }
    assert_eq!(bench.stat_there("file").accessed, at_second(20));
}
