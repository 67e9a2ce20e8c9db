//! The operating system's errors as faults: the one table.

use std::io;

use dlmanager_core::{Fault, FaultKind};

/// The fault for an error of an operation on a name.
pub(crate) fn of_path(error: &io::Error) -> Fault {
    let kind = match error.raw_os_error() {
        Some(code) if is_invalid_argument(code) => FaultKind::BadName,
        Some(code) => kind_of_code(code),
        // The standard library's own: a name with a NUL.
        None if error.kind() == io::ErrorKind::InvalidInput => FaultKind::BadName,
        None => FaultKind::Io,
    };
    fault(kind, error)
}

/// The fault for an error of an operation on an open file, or on a name known to be good.
pub(crate) fn of_file(error: &io::Error) -> Fault {
    fault(error.raw_os_error().map_or(FaultKind::Io, kind_of_code), error)
}

fn fault(kind: FaultKind, error: &io::Error) -> Fault {
    let mut fault = Fault::new(kind);
    if kind == FaultKind::Io {
        // The kind says nothing, so the system's own words follow; the code is shown by the fault itself.
        let text = error.to_string();
        fault = fault.with_detail(text.split(" (os error ").next().unwrap_or(&text));
    }
    match error.raw_os_error() {
        Some(code) => fault.with_os_code(code),
        None => fault,
    }
}

#[cfg(not(unix))]
use windows::{is_invalid_argument, kind_of_code};

#[cfg(unix)]
pub(crate) use unix::is_unsupported;
#[cfg(unix)]
use unix::{is_invalid_argument, kind_of_code};

#[cfg(unix)]
mod unix {
    use dlmanager_core::FaultKind;
    use rustix::io::Errno;

    pub(super) fn is_invalid_argument(code: i32) -> bool {
        Errno::from_raw_os_error(code) == Errno::INVAL
    }

    /// Whether that says that the file system does not have it: two numbers on Apple's systems, one on Linux.
    pub(crate) fn is_unsupported(errno: Errno) -> bool {
        errno == Errno::OPNOTSUPP || errno == Errno::NOTSUP
    }

    pub(super) fn kind_of_code(code: i32) -> FaultKind {
        match Errno::from_raw_os_error(code) {
            Errno::NOENT => FaultKind::NotFound,
            Errno::EXIST => FaultKind::Exists,
            // Open of a symlink that is not to be followed (MLINK on FreeBSD), of a folder, of a socket or a pipe.
            Errno::LOOP | Errno::MLINK | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO => FaultKind::WrongType,
            Errno::ACCESS | Errno::PERM => FaultKind::Denied,
            Errno::ROFS => FaultKind::ReadOnly,
            // FBIG is also what a file system says whose greatest file is reached (open(2), write(2)).
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => FaultKind::NoSpace,
            Errno::NAMETOOLONG | Errno::ILSEQ => FaultKind::BadName,
            Errno::BUSY | Errno::TXTBSY | Errno::AGAIN | Errno::NOTEMPTY => FaultKind::Busy,
            // NOLCK is how NFS says that it has no locks (flock(2)).
            Errno::XDEV | Errno::NOSYS | Errno::NOLCK => FaultKind::Unsupported,
            errno if is_unsupported(errno) => FaultKind::Unsupported,
            _ => FaultKind::Io,
        }
    }
}

#[cfg(any(not(unix), test))]
mod windows {
    use dlmanager_core::FaultKind;

    /// `ERROR_INVALID_PARAMETER`.
    #[cfg_attr(unix, expect(dead_code, reason = "only the table below is tested elsewhere"))]
    pub(super) fn is_invalid_argument(code: i32) -> bool {
        code == 87
    }

