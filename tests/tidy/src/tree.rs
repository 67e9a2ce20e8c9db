//! The files that belong to the project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of a workspace.
#[derive(Debug, Default)]
pub struct Tree {
    files: Vec<File>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// Its path from the workspace's root, with forward slashes.
    pub path: String,
    /// What it holds; `None` where that is not UTF-8.
    pub text: Option<String>,
    /// Its length.
    pub bytes: u64,
}

impl Tree {
    /// Reads the workspace that this crate stands in: what git tracks or would track, and without git all but the
    /// folders of builds.
    ///
    /// # Errors
    ///
    /// Where a file or folder cannot be read.
    pub fn of_workspace() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut paths = match listed_by_git(&root) {
            Some(paths) => paths,
            None => walked(&root)?,
        };
        paths.sort();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            let bytes = match fs::read(root.join(&path)) {
                Ok(bytes) => bytes,
                // Git still lists what was removed since its last commit.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
            };
            files.push(File { path, bytes: bytes.len() as u64, text: String::from_utf8(bytes).ok() });
        }
        Ok(Self { files })
    }

    /// A tree made of paths and texts.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File {
            path: path.to_owned(),
            text: Some(text.to_owned()),
            bytes: text.len() as u64,
        };
        Self { files: files.iter().map(file).collect() }
    }

    /// All files.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The text of a file, if there is such a file and it is text.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text.as_deref()
    }

    /// The paths and texts of the Rust files below a folder; `""` is the root.
    pub fn rust_files<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts().filter(move |(path, _)| path.ends_with(".rs") && is_below(path, folder))
    }

    /// The paths and texts of all text files.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    /// The files below a folder.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| is_below(&file.path, folder))
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// `None` where there is no git, no repository, or another one than this workspace's.
fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && paths.iter().any(|path| path == "core/Cargo.toml")).then_some(paths)
}

fn walked(root: &Path) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let built = ["target", "artifacts", ".git"].iter().any(|name| entry.file_name() == *name);
                if !built {
                    folders.push(path);
                }
            } else if kind.is_file() {
                paths.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_finds_what_git_lists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let walked = walked(&root).unwrap();
        for path in ["Cargo.toml", "core/src/lib.rs", "tests/tidy/src/tree.rs"] {
            assert!(walked.iter().any(|found| found == path), "{path}");
        }
        assert!(!walked.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/")));
    }

    #[test]
    fn the_tree_is_not_empty() {
        let tree = Tree::of_workspace().unwrap();
        assert!(tree.rust_files("").count() > 30 && tree.rust_files("core/src").count() > 10);
        assert!(tree.text("core/src/lib.rs").is_some());
        assert_eq!(tree.rust_files("cor").count(), 0);
    }
}
