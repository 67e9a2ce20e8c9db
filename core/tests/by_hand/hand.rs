//! Who answers: a test what it is about, and the rest as an empty directory would in which everything works.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dlmanager_core::{
    Action, ActionId, Chunk, Completion, Config, Deleted, Event, FaultKind, FileAction, FileKind, FileOp, FileStat,
    Gauged, Head, Instant, Lane, Manager, NetOp, Notice, Opened, Output, Probed, Request, ScanBatch, Stamp,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

pub(crate) const URL: &str = "http://example.org/file";

/// What a manager asks for, or tells.
#[derive(Debug)]
pub(crate) enum Asked {
    File(FileAction),
    Net(NetOp),
    Told(Notice),
    /// Until then, if at all.
    Waits(Option<Instant>),
}

/// A manager, and the time that it is. What is behind a failure in its epoch is skipped.
pub(crate) struct Hand {
    pub(crate) manager: Manager,
    pub(crate) now: Instant,
    /// What the driver was advised to cut short.
    pub(crate) aborted: Vec<ActionId>,
    unanswered: BTreeMap<ActionId, (Lane, u32)>,
    failed: BTreeSet<(Lane, u32)>,
}

impl Hand {
    pub(crate) fn new(config: Config) -> Self {
        let manager = Manager::new(config, 1);
        Self { manager, now: Instant::ZERO, aborted: vec![], unanswered: BTreeMap::new(), failed: BTreeSet::new() }
    }

    /// One that has been asked for this.
    pub(crate) fn of(config: Config, request: Request) -> Self {
        let mut hand = Self::new(config);
        hand.manager.download(hand.now, request).unwrap();
        hand
    }

    pub(crate) fn next(&mut self) -> Asked {
        loop {
            self.manager.check_invariants();
            match self.manager.poll() {
                Output::Action(Action::File(action)) => {
                    let place = (action.lane, action.epoch);
                    if self.failed.contains(&place) && !action.op.is_closer() {
                        self.answer(action.fail(FaultKind::Skipped.into()));
                    } else {
                        self.unanswered.insert(action.id(), place);
                        return Asked::File(action);
                    }
                }
                Output::Action(Action::Net(action)) => return Asked::Net(action.op),
                Output::Action(Action::Abort(action)) => self.aborted.push(action),
                Output::Notice(notice) => return Asked::Told(notice),
                Output::Wait(wait) => return Asked::Waits(wait.until),
            }
        }
    }

    pub(crate) fn answer(&mut self, completion: Completion) {
        let place = self.unanswered.remove(&completion.id());
        self.failed.extend(place.filter(|_| completion.is_failure()));
        self.manager.handle(self.now, Event::Completed(completion));
        self.manager.handle(self.now, Event::Tick);
    }

    /// Lets the time pass, that there is something to wait for.
    #[track_caller]
    pub(crate) fn pass(&mut self, until: Option<Instant>) {
        self.now = until.expect("a time to wait for");
        self.manager.handle(self.now, Event::Tick);
    }
}

/// What a directory answers that is empty and in which everything works.
pub(crate) fn usual(op: FileOp) -> Completion {
    match op {
        FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
        FileOp::Gauge { ticket } => ticket.done(Ok(Gauged { now: Stamp::default(), free_bytes: None })),
        FileOp::Scan { ticket, .. } => ticket.done(Ok(ScanBatch { entries: vec![], unnameable: 0, done: true })),
        FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
        FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
        FileOp::Read { ticket, .. } => ticket.done(Ok(Bytes::new())),
        FileOp::Write { ticket, mut data, .. } => {
            data.clear();
            ticket.done(Ok(data))
        }
        FileOp::Touch { ticket, .. } => ticket.done(Ok(Stamp::default())),
        FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
        FileOp::Delete { ticket, items } => ticket.done(Ok(vec![Deleted::Deleted; items.len()])),
        FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Truncate { ticket, .. } => ticket.done(Ok(())),
        FileOp::SetTimes { ticket, .. } => ticket.done(Ok(())),
        FileOp::KeepDigests { ticket, .. } => ticket.done(Ok(())),
        FileOp::Sync { ticket, .. } => ticket.done(Ok(())),
        FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
        FileOp::Rename { ticket, .. } => ticket.done(Ok(())),
        FileOp::SyncDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
        FileOp::Close { ticket, .. } => ticket.done(Ok(())),
        FileOp::Hash { .. } => panic!("what a file comes to is not known here: {op:?}"),
    }
}

/// What stands under a name.
pub(crate) fn stat(kind: FileKind, length: u64) -> FileStat {
    FileStat { kind, length, accessed: Stamp::default(), modified: Stamp::default() }
}

/// The head of a reply.
pub(crate) fn head(status: u16, fields: &[(&'static str, &str)]) -> Box<Head> {
    let field =
        |&(name, value): &(&'static str, &str)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    let headers: HeaderMap = fields.iter().map(field).collect();
    Box::new(Head { version: Version::HTTP_11, status: StatusCode::from_u16(status).unwrap(), headers })
}

/// So many bytes of a body.
pub(crate) fn chunk(bytes: usize, last: bool) -> Chunk {
    Chunk { data: Bytes::from(vec![b'x'; bytes]), pinned: bytes, last }
}
