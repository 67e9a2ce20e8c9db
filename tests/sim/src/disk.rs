//! The directory as a program has it: each of its actions can take long, fail, and be the last one.

use std::sync::Arc;

use dlmanager::Store;
use dlmanager_core::{Completion, Fault, FaultKind, FileAction, FileOp};
use dlmanager_fs_memory::{Failure, MemoryDirectory};

use crate::decisions::Stream;
use crate::marks::Mark;
use crate::oracle::Done;
use crate::sim::{Sim, Stage, State, What};

/// More deaths than this in one run tell nothing new.
const DEATHS_MAX: u32 = 6;
/// How long slow actions take.
const SLOW: [u64; 4] = [3_000_000, 25_000_000, 400_000_000, 9_000_000_000];
/// How long it takes until a program that has died is started again.
const RESTARTS: [u64; 4] = [0, 10_000_000, 1_000_000_000, 400_000_000_000];
/// How long a disk is read-only.
const READ_ONLY: u64 = 2_000_000_000;

/// What goes wrong at a certain action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// Which one, counted from 1: those of files and of the network together.
    pub at: u64,
    /// What happens to it.
    pub how: Blow,
}

/// How an action is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// It fails with an input/output error.
    Io,
    /// There is no space; a write stops half way.
    NoSpace,
    /// It is done, and answered with an error.
    NotTold,
    /// The program dies before it, or half way through a write.
    Dies,
    /// The machine fails there.
    PowerLost,
}

impl Blow {
    /// All of them. Of the network, any of the first three resets the exchange.
    pub const ALL: [Self; 5] = [Self::Io, Self::NoSpace, Self::NotTold, Self::Dies, Self::PowerLost];
}

/// A program's directory.
pub(crate) struct SimStore {
    sim: Arc<Sim>,
    process: usize,
    directory: MemoryDirectory,
}

impl SimStore {
    pub(crate) fn new(sim: &Arc<Sim>, process: usize, directory: MemoryDirectory) -> Self {
        Self { sim: Arc::clone(sim), process, directory }
    }
}

/// Where a death stands to the action that it meets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    /// Half of a write is done.
    Within,
    After,
}

impl Store for SimStore {
    fn execute(&self, action: FileAction) -> Completion {
        let (sim, process, id) = (&self.sim, self.process, action.id());
        let mut span = {
            let mut state = sim.state();
            if !state.processes[process].is_alive {
                return Completion::aborted(id);
            }
            let mut span = state.latency();
            if state.happens(Stream::Time, Mark::SlowDisk) {
                span += state.decisions.one_of(Stream::Time, &SLOW);
            }
            span
        };
        if matches!(action.op, FileOp::Unlock { .. } | FileOp::Close { .. }) {
            span = span.min(1_000_000);
        }
        if span > 0 {
            sim.pass(span);
        }
        // What was told before comes before.
        sim.hear(process);
        let (death, strike) = {
            let mut state = sim.state();
            let state = &mut *state;
            if !state.processes[process].is_alive || state.violation.is_some() {
                return Completion::aborted(id);
            }
            state.actions += 1;
            let at = state.actions;
            let strike = state.strikes.iter().find(|strike| strike.at == at).map(|strike| strike.how);
            (state.death(&action.op, strike), strike)
        };
        let Some((power, when)) = death else { return self.perform(action, strike) };
        match when {
            When::Before => {}
            When::Within => self.write_half(action),
            When::After => drop(self.perform(action, None)),
        }
        {
            let mut state = sim.state();
            state.trace.note(&[20, process as u64, u64::from(power)], || match power {
                true => "** the power is lost".to_owned(),
                false => format!("** p{process} dies"),
            });
        }
        sim.die(process, power);
        Completion::aborted(id)
    }

    fn is_slow(&self) -> bool {
        false
    }
}

