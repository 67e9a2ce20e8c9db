//! A random run: bytes decide what the application, the servers, the disk, strangers and the clock do.

mod disk;
mod network;
mod settle;
mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use dlmanager_core::testing::Tickets;
use dlmanager_core::{
    Action, ActionId, Answer, BodyId, Completion, Event, FileName, Instant, Manager, NetAction, Notice, Output, Stamp,
    Wait, WakeReason,
};
use dlmanager_fs_memory::MemoryDirectory;

use crate::choices::Choices;
use crate::lanes::FileLanes;
use crate::model::{Model, says_deleted};
use crate::report::Report;
use crate::server::Resource;
use crate::setting::Setting;
use crate::told::{Answered, FileResult, Subject, Told};

/// No turn has more outputs than this.
const OUTPUTS_MAX: usize = 20_000;

/// When a driver takes the outputs of events and commands that come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draining {
    /// After all of them.
    Together,
    /// After each of them.
    Singly,
}

/// What a run has left behind.
#[derive(Debug)]
pub struct Ended {
    /// What it has reached.
    pub report: Report,
    /// Everything that went into the core and came out of it, in order, up to each wait, as text.
    pub trace: Vec<String>,
}

/// Runs the decisions in `data`, and then lets everything go well until all is done.
///
/// # Panics
///
/// Where the core breaks a promise.
pub fn run(data: &[u8]) -> Ended {
    Run::new(data, Draining::Together, false).finish()
}

/// The same with everything written down.
///
/// # Panics
///
/// As [`run`].
pub fn run_traced(data: &[u8], draining: Draining) -> Ended {
    Run::new(data, draining, true).finish()
}

/// The same with everything written to the standard error output while it happens.
///
/// # Panics
///
/// As [`run`].
pub fn run_told(data: &[u8]) -> Ended {
    let mut run = Run::new(data, Draining::Together, true);
    run.prints = true;
    run.finish()
}

struct Run<'a> {
    choices: Choices<'a>,
    manager: Manager,
    model: Model,
    directory: MemoryDirectory,
    /// Tickets for operations that are performed and not answered as they went.
    spare_tickets: Tickets,
    now: Instant,
    lanes: FileLanes,
    /// Network actions that no server has answered yet, in order.
    asked_of_net: Vec<NetAction>,
    /// Answers that the core was not given yet.
    answered: Vec<Answered>,
    old_ids: Vec<ActionId>,
    outstanding: usize,
    files_done: u64,
    file_faults: u64,
    versions: u64,
    restarts: u64,
    /// The names of files that the program was told of, and has not let go of yet.
    outcomes: Vec<FileName>,
    /// What stands behind each admission's URL.
    resources: BTreeMap<usize, Resource>,
    wait: Wait,
    draining: Draining,
    /// Outputs that were taken and not looked at yet.
    taken: VecDeque<Output>,
    trace: Option<Vec<String>>,
    prints: bool,
    report: Report,
}

impl<'a> Run<'a> {
    fn new(data: &'a [u8], draining: Draining, is_traced: bool) -> Self {
        let mut choices = Choices::new(data);
        let setting = Setting::from_choices(&mut choices);
        let manager = Manager::new(setting.config.clone(), setting.seed);
        let mut run = Self {
            choices,
            manager,
            model: Model::new(setting),
            directory: MemoryDirectory::new(),
            spare_tickets: Tickets::new(),
            now: Instant::ZERO,
            lanes: FileLanes::default(),
            asked_of_net: Vec::new(),
            answered: Vec::new(),
            old_ids: Vec::new(),
            outstanding: 0,
            files_done: 0,
            file_faults: 0,
            versions: 0,
            restarts: 0,
            outcomes: Vec::new(),
            resources: BTreeMap::new(),
            wait: Wait { until: None, why: WakeReason::Command },
            draining,
            taken: VecDeque::new(),
            trace: is_traced.then(Vec::new),
            prints: false,
            report: Report::default(),
        };
        run.prepare_directory();
        run.drain();
        run
    }

    fn finish(mut self) -> Ended {
        while !self.choices.is_used_up() {
            self.step();
        }
        self.settle();
        Ended { report: self.report, trace: self.trace.unwrap_or_default() }
    }

    /// Writes something down; the text is made of the time in microseconds.
    fn note(&mut self, text: impl FnOnce(u64) -> String) {
        if let Some(trace) = &mut self.trace {
            let text = text(self.now.as_nanos() / 1000);
            if self.prints {
                eprintln!("{text}");
            }
            trace.push(text);
        }
    }

    /// Gives the core an event.
    fn handle(&mut self, event: Event) {
        self.note(|at| format!("{at:>12} <- {event:?}"));
        self.model.tells_at(self.now);
        self.manager.handle(self.now, event);
        self.was_given();
    }

    /// The core was given an event or a command.
    fn was_given(&mut self) {
        self.manager.check_invariants();
        if self.draining == Draining::Together {
            return;
        }
        for _ in 0..OUTPUTS_MAX {
            match self.manager.poll() {
                Output::Wait(_) => return,
                output => self.taken.push_back(output),
            }
        }
        panic!("no end of outputs");
    }

