//! A link that several replies share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A link of so many bytes a second, for all the bodies that go [over](crate::Reply::over) it together, whatever their
/// paths, connections and origins. Clones are the same link.
///
/// ```
/// # use dlmanager_origin::{Body, Link, Origin, Reply};
/// # let origin = Origin::start()?;
/// let link = Link::new(64 << 20);
/// origin.serve("/large.bin", Reply::body(Body::pattern(1, 256 << 20)).over(&link));
/// origin.serve("/other.bin", Reply::body(Body::pattern(2, 256 << 20)).over(&link));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes_per_second: u64,
    /// When all that was handed to it is through.
    free_at: Mutex<Instant>,
}

impl Link {
    /// A link of that rate; 0 is one byte a second.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self(Arc::new(Inner { bytes_per_second: bytes_per_second.max(1), free_at: Mutex::new(Instant::now()) }))
    }

    /// The most that goes through it in one go: so little that others are not kept waiting for long.
    pub(crate) fn piece_bytes(&self) -> u64 {
        (self.0.bytes_per_second / 100).clamp(1, 64 * 1024)
    }

    /// Takes these bytes after all that it has taken before, and says when they are through. A time in which it had
    /// nothing to do is not made good by a burst.
    pub(crate) fn take(&self, bytes: u64) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.0.bytes_per_second as f64);
        let mut free_at = self.0.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let from = (*free_at).max(Instant::now());
        *free_at = from.checked_add(takes).unwrap_or(from);
        *free_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_by_one_is_missing_to_the_other() {
        let link = Link::new(1000);
        let other = link.clone();
        let begin = Instant::now();
        let mut through = begin;
        for _ in 0..5 {
            assert!(link.take(100) > through);
            through = other.take(100);
        }
        assert!(through - begin >= Duration::from_secs(1));
        assert_eq!(link.piece_bytes(), 10);
    }
}
