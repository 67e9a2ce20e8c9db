//! `Read`.

use dlmanager_core::OpenMode::{CreateNew, Existing, Read};

use super::cases;
use super::write::noise;
use crate::bench::Bench;

cases! {
    read_any_part: "A read yields the bytes from its offset on, as many as asked for",
    read_at_the_end: "A read yields fewer bytes where the file ends, and none at its end and behind it",
    read_what_was_never_written: "What was never written before the end is read as zeros",
    read_what_was_just_written: "A read sees what was written before it, by any handle, flushed or not",
    read_megabytes: "A read may have megabytes, and yields them all",
    read_stays_with_the_file: "A file that was renamed, replaced or deleted is read as it is for who has it open",
}

fn read_any_part(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    for mode in [Existing, Read] {
        let file = bench.open("a", mode).unwrap();
        for offset in 0..10 {
            for count in 0..=10 - offset {
                let expected = &b"0123456789"[offset..offset + count];
                assert_eq!(bench.read(file, offset as u64, count).unwrap(), expected, "{count} from {offset}");
            }
        }
    }
}

fn read_at_the_end(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    bench.put_file("empty", b"");
    let file = bench.open("a", Read).unwrap();
    assert_eq!(bench.read(file, 0, 11).unwrap(), &b"0123456789"[..]);
    assert_eq!(bench.read(file, 9, 100).unwrap(), &b"9"[..]);
    assert_eq!(
        bench.read(file, 3, usize::MAX).unwrap(),
        &b"3456789"[..],
        "no more room is needed than there are bytes"
    );
    for offset in [10, 11, 1 << 40, 1 << 63, u64::MAX] {
        assert_eq!(bench.read(file, offset, 100).unwrap(), &b""[..], "from {offset}");
    }
    let file = bench.open("empty", Read).unwrap();
    assert_eq!(bench.read(file, 0, 100).unwrap(), &b""[..]);
}

fn read_what_was_never_written(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 100_000, &[b"end"]).unwrap();
    let mut expected = vec![0; 100_003];
    expected[100_000..].copy_from_slice(b"end");
    assert!(bench.read(file, 0, 200_000).unwrap() == expected);
    assert_eq!(bench.read(file, 99_998, 3).unwrap(), &b"\0\0e"[..]);
}

fn read_what_was_just_written(bench: &Bench<'_>) {
    let first = bench.create("a");
    let second = bench.open("a", Read).unwrap();
    bench.write(first, 0, &[b"one", b"two"]).unwrap();
    assert_eq!(bench.read(second, 0, 100).unwrap(), &b"onetwo"[..]);
    bench.write(first, 2, &[b"E", b"T"]).unwrap();
    for file in [first, second] {
        assert_eq!(bench.read(file, 0, 100).unwrap(), &b"onETwo"[..]);
    }
}

fn read_megabytes(bench: &Bench<'_>) {
    let bytes = noise(2 * 1024 * 1024 + 17);
    let file = bench.create("a");
    bench.write(file, 0, &[&bytes]).unwrap();
    assert!(bench.read(file, 0, 8 * 1024 * 1024).unwrap() == bytes);
    assert!(bench.read(file, 1_000_001, 1_000_003).unwrap() == bytes[1_000_001..2_000_004]);
}

fn read_stays_with_the_file(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"ours"]).unwrap();
    bench.rename("a", "b", false).unwrap();
    bench.open("a", CreateNew).unwrap();
    assert_eq!(bench.read(file, 0, 10).unwrap(), &b"ours"[..]);
    bench.put_file("c", b"theirs");
    bench.rename("c", "b", true).unwrap();
    assert_eq!(bench.read(file, 0, 10).unwrap(), &b"ours"[..]);
}
