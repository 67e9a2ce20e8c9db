//! What must be true, whatever happens. Nothing here asks the core: it knows the bytes of every version, sees every action and
//! every notice, and looks into the directory.
//!
//! - `disk.rs`: what may be done to files, and what stands in the directory after each action and each death.
//! - `net.rs`: what may be asked of servers, when, and from which byte on.
//! - `told.rs`: what users are told.
//! - `end.rs`: that everything comes to an end, and what is left then.

mod disk;
mod end;
mod net;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use dlmanager_core::{Durability, Resume};

use crate::server::NAMES;
use crate::setting::Setting;

pub(crate) use disk::Done;
pub(crate) use net::Asked;

/// What is known.
#[derive(Debug)]
pub(crate) struct Oracle {
    programs: Vec<Program>,
    names: Vec<Name>,
    /// Whose name a key stands for.
    keys: BTreeMap<String, usize>,
    is_durable: bool,
    is_full: bool,
    is_across: bool,
    has_locks: bool,
    has_limit: bool,
    /// A program or the machine died, a file action was made to fail, or a stranger worked in the directory.
    is_disturbed: bool,
    /// What is about to be renamed is there.
    is_renaming: bool,
    /// What the deletion that is asked for is to leave, as somebody else has locked it.
    must_stay: Vec<String>,
    /// A record was removed, and no folder flushed since.
    has_removed_record: bool,
    /// What is unfinished was kept by a download that ended.
    has_kept: bool,
}

/// What a program has done.
#[derive(Debug, Default)]
struct Program {
    is_alive: bool,
    is_closed: bool,
    downloads: BTreeMap<u64, Watched>,
    /// The names that lanes work for.
    lanes: BTreeMap<u64, usize>,
    files: BTreeMap<u64, OpenFile>,
    /// The lanes that have looked once more whether the name still leads to the locked file, and act on it.
    sure: BTreeSet<u64>,
    by_name: Vec<ByName>,
    /// Since when and until when an origin wants to be left alone.
    blocked: BTreeMap<u32, (u64, u64)>,
}

#[derive(Debug)]
struct OpenFile {
    path: String,
    is_locked: bool,
    /// Its lock was asked for.
    was_asked: bool,
    /// When it was last asked for, its name led there.
    is_named: bool,
    /// A flush of it failed: what was written is lost, though it can be read.
    flush_failed: bool,
    /// A flush of it or of its name failed: it is not gone on with.
    is_spoiled: bool,
}

/// What a program does about a name.
#[derive(Debug, Default, Clone)]
struct ByName {
    /// The unfinished file that it has.
    part: Option<(String, u64)>,
    /// When it began to look for the file, in this attempt.
    began_at: u64,
    /// It may not ask again before.
    not_before: u64,
    /// The exchange that began too soon: it is one that was given up before it began, or a mistake.
    early: Option<(u64, String)>,
    /// So many bytes of it came that need not come again.
    kept: u64,
    /// A file action went wrong on purpose: then less may be kept than there is.
    is_faulted: bool,
    /// It is about to be published.
    is_publishing: bool,
    /// What came of a body whose end nobody can tell, all of it.
    endless: Option<Vec<u8>>,
    /// What it has given the name: its length and digest, and whether it may be cut off.
    published: Option<Published>,
}

#[derive(Debug, Clone)]
struct Published {
    at: u64,
    length: u64,
    sha256: [u8; 32],
    is_cut: bool,
}

/// A download.
#[derive(Debug)]
struct Watched {
    name: usize,
    source: u32,
    checksum: Option<[u8; 32]>,
    is_started: bool,
    is_finished: bool,
    /// Whether it came to a file.
    is_well: bool,
    /// Its users need that file no longer.
    is_let_go: bool,
    failure: Option<String>,
    is_canceled: bool,
    /// It was asked for when nothing went wrong any more.
    is_calm: bool,
    admitted_at: u64,
    requests: u32,
    received: u64,
    total: Option<u64>,
    rewinds: u32,
    /// Room was made for it.
    had_room_made: bool,
}

