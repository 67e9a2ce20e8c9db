//! The source of random choices: all of them come from the manager's seed.

use core::time::Duration;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). Ours, so that a seed means
/// the same run in every version of every dependency. Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for part number `stream`, so that a draw here does not move the others.
    pub(crate) fn fork(&self, stream: u64) -> Self {
        let mut child = Self::new(self.state ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        Self::new(child.next_u64())
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A span between zero and `most`, both included.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let scaled = (u128::from(self.next_u64()) * (u128::from(nanos) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_never_changes() {
        let mut rng = Rng::new(0);
        // The reference values of SplitMix64 for seed 0.
        assert_eq!(rng.next_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(rng.next_u64(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_span_stays_within_its_bound_and_uses_it() {
        let mut rng = Rng::new(7);
        let most = Duration::from_nanos(9);
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            seen[usize::try_from(rng.up_to(most).as_nanos()).unwrap()] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(rng.up_to(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn streams_differ() {
        let root = Rng::new(1);
        assert_ne!(root.fork(1).next_u64(), root.fork(2).next_u64());
    }
}
