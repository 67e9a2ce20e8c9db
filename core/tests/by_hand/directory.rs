//! A directory with a limit, as a manager meets it: what lies in it, what fails, and what was asked.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use dlmanager_core::{
    Bounds, Completion, Config, Deleted, DirectoryError, FaultKind, FileAction, FileKind, FileOp, Gauged, Kept,
    LimitConfig, NetOp, Notice, OWNER_MARK, OpenMode, Request, ScanBatch, ScanEntry, Stamp, StorePath, Ticket, Unmet,
    op,
};

use crate::hand::{Asked, Hand, chunk, head, stat, usual};

/// Names, ages in seconds, and whether that was all.
pub(crate) type Litter = (Vec<(String, i64)>, bool);

/// A directory in which files of 10 bytes lie, the one that was accessed longest ago first.
pub(crate) struct Directory {
    pub(crate) hand: Hand,
    pub(crate) files: Vec<&'static str>,
    /// What each batch of the scan yields before those.
    pub(crate) empty_batches: usize,
    /// The scan has a second batch, and fails behind its first.
    pub(crate) is_in_two: bool,
    pub(crate) breaks: bool,
    /// What lies in the work folder, batch by batch.
    pub(crate) litter: VecDeque<Result<Litter, FaultKind>>,
    /// What the mark says, if there is one.
    pub(crate) mark: Option<&'static [u8]>,
    pub(crate) free: Option<u64>,
    /// The same once something unfinished was removed.
    pub(crate) free_once_clean: Option<u64>,
    /// What fails, by its word, for so many times.
    pub(crate) fails: BTreeMap<&'static str, (FaultKind, usize)>,
    /// What becomes of the next files that are to be deleted, if not what should.
    pub(crate) deleted: VecDeque<Deleted>,
    pub(crate) asked: Vec<String>,
    pub(crate) told: Vec<Notice>,
    pub(crate) held: Vec<FileAction>,
    pub(crate) holds: Option<&'static str>,
    /// No byte of a body comes.
    pub(crate) is_silent: bool,
    pub(crate) silent: Vec<Ticket<op::ReadBody>>,
}

pub(crate) fn config(size_limit: u64, file_limit: u64, bounds: Bounds) -> Config {
    let limit = LimitConfig { size_limit, file_limit, adopt: true, bounds, ..LimitConfig::default() };
    Config { limit: Some(limit), ..Config::default() }
}

pub(crate) fn strangers(config: Config) -> Config {
    let limit = config.limit.map(|limit| LimitConfig { adopt: false, ..limit });
    Config { limit, ..config }
}

pub(crate) const ALWAYS: usize = usize::MAX;
pub(crate) const SECOND: i64 = 1_000_000_000;

impl Directory {
    pub(crate) fn new(config: Config, files: &[&'static str]) -> Self {
        Self {
            hand: Hand::new(config),
            files: files.to_vec(),
            empty_batches: 0,
            is_in_two: false,
            breaks: false,
            litter: VecDeque::new(),
            mark: None,
            free: None,
            free_once_clean: None,
            fails: BTreeMap::new(),
            deleted: VecDeque::new(),
            asked: vec![],
            told: vec![],
            held: vec![],
            holds: None,
            is_silent: false,
            silent: vec![],
        }
    }

    pub(crate) fn failing(mut self, word: &'static str, kind: FaultKind, times: usize) -> Self {
        self.fails.insert(word, (kind, times));
        self
    }

    pub(crate) fn word(op: &FileOp) -> &'static str {
        let is_mark = |path: &StorePath| path.as_str() == OWNER_MARK;
        match op {
            FileOp::Gauge { .. } => "gauge",
            FileOp::Scan { folder: None, .. } => "scan",
            FileOp::Scan { folder: Some(_), .. } => "look for litter",
            FileOp::MakeDir { .. } => "make folder",
            FileOp::Open { path, mode: OpenMode::Read, .. } if is_mark(path) => "look for mark",
            FileOp::Rename { to, .. } if is_mark(to) => "mark",
            FileOp::Read { .. } => "read mark",
            FileOp::SyncDir { .. } => "flush names",
            FileOp::Stat { .. } => "look again",
            FileOp::Delete { items, .. } if items[0].path.as_str() == ".dlmanager" => "remove folder",
            FileOp::Delete { items, .. } if items[0].path.as_str().starts_with(".dlmanager") => "clean up",
            FileOp::Delete { .. } => "delete",
            FileOp::Write { .. } => "write",
            _ => "else",
        }
    }

    pub(crate) fn entry(&self, name: &str) -> Option<ScanEntry> {
        let at = self.files.iter().position(|file| *file == name)?;
        let stamp = Stamp::from_nanos(i64::try_from(at).unwrap());
        let mut stat = stat(FileKind::Regular, 10);
        (stat.accessed, stat.modified) = (stamp, stamp);
        Some(ScanEntry { path: StorePath::entry(name).unwrap(), stat })
    }

