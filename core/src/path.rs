//! Paths within the manager's directory.

use alloc::sync::Arc;
use core::fmt;

use crate::FileName;

/// The folder within the directory that holds what is unfinished.
pub const WORK_FOLDER: &str = ".dlmanager";

/// The mark in the work folder of a directory whose files are the manager's to evict.
pub const OWNER_MARK: &str = ".dlmanager/owner";

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
