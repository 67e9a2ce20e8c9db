//! `Write`, `Sync` and `SyncDir`.

use dlmanager_core::FaultKind::{NoSpace, NotFound, WrongType};
use dlmanager_core::OpenMode::CreateNew;

use super::cases;
use crate::bench::{Bench, refused};

cases! {
    pieces_go_one_behind_the_other: "The pieces of a write go one behind the other, empty ones among them",
    writes_go_where_they_say: "A write goes to its offset, in any order, also over bytes that are there",
    a_gap_reads_as_zeros: "What was never written before the end reads as zeros",
    a_write_of_nothing_changes_nothing: "A write of empty pieces changes nothing, wherever it is",
    thousands_of_pieces: "A write may have thousands of pieces",
    megabytes_in_large_pieces: "A write may have megabytes",
    files_do_not_mix: "Two files written in turns do not mix",
    an_offset_that_no_file_has: "A write that ends beyond 2^63 bytes is NoSpace, and changes nothing",
    a_write_stamps_the_file: "A write stamps the file as modified now",
    sync_may_be_repeated: "Sync works before, between and after writes",
    sync_dir_of_each_folder: "SyncDir works for the directory itself and for folders, whatever the path in them",
    sync_dir_without_a_folder: "SyncDir in a missing folder is NotFound, below a file WrongType",
}

fn pieces_go_one_behind_the_other(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"", b"one", b"", b"", b"two", b"three", b""]).unwrap();
    bench.write(file, 11, &[b"!"]).unwrap();
    bench.assert_file("a", b"onetwothree!");
}

fn writes_go_where_they_say(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 6, &[b"67", b"89"]).unwrap();
    bench.write(file, 0, &[b"012"]).unwrap();
    bench.write(file, 3, &[b"3", b"45"]).unwrap();
    bench.assert_file("a", b"0123456789");
    bench.write(file, 2, &[b"xx", b"yy", b"zz"]).unwrap();
    bench.assert_file("a", b"01xxyyzz89");
    bench.write(file, 8, &[b"more"]).unwrap();
    bench.assert_file("a", b"01xxyyzzmore");
}

fn a_gap_reads_as_zeros(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 100_000, &[b"end"]).unwrap();
    bench.write(file, 10, &[b"begin"]).unwrap();
    let mut expected = vec![0; 100_003];
    expected[10..15].copy_from_slice(b"begin");
    expected[100_000..].copy_from_slice(b"end");
    bench.assert_file("a", &expected);
    bench.finish(file, 100_003).unwrap();
}

fn a_write_of_nothing_changes_nothing(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"abc"]).unwrap();
    bench.write(file, 0, &[b""]).unwrap();
    bench.write(file, 1000, &[b"", b""]).unwrap();
    bench.assert_file("a", b"abc");
}

fn thousands_of_pieces(bench: &Bench<'_>) {
    // More than any IOV_MAX, of many lengths.
    let pieces: Vec<Vec<u8>> = (0..5000_usize).map(|n| vec![n.to_le_bytes()[0]; n % 7]).collect();
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let file = bench.create("a");
    bench.write(file, 3, &pieces).unwrap();
    let mut expected = vec![0; 3];
    expected.extend(pieces.concat());
    bench.assert_file("a", &expected);
}

fn megabytes_in_large_pieces(bench: &Bench<'_>) {
    let bytes = noise(5 * 1024 * 1024 + 17);
    let pieces: Vec<&[u8]> = bytes.chunks(700_001).collect();
    let file = bench.create("a");
    bench.write(file, 0, &pieces).unwrap();
    bench.assert_file("a", &bytes);
    bench.finish(file, bytes.len() as u64).unwrap();
}

fn files_do_not_mix(bench: &Bench<'_>) {
    let files = ["a", "b", "c"].map(|name| (name, bench.create(name)));
    let bytes = noise(3 * 40 * 100);
    for round in 0..40 {
        for (position, (_, file)) in files.iter().enumerate() {
            let start = position * 4000 + round * 100;
            bench
                .write(*file, round as u64 * 100, &[&bytes[start..start + 60], &bytes[start + 60..start + 100]])
                .unwrap();
        }
    }
    for (position, (name, _)) in files.iter().enumerate() {
        bench.assert_file(name, &bytes[position * 4000..(position + 1) * 4000]);
    }
}

fn an_offset_that_no_file_has(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"abc"]).unwrap();
    for offset in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1] {
        assert_eq!(refused(bench.write(file, offset, &[b"xy"])), NoSpace, "{offset}");
    }
    bench.assert_file("a", b"abc");
}

fn a_write_stamps_the_file(bench: &Bench<'_>) {
    let file = bench.create("a");
    let old = crate::bench::at_second(0);
    bench.set_stamps("a", old, old);
    bench.write(file, 0, &[b"abc"]).unwrap();
    let age = bench.now().as_nanos() - bench.stat_there("a").modified.as_nanos();
    assert!(age < 10_000_000_000, "modified {age} ns ago");
}

fn sync_may_be_repeated(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.sync(file).unwrap();
    bench.write(file, 0, &[b"one"]).unwrap();
    bench.sync(file).unwrap();
    bench.write(file, 3, &[b"two"]).unwrap();
    bench.sync(file).unwrap();
    bench.sync(file).unwrap();
    bench.assert_file("a", b"onetwo");
}

fn sync_dir_of_each_folder(bench: &Bench<'_>) {
    bench.make_dir("folder/below").unwrap();
    bench.open("folder/a", CreateNew).unwrap();
    for name in ["a", "folder", "folder/a", "folder/not-there", "folder/below/a"] {
        bench.sync_dir(name).unwrap();
    }
}

fn sync_dir_without_a_folder(bench: &Bench<'_>) {
    bench.put_file("file", b"theirs");
    assert_eq!(refused(bench.sync_dir("folder/a")), NotFound);
    assert_eq!(refused(bench.sync_dir("file/a")), WrongType);
}

/// Bytes without a pattern that a mix-up would not show in (xorshift64).
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
