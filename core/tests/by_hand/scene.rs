//! A download of one file whose server and directory do as they are told, and what was asked of the directory in words.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use dlmanager_core::{
    BootId, Completion, Config, Digest, Digests, DownloadId, Event, FaultKind, FileAction, FileId, FileKind, FileOp,
    Instant, NetOp, Notice, OpenMode, Opened, Outcome, Probed, Record, Request, Stamp, Ticket, Validator, op,
};

use crate::hand::{Asked, Hand, URL, chunk, head, stat, usual};

pub(crate) const BOOT: Option<BootId> = Some(BootId([1; 16]));
pub(crate) const ETAG: &str = "\"b\"";

/// The record of an unfinished file of the server's version.
pub(crate) fn record(total: u64, boot: Option<BootId>, durable: u64) -> Bytes {
    let validator = Validator::Etag(ETAG.into());
    Record { url: URL.into(), validator, total: Some(total), boot, durable }.encode().unwrap()
}

/// How the server and the directory are.
pub(crate) struct Scene {
    pub(crate) hand: Hand,
    pub(crate) id: DownloadId,
    /// What an earlier run left: the unfinished file's length, and the record.
    pub(crate) left: Option<(u64, Option<Bytes>)>,
    pub(crate) locks: bool,
    /// The fields of each reply, and the lengths of the chunks that come then; none is the last one unless there are no more
    /// to come and `ends`.
    pub(crate) fields: Vec<(&'static str, &'static str)>,
    pub(crate) chunks: VecDeque<usize>,
    /// Each reply is all of it, whatever was asked for.
    pub(crate) is_whole: bool,
    /// How long the file is in all, where the chunks to come are not all that is left of it.
    pub(crate) whole: Option<u64>,
    /// The fields from the second reply on, if they are others.
    pub(crate) then: Option<Vec<(&'static str, &'static str)>>,
    pub(crate) ends: bool,
    /// What fails, by its word.
    pub(crate) fails: BTreeMap<String, FaultKind>,
    /// What is not answered yet, by its word.
    pub(crate) holds: Vec<&'static str>,
    pub(crate) held: Vec<FileAction>,

    /// What was asked of the directory that changes something, and the records that were written.
    pub(crate) asked: Vec<String>,
    /// The ranges that were asked for.
    pub(crate) ranges: Vec<Option<String>>,
    /// How often a record was read, and the file's own name looked at.
    pub(crate) reads: usize,
    pub(crate) read_bytes_max: usize,
    pub(crate) looks: usize,
    /// The URL and the length of the whole in the last record.
    pub(crate) noted_url: String,
    pub(crate) noted_total: Option<u64>,
    pub(crate) locks_asked: usize,
    pub(crate) unlocks_asked: usize,
    /// What the file comes to.
    pub(crate) checksum: Option<Digest>,
    /// The time that the file was given.
    pub(crate) stamped: Option<Stamp>,
    pub(crate) told: Vec<Notice>,
    pub(crate) outcome: Option<Outcome>,
    files: BTreeMap<FileId, &'static str>,
    silent: Option<Ticket<op::ReadBody>>,
}

impl Scene {
    /// Nothing is there, and the server sends chunks of these lengths of a version that can be gone on with.
    pub(crate) fn new(config: Config, chunks: &[usize]) -> Self {
        Self::of(config, Request::new(URL).unwrap(), chunks)
    }

    pub(crate) fn of(config: Config, request: Request, chunks: &[usize]) -> Self {
        let mut hand = Hand::new(config);
        let admission = hand.manager.download(hand.now, request).unwrap();
        Self {
            hand,
            id: admission.id(),
            left: None,
            locks: true,
            fields: vec![("etag", ETAG)],
            chunks: chunks.iter().copied().collect(),
            ends: true,
            fails: BTreeMap::new(),
            holds: vec![],
            held: vec![],
            asked: vec![],
            ranges: vec![],
            reads: 0,
            read_bytes_max: 0,
            noted_url: String::new(),
            noted_total: None,
            locks_asked: 0,
            unlocks_asked: 0,
            checksum: None,
            looks: 0,
            stamped: None,
            then: None,
            whole: None,
            is_whole: false,
            told: vec![],
            outcome: None,
            files: BTreeMap::new(),
            silent: None,
        }
    }

