//! Programs: a manager with its real driver each, on the virtual clock.
//!
//! What is real is the whole of `dlmanager` but its threads: the façade, the loop and its turns, the order of lanes, what is
//! skipped, what goes to workers and in which batches. What is simulated is what it is given: the clock and the timers, the
//! threads that take its jobs, the transport, and the directory.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use dlmanager::core::{ActionId, Event as CoreEvent, NetAction};
use dlmanager::{
    Closed, Download, DownloadManager, DownloadedFile, Event, Events, Job, Notice, OpenError, Runtime, Sleep, Task,
    Transport,
};
use dlmanager_core::testing::plant;
use dlmanager_fs_memory::MemoryDirectory;

use crate::decisions::Stream;
use crate::disk::SimStore;
use crate::marks::Mark;
use crate::sim::{Sim, Stage, State, What};

/// Zero of the virtual clock on the real one, which never matters.
static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How long a loop stands still that is held up.
const STALLED: u64 = 61_000_000_000;
/// How long jobs wait for a thread at most.
const WAITS: [u64; 4] = [1_000_000, 30_000_000, 700_000_000, 5_000_000_000];

/// How long it takes until a manager that did not open is opened again.
const REOPENS: u64 = 30_000_000_000;

type Opening = Pin<Box<dyn Future<Output = Result<DownloadManager, OpenError>> + Send>>;

/// A program.
pub(crate) struct Process {
    pub(crate) place: usize,
    pub(crate) is_alive: bool,
    pub(crate) directory: MemoryDirectory,
    task: Option<Task>,
    waker: Waker,
    is_scheduled: bool,
    /// Woken while it is being polled.
    is_woken: bool,
    /// When its loop was polled last.
    pub(crate) polled_at: u64,
    opening: Option<Opening>,
    pub(crate) manager: Option<DownloadManager>,
    events: Option<Events>,
    pub(crate) closed: Option<Closed>,
    pub(crate) started_at: u64,
    /// Its manager did not open: it ends by itself.
    is_refused: bool,
    /// The loop has ended.
    pub(crate) has_ended: bool,
    /// What the network has to tell.
    pub(crate) inbox: Vec<CoreEvent>,
    /// Actions of the network that were answered.
    pub(crate) answered: Vec<ActionId>,
    /// Those that its users have asked for.
    pub(crate) downloads: Vec<Download>,
    /// The files that they were told of and make use of.
    pub(crate) outcomes: Vec<InUse>,
    /// The downloads that they have asked for their outcomes.
    pub(crate) asked: BTreeSet<u64>,
}

/// A file that is made use of.
pub(crate) struct InUse {
    /// Its download.
    pub(crate) serial: u64,
    /// For so many looks more.
    pub(crate) looks: u64,
    pub(crate) _file: DownloadedFile,
}

struct ProcessWaker {
    sim: Arc<Sim>,
    process: usize,
}

impl Wake for ProcessWaker {
    fn wake(self: Arc<Self>) {
        self.sim.wake(self.process);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.sim.wake(self.process);
    }
}

/// The virtual clock, and threads that take jobs when it pleases them.
struct SimRuntime {
    sim: Arc<Sim>,
    process: usize,
    may_block: bool,
}

impl Runtime for SimRuntime {
    fn spawn(&self, task: Task) {
        let mut state = self.sim.state();
        state.processes[self.process].task = Some(task);
        drop(state);
        self.sim.wake(self.process);
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let at = u64::try_from(deadline.saturating_duration_since(*ZERO).as_nanos()).unwrap_or(u64::MAX);
        Box::pin(SimSleep { sim: Arc::clone(&self.sim), process: self.process, at, is_set: false })
    }

    fn now(&self) -> Instant {
        *ZERO + Duration::from_nanos(self.sim.now())
    }

    fn run_blocking(&self, job: Job) -> Result<(), Job> {
        let mut state = self.sim.state();
        let state = &mut *state;
        let mut span = state.latency();
        if state.happens(Stream::Time, Mark::SlowWorker) {
            span += state.decisions.one_of(Stream::Time, &WAITS);
        }
        state.jobs_made += 1;
        let number = state.jobs_made;
        state.jobs.insert(number, job);
        self.sim.schedule(state, span, What::Job(self.process, number));
        Ok(())
    }

    fn may_block(&self) -> bool {
        self.may_block
    }
}

struct SimSleep {
    sim: Arc<Sim>,
    process: usize,
    at: u64,
    is_set: bool,
}

impl Future for SimSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let now = self.sim.now();
        if now >= self.at {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut self.is_set, true) {
            let mut state = self.sim.state();
            self.sim.schedule(&mut state, self.at - now, What::Timer(self.process));
        }
        Poll::Pending
    }
}

