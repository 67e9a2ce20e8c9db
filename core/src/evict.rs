//! The directory's limit at work: whose files they are, the scan, and passes of eviction one after the other.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::action::{DeleteItem, Deleted, Expect, FileKind, FileStat, OpenMode, ScanBatch};
use crate::arena::Key;
use crate::effects::{Effects, Kinded, Owner, Reply};
use crate::{
    ActionId, DirectoryError, Durability, Fault, FaultKind, FileId, FileOp, Lane, LimitConfig, Notice, PersistLimit,
    StorePath, Ticket, Unmet, Warning,
};

/// Entries asked for in one go.
const SCAN_BATCH: usize = 1024;
/// Files deleted in one go.
const DELETE_BATCH: usize = 64;
/// How often the mark is tried to be made while others remove its folder.
const MARKS_MAX: u32 = 8;
/// What the mark of ownership holds: the format's version.
const OWNER_TEXT: &[u8] = b"dlmanager 1\n";

/// Enforces a limit. The rule itself is [`PersistLimit`]'s.
#[derive(Debug)]
pub(crate) struct Evictor {
    config: LimitConfig,
    durability: Durability,
    limit: PersistLimit,
    ownership: Ownership,
    scan: Scan,
    /// The unanswered `Close` of the scan.
    closing_scan: Option<ActionId>,
    /// Nobody will ask for anything more.
    stopping: bool,
    /// Makes the name under which the mark is written.
    random: u64,
    /// How often it was tried to make the mark.
    marks: u32,
    /// Why it is not known whether the mark was made.
    mark_fault: Option<Fault>,
    lane: Lane,
    epoch: u32,
    /// The passes that are due: each for a download that ended, or because it was asked for.
    due: VecDeque<Option<Key>>,
    pass: Option<Pass>,
    /// Downloads whose pass has ended, for the manager to take.
    swept: Vec<Key>,
    /// The last pass left a file because a live download has its name.
    passed_over: bool,
    /// What the application was told last.
    told_unmet: Option<Unmet>,
}

/// Whether what is in the directory may be evicted.
#[derive(Debug)]
enum Ownership {
    /// Not known yet: nothing may be fetched.
    Scanning,
    /// The scan has found this entry, or nothing at all: is the mark there?
    Looking {
        found: Option<String>,
    },
    /// The mark is being made.
    Marking(Marking),
    /// The mark was made under its own name, or not: the file that it was written to goes.
    Unmarking {
        fault: Option<Fault>,
    },
    Ours,
    Refused(DirectoryError),
}

#[derive(Debug)]
struct Marking {
    unanswered: u32,
    /// The name that it is written under, until it is whole.
    written_as: StorePath,
    renamed: Option<Result<(), Fault>>,
    fault: Option<Fault>,
}

#[derive(Debug)]
enum Scan {
    Running {
        id: FileId,
        asked: bool,
    },
    Complete,
    /// It failed or was stopped: which files there are is not known, and none is evicted.
    Broken,
}

#[derive(Debug)]
struct Pass {
    waiter: Option<Key>,
    batch: Vec<DeleteItem>,
    deleting: bool,
    looks: Vec<(ActionId, StorePath)>,
    /// Files found changed once: the second time they are set aside.
    changed: BTreeSet<StorePath>,
    /// Files that this pass leaves alone.
    aside: BTreeSet<StorePath>,
    evicted: bool,
}

impl Evictor {
    /// Begins with the scan.
    pub(crate) fn new(config: LimitConfig, durability: Durability, random: u64, effects: &mut Effects) -> Self {
        let mut evictor = Self {
            limit: PersistLimit::new(config.size_limit, config.file_limit),
            config,
            durability,
            ownership: Ownership::Scanning,
            scan: Scan::Running { id: effects.file(), asked: false },
            closing_scan: None,
            stopping: false,
            random,
            marks: 0,
            mark_fault: None,
            lane: effects.lane(),
            epoch: 0,
            due: VecDeque::new(),
            pass: None,
            swept: Vec::new(),
            passed_over: false,
            told_unmet: None,
        };
        evictor.scan_on(effects);
        evictor
    }

    pub(crate) const fn limit(&self) -> &PersistLimit {
        &self.limit
    }

