//! Something that has versions, as a server that knows its RFC serves it.

use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use crate::body::Body;
use crate::reply::Reply;

/// Something of one length whose bytes follow from version and offset, so that any mixture of two versions, and any piece
/// at a wrong place, can be told.
///
/// [`Resource::reply`] answers as RFC 9110 says: with a strong `ETag`, `Last-Modified`, `Date`, and ranges under
/// `If-Range`. Every misbehaviour is made from it by the methods of [`Reply`], and every history by
/// [`Origin::script`](crate::Origin::script):
///
/// ```
/// # use dlmanager_origin::{At, Cut, Extent, Origin, Reply, Resource};
/// # let origin = Origin::start()?;
/// let tool = Resource::new(7, 300_000);
/// // It breaks off, and has changed when it is asked for again, and then is what it was.
/// let broken = tool.reply(1).cut_at(At::Body(100_000), Cut::Fin);
/// origin.script("/a", vec![broken.clone(), tool.reply(2).cut_at(At::Body(100_000), Cut::Fin), tool.reply(1)]);
/// // Its server answers the whole to `If-Range` although nothing has changed; only the bare `Range` is honoured.
/// origin.script("/b", vec![broken.clone(), tool.reply(1).to_if_range(Reply::body(tool.body(1)).etag(&tool.etag(1)))]);
/// // A range of another version with the same length, under the old validator.
/// origin.script("/c", vec![broken.clone(), tool.reply(2).etag(&tool.etag(1))]);
///
/// let spliced = [&tool.body(1).to_vec()[..100_000], &tool.body(2).to_vec()[100_000..]].concat();
/// assert_eq!(tool.extents(1..=2, &spliced[..])?, [
///     Extent { version: Some(1), from: 0, to: 100_000 },
///     Extent { version: Some(2), from: 100_000, to: 300_000 },
/// ]);
/// assert_eq!(tool.whole_version(1..=2, &spliced[..])?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    seed: u64,
    length: u64,
}

/// A run of bytes of one version, each at its own place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// `None` where the bytes are of none of the versions, or beyond their end.
    pub version: Option<u64>,
    /// The first byte's offset.
    pub from: u64,
    /// The offset behind the last byte.
    pub to: u64,
}

/// Sunday, 6 November 1994, 08:49:37, as in RFC 9110 section 5.6.7: long before any `Date`.
const FIRST_MODIFIED: Duration = Duration::from_secs(784_111_777);

impl Resource {
    /// A resource of `length` bytes in every version. Those of different seeds have nothing in common.
    #[must_use]
    pub fn new(seed: u64, length: u64) -> Self {
        Self { seed, length }
    }

    /// The bytes of a version.
    #[must_use]
    pub fn body(&self, version: u64) -> Body {
        Body::pattern(self.seed.rotate_left(32) ^ version, self.length)
    }

    /// The strong `ETag` of a version: `"7-v1"`.
    #[must_use]
    pub fn etag(&self, version: u64) -> String {
        format!("\"{}-v{version}\"", self.seed)
    }

    /// The `Last-Modified` of a version, a minute after that of the one before.
    #[must_use]
    pub fn last_modified(&self, version: u64) -> SystemTime {
        let after = Duration::from_secs(version.saturating_mul(60));
        let time = FIRST_MODIFIED.checked_add(after).and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// A version as it should be served: [`Reply::ranges`], with `ETag`, `Last-Modified` and a `Date` of now.
    #[must_use]
    pub fn reply(&self, version: u64) -> Reply {
        let reply = Reply::body(self.body(version)).ranges().etag(&self.etag(version));
        reply.last_modified(self.last_modified(version)).date(SystemTime::now())
    }

    /// What of these versions the bytes of `actual` are, from the first to the last, neighbours of one version in one.
    ///
    /// # Errors
    ///
    /// What reading `actual` answers.
    pub fn extents(&self, versions: impl IntoIterator<Item = u64>, mut actual: impl Read) -> io::Result<Vec<Extent>> {
        let mut versions: Vec<_> =
            versions.into_iter().map(|version| (version, self.body(version), vec![0; PIECE])).collect();
        let mut extents: Vec<Extent> = Vec::new();
        let mut offset = 0;
        let mut found = Vec::new();
        loop {
            found.clear();
            if actual.by_ref().take(PIECE as u64).read_to_end(&mut found)? == 0 {
                return Ok(extents);
            }
            for (_, body, expected) in &mut versions {
                expected.resize(found.len(), 0);
                let known = body.read_at(offset, expected);
                expected.truncate(known);
            }
            let mut at = 0;
            while at < found.len() {
                // The version that goes on for longest, and of equals the first.
                let mut best = (0, None);
                for (version, _, expected) in &versions {
                    let expected = expected.get(at..).unwrap_or_default();
                    let same = found[at..].iter().zip(expected).take_while(|(found, known)| found == known).count();
                    let is_chance = same < CHANCE_BYTES && at + same < found.len();
                    if same > best.0 && !is_chance {
                        best = (same, Some(*version));
                    }
                }
                let count = best.0.max(1);
                let from = offset + at as u64;
                push(&mut extents, Extent { version: best.1, from, to: from + count as u64 });
                at += count;
            }
            offset += found.len() as u64;
        }
    }

    /// The version of which `actual` is the whole, not a byte less or more; `None` where there is no such.
    ///
    /// # Errors
    ///
    /// What reading `actual` answers.
    pub fn whole_version(&self, versions: impl IntoIterator<Item = u64>, actual: impl Read) -> io::Result<Option<u64>> {
        let extents = self.extents(versions, actual)?;
        Ok(match extents[..] {
            [Extent { version, from: 0, to }] if to == self.length => version,
            _ => None,
        })
    }
}

const PIECE: usize = 64 * 1024;

/// Fewer bytes of a version in a row than this may be there by chance.
const CHANCE_BYTES: usize = 8;

fn push(extents: &mut Vec<Extent>, next: Extent) {
    match extents.last_mut() {
        Some(last) if last.version == next.version => last.to = next.to,
        _ => extents.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_version_is_told_from_all_that_is_none() {
        let resource = Resource::new(3, 200_001);
        let whole = resource.body(2).to_vec();
        let found = |bytes: &[u8]| resource.whole_version(1..=3, bytes).unwrap();
        assert_eq!(found(&whole), Some(2));
        assert_eq!(found(&whole[..200_000]), None, "cut");
        assert_eq!(found(&[&whole[..], b"x"].concat()), None, "overlong");
        assert_eq!(found(&[&whole[..100_000], &whole[..100_001]].concat()), None, "a piece at a wrong place");
        let mut broken = whole.clone();
        broken[131_072] ^= 1;
        assert_eq!(found(&broken), None, "a wrong bit");
        assert_eq!(resource.whole_version([1, 3], &whole[..]).unwrap(), None, "another version");
        assert_eq!(Resource::new(4, 200_001).whole_version(1..=3, &whole[..]).unwrap(), None, "another resource");
    }

    #[test]
    fn extents_name_every_seam() {
        let resource = Resource::new(3, 150_000);
        let [one, two] = [1, 2].map(|version| resource.body(version).to_vec());
        let mixed = [&one[..70_000], &two[70_000..70_100], &one[70_100..], b"12345678"].concat();
        let extent = |version, from, to| Extent { version, from, to };
        assert_eq!(
            resource.extents([1, 2], &mixed[..]).unwrap(),
            [
                extent(Some(1), 0, 70_000),
                extent(Some(2), 70_000, 70_100),
                extent(Some(1), 70_100, 150_000),
                extent(None, 150_000, 150_008),
            ]
        );
    }
}
