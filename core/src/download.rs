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
//! By phase, where `Redirecting` counts as `Connecting` and `Gone` as `Evicting` (each step is checked against this table,
//! and the table against the code's):
//!
//! | From | To |
//! |---|---|
//! | Queued | Checking, Connecting, Evicting |
//! | Checking | Connecting, Draining, Evicting |
//! | Connecting | Receiving, Draining |
//! | Receiving | Verifying, Publishing, Draining |
//! | Verifying | Publishing, Draining |
//! | Publishing | Draining, Waiting, Evicting |
//! | Waiting | Queued, Evicting |
//! | Draining | Queued, Waiting, Evicting |
//!
//! What a download holds stands beside its state, in fields whose `take` issues the closer, so that each is closed once;
//! `unanswered == 0` is the only way out of `Draining`.

use alloc::boxed::Box;

use crate::action::{Chunk, FileKind, FileStat, Head};
use crate::arena::Key;
use crate::backoff::Attempts;
use crate::effects::{Effects, Owner, Reply};
use crate::gather::Gather;
use crate::meter::Meter;
use crate::origin::{Origin, Target};
use crate::queue::Place;
use crate::reply::{self, Announced, Verdict};
use crate::rng::Rng;
use crate::stall::StallClock;
use crate::{
    ActionId, Complete, Config, DirectoryError, DownloadError, DownloadId, Durability, Fault, FaultKind, FileName,
    FileOp, FileStep, IfPresent, Instant, Lane, NetOp, Notice, Outcome, Progress, Published, Request, Stamp, StorePath,
    TimeoutKind,
};

mod edges;
mod holdings;
mod queries;
mod state;

use holdings::{Body, OpenFile, Transfer};
use state::{Publishing, Round};
pub(crate) use state::{State, Then};

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
    redirect_status: u16,
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
    /// The unfinished file whose `Delete` is unanswered.
    deleting: Option<StorePath>,
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
}

impl Download {
    /// Takes an input. Returns the slot that it no longer needs.
    pub(crate) fn on(&mut self, input: Input, cx: &mut Context<'_>) -> Option<Origin> {
        let before = self.phase();
        let state = core::mem::replace(&mut self.state, State::Gone(Outcome::Canceled));
        self.state = match input {
            Input::Cancel => self.cancel(state, cx),
            Input::Refused(error) => self.refuse(state, error, cx),
            Input::Timer if state.is_timed() && self.is_overdue(cx) => {
                self.fail(DownloadError::Timeout(TimeoutKind::Whole), cx)
            }
            Input::Timer => self.step(state, Step::Timer, cx),
            Input::Swept => self.step(state, Step::Swept, cx),
            Input::Connected(fetch) => self.step(state, Step::Net(Net::Connected(fetch)), cx),
            Input::Granted(origin) => {
                self.slot = Some(origin);
                self.step(state, Step::Granted, cx)
            }
            Input::Reply(action, reply) => {
                let step = self.note(action, reply, cx);
                self.step(state, step, cx)
            }
        };
        debug_assert!(edges::is_edge(before, self.phase()), "{before:?} -> {:?}", self.phase());
        if self.needs_slot() { None } else { self.slot.take() }
    }

    fn step(&mut self, state: State, step: Step, cx: &mut Context<'_>) -> State {
        match state {
            State::Queued { checked } => self.queued(checked, &step, cx),
            State::Checking { found } => self.checking(found, step, cx),
            State::Connecting { deadline, connected } => self.connecting(deadline, connected, step, cx),
            State::Redirecting { left, deadline } => self.redirecting(left, deadline, step, cx),
            State::Receiving => self.receiving(step, cx),
            State::Verifying => self.verifying(step, cx),
            State::Publishing(publishing) => self.publishing(publishing, step, cx),
            State::Waiting { until } => Self::waiting(until, &step, cx),
            State::Draining(then) => self.draining(then, step, cx),
            State::Evicting(outcome) => Self::evicting(outcome, &step),
            State::Gone(outcome) => State::Gone(outcome),
        }
    }

    /// Whoever can no longer be canceled is told so by the manager, and stays as he is.
    fn cancel(&mut self, state: State, cx: &mut Context<'_>) -> State {
        match state {
            State::Queued { .. }
            | State::Checking { .. }
            | State::Connecting { .. }
            | State::Redirecting { .. }
            | State::Receiving
            | State::Verifying
            | State::Waiting { .. } => self.drain(Then::Finish(Outcome::Canceled), cx),
            State::Draining(Then::Retry { .. } | Then::Follow) => self.drained(Then::Finish(Outcome::Canceled), cx),
            State::Draining(Then::Finish(_)) | State::Publishing(_) | State::Evicting(_) | State::Gone(_) => state,
        }
    }

    /// Nothing is granted before the directory is accepted, so only who is queued can be refused.
    fn refuse(&mut self, state: State, error: DirectoryError, cx: &mut Context<'_>) -> State {
        if let State::Queued { .. } = state {
            return self.drain(Then::Finish(Outcome::Failed(DownloadError::Directory(error))), cx);
        }
        state
    }