impl SimStore {
    /// Executes an action, well or badly, and has the oracle look at it.
    fn perform(&self, action: FileAction, strike: Option<Blow>) -> Completion {
        let mut state = self.sim.state();
        let state = &mut *state;
        let process = self.process;
        let failure = state.mishap(&action.op, strike, self.sim.now());
        let kind = failure.as_ref().map(|(kind, _)| *kind);
        let done = Done::of(&action.op);
        let result = state.file_asked(self.sim.now(), process, action.lane, &action.op, &self.directory);
        state.check(result);
        *state.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = failure.map(|(_, failure)| failure);
        let completion = self.directory.execute(action);
        // An action that the directory refuses by itself leaves it untouched.
        *state.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        let works = !completion.is_failure();
        let number = [21, process as u64, done.number(), u64::from(works), kind.map_or(0, |kind| 1 + kind as u64)];
        state.trace.note(&number, || match (works, kind) {
            (true, _) => format!("p{process} {done}"),
            (false, Some(kind)) => format!("p{process} {done}: made to fail, {kind:?}"),
            (false, None) => format!("p{process} {done}: fails"),
        });
        let result = state.file_done(self.sim.now(), process, &done, works, kind.is_some(), &self.directory);
        state.check(result);
        completion
    }

    /// The first half of a write is done.
    fn write_half(&self, action: FileAction) {
        let FileOp::Write { ticket, file, offset, data } = action.op else { return };
        let length: usize = data.iter().map(bytes::Bytes::len).sum();
        let half = Failure::after_bytes(Fault::new(FaultKind::Io), length as u64 / 2);
        let mut state = self.sim.state();
        let state = &mut *state;
        state.tally.hit(Mark::DiesInWrite);
        *state.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(half);
        let op = FileOp::Write { ticket, file, offset, data };
        let done = Done::of(&op);
        let _ = self.directory.execute(FileAction { lane: action.lane, epoch: action.epoch, op });
        let result = state.file_done(self.sim.now(), self.process, &done, false, true, &self.directory);
        state.check(result);
    }
}

impl State {
    /// Whether an action is the last one of its program, or of the machine.
    fn death(&mut self, op: &FileOp, strike: Option<Blow>) -> Option<(bool, When)> {
        let is_write = matches!(op, FileOp::Write { .. });
        let half = if is_write { When::Within } else { When::Before };
        match strike {
            Some(Blow::Dies) => return Some((false, half)),
            Some(Blow::PowerLost) => return Some((true, half)),
            Some(Blow::Io | Blow::NoSpace | Blow::NotTold) => return None,
            None => {}
        }
        if self.deaths >= DEATHS_MAX || self.stage != Stage::Safety {
            return None;
        }
        // Where names and records change, and around flushes, more can go wrong than elsewhere.
        let weight = match op {
            // A record that comes back is believed.
            _ if self.oracle.has_removed_record() => 8,
            FileOp::Rename { .. }
            | FileOp::Delete { .. }
            | FileOp::Truncate { .. }
            | FileOp::SyncDir { .. }
            | FileOp::Sync { .. }
            | FileOp::Close { .. } => 4,
            _ => 1,
        };
        let mut chance = |mark| {
            let rate = self.setting.rate(mark).saturating_mul(weight);
            self.decisions.happens(Stream::Crash, rate)
        };
        let (dies, power) = (chance(Mark::ProcessDies), chance(Mark::PowerLost));
        if !dies && !power {
            return None;
        }
        self.tally.hit(if power { Mark::PowerLost } else { Mark::ProcessDies });
        if matches!(op, FileOp::Rename { .. }) {
            self.tally.hit(Mark::DiesInPublish);
        }
        let when = self.decisions.one_of(Stream::Crash, &[When::Before, half, When::After]);
        Some((power, when))
    }

