//! Where file work runs, and in which order.
//!
//! A light action of a lane with nothing before it runs on the loop's thread. Anything else is queued in its lane, whose
//! batch a worker runs as a whole; what is polled meanwhile is the lane's next batch. Answers are collected right before a
//! turn, so that each is fed to the core before another action is polled. What is polled in that turn may have been queued
//! in the core before it knew of a failure: a failure is forgotten after the turn that it was fed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use dlmanager_core::{ActionId, Completion, Event, Expect, Fault, FaultKind, FileAction, FileId, FileOp, Lane};

use super::Store;
use super::flushes::Flushes;
use crate::pool::Pool;
use crate::runtime::{Job, Runtime};
use crate::sync::{lock, wake};

/// Greatest number of threads that file work runs on: that many flushes side by side keep a disk busy.
const WORKERS_MAX: usize = 16;
/// Greatest number of lanes that a worker takes at once.
const LANES_A_WAKE_MAX: usize = 16;
/// A write that took longer than this on the loop's thread sends its file to the workers.
const INLINE_WRITE_MAX: Duration = Duration::from_millis(20);
/// A worker that was busy for so long hands over the answers that it has before it goes on.
const ANSWERS_HELD_MAX: Duration = Duration::from_millis(1);

/// The file work of one manager.
pub(super) struct Files {
    store: Arc<dyn Store>,
    workers_only: bool,
    runtime: Arc<dyn Runtime>,
    pool: Pool,
    inbox: Arc<Inbox>,
    /// The lanes that a worker has a batch of.
    lanes: BTreeMap<Lane, LaneAtWork>,
    /// The lanes and epochs in which something failed on the loop's thread since answers were collected last.
    failed: Vec<(Lane, u32)>,
    /// Those of the failures that were collected last.
    collected: Vec<(Lane, u32)>,
    /// The files whose writes took too long for the loop's thread.
    slow: BTreeSet<FileId>,
    flushes: Flushes,
    /// Answers to be collected.
    answers: Vec<Completion>,
    /// Batches to be handed over, by the end of a drain.
    leaving: Vec<Batch>,
}

#[derive(Default)]
struct LaneAtWork {
    /// What was polled since its batch left.
    queue: Vec<FileAction>,
    /// The epochs of what waited and was aborted.
    aborted: Vec<u32>,
}

/// A lane's actions on their way to a worker, and its answers on their way back.
struct Batch {
    lane: Lane,
    actions: VecDeque<FileAction>,
    answers: Vec<Completion>,
    failed: Vec<u32>,
    /// How long each flush among them took.
    flushes: Vec<Duration>,
}

