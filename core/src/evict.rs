//! The directory's limit at work: the scan, and passes of eviction one after the other.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::action::{DeleteItem, Deleted, FileStat};
use crate::arena::Key;
use crate::effects::{Effects, Owner};
use crate::rng::Rng;
use crate::ticket::{Answer, Kinded};
use crate::{
    ActionId, DirectoryError, Durability, Fault, FileOp, Gauged, Instant, Kept, Lane, LimitConfig, Notice, Outcome,
    PersistLimit, StorePath, Ticket, Unmet, Warning, Why,
};

mod owner;
mod pace;
mod scan;
mod turn;

use owner::Ownership;
pub use owner::{OWNER_FORMAT, owner_format};
use pace::Pace;
use scan::Scan;
use turn::Turn;

/// What was evicted within this time was evicted just before.
const JUST: Duration = Duration::from_secs(10);

/// Enforces a limit. The rule itself is [`PersistLimit`]'s.
#[derive(Debug)]
pub(crate) struct Evictor {
    config: LimitConfig,
    durability: Durability,
    limit: PersistLimit,
    ownership: Ownership,
    scan: Scan,
    /// What is asked, and for what.
    asked: Vec<(ActionId, Ask)>,
    /// Nobody will ask for anything more.
    stopping: bool,
    /// Whether other processes evict here.
    turn: Turn,
    /// Makes the name under which the mark is written.
    random: u64,
    /// How often it was tried to make the mark.
    marks: u32,
    /// Why it is not known whether the mark was made.
    mark_fault: Option<Fault>,
    lane: Lane,
    /// Where a second deletion is under way beside the first, once there was one.
    lane_beside: Option<Lane>,
    epoch: u32,
    pace: Pace,
    /// The passes that are due.
    due: VecDeque<Due>,
    pass: Option<Pass>,
    /// Downloads whose pass has ended, for the manager to take.
    swept: Vec<Key>,
    /// The last pass left a file because a live download has its name.
    passed_over: bool,
    /// The name of the download that ended last, of those whose end brings a pass.
    ended_last: Option<StorePath>,
    /// The last pass had to leave the bound exceeded: what was held may have been missed.
    has_missed: bool,
    /// What the application was told last.
    told_unmet: Option<Unmet>,
    told_kept: BTreeMap<StorePath, Kept>,
    /// The work folder was asked for.
    has_folder: bool,
    /// Names whose pins were met, each once.
    pins_met: BTreeSet<StorePath>,
    /// Files that could not be removed, and are not tried again until somebody asks for a pass, or they change.
    denied: BTreeSet<StorePath>,
    /// When a file was evicted last.
    evicted_at: Option<Instant>,
    /// A download has added a file since the directory was looked at.
    has_added: bool,
    /// The unfinished files that dead processes left are to go before this pass goes on.
    wants_litter: bool,
}

/// Why a pass is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// A download has ended, and waits for it.
    Ended(Key),
    /// It was asked for.
    Asked,
    /// Room is needed for what was announced.
    Room,
    /// The directory was looked at once more before the end. It spares nothing where some files are kept anyway: of two
    /// processes that end together, each would have the file go that the other one spares.
    Last,
    /// What was held in the last pass is not any more. It spares what that pass has spared: the file of its download.
    Released,
}

/// What an unanswered action is for.
#[derive(Debug)]
enum Ask {
    Scan,
    /// The mark of ownership.
    Owner,
    Gauge {
        is_of_pass: bool,
    },
    /// The folder whose lock deletions take.
    Folder,
    Delete {
        lane: Lane,
        batch: Vec<(DeleteItem, Why)>,
    },
    /// A look at a file that was not as expected.
    Again(StorePath),
    /// The end of the scan.
    Close,
}

