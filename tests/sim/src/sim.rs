//! The world of a run: one virtual clock, a heap of what happens next, and everything that it happens to.
//!
//! All runs on one thread. A file action that takes time lets everything else go on meanwhile, *within* the call that
//! executes it: so programs interleave at each of their actions, and a thread that blocks blocks nobody else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dlmanager::Job;
use dlmanager_core::Stamp;
use dlmanager_fs_memory::{Failure, MemoryDirectory, Profile};

use crate::decisions::{Decisions, Stream};
use crate::disk::Strike;
use crate::marks::{Mark, Tally};
use crate::network::{Exchange, Step};
use crate::oracle::Oracle;
use crate::process::Process;
use crate::server::{Deciding, Resource};
use crate::setting::Setting;
use crate::trace::Trace;

/// The wall clock when the virtual one shows zero: 2026-01-01 UTC.
const WALL_CLOCK_START: i64 = 1_767_225_600_000_000_000;
/// Programs that go on within each other's actions, at most.
const DEPTH_MAX: u32 = 6;
/// A run that takes more events than this has no end.
const EVENTS_MAX: u64 = 200_000;
/// So many of them at one moment are going round in a circle.
const EVENTS_AT_ONCE_MAX: u64 = 20_000;

/// The world, as programs and their parts share it.
pub(crate) struct Sim {
    /// Nanoseconds.
    now: AtomicU64,
    state: Mutex<State>,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A program's loop is polled.
    Poll(usize),
    /// A timer of it ends.
    Timer(usize),
    /// A thread of it takes a job.
    Job(usize, u64),
    /// Something comes of an exchange.
    Net(usize, u64, Step),
    /// A program is started.
    Start(usize),
    /// Users give a command.
    Command,
    /// Somebody else does something in the directory.
    Stranger,
    /// Nothing goes wrong from now on.
    Calm,
    /// Users look whether all is done.
    Look,
}

type Entry = Reverse<(u64, u64, What)>;

/// How far the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Things go wrong, and nothing wrong may come of it.
    Safety,
    /// Nothing goes wrong any more, and all must come to an end.
    Liveness,
    /// All has ended, and managers are closed.
    Closing,
    Over,
}

pub(crate) struct State {
    pub(crate) decisions: Decisions,
    pub(crate) setting: Setting,
    pub(crate) tally: Tally,
    pub(crate) trace: Trace,
    heap: BinaryHeap<Entry>,
    scheduled: u64,
    events: u64,
    events_at_once: u64,
    pub(crate) depth: u32,
    pub(crate) root: MemoryDirectory,
    /// How the next file action goes wrong.
    pub(crate) failure: Arc<Mutex<Option<Failure>>>,
    /// What goes wrong at which action, where that is said beforehand.
    pub(crate) strikes: Vec<Strike>,
    /// Actions so far, of files and of the network.
    pub(crate) actions: u64,
    pub(crate) actions_before_calm: u64,
    pub(crate) read_only_until: u64,
    pub(crate) deaths: u32,
    pub(crate) processes: Vec<Process>,
    /// The program that runs in each place.
    pub(crate) places: Vec<Option<usize>>,
    pub(crate) jobs: BTreeMap<u64, Job>,
    pub(crate) jobs_made: u64,
    pub(crate) exchanges: BTreeMap<(usize, u64), Exchange>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) versions: u64,
    pub(crate) oracle: Oracle,
    pub(crate) stage: Stage,
    pub(crate) commands_left: u32,
    /// When nothing goes wrong any more.
    pub(crate) calm_since: u64,
    /// How often users have looked whether all is done.
    pub(crate) rounds: u32,
    pub(crate) requests: u64,
    pub(crate) downloads: u64,
    pub(crate) violation: Option<String>,
    pub(crate) planted: Option<dlmanager_core::testing::Planted>,
}