/// What a program has of the network.
struct SimTransport {
    sim: Arc<Sim>,
    process: usize,
}

impl Transport for SimTransport {
    fn start(&mut self, action: NetAction) {
        self.sim.net_start(self.process, action);
    }

    fn abort(&mut self, target: ActionId) {
        self.sim.net_abort(self.process, target);
    }

    fn poll(&mut self, _: &mut Context<'_>, events: &mut Vec<CoreEvent>) {
        let mut state = self.sim.state();
        let state = &mut *state;
        if !state.processes[self.process].inbox.is_empty() {
            let inbox = std::mem::take(&mut state.processes[self.process].inbox);
            state.told(self.process, self.sim.now());
            events.extend(inbox);
        }
    }
}

impl Sim {
    /// Starts a program in a place where none runs.
    pub(crate) fn start(self: &Arc<Self>, place: usize) {
        let (process, builder) = {
            let mut state = self.state();
            let state = &mut *state;
            if state.places[place].is_some() || matches!(state.stage, Stage::Closing | Stage::Over) {
                return;
            }
            let process = state.processes.len();
            let directory = state.root.process();
            state.places[place] = Some(process);
            state.trace.note(&[1, process as u64], || format!("p{process} starts in place {place}"));
            // Those of two programs are never the same.
            let seed = u64::from(state.decisions.below(Stream::Time, 1 << 30)) | (process as u64) << 32;
            let store = SimStore::new(self, process, directory.clone());
            let mut config = state.setting.config.clone();
            if let Some(planted) = state.planted {
                plant(&mut config, planted);
            }
            let builder = DownloadManager::builder("sim")
                .config(config)
                .seed(seed)
                .transport(SimTransport { sim: Arc::clone(self), process })
                .store(store);
            let waker = Waker::from(Arc::new(ProcessWaker { sim: Arc::clone(self), process }));
            state.processes.push(Process {
                place,
                is_alive: true,
                directory,
                task: None,
                waker,
                is_scheduled: false,
                is_woken: false,
                polled_at: self.now(),
                opening: None,
                manager: None,
                events: None,
                closed: None,
                started_at: self.now(),
                is_refused: false,
                has_ended: false,
                inbox: Vec::new(),
                answered: Vec::new(),
                downloads: Vec::new(),
                outcomes: Vec::new(),
                asked: BTreeSet::new(),
            });
            state.oracle.started(process);
            (process, builder)
        };
        let may_block = self.state().setting.may_block;
        let runtime = SimRuntime { sim: Arc::clone(self), process, may_block };
        let opening: Opening = Box::pin(builder.open_on(runtime));
        self.state().processes[process].opening = Some(opening);
        self.open(process);
    }

    /// Looks whether the manager is there.
    fn open(self: &Arc<Self>, process: usize) {
        let Some(mut opening) = self.state().processes[process].opening.take() else { return };
        let result = opening.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(result) = result else {
            self.state().processes[process].opening = Some(opening);
            return;
        };
        let opened = result.map(|manager| (manager.events(), manager));
        let mut state = self.state();
        match opened {
            Ok((events, manager)) => {
                let program = &mut state.processes[process];
                program.events = Some(events);
                program.manager = Some(manager);
            }
            Err(error) => {
                // Its directory could not be looked at, or not be marked.
                state.trace.note(&[2, process as u64], || format!("p{process} does not open: {error}"));
                let program = &mut state.processes[process];
                program.is_refused = true;
                let (place, started_at) = (program.place, program.started_at);
                let is_faulted = state.oracle.is_faulted(process);
                state.places[place] = None;
                if state.stage != Stage::Safety && started_at >= state.calm_since && !is_faulted {
                    state.fail(format!("a manager does not open although nothing goes wrong: {error}"));
                }
                self.schedule(&mut state, REOPENS, What::Start(place));
            }
        }
    }

    /// A program's loop has something to do.
    pub(crate) fn wake(&self, process: usize) {
        let mut state = self.state();
        self.wake_in(&mut state, process);
    }

    pub(crate) fn wake_in(&self, state: &mut State, process: usize) {
        let Some(program) = state.processes.get_mut(process) else { return };
        if !program.is_alive || program.is_scheduled || program.has_ended {
            return;
        }
        program.is_scheduled = true;
        let is_stalled = state.happens(Stream::Time, Mark::StalledDriver);
        self.schedule(state, if is_stalled { STALLED } else { 0 }, What::Poll(process));
    }

