//! A driver whose network and disk take no time.

use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{
    Action, ActionId, Chunk, Completion, Config, Deleted, Event, FileAction, FileKind, FileOp, FileStat, Head, Instant,
    Manager, NetAction, NetOp, Notice, Opened, Outcome, Output, PersistLimit, Probed, Request, Stamp, StorePath,
};
use http::{HeaderMap, StatusCode, Version};

/// Is told when the core begins and ends to run.
pub trait Observer {
    /// The core is about to be called.
    fn enter(&mut self) {}
    /// The call is over.
    fn leave(&mut self) {}
}

impl Observer for () {}

/// How far the clock goes on from turn to turn.
const TURN: Duration = Duration::from_micros(10);

/// A manager, and a driver that answers in the next turn whatever the last one asked.
#[derive(Debug)]
pub struct World<O> {
    manager: Manager,
    now: Instant,
    /// The bytes of every chunk.
    chunk: Bytes,
    /// Whether a chunk is the last one of its body.
    whole: bool,
    /// What the server says of a body's length.
    length: u64,
    answers: Vec<Event>,
    fetched: Vec<ActionId>,
    observer: O,
    /// How many events the core has taken, those of the clock left out.
    pub events: u64,
    /// How many chunks it has taken.
    pub chunks: u64,
    /// How many downloads have ended with a file.
    pub complete: u64,
}

impl<O: Observer> World<O> {
    /// A world in which each file is one chunk of so many bytes.
    pub fn of_small_files(config: Config, length: usize, observer: O) -> Self {
        Self {
            manager: Manager::new(config, 1),
            now: Instant::ZERO,
            chunk: Bytes::from(vec![7; length]),
            whole: true,
            length: length as u64,
            answers: Vec::new(),
            fetched: Vec::new(),
            observer,
            events: 0,
            chunks: 0,
            complete: 0,
        }
    }

    /// A world in which each body goes on for ever, chunk by chunk.
    pub fn of_endless_files(config: Config, chunk_length: usize, observer: O) -> Self {
        let endless = Self::of_small_files(config, chunk_length, observer);
        Self { whole: false, length: u64::MAX / 2, ..endless }
    }

    /// The manager, as it is.
    pub fn manager(&mut self) -> &mut Manager {
        &mut self.manager
    }

    /// Who is told when the core runs.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Admits a download.
    ///
    /// # Panics
    ///
    /// It is not admitted.
    pub fn download(&mut self, request: Request) {
        self.observer.enter();
        let admitted = self.manager.download(self.now, request);
        self.observer.leave();
        assert!(admitted.is_ok(), "{admitted:?}");
    }

    /// One turn: hands in what was answered since the last one, and answers what is asked now. Returns whether
    /// anything was.
    pub fn turn(&mut self) -> bool {
        self.now = self.now + TURN;
        self.observer.enter();
        for event in self.answers.drain(..) {
            self.events += 1;
            self.manager.handle(self.now, event);
        }
        self.manager.handle(self.now, Event::Tick);
        let mut output = self.manager.poll();
        self.observer.leave();
        loop {
            match output {
                Output::Action(Action::Net(action)) => self.answer_net(action),
                Output::Action(Action::File(action)) => {
                    self.answers.push(Event::Completed(answer_file(action)));
                }
                Output::Notice(Notice::Finished { outcome: Outcome::Complete(_), .. }) => self.complete += 1,
                Output::Action(Action::Abort(_)) | Output::Notice(_) => {}
                Output::Wait(_) => return !self.answers.is_empty(),
            }
            self.observer.enter();
            output = self.manager.poll();
            self.observer.leave();
        }
    }

    fn answer_net(&mut self, action: NetAction) {
        let completion = match action.op {
            NetOp::Fetch { ticket, .. } => {
                self.fetched.push(ticket.id());
                let mut headers = HeaderMap::new();
                headers.insert("content-length", self.length.into());
                let head = Head { version: Version::HTTP_11, status: StatusCode::OK, headers };
                self.answers.push(Event::Connected(ticket.id()));
                ticket.done(Ok(Box::new(head)))
            }
            NetOp::ReadBody { ticket, .. } => {
                self.chunks += 1;
                let chunk = Chunk { data: self.chunk.clone(), pinned: self.chunk.len(), last: self.whole };
                ticket.done(Ok(chunk))
            }
            NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
        };
        self.answers.push(Event::Completed(completion));
    }
}

fn answer_file(action: FileAction) -> Completion {
    match action.op {
        FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
        FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
        FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
        FileOp::Write { ticket, mut data, .. } => {
            data.clear();
            ticket.done(Ok(data))
        }
        FileOp::SetTimes { ticket, .. } => ticket.done(Ok(())),
        FileOp::Sync { ticket, .. } => ticket.done(Ok(())),
        FileOp::SyncDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
        FileOp::Rename { ticket, .. } => ticket.done(Ok(())),
        FileOp::Delete { ticket, items } => ticket.done(Ok(items.iter().map(|_| Deleted::Deleted).collect())),
        FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
        FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
        FileOp::Close { ticket, .. } => ticket.done(Ok(())),
        op @ (FileOp::Scan { .. }
        | FileOp::Read { .. }
        | FileOp::Truncate { .. }
        | FileOp::Hash { .. }
        | FileOp::Touch { .. }
        | FileOp::KeepDigests { .. }
        | FileOp::Gauge { .. }) => unreachable!("nothing here leads to {op:?}"),
    }
}

/// The request for a file with this number.
///
/// # Panics
///
/// Never: the URL is a good one.
pub fn request(number: u32) -> Request {
    Request::new(&format!("http://origin.example/files/{number:08}.bin")).expect("a good URL")
}

/// A limit that keeps so many files, and knows as many.
pub(crate) fn limit_of(files: u32) -> PersistLimit {
    let mut limit = PersistLimit::new(1, u64::from(files));
    for number in 0..files {
        register(&mut limit, number);
    }
    limit
}

/// Makes a file count that is newer than those with smaller numbers.
pub(crate) fn register(limit: &mut PersistLimit, number: u32) {
    let accessed = Stamp::from_nanos(i64::from(number));
    let stat = FileStat { kind: FileKind::Regular, length: 1, accessed, modified: accessed };
    let path = StorePath::entry(&format!("{number:08}.bin")).expect("a good name");
    limit.register(path, &stat);
}
