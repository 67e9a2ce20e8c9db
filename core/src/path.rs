//! Paths within the manager's directory.

use alloc::sync::Arc;
use core::fmt;

use crate::FileName;

/// The folder within the directory that holds what is unfinished.
pub const WORK_FOLDER: &str = ".dlmanager";

/// The mark in the work folder of a directory whose files are the manager's to evict.
pub const OWNER_MARK: &str = ".dlmanager/owner";

/// The folder within the work folder that holds a file for each name that is pinned.
pub const PINS_FOLDER: &str = ".dlmanager/pins";

/// A path relative to the manager's directory, its components separated by `/`, as a file backend takes it.
///
/// Made by the core from validated names, or by a backend's scan from what stands in the directory: never empty, never
/// absolute, without `.` and `..`. A clone costs a reference count.
///
/// ```
/// use dlmanager_core::{FileName, StorePath};
///
/// let path = StorePath::from(&FileName::new("tools/tool.zip")?);
/// assert_eq!((path.as_str(), path.file_name()), ("tools/tool.zip", "tool.zip"));
/// assert!(path.components().eq(["tools", "tool.zip"]));
/// # Ok::<(), dlmanager_core::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(Arc<str>);

impl StorePath {
    /// The path of one entry of the directory itself, as a scan found it; `None` where that is not one component.
    ///
    /// ```
    /// use dlmanager_core::StorePath;
    ///
    /// assert_eq!(StorePath::entry("a.zip").unwrap().as_str(), "a.zip");
    /// assert!(StorePath::entry("a/b").is_none() && StorePath::entry("..").is_none());
    /// ```
    pub fn entry(name: &str) -> Option<Self> {
        let valid = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
        valid.then(|| Self(name.into()))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn work_folder() -> Self {
        Self(WORK_FOLDER.into())
    }

    pub(crate) fn owner_mark() -> Self {
        Self(OWNER_MARK.into())
    }

    pub(crate) fn in_work_folder(name: &str) -> Self {
        Self(alloc::format!("{WORK_FOLDER}/{name}").into())
    }

    /// Where what is unfinished of a file stands, and its record.
    pub(crate) fn unfinished_of(name: &FileName) -> [Self; 2] {
        let key = name.key();
        [".part", ".rec"].map(|end| Self::of_key(key, None, end))
    }

    /// A file in the work folder that stands for a name: `KEY.part`, `KEY.RANDOM.part`, `KEY.rec`, its numbers in
    /// hexadecimal.
    pub(crate) fn of_key(key: u128, random: Option<u64>, end: &str) -> Self {
        // The folder, two numbers with what stands before each, and the end.
        let mut bytes = [0; WORK_FOLDER.len() + 33 + 17 + 8];
        let mut length = 0;
        let mut push = |text: &[u8]| {
            if let Some(place) = bytes.get_mut(length..length + text.len()) {
                place.copy_from_slice(text);
            }
            length += text.len();
        };
        push(WORK_FOLDER.as_bytes());
        push(b"/");
        push(&hexadecimal::<32>(key));
        if let Some(random) = random {
            push(b".");
            push(&hexadecimal::<16>(random.into()));
        }
        push(end.as_bytes());
        let text = bytes.get(..length).and_then(|bytes| core::str::from_utf8(bytes).ok());
        Self(text.expect("the ends are short, and all is ASCII").into())
    }

    /// An entry of a folder of the directory, as a scan found it; `None` where that is not one component.
    pub fn entry_of(folder: &Self, name: &str) -> Option<Self> {
        let Self(name) = Self::entry(name)?;
        Some(Self(alloc::format!("{folder}/{name}").into()))
    }

    /// Where a file stands while this name is pinned, named after a hash of it: whoever made it said that no eviction is to
    /// take the name's file.
    ///
    /// ```
    /// use dlmanager_core::{PINS_FOLDER, StorePath};
    ///
    /// let pin = |name| StorePath::entry(name).unwrap().pin();
    /// assert_eq!(pin("a.zip"), pin("a.zip"));
    /// assert_ne!(pin("a.zip"), pin("A.zip"));
    /// assert!(pin("a.zip").as_str().starts_with(PINS_FOLDER));
    /// ```
    pub fn pin(&self) -> Self {
        Self(alloc::format!("{PINS_FOLDER}/{:032x}", self.key()).into())
    }

    /// 128 bits of the BLAKE3 hash of the path.
    pub(crate) fn key(&self) -> u128 {
        let digest = blake3::hash(self.0.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest.as_bytes()[..16]);
        u128::from_be_bytes(key)
    }

    /// The folder that this path lies in, where that is not the directory itself.
    pub(crate) fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// The whole path, with `/` between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components from the directory downwards; at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl From<&FileName> for StorePath {
    fn from(name: &FileName) -> Self {
        Self(name.shared())
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The last digits of a number.
fn hexadecimal<const DIGITS: usize>(mut number: u128) -> [u8; DIGITS] {
    const DIGIT: [u8; 16] = *b"0123456789abcdef";
    let mut digits = [b'0'; DIGITS];
    for place in digits.iter_mut().rev() {
        *place = DIGIT[(number & 15) as usize];
        number >>= 4;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_name_is_hexadecimal_and_of_one_length() {
        for (key, random) in
            [(0, 0), (0x0123_4567_89ab_cdef_0011_2233_4455_6677, 0xfedc_ba98_7654_3210), (u128::MAX, 1)]
        {
            let path = StorePath::of_key(key, None, ".part");
            assert_eq!(path.as_str(), alloc::format!(".dlmanager/{key:032x}.part"));
            let path = StorePath::of_key(key, Some(random), ".part");
            assert_eq!(path.as_str(), alloc::format!(".dlmanager/{key:032x}.{random:016x}.part"));
        }
    }
}
