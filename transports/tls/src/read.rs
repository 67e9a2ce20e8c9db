//! Where PEM comes from. The one place of the transports that opens files, and only to read them.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::load::Cause;

/// A whole system's bundle has some 250 KiB. The bound is for devices and for files that were named by mistake.
pub(crate) const BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Clone)]
pub(crate) enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Source {
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes(_) => None,
        }
    }

    pub(crate) fn read(self) -> Result<Vec<u8>, Cause> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(path) => read(&path),
        }
    }
}

/// Without the bytes, which may be a key.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Cause> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > BYTES_MAX => Err(Cause::TooLarge { bytes_max: BYTES_MAX }),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Cause::Missing),
        Err(error) => Err(Cause::Unreadable(error)),
    }
}