#[derive(Debug)]
struct Pass {
    due: Due,
    /// The clock and the disk: whether what they say is known, and still holds.
    gauged: bool,
    /// How many actions are unanswered.
    unanswered: usize,
    /// Files found changed once: the second time they are set aside.
    changed: BTreeSet<StorePath>,
    /// Files that this pass leaves alone, and why.
    aside: BTreeMap<StorePath, Kept>,
    evicted: bool,
    /// What is unfinished goes before what is complete: that was seen to.
    had_litter_removed: bool,
    /// It ends, as it was not its turn for too long.
    is_given_up: bool,
}

impl Evictor {
    /// Begins with the scan.
    pub(crate) fn new(config: LimitConfig, durability: Durability, random: u64, effects: &mut Effects) -> Self {
        let mut evictor = Self {
            limit: PersistLimit::of(&config),
            config,
            durability,
            ownership: Ownership::Scanning,
            scan: Scan::Running { id: effects.file(), asked: false },
            asked: Vec::new(),
            stopping: false,
            turn: Turn::new(Rng::new(random)),
            random,
            marks: 0,
            mark_fault: None,
            lane: effects.lane(),
            lane_beside: None,
            epoch: 0,
            pace: Pace::new(),
            due: VecDeque::new(),
            pass: None,
            swept: Vec::new(),
            passed_over: false,
            ended_last: None,
            has_missed: false,
            told_unmet: None,
            told_kept: BTreeMap::new(),
            has_folder: false,
            pins_met: BTreeSet::new(),
            denied: BTreeSet::new(),
            evicted_at: None,
            has_added: false,
            wants_litter: false,
        };
        evictor.ask(Ask::Gauge { is_of_pass: false }, effects, |ticket| FileOp::Gauge { ticket });
        evictor.scan_on(effects);
        evictor
    }

    pub(crate) const fn limit(&self) -> &PersistLimit {
        &self.limit
    }

    pub(crate) const fn limit_mut(&mut self) -> &mut PersistLimit {
        &mut self.limit
    }

