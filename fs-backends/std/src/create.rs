//! Making and opening the directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dlmanager_core::{Fault, FaultKind};

use crate::fault;
use crate::root::Root;

/// Why a directory cannot be used.
///
/// ```
/// use dlmanager_fs::{CreateError, Directory};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.txt");
/// std::fs::write(&path, "hello")?;
/// let error = Directory::create(path.join("downloads")).unwrap_err();
/// assert_eq!(error, CreateError::NotADirectory { path });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// Something else stands there, or on the way to it.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// What is not a directory: the path asked for, or one of its parents.
        path: PathBuf,
    },
    /// It is not there and cannot be made.
    #[error("cannot make the directory {}: {cause}", path.display())]
    NotMade {
        /// The path asked for.
        path: PathBuf,
        /// Why not.
        cause: Fault,
    },
    /// It is there but cannot be opened for reading.
    #[error("cannot read the directory {}: {cause}", path.display())]
    NotReadable {
        /// The path asked for.
        path: PathBuf,
        /// Why not.
        cause: Fault,
    },
    /// It is there but nothing can be put into it.
    #[error("cannot write to the directory {}: {cause}", path.display())]
    NotWritable {
        /// The path asked for.
        path: PathBuf,
        /// Why not.
        cause: Fault,
    },
}

impl CreateError {
    /// What is not a directory, or the path that was asked for.
    pub fn path(&self) -> &Path {
        match self {
            Self::NotADirectory { path }
            | Self::NotMade { path, .. }
            | Self::NotReadable { path, .. }
            | Self::NotWritable { path, .. } => path,
        }
    }
}

pub(crate) fn create<R: Root>(path: &Path) -> Result<R, CreateError> {
    fs::create_dir_all(path).map_err(|error| not_made(path, &error))?;
    let root = R::open(path).map_err(|cause| match cause.kind() {
        FaultKind::WrongType => CreateError::NotADirectory { path: path.into() },
        _ => CreateError::NotReadable { path: path.into(), cause },
    })?;
    root.check_writable().map_err(|cause| CreateError::NotWritable { path: path.into(), cause })?;
    Ok(root)
}

fn not_made(path: &Path, error: &io::Error) -> CreateError {
    let in_the_way = path.ancestors().find(|part| part.metadata().is_ok_and(|metadata| !metadata.is_dir()));
    match (in_the_way, error.kind()) {
        (Some(part), _) => CreateError::NotADirectory { path: part.into() },
        // A symlink that leads nowhere.
        (None, io::ErrorKind::AlreadyExists) => CreateError::NotADirectory { path: path.into() },
        (None, _) => CreateError::NotMade { path: path.into(), cause: fault::of_path(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Directory;

    #[test]
    fn the_directory_and_its_parents_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c");
        let directory = Directory::create(&path).unwrap();
        assert!(path.is_dir());
        assert_eq!(directory.path(), path);
        Directory::create(&path).expect("one that is there is fine");
    }

    #[test]
    fn what_is_not_a_directory_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"x").unwrap();
        for path in [file.clone(), file.join("below"), file.join("far/below")] {
            let error = Directory::create(&path).unwrap_err();
            assert_eq!(error, CreateError::NotADirectory { path: file.clone() });
            assert_eq!(error.to_string(), format!("{} is not a directory", file.display()));
        }
        assert_eq!(fs::read(&file).unwrap(), b"x");
    }

    #[test]
    fn a_name_that_is_too_long_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n".repeat(300));
        let error = Directory::create(&path).unwrap_err();
        assert!(
            matches!(&error, CreateError::NotMade { cause, .. } if cause.kind() == FaultKind::BadName),
            "{error:?}"
        );
        assert_eq!(error.path(), path);
    }

    #[cfg(unix)]
    #[test]
    fn the_path_of_the_directory_itself_may_lead_through_symlinks_but_not_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        Directory::create(folder.path().join("link/sub")).unwrap();
        assert!(folder.path().join("real/sub").is_dir());
        let path = folder.path().join("dangling");
        assert_eq!(Directory::create(&path).unwrap_err(), CreateError::NotADirectory { path });
    }
}
