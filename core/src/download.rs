//! One download: all of its states, and all transitions between them.
//!
//! ```text
//!             slot             nothing there          200                  last byte
//!   Queued ---------> Checking -----------> Connecting ---> Receiving --------------> Verifying
//!     ^  ^               |  a file is there   |  ^            |                          | written
//!     |  |               v                    |  | hop        | fault                    v
//!     |  |            Draining(Present)       |  |            v         taken         Publishing
//!     |  +------ Draining(Follow) <-- Redirecting <---+   Draining(Retry | Failed) <-----+  | named
//!     |                                                       |                             v
//!     +--------------------------- Waiting <------------------+      Draining(Complete | Present)
//!
//!   from Queued to Verifying and Waiting: cancel ---> Draining(Canceled)
//!   Draining ---> Evicting ---> Gone, once nothing is held and no action is unanswered
//! ```
//!
//! What a download holds stands beside its state, in fields whose `take` issues the closer, so that each is closed once;
//! `unanswered == 0` is the only way out of `Draining`. [`TRANSITIONS`] lists every edge, and each step is checked
//! against it.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};

use crate::action::{DeleteItem, Deleted, Expect, FetchRequest, FileKind, FileStat, Head, OpenMode};
use crate::arena::Key;
use crate::backoff::Attempts;
use crate::effects::{Effects, Kinded, Owner, Reply};
use crate::gather::Gather;
use crate::meter::Meter;
use crate::origin::{self, Origin, Target};
use crate::queue::Place;
use crate::reply::{self, Announced, Verdict};
use crate::rng::Rng;
use crate::stall::StallClock;
use crate::{
    ActionId, BodyId, Chunk, Complete, Config, DirectoryError, DownloadError, DownloadId, Durability, Fault, FaultKind,
    FileId, FileName, FileOp, FileStep, IfPresent, Instant, Lane, NetOp, Notice, Outcome, Phase, Progress, Published,
    Request, Stamp, StorePath, Ticket, TimeoutKind, Warning,
};

/// A file that is used is stamped as accessed unless it was within this time.
const TOUCH_GRANULARITY: Duration = Duration::from_secs(60);
/// How often a name that is taken and free again in turn is tried.
const RENAMES_MAX: u32 = 8;

/// What happens to a download.
#[derive(Debug)]
pub(crate) enum Input {
    /// It has a slot of this origin.
    Granted(Origin),
    /// The directory may not be used.
    Refused(DirectoryError),
    Cancel,
    Timer,
    Connected(ActionId),
    Reply(ActionId, Reply),
    /// The pass of eviction that it waited for has ended.
    Swept,
}

/// What a transition can use.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) effects: &'a mut Effects,
    /// The directory has a limit that is enforced.
    pub(crate) bounded: bool,
}

#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) id: DownloadId,
    key: Key,
    pub(crate) name: FileName,
    pub(crate) request: Request,
    pub(crate) state: State,
    /// Where it waits for a slot: kept by the manager.
    pub(crate) place: Option<(Origin, Place)>,
    pub(crate) armed: Option<Instant>,
    pub(crate) unanswered: u32,

    /// Where the next request goes.
    hop: Target,
    redirects: u32,
    requests: u32,
    attempts: Attempts,
    whole_deadline: Option<Instant>,
    rng: Rng,
    /// The last progress told.
    told: Progress,

    // What it holds.
    slot: Option<Origin>,
    body: Option<Body>,
    /// `DropBody` is unanswered: the slot is held until then.
    dropping: bool,
    file: Option<OpenFile>,
    /// The unfinished file, where one was made or may have been.
    partial: Option<StorePath>,
    transfer: Option<Box<Transfer>>,

    lane: Lane,
    epoch: u32,
    /// The `MakeDir` of the work folder.
    making_work_folder: Option<ActionId>,
    /// What stands under the final name and is being touched.
    touching: Option<FileStat>,
}

#[derive(Debug)]
struct Body {
    id: BodyId,
    lane: Lane,
    fetch: ActionId,
}

#[derive(Debug)]
struct OpenFile {
    id: FileId,
    answered: bool,
}

/// A body on its way to the disk.
#[derive(Debug)]
struct Transfer {
    announced: Announced,
    meter: Meter,
    stall: StallClock,
    gather: Gather,
    reading: bool,
}

#[derive(Debug)]
pub(crate) enum State {
    Queued { checked: bool },
    Checking,
    Connecting { deadline: Instant, connected: bool },
    Redirecting { left: u64, deadline: Instant },
    Receiving,
    Verifying,
    Publishing(Publishing),
    Waiting { until: Instant },
    Draining(Then),
    Evicting(Outcome),
    Gone(Outcome),
}

/// What follows once nothing is held.
#[derive(Debug)]
pub(crate) enum Then {
    Finish(Outcome),
    Retry { until: Instant },
    Follow,
}

/// The answers of publishing, as far as they have come.
#[derive(Debug, Default)]
pub(crate) struct Publishing {
    round: Round,
    renames: u32,
    renamed: Option<Result<(), Fault>>,
    /// The first step before the rename that failed.
    failed: Option<(FileStep, Fault)>,
    directory_fault: Option<Fault>,
    /// What stands under the final name.
    there: Option<Result<Option<FileStat>, Fault>>,
    /// What stands under the unfinished file's name.
    partial_there: Option<Result<Option<FileStat>, Fault>>,
    looking_at_partial: Option<ActionId>,
}

