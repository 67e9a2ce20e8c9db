//! What may be done to files, and what stands in the directory.

use std::fmt;

use dlmanager_core::{Expect, FileKind, FileOp, Lane, OpenMode, StorePath};
use dlmanager_fs_memory::{MemoryDirectory, Profile};
use sha2::{Digest, Sha256};

use super::{OpenFile, Oracle, Published, final_name, is_shared};
use crate::marks::Mark;
use crate::record::{self, Recorded};
use crate::server::NAMES;
use crate::sim::State;
use crate::trace::hash_of;

/// A file action, as it is remembered when it is over.
#[derive(Debug)]
pub(crate) enum Done {
    Named(&'static str, StorePath),
    OnFile(&'static str, u64),
    Open { file: u64, path: StorePath, mode: OpenMode },
    Lock { file: u64 },
    Write { file: u64, offset: u64, length: u64 },
    Truncate { file: u64, length: u64 },
    Rename { from: StorePath, to: StorePath },
    Delete(Vec<StorePath>),
}

impl Done {
    pub(crate) fn of(op: &FileOp) -> Self {
        match op {
            FileOp::Probe { path, .. } => Self::Named("Probe", path.clone()),
            FileOp::MakeDir { path, .. } => Self::Named("MakeDir", path.clone()),
            FileOp::Gauge { .. } => Self::OnFile("Gauge", 0),
            FileOp::Stat { path, .. } => Self::Named("Stat", path.clone()),
            FileOp::SyncDir { path, .. } => Self::Named("SyncDir", path.clone()),
            FileOp::Touch { path, .. } => Self::Named("Touch", path.clone()),
            FileOp::Scan { scan, .. } => Self::OnFile("Scan", scan.serial()),
            FileOp::Read { file, .. } => Self::OnFile("Read", file.serial()),
            FileOp::SetTimes { file, .. } => Self::OnFile("SetTimes", file.serial()),
            FileOp::Hash { file, .. } => Self::OnFile("Hash", file.serial()),
            FileOp::KeepDigests { file, .. } => Self::OnFile("KeepDigests", file.serial()),
            FileOp::Sync { file, .. } => Self::OnFile("Sync", file.serial()),
            FileOp::Finish { file, .. } => Self::OnFile("Finish", file.serial()),
            FileOp::Unlock { file, .. } => Self::OnFile("Unlock", file.serial()),
            FileOp::Close { file, .. } => Self::OnFile("Close", file.serial()),
            FileOp::Open { file, path, mode, .. } => {
                Self::Open { file: file.serial(), path: path.clone(), mode: *mode }
            }
            FileOp::Lock { file, .. } => Self::Lock { file: file.serial() },
            FileOp::Write { file, offset, data, .. } => {
                let length = data.iter().map(|piece| piece.len() as u64).sum();
                Self::Write { file: file.serial(), offset: *offset, length }
            }
            FileOp::Truncate { file, length, .. } => Self::Truncate { file: file.serial(), length: *length },
            FileOp::Rename { from, to, .. } => Self::Rename { from: from.clone(), to: to.clone() },
            FileOp::Delete { items, .. } => Self::Delete(items.iter().map(|item| item.path.clone()).collect()),
        }
    }

    /// For the hash of a run.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Named(word, path) => hash_of(word.as_bytes()) ^ hash_of(path.as_str().as_bytes()),
            Self::OnFile(word, file) => hash_of(word.as_bytes()) ^ file,
            Self::Open { file, path, .. } => 1 << 40 ^ file ^ hash_of(path.as_str().as_bytes()),
            Self::Lock { file } => 2 << 40 ^ file,
            Self::Write { file, offset, length } => 3 << 40 ^ file ^ offset << 8 ^ length << 24,
            Self::Truncate { file, length } => 4 << 40 ^ file ^ length << 8,
            Self::Rename { from, to } => {
                hash_of(from.as_str().as_bytes()).rotate_left(1) ^ hash_of(to.as_str().as_bytes())
            }
            Self::Delete(paths) => paths.iter().fold(5 << 40, |hash, path| hash ^ hash_of(path.as_str().as_bytes())),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(word, path) => write!(f, "{word} {path}"),
            Self::OnFile(word, file) => write!(f, "{word} #{file}"),
            Self::Open { file, path, mode } => write!(f, "Open {path} as #{file}, {mode:?}"),
            Self::Lock { file } => write!(f, "Lock #{file}"),
            Self::Write { file, offset, length } => write!(f, "Write {length} bytes to #{file} at {offset}"),
            Self::Truncate { file, length } => write!(f, "Truncate #{file} to {length}"),
            Self::Rename { from, to } => write!(f, "Rename {from} to {to}"),
            Self::Delete(paths) => {
                let paths: Vec<&str> = paths.iter().map(StorePath::as_str).collect();
                write!(f, "Delete {}", paths.join(", "))
            }
        }
    }
}

