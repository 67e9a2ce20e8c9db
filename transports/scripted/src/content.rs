//! Bodies whose every byte says which version it belongs to.

use bytes::Bytes;

/// `length` bytes of the version `version` of a file: the same for the same arguments, and different between versions
/// in almost every place, so that a file made of two versions is equal to neither.
///
/// ```
/// use dlmanager_scripted::content;
///
/// assert_eq!(content(1, 100), content(1, 200).slice(..100));
/// assert_ne!(content(1, 100), content(2, 100));
/// ```
pub fn content(version: u64, length: usize) -> Bytes {
    let words = (0..length.div_ceil(8) as u64).flat_map(|word| mix(version, word).to_le_bytes());
    words.take(length).collect()
}

/// The output function of SplitMix64 (Steele, Lea and Flood: Fast splittable pseudorandom number generators, 2014).
fn mix(version: u64, word: u64) -> u64 {
    let mut z = (version.rotate_left(32) ^ word).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
