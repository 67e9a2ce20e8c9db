//! Flushing to the disk.
//!
//! The standard library's flushes are `fdatasync` and `fsync`, on Apple's systems `F_FULLFSYNC` for both, as a mere `fsync`
//! stops at the drive's cache there. That one only their own local file systems have: on others, SMB for one, `fsync` is all
//! there is.

use std::fs::File;
use std::io;

use rustix::io::{Errno, Result};

use super::retry;

/// Flushes the data and the length, not the times.
pub(super) fn file(file: &File) -> Result<()> {
    flush(file, file.sync_data())
}

pub(super) fn folder(folder: &File) -> Result<()> {
    flush(folder, folder.sync_all())
}

fn flush(file: &File, flushed: io::Result<()>) -> Result<()> {
    let flushed = flushed.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
    if cfg!(target_vendor = "apple") { or_else_plain(flushed, || retry(|| rustix::fs::fsync(file))) } else { flushed }
}

/// A flush that has failed is never tried anew, as the second one would find nothing to write; one that there is none of was
/// none.
fn or_else_plain(flushed: Result<()>, plain: impl FnOnce() -> Result<()>) -> Result<()> {
    match flushed {
        Err(errno) if matches!(errno, Errno::INVAL | Errno::NOTTY) || crate::fault::is_unsupported(errno) => plain(),
        flushed => flushed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_flush_that_there_is_none_of_is_followed_by_a_plain_one() {
        let calls = |flushed| {
            let mut calls = 0;
            let result = or_else_plain(flushed, || {
                calls += 1;
                Ok(())
            });
            (result, calls)
        };
        for errno in [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::INVAL, Errno::NOTTY] {
            assert_eq!(calls(Err(errno)), (Ok(()), 1), "{errno:?}");
        }
        for flushed in [Ok(()), Err(Errno::IO), Err(Errno::NOSPC), Err(Errno::DQUOT)] {
            assert_eq!(calls(flushed), (flushed, 0));
        }
        assert_eq!(or_else_plain(Err(Errno::NOTSUP), || Err(Errno::IO)), Err(Errno::IO));
    }

    #[test]
    fn files_and_folders_are_flushed() {
        let path = tempfile::tempdir().unwrap();
        file(&File::create(path.path().join("a")).unwrap()).unwrap();
        folder(&File::open(path.path()).unwrap()).unwrap();
    }
}
