//! What has to be true of a directory when a run has died, and when the last one has ended.

use std::collections::BTreeSet;

use dlmanager_core::{DownloadError, Durability, Outcome, Record, Resume, WORK_FOLDER};
use dlmanager_fs_memory::MemoryDirectory;
use http::header::{IF_RANGE, RANGE};

use super::scenario::{Ends, Scenario, Validated};
use super::{NAME, STRANGERS};
use crate::report::Report;
use crate::world::World;

/// What is known of the runs so far.
pub(super) struct Oracle<'a> {
    pub(super) scenario: &'a Scenario,
    /// The versions that the server has shown.
    pub(super) served: BTreeSet<u64>,
    /// The download was reported complete.
    pub(super) complete: bool,
    /// The power failed under a durability that promises nothing then.
    pub(super) was_lost: bool,
    /// A flush failed, and the program that knew of it died.
    pub(super) flush_is_forgotten: bool,
}

/// What a run that died has left.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Something has the final name.
    pub(super) stands: bool,
    /// It was the power that failed.
    power: bool,
    /// The version that the record says the unfinished file is of.
    version: Option<u64>,
    /// How many of its bytes need not be fetched again.
    pub(super) kept: u64,
    /// The record says so many bytes are durable.
    durable: u64,
    /// Length of the unfinished file.
    length: Option<u64>,
}

impl Left {
    /// Notes what of it there was, so that a suite in which nothing is left is not mistaken for one.
    pub(super) fn count(&self, report: &mut Report, power: bool) {
        let how = if power { "power lost" } else { "process died" };
        if self.stands {
            report.reached(format!("{how}: the file stands"));
        }
        if self.length.is_some() {
            report.reached(format!("{how}: an unfinished file"));
        }
        if self.version.is_some() {
            report.reached(format!("{how}: a record"));
        }
        if self.durable > 0 {
            report.reached(format!("{how}: a record of durable bytes"));
        }
        if self.kept > 0 {
            report.reached(format!("{how}: bytes to go on from"));
        }
        if self.version.is_some() && self.length.is_none() {
            report.reached(format!("{how}: a record without its file"));
        }
    }
}