    /// Polls a program's loop.
    pub(crate) fn poll(self: &Arc<Self>, process: usize) {
        let (mut task, waker) = {
            let mut state = self.state();
            let now = self.now();
            let program = &mut state.processes[process];
            program.is_scheduled = false;
            if !program.is_alive {
                return;
            }
            let Some(task) = program.task.take() else {
                program.is_woken = true;
                return;
            };
            program.polled_at = now;
            (task, program.waker.clone())
        };
        let poll = task.as_mut().poll(&mut Context::from_waker(&waker));
        let mut over = None;
        {
            let mut state = self.state();
            let program = &mut state.processes[process];
            let is_woken = std::mem::take(&mut program.is_woken);
            if !program.is_alive {
                over = Some(task);
            } else if poll.is_ready() {
                program.has_ended = true;
                over = Some(task);
            } else {
                program.task = Some(task);
                if is_woken {
                    self.wake_in(&mut state, process);
                }
            }
        }
        drop(over);
        self.open(process);
        self.hear(process);
        self.bury(process);
    }

    /// Takes in what a program was told.
    pub(crate) fn hear(&self, process: usize) {
        let Some(mut events) = self.state().processes[process].events.take() else { return };
        let mut heard = Vec::new();
        while let Ok(event) = events.try_recv() {
            heard.push(event);
        }
        let mut state = self.state();
        if state.processes[process].is_alive {
            state.processes[process].events = Some(events);
        }
        let since = state.processes[process].polled_at;
        for event in heard {
            match event {
                Event::Download { download, notice } => {
                    if let Notice::Started { .. } = notice {
                        state.downloads += 1;
                    }
                    state.noticed(process, &download, &notice, since);
                }
                Event::Directory { notice } => state.directory_noticed(process, &notice),
                other => state.fail(format!("p{process} says {other:?}")),
            }
        }
    }

    /// Looks whether a loop that has ended may have ended.
    fn bury(&self, process: usize) {
        let closed = {
            let mut state = self.state();
            let program = &mut state.processes[process];
            if !program.has_ended || !program.is_alive {
                return;
            }
            program.closed.take()
        };
        let end = closed.map(|closed| {
            let mut closed = Box::pin(closed);
            closed.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        });
        let (manager, events, downloads, outcomes);
        {
            let mut state = self.state();
            let is_well = matches!(end, Some(Poll::Ready(Ok(())))) || state.processes[process].is_refused;
            state.trace.note(&[3, process as u64], || format!("p{process} ends"));
            let program = &mut state.processes[process];
            program.is_alive = false;
            (manager, events) = (program.manager.take(), program.events.take());
            downloads = std::mem::take(&mut program.downloads);
            outcomes = std::mem::take(&mut program.outcomes);
            let (place, open) = (program.place, program.inbox.len());
            if state.places[place] == Some(process) {
                state.places[place] = None;
            }
            if !is_well {
                state
                    .fail(format!("p{process}: the loop ends before its manager is drained ({end:?}, {open} answers)"));
            }
            let result = state.drained(process);
            state.check(result);
            state.oracle.ended(process);
            let is_refused = state.processes[process].is_refused;
            if state.stage == Stage::Safety && !is_refused {
                self.schedule(&mut state, 50_000_000, What::Start(place));
            }
        }
        drop((manager, events, downloads, outcomes));
    }

    /// A program dies: at once, and with all that it had under way.
    pub(crate) fn kill(self: &Arc<Self>, process: usize) {
        self.hear(process);
        let dropped = {
            let mut state = self.state();
            let program = &mut state.processes[process];
            if !program.is_alive {
                return;
            }
            program.is_alive = false;
            let dropped = (
                program.task.take(),
                program.opening.take(),
                program.manager.take(),
                program.events.take(),
                program.closed.take(),
                std::mem::take(&mut program.downloads),
                std::mem::take(&mut program.outcomes),
            );
            let place = program.place;
            if state.places[place] == Some(process) {
                state.places[place] = None;
            }
            state.exchanges.retain(|(owner, _), _| *owner != process);
            state.oracle.ended(process);
            dropped
        };
        drop(dropped);
    }

    /// The run is over: programs are taken apart, which know the world and are known by it.
    pub(crate) fn end(self: &Arc<Self>) {
        let count = self.state().processes.len();
        for process in 0..count {
            self.kill(process);
        }
        let (jobs, exchanges, processes) = {
            let mut state = self.state();
            (
                std::mem::take(&mut state.jobs),
                std::mem::take(&mut state.exchanges),
                std::mem::take(&mut state.processes),
            )
        };
        drop((jobs, exchanges, processes));
    }

    /// A thread takes a job. It is dropped where its program has died.
    pub(crate) fn work(self: &Arc<Self>, process: usize, number: u64) {
        let (job, is_alive) = {
            let mut state = self.state();
            (state.jobs.remove(&number), state.processes[process].is_alive)
        };
        match job {
            Some(job) if is_alive => job(),
            dropped => drop(dropped),
        }
    }
}
