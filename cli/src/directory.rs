//! Looking at a directory without a manager, which would make it its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dlmanager::StorePath;
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

/// What stands in a directory and in its folders.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The regular files, hidden ones included, by their paths in the directory.
    pub(crate) files: Vec<PathBuf>,
    /// The folders that could not be read, and why.
    pub(crate) unreadable: Vec<(PathBuf, io::Error)>,
}

/// Looks at a directory and at all folders below it, but not through symlinks, nor into work folders.
pub(crate) fn walk(directory: &Path) -> io::Result<Tree> {
    let mut tree = Tree::default();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        match tree.add(directory, &folder, &mut folders) {
            Ok(()) => {}
            Err(error) if folder.as_os_str().is_empty() => return Err(error),
            // It is gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tree.unreadable.push((folder, error)),
        }
    }
    tree.files.sort();
    tree.unreadable.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(tree)
}

impl Tree {
    fn add(&mut self, directory: &Path, folder: &Path, folders: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(directory.join(folder))? {
            let entry = entry?;
            let name = entry.file_name();
            if name == WORK_FOLDER {
                continue;
            }
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if kind.is_file() {
                self.files.push(folder.join(name));
            } else if kind.is_dir() {
                folders.push(folder.join(name));
            }
        }
        Ok(())
    }
}

/// A path in a directory as a file backend takes it; `None` where it is not UTF-8.
pub(crate) fn store_path(path: &Path) -> Option<StorePath> {
    let mut names = path.iter().map(OsStr::to_str);
    let first = StorePath::entry(names.next()??)?;
    names.try_fold(first, |folder, name| StorePath::entry_of(&folder, name?))
}
