//! `demo`

use std::time::{Duration, Instant};

use crate::support::Bench;

#[test]
fn every_row_of_the_closing_table_is_right() {
    let bench = Bench::new();
    let begun = Instant::now();
    let mut command = bench.command("demo");
    command.env("TMPDIR", bench.path(""));
    let ran = crate::support::Ran::of(&mut command).exits(0);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let rows: Vec<_> = ran.stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), 9, "{ran:#?}");
    assert!(rows.iter().all(|row| row.starts_with("ok ")), "{ran:#?}");
    for seen in [
        "resumed at 2.00 MiB with If-Range \"4-v1\", 2.00 MiB sent",
        "checksum-mismatch, 2 requests",
        "verified",
        "joined, 1 request",
        "present, 0 requests",
        "canceled, nothing is left",
        "evicted ",
    ] {
        assert!(ran.stdout.contains(seen), "{seen:?} is not in {ran:#?}");
    }
    assert!(bench.names("").is_empty(), "the temporary folder is removed");
}