    /// The names of the codes are those of `winerror.h`.
    pub(super) fn kind_of_code(code: i32) -> FaultKind {
        match code {
            // FILE_NOT_FOUND, PATH_NOT_FOUND, INVALID_DRIVE
            2 | 3 | 15 => FaultKind::NotFound,
            // FILE_EXISTS, ALREADY_EXISTS
            80 | 183 => FaultKind::Exists,
            // DIRECTORY (the name is not a directory's), DIRECTORY_NOT_SUPPORTED, CANT_RESOLVE_FILENAME
            267 | 336 | 1921 => FaultKind::WrongType,
            // ACCESS_DENIED, PRIVILEGE_NOT_HELD
            5 | 1314 => FaultKind::Denied,
            // WRITE_PROTECT
            19 => FaultKind::ReadOnly,
            // HANDLE_DISK_FULL, DISK_FULL, FILE_TOO_LARGE, DISK_QUOTA_EXCEEDED
            39 | 112 | 223 | 1295 => FaultKind::NoSpace,
            // INVALID_NAME, BAD_PATHNAME, FILENAME_EXCED_RANGE, NO_UNICODE_TRANSLATION
            123 | 161 | 206 | 1113 => FaultKind::BadName,
            // SHARING_VIOLATION, LOCK_VIOLATION, DIR_NOT_EMPTY, BUSY, USER_MAPPED_FILE
            32 | 33 | 145 | 170 | 1224 => FaultKind::Busy,
            // NOT_SAME_DEVICE, INVALID_FUNCTION, NOT_SUPPORTED
            17 | 1 | 50 => FaultKind::Unsupported,
            _ => FaultKind::Io,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn each_errno_has_its_kind_and_keeps_its_code() {
        use FaultKind::*;
        use rustix::io::Errno;

        // (errno, kind on a name, kind on an open file)
        let table = [
            (Errno::NOENT, NotFound, NotFound),
            (Errno::EXIST, Exists, Exists),
            (Errno::LOOP, WrongType, WrongType),
            (Errno::NOTDIR, WrongType, WrongType),
            (Errno::ISDIR, WrongType, WrongType),
            (Errno::NXIO, WrongType, WrongType),
            (Errno::ACCESS, Denied, Denied),
            (Errno::PERM, Denied, Denied),
            (Errno::ROFS, ReadOnly, ReadOnly),
            (Errno::NOSPC, NoSpace, NoSpace),
            (Errno::DQUOT, NoSpace, NoSpace),
            (Errno::FBIG, NoSpace, NoSpace),
            (Errno::NAMETOOLONG, BadName, BadName),
            (Errno::ILSEQ, BadName, BadName),
            (Errno::INVAL, BadName, Io),
            (Errno::BUSY, Busy, Busy),
            (Errno::TXTBSY, Busy, Busy),
            (Errno::AGAIN, Busy, Busy),
            (Errno::NOTEMPTY, Busy, Busy),
            (Errno::XDEV, Unsupported, Unsupported),
            (Errno::NOSYS, Unsupported, Unsupported),
            (Errno::OPNOTSUPP, Unsupported, Unsupported),
            (Errno::NOTSUP, Unsupported, Unsupported),
            (Errno::NOLCK, Unsupported, Unsupported),
            (Errno::IO, Io, Io),
            (Errno::MFILE, Io, Io),
            (Errno::BADF, Io, Io),
        ];
        for (errno, on_path, on_file) in table {
            let error = io::Error::from(errno);
            for (fault, kind) in [(of_path(&error), on_path), (of_file(&error), on_file)] {
                assert_eq!(fault.kind(), kind, "{errno:?}");
                assert_eq!(fault.os_code(), Some(errno.raw_os_error()), "{errno:?}");
                assert_eq!(fault.detail().is_some(), kind == Io, "{errno:?}");
            }
        }
        assert_eq!(of_file(&Errno::IO.into()).to_string(), "input/output error: Input/output error (os error 5)");
        assert_eq!(of_file(&Errno::NOSPC.into()).to_string(), "no space left (os error 28)");
    }

    #[test]
    fn each_code_of_windows_has_its_kind() {
        use FaultKind::*;

        let table = [
            (2, NotFound),
            (3, NotFound),
            (5, Denied),
            (17, Unsupported),
            (19, ReadOnly),
            (32, Busy),
            (80, Exists),
            (112, NoSpace),
            (123, BadName),
            (145, Busy),
            (183, Exists),
            (206, BadName),
            (223, NoSpace),
            (267, WrongType),
            (1295, NoSpace),
            (1117, Io),
        ];
        for (code, kind) in table {
            assert_eq!(windows::kind_of_code(code), kind, "{code}");
        }
    }

    #[test]
    fn a_name_with_a_nul_is_a_bad_name() {
        let error = std::fs::File::open("a\0b").unwrap_err();
        assert_eq!(of_path(&error).kind(), FaultKind::BadName);
    }
}