#[derive(Debug, Default)]
enum Round {
    /// The rename, with what comes before and behind it.
    #[default]
    Chain,
    /// Something else has the name: what is it?
    Taken,
    /// The rename faulted in a way that leaves open whether it was done.
    Doubt(Fault),
}

/// An answer or a command, after what it says of the holdings was noted.
enum Step {
    Granted,
    Refused(DirectoryError),
    Cancel,
    Timer,
    Connected(ActionId),
    Head(Result<Box<Head>, Fault>),
    Chunk(Result<Chunk, Fault>),
    Looked(ActionId, Result<Option<FileStat>, Fault>),
    Renamed(Result<(), Fault>),
    DirectorySynced(Result<(), Fault>),
    Faulted(FileStep, Fault),
    Done,
    Swept,
}

/// Every edge, by phase; `Gone` counts as `Evicting`, and a phase may always be stayed in.
pub(crate) const TRANSITIONS: &[(Phase, &[Phase])] = &[
    (Phase::Queued, &[Phase::Checking, Phase::Connecting, Phase::Evicting]),
    (Phase::Checking, &[Phase::Connecting, Phase::Draining, Phase::Evicting]),
    (Phase::Connecting, &[Phase::Receiving, Phase::Draining]),
    (Phase::Receiving, &[Phase::Verifying, Phase::Publishing, Phase::Draining]),
    (Phase::Verifying, &[Phase::Publishing, Phase::Draining]),
    (Phase::Publishing, &[Phase::Draining, Phase::Waiting, Phase::Evicting]),
    (Phase::Waiting, &[Phase::Queued, Phase::Evicting]),
    (Phase::Draining, &[Phase::Queued, Phase::Waiting, Phase::Evicting]),
    (Phase::Evicting, &[]),
];

impl Download {
    pub(crate) fn new(
        id: DownloadId,
        key: Key,
        name: FileName,
        request: Request,
        rng: Rng,
        effects: &mut Effects,
    ) -> Self {
        Self {
            id,
            key,
            name,
            hop: request.target.clone(),
            request,
            state: State::Queued { checked: false },
            place: None,
            armed: None,
            unanswered: 0,
            redirects: 0,
            requests: 0,
            attempts: Attempts::default(),
            whole_deadline: None,
            rng,
            told: Progress::default(),
            slot: None,
            body: None,
            dropping: false,
            file: None,
            partial: None,
            transfer: None,
            lane: effects.lane(),
            epoch: 0,
            making_work_folder: None,
            touching: None,
        }
    }

    /// Takes an input. Returns the slot that it no longer needs.
    pub(crate) fn on(&mut self, input: Input, cx: &mut Context<'_>) -> Option<Origin> {
        let before = self.phase();
        let step = self.note(input, cx);
        let state = core::mem::replace(&mut self.state, State::Gone(Outcome::Canceled));
        self.state = match state {
            State::Queued { checked } => self.queued(checked, step, cx),
            State::Checking => self.checking(step, cx),
            State::Connecting { deadline, connected } => self.connecting(deadline, connected, step, cx),
            State::Redirecting { left, deadline } => self.redirecting(left, deadline, step, cx),
            State::Receiving => self.receiving(step, cx),
            State::Verifying => self.verifying(step, cx),
            State::Publishing(publishing) => self.publishing(publishing, step, cx),
            State::Waiting { until } => self.waiting(until, step, cx),
            State::Draining(then) => self.draining(then, step, cx),
            State::Evicting(outcome) => Self::evicting(outcome, &step),
            State::Gone(outcome) => State::Gone(outcome),
        };
        debug_assert!(self.is_edge(before), "{before:?} -> {:?}", self.phase());
        if self.needs_slot() { None } else { self.slot.take() }
    }

    // The states, in the order of a life.