type Checked = Result<(), String>;

impl State {
    /// A program is about to do this.
    pub(crate) fn file_asked(
        &mut self,
        now: u64,
        process: usize,
        lane: Lane,
        op: &FileOp,
        directory: &MemoryDirectory,
    ) -> Checked {
        let oracle = &mut self.oracle;
        let lane = lane.serial();
        match op {
            FileOp::Stat { path, .. } => {
                if let Some(name) = final_name(path.as_str()) {
                    let program = &mut oracle.programs[process];
                    program.lanes.entry(lane).or_insert(name);
                    let by_name = &mut program.by_name[name];
                    if by_name.part.as_ref().is_none_or(|(_, file)| !program.files.contains_key(file)) {
                        by_name.began_at = now;
                    }
                }
            }
            FileOp::Lock { file, .. } => {
                let program = &mut oracle.programs[process];
                // Not for the first time: it is to be removed, or what it is to be noted.
                let open = program.files.get_mut(&file.serial());
                if open.is_some_and(|open| std::mem::replace(&mut open.was_asked, true)) {
                    program.sure.insert(lane);
                }
            }
            FileOp::Close { .. } => drop(oracle.programs[process].sure.remove(&lane)),
            FileOp::Open { path, file, .. } => oracle.open_asked(process, lane, path.as_str(), file.serial())?,
            FileOp::Write { file, .. } | FileOp::Truncate { file, .. } => {
                oracle.has_it_locked(process, file.serial(), "written to")?;
                if let FileOp::Truncate { length, .. } = op {
                    oracle.check_cut(process, file.serial(), *length, directory)?;
                }
            }
            FileOp::Finish { .. } => {
                let program = &mut oracle.programs[process];
                if let Some(name) = program.lanes.get(&lane) {
                    program.by_name[*name].is_publishing = true;
                }
            }
            FileOp::Rename { from, to, clobber, .. } => {
                oracle.is_renaming = directory.stat(from.as_str()).is_some();
                if let Some(name) = final_name(to.as_str()) {
                    oracle.rename_asked(process, name, from.as_str())?;
                    if !*clobber && directory.stat(to.as_str()).is_some() {
                        self.tally.hit(Mark::NameTaken);
                    }
                }
            }
            FileOp::Delete { items, .. } => {
                oracle.must_stay.clear();
                for item in items {
                    // The deletion of what is to be as it was seen takes the lock itself, and answers that it is busy where it
                    // cannot: what dead programs have left is swept by it.
                    let is_swept = matches!(item.expect, Expect::Unchanged { .. });
                    oracle.delete_asked(process, item.path.as_str(), is_swept)?;
                }
                oracle.must_stay.retain(|path| directory.stat(path).is_some());
            }
            _ => {}
        }
        self.oracle.is_still_at_work(process, op)
    }

