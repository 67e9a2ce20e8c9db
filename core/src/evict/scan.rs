//! The scan: which files there are when the directory is opened, and once more before the end.

use alloc::string::String;

use super::{Ask, Due, Evictor, Ownership};
use crate::action::ScanBatch;
use crate::effects::Effects;
use crate::{DirectoryError, Fault, FileId, FileOp, Notice, Warning};

/// Entries asked for in one go.
const SCAN_BATCH: usize = 1024;

#[derive(Debug)]
pub(super) enum Scan {
    Running {
        id: FileId,
        asked: bool,
    },
    Complete,
    /// It failed or was stopped: which files there are is not known, and none is evicted.
    Broken,
}

impl Evictor {
    /// Other processes may have added files: of those that add to a directory at the same time, the last one to end sees all.
    pub(super) fn scan_again(&mut self, effects: &mut Effects) {
        self.limit = self.limit.emptied();
        self.scan = Scan::Running { id: effects.file(), asked: false };
        self.due.push_back(Due::Last);
        self.epoch += 1;
        self.ask(Ask::Gauge { is_of_pass: false }, effects, |ticket| FileOp::Gauge { ticket });
        self.scan_on(effects);
    }

    pub(super) fn scan_on(&mut self, effects: &mut Effects) {
        if self.stopping && self.due.is_empty() && self.pass.is_none() {
            return self.end_scan(Scan::Broken, effects);
        }
        if let Scan::Running { id: scan, asked } = &mut self.scan
            && !*asked
        {
            *asked = true;
            let scan = *scan;
            self.epoch += 1;
            let entries_max = SCAN_BATCH;
            self.ask(Ask::Scan, effects, |ticket| FileOp::Scan { ticket, scan, folder: None, entries_max });
        }
    }

    pub(super) fn scanned(&mut self, result: Result<ScanBatch, Fault>, effects: &mut Effects) {
        let Scan::Running { asked, .. } = &mut self.scan else { return };
        *asked = false;
        let batch = match result {
            Ok(batch) => batch,
            Err(fault) => return self.scan_failed(fault, effects),
        };
        let example = batch.entries.first().map(|entry| String::from(entry.path.as_str()));
        let example = example
            .or_else(|| (batch.unnameable > 0).then(|| "a name that is not UTF-8, or that cannot be looked at".into()));
        for entry in batch.entries {
            // What a download learned meanwhile is newer.
            if self.counts(&entry.path) {
                self.limit.register_found(entry.path, &entry.stat);
            }
        }
        if batch.done {
            self.end_scan(Scan::Complete, effects);
        }
        match &self.ownership {
            // Looked for after the scan has found something, so that a mark made meanwhile is not missed: whoever marks
            // does so before he puts a file there.
            Ownership::Scanning if batch.done || example.is_some() => {
                self.look_for_mark(example, effects);
            }
            Ownership::Scanning | Ownership::Ours => self.scan_on(effects),
            Ownership::Looking(_) | Ownership::Marking(_) | Ownership::Unmarking { .. } => {}
            Ownership::Refused(_) => self.end_scan(Scan::Broken, effects),
        }
    }

    fn scan_failed(&mut self, fault: Fault, effects: &mut Effects) {
        self.end_scan(Scan::Broken, effects);
        if self.is_ready() {
            effects.notice(Notice::Warning(Warning::NotScanned(fault)));
        } else {
            self.refuse(DirectoryError::Fault(fault), effects);
        }
    }

    /// Ends the scan, unless a batch is under way: then its answer comes first.
    pub(super) fn end_scan(&mut self, as_what: Scan, effects: &mut Effects) {
        if let Scan::Running { id: file, asked: false } = self.scan {
            self.scan = as_what;
            self.ask(Ask::Close, effects, |ticket| FileOp::Close { ticket, file });
        }
    }
}
