//! One download: all of its states, and all transitions between them.
//!
//! ```text
//!             slot            nothing there, claimed         a body                  last byte
//!   Queued ---------> Checking ----------------> Connecting -------> Receiving ---------------> Verifying
//!     ^  ^             |  |  all bytes are there  |   ^  |            (Rewinding first,             | written, right
//!     |  |             |  +----------> Verifying  |   |  | hop         where it starts over)       v
//!     |  |             | a file is there          |   |  v               |                      Publishing
//!     |  |             v                          |  Redirecting          | fault                  | named
//!     |  |     Draining(Present)                  v                       v                        v
//!     |  +---- Draining(Follow) <---- a hop, no use of the rest     Draining(Retry | Failed)    Draining(Complete | Present)
//!     |                                                                   |
//!     +---------- Waiting <---- Draining(Wait): the name is locked <------+
//!     +------- MakingRoom <---- Draining(MakeRoom): the disk is full <----+
//!
//!   where the server names the file: Queued ---> Connecting ---> Checking ---> Receiving
//!   from Queued to Verifying and Waiting: cancel ---> Draining(Canceled)
//!   Draining ---> Evicting ---> Gone, once nothing is held and no action is unanswered
//! ```
//!
//! By phase, where `Redirecting` counts as `Connecting`, `Rewinding` as `Receiving`, `MakingRoom` as `Waiting` and `Gone` as
//! `Evicting` (each step is checked against this table, and the table against the code's):
//!
//! | From | To |
//! |---|---|
//! | Queued | Checking, Connecting, Verifying, Publishing, Draining, Evicting |
//! | Checking | Connecting, Receiving, Verifying, Publishing, Draining, Evicting |
//! | Connecting | Checking, Receiving, Draining |
//! | Receiving | Verifying, Publishing, Draining |
//! | Verifying | Publishing, Draining |
//! | Publishing | Draining |
//! | Waiting | Queued, Draining, Evicting |
//! | Draining | Queued, Waiting, Evicting |
//!
//! What a download holds stands beside its state, in fields whose `take` issues the closer, so that each is closed once;
//! `unanswered == 0` is the only way out of `Draining`. The unfinished file may be held while it waits: `partial.rs`.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use url::Url;

use crate::action::{Chunk, DeleteItem, Expect, FileKind, FileStat, Head};
use crate::arena::Key;
use crate::backoff::Attempts;
use crate::effects::{Effects, Role};
use crate::evict::Evictor;
use crate::gather::Gather;
use crate::meter::Meter;
use crate::origin::{Origin, Target};
use crate::planted::Planted;
use crate::queue::{Place, Queues};
use crate::reply::{self, Announced, Verdict};
use crate::resume::{Known, Resumed};
use crate::rivals::Rivals;
use crate::rng::Rng;
use crate::stall::StallClock;
use crate::ticket::Answer;
use crate::{
    ActionId, BootId, Complete, Config, Digest, Digests, DirectoryError, DownloadError, DownloadId, Durability, Fault,
    FaultKind, FileName, FileOp, FileStep, IfPresent, Instant, Lane, NetOp, Notice, Outcome, Progress, Published,
    Request, Stamp, StorePath, TimeoutKind,
};

mod checkpoint;
mod edges;
mod holdings;
mod partial;
mod queries;
mod state;

use holdings::{Body, Compared, Transfer};
use partial::{Fate, Partial, RecordState, Rewound};
use queries::{is_gone, is_published_as, is_skipped};
use state::{Checking, Claim, Publishing, Round};
pub(crate) use state::{State, Then};

/// How often a name that is taken and free again in turn is tried.
const RENAMES_MAX: u32 = 8;
/// How often an unfinished file that is taken away at the same moment is made anew.
const CLAIMS_MAX: u32 = 8;
/// Who waits for another process looks again after this time, ...
const LOCK_POLL_MIN: Duration = Duration::from_millis(50);
/// ... and up to so much more.
const LOCK_POLL_JITTER: Duration = Duration::from_millis(950);

/// What happens to a download.
#[derive(Debug)]
pub(crate) enum Input {
    /// It has a slot of this origin, alone if it is to find out whether that is there.
    Granted {
        origin: Origin,
        is_probe: bool,
    },
    /// The directory may not be used.
    Refused(DirectoryError),
    /// What is unfinished may be kept for a later run.
    Cancel {
        keeps: bool,
    },
    Timer,
    Connected(ActionId),
    Reply(Role, ActionId, Answer),
    /// The origin that it waits for is not there.
    Dead(DownloadError),
    /// The pass of eviction that it waited for has ended.
    Swept,
    /// What dead processes left is removed, if there was anything.
    RoomMade(bool),
}

/// What a transition can use.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) effects: &'a mut Effects,
    pub(crate) queues: &'a mut Queues,
    /// Locks work in this directory.
    pub(crate) locks: bool,
    /// The start of the machine.
    pub(crate) boot: Option<BootId>,
    /// The names of live downloads.
    pub(crate) names: &'a BTreeMap<FileName, Rivals>,
    /// The value of `User-Agent`.
    pub(crate) user_agent: Option<&'a HeaderValue>,
    /// The directory has a limit that is enforced.
    pub(crate) bounded: bool,
    /// A file that is longer than this can never fit, where there is such a bound.
    pub(crate) room_max: Option<u64>,
    /// Who may just be deleting a name's file.
    pub(crate) evictor: Option<&'a mut Evictor>,
}

#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) id: DownloadId,
    key: Key,
    /// Its file's name; until the server has given one, what it may be.
    pub(crate) name: FileName,
    pub(crate) is_named: bool,
    pub(crate) request: Request,
    pub(crate) state: State,
    /// Where it waits for a slot: kept by the manager.
    pub(crate) place: Option<(Origin, Place)>,
    pub(crate) armed: Option<Instant>,
    pub(crate) unanswered: u32,

    /// The origin that it waits for was found dead: it looks whether the file is there, and no further.
    doomed: Option<DownloadError>,
    /// Its URL without the query, where that is not to be shown.
    pub(crate) shown: Option<Box<Url>>,
    /// Where the next request goes.
    hop: Target,
    redirects: u32,
    /// The status of the last reply that led to another request.
    followed_status: u16,
    requests: u32,
    attempts: Attempts,
    whole_deadline: Option<Instant>,
    rng: Rng,
    /// The last progress told.
    told: Progress,
    /// The server is asked for the rest by `If-Range`.
    if_range: bool,
    /// How long the server asked to be left alone.
    retry_after: Option<Duration>,
    /// A file that was fetched had another digest than it should.
    mismatched: bool,
    /// Since when somebody else has the name's lock.
    locked_since: Option<Instant>,
    /// The file system has changed its mind about locks.
    lacks_locks: bool,
    /// It is waited for the lock: whether that is free is found out without opening the file for writing.
    only_looks: bool,
    /// It has an unfinished file that no other process knows of.
    stands_alone: bool,
    /// How often the unfinished file was made or found in this attempt.
    claims: u32,
    /// What is unfinished is kept although it was canceled.
    keeps_partial: bool,
    /// It had room made for it, which is done once.
    had_room_made: bool,

    // What it holds.
    slot: Option<Origin>,
    /// It asks alone whether the origin is there.
    is_probe: bool,
    body: Option<Body>,
    /// `DropBody` is unanswered: the slot is held until then.
    dropping: bool,
    partial: Option<Box<Partial>>,
    compared: Option<Compared>,
    transfer: Option<Box<Transfer>>,
    /// What the reply says that has named the file, while it is found out whether its body is wanted.
    awaiting: Option<Box<Announced>>,

    lane: Lane,
    epoch: u32,
    /// The `MakeDir` of the work folder.
    making_work_folder: Option<ActionId>,
    /// The files whose `Delete` is unanswered.
    removing: Vec<(ActionId, StorePath)>,
}

