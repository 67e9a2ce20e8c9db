//! Crashes at every file action: a program dies, or the machine does, and the next run has to bring it to an end.
//!
//! A [`Scenario`] is a download with its settings, its server and what goes wrong anyway; a [`Case`] says at which file
//! actions which run of it dies, and how. At each death the directory has to be in order, and so it has to be at the end:
//! `oracle.rs` says what that means. Nothing of it asks the core.

mod oracle;
mod pair;
mod scenario;
mod scenarios;

use std::collections::BTreeSet;
use std::time::Duration;

use dlmanager_core::{FileOp, Outcome, Request};
use dlmanager_fs_memory::{MemoryDirectory, Profile};

use crate::random::SplitMix64;
use crate::report::Report;
use crate::world::{Fuse, World};
use oracle::{Left, Oracle};
pub use pair::crash_beside;
pub use scenario::{Ends, Nth, Scenario, Validated};
pub use scenarios::{scenario, scenarios};

/// The lengths of a disk's blocks: small ones, so that a record is torn, and such as hold a whole one, as those of real disks
/// do. Either way the few bytes of a scenario are several of them.
const BLOCK_BYTES: [u64; 2] = [16, 96];
/// What another program has in the work folder.
const STRANGERS: &str = ".dlmanager/00000000000000000000000000000000.0000000000000000.part";
/// Where the file is.
pub(crate) const URL: &str = "http://origin.example/file";
/// Where another file is that is to have the same name.
pub(crate) const OTHER_URL: &str = "http://mirror.example/file";
/// Its name.
pub(crate) const NAME: &str = "file";

/// Which runs of a scenario die, and how.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file system below the directory.
    pub profile: Profile,
    /// The length of its blocks.
    pub block_bytes: u64,
    /// What takes its time, so that the lanes of one download run beside each other in several ways.
    pub tempo: u8,
    /// Which of the scenario's histories the server follows.
    pub history: usize,
    /// Each ends a run; the run after the last one is not disturbed.
    pub deaths: Vec<Death>,
}

/// How a run dies.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// Where.
    pub fuse: Fuse,
    /// The machine fails, and what survives of what was not flushed follows from this seed. Else the program dies alone.
    pub power: Option<u64>,
}

/// How many ways there are in which actions take their time.
pub const TEMPOS: u8 = 4;

/// The file actions that a scenario's first run executes when nothing dies.
fn count(scenario: &Scenario, history: usize, tempo: u8) -> Vec<&'static str> {
    let directory = directory(scenario, (Profile::Ext4, BLOCK_BYTES[0]), tempo);
    (scenario.faults)(&directory);
    let (world, _) = run(scenario, &directory, history, 0, None);
    world.executed().to_vec()
}

/// Runs a case.
///
/// # Errors
///
/// What is not as it was promised.
pub fn crash(scenario: &Scenario, case: &Case, report: &mut Report) -> Result<(), String> {
    let directory = directory(scenario, (case.profile, case.block_bytes), case.tempo);
    let mut oracle =
        Oracle { scenario, served: BTreeSet::new(), complete: false, was_lost: false, flush_is_forgotten: false };
    let mut left = Left::default();
    for (number, death) in case.deaths.iter().enumerate() {
        if number == 0 {
            (scenario.faults)(&directory);
        }
        let program = directory.process();
        let (world, outcome) = run(scenario, &program, case.history, number, Some(death.fuse));
        oracle.served.extend(scenario.served(case.history, number, world.net.requests().len()));
        oracle.complete |= matches!(outcome, Some(Outcome::Complete(_)));
        // Where to open a record takes its time, bytes overtake it.
        if case.tempo != 2 {
            oracle.check_boot(&world, &directory)?;
        }
        drop(world);
        if number == 0 {
            directory.clear_rules();
            directory.set_capacity(None);
            slow_down(&directory, case.tempo);
        }
        match death.power {
            None => program.crash_process(),
            Some(seed) => lose_power(&directory, seed),
        }
        report.reached(if death.power.is_some() { "power lost" } else { "process died" });
        oracle.was_lost |= death.power.is_some() && !oracle.is_promised();
        if number == 0 && scenario.flush_fails && death.power.is_none() {
            oracle.flush_is_forgotten = true;
        } else if oracle.flush_is_forgotten && death.power.is_some() {
            report.reached("not promised");
            return Ok(());
        }
        left = oracle.check_death(&directory, death.power.is_some())?;
        left.count(report, death.power.is_some());
        if scenario.is_taken_away {
            directory.remove(NAME);
            left.stands = false;
        }
    }
    if oracle.was_lost && left.stands {
        report.reached("not promised");
        return Ok(());
    }
    let number = case.deaths.len();
    let (world, outcome) = run(scenario, &directory.process(), case.history, number, None);
    oracle.served.extend(scenario.served(case.history, number, world.net.requests().len()));
    oracle.check_end(&world, outcome.as_ref(), &left, scenario.versions(case.history, number), report)?;
    oracle.complete |= matches!(outcome, Some(Outcome::Complete(_)));
    drop(world);
    let seed = case.deaths.iter().map(|death| death.fuse.at as u64).sum();
    lose_power(&directory, seed);
    if oracle.flush_is_forgotten { Ok(()) } else { oracle.check_after_end(&directory) }
}