    /// The word for what is asked.
    fn word(&mut self, op: &FileOp) -> String {
        let kind = |path: &str| if path.ends_with(".rec") { "record" } else { "file" };
        match op {
            FileOp::Open { file, path, mode, .. } => {
                assert_eq!(op.file(), Some(*file), "what follows refers to it");
                self.files.insert(*file, kind(path.as_str()));
                let word = match mode {
                    OpenMode::CreateNew => "make",
                    OpenMode::CreateOrExisting => "make or open",
                    OpenMode::Existing => "open",
                    OpenMode::Read => "look at",
                };
                format!("{word} {}", kind(path.as_str()))
            }
            FileOp::Write { file, data, .. } if self.files[file] == "record" => {
                let record = Record::decode(&data.concat()).unwrap();
                self.noted_url = record.url.to_string();
                self.noted_total = record.total;
                format!("note {} flushed", record.durable)
            }
            FileOp::Write { .. } => "write".into(),
            FileOp::Truncate { length, .. } => format!("cut to {length}"),
            FileOp::Delete { items, .. } => format!("remove {}", kind(items[0].path.as_str())),
            FileOp::Sync { .. } => "flush".into(),
            FileOp::SyncDir { .. } => "flush names".into(),
            FileOp::Rename { .. } => "name".into(),
            FileOp::Lock { .. } => "lock".into(),
            FileOp::Read { .. } => "read".into(),
            FileOp::Hash { from, to, .. } => format!("hash {from} to {to}"),
            FileOp::Stat { path, .. } if path.as_str().ends_with(".rec") => "look for record".into(),
            _ => "else".into(),
        }
    }

    fn file(&mut self, action: FileAction) {
        let word = self.word(&action.op);
        match &action.op {
            FileOp::Read { bytes_max, .. } => {
                self.reads += 1;
                self.read_bytes_max = *bytes_max;
            }
            FileOp::Lock { .. } => self.locks_asked += 1,
            FileOp::Unlock { .. } => self.unlocks_asked += 1,
            FileOp::Stat { path, .. } if path.as_str() == "file" => self.looks += 1,
            FileOp::SetTimes { modified, .. } => self.stamped = Some(*modified),
            _ => {}
        }
        if !matches!(
            word.as_str(),
            "else" | "lock" | "look for record" | "read" | "write" | "make or open file" | "open record"
        ) || self.holds.contains(&word.as_str())
        {
            self.asked.push(word.clone());
        }
        if self.holds.contains(&word.as_str()) {
            self.held.push(action);
        } else {
            let completion = self.completion(&word, action);
            self.hand.answer(completion);
        }
    }

    /// Answers what was held, in order.
    pub(crate) fn let_go(&mut self) {
        for action in std::mem::take(&mut self.held) {
            let word = self.word(&action.op);
            let completion = self.completion(&word, action);
            self.hand.answer(completion);
        }
    }

    fn completion(&self, word: &str, action: FileAction) -> Completion {
        match self.fails.get(word) {
            Some(FaultKind::Aborted) => return Completion::aborted(action.id()),
            Some(kind) => return action.fail((*kind).into()),
            None => {}
        }
        match (action.op, &self.left) {
            (FileOp::Probe { ticket, .. }, _) => ticket.done(Ok(Probed { boot: BOOT, locks: self.locks })),
            (FileOp::Stat { ticket, path }, Some((_, Some(record)))) if path.as_str().ends_with(".rec") => {
                ticket.done(Ok(Some(stat(FileKind::Regular, record.len() as u64))))
            }
            (FileOp::Open { ticket, path, .. }, Some((length, _))) if path.as_str().ends_with(".part") => {
                ticket.done(Ok(Opened { created: false, length: *length }))
            }
            (FileOp::Lock { ticket, .. }, Some((length, _))) => ticket.done(Ok(*length)),
            (FileOp::Read { ticket, bytes_max, .. }, Some((_, Some(record)))) => {
                ticket.done(Ok(record.slice(..record.len().min(bytes_max))))
            }
            (FileOp::Hash { ticket, .. }, _) => ticket.done(Ok(Digests::from_iter(self.checksum))),
            (op, _) => usual(op),
        }
    }

