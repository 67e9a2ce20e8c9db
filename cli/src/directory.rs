//! Looking at a directory without a manager, which would make it its own.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use dlmanager::core::{OWNER_FORMAT, OWNER_MARK, WORK_FOLDER, owner_format};

/// A file that may count for a limit: a regular one that is not hidden.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) length: u64,
    pub(crate) accessed: SystemTime,
    pub(crate) modified: SystemTime,
}

/// What stands in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The files, by their names.
    pub(crate) files: Vec<Entry>,
    /// The first of all names, where there is any.
    pub(crate) example: Option<OsString>,
    /// It is marked as managed.
    pub(crate) is_ours: bool,
    /// It is marked as managed by a later version, in this format.
    pub(crate) later_format: Option<u64>,
}

pub(crate) fn read(directory: &Path) -> io::Result<Content> {
    let mut files = Vec::new();
    let mut example: Option<OsString> = None;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == WORK_FOLDER {
            continue;
        }
        if example.as_ref().is_none_or(|example| name < *example) {
            example = Some(name.clone());
        }
        // Not through symlinks.
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_file() && !name.as_encoded_bytes().starts_with(b".") {
            let (accessed, modified) = (metadata.accessed()?, metadata.modified()?);
            files.push(Entry { name, length: metadata.len(), accessed, modified });
        }
    }
    files.sort();
    let mark = directory.join(OWNER_MARK);
    let is_file = mark.symlink_metadata().is_ok_and(|mark| mark.is_file());
    let format = if is_file { owner_format(&fs::read(mark)?) } else { None };
    let later_format = format.filter(|format| *format > OWNER_FORMAT);
    Ok(Content { files, example, is_ours: format == Some(OWNER_FORMAT), later_format })
}