/// One run of a scenario, up to its end or its death.
fn run(
    scenario: &Scenario,
    directory: &MemoryDirectory,
    history: usize,
    number: usize,
    fuse: Option<Fuse>,
) -> (World, Option<Outcome>) {
    let mut world = World::within(directory.clone(), scenario.config.clone(), number as u64 + 1);
    world.dies_at(fuse);
    scenario.serve(&mut world.net, history, number);
    let request = Request::new(scenario.url(history, number)).expect("a URL");
    let id = world.admit((scenario.request)(request)).id();
    if let Some(span) = scenario.cancel_after.filter(|_| number == 0) {
        world.run_for(span);
        // He may have ended by then.
        let _ = world.manager.cancel(world.now(), id);
    }
    world.run();
    if !world.is_dead() {
        world.manager.close(world.now());
        world.run();
        assert!(world.is_dead() || world.manager.is_drained(), "closed, and not drained");
    }
    let outcome = world.outcome(id).cloned();
    (world, outcome)
}

fn directory(scenario: &Scenario, (profile, block_bytes): (Profile, u64), tempo: u8) -> MemoryDirectory {
    let directory = MemoryDirectory::on_disk(profile, block_bytes);
    if let Some(bytes) = scenario.before {
        directory.put_file(NAME, bytes);
    }
    if scenario.is_shared {
        directory.put_file(STRANGERS, b"a stranger's");
    }
    if !scenario.knows_boot {
        directory.set_boot(None);
    }
    directory.set_locks_work(scenario.locks_work);
    slow_down(&directory, tempo);
    directory
}

/// What is slow: nothing, flushes, names, or writes.
fn slow_down(directory: &MemoryDirectory, tempo: u8) {
    directory.delay_when(move |operation| {
        let is_slow = match operation.op {
            FileOp::Sync { .. } => tempo == 1,
            FileOp::Open { .. } | FileOp::SyncDir { .. } | FileOp::Delete { .. } => tempo == 2,
            FileOp::Write { .. } | FileOp::Hash { .. } => tempo == 3,
            _ => false,
        };
        is_slow.then_some(Duration::from_millis(7))
    });
}

/// The machine fails: what is on the disk alone, all of what was done, or anything between, as often as not much of it.
fn lose_power(directory: &MemoryDirectory, seed: u64) {
    let mut draw = Draw::new(seed);
    directory.lose_power(&mut |bound| {
        let drawn = draw.below(1 << 30);
        match (seed % 8, drawn % 4) {
            (0, _) | (2, 1..=3) | (3, 1) => 0,
            (1, _) | (4, 1..=3) | (5, 1) => bound - 1,
            _ => drawn / 4 % bound,
        }
    });
}

