//! What happens in a run, line by line, and a hash of it by which two runs are compared.

/// The story of a run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// `None` where nobody reads it.
    lines: Option<Vec<String>>,
    /// What somebody may still read when all else is lost in a panic.
    is_spoken: bool,
    hash: u64,
    now: u64,
}

impl Trace {
    pub(crate) fn new(is_told: bool) -> Self {
        Self { lines: is_told.then(Vec::new), is_spoken: false, hash: 0xcbf2_9ce4_8422_2325, now: 0 }
    }

    /// The lines are printed as they come.
    pub(crate) fn spoken() -> Self {
        Self { is_spoken: true, ..Self::new(true) }
    }

    pub(crate) fn at(&mut self, now: u64) {
        self.now = now;
    }

    /// Something happens: as numbers for the hash, and as text for who reads it.
    pub(crate) fn note(&mut self, numbers: &[u64], text: impl FnOnce() -> String) {
        for number in [self.now].iter().chain(numbers) {
            self.hash = (self.hash ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
        if let Some(lines) = &mut self.lines {
            let line = format!("{:>14} {}", thousands(self.now / 1_000), text());
            if self.is_spoken {
                println!("{line}");
            } else {
                lines.push(line);
            }
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// Microseconds as seconds, readable.
fn thousands(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Bytes as one number.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