    // The states, in the order of a life.

    fn queued(&mut self, checked: bool, step: &Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::Granted if checked => self.connect(cx),
            Step::Granted => {
                self.whole_deadline = self.whole_deadline.or_else(|| Some(cx.now + cx.config.timeout?));
                let path = StorePath::from(&self.name);
                self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
                State::Checking { found: None }
            }
            Step::Timer | Step::Swept | Step::Net(_) | Step::File(_) => State::Queued { checked },
        }
    }

    fn checking(&mut self, found: Option<FileStat>, step: Step, cx: &mut Context<'_>) -> State {
        match step {
            Step::File(File::Looked(_, Ok(None))) => self.connect(cx),
            Step::File(File::Looked(_, Ok(Some(stat)))) => match (stat.kind, self.request.if_present) {
                (FileKind::Regular, IfPresent::Skip) => {
                    self.touch(cx);
                    State::Checking { found: Some(stat) }
                }
                (FileKind::Regular, IfPresent::Replace) => self.connect(cx),
                (kind, _) => self.fail(DownloadError::NotAFile { name: self.name.clone(), kind }, cx),
            },
            Step::File(File::Looked(_, Err(fault))) => {
                self.fail(DownloadError::File { step: FileStep::Look, fault }, cx)
            }
            Step::File(File::Touched(touched)) => match found.filter(|_| !is_gone(&touched)) {
                Some(stat) => self.present(stat, touched, cx),
                None => self.connect(cx),
            },
            Step::File(File::Done | File::Faulted(..) | File::Renamed(_) | File::DirectorySynced(_))
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::Net(_) => State::Checking { found },
        }
    }

    fn connect(&mut self, cx: &mut Context<'_>) -> State {
        let requests_max = cx.config.requests_max;
        if self.requests >= requests_max.max(1) {
            // Only a redirect comes here: other attempts end before they wait for another.
            let cause = Box::new(DownloadError::Status { status: self.redirect_status });
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
            Step::Net(Net::Connected(fetch)) if !connected && self.is_fetched_by(fetch) => {
                State::Connecting { deadline: cx.now + cx.config.first_byte_timeout, connected: true }
            }
            Step::Net(Net::Head(Ok(head))) => match reply::judge(&head, &self.hop.url, cx.config) {
                Ok(Verdict::Take(announced)) => self.receive(announced, cx),
                Ok(Verdict::Follow { target, body_length }) => {
                    self.redirect_status = head.status.as_u16();
                    self.redirect(target, body_length, cx)
                }
                Err(error) => self.fail(error, cx),
            },
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
            Step::Net(Net::Chunk(Ok(chunk))) => {
                let left = left.saturating_sub(chunk.data.len() as u64);
                if chunk.last || left == 0 {
                    return self.drain(Then::Follow, cx);
                }
                self.read_body(left, cx);
                State::Redirecting { left, deadline }
            }
            Step::Net(Net::Chunk(Err(_))) => self.drain(Then::Follow, cx),
            Step::Timer if deadline <= cx.now => self.drain(Then::Follow, cx),
            Step::Net(Net::Connected(_) | Net::Head(_) | Net::Dropped)
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::File(_) => State::Redirecting { left, deadline },
        }
    }

    fn receive(&mut self, announced: Announced, cx: &mut Context<'_>) -> State {
        let mut rewinds = self.told.rewinds;
        if self.told.received > 0 {
            rewinds = rewinds.saturating_add(1);
            cx.effects.notice(Notice::Rewound { id: self.id, from: self.told.received, to: 0 });
        }
        let meter = Meter::new(cx.config, cx.now, announced.length, rewinds);
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
            Step::Net(Net::Chunk(Ok(chunk))) => match self.take_chunk(chunk, cx) {
                Ok(true) => self.received(cx),
                Ok(false) => State::Receiving,
                Err(error) => self.fail(error, cx),
            },
            Step::Net(Net::Chunk(Err(fault))) => self.fail(DownloadError::Network(fault), cx),
            Step::File(File::Done) => {
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
            | Step::File(File::Looked(..) | File::Touched(_) | File::Renamed(_) | File::DirectorySynced(_))
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
            Step::File(File::Done) => self.verify(cx),
            Step::File(File::Faulted(step, fault)) => self.fail(DownloadError::File { step, fault }, cx),
            Step::File(File::Looked(..) | File::Touched(_) | File::Renamed(_) | File::DirectorySynced(_))
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::Net(_) => State::Verifying,
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

    fn publishing(&mut self, mut publishing: Publishing, step: Step, cx: &mut Context<'_>) -> State {
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
            Step::File(File::Done | File::Faulted(..) | File::DirectorySynced(_))
            | Step::Granted
            | Step::Timer
            | Step::Swept
            | Step::Net(_) => {}
        }
        if self.unanswered > 0 { State::Publishing(publishing) } else { self.conclude(publishing, cx) }
    }

    /// All answers of a round of publishing are there.
    fn conclude(&mut self, mut publishing: Publishing, cx: &mut Context<'_>) -> State {
        match core::mem::take(&mut publishing.round) {
            Round::Chain => self.conclude_chain(publishing, cx),
            Round::Taken => match publishing.there.take() {
                Some(Ok(Some(stat))) if stat.kind == FileKind::Regular => {
                    self.touch(cx);
                    State::Publishing(Publishing { round: Round::Touching(stat), ..publishing })
                }
                Some(Ok(Some(stat))) => {
                    self.fail(DownloadError::NotAFile { name: self.name.clone(), kind: stat.kind }, cx)
                }
                Some(Ok(None)) | None => self.rename_again(publishing, cx),
                Some(Err(fault)) => self.unpublished(fault, Published::No, cx),
            },
            Round::Touching(stat) => match publishing.touched.take() {
                Some(touched) if !is_gone(&touched) => self.present(stat, touched, cx),
                Some(_) | None => self.rename_again(publishing, cx),
            },
            Round::Doubt(fault) => self.resolve(publishing, fault, cx),
        }
    }

    /// The name that was taken is free again.
    fn rename_again(&mut self, mut publishing: Publishing, cx: &mut Context<'_>) -> State {
        publishing.renames += 1;
        if publishing.renames > RENAMES_MAX {
            return self.unpublished(Fault::new(FaultKind::Exists), Published::No, cx);
        }
        self.epoch += 1;
        self.rename(cx);
        State::Publishing(publishing)
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
        if fault.kind() == FaultKind::Exists && !self.clobbers() {
            self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
            return State::Publishing(Publishing { round: Round::Taken, ..publishing });
        }
        self.file_op(cx, |ticket| FileOp::Stat { ticket, path });
        // Either look stands for itself.
        self.epoch += 1;
        publishing.looking_at_partial =
            self.partial.clone().map(|path| self.file_op(cx, |ticket| FileOp::Stat { ticket, path }));
        State::Publishing(Publishing { round: Round::Doubt(fault), ..publishing })
    }

    /// Was the rename done? It was if the unfinished file is gone and one of its length has the name.
    fn resolve(&mut self, mut publishing: Publishing, fault: Fault, cx: &mut Context<'_>) -> State {
        let length = self.transfer.as_deref().map_or(0, |transfer| transfer.meter.received());
        let (there, partial) = (publishing.there.take(), publishing.partial_there.take());
        match (there, partial) {
            // A rename by link and unlink, where there is no other without clobbering, may have done the first alone.
            (Some(Ok(Some(stat))), Some(Ok(Some(_)))) if !self.clobbers() && is_published_as(&stat, length) => {
                self.unpublished(fault, Published::Unknown, cx)
            }
            (_, Some(Ok(Some(_)))) => self.unpublished(fault, Published::No, cx),
            // Both are gone: an error of the rename itself says that it was not done, a lost answer says nothing.
            (Some(Ok(None)), Some(Ok(None))) if fault.kind() != FaultKind::Aborted => {
                self.unpublished(fault, Published::No, cx)
            }
            (Some(Ok(Some(stat))), Some(Ok(None))) => {
                if !is_published_as(&stat, length) {
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
        if let Some(fault) = publishing.directory_fault.or(publishing.failed.map(|(_, fault)| fault)) {
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
            Step::Timer if until <= cx.now => State::Queued { checked: false },
            Step::Granted | Step::Timer | Step::Swept | Step::Net(_) | Step::File(_) => State::Waiting { until },
        }
    }

    /// Begins to give back what is held.
    fn drain(&mut self, then: Then, cx: &mut Context<'_>) -> State {
        if self.unanswered > 0 {
            cx.effects.abort_all(Owner::Download(self.key));
        }
        self.epoch += 1;
        self.transfer = None;
        self.drained(then, cx)
    }

    fn draining(&mut self, then: Then, step: Step, cx: &mut Context<'_>) -> State {
        let then = match (step, then) {
            // What was skipped was skipped for a reason, and the reason may come later.
            (Step::File(File::Faulted(step, fault)), Then::Finish(Outcome::Failed(error)))
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
        self.let_go(cx);
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
}

/// Whether this can be the file that was published.
const fn is_published_as(stat: &FileStat, length: u64) -> bool {
    matches!(stat.kind, FileKind::Regular) && stat.length == length
}

/// Whether the file that was to be touched is not there any more.
fn is_gone(touched: &Result<Stamp, Fault>) -> bool {
    matches!(touched, Err(fault) if fault.kind() == FaultKind::NotFound)
}

/// Whether the error only says that something before it failed.
fn is_skipped(error: &DownloadError) -> bool {
    matches!(error, DownloadError::File { fault, .. } if fault.kind() == FaultKind::Skipped)
}
