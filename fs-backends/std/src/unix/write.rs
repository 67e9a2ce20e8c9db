//! Positional vectored writes.

use std::fs::File;
use std::io::IoSlice;

use bytes::Bytes;
use dlmanager_core::{Fault, FaultKind};
use rustix::io::Errno;

use super::on_file;

/// The pieces handed to the system at once: below every system's `IOV_MAX`, and few enough to stand on the stack.
const PIECES_MAX: usize = 64;

/// The greatest offset that a file can have (`off_t`).
const OFFSET_MAX: u64 = i64::MAX as u64;

/// Writes all pieces, one behind the other. On a fault any number of the bytes may have been written.
pub(super) fn write_all_at(file: &File, offset: u64, data: &[Bytes]) -> Result<(), Fault> {
    write_all(offset, data, |slices, offset| rustix::io::pwritev(file, slices, offset))
}

fn write_all(
    mut offset: u64,
    data: &[Bytes],
    mut write: impl FnMut(&[IoSlice<'_>], u64) -> Result<usize, Errno>,
) -> Result<(), Fault> {
    let length = data.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len() as u64));
    if offset.saturating_add(length) > OFFSET_MAX {
        return Err(on_file(Errno::FBIG));
    }
    let mut pieces = data;
    // The bytes of the first piece that are written already.
    let mut skip = 0;
    loop {
        while let Some((first, rest)) = pieces.split_first() {
            if skip < first.len() {
                break;
            }
            skip -= first.len();
            pieces = rest;
        }
        if pieces.is_empty() {
            return Ok(());
        }
        let mut slices = [IoSlice::new(&[]); PIECES_MAX];
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
        }
        slices[0] = IoSlice::new(&pieces[0][skip..]);
        let count = pieces.len().min(PIECES_MAX);
        match write(&slices[..count], offset) {
            Ok(0) => return Err(Fault::new(FaultKind::Io).with_detail("the system writes nothing")),
            Ok(written) => {
                skip += written;
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(on_file(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes into memory, at most `step` bytes a call, and every other call is interrupted.
    fn written(data: &[&[u8]], offset: u64, step: usize) -> (Result<(), Fault>, Vec<u8>) {
        let pieces: Vec<Bytes> = data.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
        let mut bytes = Vec::new();
        let mut calls = 0;
        let result = write_all(offset, &pieces, |slices, at| {
            calls += 1;
            if calls % 2 == 0 {
                return Err(Errno::INTR);
            }
            assert!(!slices.is_empty() && slices.len() <= PIECES_MAX);
            assert_eq!(at, offset + bytes.len() as u64);
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = all.len().min(step);
            bytes.extend_from_slice(&all[..count]);
            Ok(count)
        });
        (result, bytes)
    }

    #[test]
    fn short_and_interrupted_writes_are_carried_on() {
        let data: [&[u8]; 6] = [b"", b"one", b"", b"twelve bytes", b"x", b""];
        for step in 1..=17 {
            assert_eq!(written(&data, 5, step), (Ok(()), data.concat()), "{step} bytes a call");
        }
    }

    #[test]
    fn more_pieces_than_one_call_takes_are_all_written() {
        let data: Vec<Vec<u8>> = (0..1000_usize).map(|n| n.to_string().into_bytes()).collect();
        let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        for step in [1, 7, 1000, usize::MAX] {
            assert_eq!(written(&data, 0, step), (Ok(()), data.concat()));
        }
    }

    #[test]
    fn a_call_that_writes_nothing_ends_it() {
        assert_eq!(written(&[b"a"], 0, 0).0.unwrap_err().kind(), FaultKind::Io);
        assert_eq!(written(&[b"", b""], 0, 0).0, Ok(()), "nothing to write is no call");
    }

    #[test]
    fn what_no_file_can_hold_is_no_space() {
        let (result, bytes) = written(&[b"ab"], OFFSET_MAX - 1, 9);
        assert_eq!(result.unwrap_err().kind(), FaultKind::NoSpace);
        assert!(bytes.is_empty());
        assert_eq!(written(&[b"a"], OFFSET_MAX - 1, 9).0, Ok(()));
        assert_eq!(written(&[b"a"], u64::MAX, 9).0.unwrap_err().kind(), FaultKind::NoSpace);
    }
}