/// The cases of a scenario: each file action of its first run, in each of its histories, with a program that dies and
/// with several losses of power; and a sample of those in which the second run dies as well, most of them where names and
/// lengths change. `factor` times as many of what is sampled.
pub fn cases(scenario: &Scenario, factor: usize) -> Vec<Case> {
    let mut draw = Draw::new(scenario.name.bytes().map(u64::from).sum());
    let mut cases = Vec::new();
    for (history, runs) in scenario.histories.iter().enumerate() {
        for tempo in 0..TEMPOS {
            let words = count(scenario, history, tempo);
            // Behind the last one, too.
            for at in 1..=words.len() + 1 {
                let is = |at: usize, some: &[&str]| words.get(at).is_some_and(|word| some.contains(word));
                for half in [false, true].into_iter().take(1 + usize::from(is(at - 1, &["Write"]))) {
                    let fuse = Fuse { at, half };
                    let mut case = |deaths: Vec<Death>, draw: &mut Draw| {
                        let (profile, block_bytes) = draw.disk();
                        cases.push(Case { profile, block_bytes, tempo, history, deaths });
                    };
                    if runs.len() <= 2 {
                        case(vec![Death { fuse, power: None }], &mut draw);
                        for _ in 0..2 * factor {
                            case(vec![Death { fuse, power: Some(draw.0.next_u64()) }], &mut draw);
                        }
                    }
                    let changes = ["Delete", "Rename", "Truncate", "SyncDir"];
                    let is_close = is(at - 1, &changes) || (at > 1 && is(at - 2, &changes)) || at > words.len();
                    let seconds = if is_close { 6 } else { 1 } * factor * runs.len().min(3);
                    for _ in 0..seconds {
                        let second = Fuse { at: 1 + draw.below(words.len() + 8), half: draw.below(2) == 1 };
                        let deaths = [fuse, second].map(|fuse| Death { fuse, power: draw.power() });
                        case(deaths.to_vec(), &mut draw);
                    }
                }
            }
        }
    }
    cases
}

/// The cases in which the first run dies at one of the file actions that are chosen by their number and word, and the second
/// one at each, with a few losses of power.
pub fn cases_behind(scenario: &Scenario, history: usize, is_first: impl Fn(usize, &[&str]) -> bool) -> Vec<Case> {
    let mut draw = Draw::new(1);
    let mut cases = Vec::new();
    for tempo in [0, 2] {
        let words = count(scenario, history, tempo);
        for at in (1..=words.len() + 1).filter(|at| is_first(*at, &words)) {
            for second in 1..=words.len() + 8 {
                for seed in 0..3 {
                    let first = Death { fuse: Fuse { at, half: false }, power: None };
                    let second =
                        Death { fuse: Fuse { at: second, half: draw.below(2) == 0 }, power: Some(draw.0.next_u64()) };
                    let (profile, block_bytes) = if seed == 0 { draw.disk() } else { (Profile::Posix, BLOCK_BYTES[1]) };
                    cases.push(Case { profile, block_bytes, tempo, history, deaths: vec![first, second] });
                }
            }
        }
    }
    cases
}

/// The cases in which the power fails in the first run, and the program dies early in the second one.
pub fn cases_after_power(scenario: &Scenario, history: usize) -> Vec<Case> {
    let mut draw = Draw::new(2);
    let mut cases = Vec::new();
    let actions = count(scenario, history, 0).len();
    // Before the middle nothing is noted as durable.
    for at in actions / 2..=actions {
        for second in 12..26 {
            for _ in 0..3 {
                let first = Death { fuse: Fuse { at, half: false }, power: Some(draw.0.next_u64()) };
                let second = Death { fuse: Fuse { at: second, half: false }, power: None };
                let (profile, block_bytes) = draw.disk();
                cases.push(Case { profile, block_bytes, tempo: 0, history, deaths: vec![first, second] });
            }
        }
    }
    cases
}

/// Draws for cases.
struct Draw(SplitMix64);

impl Draw {
    const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() >> 32).unwrap_or(0) % bound.max(1)
    }

    fn disk(&mut self) -> (Profile, u64) {
        let profile = [Profile::Posix, Profile::Ext4][self.below(2)];
        (profile, BLOCK_BYTES[self.below(2)])
    }

    fn power(&mut self) -> Option<u64> {
        (self.below(2) == 0).then(|| self.0.next_u64())
    }
}