    fn queued(&mut self, checked: bool, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Granted if checked => self.connect(cx),
            Step::Granted => {
                self.whole_deadline = self.whole_deadline.or_else(|| Some(cx.now + cx.config.timeout?));
                let path = StorePath::from(&self.name);
                self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
                State::Checking
            }
            Step::Refused(error) => self.drain(Then::Finish(Outcome::Failed(DownloadError::Directory(error))), cx),
            Step::Cancel => self.drain(Then::Finish(Outcome::Canceled), cx),
            Step::Timer if self.is_overdue(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx),
            Step::Timer
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Chunk(_)
            | Step::Looked(..)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Faulted(..)
            | Step::Done
            | Step::Swept => State::Queued { checked },
        }
    }

    fn checking(&mut self, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Looked(_, Ok(None)) => self.connect(cx),
            Step::Looked(_, Ok(Some(stat))) if stat.kind != FileKind::Regular => {
                self.fail(DownloadError::NotAFile { name: self.name.clone(), kind: stat.kind }, cx)
            }
            Step::Looked(_, Ok(Some(stat))) => match self.request.if_present {
                IfPresent::Skip => self.present(stat, cx),
                IfPresent::Replace => self.connect(cx),
            },
            Step::Looked(_, Err(fault)) => self.fail(DownloadError::File { step: FileStep::Look, fault }, cx),
            Step::Cancel => self.drain(Then::Finish(Outcome::Canceled), cx),
            Step::Timer if self.is_overdue(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx),
            Step::Granted
            | Step::Refused(_)
            | Step::Timer
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Chunk(_)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Faulted(..)
            | Step::Done
            | Step::Swept => State::Checking,
        }
    }

    fn connect(&mut self, cx: &mut Context<'_>) -> State {
        let requests_max = cx.config.requests_max;
        if self.requests >= requests_max {
            let cause = Box::new(DownloadError::TooManyRedirects { redirects_max: self.redirects });
            return self.fail(DownloadError::TooManyRequests { requests_max, cause }, cx);
        }
        self.requests += 1;
        let request = Box::new(self.build_request(cx.config));
        let (id, lane) = (cx.effects.body(), cx.effects.lane());
        let fetch = self.net(cx, lane, |ticket| NetOp::Fetch { ticket, body: id, request });
        self.body = Some(Body { id, lane, fetch });
        State::Connecting { deadline: cx.now + cx.config.connect_timeout, connected: false }
    }

    fn connecting(&mut self, deadline: Instant, connected: bool, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Connected(fetch) if !connected && self.body.as_ref().is_some_and(|body| body.fetch == fetch) => {
                State::Connecting { deadline: cx.now + cx.config.first_byte_timeout, connected: true }
            }
            Step::Head(Ok(head)) => match reply::judge(&head, &self.hop.url, cx.config) {
                Ok(Verdict::Take(announced)) => self.receive(announced, cx),
                Ok(Verdict::Follow { target, body_length }) => self.redirect(target, body_length, cx),
                Err(error) => self.fail(error, cx),
            },
            Step::Head(Err(fault)) => self.fail(DownloadError::Network(fault), cx),
            Step::Cancel => self.drain(Then::Finish(Outcome::Canceled), cx),
            Step::Timer if self.is_overdue(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx),
            Step::Timer if deadline <= cx.now => {
                let kind = if connected { TimeoutKind::FirstByte } else { TimeoutKind::Connect };
                self.fail(DownloadError::Timeout(kind), cx)
            }
            Step::Granted
            | Step::Refused(_)
            | Step::Timer
            | Step::Connected(_)
            | Step::Chunk(_)
            | Step::Looked(..)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Faulted(..)
            | Step::Done
            | Step::Swept => State::Connecting { deadline, connected },
        }
    }

    /// A reply leads elsewhere. Its own body is read where it is short, so that the connection can be used again.
    fn redirect(&mut self, target: Target, body_length: Option<u64>, cx: &mut Context<'_>) -> State {
        let redirects_max = cx.config.redirects_max;
        if self.redirects >= redirects_max {
            return self.fail(DownloadError::TooManyRedirects { redirects_max }, cx);
        }
        self.redirects += 1;
        cx.effects.notice(Notice::Redirected { id: self.id, to: target.url.clone() });
        self.hop = target;
        let left = cx.config.redirect_body_bytes_max;
        if body_length.is_some_and(|length| length > left) || left == 0 {
            return self.drain(Then::Follow, cx);
        }
        self.read_body(left, cx);
        State::Redirecting { left, deadline: cx.now + cx.config.first_byte_timeout }
    }

    fn redirecting(&mut self, left: u64, deadline: Instant, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Chunk(Ok(chunk)) => {
                let left = left.saturating_sub(chunk.data.len() as u64);
                if chunk.last || left == 0 {
                    return self.drain(Then::Follow, cx);
                }
                self.read_body(left, cx);
                State::Redirecting { left, deadline }
            }
            Step::Chunk(Err(_)) => self.drain(Then::Follow, cx),
            Step::Cancel => self.drain(Then::Finish(Outcome::Canceled), cx),
            Step::Timer if self.is_overdue(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx),
            Step::Timer if deadline <= cx.now => self.drain(Then::Follow, cx),
            Step::Granted
            | Step::Refused(_)
            | Step::Timer
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Looked(..)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Faulted(..)
            | Step::Done
            | Step::Swept => State::Redirecting { left, deadline },
        }
    }

    fn receive(&mut self, announced: Announced, cx: &mut Context<'_>) -> State {
        if self.told.received > 0 {
            cx.effects.notice(Notice::Rewound { id: self.id, from: self.told.received, to: 0 });
        }
        let meter = Meter::new(cx.config, cx.now, announced.length);
        self.tell(meter.progress(), cx);
        self.transfer = Some(Box::new(Transfer {
            announced,
            meter,
            stall: StallClock::new(cx.config),
            gather: Gather::default(),
            reading: false,
        }));
        self.ask(cx);
        State::Receiving
    }

    fn receiving(&mut self, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Chunk(Ok(chunk)) => match self.take_chunk(chunk, cx) {
                Ok(true) => self.received(cx),
                Ok(false) => State::Receiving,
                Err(error) => self.fail(error, cx),
            },
            Step::Chunk(Err(fault)) => self.fail(DownloadError::Network(fault), cx),
            Step::Done => {
                self.ask(cx);
                State::Receiving
            }
            Step::Faulted(step, fault) => self.fail(DownloadError::File { step, fault }, cx),
            Step::Cancel => self.drain(Then::Finish(Outcome::Canceled), cx),
            Step::Timer if self.is_overdue(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx),
            Step::Timer => {
                let stalled =
                    |transfer: &Transfer| transfer.stall.deadline().is_some_and(|deadline| deadline <= cx.now);
                if self.transfer.as_deref().is_some_and(stalled) {
                    return self.fail(DownloadError::Timeout(TimeoutKind::Stall), cx);
                }
                self.write_if_due(cx);
                self.report(cx);
                State::Receiving
            }
            Step::Granted
            | Step::Refused(_)
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Looked(..)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Swept => State::Receiving,
        }
    }

    /// Takes a chunk in. Says whether it was the last one.
    fn take_chunk(&mut self, chunk: Chunk, cx: &mut Context<'_>) -> Result<bool, DownloadError> {
        let Some(transfer) = self.transfer.as_deref_mut() else { return Ok(false) };
        let last = chunk.last;
        transfer.stall.came(cx.now, chunk.data.len());
        transfer.meter.add(cx.now, chunk.data.len());
        let received = transfer.meter.received();
        self.attempts.reached(received);
        let bytes_max = cx.config.file_bytes_max.unwrap_or(u64::MAX);
        if received > bytes_max {
            return Err(DownloadError::TooLarge { length: received, bytes_max });
        }
        match transfer.announced.length {
            Some(expected) if received > expected => return Err(DownloadError::Overlong { expected }),
            Some(expected) if last && received < expected => {
                return Err(DownloadError::Truncated { expected, received });
            }
            Some(_) | None => {}
        }
        transfer.gather.push(cx.now, chunk);
        if last {
            return Ok(true);
        }
        if transfer.gather.is_full(cx.config.gather_bytes) {
            self.write(cx);
        }
        self.ask(cx);
        self.report(cx);
        Ok(false)
    }

    /// The body is whole. What was written before is waited for, as until then the download can be canceled.
    fn received(&mut self, cx: &mut Context<'_>) -> State {
        self.drop_body(cx);
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.meter.end();
            let progress = transfer.meter.progress();
            self.tell(progress, cx);
        }
        self.verify(cx)
    }

    fn verify(&mut self, cx: &mut Context<'_>) -> State {
        let writing = self.transfer.as_deref().is_some_and(|transfer| transfer.gather.is_writing());
        if writing { State::Verifying } else { self.publish(cx) }
    }

    fn verifying(&mut self, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Done => self.verify(cx),
            Step::Faulted(step, fault) => self.fail(DownloadError::File { step, fault }, cx),
            Step::Cancel => self.drain(Then::Finish(Outcome::Canceled), cx),
            Step::Timer if self.is_overdue(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx),
            Step::Granted
            | Step::Refused(_)
            | Step::Timer
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Chunk(_)
            | Step::Looked(..)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Swept => State::Verifying,
        }
    }

    /// Hands out all that is left to do in one go, so that it costs one hop to a worker and one back. From here on the
    /// download cannot be canceled.
    fn publish(&mut self, cx: &mut Context<'_>) -> State {
        let Some(transfer) = self.transfer.as_deref() else { return State::Verifying };
        let length = transfer.meter.received();
        if !transfer.gather.is_empty() {
            self.write(cx);
        }
        let file = self.open(cx);
        self.file_op(cx, |ticket| FileOp::Finish { ticket, file, length });
        if cx.config.durability != Durability::None {
            self.file_op(cx, |ticket| FileOp::Sync { ticket, file });
        }
        if let Some(path) = StorePath::from(&self.name).parent() {
            self.file_op(cx, |ticket| FileOp::MakeDir { ticket, path });
        }
        self.rename(cx);
        self.close(cx);
        State::Publishing(Publishing::default())
    }

    fn rename(&mut self, cx: &mut Context<'_>) {
        let Some(from) = self.partial.clone() else { return };
        let to = StorePath::from(&self.name);
        let clobber = self.request.if_present == IfPresent::Replace;
        self.file_op(cx, |ticket| FileOp::Rename { ticket, from, to, clobber });
        self.follow_rename(cx);
    }

    /// What is to be done once the file has its name.
    fn follow_rename(&mut self, cx: &mut Context<'_>) {
        if cx.config.durability == Durability::Full {
            // A folder that was made for the file is a name in its own parent.
            let mut path = Some(StorePath::from(&self.name));
            while let Some(name) = path {
                path = name.parent();
                self.file_op(cx, |ticket| FileOp::SyncDir { ticket, path: name });
            }
        }
        if cx.bounded {
            let path = StorePath::from(&self.name);
            self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
        }
    }

    fn publishing(&mut self, mut publishing: Publishing, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Renamed(result) => publishing.renamed = Some(result),
            Step::DirectorySynced(Err(fault)) if fault.kind() != FaultKind::Skipped => {
                publishing.directory_fault.get_or_insert(fault);
            }
            Step::Faulted(step, fault) if fault.kind() != FaultKind::Skipped => {
                publishing.failed.get_or_insert((step, fault));
            }
            Step::Looked(action, result) if publishing.looking_at_partial == Some(action) => {
                publishing.partial_there = Some(result);
            }
            Step::Looked(_, result) => publishing.there = Some(result),
            Step::Granted
            | Step::Refused(_)
            | Step::Cancel
            | Step::Timer
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Chunk(_)
            | Step::DirectorySynced(_)
            | Step::Faulted(..)
            | Step::Done
            | Step::Swept => {}
        }
        if self.unanswered > 0 { State::Publishing(publishing) } else { self.conclude(publishing, cx) }
    }

    /// All answers of a round of publishing are there.
    fn conclude(&mut self, mut publishing: Publishing, cx: &mut Context<'_>) -> State {
        match core::mem::take(&mut publishing.round) {
            Round::Chain => self.conclude_chain(publishing, cx),
            Round::Taken => match publishing.there.take() {
                Some(Ok(Some(stat))) if stat.kind == FileKind::Regular => self.present(stat, cx),
                Some(Ok(Some(stat))) => {
                    self.fail(DownloadError::NotAFile { name: self.name.clone(), kind: stat.kind }, cx)
                }
                // It is free again.
                Some(Ok(None)) if publishing.renames < RENAMES_MAX => {
                    publishing.renames += 1;
                    self.epoch += 1;
                    self.rename(cx);
                    State::Publishing(publishing)
                }
                Some(Ok(None)) | None => self.unpublished(Fault::new(FaultKind::Exists), Published::No, cx),
                Some(Err(fault)) => self.unpublished(fault, Published::No, cx),
            },
            Round::Doubt(fault) => self.resolve(publishing, fault, cx),
        }
    }

    fn conclude_chain(&mut self, mut publishing: Publishing, cx: &mut Context<'_>) -> State {
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
        if fault.kind() == FaultKind::Exists && self.request.if_present == IfPresent::Skip {
            self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
            return State::Publishing(Publishing { round: Round::Taken, ..publishing });
        }
        self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
        publishing.looking_at_partial =
            self.partial.clone().map(|path| self.file_op(cx, |ticket| FileOp::Stat { ticket, path }));
        State::Publishing(Publishing { round: Round::Doubt(fault), ..publishing })
    }

    /// Was the rename done? It was if the unfinished file is gone and one of its length has the name.
    fn resolve(&mut self, mut publishing: Publishing, fault: Fault, cx: &mut Context<'_>) -> State {
        let length = self.transfer.as_deref().map_or(0, |transfer| transfer.meter.received());
        let (there, partial) = (publishing.there.take(), publishing.partial_there.take());
        match (there, partial) {
            (_, Some(Ok(Some(_)))) | (Some(Ok(None)), Some(Ok(None))) => self.unpublished(fault, Published::No, cx),
            (Some(Ok(Some(stat))), Some(Ok(None))) => {
                if stat.kind != FileKind::Regular || stat.length != length {
                    return self.unpublished(fault, Published::No, cx);
                }
                self.partial = None;
                publishing.renamed = Some(Ok(()));
                self.epoch += 1;
                self.follow_rename(cx);
                if self.unanswered > 0 { State::Publishing(publishing) } else { self.published(publishing, cx) }
            }
            (_, _) => self.unpublished(fault, Published::Unknown, cx),
        }
    }

    fn published(&mut self, publishing: Publishing, cx: &mut Context<'_>) -> State {
        self.partial = None;
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
        if let Some(fault) = publishing.directory_fault {
            return self.unpublished(fault, Published::Yes, cx);
        }
        let announced = self.transfer.take().map(|transfer| transfer.announced);
        let complete = Complete {
            length,
            url: self.hop.url.clone(),
            requests: self.requests,
            length_unverified: announced.as_ref().is_some_and(|announced| announced.ends_with_connection),
            content_encoding: announced.and_then(|announced| announced.content_encoding),
        };
        self.drain(Then::Finish(Outcome::Complete(complete)), cx)
    }

    fn unpublished(&mut self, fault: Fault, published: Published, cx: &mut Context<'_>) -> State {
        self.fail(DownloadError::Publish { fault, published }, cx)
    }

    /// A file has the name already: it is left as it is, and stamped as accessed.
    fn present(&mut self, stat: FileStat, cx: &mut Context<'_>) -> State {
        let path = StorePath::from(&self.name);
        self.touching = Some(stat);
        self.epoch += 1;
        self.file_op(cx, |ticket| FileOp::Touch { ticket, path, unless_within: TOUCH_GRANULARITY });
        self.drain(Then::Finish(Outcome::Present { length: stat.length }), cx)
    }

    fn waiting(&mut self, until: Instant, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Timer if self.is_overdue(cx) => self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx),
            Step::Timer if until <= cx.now => State::Queued { checked: false },
            Step::Refused(error) => self.drain(Then::Finish(Outcome::Failed(DownloadError::Directory(error))), cx),
            Step::Cancel => self.drain(Then::Finish(Outcome::Canceled), cx),
            Step::Granted
            | Step::Timer
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Chunk(_)
            | Step::Looked(..)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Faulted(..)
            | Step::Done
            | Step::Swept => State::Waiting { until },
        }
    }

    /// Begins to give back what is held.
    fn drain(&mut self, then: Then, cx: &mut Context<'_>) -> State {
        let touching = self.touching.is_some();
        if self.unanswered > 0 && !touching {
            cx.effects.abort_all(Owner::Download(self.key));
        }
        self.epoch += 1;
        self.transfer = None;
        self.drained(then, cx)
    }

    fn draining(&mut self, then: Then, step: Step, cx: &mut Context<'_>) -> State {
        let then = match (step, then) {
            (Step::Cancel, Then::Retry { .. } | Then::Follow) => Then::Finish(Outcome::Canceled),
            // What was skipped was skipped for a reason, and the reason may come later.
            (Step::Faulted(step, fault), Then::Finish(Outcome::Failed(error)))
                if fault.kind() != FaultKind::Skipped && is_skipped(&error) =>
            {
                self.verdict(DownloadError::File { step, fault }, cx)
            }
            (_, then) => then,
        };
        self.drained(then, cx)
    }

    /// Goes on once nothing is held and no action is unanswered.
    fn drained(&mut self, then: Then, cx: &mut Context<'_>) -> State {
        self.drop_body(cx);
        // Whether the file was made, and so is to be deleted, the answer to its Open tells.
        if self.file.as_ref().is_some_and(|file| file.answered) {
            self.close(cx);
        }
        if self.file.is_none()
            && let Some(path) = self.partial.take()
        {
            let items = vec![DeleteItem { path, expect: Expect::File }];
            self.file_op(cx, |ticket| FileOp::Delete { ticket, items });
        }
        if self.unanswered > 0 {
            return State::Draining(then);
        }
        match then {
            Then::Retry { until } => {
                self.hop = self.request.target.clone();
                self.redirects = 0;
                State::Waiting { until }
            }
            Then::Follow => State::Queued { checked: true },
            Then::Finish(outcome) if cx.bounded => State::Evicting(outcome),
            Then::Finish(outcome) => State::Gone(outcome),
        }
    }

    fn evicting(outcome: Outcome, step: &Step) -> State {
        match step {
            Step::Swept => State::Gone(outcome),
            Step::Granted
            | Step::Refused(_)
            | Step::Cancel
            | Step::Timer
            | Step::Connected(_)
            | Step::Head(_)
            | Step::Chunk(_)
            | Step::Looked(..)
            | Step::Renamed(_)
            | Step::DirectorySynced(_)
            | Step::Faulted(..)
            | Step::Done => State::Evicting(outcome),
        }
    }

    // What ends an attempt.

    fn fail(&mut self, error: DownloadError, cx: &mut Context<'_>) -> State {
        let then = self.verdict(error, cx);
        self.drain(then, cx)
    }

    /// What follows from an error: another attempt, or the end.
    fn verdict(&mut self, error: DownloadError, cx: &mut Context<'_>) -> Then {
        if !reply::may_pass(&error) {
            return Then::Finish(Outcome::Failed(error));
        }
        let Some(delay) = self.attempts.fail(self.told.total, cx.config, &mut self.rng) else {
            return Then::Finish(Outcome::Failed(error));
        };
        let requests_max = cx.config.requests_max;
        if self.requests >= requests_max {
            let cause = Box::new(error);
            return Then::Finish(Outcome::Failed(DownloadError::TooManyRequests { requests_max, cause }));
        }
        cx.effects.notice(Notice::Retrying { id: self.id, attempt: self.attempts.failures(), delay, cause: error });
        Then::Retry { until: cx.now + delay }
    }

    // Answers, and what they say of what is held.

    fn note(&mut self, input: Input, cx: &mut Context<'_>) -> Step {
        match input {
            Input::Granted(origin) => {
                self.slot = Some(origin);
                Step::Granted
            }
            Input::Refused(error) => Step::Refused(error),
            Input::Cancel => Step::Cancel,
            Input::Timer => Step::Timer,
            Input::Connected(action) => Step::Connected(action),
            Input::Swept => Step::Swept,
            Input::Reply(action, reply) => {
                self.unanswered -= 1;
                self.note_reply(action, reply, cx)
            }
        }
    }

    fn note_reply(&mut self, action: ActionId, reply: Reply, cx: &mut Context<'_>) -> Step {
        let done = |step, result: Result<(), Fault>| match result {
            Ok(()) => Step::Done,
            Err(fault) => Step::Faulted(step, fault),
        };
        match reply {
            Reply::Fetch(result) => Step::Head(result),
            Reply::ReadBody(result) => {
                if let Some(transfer) = self.transfer.as_deref_mut() {
                    transfer.reading = false;
                }
                Step::Chunk(result)
            }
            Reply::DropBody(Ok(()) | Err(_)) => {
                self.dropping = false;
                Step::Done
            }
            Reply::MakeDir(result) => {
                if self.making_work_folder != Some(action) {
                    return done(FileStep::Folder, result);
                }
                self.making_work_folder = None;
                cx.effects.work_folder.stands |= result.is_ok();
                done(FileStep::Create, result)
            }
            Reply::Stat(result) => Step::Looked(action, result),
            Reply::Open(result) => {
                if let Some(file) = &mut self.file {
                    file.answered = true;
                }
                if let Err(fault) = &result {
                    cx.effects.work_folder.stands &= fault.kind() != FaultKind::NotFound;
                    // Only a lost ticket leaves open whether it was made.
                    if fault.kind() != FaultKind::Aborted {
                        self.partial = None;
                    }
                }
                done(FileStep::Create, result)
            }
            Reply::Write(result) => {
                let (emptied, result) = match result {
                    Ok(emptied) => (Some(emptied), Ok(())),
                    Err(fault) => (None, Err(fault)),
                };
                if let Some(transfer) = self.transfer.as_deref_mut() {
                    transfer.gather.written(action, emptied);
                }
                done(FileStep::Write, result)
            }
            Reply::Sync(result) => done(FileStep::Flush, result),
            Reply::Finish(result) => done(FileStep::Verify, result),
            Reply::Rename(result) => Step::Renamed(result),
            Reply::SyncDir(result) => Step::DirectorySynced(result),
            Reply::Touch(result) => {
                self.touched(result, cx);
                Step::Done
            }
            Reply::Delete(result) => {
                self.deleted(result, cx);
                Step::Done
            }
            Reply::Close(Ok(()) | Err(_)) | Reply::Scan(_) => Step::Done,
        }
    }

    fn touched(&mut self, result: Result<Stamp, Fault>, cx: &mut Context<'_>) {
        let Some(mut stat) = self.touching.take() else { return };
        match result {
            Ok(accessed) => stat.accessed = accessed,
            Err(fault) => {
                cx.effects.notice(Notice::Warning(Warning::NotTouched { name: self.name.clone(), fault }));
            }
        }
        cx.effects.seen.push((StorePath::from(&self.name), stat));
    }

    fn deleted(&self, result: Result<Vec<Deleted>, Fault>, cx: &mut Context<'_>) {
        let fault = match result.map(|deleted| deleted.into_iter().next()) {
            Ok(Some(Deleted::Deleted | Deleted::Gone) | None) => return,
            Ok(Some(Deleted::Changed)) => Fault::new(FaultKind::Changed),
            Ok(Some(Deleted::Busy)) => Fault::new(FaultKind::Busy),
            Ok(Some(Deleted::Denied(fault))) | Err(fault) => fault,
        };
        cx.effects.notice(Notice::Warning(Warning::Litter { path: StorePath::from(&self.name), fault }));
    }

    // Actions.

    fn net<O: Kinded>(&mut self, cx: &mut Context<'_>, lane: Lane, op: impl FnOnce(Ticket<O>) -> NetOp) -> ActionId {
        self.unanswered += 1;
        cx.effects.net(Owner::Download(self.key), lane, op)
    }

    fn file_op<O: Kinded>(&mut self, cx: &mut Context<'_>, op: impl FnOnce(Ticket<O>) -> FileOp) -> ActionId {
        self.unanswered += 1;
        cx.effects.file_op(Owner::Download(self.key), (self.lane, self.epoch), op)
    }

    /// Asks for more of the body, where there is room for it.
    fn ask(&mut self, cx: &mut Context<'_>) {
        let Some(transfer) = self.transfer.as_deref_mut() else { return };
        if transfer.reading || self.body.is_none() || transfer.gather.held() >= cx.config.held_bytes_max.max(1) {
            return;
        }
        transfer.reading = true;
        transfer.stall.asked(cx.now);
        self.read_body(cx.config.read_bytes_max as u64, cx);
    }

    fn read_body(&mut self, bytes_max: u64, cx: &mut Context<'_>) {
        let Some(&Body { id, lane, .. }) = self.body.as_ref() else { return };
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(cx.config.read_bytes_max).max(1);
        self.net(cx, lane, |ticket| NetOp::ReadBody { ticket, body: id, bytes_max });
    }

    fn drop_body(&mut self, cx: &mut Context<'_>) {
        if let Some(Body { id, lane, .. }) = self.body.take() {
            self.dropping = true;
            self.net(cx, lane, |ticket| NetOp::DropBody { ticket, body: id });
        }
    }

    /// The unfinished file, made on first use.
    fn open(&mut self, cx: &mut Context<'_>) -> FileId {
        if let Some(file) = &self.file {
            return file.id;
        }
        if !cx.effects.work_folder.stands {
            cx.effects.work_folder.asked = true;
            let path = StorePath::work_folder();
            self.making_work_folder = Some(self.file_op(cx, |ticket| FileOp::MakeDir { ticket, path }));
        }
        let (key, random) = (self.name.key(), self.rng.next_u64());
        let path = StorePath::in_work_folder(&alloc::format!("{key:032x}.{random:016x}.part"));
        let id = cx.effects.file();
        self.file = Some(OpenFile { id, answered: false });
        self.partial = Some(path.clone());
        self.file_op(cx, |ticket| FileOp::Open { ticket, file: id, path, mode: OpenMode::CreateNew });
        id
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        let file = self.open(cx);
        let Some(transfer) = self.transfer.as_deref_mut() else { return };
        let batch = transfer.gather.take();
        let pinned = batch.pinned();
        let (offset, data) = (batch.offset, batch.data);
        let action = self.file_op(cx, |ticket| FileOp::Write { ticket, file, offset, data });
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.gather.writing(action, pinned);
        }
    }

    fn write_if_due(&mut self, cx: &mut Context<'_>) {
        let since = self.transfer.as_deref().and_then(|transfer| transfer.gather.since());
        if since.is_some_and(|since| since + cx.config.gather_time <= cx.now) {
            self.write(cx);
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        if let Some(OpenFile { id, .. }) = self.file.take() {
            self.file_op(cx, |ticket| FileOp::Close { ticket, file: id });
        }
    }

    fn report(&mut self, cx: &mut Context<'_>) {
        if let Some(progress) = self.transfer.as_deref_mut().and_then(|transfer| transfer.meter.report(cx.now)) {
            self.tell(progress, cx);
        }
    }

    fn tell(&mut self, progress: Progress, cx: &mut Context<'_>) {
        self.told = progress;
        cx.effects.notice(Notice::Progress { id: self.id, progress });
    }

    /// Each hop's header fields are made anew: what the caller gave goes to the first URL's origin only.
    fn build_request(&self, config: &Config) -> FetchRequest {
        let url = &self.hop.url;
        let mut headers = HeaderMap::new();
        if let Ok(user_agent) = HeaderValue::from_str(&config.user_agent) {
            headers.insert(USER_AGENT, user_agent);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let first = &self.request.target;
        let at_home = Origin::of(url) == Origin::of(&first.url);
        if let Some(authorization) =
            self.hop.authorization.as_ref().or(first.authorization.as_ref().filter(|_| at_home))
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if at_home {
            for (name, value) in &self.request.headers {
                headers.insert(name, value.clone());
            }
        }
        if let Some(host) = origin::host_header(url) {
            headers.insert(HOST, host);
        }
        let mut request = FetchRequest::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = origin::uri(url).unwrap_or_default();
        *request.headers_mut() = headers;
        request
    }

    // Questions.

    /// The origin that the next request goes to.
    pub(crate) fn origin(&self) -> Origin {
        Origin::of(&self.hop.url)
    }

    pub(crate) const fn phase(&self) -> Phase {
        match self.state {
            State::Queued { .. } => Phase::Queued,
            State::Checking => Phase::Checking,
            State::Connecting { .. } | State::Redirecting { .. } => Phase::Connecting,
            State::Receiving => Phase::Receiving,
            State::Verifying => Phase::Verifying,
            State::Publishing(_) => Phase::Publishing,
            State::Waiting { .. } => Phase::Waiting,
            State::Draining(_) => Phase::Draining,
            State::Evicting(_) | State::Gone(_) => Phase::Evicting,
        }
    }

    /// How it will end, where that is decided.
    pub(crate) const fn ending(&self) -> Option<&Outcome> {
        match &self.state {
            State::Draining(Then::Finish(outcome)) | State::Evicting(outcome) | State::Gone(outcome) => Some(outcome),
            State::Queued { .. }
            | State::Checking
            | State::Connecting { .. }
            | State::Redirecting { .. }
            | State::Receiving
            | State::Verifying
            | State::Publishing(_)
            | State::Waiting { .. }
            | State::Draining(Then::Retry { .. } | Then::Follow) => None,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.transfer.as_deref().map_or(self.told, |transfer| transfer.meter.progress())
    }

    /// Whether it has been under way before, so that it goes first in its line.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.requests == 0
    }

    pub(crate) const fn slot(&self) -> Option<&Origin> {
        self.slot.as_ref()
    }

    /// When it wants to be told of the time next.
    pub(crate) fn deadline(&self, config: &Config) -> Option<Instant> {
        let (own, overall) = match &self.state {
            State::Queued { .. } | State::Checking | State::Verifying => (None, true),
            State::Connecting { deadline, .. } | State::Redirecting { deadline, .. } => (Some(*deadline), true),
            State::Receiving => (self.transfer.as_deref().and_then(|transfer| transfer.deadline(config)), true),
            State::Waiting { until } => (Some(*until), true),
            State::Publishing(_) | State::Draining(_) | State::Evicting(_) | State::Gone(_) => (None, false),
        };
        let whole = self.whole_deadline.filter(|_| overall);
        own.into_iter().chain(whole).min()
    }

    fn is_overdue(&self, cx: &Context<'_>) -> bool {
        self.whole_deadline.is_some_and(|deadline| deadline <= cx.now)
    }

    const fn needs_slot(&self) -> bool {
        let under_way = match self.state {
            State::Checking | State::Connecting { .. } | State::Redirecting { .. } | State::Receiving => true,
            State::Queued { .. }
            | State::Verifying
            | State::Publishing(_)
            | State::Waiting { .. }
            | State::Draining(_)
            | State::Evicting(_)
            | State::Gone(_) => false,
        };
        under_way || self.dropping || self.body.is_some()
    }

    fn is_edge(&self, before: Phase) -> bool {
        let after = self.phase();
        before == after || TRANSITIONS.iter().any(|(from, to)| *from == before && to.contains(&after))
    }

    pub(crate) fn check_invariants(&self) {
        let name = self.name.to_string();
        let holds = self.body.is_some() || self.file.is_some() || self.partial.is_some();
        match &self.state {
            State::Queued { .. } | State::Waiting { .. } | State::Evicting(_) | State::Gone(_) => {
                assert!(!holds && self.unanswered == 0, "{name} holds nothing and waits for no answer");
                assert!(self.slot.is_none() && !self.dropping, "{name} has no slot");
            }
            State::Checking => assert!(!holds && self.unanswered == 1 && self.slot.is_some(), "{name} only looks"),
            State::Connecting { .. } | State::Redirecting { .. } => {
                assert!(self.body.is_some() && self.file.is_none() && self.slot.is_some(), "{name} has an exchange");
            }
            State::Receiving => {
                assert!(self.body.is_some() && self.transfer.is_some() && self.slot.is_some(), "{name} has a body");
            }
            State::Verifying | State::Publishing(_) => assert!(self.body.is_none(), "{name} has all bytes"),
            State::Draining(_) => assert!(self.unanswered > 0, "{name} waits for something"),
        }
        if let Some(transfer) = self.transfer.as_deref() {
            assert!(!transfer.reading || self.unanswered > 0, "{name} waits for the chunk that it asked for");
        }
        assert!(self.file.is_none() || self.partial.is_some() || self.file.as_ref().is_some_and(|file| file.answered));
    }
}

impl Transfer {
    fn deadline(&self, config: &Config) -> Option<Instant> {
        let write = self.gather.since().map(|since| since + config.gather_time);
        [self.stall.deadline(), write, self.meter.report_at()].into_iter().flatten().min()
    }
}

fn is_skipped(error: &DownloadError) -> bool {
    match error {
        DownloadError::File { fault, .. } => fault.kind() == FaultKind::Skipped,
        DownloadError::Network(_)
        | DownloadError::Timeout(_)
        | DownloadError::Status { .. }
        | DownloadError::BadReply(_)
        | DownloadError::Truncated { .. }
        | DownloadError::Overlong { .. }
        | DownloadError::TooLarge { .. }
        | DownloadError::TooManyRedirects { .. }
        | DownloadError::BadRedirect { .. }
        | DownloadError::TooManyRequests { .. }
        | DownloadError::NotAFile { .. }
        | DownloadError::Publish { .. }
        | DownloadError::Directory(_) => false,
    }
}
