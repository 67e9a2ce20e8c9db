//! A short text that is kept with a file: an extended attribute, which goes where the file goes.

use std::fs::File;

use dlmanager_core::Fault;

use super::on_file;

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod attribute {
    use std::fs::File;

    use rustix::fs::XattrFlags;
    use rustix::io::{Errno, Result};

    use crate::fault::is_unsupported;
    use crate::unix::retry;

    const NAME: &str = "user.dlmanager.digests";
    /// More than the digests of all algorithms take.
    const BYTES_MAX: usize = 2048;

    pub(super) fn set(file: &File, note: Option<&str>) -> Result<()> {
        let result = match note {
            Some(note) => retry(|| rustix::fs::fsetxattr(file, NAME, note.as_bytes(), XattrFlags::empty())),
            None => retry(|| rustix::fs::fremovexattr(file, NAME)),
        };
        match result {
            // There is none; or the file system has no attributes, none of users, or no room for one.
            Err(errno) if is_missing(errno) || keeps_none(errno) => Ok(()),
            result => result,
        }
    }

    pub(super) fn get(file: &File) -> Result<Option<Vec<u8>>> {
        let mut buffer = [0_u8; BYTES_MAX];
        match retry(|| rustix::fs::fgetxattr(file, NAME, &mut buffer[..])) {
            Ok(length) => Ok(buffer.get(..length).map(Into::into)),
            Err(errno) if is_missing(errno) || keeps_none(errno) => Ok(None),
            // Longer than ours are.
            Err(Errno::RANGE) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    #[cfg(target_vendor = "apple")]
    fn is_missing(errno: Errno) -> bool {
        errno == Errno::NOATTR
    }

    #[cfg(not(target_vendor = "apple"))]
    fn is_missing(errno: Errno) -> bool {
        errno == Errno::NODATA
    }

    fn keeps_none(errno: Errno) -> bool {
        is_unsupported(errno)
            || matches!(errno, Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::NOSPC | Errno::DQUOT | Errno::TOOBIG)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn set(file: &File, note: Option<&str>) -> Result<(), Fault> {
    attribute::set(file, note).map_err(on_file)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn get(file: &File) -> Result<Option<String>, Fault> {
    let bytes = attribute::get(file).map_err(on_file)?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn set(_file: &File, _note: Option<&str>) -> Result<(), Fault> {
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn get(_file: &File) -> Result<Option<String>, Fault> {
    Ok(None)
}
