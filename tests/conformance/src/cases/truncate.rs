//! `Truncate`.

use dlmanager_core::FaultKind::Changed;
use dlmanager_core::OpenMode::Existing;

use super::cases;
use crate::bench::{Bench, at_second, refused};

cases! {
    truncate_cuts: "Truncate cuts the file and keeps what is before",
    truncate_and_write: "A write behind the cut finds zeros in between: what was cut does not come back",
    truncate_to_its_length: "Truncate to the length that the file has is fine",
    truncate_never_lengthens: "Truncate of a file that is shorter is Changed, and lengthens nothing",
    truncate_stamps_the_file: "A cut stamps the file as modified now",
    truncate_is_seen_by_all: "Who has the file open too sees it cut",
}

fn truncate_cuts(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    let file = bench.open("a", Existing).unwrap();
    for length in [7, 3, 0] {
        bench.truncate(file, length).unwrap();
        bench.assert_file("a", &b"0123456789"[..usize::try_from(length).unwrap()]);
        bench.finish(file, length).unwrap();
    }
    bench.sync(file).unwrap();
}

fn truncate_and_write(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[&[b'x'; 100_000]]).unwrap();
    bench.truncate(file, 10).unwrap();
    bench.write(file, 90_000, &[b"end"]).unwrap();
    let mut expected = vec![0; 90_003];
    expected[..10].fill(b'x');
    expected[90_000..].copy_from_slice(b"end");
    bench.assert_file("a", &expected);
    bench.truncate(file, 0).unwrap();
    bench.write(file, 0, &[b"anew"]).unwrap();
    bench.assert_file("a", b"anew");
}

fn truncate_to_its_length(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.truncate(file, 0).unwrap();
    bench.write(file, 0, &[b"abc"]).unwrap();
    bench.truncate(file, 3).unwrap();
    bench.assert_file("a", b"abc");
}

fn truncate_never_lengthens(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"abc"]).unwrap();
    for length in [4, 1 << 40, 1 << 63, u64::MAX] {
        assert_eq!(refused(bench.truncate(file, length)), Changed, "{length}");
    }
    bench.assert_file("a", b"abc");
}

fn truncate_stamps_the_file(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    bench.set_stamps("a", at_second(0), at_second(0));
    let file = bench.open("a", Existing).unwrap();
    bench.truncate(file, 5).unwrap();
    let age = bench.now().as_nanos() - bench.stat_there("a").modified.as_nanos();
    assert!(age < 10_000_000_000, "modified {age} ns ago");
}

fn truncate_is_seen_by_all(bench: &Bench<'_>) {
    let first = bench.create("a");
    bench.write(first, 0, &[b"0123456789"]).unwrap();
    let second = bench.open("a", Existing).unwrap();
    bench.truncate(second, 4).unwrap();
    bench.finish(first, 4).unwrap();
    assert_eq!(bench.read(first, 2, 10).unwrap(), &b"23"[..]);
    assert_eq!(refused(bench.truncate(first, 5)), Changed);
}
