//! Reads and writes at a position.

use std::fs::File;
use std::io;

use bytes::Bytes;
use dlmanager_core::{Fault, FaultKind};

use crate::fault;

/// Reads what there is, up to the length of `buffer`; nothing is the end.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Fault> {
    loop {
        match read_once_at(file, buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(|error| fault::of_file(&error)),
        }
    }
}

/// Writes all pieces, one behind the other. On a fault any number of the bytes may have been written.
pub(super) fn write_all_at(file: &File, mut offset: u64, data: &[Bytes]) -> Result<(), Fault> {
    let length = data.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len() as u64));
    if offset.saturating_add(length) > i64::MAX as u64 {
        return Err(FaultKind::NoSpace.into());
    }
    for piece in data {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            match write_at(file, rest, offset) {
                Ok(0) => return Err(Fault::new(FaultKind::Io).with_detail("the system writes nothing")),
                Ok(written) => {
                    rest = &rest[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fault::of_file(&error)),
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
fn read_once_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Each call moves the file's own position, which nothing else here goes by.
#[cfg(windows)]
fn read_once_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(not(any(unix, windows)))]
fn read_once_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}

#[cfg(not(any(unix, windows)))]
fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write(bytes)
}
