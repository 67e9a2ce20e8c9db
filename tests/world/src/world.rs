//! A manager, its servers, its directory and its clock, all in memory: whole scenarios without a socket, a file or a sleep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::testing::Tickets;
use dlmanager_core::{
    Action, Admission, Config, DownloadError, DownloadId, Event, FileAction, FileOp, Instant, Lane, Manager, Notice,
    Outcome, Output, Phase, Progress, Request, Stamp, Wait, WakeReason,
};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::ScriptedTransport;

use crate::lanes::{FileLanes, Turn, skipped};
use crate::told::Subject;

/// A scenario that takes more turns than this does not end.
const TURNS_MAX: u32 = 200_000;

/// More outputs than this in one turn have no end.
const OUTPUTS_MAX: usize = 100_000;

/// The wall clock when the virtual one shows zero: 2026-01-01 UTC.
const WALL_CLOCK_START: i64 = 1_767_225_600_000_000_000;

/// A manager in a world of its own, driven by the rules of the contract on a virtual clock.
#[derive(Debug)]
pub struct World {
    /// The manager.
    pub manager: Manager,
    /// The servers.
    pub net: ScriptedTransport,
    /// The directory.
    pub directory: MemoryDirectory,
    now: Instant,
    lanes: FileLanes,
    /// File actions under way, by when they end.
    running: BTreeMap<(Instant, u64), FileAction>,
    running_lanes: BTreeSet<Lane>,
    started: u64,
    wait: Wait,
    notices: Vec<(Instant, Notice)>,
    file_operations: Vec<String>,
    executed: Vec<&'static str>,
    fuse: Option<Fuse>,
}

/// Where a program dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fuse {
    /// At which of its file actions, counted from 1.
    pub at: usize,
    /// After the first half of it, where it is a write, else before it.
    pub half: bool,
}

impl World {
    /// An empty directory, servers that know nothing, and a manager with these settings.
    pub fn new(config: Config) -> Self {
        Self::within(MemoryDirectory::new(), config, 1)
    }

    /// The same in a directory that is there already.
    pub fn within(directory: MemoryDirectory, config: Config, seed: u64) -> Self {
        directory.set_now(Stamp::from_nanos(WALL_CLOCK_START));
        Self {
            manager: Manager::new(config, seed),
            net: ScriptedTransport::new(),
            directory,
            now: Instant::ZERO,
            lanes: FileLanes::default(),
            running: BTreeMap::new(),
            running_lanes: BTreeSet::new(),
            started: 0,
            wait: Wait { until: None, why: WakeReason::Command },
            notices: Vec::new(),
            file_operations: Vec::new(),
            executed: Vec::new(),
            fuse: None,
        }
    }

    /// Lets the driver die there: then no turn does anything any more.
    pub fn dies_at(&mut self, fuse: Option<Fuse>) {
        self.fuse = fuse;
    }

    /// Whether the driver has died.
    pub fn is_dead(&self) -> bool {
        self.fuse.is_some_and(|fuse| fuse.at <= self.executed.len())
    }

    /// The file actions that were executed, the one at which the driver died included.
    pub fn executed(&self) -> &[&'static str] {
        &self.executed
    }

    /// The virtual time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Admits a download of this URL under the URL's own name.
    ///
    /// # Panics
    ///
    /// Where it is refused.
    #[track_caller]
    pub fn download(&mut self, url: &str) -> DownloadId {
        self.admit(Request::new(url).expect("a URL")).id()
    }

    /// Admits a download.
    ///
    /// # Panics
    ///
    /// Where it is refused.
    #[track_caller]
    pub fn admit(&mut self, request: Request) -> Admission {
        let admission = self.manager.download(self.now, request).expect("admitted");
        self.turn();
        admission
    }

    /// Runs until nothing happens any more by itself.
    ///
    /// # Panics
    ///
    /// Where that does not come to an end, or the manager breaks the contract.
    #[track_caller]
    pub fn run(&mut self) {
        self.run_while(|_| true);
    }

