//! Digests of files: which there are, how they are written, and how they are computed.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use sha2::Digest as _;

/// A way to compute a digest.
///
/// ```
/// use dlmanager_core::Algorithm;
///
/// assert_eq!((Algorithm::Sha256.name(), Algorithm::Sha256.bytes()), ("sha256", 32));
/// let weak: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_weak()).collect();
/// assert_eq!(weak, [Algorithm::Sha1, Algorithm::Md5]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// BLAKE3, of 256 bits.
    Blake3,
    /// SHA-1 (RFC 3174). Weak: two different files with one digest can be made.
    Sha1,
    /// MD5 (RFC 1321). Weak: two different files with one digest can be made with ease.
    Md5,
}

impl Algorithm {
    /// All of them, the strong ones first.
    pub const ALL: [Self; 5] = [Self::Sha256, Self::Sha512, Self::Blake3, Self::Sha1, Self::Md5];

    /// Its name, in lower case: `sha256`, `sha512`, `blake3`, `sha1`, `md5`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
        }
    }

    /// The length of its digests in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
            Self::Sha1 => 20,
            Self::Md5 => 16,
        }
    }

    /// Whether it tells damage but no intent: files with a given digest can be made.
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Sha1 | Self::Md5)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of algorithms.
///
/// ```
/// use dlmanager_core::{Algorithm, Algorithms};
///
/// let both = Algorithms::NONE.with(Algorithm::Md5).with(Algorithm::Sha256);
/// assert!(both.contains(Algorithm::Md5) && !both.contains(Algorithm::Sha1));
/// assert!(both.iter().eq([Algorithm::Sha256, Algorithm::Md5])); // the strong ones first
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Algorithms(u8);

impl Algorithms {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// The same with this one.
    #[must_use]
    pub const fn with(self, algorithm: Algorithm) -> Self {
        Self(self.0 | algorithm.bit())
    }

    /// Whether this one is among them.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        algorithms.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What a file's bytes come to under an algorithm. Written as `sha256:` and the bytes in hexadecimal.
///
/// ```
/// use dlmanager_core::{Algorithm, Digest};
///
/// let digest: Digest = "md5:D41D8CD98F00B204E9800998ECF8427E".parse()?;
/// assert_eq!(digest.algorithm(), Algorithm::Md5);
/// assert_eq!(digest.to_string(), "md5:d41d8cd98f00b204e9800998ecf8427e");
/// assert!("md5:d41d8".parse::<Digest>().is_err());
/// # Ok::<(), dlmanager_core::DigestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// Behind the algorithm's length there are zeros.
    bytes: [u8; 64],
}

impl Digest {
    /// A digest from its bytes; `None` where they are not as many as the algorithm yields.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let mut digest = Self { algorithm, bytes: [0; 64] };
        digest.bytes.get_mut(..algorithm.bytes()).filter(|own| own.len() == bytes.len())?.copy_from_slice(bytes);
        Some(digest)
    }

    /// How it is computed.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its bytes, as many as the algorithm yields.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.bytes()]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm)?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let error = |what| DigestError { text: text.into(), what };
        let (name, hex) = text.split_once(':').ok_or_else(|| error(DigestRule::Form))?;
        let named = |algorithm: &Algorithm| algorithm.name().eq_ignore_ascii_case(name);
        let algorithm = Algorithm::ALL.into_iter().find(named).ok_or_else(|| error(DigestRule::Algorithm))?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = hex.as_bytes().as_chunks();
        let bytes: Option<Vec<u8>> = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
        let bytes = bytes.filter(|_| rest.iter().all(|&byte| digit(byte).is_some()));
        let bytes = bytes.ok_or_else(|| error(DigestRule::Hexadecimal))?;
        let digest = Self::new(algorithm, &bytes).filter(|_| rest.is_empty());
        digest.ok_or_else(|| error(DigestRule::Length { algorithm, digits: hex.len() }))
    }
}

/// A text that is no digest.
///
/// ```
/// use dlmanager_core::{Digest, DigestError};
///
/// let error: Option<DigestError> = "md5:d41d8".parse::<Digest>().err();
/// let text = "\"md5:d41d8\" is not a digest: md5 has 32 hexadecimal digits, not 5";
/// assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(text));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a digest: {what}")]
pub struct DigestError {
    text: String,
    what: DigestRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum DigestRule {
    #[error("it is written ALGORITHM:HEX")]
    Form,
    #[error("the algorithm is none of sha256, sha512, blake3, sha1 and md5")]
    Algorithm,
    #[error("its digits are not hexadecimal")]
    Hexadecimal,
    #[error("{algorithm} has {} hexadecimal digits, not {digits}", algorithm.bytes() * 2)]
    Length { algorithm: Algorithm, digits: usize },
}

/// The digests of one file, at most one for each algorithm.
///
/// ```
/// use dlmanager_core::{Algorithm, Digest, Digests};
///
/// let digest: Digest = "md5:d41d8cd98f00b204e9800998ecf8427e".parse()?;
/// let digests: Digests = [digest].into_iter().collect();
/// assert_eq!(digests.get(Algorithm::Md5), Some(&digest));
/// assert_eq!(digests.get(Algorithm::Sha256), None);
/// # Ok::<(), dlmanager_core::DigestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digests(Vec<Digest>);

impl Digests {
    /// The digest by this algorithm, where there is one.
    pub fn get(&self, algorithm: Algorithm) -> Option<&Digest> {
        self.iter().find(|digest| digest.algorithm == algorithm)
    }

