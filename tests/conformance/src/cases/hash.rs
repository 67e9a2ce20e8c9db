//! `Hash`.

use dlmanager_core::FaultKind::{Changed, Io};
use dlmanager_core::OpenMode::{Existing, Read};
use dlmanager_core::{Algorithm, Algorithms, Digests, Hasher};

use super::cases;
use super::write::noise;
use crate::bench::{Bench, refused};

cases! {
    hash_of_all: "Hash yields the digests of the file's bytes by each algorithm that was asked for, and no other",
    hash_piece_by_piece: "Hash in pieces yields at each the digests of all bytes up to there",
    hash_from_the_start_begins_anew: "Hash from 0 begins anew, also by other algorithms and over other bytes",
    hash_sees_what_is_not_flushed: "Hash sees bytes that were written just before and are not flushed, by any handle",
    hash_of_what_is_missing: "Hash beyond the file's end is Changed, and has to begin anew",
    hash_that_does_not_go_on: "Hash from elsewhere than the last one's end, by other algorithms, by none, or backwards is Io",
    hash_of_two_files: "Files that are hashed in turns do not mix, nor do two handles to one file",
    hash_does_not_disturb: "Hash neither moves where writes go nor changes anything",
}

const SHA256: Algorithms = Algorithms::NONE.with(Algorithm::Sha256);

fn all() -> Algorithms {
    Algorithm::ALL.into_iter().collect()
}

fn digests_of(algorithms: Algorithms, bytes: &[u8]) -> Digests {
    let mut hasher = Hasher::new(algorithms);
    hasher.update(bytes);
    hasher.digests()
}

fn hash_of_all(bench: &Bench<'_>) {
    bench.put_file("abc", b"abc");
    let file = bench.open("abc", Read).unwrap();
    let digests = bench.hash(file, SHA256.with(Algorithm::Md5), 0, 3).unwrap();
    let words: Vec<String> = digests.iter().map(ToString::to_string).collect();
    let expected = [
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "md5:900150983cd24fb0d6963f7d28e17f72",
    ];
    assert_eq!(words, expected);

    // More than any buffer, and no multiple of one.
    let bytes = noise(700_001);
    let file = bench.create("a");
    bench.write(file, 0, &[&bytes]).unwrap();
    assert_eq!(bench.hash(file, all(), 0, bytes.len() as u64).unwrap(), digests_of(all(), &bytes));
    let file = bench.create("empty");
    assert_eq!(bench.hash(file, all(), 0, 0).unwrap(), digests_of(all(), b""));
}

fn hash_piece_by_piece(bench: &Bench<'_>) {
    let bytes = noise(100_000);
    let file = bench.create("a");
    let mut from = 0;
    for to in [0, 1, 1, 63, 64, 65, 4096, 70_000, 99_999, 100_000, 100_000] {
        // Each piece is there only just before it is hashed.
        bench.write(file, from as u64, &[&bytes[from..to]]).unwrap();
        let digests = bench.hash(file, all(), from as u64, to as u64).unwrap();
        assert_eq!(digests, digests_of(all(), &bytes[..to]), "{from} to {to}");
        from = to;
    }
}

fn hash_from_the_start_begins_anew(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    let file = bench.open("a", Existing).unwrap();
    assert_eq!(bench.hash(file, all(), 0, 6).unwrap(), digests_of(all(), b"012345"));
    assert_eq!(bench.hash(file, all(), 0, 4).unwrap(), digests_of(all(), b"0123"));
    bench.write(file, 0, &[b"xyz"]).unwrap();
    assert_eq!(bench.hash(file, SHA256, 0, 4).unwrap(), digests_of(SHA256, b"xyz3"));
    assert_eq!(bench.hash(file, SHA256, 4, 10).unwrap(), digests_of(SHA256, b"xyz3456789"));
}

fn hash_sees_what_is_not_flushed(bench: &Bench<'_>) {
    let first = bench.create("a");
    let second = bench.open("a", Existing).unwrap();
    bench.write(first, 0, &[b"one"]).unwrap();
    assert_eq!(bench.hash(second, SHA256, 0, 3).unwrap(), digests_of(SHA256, b"one"));
    bench.write(second, 3, &[b"two"]).unwrap();
    assert_eq!(bench.hash(second, SHA256, 3, 6).unwrap(), digests_of(SHA256, b"onetwo"));
    bench.write(first, 9, &[b"end"]).unwrap();
    assert_eq!(bench.hash(second, SHA256, 6, 12).unwrap(), digests_of(SHA256, b"onetwo\0\0\0end"));
}

fn hash_of_what_is_missing(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    let file = bench.open("a", Existing).unwrap();
    assert_eq!(refused(bench.hash(file, SHA256, 0, 11)), Changed);
    bench.hash(file, SHA256, 0, 5).unwrap();
    assert_eq!(refused(bench.hash(file, SHA256, 5, 1 << 40)), Changed);
    assert_eq!(refused(bench.hash(file, SHA256, 5, 10)), Io, "it goes on behind a failure");
    bench.hash(file, SHA256, 0, 5).unwrap();
    bench.truncate(file, 5).unwrap();
    assert_eq!(refused(bench.hash(file, SHA256, 5, 10)), Changed);
    assert_eq!(bench.hash(file, SHA256, 0, 5).unwrap(), digests_of(SHA256, b"01234"));
}

fn hash_that_does_not_go_on(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    let file = bench.open("a", Read).unwrap();
    assert_eq!(refused(bench.hash(file, SHA256, 5, 10)), Io, "there is no last one");
    for (algorithms, from, to) in [(SHA256, 4, 10), (SHA256, 6, 10), (all(), 5, 10), (SHA256, 5, 4)] {
        bench.hash(file, SHA256, 0, 5).unwrap();
        assert_eq!(refused(bench.hash(file, algorithms, from, to)), Io, "{algorithms:?} from {from} to {to}");
    }
    assert_eq!(refused(bench.hash(file, Algorithms::NONE, 0, 10)), Io);
    assert_eq!(bench.hash(file, SHA256, 0, 10).unwrap(), digests_of(SHA256, b"0123456789"));
}

fn hash_of_two_files(bench: &Bench<'_>) {
    bench.put_file("a", b"0123456789");
    bench.put_file("b", b"abcdefghij");
    let [a, b, second] = ["a", "b", "a"].map(|name| bench.open(name, Existing).unwrap());
    for (to, from) in (1..=10).zip(0..) {
        for (file, bytes) in [(a, b"0123456789"), (b, b"abcdefghij")] {
            let expected = digests_of(SHA256, &bytes[..usize::try_from(to).unwrap()]);
            assert_eq!(bench.hash(file, SHA256, from, to).unwrap(), expected);
        }
        assert_eq!(bench.hash(second, all(), 0, 10).unwrap(), digests_of(all(), b"0123456789"));
    }
}

fn hash_does_not_disturb(bench: &Bench<'_>) {
    let file = bench.create("a");
    bench.write(file, 0, &[b"one"]).unwrap();
    let before = bench.stat_there("a");
    bench.hash(file, all(), 0, 3).unwrap();
    let after = bench.stat_there("a");
    assert_eq!((after.length, after.modified), (before.length, before.modified));
    bench.write(file, 3, &[b"two"]).unwrap();
    bench.assert_file("a", b"onetwo");
}