    /// The directory's files may be evicted, so downloads may add to them.
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.ownership, Ownership::Ours)
    }

    pub(crate) const fn refusal(&self) -> Option<&DirectoryError> {
        match &self.ownership {
            Ownership::Refused(error) => Some(error),
            Ownership::Scanning
            | Ownership::Looking(_)
            | Ownership::Marking(_)
            | Ownership::Unmarking { .. }
            | Ownership::Ours => None,
        }
    }

    /// No pass is due, and the scan is over.
    pub(crate) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.pass.is_none() && matches!(self.scan, Scan::Complete | Scan::Broken)
    }

    /// A pass could begin.
    pub(crate) fn is_about_to_pass(&self) -> bool {
        self.is_ready() && matches!(self.scan, Scan::Complete) && self.pass.is_none() && !self.due.is_empty()
    }

    /// A pass waits until what dead processes left unfinished is removed.
    pub(crate) const fn wants_litter(&self) -> bool {
        self.wants_litter
    }

    /// It is, so that the disk has to be looked at again.
    pub(crate) fn litter_removed(&mut self) {
        if core::mem::take(&mut self.wants_litter)
            && let Some(pass) = &mut self.pass
        {
            pass.gauged = false;
        }
    }

    /// A file was evicted since then, or just before: who found the disk full then may have found it so before that.
    pub(crate) fn has_evicted_since(&self, since: Instant) -> bool {
        self.evicted_at.is_some_and(|at| since < at + JUST)
    }

    /// A download found the disk full: a pass is due that makes what room it may.
    pub(crate) fn request_room(&mut self) {
        self.due.push_back(Due::Room);
    }

    /// A download learned what stands under a name.
    pub(crate) fn seen(&mut self, path: StorePath, stat: &FileStat) {
        if self.counts(&path) {
            self.denied.remove(&path);
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
        if waiter.is_none() {
            // Somebody else may have removed them.
            for path in core::mem::take(&mut self.pins_met) {
                self.limit.set_pinned(&path, false);
            }
            self.denied.clear();
        }
        self.due.push_back(waiter.map_or(Due::Asked, Due::Ended));
    }

    /// A download ends. Where its file is there, the name is held until the program lets go of it, if that was agreed.
    pub(crate) fn ended(&mut self, path: StorePath, outcome: &Outcome, holds: bool) {
        if self.config.holds_outcomes && outcome.has_file() && holds {
            self.limit.hold(&path);
        }
        self.has_added |= matches!(outcome, Outcome::Complete(_));
        if causes_pass(outcome) {
            self.ended_last = Some(path);
        }
    }

    /// One hold of a name has ended. If the last pass had to leave the bound exceeded for it, that is made up for.
    pub(crate) fn release(&mut self, path: &StorePath) {
        self.limit.release(path);
        let is_exceeded = self.has_missed && self.limit.is_exceeded();
        let may_go = self.limit.holds(path) == (false, false) && self.limit.contains(path);
        if is_exceeded && may_go && !self.due.contains(&Due::Released) {
            self.due.push_back(Due::Released);
        }
    }

    /// Whether what is announced counts.
    pub(crate) const fn reserves(&self) -> bool {
        self.config.bounds.reserves
    }

    /// So many bytes are on their way, where so many were before: room is made for them.
    pub(crate) fn reserve(&mut self, bytes: u64, before: u64) {
        self.limit.unreserve(before);
        self.limit.reserve(bytes);
        if bytes > before && self.due.back() != Some(&Due::Room) {
            self.due.push_back(Due::Room);
        }
    }

    /// A download that caused no pass ends: is one due all the same, because the last one had to leave its file?
    pub(crate) fn owes_pass(&self) -> bool {
        self.passed_over && self.limit.is_exceeded()
    }

    /// Whether a file of that name is being deleted: whoever looks for it now may find what is about to go.
    pub(crate) fn is_deleting(&self, name: &str) -> bool {
        self.deletion_of(name).is_some()
    }

    /// The place in line behind a deletion of that name, where one is under way: who looks from there finds what it has left.
    pub(crate) fn behind_deletion(&mut self, name: &str) -> Option<(Lane, u32)> {
        let lane = self.deletion_of(name)?;
        self.epoch += 1;
        Some((lane, self.epoch))
    }

    fn deletion_of(&self, name: &str) -> Option<Lane> {
        self.asked.iter().find_map(|(_, ask)| {
            let Ask::Delete { lane, batch } = ask else { return None };
            batch.iter().any(|(item, _)| item.path.as_str() == name).then_some(*lane)
        })
    }

    /// When a pass looks again whether it is its turn.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let is_asked = self.pass.as_ref().is_some_and(|pass| pass.unanswered > 0);
        self.turn.until().filter(|_| !is_asked)
    }

    pub(crate) fn take_swept(&mut self) -> Option<Key> {
        self.swept.pop()
    }

    /// Nothing more is due, and nobody will ask: the rest of the scan is of no use.
    pub(crate) fn stop(&mut self, effects: &mut Effects) {
        self.stopping = true;
        self.due.retain(|due| *due != Due::Room);
        if !self.due.is_empty() || self.pass.is_some() {
            return;
        }
        if self.is_ready() && matches!(self.scan, Scan::Complete) && core::mem::take(&mut self.has_added) {
            return self.scan_again(effects);
        }
        self.end_scan(Scan::Broken, effects);
    }

    /// Goes on with what is due. `is_live` tells the names of live downloads, whose files are left alone.
    pub(crate) fn proceed(&mut self, now: Instant, effects: &mut Effects, mut is_live: impl FnMut(&StorePath) -> bool) {
        let broken = matches!(self.scan, Scan::Broken) || self.refusal().is_some();
        if broken && self.pass.is_none() {
            return self.give_up(effects);
        }
        if !self.is_ready() || !matches!(self.scan, Scan::Complete) {
            return;
        }
        loop {
            if self.pass.is_none() {
                let Some(due) = self.due.pop_front() else { return };
                self.passed_over = false;
                self.pass = Some(Pass::new(due));
            }
            let Some(pass) = &mut self.pass else { return };
            if pass.unanswered > 0 || !self.turn.may_try(now) {
                return;
            }
            if pass.is_given_up {
                self.end_pass(effects);
                if !self.swept.is_empty() {
                    return;
                }
                continue;
            }
            if !pass.gauged && (self.limit.needs_gauge() || self.limit.is_exceeded()) {
                pass.unanswered = 1;
                self.epoch += 1;
                self.ask(Ask::Gauge { is_of_pass: true }, effects, |ticket| FileOp::Gauge { ticket });
                return;
            }
            if self.limit.is_too_full_now() && !core::mem::replace(&mut pass.had_litter_removed, true) {
                self.wants_litter = true;
            }
            if self.wants_litter {
                return;
            }
            let passed_over = &mut self.passed_over;
            let spares_last = pass.due == Due::Released || pass.due == Due::Last && self.limit.keeps_none();
            let spared = self.ended_last.as_ref().filter(|_| spares_last);
            let mut live = BTreeSet::new();
            // Two at a time, as most of a deletion is the system's, behind a first one for whose lock the folder is asked for.
            // What a deletion frees is not known before the disk is looked at again.
            let goes_by_space = self.config.bounds.free_bytes_min > 0;
            let files = if goes_by_space { pace::FILES_MIN } else { self.pace.files() };
            let parts = if goes_by_space || !self.has_folder { 1 } else { 2 };
            let (denied, mut still_denied) = (&self.denied, Vec::new());
            let chosen = self.limit.choose(parts * files, |path| {
                let is_live = is_live(path);
                if is_live {
                    live.insert(path.clone());
                }
                *passed_over |= is_live;
                let is_aside = is_live || pass.aside.contains_key(path) || spared == Some(path);
                if !is_aside && denied.contains(path) {
                    still_denied.push(path.clone());
                }
                is_aside || denied.contains(path)
            });
            pass.aside.extend(still_denied.into_iter().map(|path| (path, Kept::Denied)));
            pass.aside.extend(live.into_iter().map(|path| (path, Kept::Downloading)));
            if !chosen.is_empty() {
                // Its lock keeps evictions of several processes apart. Where it cannot be made, there is nothing to lock.
                if !core::mem::replace(&mut self.has_folder, true) {
                    effects.work_folder_asked = true;
                    self.epoch += 1;
                    let path = StorePath::work_folder();
                    self.ask(Ask::Folder, effects, |ticket| FileOp::MakeDir { ticket, path });
                }
                self.pace.began(now, chosen.len() == parts * files);
                let mut first = chosen;
                if first.len() > files {
                    let beside = first.split_off(first.len().div_ceil(2));
                    let lane = *self.lane_beside.get_or_insert_with(|| effects.lane());
                    self.delete(lane, beside, effects);
                }
                return self.delete(self.lane, first, effects);
            }
            self.end_pass(effects);
            if !self.swept.is_empty() {
                // Who waited ends first: from then on his file is one like the others, which the next pass has to see.
                return;
            }
        }
    }

    fn delete(&mut self, lane: Lane, batch: Vec<(DeleteItem, Why)>, effects: &mut Effects) {
        let Some(pass) = &mut self.pass else { return };
        pass.unanswered += 1;
        self.epoch += 1;
        let items = batch.iter().map(|(item, _)| item.clone()).collect();
        let delete = |ticket| FileOp::Delete { ticket, items };
        let id = effects.file_op(Owner::Evictor, (lane, self.epoch), delete);
        self.asked.push((id, Ask::Delete { lane, batch }));
    }

    /// Nothing can be evicted, but whoever waits is told the end.
    fn give_up(&mut self, effects: &mut Effects) {
        for _ in self.due.iter().filter(|due| **due == Due::Asked) {
            let (files, bytes) = (self.limit.files(), self.limit.bytes());
            effects.notice(Notice::Swept { files, bytes, unmet: Some(Unmet::NotScanned), asked: true });
        }
        for due in self.due.drain(..) {
            match due {
                Due::Ended(key) => self.swept.push(key),
                Due::Asked | Due::Room | Due::Last | Due::Released => {}
            }
        }
    }

    pub(crate) fn reply(&mut self, now: Instant, action: ActionId, reply: Answer, effects: &mut Effects) {
        let Some(at) = self.asked.iter().position(|(asked, _)| *asked == action) else { return };
        let (_, ask) = self.asked.swap_remove(at);
        match ask {
            Ask::Scan => {
                if let Answer::Scan(result) = reply {
                    self.scanned(result, effects);
                }
            }
            Ask::Owner => self.owner_reply(reply, effects),
            Ask::Gauge { is_of_pass } => {
                if let Answer::Gauge(result) = reply {
                    self.gauged(result.ok(), is_of_pass);
                }
            }
            Ask::Delete { batch, .. } => {
                if let Answer::Delete(result) = reply {
                    self.deleted(now, batch, result, effects);
                }
            }
            Ask::Again(path) => {
                if let Answer::Stat(result) = reply {
                    self.looked_again(path, &result);
                }
            }
            Ask::Close | Ask::Folder => {}
        }
    }

    // A pass.

    /// Where it is not known what the clock and the disk say, the rule goes by the files alone.
    fn gauged(&mut self, gauge: Option<Gauged>, is_of_pass: bool) {
        // The answer to the first look may come behind that to a later one.
        if let Some(gauge) = gauge.filter(|_| is_of_pass || !self.limit.is_gauged()) {
            self.limit.set_gauge(gauge);
        }
        if let Some(pass) = self.pass.as_mut().filter(|_| is_of_pass) {
            pass.unanswered = 0;
            pass.gauged = true;
        }
    }

    fn deleted(
        &mut self,
        now: Instant,
        batch: Vec<(DeleteItem, Why)>,
        result: Result<Vec<Deleted>, Fault>,
        effects: &mut Effects,
    ) {
        let Some(pass) = &mut self.pass else { return };
        pass.unanswered = pass.unanswered.saturating_sub(1);
        let mut kept_others_waiting = false;
        let is_ours = result.as_ref().is_ok_and(|answers| !answers.contains(&Deleted::Locked));
        if is_ours {
            self.turn.had();
            pass.is_given_up = false;
            kept_others_waiting = pass.unanswered == 0 && self.pace.ended(now);
        }
        // What is free has changed.
        pass.gauged = self.config.bounds.free_bytes_min == 0;
        let answers = match result {
            Ok(answers) => answers,
            Err(fault) => {
                // Some of them may be gone.
                if let Some((item, _)) = batch.first() {
                    let warning = Warning::NotEvicted { path: item.path.clone(), fault };
                    effects.notice(Notice::Warning(warning));
                }
                Vec::new()
            }
        };
        let (mut answers, mut is_locked) = (answers.into_iter(), false);
        for (DeleteItem { path, .. }, why) in batch {
            let Some(pass) = &mut self.pass else { return };
            match answers.next() {
                Some(Deleted::Deleted) => {
                    if let Some(length) = self.limit.deleted(&path) {
                        pass.evicted = true;
                        self.evicted_at = Some(now);
                        effects.notice(Notice::Evicted { path, length, why });
                    }
                }
                Some(Deleted::Gone) => {
                    self.limit.forget(&path);
                }
                Some(Deleted::Busy) => {
                    pass.aside.insert(path, Kept::InUse);
                }
                // It is chosen again when it is our turn, unless the other one has removed it.
                Some(Deleted::Locked) => is_locked = true,
                Some(Deleted::Pinned) => {
                    self.limit.set_pinned(&path, true);
                    self.pins_met.insert(path.clone());
                    pass.aside.insert(path, Kept::Pinned);
                }
                Some(Deleted::Denied(fault)) => {
                    effects.notice(Notice::Warning(Warning::NotEvicted { path: path.clone(), fault }));
                    pass.aside.insert(path.clone(), Kept::Denied);
                    self.denied.insert(path);
                }
                answer @ (Some(Deleted::Changed) | None) => {
                    if answer.is_none() || !pass.changed.insert(path.clone()) {
                        pass.aside.insert(path.clone(), Kept::Changed);
                    }
                    pass.unanswered += 1;
                    self.epoch += 1;
                    let name = path.clone();
                    self.ask(Ask::Again(path), effects, |ticket| FileOp::Stat { ticket, path: name });
                }
            }
        }
        if is_locked {
            self.locked_out(now, effects);
        } else if kept_others_waiting && self.limit.is_exceeded() {
            self.turn.rest(now);
        }
    }

    /// Another process evicts here.
    fn locked_out(&mut self, now: Instant, effects: &mut Effects) {
        let (is_news, is_awaited) = self.turn.missed(now);
        if is_news {
            effects.notice(Notice::EvictionWaits);
        }
        if let Some(pass) = &mut self.pass {
            pass.is_given_up = !is_awaited;
        }
    }

    fn looked_again(&mut self, path: StorePath, result: &Result<Option<FileStat>, Fault>) {
        let Some(pass) = &mut self.pass else { return };
        pass.unanswered = pass.unanswered.saturating_sub(1);
        match result {
            Ok(Some(stat)) => self.limit.register(path, stat),
            Ok(None) => {
                self.limit.forget(&path);
            }
            Err(_) => {
                pass.aside.insert(path, Kept::Changed);
            }
        }
    }

    fn end_pass(&mut self, effects: &mut Effects) {
        let Some(pass) = self.pass.take() else { return };
        if !pass.is_given_up {
            // What another process had in hand is over: the next one is news.
            self.turn.had();
        }
        self.tell_kept(pass.aside, effects);
        self.has_missed = self.limit.is_exceeded();
        let unmet = if self.has_missed {
            Some(if pass.is_given_up { Unmet::Locked } else { Unmet::InUse })
        } else {
            self.limit.is_unmet().then_some(Unmet::FileLimit)
        };
        let asked = pass.due == Due::Asked;
        if pass.evicted || asked || unmet != self.told_unmet {
            self.told_unmet = unmet;
            effects.notice(Notice::Swept { files: self.limit.files(), bytes: self.limit.bytes(), unmet, asked });
        }
        match pass.due {
            Due::Ended(key) => self.swept.push(key),
            Due::Asked | Due::Room | Due::Last | Due::Released => {}
        }
    }

    /// Tells of files that should have gone, each once until that changes.
    fn tell_kept(&mut self, aside: BTreeMap<StorePath, Kept>, effects: &mut Effects) {
        for (path, why) in &aside {
            let length = self.limit.length(path);
            // That a download works on its own file is no news.
            let is_news = *why != Kept::Downloading && self.told_kept.get(path) != Some(why);
            if let Some(length) = length.filter(|_| is_news) {
                effects.notice(Notice::Kept { path: path.clone(), length, why: *why });
            }
        }
        self.told_kept = aside;
    }

    fn ask<O: Kinded>(&mut self, ask: Ask, effects: &mut Effects, op: impl FnOnce(Ticket<O>) -> FileOp) {
        let id = effects.file_op(Owner::Evictor, (self.lane, self.epoch), op);
        self.asked.push((id, ask));
    }

    fn owner_op<O: Kinded>(&mut self, effects: &mut Effects, op: impl FnOnce(Ticket<O>) -> FileOp) {
        self.ask(Ask::Owner, effects, op);
    }
}

/// Whether a pass is due at this end: a file that was there already is none that was added.
pub(crate) const fn causes_pass(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Present { .. })
}

impl Pass {
    const fn new(due: Due) -> Self {
        Self {
            due,
            gauged: false,
            unanswered: 0,
            changed: BTreeSet::new(),
            aside: BTreeMap::new(),
            evicted: false,
            had_litter_removed: false,
            is_given_up: false,
        }
    }
}