    pub(crate) fn completion(&mut self, action: FileAction) -> Completion {
        let word = Self::word(&action.op);
        if let Some((kind, times)) = self.fails.get_mut(word).filter(|(_, times)| *times > 0) {
            *times -= 1;
            return match kind {
                FaultKind::Aborted => Completion::aborted(action.id()),
                kind => action.fail((*kind).into()),
            };
        }
        match action.op {
            FileOp::Gauge { ticket } => {
                ticket.done(Ok(Gauged { now: Stamp::from_nanos(self.now()), free_bytes: self.free }))
            }
            FileOp::Scan { ticket, folder: None, .. } => {
                if self.empty_batches > 0 {
                    self.empty_batches -= 1;
                    return ticket.done(Ok(ScanBatch { entries: vec![], unnameable: 0, done: false }));
                }
                let is_first = self.asked.iter().filter(|word| *word == "scan").count() == 1;
                if self.breaks && !is_first {
                    return ticket.done(Err(FaultKind::Io.into()));
                }
                let done = !(self.breaks || self.is_in_two && is_first);
                let entries = self.files.iter().filter_map(|name| self.entry(name)).collect();
                ticket.done(Ok(ScanBatch { entries, unnameable: 0, done }))
            }
            FileOp::Scan { ticket, folder: Some(folder), .. } => {
                let now = self.now();
                let entry = |(name, age): (String, i64)| {
                    let mut stat = stat(FileKind::Regular, 1);
                    (stat.accessed, stat.modified) =
                        (Stamp::from_nanos(now - age * SECOND), Stamp::from_nanos(now - age * SECOND));
                    ScanEntry { path: StorePath::entry_of(&folder, &name).unwrap(), stat }
                };
                ticket.done(match self.litter.pop_front().unwrap_or(Ok((vec![], true))) {
                    Ok((entries, done)) => {
                        Ok(ScanBatch { entries: entries.into_iter().map(entry).collect(), unnameable: 0, done })
                    }
                    Err(kind) => Err(kind.into()),
                })
            }
            FileOp::Open { ticket, path, mode: OpenMode::Read, .. }
                if path.as_str() == OWNER_MARK && self.mark.is_none() =>
            {
                ticket.done(Err(FaultKind::NotFound.into()))
            }
            FileOp::Read { ticket, .. } => ticket.done(Ok(Bytes::from_static(self.mark.unwrap_or_default()))),
            FileOp::Stat { ticket, path } => ticket.done(Ok(self.entry(path.as_str()).map(|entry| entry.stat))),
            FileOp::Delete { ticket, items } => {
                if word == "clean up" && self.free_once_clean.is_some() {
                    self.free = self.free_once_clean;
                }
                let deleted = items.iter().map(|item| {
                    let deleted = self.deleted.pop_front().unwrap_or(Deleted::Deleted);
                    if deleted == Deleted::Deleted {
                        self.files.retain(|name| *name != item.path.as_str());
                    }
                    deleted
                });
                let deleted = deleted.collect();
                ticket.done(Ok(deleted))
            }
            op => usual(op),
        }
    }

    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.hand.now.as_nanos()).unwrap()
    }

    /// Answers until nothing is asked any more. Each request is answered by three bytes, unless it is not answered at all.
    pub(crate) fn run(&mut self) {
        loop {
            match self.hand.next() {
                Asked::File(action) => {
                    let word = Self::word(&action.op);
                    if word == "delete"
                        && let FileOp::Delete { items, .. } = &action.op
                    {
                        let names: Vec<&str> = items.iter().map(|item| item.path.as_str()).collect();
                        self.asked.push(format!("delete {}", names.join(" ")));
                    } else {
                        self.asked.push(word.to_owned());
                    }
                    if self.holds == Some(word) {
                        self.held.push(action);
                    } else {
                        let completion = self.completion(action);
                        self.hand.answer(completion);
                    }
                }
                Asked::Net(NetOp::Fetch { ticket, .. }) => {
                    self.hand.answer(ticket.done(Ok(head(200, &[("content-length", "3")]))));
                }
                Asked::Net(NetOp::ReadBody { ticket, .. }) if self.is_silent => self.silent.push(ticket),
                Asked::Net(NetOp::ReadBody { ticket, .. }) => self.hand.answer(ticket.done(Ok(chunk(3, true)))),
                Asked::Net(NetOp::DropBody { ticket, .. }) => self.hand.answer(ticket.done(Ok(()))),
                Asked::Told(notice) => self.told.push(notice),
                Asked::Waits(_) => return,
            }
        }
    }

    pub(crate) fn download(&mut self, name: &str) {
        let request = Request::new(&format!("http://example.org/{name}")).unwrap();
        self.hand.manager.download(self.hand.now, request).unwrap();
        self.run();
    }

    pub(crate) fn let_go(&mut self) {
        self.holds = None;
        for action in std::mem::take(&mut self.held) {
            let completion = self.completion(action);
            self.hand.answer(completion);
        }
        self.run();
    }

    /// One pass, from when the directory was looked at.
    pub(crate) fn sweep(&mut self) -> Vec<String> {
        self.run();
        self.asked.clear();
        self.told.clear();
        self.hand.manager.remove_old_files(self.hand.now);
        self.run();
        std::mem::take(&mut self.asked)
    }

    pub(crate) fn count(&self, word: &str) -> usize {
        self.asked.iter().filter(|asked| *asked == word).count()
    }

    pub(crate) fn refusal(&self) -> Option<&DirectoryError> {
        self.told.iter().find_map(|notice| match notice {
            Notice::DirectoryRefused { error } => Some(error),
            _ => None,
        })
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.told.iter().any(|notice| matches!(notice, Notice::DirectoryReady))
    }

    pub(crate) fn kept(&self) -> Vec<(&str, Kept)> {
        let kept = |notice: &'_ Notice| matches!(notice, Notice::Kept { .. });
        let told = self.told.iter().filter(|notice| kept(notice));
        told.map(|notice| match notice {
            Notice::Kept { path, why, length: 10 } => (path.as_str(), *why),
            _ => unreachable!(),
        })
        .collect()
    }

    pub(crate) fn swept(&self) -> Vec<(u64, Option<Unmet>)> {
        let told = self.told.iter().filter_map(|notice| match notice {
            Notice::Swept { files, unmet, .. } => Some((*files, *unmet)),
            _ => None,
        });
        told.collect()
    }
}