impl Files {
    pub(super) fn new(store: Arc<dyn Store>, workers_only: bool, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            store,
            workers_only,
            runtime,
            pool: Pool::new("dlmanager-file", WORKERS_MAX),
            inbox: Arc::default(),
            lanes: BTreeMap::new(),
            failed: Vec::new(),
            collected: Vec::new(),
            slow: BTreeSet::new(),
            flushes: Flushes::new(),
            answers: Vec::new(),
            leaving: Vec::new(),
        }
    }

    /// Starts the actions of one drain, in the order in which they were polled.
    pub(super) fn start(&mut self, actions: &mut Vec<FileAction>) {
        if actions.is_empty() {
            return;
        }
        let workers_only = self.workers_only || self.store.is_slow();
        let quick = self.flushes.inline(actions);
        let stays = |op: &FileOp| matches!(op, FileOp::Sync { file, .. } if quick.contains(file));
        let heavy = actions.iter().filter(|action| is_heavy(&action.op) && !stays(&action.op));
        let heavy: Vec<Lane> = heavy.map(|action| action.lane).collect();
        for action in actions.drain(..) {
            let (lane, epoch) = (action.lane, action.epoch);
            let closer = action.op.is_closer();
            // Asked of every action, as the end of a slow file is seen here wherever it runs.
            let slow = self.is_slow(&action.op);
            if !closer && [&self.failed, &self.collected].iter().any(|failed| failed.contains(&(lane, epoch))) {
                self.answers.push(skipped(action));
            } else if let Some(at_work) = self.lanes.get_mut(&lane) {
                if at_work.aborted.contains(&epoch) && !closer {
                    self.answers.push(skipped(action));
                } else {
                    at_work.queue.push(action);
                }
            } else if let Some(batch) = self.leaving.iter_mut().find(|batch| batch.lane == lane) {
                batch.actions.push_back(action);
            } else if workers_only || heavy.contains(&lane) || slow {
                self.leaving.push(Batch::new(lane, VecDeque::from([action])));
            } else {
                let answer = self.run_inline(action);
                if answer.is_failure() {
                    self.failed.push((lane, epoch));
                }
                self.answers.push(answer);
            }
        }
        self.hand_over();
    }

    /// Appends the answers that are there.
    pub(super) fn collect(&mut self, context: &Context<'_>, events: &mut Vec<Event>) {
        self.collected.clear();
        self.collected.append(&mut self.failed);
        if !self.lanes.is_empty() {
            for batch in self.inbox.take(context.waker().clone()) {
                self.answers.extend(batch.answers);
                batch.flushes.into_iter().for_each(|time| self.flushes.took(time));
                self.go_on(batch.lane, batch.failed);
            }
            self.hand_over();
        }
        events.extend(self.answers.drain(..).map(Event::Completed));
    }

    /// Does not even try an action that no worker has yet. One that may be running is left to end.
    pub(super) fn abort(&mut self, target: ActionId) {
        for at_work in self.lanes.values_mut() {
            let Some(index) = at_work.queue.iter().position(|action| action.id() == target) else { continue };
            if !at_work.queue[index].op.is_closer() {
                let epoch = at_work.queue[index].epoch;
                skip(&mut at_work.queue, index, |action| action.epoch == epoch, &mut self.answers);
                at_work.aborted.push(epoch);
            }
            return;
        }
    }

    /// A batch of the lane came back: what waits behind it leaves in turn, or runs here.
    fn go_on(&mut self, lane: Lane, failed: Vec<u32>) {
        let Some(mut at_work) = self.lanes.remove(&lane) else { return };
        skip(&mut at_work.queue, 0, |action| failed.contains(&action.epoch), &mut self.answers);
        at_work.aborted.clear();
        self.collected.extend(failed.into_iter().map(|epoch| (lane, epoch)));
        if at_work.queue.is_empty() {
            return;
        }
        let queue = std::mem::take(&mut at_work.queue);
        self.lanes.insert(lane, at_work);
        self.leaving.push(Batch::new(lane, queue.into()));
    }

    /// Hands the leaving batches to the workers: one a job while there are few, so that flushes run side by side, and
    /// up to 16 a job when there are many.
    fn hand_over(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        for batch in &self.leaving {
            self.lanes.entry(batch.lane).or_default();
        }
        let together = self.leaving.len().div_ceil(WORKERS_MAX).clamp(1, LANES_A_WAKE_MAX);
        let mut jobs: Vec<Job> = Vec::with_capacity(self.leaving.len().div_ceil(together));
        while !self.leaving.is_empty() {
            let batches = self.leaving.drain(..together.min(self.leaving.len())).collect();
            let job = Work { batches, done: Vec::new(), inbox: Arc::clone(&self.inbox) };
            let (store, runtime) = (Arc::clone(&self.store), Arc::clone(&self.runtime));
            // What the runtime has no threads for runs on those of the manager.
            jobs.extend(self.runtime.run_blocking(Box::new(move || job.run(&*store, &*runtime))).err());
        }
        if !jobs.is_empty() {
            self.pool.run(jobs);
        }
    }

    fn run_inline(&mut self, action: FileAction) -> Completion {
        match &action.op {
            FileOp::Write { file, .. } => {
                let file = *file;
                let began = self.runtime.now();
                let answer = execute(&*self.store, action);
                if self.runtime.now().saturating_duration_since(began) > INLINE_WRITE_MAX {
                    self.slow.insert(file);
                }
                answer
            }
            FileOp::Sync { .. } => {
                let began = self.runtime.now();
                let answer = execute(&*self.store, action);
                self.flushes.took_inline(self.runtime.now().saturating_duration_since(began));
                answer
            }
            _ => execute(&*self.store, action),
        }
    }

    /// Whether the action is about a file that is slow to write, which ends with its `Close`.
    fn is_slow(&mut self, op: &FileOp) -> bool {
        match op {
            FileOp::Close { file, .. } => self.slow.remove(file),
            op => op.file().is_some_and(|file| self.slow.contains(&file)),
        }
    }
}