    /// Gives the core an answer, and the model what it says.
    fn deliver(&mut self, answered: Answered) {
        let id = answered.completion.id();
        match &answered.told {
            Told::Head(body) => self.model.head_told(*body),
            Told::NoHead(body, reason) | Told::NoChunk(body, reason) => {
                self.model.body_failed(self.now, *body, *reason);
            }
            Told::Chunk { body, bytes, last } => self.model.chunk_told(self.now, *body, *bytes, *last),
            Told::Dropped(body) => self.model.drop_told(*body),
            Told::File { lane, subject, result } => self.model.file_told(*lane, subject, result),
        }
        self.outstanding -= 1;
        self.old_ids.push(id);
        self.handle(Event::Completed(answered.completion));
        self.lanes.told(id);
        if let Told::File { subject: Subject::Delete(items), result: FileResult::Deleted(results), .. } = &answered.told
        {
            for (item, _) in items.iter().zip(results).filter(|(_, result)| says_deleted(result)) {
                let manager = &self.manager;
                self.model.eviction_told(item.path.as_str(), |id| manager.info(id).is_some());
            }
        }
        self.model.check_memory();
    }

    /// Gives the core several answers at once.
    fn deliver_all(&mut self, answers: Vec<Answered>) {
        for answered in answers {
            self.deliver(answered);
        }
    }

    fn tick(&mut self) {
        self.handle(Event::Tick);
    }

    /// A whole turn: all answers that are there, a tick, all outputs.
    fn turn(&mut self) {
        self.let_go_of_outcomes();
        let answers = std::mem::take(&mut self.answered);
        self.deliver_all(answers);
        self.tick();
        self.drain();
        let Wait { until, .. } = self.wait;
        assert!(until.is_none_or(|until| until > self.now), "a turn at {:?} ends with {:?}", self.now, self.wait);
        self.model.check_deadlines(self.now, &self.manager, until);
    }

    /// Takes all outputs.
    fn drain(&mut self) {
        for _ in 0..OUTPUTS_MAX {
            match self.taken.pop_front().unwrap_or_else(|| self.manager.poll()) {
                Output::Action(action) => {
                    self.note(|_| format!("             -> {action:?}"));
                    self.take_on(action);
                }
                Output::Notice(notice) => {
                    self.note(|_| format!("             ** {notice:?}"));
                    self.notice(&notice);
                }
                Output::Wait(wait) => {
                    self.wait = wait;
                    self.drained();
                    return;
                }
            }
        }
        panic!("no end of outputs");
    }

    fn notice(&mut self, notice: &Notice) {
        self.model.notice(self.now, notice, &mut self.report);
        let limit = self.manager.limit().and(self.model.setting.config.limit.as_ref());
        if let Notice::Finished { id, outcome } = notice
            && outcome.has_file()
            && limit.is_some_and(|limit| limit.holds_outcomes)
        {
            let Ok(name) = FileName::new(self.model.name_of(*id)) else { return };
            *self.model.held.entry(name.to_string()).or_default() += 1;
            self.outcomes.push(name);
            self.report.reached("an outcome held");
        }
    }

    /// The program needs no longer what it was told of before.
    fn let_go_of_outcomes(&mut self) {
        if self.outcomes.is_empty() {
            return;
        }
        // What was asked for before is asked for while they are held.
        self.drain();
        for name in std::mem::take(&mut self.outcomes) {
            self.note(|at| format!("{at:>12} <- release {name}, told of before"));
            self.model.tells_at(self.now);
            self.manager.release(self.now, &name);
            self.model.released(name.as_str());
            self.was_given();
        }
        self.report.reached("outcomes let go of");
    }

    fn drained(&mut self) {
        self.lanes.drained();
        self.manager.check_invariants();
        self.model.drained();
        self.model.check_list(&self.manager, &mut self.report);
        self.model.check_memory();
        assert_eq!(self.manager.outstanding(), self.outstanding, "actions that are unanswered");
        match self.wait.why {
            WakeReason::Command => assert_eq!((self.outstanding, self.wait.until), (0, None), "waits for a command"),
            WakeReason::Answer => assert!(self.outstanding > 0, "waits for an answer that cannot come"),
            WakeReason::Time => assert!(self.wait.until.is_some(), "waits for a time that it does not tell"),
        }
        match self.manager.poll() {
            Output::Wait(again) => assert_eq!(again, self.wait, "a second wait says something else"),
            other => panic!("an output behind the wait: {other:?}"),
        }
        let is_over = self.model.closed && self.model.all_ended() && self.outstanding == 0;
        assert_eq!(self.manager.is_drained(), is_over, "drained");
    }

    fn take_on(&mut self, action: Action) {
        match action {
            Action::Net(action) => self.take_on_net(action),
            Action::File(action) => {
                self.outstanding += 1;
                self.model.file_asked(&action, &self.directory);
                self.lanes.push(action);
            }
            Action::Abort(id) => self.abort(id),
        }
    }

    fn answer_aborted(&mut self, id: ActionId, told: Told) {
        self.answered.push(Answered { completion: Completion::aborted(id), told });
    }

    /// Lets time pass, the wall clock too.
    fn advance(&mut self, span: Duration) {
        self.now = self.now + span;
        self.directory.advance(span);
        self.note(|_| format!("             .. {span:?} pass"));
    }

    fn forged(id: ActionId, answer: Answer) -> Completion {
        Completion::forge(id, answer)
    }
}

/// A stamp that lies this many seconds before the directory's time.
fn seconds_before(now: Stamp, seconds: i64) -> Stamp {
    Stamp::from_nanos(now.as_nanos() - seconds * 1_000_000_000)
}

fn body_of(action: &NetAction) -> BodyId {
    action.body()
}
