//! The digests that were noted with a file, and whether it still has them.

use std::fs::File;

use dlmanager_core::{Algorithms, Digest, Digests, Fault, FaultKind, Hasher, StorePath};

use crate::root::Root;

/// What the note begins with: the format's version.
const HEADER: &str = "dlmanager 1";
/// What is read at once.
const HASHED_AT_ONCE: usize = 256 * 1024;

/// Whether a file has the digests that were noted with it when it was complete.
///
/// ```
/// use dlmanager_fs::Verified;
///
/// assert!(!Verified::NoDigest.is_wrong()); // nothing is known of it
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// It has them.
    Matches(Digests),
    /// It has others: it was changed since.
    Differs {
        /// What it should come to.
        expected: Digests,
        /// What it comes to.
        actual: Digests,
    },
    /// Nothing was noted: no digest of it was known when it was fetched, it is somebody else's, or the file system keeps no
    /// notes.
    NoDigest,
}

impl Verified {
    /// Whether it is not what it was.
    pub const fn is_wrong(&self) -> bool {
        matches!(self, Self::Differs { .. })
    }
}

pub(crate) fn keep<R: Root>(root: &R, file: &File, digests: &Digests) -> Result<(), Fault> {
    let note = digests.iter().fold(HEADER.to_owned(), |note, digest| format!("{note} {digest}"));
    root.set_note(file, Some(&note))
}

/// Of a later format nothing is known.
fn noted<R: Root>(root: &R, file: &File) -> Result<Option<Digests>, Fault> {
    let note = root.note(file)?;
    let words = note.as_deref().and_then(|note| note.strip_prefix(HEADER)?.strip_prefix(' '));
    let digests: Option<Digests> =
        words.and_then(|words| words.split(' ').map(|word| word.parse::<Digest>().ok()).collect());
    Ok(digests.filter(|digests| digests.iter().next().is_some()))
}

pub(crate) fn verify<R: Root>(root: &R, path: &StorePath) -> Result<Verified, Fault> {
    let file = root.open_quietly(path)?;
    let Some(expected) = noted(root, &file)? else { return Ok(Verified::NoDigest) };
    let algorithms: Algorithms = expected.iter().map(Digest::algorithm).collect();
    let mut hasher = Hasher::new(algorithms);
    let mut buffer = vec![0; HASHED_AT_ONCE];
    loop {
        match root.read_at(&file, &mut buffer, hasher.length())? {
            0 => break,
            count => hasher.update(buffer.get(..count).ok_or(FaultKind::Io)?),
        }
    }
    let actual = hasher.digests();
    let is_right = expected.iter().all(|digest| actual.get(digest.algorithm()) == Some(digest));
    Ok(if is_right { Verified::Matches(expected) } else { Verified::Differs { expected, actual } })
}