    /// How an action goes wrong, if it does.
    fn mishap(&mut self, op: &FileOp, strike: Option<Blow>, now: u64) -> Option<(FaultKind, Failure)> {
        let closes = op.is_closer();
        let instead = |kind| (kind, Failure::instead(Fault::new(kind)));
        let length = match op {
            FileOp::Write { data, .. } => data.iter().map(|piece| piece.len() as u64).sum(),
            _ => 0,
        };
        match strike {
            Some(Blow::Io) => return Some(instead(FaultKind::Io)),
            Some(Blow::NoSpace) => {
                let fault = Fault::new(FaultKind::NoSpace);
                return Some((FaultKind::NoSpace, Failure::after_bytes(fault, length / 2)));
            }
            Some(Blow::NotTold) => return Some((FaultKind::Io, Failure::after(Fault::new(FaultKind::Io)))),
            Some(Blow::Dies | Blow::PowerLost) | None => {}
        }
        if closes || self.stage != Stage::Safety {
            return None;
        }
        let writes = matches!(
            op,
            FileOp::Write { .. }
                | FileOp::MakeDir { .. }
                | FileOp::Open { .. }
                | FileOp::Truncate { .. }
                | FileOp::Rename { .. }
                | FileOp::Delete { .. }
        );
        if writes && now < self.read_only_until {
            return Some(instead(FaultKind::ReadOnly));
        }
        if self.happens(Stream::Disk, Mark::Io) {
            let kind = self.decisions.one_of(Stream::Disk, &[FaultKind::Io, FaultKind::Denied, FaultKind::Io]);
            return Some(instead(kind));
        }
        // An open that is done and fails would leave a handle that nobody knows of, which no system does.
        if !matches!(op, FileOp::Open { .. }) && self.happens(Stream::Disk, Mark::NotTold) {
            return Some((FaultKind::Io, Failure::after(Fault::new(FaultKind::Io))));
        }
        match op {
            FileOp::Sync { .. } | FileOp::SyncDir { .. } if self.happens(Stream::Disk, Mark::FlushFails) => {
                Some(instead(FaultKind::Io))
            }
            FileOp::Write { .. } if self.happens(Stream::Disk, Mark::ShortWrite) => {
                let bound = u32::try_from(length).unwrap_or(u32::MAX);
                let bytes = u64::from(self.decisions.below(Stream::Disk, bound));
                let kind = self.decisions.one_of(Stream::Disk, &[FaultKind::NoSpace, FaultKind::Io]);
                Some((kind, Failure::after_bytes(Fault::new(kind), bytes)))
            }
            FileOp::Write { .. } if self.happens(Stream::Disk, Mark::NoSpace) => {
                // From now on, until somebody makes room.
                let used = self.root.used_bytes();
                self.root.set_capacity(Some(used));
                None
            }
            FileOp::Write { .. } | FileOp::Open { .. } if self.happens(Stream::Disk, Mark::ReadOnly) => {
                self.read_only_until = now + READ_ONLY;
                Some(instead(FaultKind::ReadOnly))
            }
            _ => None,
        }
    }

    /// What survives a loss of power: nothing, all, or anything between.
    pub(crate) fn lose_power(&mut self) {
        let mode = self.decisions.below(Stream::Crash, 5);
        let decisions = &mut self.decisions;
        self.root.lose_power(&mut |bound| {
            let most = u32::try_from(bound).unwrap_or(u32::MAX);
            let mut draw = |bound| decisions.below(Stream::Crash, bound);
            let chosen = match mode {
                0 => 0,
                1 => most - 1,
                // Little of it, much of it, or some.
                2 if draw(4) > 0 => 0,
                3 if draw(4) > 0 => most - 1,
                _ => draw(most),
            };
            chosen as usize
        });
    }
}

impl Sim {
    /// A program dies, or the machine with all of them.
    pub(crate) fn die(self: &Arc<Self>, process: usize, power: bool) {
        let victims: Vec<usize> = {
            let mut state = self.state();
            state.deaths += 1;
            let is_victim = |(number, alive): (usize, bool)| (alive && (power || number == process)).then_some(number);
            let alive = state.processes.iter().map(|program| program.is_alive).enumerate();
            alive.filter_map(is_victim).collect()
        };
        let places: Vec<usize> = victims.iter().map(|victim| self.state().processes[*victim].place).collect();
        for victim in &victims {
            self.kill(*victim);
        }
        let mut state = self.state();
        let state = &mut *state;
        if power {
            state.before_power_loss();
            state.lose_power();
        } else {
            let directory = state.processes[process].directory.clone();
            directory.crash_process();
        }
        let result = state.after_death(self.now(), power);
        state.check(result);
        for place in places {
            let span = state.decisions.one_of(Stream::Crash, &RESTARTS);
            self.schedule(state, span, What::Start(place));
        }
    }
}
