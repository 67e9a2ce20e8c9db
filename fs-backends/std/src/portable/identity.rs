//! Telling files apart: the one thing that the standard library does not do on Windows.

use std::fs::File;

use dlmanager_core::Fault;

/// Whether two open files are one.
#[cfg(unix)]
pub(super) fn is_same(one: &File, other: &File) -> Result<bool, Fault> {
    use std::os::unix::fs::MetadataExt;
    let identity =
        |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).map_err(super::on_file);
    Ok(identity(one)? == identity(other)?)
}

#[cfg(windows)]
pub(super) fn is_same(one: &File, other: &File) -> Result<bool, Fault> {
    let identity = |file: &File| {
        let information = winapi_util::file::information(file).map_err(super::on_file);
        information.map(|information| (information.volume_serial_number(), information.file_index()))
    };
    Ok(identity(one)? == identity(other)?)
}

#[cfg(not(any(unix, windows)))]
pub(super) fn is_same(_one: &File, _other: &File) -> Result<bool, Fault> {
    Err(dlmanager_core::FaultKind::Unsupported.into())
}

/// How many names a file has.
#[cfg(unix)]
pub(super) fn names(file: &File) -> Result<u64, Fault> {
    use std::os::unix::fs::MetadataExt;
    file.metadata().map(|metadata| metadata.nlink()).map_err(super::on_file)
}

#[cfg(windows)]
pub(super) fn names(file: &File) -> Result<u64, Fault> {
    winapi_util::file::information(file).map(|information| information.number_of_links()).map_err(super::on_file)
}

#[cfg(not(any(unix, windows)))]
pub(super) fn names(_file: &File) -> Result<u64, Fault> {
    Ok(1)
}
