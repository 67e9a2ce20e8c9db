//! The body of the fuzz target: any bytes are a run.

use crate::decisions::{Decisions, Lists};
use crate::run::{Ended, Options, run};

/// Decisions out of bytes: three of them for each, its stream and its value, so that what is cut off, or changed in one
/// place, is nearly the same run.
#[must_use]
pub fn lists_of(data: &[u8]) -> Lists {
    let mut lists = Lists::default();
    let streams = lists.len();
    for chunk in data.chunks_exact(3) {
        lists[usize::from(chunk[0]) % streams].push(u32::from(u16::from_le_bytes([chunk[1], chunk[2]])));
    }
    lists
}

/// The bytes that [`lists_of`] makes these decisions of; a value beyond 65,535 becomes that.
#[must_use]
pub fn bytes_of(lists: &Lists) -> Vec<u8> {
    let values = lists.iter().enumerate().flat_map(|(stream, list)| list.iter().map(move |value| (stream, *value)));
    let bytes = |(stream, value): (usize, u32)| {
        let [low, high] = u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes();
        [u8::try_from(stream).unwrap_or(0), low, high]
    };
    values.flat_map(bytes).collect()
}

/// A run of what the fuzzer has made up.
///
/// # Panics
///
/// A promise was broken.
pub fn simulator_body(data: &[u8]) -> Ended {
    let ended = run(Decisions::replayed(lists_of(data)), &Options::default());
    if let Some(violation) = &ended.violation {
        panic!("{violation}\n{}", crate::decisions::to_text(&ended.decisions));
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_decisions_and_back() {
        let lists = lists_of(&[1, 2, 3, 8, 4, 0, 6, 255, 255, 9, 9]);
        assert_eq!(lists[1], [0x0302, 4]);
        assert_eq!(lists[6], [65_535]);
        assert_eq!(lists_of(&bytes_of(&lists)), lists);
        assert_eq!(lists_of(&bytes_of(&run(Decisions::seeded(5), &Options::default()).decisions)).len(), lists.len());
    }
}
