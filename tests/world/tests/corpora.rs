//! Each fuzz target replays its committed corpus, on stable.

use std::path::PathBuf;

use dlmanager_world::{fuzz_body, hostile_body, names_body, parsers_body, records_body};

/// Runs a target's corpus; returns how many inputs it has.
fn replay(target: &str, mut body: impl FnMut(&[u8])) -> usize {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    inputs.sort();
    for path in &inputs {
        let data = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(&data)));
        assert!(outcome.is_ok(), "the corpus of {target} fails on {}", path.display());
    }
    inputs.len()
}

#[test]
fn events() {
    assert!(replay("events", fuzz_body) >= 100);
}

#[test]
fn hostile() {
    let mut forged = 0;
    assert!(replay("hostile", |data| forged += hostile_body(data).forged) >= 100);
    assert!(forged > 100, "{forged}");
}

#[test]
fn names() {
    let (mut given, mut from_urls) = (0, 0);
    let inputs = replay("names", |data| {
        let named = names_body(data);
        given += u32::from(named.given);
        from_urls += u32::from(named.from_url);
    });
    assert!(inputs >= 50 && given > 5 && from_urls > 5, "{inputs} {given} {from_urls}");
}

#[test]
fn parsers() {
    let mut found = [0; 7];
    let inputs = replay("parsers", |data| {
        let parsed = parsers_body(data);
        let fields = [
            parsed.validator,
            parsed.last_modified,
            parsed.part,
            parsed.retry_after,
            parsed.suggested,
            parsed.named,
            parsed.digest,
        ];
        for (count, is_found) in found.iter_mut().zip(fields) {
            *count += u32::from(is_found);
        }
    });
    assert!(inputs >= 90 && found.iter().all(|count| *count >= 4), "{inputs} {found:?}");
}

#[test]
fn records() {
    let (mut decoded, mut encoded) = (0, 0);
    let inputs = replay("records", |data| {
        let recorded = records_body(data);
        decoded += u32::from(recorded.decoded);
        encoded += u32::from(recorded.encoded);
    });
    assert!(inputs >= 80 && decoded > 10 && encoded > 10, "{inputs} {decoded} {encoded}");
}