/// Whether an action takes so long that it does not run on the loop's thread, nor anything of its lane beside it: a flush
/// only where [`Flushes`] say so.
fn is_heavy(op: &FileOp) -> bool {
    match op {
        FileOp::Sync { .. } | FileOp::SyncDir { .. } | FileOp::Scan { .. } | FileOp::Hash { .. } => true,
        // Cutting a large file frees its blocks, and looking for locks goes to the server of a network file system.
        FileOp::Truncate { .. } | FileOp::Probe { .. } => true,
        // Waits for evictions of other processes.
        FileOp::Rename { clobber, .. } => *clobber,
        FileOp::Delete { items, .. } => {
            items.len() > 1 || items.iter().any(|item| matches!(item.expect, Expect::Unchanged { .. }))
        }
        FileOp::MakeDir { .. }
        | FileOp::Stat { .. }
        | FileOp::Open { .. }
        | FileOp::Read { .. }
        | FileOp::Write { .. }
        | FileOp::SetTimes { .. }
        | FileOp::KeepDigests { .. }
        | FileOp::Finish { .. }
        | FileOp::Gauge { .. }
        | FileOp::Touch { .. }
        | FileOp::Lock { .. }
        | FileOp::Unlock { .. }
        | FileOp::Close { .. } => false,
    }
}

fn skipped(action: FileAction) -> Completion {
    action.fail(Fault::new(FaultKind::Skipped))
}

/// Answers the actions from `from` on that `matches` as skipped, those that release something excepted.
fn skip(
    queue: &mut Vec<FileAction>,
    from: usize,
    matches: impl Fn(&FileAction) -> bool,
    answers: &mut Vec<Completion>,
) {
    let rest = queue.split_off(from.min(queue.len()));
    for action in rest {
        if matches(&action) && !action.op.is_closer() {
            answers.push(skipped(action));
        } else {
            queue.push(action);
        }
    }
}

/// Executes an action; one that panics, or is answered in another's name, is aborted.
fn execute(store: &dyn Store, action: FileAction) -> Completion {
    let id = action.id();
    match catch_unwind(AssertUnwindSafe(|| store.execute(action))) {
        Ok(answer) if answer.id() == id => answer,
        Ok(_) => Completion::aborted(id),
        Err(payload) => {
            // Dropping the payload may panic again.
            std::mem::forget(payload);
            Completion::aborted(id)
        }
    }
}

impl Batch {
    fn new(lane: Lane, actions: VecDeque<FileAction>) -> Self {
        let answers = Vec::with_capacity(actions.len());
        Self { lane, actions, answers, failed: Vec::new(), flushes: Vec::new() }
    }

    fn run(&mut self, store: &dyn Store, runtime: &dyn Runtime) {
        while let Some(action) = self.actions.pop_front() {
            let epoch = action.epoch;
            if self.failed.contains(&epoch) && !action.op.is_closer() {
                self.answers.push(skipped(action));
                continue;
            }
            let began = matches!(action.op, FileOp::Sync { .. }).then(|| runtime.now());
            let answer = execute(store, action);
            self.flushes.extend(began.map(|began| runtime.now().saturating_duration_since(began)));
            if answer.is_failure() {
                self.failed.push(epoch);
            }
            self.answers.push(answer);
        }
    }
}

/// The job of a worker. Dropped before it ran, it answers all the same.
struct Work {
    batches: VecDeque<Batch>,
    done: Vec<Batch>,
    inbox: Arc<Inbox>,
}

impl Work {
    fn run(mut self, store: &dyn Store, runtime: &dyn Runtime) {
        let mut since = runtime.now();
        while let Some(mut batch) = self.batches.pop_front() {
            batch.run(store, runtime);
            self.done.push(batch);
            let now = runtime.now();
            if !self.batches.is_empty() && now.saturating_duration_since(since) > ANSWERS_HELD_MAX {
                self.inbox.post(&mut self.done);
                since = now;
            }
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        for mut batch in self.batches.drain(..) {
            for action in batch.actions.drain(..) {
                batch.failed.push(action.epoch);
                batch.answers.push(Completion::aborted(action.id()));
            }
            self.done.push(batch);
        }
        self.inbox.post(&mut self.done);
    }
}

/// Where workers leave their answers.
#[derive(Default)]
struct Inbox {
    state: Mutex<InboxState>,
}

#[derive(Default)]
struct InboxState {
    batches: Vec<Batch>,
    waker: Option<Waker>,
}

impl Inbox {
    fn post(&self, batches: &mut Vec<Batch>) {
        if batches.is_empty() {
            return;
        }
        let waker = {
            let mut state = lock(&self.state);
            state.batches.append(batches);
            state.waker.take()
        };
        waker.into_iter().for_each(wake);
    }

    /// Takes what is there; `waker` is woken when there is more.
    fn take(&self, waker: Waker) -> Vec<Batch> {
        let mut state = lock(&self.state);
        let old = state.waker.replace(waker);
        let batches = std::mem::take(&mut state.batches);
        drop(state);
        drop(old);
        batches
    }
}

#[cfg(test)]
mod tests;