/// What a state decides by, after what it says of the holdings was noted.
enum Step {
    Granted,
    Timer,
    Swept,
    Net(Net),
    File(File),
}

/// News of the exchange.
enum Net {
    Connected(ActionId),
    Head(Result<Box<Head>, Fault>),
    Chunk(Result<Chunk, Fault>),
    Dropped,
}

/// News of the files.
enum File {
    Done,
    Faulted(FileStep, Fault),
    Looked(ActionId, Result<Option<FileStat>, Fault>),
    Touched(Result<Stamp, Fault>),
    Renamed(Result<(), Fault>),
    DirectorySynced(Result<(), Fault>),
    /// What was read of the record.
    Record(Result<Bytes, Fault>),
    /// The file that is there already was hashed further.
    Hashed(Result<Digests, Fault>),
}

impl Download {
    /// Takes an input. Returns the slot that it no longer needs.
    pub(crate) fn on(&mut self, input: Input, cx: &mut Context<'_>) -> Option<Origin> {
        let before = self.phase();
        let state = core::mem::replace(&mut self.state, State::Gone(Outcome::Canceled));
        let next = match input {
            Input::Cancel { keeps } => {
                self.keeps_partial = keeps;
                self.cancel(state, cx)
            }
            Input::Refused(error) => self.refuse(state, error, cx),
            Input::Timer if state.is_timed() && self.is_overdue(cx) => {
                self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx)
            }
            Input::Timer => self.step(state, Step::Timer, cx),
            Input::Swept => self.step(state, Step::Swept, cx),
            Input::RoomMade(made) => self.room_made(state, made, cx),
            Input::Connected(fetch) => self.step(state, Step::Net(Net::Connected(fetch)), cx),
            Input::Granted { origin, is_probe } => {
                self.slot = Some(origin);
                self.is_probe = is_probe;
                self.step(state, Step::Granted, cx)
            }
            Input::Reply(role, action, reply) => {
                let step = self.note(role, action, reply, cx);
                self.step(state, step, cx)
            }
            Input::Dead(error) => self.dead(state, error, cx),
        };
        // What stood there meanwhile has nothing to be dropped.
        core::mem::forget(core::mem::replace(&mut self.state, next));
        debug_assert!(edges::is_edge(before, self.phase()), "{before:?} -> {:?}", self.phase());
        if self.needs_slot() { None } else { self.slot.take() }
    }

    fn step(&mut self, state: State, step: Step, cx: &mut Context<'_>) -> State {
        match state {
            State::Queued => self.queued(&step, cx),
            State::Checking(checking) => self.checking(checking, step, cx),
            State::Connecting { deadline, connected } => self.connecting(deadline, connected, step, cx),
            State::Redirecting { left, deadline } => self.redirecting(left, deadline, step, cx),
            State::Rewinding(announced) => self.rewinding(announced, &step, cx),
            State::Receiving => self.receiving(step, cx),
            State::Verifying => self.verifying(step, cx),
            State::Publishing(publishing) => self.publishing(publishing, step, cx),
            State::Waiting { until } => Self::waiting(until, &step, cx),
            State::MakingRoom(error) => State::MakingRoom(error),
            State::Draining(then) => self.draining(then, step, cx),
            State::Evicting(outcome) => Self::evicting(outcome, &step),
            State::Gone(outcome) => State::Gone(outcome),
        }
    }

    /// Whoever can no longer be canceled is told so by the manager, and stays as he is.
    fn cancel(&mut self, state: State, cx: &mut Context<'_>) -> State {
        match state {
            State::Queued
            | State::Checking(_)
            | State::Connecting { .. }
            | State::Redirecting { .. }
            | State::Rewinding(_)
            | State::Receiving
            | State::Verifying
            | State::Waiting { .. }
            | State::MakingRoom(_) => self.drain(Then::Finish(Outcome::Canceled), cx),
            State::Draining(Then::Retry { .. } | Then::Follow { .. } | Then::Wait { .. } | Then::MakeRoom(_)) => {
                self.drained(Then::Finish(Outcome::Canceled), cx)
            }
            State::Draining(Then::Finish(_)) | State::Publishing(_) | State::Evicting(_) | State::Gone(_) => state,
        }
    }

    /// Nothing is granted before the directory is accepted, so only who is queued can be refused.
    fn refuse(&mut self, state: State, error: DirectoryError, cx: &mut Context<'_>) -> State {
        if let State::Queued = state {
            return self.drain(Then::Finish(Outcome::Failed(DownloadError::Directory(error))), cx);
        }
        state
    }

    /// Who waits for another attempt has none; who waits for his first one looks for the file all the same.
    fn dead(&mut self, state: State, error: DownloadError, cx: &mut Context<'_>) -> State {
        match state {
            State::Queued if self.partial.is_none() => {
                self.doomed = Some(error);
                state
            }
            State::Queued | State::Waiting { .. } => self.drain(Then::Finish(Outcome::Failed(error)), cx),
            State::Checking(_)
            | State::Connecting { .. }
            | State::Redirecting { .. }
            | State::Rewinding(_)
            | State::Receiving
            | State::Verifying
            | State::Publishing(_)
            | State::MakingRoom(_)
            | State::Draining(_)
            | State::Evicting(_)
            | State::Gone(_) => state,
        }
    }

    /// Who waits for room tries once more where there is some, and ends where there is none.
    fn room_made(&mut self, state: State, made: bool, cx: &mut Context<'_>) -> State {
        let State::MakingRoom(cause) = state else { return state };
        if !made {
            return Self::ended(Outcome::Failed(cause), cx);
        }
        let attempt = self.attempts.failures() + 1;
        cx.effects.notice(Notice::Retrying { id: self.id, attempt, delay: Duration::ZERO, cause });
        State::Queued
    }

    // The states, in the order of a life.

    fn queued(&mut self, step: &Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Granted if self.partial.is_some() => self.ask_for_rest(cx),
            Step::Granted => {
                self.whole_deadline = self.whole_deadline.or_else(|| Some(cx.now + cx.config.timeout?));
                match (self.is_named, self.doomed.take()) {
                    (true, doomed) => {
                        self.doomed = doomed;
                        self.look(cx)
                    }
                    // Its file cannot be looked for.
                    (false, Some(error)) => self.drain(Then::Finish(Outcome::Failed(error)), cx),
                    (false, None) => self.connect(cx),
                }
            }
            Step::Timer | Step::Swept | Step::Net(_) | Step::File(_) => State::Queued,
        }
    }

    fn look(&mut self, cx: &mut Context<'_>) -> State {
        let path = StorePath::from(&self.name);
        self.epoch += 1;
        // A name that was just given by the server may be under way to be evicted: what is about to go is not there.
        let behind = cx.evictor.as_mut().and_then(|evictor| evictor.behind_deletion(self.name.as_str()));
        let place = behind.unwrap_or((self.lane, self.epoch));
        self.file_op_in(place, Role::Main, cx, |ticket| FileOp::Stat { ticket, path });
        State::Checking(Checking::Looking)
    }

    fn checking(&mut self, checking: Checking, step: Step, cx: &mut Context<'_>) -> State {
        let Step::File(news) = step else { return State::Checking(checking) };
        match checking {
            Checking::Looking => {
                let File::Looked(_, result) = news else { return State::Checking(Checking::Looking) };
                match result {
                    Ok(Some(stat)) => self.found(stat, cx),
                    Ok(None) => self.not_there(cx),
                    Err(fault) => self.fail(DownloadError::File { step: FileStep::Look, fault }, cx),
                }
            }
            Checking::Comparing(stat) => self.comparing(stat, news, cx),
            Checking::Touching(stat) => {
                let File::Touched(touched) = news else { return State::Checking(Checking::Touching(stat)) };
                if is_gone(&touched) { self.not_there(cx) } else { self.present(stat, touched, cx) }
            }
            Checking::Claiming(claim) => self.claiming(claim, news, cx),
            Checking::Reading(mut record) => {
                if let File::Record(result) = news {
                    // The fault of the Open says more than that the rest was skipped.
                    let is_skipped = matches!(&result, Err(fault) if fault.kind() == FaultKind::Skipped);
                    if !is_skipped || record.is_none() {
                        record = Some(result);
                    }
                }
                if self.unanswered > 0 {
                    return State::Checking(Checking::Reading(record));
                }
                match record {
                    Some(Ok(record)) => self.adopt(&record, cx),
                    Some(Err(fault)) if matches!(fault.kind(), FaultKind::NotFound | FaultKind::WrongType) => {}
                    // That it cannot be read now does not make it wrong.
                    Some(Err(fault)) => return self.fail(DownloadError::File { step: FileStep::Look, fault }, cx),
                    None => {}
                }
                self.take_back(cx)
            }
            Checking::Rewinding => self.take_back(cx),
        }
    }

    /// Something has the name.
    fn found(&mut self, stat: FileStat, cx: &mut Context<'_>) -> State {
        if stat.kind != FileKind::Regular {
            return self.fail(DownloadError::NotAFile { name: self.name.clone(), kind: stat.kind }, cx);
        }
        if self.request.checksum.is_some() {
            self.compare(stat.length, cx);
            return State::Checking(Checking::Comparing(stat));
        }
        match self.request.if_present {
            IfPresent::Skip => {
                self.touch(cx);
                State::Checking(Checking::Touching(stat))
            }
            IfPresent::Replace => self.not_there(cx),
        }
    }

    fn comparing(&mut self, stat: FileStat, news: File, cx: &mut Context<'_>) -> State {
        let (Some(compared), Some(expected)) = (&self.compared, self.request.checksum) else {
            return State::Checking(Checking::Comparing(stat));
        };
        let result = if let File::Hashed(result) = news {
            result
        } else if let File::Faulted(FileStep::Hash, fault) = news {
            Err(fault)
        } else {
            return State::Checking(Checking::Comparing(stat));
        };
        match result {
            Ok(_) if compared.hashed < stat.length => {
                self.compare_on(stat.length, cx);
                State::Checking(Checking::Comparing(stat))
            }
            Ok(digests) => {
                self.close_compared(cx);
                match digests.get(expected.algorithm()) {
                    Some(actual) if *actual == expected => {
                        self.touch(cx);
                        State::Checking(Checking::Touching(stat))
                    }
                    Some(_) | None if self.clobbers() => self.not_there(cx),
                    Some(actual) => {
                        let name = self.name.clone();
                        let (expected, actual) = (Box::new(expected), Box::new(*actual));
                        self.fail(DownloadError::PresentMismatch { name, expected, actual }, cx)
                    }
                    None => {
                        let fault = Fault::new(FaultKind::Unsupported);
                        self.fail(DownloadError::File { step: FileStep::Hash, fault }, cx)
                    }
                }
            }
            Err(fault) if fault.kind() == FaultKind::NotFound => {
                self.close_compared(cx);
                self.not_there(cx)
            }
            // The fault of the Open says more.
            Err(fault) if fault.kind() == FaultKind::Skipped => State::Checking(Checking::Comparing(stat)),
            Err(fault) => self.fail(DownloadError::File { step: FileStep::Hash, fault }, cx),
        }
    }

    /// No file has the name, or one that is to be replaced.
    fn not_there(&mut self, cx: &mut Context<'_>) -> State {
        if let Some(error) = self.doomed.take() {
            return self.drain(Then::Finish(Outcome::Failed(error)), cx);
        }
        if self.partial.is_some() { self.claimed(cx) } else { self.begin_claim(cx) }
    }

    fn begin_claim(&mut self, cx: &mut Context<'_>) -> State {
        self.claims += 1;
        let look = self.claim(cx);
        State::Checking(Checking::Claiming(Box::new(Claim { look, ..Claim::default() })))
    }

    fn claiming(&mut self, mut claim: Box<Claim>, news: File, cx: &mut Context<'_>) -> State {
        if let File::Looked(action, result) = news {
            let place = if claim.look == Some(action) { &mut claim.there } else { &mut claim.record_there };
            *place = Some(result);
        } else if let File::Faulted(step, fault) = news
            && fault.kind() != FaultKind::Skipped
        {
            claim.failed.get_or_insert((step, fault));
        }
        if self.unanswered > 0 {
            return State::Checking(Checking::Claiming(claim));
        }
        if let Some((step, fault)) = claim.failed {
            return self.not_claimed(step, fault, cx);
        }
        if core::mem::take(&mut self.only_looks) {
            // Who had it is gone, and what it left is gone on with.
            self.release(true, cx);
            return self.begin_claim(cx);
        }
        self.record_looked_for(matches!(claim.record_there, Some(Ok(None)) | None));
        self.locked_since = None;
        match claim.there {
            Some(Ok(Some(stat))) => self.found(stat, cx),
            Some(Err(fault)) => self.fail(DownloadError::File { step: FileStep::Look, fault }, cx),
            Some(Ok(None)) | None => self.claimed(cx),
        }
    }

    /// The unfinished file is not ours.
    fn not_claimed(&mut self, step: FileStep, fault: Fault, cx: &mut Context<'_>) -> State {
        let only_looks = core::mem::take(&mut self.only_looks);
        match (step, fault.kind()) {
            (FileStep::Lock, FaultKind::Busy) => return self.locked_out(cx),
            // Who had it has published or removed it: is there a file of the name now?
            (FileStep::Create, FaultKind::NotFound) if only_looks => {
                self.release(true, cx);
                return self.look(cx);
            }
            // It was published or removed at the same moment, or the work folder was, which another process found empty.
            (FileStep::Lock, FaultKind::Changed) | (FileStep::Create, FaultKind::NotFound)
                if self.claims < CLAIMS_MAX => {}
            // What stands there is nobody's unfinished file.
            (FileStep::Create, FaultKind::WrongType | FaultKind::Denied) | (FileStep::Lock, FaultKind::WrongType)
                if !self.stands_alone =>
            {
                self.stands_alone = true;
            }
            (FileStep::Lock, FaultKind::Unsupported) => {
                self.stands_alone = true;
                self.lacks_locks = true;
            }
            _ => return self.fail(DownloadError::File { step, fault }, cx),
        }
        self.release(false, cx);
        self.begin_claim(cx)
    }

    /// Somebody else is fetching this name. He is waited for without a slot, and for some time only.
    fn locked_out(&mut self, cx: &mut Context<'_>) -> State {
        if cx.config.makes(Planted::LockIgnored)
            && let Some(partial) = self.partial.as_deref_mut()
        {
            partial.lock = partial::Lock::Held;
            return self.claimed(cx);
        }
        if let Some(path) = self.partial.as_deref().map(|partial| partial.path.clone())
            && cx.config.makes(Planted::OthersRemoved)
        {
            self.epoch += 1;
            self.remove(path, cx);
        }
        if self.locked_since.is_none() {
            cx.effects.notice(Notice::Locked { id: self.id });
        }
        let since = *self.locked_since.get_or_insert(cx.now);
        let deadline = since + cx.config.lock_wait;
        if deadline <= cx.now {
            self.stands_alone = true;
            self.release(false, cx);
            return self.begin_claim(cx);
        }
        self.only_looks = !self.stands_alone;
        let until = cx.now + (LOCK_POLL_MIN + self.rng.up_to(LOCK_POLL_JITTER));
        self.claims = 0;
        self.drain(Then::Wait { until: until.min(deadline) }, cx)
    }

    /// The unfinished file is ours. What does an earlier run's hold?
    fn claimed(&mut self, cx: &mut Context<'_>) -> State {
        let Some(partial) = self.partial.as_deref() else { return self.begin_claim(cx) };
        // What was found wrong, and could not be removed, is not gone on with.
        let is_left = partial.disk_length > 0 && partial.record != RecordState::Absent && !self.mismatched;
        if is_left && partial.is_untouched && cx.config.resume == crate::Resume::AcrossRuns {
            self.read_record(cx);
            return State::Checking(Checking::Reading(None));
        }
        self.take_back(cx)
    }

    /// Takes back what cannot be kept, then asks for the rest.
    fn take_back(&mut self, cx: &mut Context<'_>) -> State {
        match self.rewind(cx) {
            Rewound::Working => State::Checking(Checking::Rewinding),
            Rewound::Failed(error) => self.fail(error, cx),
            Rewound::Done => self.ask_for_rest(cx),
        }
    }

    fn ask_for_rest(&mut self, cx: &mut Context<'_>) -> State {
        if let Some(announced) = self.awaiting.take() {
            return self.take_or_go_on(announced, cx);
        }
        match self.partial.as_deref().map(|partial| (partial.length, partial.known.total)) {
            Some((length, Some(total))) if length == total && length > 0 => self.complete_already(total, cx),
            Some(_) | None => self.connect(cx),
        }
    }

    /// The reply that has named the file is a whole one: it is taken, unless an earlier run left a part of that version.
    fn take_or_go_on(&mut self, announced: Box<Announced>, cx: &mut Context<'_>) -> State {
        let Some(partial) = self.partial.as_deref().filter(|partial| partial.length > 0) else {
            return self.receive(*announced, cx);
        };
        if partial.known == announced.known && partial.known.is_resumable() {
            self.followed_status = 200;
            return self.drain(Then::Follow { rewinds: false }, cx);
        }
        self.forget_bytes();
        self.awaiting = Some(announced);
        self.take_back(cx)
    }

    /// All bytes are there: nothing is asked of the server.
    fn complete_already(&mut self, total: u64, cx: &mut Context<'_>) -> State {
        if let Err(error) = reply::check_length(Some(total), cx.config).and_then(|()| cx.check_room(total)) {
            return self.fail(error, cx);
        }
        let known = self.partial.as_deref().map_or(Known::default(), |partial| partial.known.clone());
        let announced = Announced { length: Some(total), end: Some(total), known, ..Announced::default() };
        self.begin_transfer(announced, total, cx);
        self.received(cx)
    }

    fn connect(&mut self, cx: &mut Context<'_>) -> State {
        let requests_max = cx.config.requests_max;
        if self.requests >= requests_max.max(1) {
            // Only what follows a reply, or a file that took the name for a moment, comes here: other attempts end before they
            // wait for another.
            let cause = Box::new(match self.followed_status {
                0 => DownloadError::Publish { fault: Fault::new(FaultKind::Exists), published: Published::No },
                status @ 300..=399 => DownloadError::Status { status },
                _ => DownloadError::BadReply("it does not go on where the file ends".into()),
            });
            return self.fail(DownloadError::TooManyRequests { requests_max, cause }, cx);
        }
        self.requests += 1;
        self.claims = 0;
        let asks_for_rest = self.asked().is_some();
        let request = Box::new(self.build_request(cx.user_agent));
        let (id, lane) = (cx.effects.body(), cx.effects.lane());
        let fetch = self.net(cx, lane, |ticket| NetOp::Fetch { ticket, body: id, request });
        self.body = Some(Body { id, lane, fetch, asks_for_rest });
        State::Connecting { deadline: cx.now + cx.config.connect_timeout, connected: false }
    }

    fn connecting(&mut self, deadline: Instant, connected: bool, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Net(Net::Connected(fetch)) if !connected && self.is_fetched_by(fetch) => {
                self.is_connected(cx);
                State::Connecting { deadline: cx.now + cx.config.first_byte_timeout, connected: true }
            }
            Step::Net(Net::Head(Ok(head))) => {
                self.is_connected(cx);
                self.answered(&head, cx)
            }
            Step::Net(Net::Head(Err(fault))) => self.fail(DownloadError::Network(fault), cx),
            Step::Timer if deadline <= cx.now => {
                let kind = if connected { TimeoutKind::FirstByte } else { TimeoutKind::Connect };
                self.fail(DownloadError::Timeout(kind), cx)
            }
            Step::Net(Net::Connected(_) | Net::Chunk(_) | Net::Dropped)
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::File(_) => State::Connecting { deadline, connected },
        }
    }

    /// A reply has begun.
    fn answered(&mut self, head: &Head, cx: &mut Context<'_>) -> State {
        self.retry_after = reply::retry_after(head, cx.config);
        let asks_for_rest = self.body.as_ref().is_some_and(|body| body.asks_for_rest);
        let resumed =
            self.asked().filter(|_| asks_for_rest).map_or(Resumed::Other, |asked| asked.judge_by(head, cx.config));
        match resumed {
            Resumed::Append { end, total } => match reply::announced_part(head, end, total, cx.config) {
                Ok(announced) => self.receive(announced, cx),
                Err(error) => self.fail(error, cx),
            },
            Resumed::StartOver => {
                self.followed_status = head.status.as_u16();
                self.forget_bytes();
                self.drain(Then::Follow { rewinds: true }, cx)
            }
            Resumed::AskWithoutIfRange => {
                self.followed_status = head.status.as_u16();
                self.if_range = false;
                self.drain(Then::Follow { rewinds: false }, cx)
            }
            Resumed::Whole | Resumed::Other => match reply::judge(head, &self.hop.url, cx.config) {
                Ok(Verdict::Take(announced)) if !self.is_named => self.take_name(announced, cx),
                Ok(Verdict::Take(announced)) => {
                    self.forget_bytes();
                    match self.rewind(cx) {
                        Rewound::Working => State::Rewinding(Box::new(announced)),
                        Rewound::Failed(error) => self.fail(error, cx),
                        Rewound::Done => self.receive(announced, cx),
                    }
                }
                Ok(Verdict::Follow { target, body_length }) => {
                    self.followed_status = head.status.as_u16();
                    self.redirect(target, body_length, cx)
                }
                Err(error) => self.fail(error, cx),
            },
        }
    }

    /// The file is named now, and its name looked for like any other.
    fn take_name(&mut self, announced: Announced, cx: &mut Context<'_>) -> State {
        let name = match &announced.name {
            Some(text) => FileName::from_suggestion(text),
            None => FileName::from_url(self.request.url()),
        };
        let name = match name {
            Ok(name) => name,
            Err(error) => return self.fail(DownloadError::Name(error), cx),
        };
        if cx.names.contains_key(&name) {
            return self.fail(DownloadError::NameTaken { name }, cx);
        }
        cx.effects.notice(Notice::Named { id: self.id, name: name.clone() });
        self.name = name;
        self.is_named = true;
        self.awaiting = Some(Box::new(announced));
        self.look(cx)
    }

    /// A reply leads elsewhere. Its own body is read where it is short, so that the connection can be used again.
    fn redirect(&mut self, target: Target, body_length: Option<u64>, cx: &mut Context<'_>) -> State {
        let redirects_max = cx.config.redirects_max;
        if self.redirects >= redirects_max {
            return self.fail(DownloadError::TooManyRedirects { redirects_max }, cx);
        }
        self.redirects += 1;
        cx.effects.notice(Notice::Redirected { id: self.id, to: cx.config.shown(&target.url) });
        self.hop = target;
        let left = cx.config.redirect_body_bytes_max;
        if body_length.is_some_and(|length| length > left) || left == 0 {
            return self.drain(Then::Follow { rewinds: false }, cx);
        }
        self.read_body(left, cx);
        State::Redirecting { left, deadline: cx.now + cx.config.first_byte_timeout }
    }

    fn redirecting(&mut self, left: u64, deadline: Instant, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Net(Net::Chunk(Ok(chunk))) => {
                let left = left.saturating_sub(chunk.data.len() as u64);
                if chunk.last || left == 0 {
                    return self.drain(Then::Follow { rewinds: false }, cx);
                }
                self.read_body(left, cx);
                State::Redirecting { left, deadline }
            }
            Step::Net(Net::Chunk(Err(_))) => self.drain(Then::Follow { rewinds: false }, cx),
            Step::Timer if deadline <= cx.now => self.drain(Then::Follow { rewinds: false }, cx),
            Step::Net(Net::Connected(_) | Net::Head(_) | Net::Dropped)
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::File(_) => State::Redirecting { left, deadline },
        }
    }

    /// The reply's body is the whole file: takes back what the unfinished one holds, then takes the body.
    fn rewinding(&mut self, announced: Box<Announced>, step: &Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::File(_) => match self.rewind(cx) {
                Rewound::Working => State::Rewinding(announced),
                Rewound::Failed(error) => self.fail(error, cx),
                Rewound::Done => self.receive(*announced, cx),
            },
            Step::Granted | Step::Timer | Step::Swept | Step::Net(_) => State::Rewinding(announced),
        }
    }

    fn receive(&mut self, announced: Announced, cx: &mut Context<'_>) -> State {
        if let Some(Err(error)) = announced.length.map(|length| cx.check_room(length)) {
            return self.fail(error, cx);
        }
        let offset = self.partial.as_deref().map_or(0, |partial| partial.length);
        if let Some(partial) = self.partial.as_deref_mut() {
            // What goes on with a representation need not say again how it is coded (RFC 9110 section 15.3.7).
            let before = partial.content_encoding.take().filter(|_| offset > 0);
            partial.content_encoding = announced.content_encoding.clone().or(before);
            partial.came_from = Some(self.hop.clone());
        }
        self.begin_transfer(announced, offset, cx);
        self.ask(cx);
        State::Receiving
    }

    fn begin_transfer(&mut self, mut announced: Announced, offset: u64, cx: &mut Context<'_>) {
        let mut rewinds = self.told.rewinds;
        if self.told.received > offset {
            rewinds = rewinds.saturating_add(1);
            cx.effects.notice(Notice::Rewound { id: self.id, from: self.told.received, to: offset });
        }
        let twice = if cx.config.makes(Planted::TotalCountedTwice) { offset } else { 0 };
        let total = announced.length.map(|length| length.saturating_add(twice));
        let meter = Meter::new(cx.config, cx.now, offset, total, rewinds);
        self.tell(meter.progress(), cx);
        let checksum = self.request.checksum;
        if let Some(partial) = self.partial.as_deref_mut() {
            partial.digests.extend(&announced.digests);
            partial.modified = announced.modified.or(partial.modified);
            partial.hashing.want(partial.digests.iter().chain(&checksum).map(Digest::algorithm).collect());
            // A version that is gone on with is known by what was sent of it first.
            let before = core::mem::take(&mut partial.known);
            partial.known = match before.identity {
                Some(_) => Known { total: announced.length, ..before },
                None => Known { total: announced.length, ..core::mem::take(&mut announced.known) },
            };
        }
        self.transfer = Some(Box::new(Transfer {
            announced,
            meter,
            stall: StallClock::new(cx.config),
            gather: Gather::from(offset),
            reading: false,
        }));
        self.checkpoint_if_due(cx);
    }

    fn receiving(&mut self, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Net(Net::Chunk(Ok(chunk))) => match self.take_chunk(chunk, cx) {
                Ok(true) => self.received(cx),
                Ok(false) => State::Receiving,
                Err(error) => self.fail(error, cx),
            },
            Step::Net(Net::Chunk(Err(fault))) => self.fail(DownloadError::Network(fault), cx),
            Step::File(File::Done) => {
                if let Some(error) = self.spoiled() {
                    return self.fail(error, cx);
                }
                self.checkpoint_if_due(cx);
                self.hash_on(false, cx);
                self.go_on(cx);
                State::Receiving
            }
            Step::File(File::Faulted(step, fault)) => self.fail(DownloadError::File { step, fault }, cx),
            Step::Timer if self.is_stalled(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Stall), cx),
            Step::Timer => {
                self.write_if_due(cx);
                self.report(cx);
                State::Receiving
            }
            Step::Net(Net::Connected(_) | Net::Head(_) | Net::Dropped)
            | Step::File(
                File::Looked(..)
                | File::Touched(_)
                | File::Renamed(_)
                | File::DirectorySynced(_)
                | File::Record(_)
                | File::Hashed(_),
            )
            | Step::Granted
            | Step::Swept => State::Receiving,
        }
    }

    /// The body is whole. What was written before is waited for, as until then the download can be canceled.
    fn received(&mut self, cx: &mut Context<'_>) -> State {
        self.drop_body(cx);
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.meter.end();
            let progress = transfer.meter.progress();
            let is_hashed = self.partial.as_deref().is_some_and(|partial| !partial.hashing.algorithms.is_empty());
            let is_gathered = !transfer.gather.is_empty();
            self.tell(progress, cx);
            if is_hashed && is_gathered {
                self.write(cx);
            }
        }
        self.verify(cx)
    }

    /// Waits for what is under way on the file, then looks whether it is what it should be.
    fn verify(&mut self, cx: &mut Context<'_>) -> State {
        let (Some(transfer), Some(partial)) = (self.transfer.as_deref(), self.partial.as_deref()) else {
            return State::Verifying;
        };
        if let Some(error) = self.spoiled() {
            return self.fail(error, cx);
        }
        if transfer.gather.is_writing() || partial.checkpoint.is_under_way() || partial.hashing.asked {
            return State::Verifying;
        }
        let length = transfer.meter.received();
        if !partial.is_hashed(length) {
            self.hash_on(true, cx);
            return State::Verifying;
        }
        // As the request says, and as the server says.
        let digests = partial.hashing.digests.as_ref();
        let wrong = self.request.checksum.iter().chain(&partial.digests).find_map(|expected| {
            let actual = digests.and_then(|digests| digests.get(expected.algorithm()));
            (actual != Some(expected)).then(|| (*expected, actual.copied()))
        });
        match wrong.filter(|_| !cx.config.makes(Planted::DigestIgnored)) {
            Some((expected, Some(actual))) => {
                let (expected, actual) = (Box::new(expected), Box::new(actual));
                self.fail(DownloadError::ChecksumMismatch { expected, actual }, cx)
            }
            // What cannot be compared is not right.
            Some((_, None)) => {
                let fault = Fault::new(FaultKind::Unsupported);
                self.fail(DownloadError::File { step: FileStep::Hash, fault }, cx)
            }
            None => self.publish(cx),
        }
    }

    fn verifying(&mut self, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::File(File::Done) => self.verify(cx),
            Step::File(File::Faulted(step, fault)) => self.fail(DownloadError::File { step, fault }, cx),
            Step::File(
                File::Looked(..)
                | File::Touched(_)
                | File::Renamed(_)
                | File::DirectorySynced(_)
                | File::Record(_)
                | File::Hashed(_),
            )
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::Net(_) => State::Verifying,
        }
    }

    /// Hands out all that is left to do in one go, so that it costs one hop to a worker and one back. From here on the
    /// download cannot be canceled.
    fn publish(&mut self, cx: &mut Context<'_>) -> State {
        let (Some(transfer), Some(partial)) = (self.transfer.as_deref(), self.partial.as_deref()) else {
            return State::Verifying;
        };
        let (file, modified) = (partial.file, partial.modified);
        let digests = partial.hashing.digests.clone().filter(|digests| digests.iter().next().is_some());
        let record = partial.record_path.clone().filter(|_| partial.record != RecordState::Absent);
        let may_come_back = partial.may_come_back();
        self.epoch += 1;
        if !transfer.gather.is_empty() {
            self.write(cx);
        }
        if let Some(modified) = modified {
            self.file_op(cx, |ticket| FileOp::SetTimes { ticket, file, modified });
        }
        if let Some(digests) = digests {
            self.file_op(cx, |ticket| FileOp::KeepDigests { ticket, file, digests });
        }
        let is_late = cx.config.makes(Planted::RenameBeforeFlush);
        if cx.config.durability != Durability::None && !is_late {
            self.file_op(cx, |ticket| FileOp::Sync { ticket, file });
        }
        if let Some(path) = record {
            let items = alloc::vec![DeleteItem { path: path.clone(), expect: Expect::File }];
            self.file_op_for(Role::Rewind, cx, |ticket| FileOp::Delete { ticket, items });
            // Else it could come back beside the next unfinished file of that name.
            if may_come_back {
                self.file_op_for(Role::Rewind, cx, |ticket| FileOp::SyncDir { ticket, path });
            }
        }
        if let Some(path) = StorePath::from(&self.name).parent() {
            self.file_op(cx, |ticket| FileOp::MakeDir { ticket, path });
        }
        self.rename(cx);
        if is_late {
            self.file_op(cx, |ticket| FileOp::Sync { ticket, file });
        }
        State::Publishing(Box::default())
    }

    fn publishing(&mut self, mut publishing: Box<Publishing>, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::File(File::Renamed(result)) => publishing.renamed = Some(result),
            Step::File(File::DirectorySynced(Err(fault))) if fault.kind() != FaultKind::Skipped => {
                publishing.directory_fault.get_or_insert(fault);
            }
            Step::File(File::Faulted(step, fault)) if fault.kind() != FaultKind::Skipped => {
                publishing.failed.get_or_insert((step, fault));
            }
            Step::File(File::Looked(action, result)) if publishing.looking_at_partial == Some(action) => {
                publishing.partial_there = Some(result);
            }
            Step::File(File::Looked(_, result)) => publishing.there = Some(result),
            Step::File(File::Touched(result)) => publishing.touched = Some(result),
            Step::File(
                File::Done | File::Faulted(..) | File::DirectorySynced(_) | File::Record(_) | File::Hashed(_),
            )
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::Net(_) => {}
        }
        if self.unanswered > 0 { State::Publishing(publishing) } else { self.conclude(publishing, cx) }
    }

    /// All answers of a round of publishing are there.
    fn conclude(&mut self, mut publishing: Box<Publishing>, cx: &mut Context<'_>) -> State {
        match core::mem::take(&mut publishing.round) {
            Round::Chain => self.conclude_chain(publishing, cx),
            Round::Taken => match publishing.there.take() {
                // It is looked at as if it had been there from the first, so that it is held to the checksum, too.
                Some(Ok(Some(stat))) if stat.kind == FileKind::Regular && self.request.checksum.is_some() => {
                    self.followed_status = 0;
                    self.drain(Then::Wait { until: cx.now }, cx)
                }
                Some(Ok(Some(stat))) if stat.kind == FileKind::Regular => {
                    self.touch(cx);
                    publishing.round = Round::Touching(stat);
                    State::Publishing(publishing)
                }
                Some(Ok(Some(stat))) => {
                    self.fail(DownloadError::NotAFile { name: self.name.clone(), kind: stat.kind }, cx)
                }
                Some(Ok(None)) | None => self.rename_again(publishing, Fault::new(FaultKind::Exists), cx),
                Some(Err(fault)) => self.unpublished(fault, Published::No, cx),
            },
            Round::Touching(stat) => match publishing.touched.take() {
                Some(touched) if !is_gone(&touched) => self.present(stat, touched, cx),
                Some(_) | None => self.rename_again(publishing, Fault::new(FaultKind::Exists), cx),
            },
            Round::Doubt(fault) => self.resolve(publishing, fault, cx),
        }
    }

    /// The name that was taken is free again, or may be had now.
    fn rename_again(&mut self, mut publishing: Box<Publishing>, fault: Fault, cx: &mut Context<'_>) -> State {
        publishing.renames += 1;
        if publishing.renames > RENAMES_MAX {
            return self.unpublished(fault, Published::No, cx);
        }
        self.epoch += 1;
        self.rename(cx);
        State::Publishing(publishing)
    }

    fn conclude_chain(&mut self, mut publishing: Box<Publishing>, cx: &mut Context<'_>) -> State {
        let fault = match publishing.renamed.take() {
            Some(Ok(())) => return self.published(publishing, cx),
            Some(Err(fault)) => fault,
            None => Fault::new(FaultKind::Aborted),
        };
        self.epoch += 1;
        if fault.kind() == FaultKind::Skipped {
            let (step, fault) = publishing.failed.unwrap_or((FileStep::Write, fault));
            return self.fail(DownloadError::File { step, fault }, cx);
        }
        let path = StorePath::from(&self.name);
        publishing.there = None;
        if fault.kind() == FaultKind::Exists && !self.clobbers() {
            self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
            publishing.round = Round::Taken;
            return State::Publishing(publishing);
        }
        self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
        // Either look stands for itself.
        self.epoch += 1;
        publishing.looking_at_partial = self
            .partial
            .as_deref()
            .map(|partial| partial.path.clone())
            .map(|path| self.file_op(cx, |ticket| FileOp::Stat { ticket, path }));
        publishing.round = Round::Doubt(fault);
        State::Publishing(publishing)
    }

    /// Was the rename done? It was if the unfinished file is gone and one of its length has the name.
    fn resolve(&mut self, mut publishing: Box<Publishing>, fault: Fault, cx: &mut Context<'_>) -> State {
        let length = self.transfer.as_deref().map_or(0, |transfer| transfer.meter.received());
        let (there, partial) = (publishing.there.take(), publishing.partial_there.take());
        match (there, partial) {
            // A rename by link and unlink, where there is no other without clobbering, may have done the first alone.
            (Some(Ok(Some(stat))), Some(Ok(Some(_)))) if !self.clobbers() && is_published_as(&stat, length) => {
                self.unpublished(fault, Published::Unknown, cx)
            }
            // Somebody evicts in the directory, slowly.
            (_, Some(Ok(Some(_)))) if fault.kind() == FaultKind::Busy && self.clobbers() => {
                self.rename_again(publishing, fault, cx)
            }
            (_, Some(Ok(Some(_)))) => self.unpublished(fault, Published::No, cx),
            // Both are gone: an error of the rename itself says that it was not done, a lost answer says nothing.
            (Some(Ok(None)), Some(Ok(None))) if fault.kind() != FaultKind::Aborted => {
                self.unpublished(fault, Published::No, cx)
            }
            // The unfinished file was gone before, and what has the name is somebody else's, whatever its length; or that is
            // the answer to a second try, after one that did it (NFS).
            (Some(Ok(Some(stat))), Some(Ok(None)))
                if fault.kind() == FaultKind::NotFound && is_published_as(&stat, length) =>
            {
                self.unpublished(fault, Published::Unknown, cx)
            }
            (Some(Ok(Some(stat))), Some(Ok(None))) => {
                if !is_published_as(&stat, length) {
                    return self.unpublished(fault, Published::No, cx);
                }
                self.has_its_name();
                publishing.renamed = Some(Ok(()));
                self.epoch += 1;
                self.follow_rename(cx);
                if self.unanswered > 0 { State::Publishing(publishing) } else { self.published(publishing, cx) }
            }
            (_, _) => self.unpublished(fault, Published::Unknown, cx),
        }
    }

    fn published(&mut self, publishing: Box<Publishing>, cx: &mut Context<'_>) -> State {
        self.has_its_name();
        let length = self.transfer.as_deref().map_or(0, |transfer| transfer.meter.received());
        if cx.bounded {
            // A stamp that could not be read counts as the oldest: it is read again before anything goes by it.
            let unknown = Stamp::from_nanos(i64::MIN);
            let stat = match publishing.there {
                Some(Ok(Some(stat))) => stat,
                Some(Ok(None) | Err(_)) | None => {
                    FileStat { kind: FileKind::Regular, length, accessed: unknown, modified: unknown }
                }
            };
            cx.effects.seen.push((StorePath::from(&self.name), stat));
        }
        if let Some(fault) = publishing.directory_fault.or(publishing.failed.map(|(_, fault)| fault)) {
            return self.unpublished(fault, Published::Yes, cx);
        }
        cx.queues.succeeded(&self.origin());
        let announced = self.transfer.take().map(|transfer| transfer.announced);
        let (digests, content_encoding, came_from) =
            self.partial.as_deref_mut().map_or((None, None, None), |partial| {
                (partial.hashing.digests.take(), partial.content_encoding.take(), partial.came_from.take())
            });
        let digests = digests.unwrap_or_default();
        let is_unverified = digests.iter().next().is_none();
        let complete = Complete {
            length,
            url: cx.config.shown(&came_from.as_ref().unwrap_or(&self.hop).url),
            requests: self.requests,
            length_unverified: is_unverified && announced.is_some_and(|announced| announced.ends_with_connection),
            digests,
            content_encoding,
        };
        self.drain(Then::Finish(Outcome::Complete(Box::new(complete))), cx)
    }

    fn unpublished(&mut self, fault: Fault, published: Published, cx: &mut Context<'_>) -> State {
        self.fail(DownloadError::Publish { fault, published }, cx)
    }

    /// A file has the name already, and is left as it is.
    fn present(&mut self, mut stat: FileStat, touched: Result<Stamp, Fault>, cx: &mut Context<'_>) -> State {
        match touched {
            Ok(accessed) => stat.accessed = accessed,
            Err(fault) => {
                cx.effects.notice(Notice::Warning(crate::Warning::NotTouched { name: self.name.clone(), fault }));
            }
        }
        if cx.bounded {
            cx.effects.seen.push((StorePath::from(&self.name), stat));
        }
        self.drain(Then::Finish(Outcome::Present { length: stat.length }), cx)
    }

    fn waiting(until: Instant, step: &Step, cx: &Context<'_>) -> State {
        match step {
            Step::Timer if until <= cx.now => State::Queued,
            Step::Granted | Step::Timer | Step::Swept | Step::Net(_) | Step::File(_) => State::Waiting { until },
        }
    }

    /// Begins to give back what is not needed for what follows.
    fn drain(&mut self, then: Then, cx: &mut Context<'_>) -> State {
        self.awaiting = None;
        match self.fate(&then, cx) {
            Fate::Hold | Fate::Keep => {
                if self.transfer.as_deref().is_some_and(|transfer| !transfer.gather.is_empty()) {
                    self.write(cx);
                }
            }
            Fate::Remove => {
                if self.unanswered > 0 {
                    cx.effects.abort_all(self.key);
                }
                self.epoch += 1;
                self.transfer = None;
            }
        }
        self.drained(then, cx)
    }

    fn draining(&mut self, then: Then, step: Step, cx: &mut Context<'_>) -> State {
        let then = match (step, then) {
            (Step::File(File::Faulted(step, fault)), then) if fault.kind() != FaultKind::Skipped => match &then {
                // What was skipped was skipped for a reason, and the reason may come later.
                Then::Finish(Outcome::Failed(error)) if is_skipped(error) => {
                    self.verdict(DownloadError::File { step, fault }, cx)
                }
                // The last bytes were to be kept, and could not be written. Without them a full disk is what has to be known.
                Then::Finish(Outcome::Failed(_))
                    if fault.kind() == FaultKind::NoSpace && self.fate(&then, cx) == Fate::Keep =>
                {
                    Then::Finish(Outcome::Failed(DownloadError::File { step, fault }))
                }
                Then::Retry { keeps: true, .. } if self.fate(&then, cx) == Fate::Hold => {
                    self.verdict(DownloadError::File { step, fault }, cx)
                }
                Then::Finish(_) | Then::Retry { .. } | Then::Wait { .. } | Then::MakeRoom(_) | Then::Follow { .. } => {
                    then
                }
            },
            (_, then) => then,
        };
        self.drained(then, cx)
    }

    /// Goes on once no action is unanswered, and nothing is held that is not needed.
    fn drained(&mut self, then: Then, cx: &mut Context<'_>) -> State {
        self.drop_body(cx);
        self.close_compared(cx);
        if self.unanswered > 0 {
            return State::Draining(then);
        }
        match self.fate(&then, cx) {
            Fate::Hold => match then {
                Then::Follow { rewinds: true } => match self.rewind(cx) {
                    Rewound::Working => return State::Draining(then),
                    Rewound::Failed(error) => return self.drained(Then::Finish(Outcome::Failed(error)), cx),
                    Rewound::Done => {}
                },
                Then::Follow { rewinds: false }
                | Then::Retry { .. }
                | Then::Wait { .. }
                | Then::MakeRoom(_)
                | Then::Finish(_) => {}
            },
            Fate::Keep => self.release(true, cx),
            Fate::Remove => self.release(false, cx),
        }
        if self.unanswered > 0 {
            return State::Draining(then);
        }
        self.transfer = None;
        match then {
            Then::Retry { until, .. } | Then::Wait { until } => {
                self.start_over();
                State::Waiting { until }
            }
            Then::MakeRoom(error) => {
                self.start_over();
                State::MakingRoom(error)
            }
            Then::Follow { .. } => State::Queued,
            Then::Finish(outcome) => Self::ended(outcome, cx),
        }
    }

    /// The next request goes to the first address again.
    fn start_over(&mut self) {
        self.hop = self.request.target.clone();
        self.redirects = 0;
    }

    fn ended(outcome: Outcome, cx: &Context<'_>) -> State {
        if cx.bounded { State::Evicting(outcome) } else { State::Gone(outcome) }
    }

    fn evicting(outcome: Outcome, step: &Step) -> State {
        match step {
            Step::Swept => State::Gone(outcome),
            Step::Granted | Step::Timer | Step::Net(_) | Step::File(_) => State::Evicting(outcome),
        }
    }

    // What ends an attempt.

    fn fail(&mut self, error: DownloadError, cx: &mut Context<'_>) -> State {
        let then = self.verdict(error, cx);
        self.drain(then, cx)
    }

    /// What follows from an error: another attempt, or the end.
    fn verdict(&mut self, error: DownloadError, cx: &mut Context<'_>) -> Then {
        let origin = self.origin();
        if reply::is_connect_failure(&error) {
            cx.queues.connect_failed(&origin, &error, self.is_probe);
        }
        // Those who were all told the same time are not to come at the same time.
        let retry_after = self.retry_after.take().filter(|_| !cx.config.makes(Planted::RetryAfterIgnored));
        let retry_after =
            retry_after.map(|wait| wait.saturating_add(self.rng.up_to(cx.config.backoff_min.max(wait / 10))));
        if let Some(wait) = retry_after {
            cx.queues.block(&origin, cx.now + wait);
        }
        // Before it is published, as afterwards it is there.
        let is_full = error.is_no_space() && matches!(error, DownloadError::File { .. }) && self.partial.is_some();
        if is_full && self.requests < cx.config.requests_max && !core::mem::replace(&mut self.had_room_made, true) {
            return Then::MakeRoom(error);
        }
        // A file that is wrong twice is wrong.
        let is_wrong_again =
            matches!(error, DownloadError::ChecksumMismatch { .. }) && core::mem::replace(&mut self.mismatched, true);
        if !reply::may_pass(&error) || is_wrong_again {
            return Then::Finish(Outcome::Failed(error));
        }
        let Some((delay, regained)) = self.attempts.fail(self.told.total, cx.config, &mut self.rng) else {
            return Then::Finish(Outcome::Failed(error));
        };
        // Who gets on costs the server nothing that he would not cost anyway.
        let is_servers = !matches!(error, DownloadError::File { .. });
        if is_servers && !regained && !cx.queues.take_retry(&origin) {
            return Then::Finish(Outcome::Failed(error));
        }
        let requests_max = cx.config.requests_max;
        if self.requests >= requests_max {
            let cause = Box::new(error);
            return Then::Finish(Outcome::Failed(DownloadError::TooManyRequests { requests_max, cause }));
        }
        let (delay, attempt) = (delay.max(retry_after.unwrap_or_default()), self.attempts.failures());
        let keeps = reply::leaves_good_bytes(&error);
        cx.effects.notice(Notice::Retrying { id: self.id, attempt, delay, cause: error });
        let wait = if cx.config.makes(Planted::RetryTooSoon) { delay / 2 } else { delay };
        Then::Retry { until: cx.now + wait, keeps }
    }
}
