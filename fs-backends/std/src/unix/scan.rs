//! Reading the directory in batches.

use dlmanager_core::{Fault, ScanBatch, ScanEntry, StorePath, WORK_FOLDER};
use rustix::fs::Dir;
use rustix::io::Errno;

use super::tree::Tree;
use super::{file_stat, on_file, on_path};

/// A running scan: the stream of entries until its end.
pub(crate) struct Scan {
    stream: Option<Dir>,
}

impl Scan {
    pub(super) fn begin(tree: &Tree) -> Result<Self, Fault> {
        let stream = Dir::read_from(&tree.root).map_err(on_file)?;
        Ok(Self { stream: Some(stream) })
    }

    pub(super) fn batch(&mut self, tree: &Tree, entries_max: usize) -> Result<ScanBatch, Fault> {
        let mut batch = ScanBatch { entries: Vec::new(), unnameable: 0, done: false };
        while batch.entries.len() < entries_max {
            let Some(entry) = self.stream.as_mut().and_then(Dir::read) else {
                self.stream = None;
                batch.done = true;
                break;
            };
            let entry = entry.map_err(on_file)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." || name == WORK_FOLDER.as_bytes() {
                continue;
            }
            let Some(path) = std::str::from_utf8(name).ok().and_then(StorePath::entry) else {
                batch.unnameable += 1;
                continue;
            };
            match tree.stat(&path) {
                Ok(stat) => batch.entries.push(ScanEntry { stat: file_stat(&stat), path }),
                // Gone since its name was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(on_path(errno)),
            }
        }
        Ok(batch)
    }
}