    /// Runs until this much time has passed.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        self.run_while(|world| world.next_time().is_some_and(|next| next <= end));
        self.now = end;
        self.turn();
    }

    /// Lets this much time pass in which nobody drives: what has happened is told in the next turn, all at once.
    pub fn stop_driving(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// Runs until the condition holds.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), and where nothing happens any more before it does.
    #[track_caller]
    pub fn run_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        self.run_while(|world| !holds(world));
        assert!(holds(self), "nothing happens any more, and this does not hold: {what}");
    }

    /// Runs until the download is in this phase.
    ///
    /// # Panics
    ///
    /// As [`run_until`](Self::run_until).
    #[track_caller]
    pub fn run_to_phase(&mut self, id: DownloadId, phase: Phase) {
        self.run_until(&format!("{id:?} is {phase:?}"), |world| world.phase(id) == Some(phase));
    }

    /// Closes the manager, and runs until it is drained.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), and where it does not drain, or something stays open or unfinished.
    #[track_caller]
    pub fn close(&mut self) {
        self.manager.close(self.now);
        self.turn();
        self.run();
        assert!(self.manager.is_drained(), "closed, and not drained");
        assert_eq!(self.net.open_exchanges(), 0, "an exchange stays open");
        assert_eq!(self.directory.open_handles(), 0, "a file stays open");
    }

    #[track_caller]
    fn run_while(&mut self, mut goes_on: impl FnMut(&Self) -> bool) {
        for _ in 0..TURNS_MAX {
            self.turn();
            if self.is_dead() || !goes_on(self) {
                return;
            }
            let Some(next) = self.next_time() else { return };
            self.now = self.now.max(next);
        }
        panic!("no end after {TURNS_MAX} turns, at {:?}: {:?}", self.now, self.manager);
    }

    /// A turn at that time, or now where that is over.
    pub(crate) fn turn_at(&mut self, at: Instant) {
        self.now = self.now.max(at);
        self.turn();
    }

    /// When something happens next.
    pub(crate) fn next_time(&self) -> Option<Instant> {
        let files = self.running.first_key_value().map(|((at, _), _)| *at);
        [files, self.net.wake_at(), self.wait.until].into_iter().flatten().min()
    }

    /// One turn of the driver: completions, a tick, all outputs.
    #[track_caller]
    pub fn turn(&mut self) {
        if self.is_dead() {
            return;
        }
        let since_start = i64::try_from(self.now.as_nanos()).expect("within 292 years");
        self.directory.set_now(Stamp::from_nanos(WALL_CLOCK_START + since_start));
        while let Some(event) = self.net.next_event(self.now) {
            self.manager.handle(self.now, event);
            self.manager.check_invariants();
        }
        while let Some(entry) = self.running.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let action = entry.remove();
            self.executed.push(Subject::of(&action.op).word());
            if self.is_dead() {
                return self.die(action);
            }
            let (lane, epoch, id) = (action.lane, action.epoch, action.id());
            let completion = self.directory.execute(action);
            self.lanes.executed(lane, epoch, &completion);
            self.manager.handle(self.now, Event::Completed(completion));
            self.manager.check_invariants();
            self.lanes.told(id);
            self.running_lanes.remove(&lane);
            self.start_files();
        }
        self.manager.handle(self.now, Event::Tick);
        self.manager.check_invariants();
        self.wait = self.drain();
        assert!(
            self.wait.until.is_none_or(|until| until > self.now),
            "a turn ends with {:?} at {:?}",
            self.wait,
            self.now
        );
    }

    /// Executes what of an action is done when the driver dies at it.
    fn die(&mut self, action: FileAction) {
        if let FileOp::Write { file, offset, data, .. } = action.op
            && self.fuse.is_some_and(|fuse| fuse.half)
        {
            let length: usize = data.iter().map(Bytes::len).sum();
            let half = data.concat()[..length / 2].to_vec().into();
            let op = FileOp::Write { ticket: Tickets::new().ticket(), file, offset, data: vec![half] };
            // Nobody is left to hear of it.
            let _ = self.directory.execute(FileAction { lane: action.lane, epoch: action.epoch, op });
        }
    }

    #[track_caller]
    fn drain(&mut self) -> Wait {
        for _ in 0..OUTPUTS_MAX {
            match self.manager.poll() {
                Output::Action(Action::Net(action)) => self.net.start(self.now, action),
                Output::Action(Action::File(action)) => {
                    self.file_operations.push(format!("{:?}", Subject::of(&action.op)));
                    self.lanes.push(action);
                }
                Output::Action(Action::Abort(id)) => self.net.abort(self.now, id),
                Output::Notice(notice) => self.notices.push((self.now, notice)),
                Output::Wait(wait) => {
                    self.lanes.drained();
                    self.start_files();
                    return wait;
                }
            }
        }
        panic!("no end of outputs");
    }

    /// Starts the first action of each lane in which nothing runs.
    fn start_files(&mut self) {
        for lane in self.lanes.waiting() {
            while !self.running_lanes.contains(&lane) {
                let action = match self.lanes.take(lane) {
                    None => break,
                    Some(Turn::Skipped(action)) => {
                        self.manager.handle(self.now, Event::Completed(skipped(action)));
                        continue;
                    }
                    Some(Turn::Execute(action)) => action,
                };
                self.started += 1;
                self.running_lanes.insert(lane);
                self.running.insert((self.now + self.directory.latency(&action.op), self.started), action);
            }
        }
    }

    /// What was told, and when.
    pub fn notices(&self) -> &[(Instant, Notice)] {
        &self.notices
    }

    /// The file operations that were asked for, in order, as text.
    pub fn file_operations(&self) -> &[String] {
        &self.file_operations
    }

    /// How a download ended.
    ///
    /// # Panics
    ///
    /// Where it ended twice, or was not heard of since.
    #[track_caller]
    pub fn outcome(&self, id: DownloadId) -> Option<&Outcome> {
        let mut outcomes = self.notices.iter().filter_map(|(_, notice)| match notice {
            Notice::Finished { id: other, outcome } if *other == id => Some(outcome),
            _ => None,
        });
        let outcome = outcomes.next();
        assert!(outcomes.next().is_none(), "{id:?} ended twice");
        outcome
    }

    /// Why a download failed.
    ///
    /// # Panics
    ///
    /// Where it did not.
    #[track_caller]
    pub fn error(&self, id: DownloadId) -> &DownloadError {
        match self.outcome(id) {
            Some(Outcome::Failed(error)) => error,
            other => panic!("{id:?} did not fail: {other:?}"),
        }
    }

    /// Demands that a download ended completely, and that its file has these bytes.
    ///
    /// # Panics
    ///
    /// Where that is not so.
    #[track_caller]
    pub fn assert_complete(&self, id: DownloadId, name: &str, bytes: &[u8]) {
        match self.outcome(id) {
            Some(Outcome::Complete(complete)) => assert_eq!(complete.length, bytes.len() as u64),
            other => panic!("{id:?} is not complete: {other:?}"),
        }
        self.assert_file(name, bytes);
        let last = self.progress(id).last().copied().unwrap_or_default();
        assert_eq!((last.received, last.total), (bytes.len() as u64, Some(bytes.len() as u64)), "the last progress");
    }

    /// Demands that a file is there with these bytes.
    ///
    /// # Panics
    ///
    /// Where that is not so.
    #[track_caller]
    pub fn assert_file(&self, name: &str, bytes: &[u8]) {
        match self.directory.read(name) {
            Some(found) => {
                assert!(found == bytes, "{name} has other bytes: {} instead of {}", found.len(), bytes.len());
            }
            None => panic!("{name} is not there: {:?}", self.directory),
        }
    }

    /// The names of what stands in the directory, the work folder left out.
    pub fn visible(&self) -> Vec<String> {
        self.directory.list().into_keys().filter(|path| !path.starts_with(dlmanager_core::WORK_FOLDER)).collect()
    }

    /// The names of what is unfinished.
    pub fn unfinished(&self) -> Vec<String> {
        let within = |path: &String| path.starts_with(".dlmanager/") && path != dlmanager_core::OWNER_MARK;
        self.directory.list().into_keys().filter(within).collect()
    }

    /// The progress that was told of a download.
    pub fn progress(&self, id: DownloadId) -> Vec<Progress> {
        let of = |notice: &Notice| match notice {
            Notice::Progress { id: other, progress } if *other == id => Some(*progress),
            _ => None,
        };
        self.notices.iter().filter_map(|(_, notice)| of(notice)).collect()
    }

    /// Where a download is in its life.
    pub fn phase(&self, id: DownloadId) -> Option<Phase> {
        self.manager.info(id).map(|info| info.phase)
    }
}
