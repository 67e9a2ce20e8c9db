//! What of a file is on the disk, and what only in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::Content;

/// A file as the disk has it, and what was done to it since it was flushed.
#[derive(Debug, Default)]
pub(crate) struct FileOnDisk {
    durable: Content,
    /// In the order in which they were done.
    pending: Vec<Change>,
    /// The blocks that a failed flush has taken for clean: they reach the disk only when they are written again.
    lost: BTreeSet<u64>,
}

#[derive(Debug)]
enum Change {
    Write {
        offset: u64,
        bytes: Vec<u8>,
    },
    Cut(u64),
    /// The length that writes have led to whose bytes are lost.
    Grow(u64),
}

impl Change {
    fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { offset, bytes } => {
                content.write(*offset, bytes, u64::MAX);
            }
            Self::Cut(length) => {
                content.set_length(content.length().min(*length));
            }
            Self::Grow(length) => {
                content.set_length(content.length().max(*length));
            }
        }
    }
}

/// A state that a block was in, and where the file ended, if not behind it.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    bytes: Vec<u8>,
    end: u64,
}

impl FileOnDisk {
    /// What the disk has.
    pub(crate) fn durable(&self) -> &Content {
        &self.durable
    }

    /// Everything is on the disk.
    pub(crate) fn settle(&mut self, live: &Content) {
        *self = Self { durable: live.clone(), ..Self::default() };
    }

    /// Notes a write after it was done.
    pub(crate) fn wrote(&mut self, offset: u64, length: u64, live: &Content, block_bytes: u64) {
        let end = offset + length;
        let (first, last) = (offset / block_bytes, (end - 1) / block_bytes);
        // A block is flushed as a whole: what of it was lost is dirty again.
        let from = if self.lost.contains(&first) { first * block_bytes } else { offset };
        let to =
            if self.lost.contains(&last) { (last + 1).saturating_mul(block_bytes).min(live.length()) } else { end };
        self.lost.retain(|block| !(first..=last).contains(block));
        let bytes = live.read(from, usize::try_from(to - from).unwrap_or(usize::MAX));
        self.pending.push(Change::Write { offset: from, bytes });
    }

    /// Notes that the file was cut.
    pub(crate) fn cut(&mut self, length: u64) {
        self.pending.push(Change::Cut(length));
    }

    /// The first cut that is only in memory reaches the disk; writes before it, as far as it has left them, do not.
    pub(crate) fn flush_cut(&mut self) {
        let is_cut = |change: &Change| matches!(change, Change::Cut(_));
        let Some(position) = self.pending.iter().position(is_cut) else { return };
        let Change::Cut(length) = self.pending.remove(position) else { return };
        // The length that it has then is known, whatever becomes of the bytes.
        self.durable.set_length(length);
        for change in &mut self.pending[..position] {
            match change {
                Change::Write { offset, bytes } => {
                    bytes.truncate(usize::try_from(length.saturating_sub(*offset)).unwrap_or(usize::MAX));
                }
                Change::Grow(grown) => *grown = length.min(*grown),
                Change::Cut(_) => {}
            }
        }
        self.pending.retain(|change| !matches!(change, Change::Write { bytes, .. } if bytes.is_empty()));
    }

    /// Everything but what is lost reaches the disk.
    pub(crate) fn flush(&mut self, length: u64) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
        self.durable.set_length(length);
    }

    /// A flush fails: what was written since the last one counts as clean, and is not on the disk.
    pub(crate) fn lose_pages(&mut self, block_bytes: u64) {
        for change in &mut self.pending {
            if let Change::Write { offset, bytes } = change {
                let end = *offset + bytes.len() as u64;
                self.lost.extend(*offset / block_bytes..=(end - 1) / block_bytes);
                *change = Change::Grow(end);
            }
        }
    }

    /// The machine fails: every block is as the disk had it or in any state that it was in since, whatever the others are,
    /// and the file as long as the disk had it or as it was at any time since. Then that is what the disk has.
    ///
    /// `choose` is asked for a number below a bound, of which 0 stands for what the disk had and the greatest for the
    /// latest state.
    pub(crate) fn lose_power(&mut self, block_bytes: u64, choose: &mut dyn FnMut(usize) -> usize) {
        let (blocks, lengths) = self.states(self.pending.len(), block_bytes);
        for (block, versions) in &blocks {
            let version = &versions[choose(versions.len())];
            self.durable.write(block * block_bytes, &version.bytes, u64::MAX);
        }
        let length = lengths[choose(lengths.len())];
        self.durable.set_length(length);
        self.pending.clear();
        self.lost.clear();
    }

    /// The same where the file system orders what it knows about a file: it is cut only when the journal says so, which
    /// [`flush_cut`](Self::flush_cut) does, what was written behind a cut is not there without it, and no file is longer
    /// than what was written to it.
    pub(crate) fn lose_power_in_order(&mut self, block_bytes: u64, choose: &mut dyn FnMut(usize) -> usize) {
        let is_cut = |change: &Change| matches!(change, Change::Cut(_));
        let until = self.pending.iter().position(is_cut).unwrap_or(self.pending.len());
        let (blocks, _) = self.states(until, block_bytes);
        let mut length = self.durable.length();
        for (block, versions) in &blocks {
            let version = &versions[choose(versions.len())];
            self.durable.write(block * block_bytes, &version.bytes, u64::MAX);
            length = length.max(version.end);
        }
        self.durable.set_length(length);
        self.pending.clear();
        self.lost.clear();
    }

    /// The states of each block that changed, and the lengths, beginning with what the disk has, by the changes up to
    /// `until`.
    fn states(&self, until: usize, block_bytes: u64) -> (BTreeMap<u64, Vec<Version>>, Vec<u64>) {
        let mut content = self.durable.clone();
        let mut blocks: BTreeMap<u64, Vec<Version>> = BTreeMap::new();
        let mut lengths = vec![content.length()];
        let block_of = |content: &Content, block: u64| {
            let mut bytes = content.read(block * block_bytes, usize::try_from(block_bytes).unwrap_or(usize::MAX));
            // What ends before the block does so in zeros, which may come to light when the file survives longer.
            let length = bytes.len();
            bytes.resize(usize::try_from(block_bytes).unwrap_or(length).max(length), 0);
            Version { bytes, end: (block * block_bytes + length as u64).min(content.length()) }
        };
        for change in &self.pending[..until] {
            let touched: Vec<u64> = match change {
                Change::Write { offset, bytes } if !bytes.is_empty() => {
                    (*offset / block_bytes..=(*offset + bytes.len() as u64 - 1) / block_bytes).collect()
                }
                Change::Write { .. } | Change::Grow(_) => Vec::new(),
                Change::Cut(length) => content.blocks_from(*length, block_bytes),
            };
            for &block in &touched {
                blocks.entry(block).or_insert_with(|| vec![block_of(&content, block)]);
            }
            change.apply(&mut content);
            for block in touched {
                let version = block_of(&content, block);
                let versions = blocks.entry(block).or_default();
                if versions.last() != Some(&version) {
                    versions.push(version);
                }
            }
            if lengths.last() != Some(&content.length()) {
                lengths.push(content.length());
            }
        }
        (blocks, lengths)
    }
}
