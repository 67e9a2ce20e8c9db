//! The directory of a case, as other programs see it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dlmanager_origin::Body;
use tempfile::TempDir;

/// A directory that is made by the manager, in a folder of the case's own, so that what gets outside is seen as well.
#[derive(Debug)]
pub(crate) struct Folder {
    parent: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { parent: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.parent.path().join("downloads")
    }

    /// The folder in which the directory is.
    pub(crate) fn parent(&self) -> &Path {
        self.parent.path()
    }

    /// Puts a file, as another program would.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a path within the directory")).expect("the folder can be made");
        fs::write(path, bytes).expect("the file can be written");
    }

    /// All files in the directory and beside it, hidden or not, each with its bytes; folders with none.
    pub(crate) fn everything(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        walk(self.parent.path(), "", &mut found);
        found.remove("downloads/");
        found.into_iter().map(|(path, bytes)| (path.trim_start_matches("downloads/").to_owned(), bytes)).collect()
    }

    /// The names of all that is there.
    pub(crate) fn names(&self) -> Vec<String> {
        self.everything().into_keys().collect()
    }

    /// What is unfinished.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let hidden = |path: &String| path.starts_with(".dlmanager/") && path != ".dlmanager/";
        self.names().into_iter().filter(hidden).collect()
    }

    /// Exactly these files are there, with exactly these bytes, whatever folders lead to them, and nothing unfinished.
    #[track_caller]
    pub(crate) fn assert_holds(&self, files: &[(&str, &Body)]) {
        let found = self.everything();
        let visible: Vec<&str> = found.keys().map(String::as_str).filter(|name| !name.ends_with('/')).collect();
        let mut expected: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(visible, expected, "the files that are there");
        assert!(!found.contains_key(".dlmanager/"), "the work folder is left");
        for (name, body) in files {
            let bytes = found[*name].as_deref().unwrap_or_default();
            let differs = body.compare(bytes).expect("bytes in memory can be read");
            assert_eq!(differs, None, "{name} differs from what was served at that byte; it has {} bytes", bytes.len());
        }
    }
}

/// Puts a symlink, as another program would.
pub(crate) fn symlink(target: &Path, link: &Path) {
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, link).expect("a symlink can be made");
    #[cfg(not(unix))]
    panic!("this system has no symlinks that any program may make: {} to {}", link.display(), target.display());
}

/// Symlinks are not followed, and have their target for bytes.
fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Option<Vec<u8>>>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries {
        let entry = entry.expect("the folder can be read");
        let kind = entry.file_type().expect("the entry can be looked at");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
            found.insert(format!("{path}/"), None);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).expect("the symlink can be read");
            found.insert(path, Some(target.to_string_lossy().into_owned().into_bytes()));
        } else {
            found.insert(path, Some(fs::read(entry.path()).expect("the file can be read")));
        }
    }
}
