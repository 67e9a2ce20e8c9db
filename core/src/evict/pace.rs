//! How many files each deletion of a go is of: many where that is quick, as each go costs hand-overs between threads, few where
//! it is not, as meanwhile nobody else in the directory may evict or replace a file.

use core::time::Duration;

use crate::Instant;

pub(super) const FILES_MIN: usize = 64;
const FILES_MAX: usize = 512;
/// More of them after a go that took no longer, ...
const QUICK: Duration = Duration::from_millis(10);
/// ... and fewer after one that took longer.
const SLOW: Duration = Duration::from_millis(20);

/// The size of the next deletions, from how long the last go took.
#[derive(Debug)]
pub(super) struct Pace {
    files: usize,
    began: Instant,
    /// There was more to delete than fitted.
    is_full: bool,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { files: FILES_MIN, began: Instant::ZERO, is_full: false }
    }

    pub(super) const fn files(&self) -> usize {
        self.files
    }

    /// A go begins; whether it is of as many files as it may be.
    pub(super) const fn began(&mut self, now: Instant, is_full: bool) {
        self.began = now;
        self.is_full = is_full;
    }

    /// All of a go is over. Whether it kept others waiting.
    pub(super) fn ended(&mut self, now: Instant) -> bool {
        let took = now.since(self.began);
        if took > SLOW {
            self.files = (self.files / 2).max(FILES_MIN);
        } else if took <= QUICK && self.is_full {
            self.files = (self.files * 2).min(FILES_MAX);
        }
        took > SLOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_goes_are_quick_and_shrinks_where_they_are_slow() {
        let mut pace = Pace::new();
        let mut go = |is_full: bool, millis: u64| {
            pace.began(Instant::ZERO, is_full);
            pace.ended(Instant::ZERO + Duration::from_millis(millis));
            pace.files()
        };
        assert_eq!(go(false, 1), 64, "it says nothing of more files that fewer were quick");
        assert_eq!([10, 11, 20, 1, 1, 1].map(|millis| go(true, millis)), [128, 128, 128, 256, 512, 512]);
        assert_eq!(go(true, 21), 256);
        assert_eq!([1_000, 21, 21].map(|millis| go(false, millis)), [128, 64, 64]);
    }
}