impl Sim {
    pub(crate) fn new(mut decisions: Decisions, trace: Trace, strikes: Vec<Strike>) -> Arc<Self> {
        let setting = Setting::draw(&mut decisions);
        let mut tally = Tally::default();
        tally.hit(match setting.profile {
            Profile::Tmpfs => Mark::Tmpfs,
            Profile::Ext4 => Mark::Ext4,
            Profile::Posix => Mark::Posix,
        });
        for (is_so, mark) in [
            (setting.managers > 1, Mark::SeveralManagers),
            (setting.may_block, Mark::Inline),
            (!setting.locks_work, Mark::NoLocks),
            (!setting.knows_boot, Mark::NoBoot),
            (setting.config.limit.is_some(), Mark::Bounded),
        ] {
            if is_so {
                tally.hit(mark);
            }
        }
        let root = MemoryDirectory::on_disk(setting.profile, setting.block_bytes);
        root.set_now(Stamp::from_nanos(WALL_CLOCK_START));
        root.set_locks_work(setting.locks_work);
        if !setting.knows_boot {
            root.set_boot(None);
        }
        let failure = Arc::new(Mutex::new(None::<Failure>));
        let pending = Arc::clone(&failure);
        root.fail_when(move |_| pending.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut versions = 0;
        let mut deciding =
            Deciding { decisions: &mut decisions, setting: &setting, tally: &mut tally, versions: &mut versions };
        let resources = (0..setting.names * 2).map(|_| Resource::new(&mut deciding)).collect();
        let (places, commands_left) = (vec![None; setting.managers], setting.commands);
        let state = State {
            oracle: Oracle::new(&setting),
            decisions,
            setting,
            tally,
            trace,
            heap: BinaryHeap::new(),
            scheduled: 0,
            events: 0,
            events_at_once: 0,
            depth: 0,
            root,
            failure,
            strikes,
            actions: 0,
            actions_before_calm: 0,
            read_only_until: 0,
            deaths: 0,
            processes: Vec::new(),
            places,
            jobs: BTreeMap::new(),
            jobs_made: 0,
            exchanges: BTreeMap::new(),
            resources,
            versions,
            stage: Stage::Safety,
            commands_left,
            calm_since: 0,
            rounds: 0,
            requests: 0,
            downloads: 0,
            violation: None,
            planted: None,
        };
        Arc::new(Self { now: AtomicU64::new(0), state: Mutex::new(state) })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Lets time pass up to then.
    fn advance(&self, state: &mut State, to: u64) {
        if to > self.now() {
            self.now.store(to, Ordering::Relaxed);
            state.events_at_once = 0;
            state.trace.at(to);
            let nanos = i64::try_from(to).unwrap_or(i64::MAX);
            state.root.set_now(Stamp::from_nanos(WALL_CLOCK_START.saturating_add(nanos)));
        }
    }

    /// Has it happen after that time.
    pub(crate) fn schedule(&self, state: &mut State, span: u64, what: What) {
        state.scheduled += 1;
        state.heap.push(Reverse((self.now() + span, state.scheduled, what)));
    }

    /// Runs to the end.
    pub(crate) fn run(self: &Arc<Self>) {
        {
            let mut state = self.state();
            let state = &mut *state;
            for place in 0..state.setting.managers {
                self.schedule(state, 0, What::Start(place));
            }
            self.schedule(state, 0, What::Command);
        }
        while self.happen(u64::MAX) {}
    }

    /// Lets happen what happens next, up to that time. Whether anything did.
    fn happen(self: &Arc<Self>, until: u64) -> bool {
        let what = {
            let mut state = self.state();
            let state = &mut *state;
            if state.violation.is_some() || state.stage == Stage::Over {
                return false;
            }
            let Some(&Reverse((at, _, what))) = state.heap.peek() else {
                state.fail("nothing happens any more, and not all is done".to_owned());
                return false;
            };
            if at > until {
                return false;
            }
            state.heap.pop();
            self.advance(state, at);
            state.events += 1;
            state.events_at_once += 1;
            if state.events > EVENTS_MAX || state.events_at_once > EVENTS_AT_ONCE_MAX {
                let (events, at_once) = (state.events, state.events_at_once);
                state.fail(format!("no end after {events} events, {at_once} of them at one moment"));
                return false;
            }
            what
        };
        match what {
            What::Poll(process) => self.poll(process),
            What::Timer(process) => self.wake(process),
            What::Job(process, job) => self.work(process, job),
            What::Net(process, body, step) => self.go_on(process, body, step),
            What::Start(place) => self.start(place),
            What::Command => self.command(),
            What::Stranger => self.stranger(),
            What::Calm => self.calm(),
            What::Look => self.look(),
        }
        true
    }

    /// Lets that much time pass, in which everything else goes on.
    pub(crate) fn pass(self: &Arc<Self>, span: u64) {
        let end = self.now() + span;
        let goes_on = {
            let mut state = self.state();
            state.depth += 1;
            state.depth <= DEPTH_MAX
        };
        while goes_on && self.happen(end) {}
        let mut state = self.state();
        state.depth -= 1;
        self.advance(&mut state, end);
    }
}

impl State {
    /// Something is not as it was promised.
    pub(crate) fn fail(&mut self, text: String) {
        if self.violation.is_none() {
            self.trace.note(&[u64::MAX], || format!("** {text}"));
            self.violation = Some(text);
        }
    }

    pub(crate) fn check(&mut self, result: Result<(), String>) {
        if let Err(text) = result {
            self.fail(text);
        }
    }

    /// Whether this goes wrong here.
    pub(crate) fn happens(&mut self, stream: Stream, mark: Mark) -> bool {
        let happens = self.decisions.happens(stream, self.setting.rate(mark));
        if happens {
            self.tally.hit(mark);
        }
        happens
    }

    /// How long something takes that is not slow, in nanoseconds.
    pub(crate) fn latency(&mut self) -> u64 {
        self.decisions.one_of(Stream::Time, self.setting.latencies)
    }

    /// What a server decides by, and the resources.
    pub(crate) fn deciding(&mut self) -> (Deciding<'_>, &mut Vec<Resource>) {
        let Self { decisions, setting, tally, versions, resources, .. } = self;
        (Deciding { decisions, setting, tally, versions }, resources)
    }
}

/// As nanoseconds.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