/// What stands under a name.
#[derive(Debug, Default)]
struct Name {
    /// What strangers have put there, now and before.
    foreign: Vec<Vec<u8>>,
    /// Files without a length, whose end could not be told: the beginnings of versions.
    cut: Vec<Vec<u8>>,
    /// When something that had the name lost it last.
    gone_at: Option<u64>,
    /// When somebody removed what had the name.
    removed_at: Option<u64>,
    /// It was reported to be there whatever comes.
    is_promised: bool,
    /// It is of bytes whose flush failed, or was made where nothing is flushed and the power failed.
    is_unsafe: bool,
    was_unsafe: bool,
    /// A stranger has cut the unfinished file.
    is_cut: bool,
    /// All that was unfinished was removed while a program had a file there: it goes on with one that has no name, and
    /// its record may stand beside another's.
    is_swept_under: bool,
    /// A flush of the unfinished file failed, and who knew of it may have died.
    flush_forgotten: bool,
}

impl Oracle {
    pub(crate) fn new(setting: &Setting) -> Self {
        let config = &setting.config;
        Self {
            programs: Vec::new(),
            names: (0..setting.names).map(|_| Name::default()).collect(),
            keys: BTreeMap::new(),
            is_durable: config.durability != Durability::None,
            is_full: config.durability == Durability::Full,
            is_across: config.resume == Resume::AcrossRuns,
            has_locks: setting.locks_work,
            has_limit: config.limit.is_some(),
            is_disturbed: false,
            is_renaming: false,
            has_removed_record: false,
            must_stay: Vec::new(),
            has_kept: false,
        }
    }

    pub(crate) fn started(&mut self, process: usize) {
        debug_assert_eq!(process, self.programs.len());
        let by_name = vec![ByName::default(); self.names.len()];
        self.programs.push(Program { is_alive: true, by_name, ..Program::default() });
    }

    pub(crate) fn ended(&mut self, process: usize) {
        let program = &mut self.programs[process];
        program.is_alive = false;
        program.files.clear();
        for by_name in &mut program.by_name {
            by_name.part = None;
        }
    }

    pub(crate) fn admitted(
        &mut self,
        process: usize,
        serial: u64,
        (name, source): (usize, u32),
        checksum: Option<[u8; 32]>,
        (now, is_calm): (u64, bool),
    ) {
        let watched = Watched {
            name,
            source,
            checksum,
            is_started: false,
            had_room_made: false,
            is_finished: false,
            is_well: false,
            is_let_go: false,
            failure: None,
            is_canceled: false,
            is_calm,
            admitted_at: now,
            requests: 0,
            received: 0,
            total: None,
            rewinds: 0,
        };
        self.programs[process].downloads.insert(serial, watched);
    }

    pub(crate) fn canceled(&mut self, process: usize, serial: u64, keeps: bool) {
        self.has_kept |= keeps;
        if let Some(watched) = self.programs[process].downloads.get_mut(&serial) {
            watched.is_canceled = true;
        }
    }

    /// The users of a program need the file of a download no longer.
    pub(crate) fn let_go(&mut self, process: usize, serial: u64) {
        if let Some(watched) = self.programs[process].downloads.get_mut(&serial) {
            watched.is_let_go = true;
        }
    }

    pub(crate) fn closed(&mut self, process: usize, keeps: bool) {
        self.has_kept |= keeps;
        self.programs[process].is_closed = true;
    }

    /// The unfinished file that a program has for a name.
    pub(crate) fn part_of(&self, process: usize, name: usize) -> Option<String> {
        self.programs[process].by_name[name].part.as_ref().map(|(path, _)| path.clone())
    }

