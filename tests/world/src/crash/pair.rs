//! Two programs that fetch the same file into one directory, of which one may die.

use std::collections::BTreeSet;
use std::time::Duration;

use dlmanager_core::{Config, DownloadId, Durability, Notice, Outcome, Request};
use dlmanager_fs_memory::MemoryDirectory;

use super::oracle::{Left, Oracle};
use super::scenario::Scenario;
use super::scenarios::config;
use super::{Draw, NAME, TEMPOS, URL, directory, lose_power};
use crate::report::Report;
use crate::world::{Fuse, World};

/// A program, and its handle to the directory.
struct Program {
    world: World,
    directory: MemoryDirectory,
    id: DownloadId,
    is_closed: bool,
}

/// Runs two programs beside each other, the second of which starts later; the first one dies at that file action of its
/// own, alone or with the machine, if at all. What else is to be chosen follows from the seed.
///
/// # Errors
///
/// What is not as it was promised.
pub fn crash_beside(seed: u64, death: Option<usize>, report: &mut Report) -> Result<(), String> {
    let mut draw = Draw::new(seed);
    let durability = [Durability::Data, Durability::Full][draw.below(2)];
    let waits_long = draw.below(4) > 0;
    let lock_wait = if waits_long { Duration::from_secs(300) } else { Duration::from_millis(120) };
    let locks_work = draw.below(8) > 0;
    let config = Config { lock_wait, ..config(durability) };
    let versions: &[&[&[u64]]] = if draw.below(2) == 0 { &[&[&[1], &[1]]] } else { &[&[&[1], &[2]]] };
    let scenario = Scenario { config, locks_work, histories: versions, ..Scenario::default() };
    let tempo = u8::try_from(draw.below(usize::from(TEMPOS))).unwrap_or(0);
    let disk = draw.disk();
    let later = Duration::from_millis(draw.below(120) as u64);
    let power = (death.is_some() && draw.below(3) == 0).then(|| draw.0.next_u64());

    let shared = directory(&scenario, disk, tempo);
    let served = versions[0].iter().flat_map(|run| run.iter().copied()).collect::<BTreeSet<u64>>();
    let mut oracle =
        Oracle { scenario: &scenario, served, complete: false, was_lost: false, flush_is_forgotten: false };
    let mut first = Program::new(&scenario, &shared, 0, death.map(|at| Fuse { at, half: draw.below(2) == 0 }));
    first.go_on_for(later);
    let mut second = Program::new(&scenario, &shared, 1, None);
    second.world.turn_at(first.world.now());

    let mut left = Left::default();
    let mut is_buried = false;
    for _ in 0..100_000 {
        if first.world.is_dead() && !is_buried {
            is_buried = true;
            report.reached("the first program died");
            if power.is_some() {
                break;
            }
            first.directory.crash_process();
            left = oracle.check_death(&shared, false)?;
        }
        let next = [&first, &second].map(|program| program.world.next_time().filter(|_| !program.world.is_dead()));
        let turn = match next {
            [Some(one), Some(other)] => usize::from(other < one),
            [Some(_), None] => 0,
            [None, Some(_)] => 1,
            [None, None] => break,
        };
        let Some(at) = next[turn] else { break };
        [&mut first, &mut second][turn].turn_at(at);
        oracle.check_final_name(&shared)?;
    }
    if let Some(seed) = power.filter(|_| first.world.is_dead()) {
        report.reached("the machine died");
        oracle.complete = [&first, &second].iter().any(|program| program.is_complete());
        lose_power(&shared, seed);
        left = oracle.check_death(&shared, true)?;
        second = Program::new(&scenario, &shared, 1, None);
        second.world.run();
        second.close();
    }
    for program in [&first, &second].into_iter().filter(|program| !program.world.is_dead()) {
        match program.world.outcome(program.id) {
            Some(Outcome::Complete(_)) => report.reached("ended complete"),
            Some(Outcome::Present { .. }) => report.reached("ended present"),
            other => return Err(format!("a program ends with {other:?}")),
        }
    }
    for program in [&first, &second] {
        if program.world.notices().iter().any(|(_, notice)| matches!(notice, Notice::Locked { .. })) {
            report.reached("waited for the lock");
        }
    }
    let sent = first.world.net.body_bytes() + second.world.net.body_bytes();
    if locks_work && waits_long && death.is_none() {
        let once = scenario.bytes(1).len() as u64;
        if sent != once {
            return Err(format!("{sent} bytes were sent, and {once} would do"));
        }
        report.reached("fetched once");
    }
    if left.kept > 0 && second.world.net.requests().iter().any(|request| request.headers.contains_key("range")) {
        report.reached("gone on with by the other program");
    }
    check_end(&shared, &oracle, locks_work && waits_long)
}

/// All that is left is a whole file, and what the dead one had for himself alone.
fn check_end(shared: &MemoryDirectory, oracle: &Oracle<'_>, are_shared: bool) -> Result<(), String> {
    oracle.check_final_name(shared)?;
    let is_alone = |path: &String| !are_shared && path.matches('.').count() == 3;
    let paths: Vec<String> = shared.list().into_keys().filter(|path| path != NAME && !is_alone(path)).collect();
    if shared.read(NAME).is_none() {
        return Err("there is no file in the end".to_owned());
    }
    // The record of a file that got its name by a journal that lost the record's removal.
    let is_record = |path: &&String| path.ends_with(".rec");
    let others = paths.iter().filter(|path| *path != ".dlmanager").filter(|path| !is_record(path)).count();
    if others > 0 || shared.open_handles() > 0 {
        return Err(format!("left behind: {paths:?}"));
    }
    Ok(())
}

impl Program {
    fn new(scenario: &Scenario, shared: &MemoryDirectory, number: usize, fuse: Option<Fuse>) -> Self {
        let directory = shared.process();
        let mut world = World::within(directory.clone(), scenario.config.clone(), number as u64 + 1);
        world.dies_at(fuse);
        scenario.serve(&mut world.net, 0, number);
        let id = world.admit(Request::new(URL).expect("a URL")).id();
        Self { world, directory, id, is_closed: false }
    }

    fn turn_at(&mut self, at: dlmanager_core::Instant) {
        self.world.turn_at(at);
        if self.world.outcome(self.id).is_some() && !self.is_closed && !self.world.is_dead() {
            self.is_closed = true;
            self.world.manager.close(self.world.now());
            self.world.turn_at(at);
        }
    }

    fn go_on_for(&mut self, span: Duration) {
        let end = self.world.now() + span;
        while let Some(at) = self.world.next_time().filter(|at| *at <= end && !self.world.is_dead()) {
            self.turn_at(at);
        }
        self.turn_at(end);
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.world.manager.close(self.world.now());
        self.world.run();
    }

    fn is_complete(&self) -> bool {
        matches!(self.world.outcome(self.id), Some(Outcome::Complete(_)))
    }
}