    /// The directory's files may be evicted, so downloads may add to them.
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.ownership, Ownership::Ours)
    }

    pub(crate) const fn refusal(&self) -> Option<&DirectoryError> {
        match &self.ownership {
            Ownership::Refused(error) => Some(error),
            Ownership::Scanning
            | Ownership::Looking { .. }
            | Ownership::Marking(_)
            | Ownership::Unmarking { .. }
            | Ownership::Ours => None,
        }
    }

    /// No pass is due, and the scan is over.
    pub(crate) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.pass.is_none() && matches!(self.scan, Scan::Complete | Scan::Broken)
    }

    /// A download learned what stands under a name.
    pub(crate) fn seen(&mut self, path: StorePath, stat: &FileStat) {
        if self.counts(&path) {
            self.limit.register(path, stat);
        }
    }

    /// Whether a file of that name counts: its last component is not hidden, and matches the pattern.
    fn counts(&self, path: &StorePath) -> bool {
        let name = path.file_name();
        !name.starts_with('.') && self.config.pattern.matches(name)
    }

    /// A pass is due, before this download may end where one is given.
    pub(crate) fn request(&mut self, waiter: Option<Key>) {
        self.due.push_back(waiter);
    }

    /// A download that caused no pass ends: is one due all the same, because the last one had to leave its file?
    pub(crate) fn owes_pass(&self) -> bool {
        self.passed_over && self.limit.is_exceeded()
    }

    /// Whether a file of that name is being deleted: whoever looks for it now may find what is about to go.
    pub(crate) fn is_deleting(&self, name: &str) -> bool {
        self.pass.as_ref().is_some_and(|pass| pass.batch.iter().any(|item| item.path.as_str() == name))
    }

    pub(crate) fn take_swept(&mut self) -> Option<Key> {
        self.swept.pop()
    }

    /// Nothing more is due, and nobody will ask: the rest of the scan is of no use.
    pub(crate) fn stop(&mut self, effects: &mut Effects) {
        self.stopping = true;
        if self.due.is_empty() && self.pass.is_none() {
            self.end_scan(Scan::Broken, effects);
        }
    }

    /// Goes on with what is due. `is_live` tells the names of live downloads, whose files are left alone.
    pub(crate) fn proceed(&mut self, effects: &mut Effects, mut is_live: impl FnMut(&StorePath) -> bool) {
        let broken = matches!(self.scan, Scan::Broken) || self.refusal().is_some();
        if broken && self.pass.is_none() {
            return self.give_up(effects);
        }
        if !self.is_ready() || !matches!(self.scan, Scan::Complete) {
            return;
        }
        loop {
            if self.pass.is_none() {
                let Some(waiter) = self.due.pop_front() else { return };
                self.passed_over = false;
                self.pass = Some(Pass::new(waiter));
            }
            let Some(pass) = &mut self.pass else { return };
            if pass.deleting || !pass.looks.is_empty() {
                return;
            }
            let passed_over = &mut self.passed_over;
            let items = self.limit.victims(DELETE_BATCH, |path| {
                let live = is_live(path);
                *passed_over |= live;
                live || pass.aside.contains(path)
            });
            if !items.is_empty() {
                pass.batch.clone_from(&items);
                pass.deleting = true;
                self.epoch += 1;
                self.file_op(effects, |ticket| FileOp::Delete { ticket, items });
                return;
            }
            self.end_pass(effects);
            if !self.swept.is_empty() {
                // Who waited ends first: from then on his file is one like the others, which the next pass has to see.
                return;
            }
        }
    }

    /// Nothing can be evicted, but whoever waits is told the end.
    fn give_up(&mut self, effects: &mut Effects) {
        if self.due.contains(&None) {
            let (files, bytes) = (self.limit.files(), self.limit.bytes());
            effects.notice(Notice::Swept { files, bytes, unmet: Some(Unmet::NotScanned) });
        }
        self.swept.extend(self.due.drain(..).flatten());
    }

    pub(crate) fn reply(&mut self, action: ActionId, reply: Reply, effects: &mut Effects) {
        if self.closing_scan == Some(action) {
            self.closing_scan = None;
            return;
        }
        match &self.ownership {
            Ownership::Marking(_) => return self.marking(reply, effects),
            Ownership::Unmarking { .. } => return self.unmarked(effects),
            Ownership::Scanning | Ownership::Looking { .. } | Ownership::Ours | Ownership::Refused(_) => {}
        }
        match reply {
            Reply::Scan(result) => self.scanned(result, effects),
            Reply::Stat(result) => match &mut self.ownership {
                Ownership::Looking { found } => {
                    let found = found.take();
                    self.looked(found, result, effects);
                }
                Ownership::Scanning
                | Ownership::Marking(_)
                | Ownership::Unmarking { .. }
                | Ownership::Ours
                | Ownership::Refused(_) => {
                    self.looked_again(action, &result);
                }
            },
            Reply::Delete(result) => self.deleted(result, effects),
            Reply::Fetch(_)
            | Reply::ReadBody(_)
            | Reply::DropBody(_)
            | Reply::Probe(_)
            | Reply::MakeDir(_)
            | Reply::Open(_)
            | Reply::Read(_)
            | Reply::Write(_)
            | Reply::Truncate(_)
            | Reply::SetTimes(_)
            | Reply::Hash(_)
            | Reply::Lock(_)
            | Reply::Unlock(_)
            | Reply::Sync(_)
            | Reply::Finish(_)
            | Reply::Rename(_)
            | Reply::SyncDir(_)
            | Reply::Touch(_)
            | Reply::Close(_) => {}
        }
    }

    // The scan, and whose directory it is.

    fn scan_on(&mut self, effects: &mut Effects) {
        if self.stopping && self.due.is_empty() && self.pass.is_none() {
            return self.end_scan(Scan::Broken, effects);
        }
        if let Scan::Running { id: scan, asked } = &mut self.scan
            && !*asked
        {
            *asked = true;
            let scan = *scan;
            self.epoch += 1;
            self.file_op(effects, |ticket| FileOp::Scan { ticket, scan, entries_max: SCAN_BATCH });
        }
    }

    fn scanned(&mut self, result: Result<ScanBatch, Fault>, effects: &mut Effects) {
        let Scan::Running { asked, .. } = &mut self.scan else { return };
        *asked = false;
        let batch = match result {
            Ok(batch) => batch,
            Err(fault) => return self.scan_failed(fault, effects),
        };
        let example = batch.entries.first().map(|entry| String::from(entry.path.as_str()));
        let example = example.or_else(|| (batch.unnameable > 0).then(|| "a name that is not UTF-8".into()));
        for entry in batch.entries {
            // What a download learned meanwhile is newer.
            if self.counts(&entry.path) && !self.limit.contains(&entry.path) {
                self.limit.register(entry.path, &entry.stat);
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
            Ownership::Looking { .. } | Ownership::Marking(_) | Ownership::Unmarking { .. } => {}
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

    fn looked(&mut self, found: Option<String>, result: Result<Option<FileStat>, Fault>, effects: &mut Effects) {
        match (result, found) {
            (Ok(Some(stat)), _) if stat.kind == FileKind::Regular && stat.length == OWNER_TEXT.len() as u64 => {
                self.accept(effects);
            }
            (Ok(Some(_)), _) => {
                let detail = "is there, and is not what this version of dlmanager writes";
                let fault =
                    Fault::new(FaultKind::WrongType).with_detail(alloc::format!("{} {detail}", crate::OWNER_MARK));
                self.refuse(DirectoryError::Fault(fault), effects);
            }
            (Ok(None), None) => match self.mark_fault.take() {
                None => self.mark(effects),
                // Another process has removed the work folder, which was empty.
                Some(fault) if fault.kind() == FaultKind::NotFound && self.marks < MARKS_MAX => self.mark(effects),
                Some(fault) => self.refuse(DirectoryError::Fault(fault), effects),
            },
            (Ok(None), Some(_)) if self.config.adopt => self.accept(effects),
            (Ok(None), Some(example)) => self.refuse(DirectoryError::NotOurs { example }, effects),
            (Err(fault), _) => self.refuse(DirectoryError::Fault(fault), effects),
        }
    }

    /// The directory is empty: all that will be put there is ours, and the mark says so to those who come later. It gets its
    /// name once it is whole, so that a mark which could not be made is none.
    fn mark(&mut self, effects: &mut Effects) {
        self.epoch += 1;
        self.marks += 1;
        let file = effects.file();
        effects.work_folder_asked = true;
        let folder = StorePath::work_folder();
        self.file_op(effects, |ticket| FileOp::MakeDir { ticket, path: folder });
        let written_as = StorePath::in_work_folder(&alloc::format!("owner.{:016x}.part", self.random));
        let (path, mode) = (written_as.clone(), OpenMode::CreateNew);
        self.file_op(effects, |ticket| FileOp::Open { ticket, file, path, mode });
        let data = vec![Bytes::from_static(OWNER_TEXT)];
        self.file_op(effects, |ticket| FileOp::Write { ticket, file, offset: 0, data });
        let mut unanswered = 6;
        // Whatever the durability: a mark without its bytes would have the directory refused from then on.
        self.file_op(effects, |ticket| FileOp::Sync { ticket, file });
        let (from, to) = (written_as.clone(), StorePath::owner_mark());
        self.file_op(effects, |ticket| FileOp::Rename { ticket, from, to, clobber: false });
        if self.durability == Durability::Full {
            for path in [StorePath::owner_mark(), StorePath::work_folder()] {
                unanswered += 1;
                self.file_op(effects, |ticket| FileOp::SyncDir { ticket, path });
            }
        }
        self.file_op(effects, |ticket| FileOp::Close { ticket, file });
        self.ownership = Ownership::Marking(Marking { unanswered, written_as, renamed: None, fault: None });
    }

    fn marking(&mut self, reply: Reply, effects: &mut Effects) {
        let Ownership::Marking(marking) = &mut self.ownership else { return };
        marking.unanswered = marking.unanswered.saturating_sub(1);
        let failed = match reply {
            Reply::Rename(result) => {
                marking.renamed = Some(result);
                None
            }
            Reply::MakeDir(Err(failed))
            | Reply::Open(Err(failed))
            | Reply::Write(Err(failed))
            | Reply::Sync(Err(failed))
            | Reply::SyncDir(Err(failed)) => Some(failed),
            Reply::MakeDir(Ok(()))
            | Reply::Open(Ok(_))
            | Reply::Write(Ok(_))
            | Reply::Sync(Ok(()))
            | Reply::SyncDir(Ok(()))
            | Reply::Fetch(_)
            | Reply::ReadBody(_)
            | Reply::DropBody(_)
            | Reply::Probe(_)
            | Reply::Scan(_)
            | Reply::Stat(_)
            | Reply::Read(_)
            | Reply::Truncate(_)
            | Reply::SetTimes(_)
            | Reply::Hash(_)
            | Reply::Finish(_)
            | Reply::Delete(_)
            | Reply::Touch(_)
            | Reply::Lock(_)
            | Reply::Unlock(_)
            | Reply::Close(_) => None,
        };
        if let Some(failed) = failed.filter(|failed| failed.kind() != FaultKind::Skipped) {
            marking.fault.get_or_insert(failed);
        }
        if marking.unanswered > 0 {
            return;
        }
        let fault = match marking.renamed.take() {
            // Should its name not be flushed, the worst is that a later run takes the files for a stranger's.
            Some(Ok(())) => return self.accept(effects),
            // Another process was faster: the mark is there.
            Some(Err(fault)) if fault.kind() == FaultKind::Exists => None,
            Some(Err(fault)) => Some(marking.fault.take().unwrap_or(fault)),
            None => Some(Fault::new(FaultKind::Aborted)),
        };
        let items = vec![DeleteItem { path: marking.written_as.clone(), expect: Expect::File }];
        self.ownership = Ownership::Unmarking { fault };
        self.epoch += 1;
        self.file_op(effects, |ticket| FileOp::Delete { ticket, items });
    }

    fn unmarked(&mut self, effects: &mut Effects) {
        let Ownership::Unmarking { fault } = &mut self.ownership else { return };
        match fault.take() {
            None => self.accept(effects),
            Some(fault) if self.mark_fault.is_none() => {
                // It may have got its name all the same: only a look can tell.
                self.mark_fault = Some(fault);
                self.look_for_mark(None, effects);
            }
            Some(fault) => self.refuse(DirectoryError::Fault(fault), effects),
        }
    }

    fn look_for_mark(&mut self, found: Option<String>, effects: &mut Effects) {
        self.ownership = Ownership::Looking { found };
        let path = StorePath::owner_mark();
        self.epoch += 1;
        self.file_op(effects, |ticket| FileOp::Stat { ticket, path });
    }

    fn accept(&mut self, effects: &mut Effects) {
        self.ownership = Ownership::Ours;
        effects.notice(Notice::DirectoryReady);
        self.scan_on(effects);
    }

    fn refuse(&mut self, error: DirectoryError, effects: &mut Effects) {
        effects.notice(Notice::DirectoryRefused { error: error.clone() });
        self.ownership = Ownership::Refused(error);
        self.end_scan(Scan::Broken, effects);
        // Nothing that the scan has found is ours to evict.
        if let Scan::Complete = self.scan {
            self.scan = Scan::Broken;
        }
        self.limit = PersistLimit::new(self.config.size_limit, self.config.file_limit);
    }

    /// Ends the scan, unless a batch is under way: then its answer comes first.
    fn end_scan(&mut self, as_what: Scan, effects: &mut Effects) {
        if let Scan::Running { id: file, asked: false } = self.scan {
            self.scan = as_what;
            self.closing_scan = Some(self.file_op(effects, |ticket| FileOp::Close { ticket, file }));
        }
    }

    // A pass.

    fn deleted(&mut self, result: Result<Vec<Deleted>, Fault>, effects: &mut Effects) {
        let Some(pass) = &mut self.pass else { return };
        pass.deleting = false;
        let batch = core::mem::take(&mut pass.batch);
        let answers = match result {
            Ok(answers) => answers,
            Err(fault) => {
                // Some of them may be gone.
                if let Some(item) = batch.first() {
                    let warning = Warning::NotEvicted { path: item.path.clone(), fault };
                    effects.notice(Notice::Warning(warning));
                }
                Vec::new()
            }
        };
        let mut answers = answers.into_iter();
        for DeleteItem { path, .. } in batch {
            match answers.next() {
                Some(Deleted::Deleted) => {
                    if let Some(length) = self.limit.forget(&path) {
                        pass.evicted = true;
                        effects.notice(Notice::Evicted { path, length });
                    }
                }
                Some(Deleted::Gone) => {
                    self.limit.forget(&path);
                }
                Some(Deleted::Busy) => {
                    pass.aside.insert(path);
                }
                Some(Deleted::Denied(fault)) => {
                    effects.notice(Notice::Warning(Warning::NotEvicted { path: path.clone(), fault }));
                    pass.aside.insert(path);
                }
                answer @ (Some(Deleted::Changed) | None) => {
                    if answer.is_none() || !pass.changed.insert(path.clone()) {
                        pass.aside.insert(path.clone());
                    }
                    let name = path.clone();
                    self.epoch += 1;
                    let look = effects
                        .file_op(Owner::Evictor, (self.lane, self.epoch), |ticket| FileOp::Stat { ticket, path: name });
                    pass.looks.push((look, path));
                }
            }
        }
    }

    fn looked_again(&mut self, action: ActionId, result: &Result<Option<FileStat>, Fault>) {
        let Some(pass) = &mut self.pass else { return };
        let Some(at) = pass.looks.iter().position(|(look, _)| *look == action) else { return };
        let (_, path) = pass.looks.swap_remove(at);
        match result {
            Ok(Some(stat)) => self.limit.register(path, stat),
            Ok(None) => {
                self.limit.forget(&path);
            }
            Err(_) => {
                pass.aside.insert(path);
            }
        }
    }

    fn end_pass(&mut self, effects: &mut Effects) {
        let Some(pass) = self.pass.take() else { return };
        let unmet = if self.limit.is_exceeded() {
            Some(Unmet::InUse)
        } else {
            self.limit.is_unmet().then_some(Unmet::FileLimit)
        };
        if pass.evicted || pass.waiter.is_none() || unmet != self.told_unmet {
            self.told_unmet = unmet;
            effects.notice(Notice::Swept { files: self.limit.files(), bytes: self.limit.bytes(), unmet });
        }
        self.swept.extend(pass.waiter);
    }

    fn file_op<O: Kinded>(&self, effects: &mut Effects, op: impl FnOnce(Ticket<O>) -> FileOp) -> ActionId {
        effects.file_op(Owner::Evictor, (self.lane, self.epoch), op)
    }
}

impl Pass {
    const fn new(waiter: Option<Key>) -> Self {
        Self {
            waiter,
            batch: Vec::new(),
            deleting: false,
            looks: Vec::new(),
            changed: BTreeSet::new(),
            aside: BTreeSet::new(),
            evicted: false,
        }
    }
}