    /// All of them, in the order of [`Algorithm::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter()
    }
}

impl FromIterator<Digest> for Digests {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        let mut digests: Vec<Digest> = digests.into_iter().collect();
        digests.sort_by_key(|digest| digest.algorithm);
        digests.dedup_by_key(|digest| digest.algorithm);
        Self(digests)
    }
}

/// Computes several digests of one sequence of bytes at once. For file backends, which execute
/// [`Hash`](crate::FileOp::Hash).
///
/// ```
/// use dlmanager_core::{Algorithm, Algorithms, Hasher};
///
/// let mut hasher = Hasher::new(Algorithms::NONE.with(Algorithm::Sha1));
/// hasher.update(b"ab");
/// hasher.update(b"c");
/// let digest = hasher.digests().get(Algorithm::Sha1).unwrap().to_string();
/// assert_eq!(digest, "sha1:a9993e364706816aba3e25717850c26c9cd0d89d");
/// ```
#[derive(Debug, Clone)]
pub struct Hasher {
    algorithms: Algorithms,
    states: Vec<State>,
    length: u64,
}

// Each algorithm's state is boxed by the vector anyway, and BLAKE3's is the largest of them by far.
#[expect(clippy::large_enum_variant, reason = "a few for each file that is being hashed")]
#[derive(Debug, Clone)]
enum State {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Blake3(blake3::Hasher),
    Sha1(sha1::Sha1),
    Md5(md5::Md5),
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithms: Algorithms) -> Self {
        let state = |algorithm| match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
            Algorithm::Blake3 => State::Blake3(blake3::Hasher::new()),
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            Algorithm::Md5 => State::Md5(md5::Md5::new()),
        };
        Self { algorithms, states: algorithms.iter().map(state).collect(), length: 0 }
    }

    /// What it computes.
    pub const fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// How many bytes it has seen.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for state in &mut self.states {
            match state {
                State::Sha256(state) => state.update(bytes),
                State::Sha512(state) => state.update(bytes),
                State::Blake3(state) => {
                    state.update(bytes);
                }
                State::Sha1(state) => state.update(bytes),
                State::Md5(state) => state.update(bytes),
            }
        }
        self.length += bytes.len() as u64;
    }

    /// The digests of all bytes so far; more may follow.
    pub fn digests(&self) -> Digests {
        let digest = |state: &State| match state {
            State::Sha256(state) => Digest::new(Algorithm::Sha256, &state.clone().finalize()),
            State::Sha512(state) => Digest::new(Algorithm::Sha512, &state.clone().finalize()),
            State::Blake3(state) => Digest::new(Algorithm::Blake3, state.finalize().as_bytes()),
            State::Sha1(state) => Digest::new(Algorithm::Sha1, &state.clone().finalize()),
            State::Md5(state) => Digest::new(Algorithm::Md5, &state.clone().finalize()),
        };
        self.states.iter().filter_map(digest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The digests of "abc" from the algorithms' own papers.
    const ABC: [&str; 5] = [
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
        "md5:900150983cd24fb0d6963f7d28e17f72",
    ];

    #[test]
    fn the_algorithms_yield_what_their_papers_say_however_the_bytes_are_cut() {
        for cut in 0..=3 {
            let mut hasher = Hasher::new(Algorithm::ALL.into_iter().collect());
            hasher.update(&b"abc"[..cut]);
            let _ = hasher.digests();
            hasher.update(&b"abc"[cut..]);
            let digests: Vec<String> = hasher.digests().iter().map(ToString::to_string).collect();
            assert_eq!(digests, ABC);
            assert_eq!(hasher.length(), 3);
        }
    }

    #[test]
    fn a_digest_is_read_as_it_is_written_in_any_case() {
        for text in ABC {
            assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
            assert_eq!(text.to_uppercase().parse::<Digest>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_digest_says_why() {
        for (text, why) in [
            ("", "ALGORITHM:HEX"),
            ("900150983cd24fb0d6963f7d28e17f72", "ALGORITHM:HEX"),
            ("crc32:12345678", "none of"),
            ("md5:900150983cd24fb0d6963f7d28e17f7g", "hexadecimal"),
            ("md5:900150983cd24fb0d6963f7d28e17f7\u{e9}", "hexadecimal"),
            ("md5:", "32 hexadecimal digits, not 0"),
            ("md5:900150983cd24fb0d6963f7d28e17f7", "32 hexadecimal digits, not 31"),
            ("md5:900150983cd24fb0d6963f7d28e17f7200", "32 hexadecimal digits, not 34"),
            ("sha256:900150983cd24fb0d6963f7d28e17f72", "64 hexadecimal digits, not 32"),
        ] {
            let error = text.parse::<Digest>().unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_once() {
        let set: Algorithms = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Md5].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Algorithm::Sha256, Algorithm::Md5]);
        assert!(Algorithms::NONE.is_empty() && !set.is_empty() && !set.contains(Algorithm::Sha1));
    }
}