    /// A program has done this, or tried to.
    pub(crate) fn file_done(
        &mut self,
        now: u64,
        process: usize,
        done: &Done,
        works: bool,
        is_fault: bool,
        directory: &MemoryDirectory,
    ) -> Checked {
        if is_fault || (!works && matches!(done, Done::Write { .. })) {
            self.oracle.is_disturbed = true;
            self.oracle.faulted(process, done);
        }
        let oracle = &mut self.oracle;
        match done {
            Done::Open { file, path, .. } if works => {
                let path = path.as_str().to_owned();
                let opened = OpenFile::at(path);
                if oracle.programs[process].files.insert(*file, opened).is_some() {
                    return Err(format!("p{process}: file {file} is opened twice"));
                }
            }
            Done::Lock { file } => {
                if let Some(open) = oracle.programs[process].files.get_mut(file) {
                    open.is_locked |= works;
                    open.is_named = works;
                }
            }
            Done::OnFile("Finish", file) => {
                if let Some(open) = oracle.programs[process].files.get_mut(file) {
                    open.is_named = works;
                }
            }
            Done::OnFile("Unlock", file) => {
                if let Some(open) = oracle.programs[process].files.get_mut(file) {
                    open.is_locked = false;
                }
            }
            Done::OnFile("Close", file) => drop(oracle.programs[process].files.remove(file)),
            Done::OnFile("Sync", file) if !works => oracle.flush_failed(process, *file),
            Done::Named("SyncDir", _) if works => oracle.has_removed_record = false,
            Done::Named("SyncDir", path) => oracle.name_not_flushed(process, path.as_str()),
            Done::OnFile("Hash", _) if works => self.tally.hit(Mark::Hashed),
            Done::Write { file, .. } if works => {
                let path = self.oracle.programs[process].files.get(file).map(|open| open.path.clone());
                if let Some(path) = path.filter(|path| path.ends_with(".rec")) {
                    self.record_written(&path, directory)?;
                }
            }
            Done::Rename { to, from } => return self.renamed(now, process, from.as_str(), to.as_str(), directory),
            Done::Delete(paths) => {
                for path in paths {
                    self.oracle.deleted(now, path.as_str(), directory);
                }
                self.oracle.has_removed_record |= works && paths.iter().any(|path| path.as_str().ends_with(".rec"));
                let gone = self.oracle.must_stay.drain(..).find(|path| directory.stat(path).is_none());
                if let Some(path) = gone {
                    return Err(format!("p{process} sweeps {path}, which somebody has locked"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn record_written(&mut self, path: &str, directory: &MemoryDirectory) -> Checked {
        let Some(record) = directory.read(path).and_then(|bytes| record::read(&bytes)) else {
            return Err(format!("{path} was written, and is no record"));
        };
        self.tally.hit(if record.durable > 0 { Mark::Checkpoint } else { Mark::Recorded });
        Ok(())
    }

    /// A rename was tried: where the old name is gone, it was done, whatever was answered.
    fn renamed(&mut self, now: u64, process: usize, from: &str, to: &str, directory: &MemoryDirectory) -> Checked {
        let Some(name) = final_name(to) else { return Ok(()) };
        let is_done = self.oracle.is_renaming && directory.stat(from).is_none();
        let Some(bytes) = directory.read(to).filter(|_| is_done) else { return Ok(()) };
        let program = &mut self.oracle.programs[process];
        let (checksum, source) = match program.live(name) {
            Some(watched) => (watched.checksum, watched.source),
            None => return Err(format!("p{process} publishes {to}, and nobody waits for it")),
        };
        let open = program.files.values().find(|file| file.path == from && file.is_locked);
        if self.oracle.has_locks && open.is_some_and(|file| file.flush_failed) && self.oracle.is_durable {
            return Err(format!("p{process} publishes {to}, whose flush failed"));
        }
        // The handle stays, but what stands under the old name from now on is another file.
        for file in program.files.values_mut().filter(|file| file.path == from) {
            "published".clone_into(&mut file.path);
        }
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        if checksum.is_some_and(|checksum| checksum != sha256) {
            return Err(format!("p{process} publishes {to}, and its checksum is another"));
        }
        let resources = &self.resources[name * 2 + source as usize..=name * 2 + source as usize];
        let is_whole = resources.iter().flat_map(|resource| &resource.versions).any(|version| version.bytes == bytes);
        let mut is_cut = false;
        if !is_whole {
            is_cut = self.is_cut_without_end(process, name, &bytes);
            if !is_cut {
                let length = bytes.len();
                let best = self.longest_beginning(name, &bytes);
                return Err(format!("p{process} publishes {to}, {length} bytes that are no version: {best}"));
            }
            self.oracle.names[name].cut.push(bytes.clone());
        }
        let forgotten = std::mem::take(&mut self.oracle.names[name].flush_forgotten);
        let known = &mut self.oracle.names[name];
        known.is_unsafe = forgotten && is_shared(from);
        known.was_unsafe |= known.is_unsafe;
        known.gone_at = Some(now);
        let length = bytes.len() as u64;
        self.oracle.programs[process].by_name[name].published = Some(Published { at: now, length, sha256, is_cut });
        Ok(())
    }

    /// Whether these bytes are all that came of a body whose end nobody can tell.
    fn is_cut_without_end(&self, process: usize, name: usize, bytes: &[u8]) -> bool {
        self.oracle.programs[process].by_name[name].endless.as_deref() == Some(bytes)
    }

    fn longest_beginning(&self, name: usize, bytes: &[u8]) -> String {
        let versions = self.resources[name * 2..name * 2 + 2].iter().flat_map(|resource| &resource.versions);
        let same = |version: &crate::server::Version| {
            let count = version.bytes.iter().zip(bytes).take_while(|(one, other)| one == other).count();
            (count, version.number, version.bytes.len())
        };
        match versions.map(same).max() {
            Some((count, number, length)) => format!("the first {count} are those of version {number}, of {length}"),
            None => String::new(),
        }
    }

    /// The machine is about to fail.
    pub(crate) fn before_power_loss(&mut self) {
        if self.setting.profile == Profile::Tmpfs || !self.oracle.is_durable {
            for name in &mut self.oracle.names {
                name.is_promised = false;
            }
        }
    }

    /// A program has died, or the machine: what is there now?
    pub(crate) fn after_death(&mut self, now: u64, power: bool) -> Checked {
        self.oracle.is_disturbed = true;
        for (name, path) in NAMES.iter().enumerate().take(self.setting.names) {
            let stands = self.root.stat(path).is_some_and(|stat| stat.kind == FileKind::Regular);
            if power {
                let known = &mut self.oracle.names[name];
                known.gone_at = Some(now);
                // What had the name before may have it again.
                known.is_unsafe |= known.was_unsafe || !self.oracle.is_durable;
                known.was_unsafe |= known.is_unsafe;
                if known.is_promised && !known.is_unsafe && !stands {
                    return Err(format!("{path} was reported complete, and is not there after a loss of power"));
                }
                if stands {
                    self.tally.hit(Mark::ThereAfterPower);
                }
            }
            self.check_final(name)?;
            self.check_unfinished(name, power)?;
        }
        Ok(())
    }

    /// A final name is absent, or has a whole file.
    pub(crate) fn check_final(&self, name: usize) -> Checked {
        let Some(bytes) = self.root.read(NAMES[name]) else { return Ok(()) };
        let known = &self.oracle.names[name];
        if known.is_unsafe || known.foreign.contains(&bytes) || known.cut.contains(&bytes) {
            return Ok(());
        }
        let resources = &self.resources[name * 2..name * 2 + 2];
        if resources.iter().flat_map(|resource| &resource.versions).any(|version| version.bytes == bytes) {
            return Ok(());
        }
        let best = self.longest_beginning(name, &bytes);
        Err(format!("{} stands with {} bytes that are no version: {best}", NAMES[name], bytes.len()))
    }

    /// A record may lag behind the bytes of its version. It never leads, and never describes those of another.
    fn check_unfinished(&mut self, name: usize, power: bool) -> Checked {
        let known = &self.oracle.names[name];
        if known.is_swept_under || (power && known.flush_forgotten) {
            return Ok(());
        }
        let Some((record, bytes)) = self.unfinished_of(name) else { return Ok(()) };
        let known = &self.oracle.names[name];
        let length = bytes.len() as u64;
        let vouched = record.vouched(self.root.boot().map(|boot| boot.0), length);
        // Without bytes it describes nothing, nor beside a new file, which stays empty until the record is gone.
        if bytes.is_empty() || vouched == 0 || record.total.is_some_and(|total| vouched > total) {
            return Ok(());
        }
        if vouched > length && known.is_cut {
            return Ok(());
        }
        if vouched > length {
            return Err(format!("{}: the record leads: it says {vouched}, and {length} bytes are there", NAMES[name]));
        }
        let vouched_bytes = &bytes[..usize::try_from(vouched).unwrap_or(usize::MAX)];
        let versions = self.resources[name * 2..name * 2 + 2].iter().flat_map(|resource| &resource.versions);
        let named: Vec<_> = versions.filter(|version| version.was_named(&record.validator)).collect();
        if named.is_empty() {
            return Err(format!("{}: a record of a version that never was: {record:?}", NAMES[name]));
        }
        if !named.iter().any(|version| version.bytes.starts_with(vouched_bytes)) {
            let best = self.longest_beginning(name, vouched_bytes);
            return Err(format!("{}: {record:?} describes {vouched} bytes that are others: {best}", NAMES[name]));
        }
        self.tally.hit(if power { Mark::KeptByPowerLoss } else { Mark::KeptByDeath });
        Ok(())
    }

    /// The unfinished file of a name that all programs find, with its record.
    pub(crate) fn unfinished_of(&self, name: usize) -> Option<(Recorded, Vec<u8>)> {
        let key = self.oracle.key_of(name)?;
        let record = record::read(&self.root.read(&format!(".dlmanager/{key}.rec"))?)?;
        let bytes = self.root.read(&format!(".dlmanager/{key}.part"))?;
        Some((record, bytes))
    }
}

impl Oracle {
    fn open_asked(&mut self, process: usize, lane: u64, path: &str, file: u64) -> Checked {
        let Some(rest) = path.strip_prefix(".dlmanager/") else {
            return match final_name(path) {
                Some(_) => Ok(()),
                None => Err(format!("p{process} opens {path}")),
            };
        };
        if rest.starts_with("owner") {
            return Ok(());
        }
        let key = rest.split('.').next().unwrap_or(rest);
        let name = match (self.keys.get(key), self.programs[process].lanes.get(&lane)) {
            (Some(name), _) => *name,
            (None, Some(name)) => {
                self.keys.insert(key.to_owned(), *name);
                *name
            }
            (None, None) => return Err(format!("p{process} opens {path}, and works for no name")),
        };
        if path.ends_with(".part") {
            self.programs[process].by_name[name].part = Some((path.to_owned(), file));
        }
        Ok(())
    }

    /// Only who holds its lock changes an unfinished file.
    fn has_it_locked(&self, process: usize, file: u64, what: &str) -> Checked {
        let Some(open) = self.programs[process].files.get(&file) else { return Ok(()) };
        if self.has_locks && is_shared(&open.path) && !open.is_locked {
            return Err(format!("p{process}: {} is {what} without its lock", open.path));
        }
        Ok(())
    }

    /// The record goes before the bytes that it describes.
    fn check_cut(&self, process: usize, file: u64, length: u64, directory: &MemoryDirectory) -> Checked {
        let Some(open) = self.programs[process].files.get(&file).filter(|open| is_shared(&open.path)) else {
            return Ok(());
        };
        if self.name_of(&open.path).is_some_and(|name| self.names[name].is_swept_under) {
            return Ok(());
        }
        // Emptied before anything else is tried, so that its record is nobody's reason to go on with it.
        if open.is_spoiled && length == 0 {
            return Ok(());
        }
        let record = directory.read(&open.path.replace(".part", ".rec")).and_then(|bytes| record::read(&bytes));
        let before = directory.read(&open.path).map_or(0, |bytes| bytes.len() as u64);
        match record {
            Some(record) if record.vouched(directory.boot().map(|boot| boot.0), before).min(before) > length => {
                Err(format!("p{process}: {} is cut to {length}, and its record still stands: {record:?}", open.path))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn rename_asked(&self, process: usize, name: usize, from: &str) -> Checked {
        let program = &self.programs[process];
        let is_locked = program.files.values().any(|file| file.path == from && file.is_locked && file.is_named);
        // What a stranger has taken away is another file by now.
        if self.has_locks && is_shared(from) && !is_locked && !program.by_name[name].is_faulted {
            return Err(format!("p{process}: {from} is published as {} without its lock", NAMES[name]));
        }
        Ok(())
    }

    fn delete_asked(&mut self, process: usize, path: &str, is_swept: bool) -> Checked {
        if let Some(name) = final_name(path) {
            if !self.has_limit {
                return Err(format!("p{process}: {path} is deleted, and there is no limit"));
            }
            let is_new = |other: &super::Watched| other.name == name && !other.is_finished;
            let program = &self.programs[process];
            let published = program.by_name[name].published.is_some();
            if published && program.downloads.values().any(is_new) {
                return Err(format!("p{process}: {path} is evicted, and was just published"));
            }
            let is_needed = |other: &super::Watched| other.name == name && other.is_well && !other.is_let_go;
            if program.downloads.values().any(is_needed) {
                return Err(format!("p{process}: {path} is evicted, and its users were told of it and need it still"));
            }
            return Ok(());
        }
        let Some(rest) = path.strip_prefix(".dlmanager") else {
            return Err(format!("p{process}: {path} is deleted"));
        };
        if rest == "/owner" {
            return Err(format!("p{process}: the mark is deleted"));
        }
        let is_faulted = self.name_of(path).is_none_or(|name| self.programs[process].by_name[name].is_faulted);
        if !self.has_locks || !rest.starts_with('/') || is_faulted {
            return Ok(());
        }
        let part = path.replace(".rec", ".part");
        let holds = |program: &super::Program| program.files.values().any(|file| file.path == part && file.is_locked);
        let other = self.programs.iter().enumerate().find(|(number, program)| *number != process && holds(program));
        if is_swept {
            if other.is_some() {
                self.must_stay.push(path.to_owned());
            }
            return Ok(());
        }
        if let Some((other, _)) = other.filter(|_| is_shared(&part)) {
            return Err(format!("p{process}: {path} is deleted, and p{other} holds its lock"));
        }
        if is_shared(&part) && !holds(&self.programs[process]) {
            return Err(format!("p{process}: {path} is deleted without its lock"));
        }
        Ok(())
    }

    /// Behind the end of a download nothing more is done for it.
    fn is_still_at_work(&self, process: usize, op: &FileOp) -> Checked {
        let path = match op {
            FileOp::Open { path, .. } | FileOp::Rename { from: path, .. } => Some(path.as_str()),
            op => op
                .file()
                .and_then(|file| self.programs[process].files.get(&file.serial()))
                .map(|open| open.path.as_str()),
        };
        let Some(name) = path.and_then(|path| self.name_of(path)) else { return Ok(()) };
        let mut downloads = self.programs[process].downloads.values();
        // It may not be known yet who was admitted in this very moment.
        let is_known = downloads.len() > 0;
        if is_known && !downloads.any(|watched| watched.name == name && !watched.is_finished) {
            return Err(format!("p{process}: {:?} behind the end of {}", Done::of(op), NAMES[name]));
        }
        Ok(())
    }

    /// A file action was made to fail.
    fn faulted(&mut self, process: usize, done: &Done) {
        let path = match done {
            Done::Named(_, path) | Done::Open { path, .. } | Done::Rename { from: path, .. } => Some(path.as_str()),
            Done::Delete(paths) => paths.first().map(StorePath::as_str),
            Done::OnFile(_, file) | Done::Lock { file } | Done::Write { file, .. } | Done::Truncate { file, .. } => {
                self.programs[process].files.get(file).map(|open| open.path.as_str())
            }
        };
        match path.and_then(|path| self.name_of(path)) {
            Some(name) => self.programs[process].by_name[name].is_faulted = true,
            None => self.programs[process].by_name.iter_mut().for_each(|by_name| by_name.is_faulted = true),
        }
    }

    fn flush_failed(&mut self, process: usize, file: u64) {
        let Some(open) = self.programs[process].files.get_mut(&file) else { return };
        (open.flush_failed, open.is_spoiled) = (true, true);
        let path = open.path.clone();
        if let Some(name) = self.name_of(&path).filter(|_| is_shared(&path)) {
            self.names[name].flush_forgotten = true;
        }
    }

    fn name_not_flushed(&mut self, process: usize, path: &str) {
        let key = path.strip_suffix(".rec").unwrap_or(path);
        for file in self.programs[process].files.values_mut().filter(|file| file.path.starts_with(key)) {
            file.is_spoiled = true;
        }
    }

    /// A deletion was tried.
    fn deleted(&mut self, now: u64, path: &str, directory: &MemoryDirectory) {
        if directory.stat(path).is_some() {
            return;
        }
        // Who has it open has a file without a name.
        for file in self.programs.iter_mut().flat_map(|program| program.files.values_mut()) {
            if file.path == path {
                "deleted".clone_into(&mut file.path);
            }
        }
        if let Some(name) = final_name(path) {
            let known = &mut self.names[name];
            known.gone_at = Some(now);
            known.is_promised = false;
            known.is_unsafe = false;
        } else if is_shared(path)
            && let Some(name) = self.name_of(path)
        {
            self.names[name].flush_forgotten = false;
        }
    }
}
