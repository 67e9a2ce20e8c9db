//! How many files are deleted in one go: many where that is quick, as each go costs two hand-overs between threads, few where
//! it is not, as meanwhile nobody else in the directory may evict or replace a file.

use core::time::Duration;

use crate::Instant;

const FILES_MIN: usize = 64;
const FILES_MAX: usize = 512;
/// More of them after a go that took no longer, ...
const QUICK: Duration = Duration::from_millis(10);
/// ... and fewer after one that took longer.
const SLOW: Duration = Duration::from_millis(40);

/// The size of the next go, from how long the last ones took.
#[derive(Debug)]
pub(super) struct Pace {
    files: usize,
    began: Instant,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { files: FILES_MIN, began: Instant::ZERO }
    }

    pub(super) const fn files(&self) -> usize {
        self.files
    }

    pub(super) const fn began(&mut self, now: Instant) {
        self.began = now;
    }

    /// One of so many files is over.
    pub(super) fn ended(&mut self, now: Instant, files: usize) {
        let took = now.since(self.began);
        if took > SLOW {
            self.files = (self.files / 2).max(FILES_MIN);
        } else if took <= QUICK && files >= self.files {
            self.files = (self.files * 2).min(FILES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_goes_are_quick_and_shrinks_where_they_are_slow() {
        let mut pace = Pace::new();
        let mut go = |files: usize, millis: u64| {
            pace.began(Instant::ZERO);
            pace.ended(Instant::ZERO + Duration::from_millis(millis), files);
            pace.files()
        };
        assert_eq!(go(63, 1), 64, "it says nothing of more files that fewer were quick");
        assert_eq!(
            [go(64, 10), go(128, 11), go(128, 40), go(128, 1), go(256, 1), go(512, 1)],
            [128, 128, 128, 256, 512, 512]
        );
        assert_eq!([go(512, 41), go(3, 1_000), go(128, 41), go(64, 41)], [256, 128, 64, 64]);
    }
}
