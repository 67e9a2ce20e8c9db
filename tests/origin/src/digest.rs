//! The digests of RFC 9530, true ones.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::body::Body;

/// A digest algorithm that RFC 9530 calls active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// `sha-256`
    Sha256,
    /// `sha-512`
    Sha512,
}

impl Body {
    /// The digest of the whole body as a member of `Repr-Digest` or `Content-Digest`: `sha-256=:...:`.
    ///
    /// A reply with a wrong one is a reply with another body's:
    ///
    /// ```
    /// # use dlmanager_origin::{Body, DigestAlgorithm, Reply};
    /// let wrong = Body::from("other").digest_field(DigestAlgorithm::Sha256);
    /// assert_eq!(wrong, "sha-256=:2SmKENGwc1g33EvYXaxkGw887yekfl1TpU8vP1svz/o=:");
    /// let reply = Reply::body("body").header("Repr-Digest", &wrong);
    /// ```
    #[must_use]
    pub fn digest_field(&self, algorithm: DigestAlgorithm) -> String {
        field(algorithm, self, 0, self.len())
    }
}

/// The same of a part of a body.
pub(crate) fn field(algorithm: DigestAlgorithm, body: &Body, offset: u64, length: u64) -> String {
    let part = body.reader(offset).take(length);
    match algorithm {
        DigestAlgorithm::Sha256 => format!("sha-256=:{}:", STANDARD.encode(digest::<sha2::Sha256>(part))),
        DigestAlgorithm::Sha512 => format!("sha-512=:{}:", STANDARD.encode(digest::<sha2::Sha512>(part))),
    }
}

fn digest<D: sha2::Digest>(mut bytes: impl Read) -> Vec<u8> {
    let mut hasher = D::new();
    let mut piece = vec![0; 64 * 1024];
    // Reading a body does not fail.
    while let Ok(count) = bytes.read(&mut piece) {
        if count == 0 {
            break;
        }
        hasher.update(&piece[..count]);
    }
    hasher.finalize().to_vec()
}