impl Oracle<'_> {
    /// Whether what has the final name is promised to be whole after a loss of power.
    pub(super) fn is_promised(&self) -> bool {
        self.scenario.is_durable()
    }

    fn is_version(&self, bytes: &[u8]) -> bool {
        self.served.iter().any(|version| self.scenario.bytes(*version) == bytes)
    }

    /// Checks what a run that died has left.
    pub(super) fn check_death(&self, directory: &MemoryDirectory, power: bool) -> Result<Left, String> {
        let is_out_of_place = |path: &String| path != NAME && !path.starts_with(WORK_FOLDER);
        if let Some(path) = directory.list().into_keys().find(is_out_of_place) {
            return Err(format!("{path} is outside of the work folder"));
        }
        self.check_final_name(directory)?;
        let is_there = directory.read(NAME).is_some();
        if power
            && self.complete
            && !self.scenario.is_taken_away
            && !is_there
            && self.scenario.config.durability == Durability::Full
        {
            return Err("it was reported complete, and is not there".to_owned());
        }
        let mut left = Left { stands: directory.read(NAME).is_some(), power, ..Left::default() };
        let shared = |ending: &str| {
            let is_it = |path: &String| path.ends_with(ending) && path.matches('.').count() == 2;
            directory.list().into_keys().find(is_it).and_then(|path| directory.read(&path))
        };
        let unfinished = shared(".part");
        left.length = unfinished.as_ref().map(|bytes| bytes.len() as u64);
        let Some(record) = shared(".rec").and_then(|record| Record::decode(&record).ok()) else { return Ok(left) };
        self.check_record(&record, unfinished.as_deref(), directory, &mut left)?;
        Ok(left)
    }

    /// The final name is free, or has a whole file.
    pub(super) fn check_final_name(&self, directory: &MemoryDirectory) -> Result<(), String> {
        match directory.read(NAME) {
            None if self.scenario.before.is_some() => Err("what was to be replaced is gone".to_owned()),
            None => Ok(()),
            Some(_) if self.was_lost => Ok(()),
            Some(bytes) if self.scenario.before == Some(&bytes[..]) || self.is_version(&bytes) => Ok(()),
            Some(bytes) => Err(format!("{} bytes under the final name that are no version: {bytes:?}", bytes.len())),
        }
    }

    /// The record may lag behind the bytes of its own version. It never leads, and never describes bytes of another.
    fn check_record(
        &self,
        record: &Record,
        unfinished: Option<&[u8]>,
        directory: &MemoryDirectory,
        left: &mut Left,
    ) -> Result<(), String> {
        let Some(version) = self.scenario.recorded(record).filter(|version| self.served.contains(version)) else {
            return Err(format!("a record of a version that the server has not shown: {record:?}"));
        };
        let whole = self.scenario.bytes(version);
        if record.total.is_some_and(|total| total != whole.len() as u64) {
            return Err(format!("a record that is wrong: {record:?}"));
        }
        left.version = Some(version);
        left.durable = record.durable;
        // Without the file it describes nothing. Nor does it beside a new one, which stays empty until the record is gone.
        let Some(bytes) = unfinished.filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        let is_same_boot = record.boot.is_some() && record.boot == directory.boot();
        let described = if is_same_boot { bytes.len() as u64 } else { record.durable };
        let described_bytes = usize::try_from(described).ok().and_then(|described| bytes.get(..described));
        match described_bytes {
            None => Err(format!("the record leads: {record:?}, and {} bytes are there", bytes.len())),
            Some(described) if !whole.starts_with(described) => {
                let good = described.iter().zip(&whole).take_while(|(one, other)| one == other).count();
                Err(format!("{record:?} describes other bytes from {good} of {} on", described.len()))
            }
            Some(_) => {
                let goes_on = self.scenario.config.resume == Resume::AcrossRuns && self.scenario.locks_work;
                left.kept = if goes_on { described } else { 0 };
                Ok(())
            }
        }
    }

    /// Checks that a program that went on with what was left has noted that it did: else a death of the program alone would
    /// cost all that came since.
    pub(super) fn check_boot(&self, world: &World, directory: &MemoryDirectory) -> Result<(), String> {
        let writes = world.executed().iter().filter(|word| **word == "Write").count();
        let record = directory.list().into_keys().find(|path| path.ends_with(".rec"));
        let record = record.and_then(|path| Record::decode(&directory.read(&path)?).ok());
        match record {
            Some(record) if writes > 2 && record.boot != directory.boot() => {
                Err(format!("{writes} writes, and a record of an earlier start of the machine: {record:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks how the last run has ended.
    pub(super) fn check_end(
        &self,
        world: &World,
        outcome: Option<&Outcome>,
        left: &Left,
        versions: &[u64],
        report: &mut Report,
    ) -> Result<(), String> {
        let directory = &world.directory;
        match (outcome, self.scenario.ends) {
            (Some(Outcome::Complete(_)), Ends::Complete) => report.reached("ended complete"),
            (Some(Outcome::Present { .. }), Ends::Complete) if left.stands => report.reached("ended present"),
            (Some(Outcome::Failed(DownloadError::ChecksumMismatch { .. })), Ends::WrongDigest) => {
                report.reached("ended with a wrong digest");
            }
            (other, ends) => return Err(format!("should end {ends:?}, and ends with {other:?}")),
        }
        match (directory.read(NAME), self.scenario.ends) {
            (Some(bytes), Ends::Complete) if self.is_version(&bytes) => {}
            (None, Ends::WrongDigest) => {}
            (bytes, _) => return Err(format!("in the end there is {bytes:?}")),
        }
        self.check_nothing_left(directory, left)?;
        let sent = world.net.body_bytes();
        if world.net.requests().is_empty() && !left.stands {
            report.reached("ended without a request");
        }
        if let Some(first) = world.net.requests().iter().find(|request| request.headers.contains_key(RANGE)) {
            report.reached("asked for the rest");
            let is_strong = matches!(self.scenario.validated, Validated::Etag | Validated::Date | Validated::ByUrl);
            if is_strong && !first.headers.contains_key(IF_RANGE) {
                return Err(format!("asks for the rest of whatever is there: {first:?}"));
            }
        }
        let same = left.version.filter(|kept| versions.iter().all(|version| version == kept));
        if let Some(version) = same.filter(|_| self.scenario.is_honest && !left.stands) {
            let total = self.scenario.bytes(version).len() as u64;
            if sent > total - left.kept {
                return Err(format!("{sent} of {total} bytes were sent again, and {left:?}"));
            }
            report.reached("only the rest was sent");
        }
        Ok(())
    }

    /// Only the file is there, and what nobody else may remove.
    fn check_nothing_left(&self, directory: &MemoryDirectory, left: &Left) -> Result<(), String> {
        let is_alone = |path: &str| path.matches('.').count() == 3 && path != STRANGERS;
        // The file got its name, and the removal of its record was lost, or that of an older folder with all that was in it.
        // Nobody looks for that until the name is free again.
        let is_orphan = |path: &str| {
            left.stands && left.power && (path.ends_with(".rec") || (path.ends_with(".part") && left.version.is_none()))
        };
        let is_allowed =
            |path: &str| (!self.scenario.locks_work && is_alone(path)) || path == STRANGERS || is_orphan(path);
        let paths: Vec<String> = directory.list().into_keys().filter(|path| path != NAME).collect();
        let has_reason = paths.iter().any(|path| is_allowed(path));
        match paths.iter().find(|path| !(is_allowed(path) || has_reason && *path == WORK_FOLDER)) {
            Some(path) => Err(format!("{path} is left behind, of {paths:?}")),
            None if directory.open_handles() > 0 => Err("a file stays open".to_owned()),
            None => Ok(()),
        }
    }

    /// Checks what is there when the power fails after all.
    pub(super) fn check_after_end(&self, directory: &MemoryDirectory) -> Result<(), String> {
        if !self.is_promised() || self.scenario.ends != Ends::Complete {
            return Ok(());
        }
        self.check_final_name(directory).map_err(|text| format!("power lost after the end: {text}"))?;
        let is_there = directory.read(NAME).is_some();
        if self.complete && self.scenario.config.durability == Durability::Full && !is_there {
            return Err("it was reported complete, and the power failed, and it is not there".to_owned());
        }
        Ok(())
    }
}