    /// A stranger has put something under a name, or taken away what was there.
    pub(crate) fn foreign(&mut self, name: usize, bytes: Option<&[u8]>, now: u64) {
        self.is_disturbed = true;
        self.taken_away(name, now);
        let name = &mut self.names[name];
        if let Some(bytes) = bytes {
            name.foreign.push(bytes.to_vec());
        }
    }

    /// Somebody has removed a file.
    pub(crate) fn taken_away(&mut self, name: usize, now: u64) {
        let name = &mut self.names[name];
        (name.gone_at, name.removed_at) = (Some(now), Some(now));
        name.is_promised = false;
        name.is_unsafe = false;
    }

    /// A stranger has damaged what is unfinished: another file stands there now.
    pub(crate) fn damaged(&mut self, name: usize, path: &str) {
        self.is_disturbed = true;
        for file in self.programs.iter_mut().flat_map(|program| program.files.values_mut()) {
            if file.path.starts_with(path) {
                "taken away".clone_into(&mut file.path);
            }
        }
        self.names[name].flush_forgotten = false;
        for program in &mut self.programs {
            program.by_name[name].is_faulted = true;
        }
    }

    /// A stranger has cut what is unfinished.
    pub(crate) fn cut(&mut self, name: usize) {
        self.names[name].is_cut = true;
    }

    /// A stranger has removed all that is unfinished.
    pub(crate) fn swept_away(&mut self) {
        for name in 0..self.names.len() {
            let is_held = |program: &Program| program.by_name[name].part.is_some();
            self.names[name].is_swept_under |= self.programs.iter().any(is_held);
            self.damaged(name, ".dlmanager/");
        }
    }

    /// Whether a program is about to publish something, to remove it, or to note what it is. Between its last look at the
    /// unfinished file's name and what follows from it no file system lets it make sure that no other file has taken the place.
    pub(crate) fn is_sure(&self) -> bool {
        let is_sure =
            |program: &Program| !program.sure.is_empty() || program.by_name.iter().any(|by_name| by_name.is_publishing);
        self.programs.iter().any(|program| program.is_alive && is_sure(program))
    }

    /// Whether a file action of this program was made to fail.
    pub(crate) fn is_faulted(&self, process: usize) -> bool {
        self.programs[process].by_name.iter().any(|by_name| by_name.is_faulted)
    }

    /// Whether a record was removed that would come back after a loss of power.
    pub(crate) fn has_removed_record(&self) -> bool {
        self.has_removed_record
    }

    /// The key of a name, once it is known.
    pub(crate) fn key_of(&self, name: usize) -> Option<&str> {
        self.keys.iter().find(|(_, known)| **known == name).map(|(key, _)| key.as_str())
    }

    /// Whether a program has this file open.
    pub(crate) fn is_open(&self, path: &str) -> bool {
        self.programs.iter().any(|program| program.files.values().any(|file| file.path == path))
    }

    /// The name that a path in the work folder belongs to.
    fn name_of(&self, path: &str) -> Option<usize> {
        let key = path.strip_prefix(".dlmanager/")?.split('.').next()?;
        self.keys.get(key).copied()
    }
}

impl OpenFile {
    const fn at(path: String) -> Self {
        Self { path, is_locked: false, was_asked: false, is_named: false, flush_failed: false, is_spoiled: false }
    }
}

impl Program {
    /// The download of a name that is under way: the first that has not ended.
    fn live(&mut self, name: usize) -> Option<&mut Watched> {
        self.downloads.values_mut().find(|watched| watched.name == name && !watched.is_finished)
    }
}

/// The index of a final name.
fn final_name(path: &str) -> Option<usize> {
    NAMES.iter().position(|name| *name == path)
}

/// Whether every program finds an unfinished file of that name, so that its lock matters.
fn is_shared(path: &str) -> bool {
    path.ends_with(".part") && path.strip_prefix(".dlmanager/").is_some_and(|name| name.split('.').count() == 2)
}