    fn net(&mut self, op: NetOp) {
        match op {
            NetOp::Fetch { ticket, request, .. } => {
                let range = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
                self.ranges.push(range.clone());
                self.hand.manager.handle(self.hand.now, Event::Connected(ticket.id()));
                let mut fields = self.fields.clone();
                if let Some(then) = self.then.take() {
                    self.fields = then;
                }
                let first = range.as_deref().map(|range| range.trim_start_matches("bytes=").trim_end_matches('-'));
                let first: Option<u64> = first.filter(|_| !self.is_whole).map(|first| first.parse().unwrap());
                let length: u64 = self.chunks.iter().map(|length| *length as u64).sum();
                let part = first.map(|first| {
                    let whole = self.whole.unwrap_or(first + length);
                    format!("bytes {first}-{}/{whole}", whole - 1)
                });
                // A name that lives as long as the program, as fields do here.
                fields.extend(part.map(|part| ("content-range", &*part.leak())));
                let status = if first.is_some() { 206 } else { 200 };
                self.hand.answer(ticket.done(Ok(head(status, &fields))));
            }
            NetOp::ReadBody { ticket, .. } => match self.chunks.pop_front() {
                Some(length) => {
                    let last = self.ends && self.chunks.is_empty();
                    self.hand.answer(ticket.done(Ok(chunk(length, last))));
                }
                None => self.silent = Some(ticket),
            },
            NetOp::DropBody { ticket, .. } => {
                if let Some(ticket) = self.silent.take() {
                    self.hand.answer(ticket.done(Err(FaultKind::Aborted.into())));
                }
                self.hand.answer(ticket.done(Ok(())));
            }
        }
    }

    /// Sends another chunk of a body that is waited for.
    pub(crate) fn send(&mut self, bytes: usize, last: bool) {
        let ticket = self.silent.take().expect("a chunk that is waited for");
        self.hand.answer(ticket.done(Ok(chunk(bytes, last))));
    }

    /// Whether a chunk is waited for.
    fn is_reading(&self) -> bool {
        self.silent.is_some()
    }

    /// What this directory answers to another manager.
    pub(crate) fn completion_of(&mut self, action: FileAction) -> Completion {
        let word = self.word(&action.op);
        self.completion(&word, action)
    }

    /// The exchange fails.
    pub(crate) fn reset(&mut self) {
        let ticket = self.silent.take().expect("a chunk that is waited for");
        self.hand.answer(ticket.done(Err(FaultKind::Reset.into())));
    }

    /// Answers until there is nothing to be answered. Until when it waits.
    pub(crate) fn run(&mut self) -> Option<Instant> {
        loop {
            match self.hand.next() {
                Asked::File(action) => self.file(action),
                Asked::Net(op) => self.net(op),
                Asked::Told(notice) => {
                    if let Notice::Finished { outcome, .. } = &notice {
                        assert!(self.outcome.is_none(), "it ends once");
                        self.outcome = Some(outcome.clone());
                    }
                    self.told.push(notice);
                }
                Asked::Waits(until) => return until,
            }
        }
    }

    /// Lets the time pass until a chunk is waited for.
    pub(crate) fn run_to_a_chunk(&mut self) {
        while !self.is_reading() {
            let until = self.run();
            assert!(self.outcome.is_none(), "{:?}", self.outcome);
            if !self.is_reading() {
                self.hand.pass(until);
            }
        }
    }

    /// Lets the time pass for as long as there is something to wait for, and the download has not ended.
    pub(crate) fn run_to_the_end(&mut self) -> &Outcome {
        while self.outcome.is_none() {
            let until = self.run();
            if self.outcome.is_none() {
                self.hand.pass(until);
            }
        }
        self.outcome.as_ref().unwrap()
    }

    pub(crate) fn interrupt(&mut self) {
        self.hand.manager.interrupt(self.hand.now, self.id).unwrap();
    }

    pub(crate) fn cancel(&mut self) {
        self.hand.manager.cancel(self.hand.now, self.id).unwrap();
    }

    pub(crate) fn has_asked(&self, word: &str) -> bool {
        self.asked.iter().any(|asked| asked == word)
    }

    /// What was asked since this was asked last.
    pub(crate) fn take_asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asked)
    }
}
