//! Reading the directory, or a folder of it, in batches.

use std::os::fd::BorrowedFd;

use dlmanager_core::{Fault, FaultKind, ScanBatch, ScanEntry, StorePath, WORK_FOLDER};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::tree::Tree;
use super::{file_stat, on_file, on_path, retry};

/// A running scan: the stream of entries until its end.
pub(crate) struct Scan {
    folder: Option<StorePath>,
    stream: Option<Dir>,
}

impl Scan {
    pub(super) fn begin(tree: &Tree, folder: Option<&StorePath>) -> Result<Self, Fault> {
        let stream = match folder {
            None => Dir::read_from(&tree.root).map_err(on_file)?,
            Some(folder) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                Dir::new(tree.open(folder, flags, Mode::empty()).map_err(on_path)?).map_err(on_file)?
            }
        };
        Ok(Self { folder: folder.cloned(), stream: Some(stream) })
    }

    pub(super) fn batch(&mut self, entries_max: usize) -> Result<ScanBatch, Fault> {
        let mut batch = ScanBatch { entries: Vec::new(), unnameable: 0, done: false };
        while batch.entries.len() < entries_max {
            let Some(entry) = self.stream.as_mut().and_then(Dir::read) else {
                self.stream = None;
                batch.done = true;
                break;
            };
            let entry = entry.map_err(on_file)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." || (self.folder.is_none() && name == WORK_FOLDER.as_bytes()) {
                continue;
            }
            let path = std::str::from_utf8(name).ok().and_then(|name| match &self.folder {
                None => StorePath::entry(name),
                Some(folder) => StorePath::entry_of(folder, name),
            });
            let Some(path) = path else {
                batch.unnameable += 1;
                continue;
            };
            let folder = self.stream.as_ref().ok_or(FaultKind::Io)?.fd().map_err(on_file)?;
            match retry(|| rustix::fs::statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)) {
                Ok(stat) => batch.entries.push(ScanEntry { stat: file_stat(&stat), path }),
                // Gone since its name was read.
                Err(Errno::NOENT) => {}
                // A dead mount, for one: something is there, and nothing more is known of it.
                Err(_) if is_searched(folder) => batch.unnameable += 1,
                Err(errno) => return Err(on_path(errno)),
            }
        }
        Ok(batch)
    }
}

/// Whether it is not the folder itself in which nothing can be looked at.
fn is_searched(folder: BorrowedFd<'_>) -> bool {
    retry(|| rustix::fs::statat(folder, ".", AtFlags::SYMLINK_NOFOLLOW)).is_ok()
}
