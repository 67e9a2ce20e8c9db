//! Opening a manager for the program, and what is said where that does not work.

use std::path::Path;

use dlmanager::{Builder, DirectoryError, DownloadManager, OpenError};

use crate::misuse::Misuse;

pub(crate) fn open(builder: Builder) -> Result<DownloadManager, Misuse> {
    builder.open().map_err(|error| match error {
        OpenError::Limit { path, error: DirectoryError::NotOurs { example } } => not_ours(&path, &example),
        error => Misuse::new(error.to_string()),
    })
}

/// A limit would remove what somebody else has put there.
pub(crate) fn not_ours(directory: &Path, example: &str) -> Misuse {
    Misuse::new(format!(
        "{}: the directory holds files that dlmanager did not put there ({example:?} for one), or put there \
         without a limit, and a limit would remove some of them: say --adopt to let it, or choose another directory",
        directory.display()
    ))
}

/// A later version of dlmanager manages the directory.
pub(crate) fn later(directory: &Path, format: u64) -> Misuse {
    Misuse::new(format!("{}: {}", directory.display(), DirectoryError::Newer { format }))
}

/// For what works on a directory that is there.
pub(crate) fn existing(directory: &Path) -> Result<(), Misuse> {
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Misuse::new(format!("{} is not a directory", directory.display()))),
        Err(error) => Err(Misuse::new(format!("cannot look at the directory {}: {error}", directory.display()))),
    }
}
