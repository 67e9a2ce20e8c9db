//! The queues beside a model that keeps a list of who waits, and looks through all of it at each step.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use proptest::prelude::*;
use url::Url;

use super::{Place, Queues};
use crate::arena::Key;
use crate::health::Health;
use crate::{DownloadError, Instant, Origin};

const ORIGINS: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Join {
        origin: usize,
        fresh: bool,
    },
    /// The one that waits at this place of all that wait, counted round and round, leaves.
    Leave(usize),
    /// Up to so many slots are given.
    Grant(usize),
    /// The one at this place of all that hold a slot gives it back, after the attempt ended so.
    Release(usize, Ended),
    TakeRetry(usize),
    Block(usize, u64),
    /// So much time goes by.
    Unblock(u64),
}

#[derive(Debug, Clone, Copy)]
enum Ended {
    Connected,
    Succeeded,
    ConnectFailed,
    Otherwise,
}

fn step() -> impl Strategy<Value = Step> {
    use Ended::{ConnectFailed, Connected, Otherwise, Succeeded};
    let ended = prop_oneof![
        1 => Just(Connected), 2 => Just(Succeeded), 6 => Just(ConnectFailed), 1 => Just(Otherwise),
    ];
    prop_oneof![
        8 => (0..ORIGINS, any::<bool>()).prop_map(|(origin, fresh)| Step::Join { origin, fresh }),
        1 => any::<usize>().prop_map(Step::Leave),
        6 => (1..6_usize).prop_map(Step::Grant),
        6 => (any::<usize>(), ended).prop_map(|(at, ended)| Step::Release(at, ended)),
        3 => (0..ORIGINS).prop_map(Step::TakeRetry),
        1 => (0..ORIGINS, 0..20_u64).prop_map(|(origin, after)| Step::Block(origin, after)),
        1 => (0..10_u64).prop_map(Step::Unblock),
    ]
}

fn origin(at: usize) -> Origin {
    Origin::of(&Url::parse(&format!("http://{at}.example/")).unwrap())
}

#[derive(Debug, Clone)]
struct Waiting {
    origin: usize,
    fresh: bool,
    serial: u64,
    place: Place,
}

#[derive(Debug)]
struct Holder {
    origin: usize,
    is_probe: bool,
}

#[derive(Debug, Default)]
struct Model {
    waiting: Vec<Waiting>,
    holders: Vec<Holder>,
    health: [Health; ORIGINS],
    /// Who has been passed over, and how often by each other, since it could have been served.
    passed_over: BTreeMap<usize, [usize; ORIGINS]>,
}

impl Model {
    fn taken(&self, origin: usize) -> usize {
        self.holders.iter().filter(|holder| holder.origin == origin).count()
    }

    /// Whether one that waits for this origin may have a slot of the origin's.
    fn may_take(&self, origin: usize, per_host: usize) -> bool {
        let health = &self.health[origin];
        let slots = if health.goes_alone() { 1 } else { per_host };
        health.blocked_until().is_none() && self.taken(origin) < slots
    }

    fn servable(&self, per_host: usize) -> Vec<usize> {
        let waits = |origin: usize| self.waiting.iter().any(|waiting| waiting.origin == origin);
        (0..ORIGINS).filter(|&origin| waits(origin) && self.may_take(origin, per_host)).collect()
    }

    /// Who comes first at this origin: those under way before, then by arrival.
    fn first(&self, origin: usize) -> Option<usize> {
        let of_origin = self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.origin == origin);
        of_origin.min_by_key(|(_, waiting)| (waiting.fresh, waiting.serial)).map(|(at, _)| at)
    }

    fn is_idle(&self, origin: usize) -> bool {
        self.taken(origin) == 0
            && self.health[origin].is_default()
            && self.waiting.iter().all(|waiting| waiting.origin != origin)
    }
}

/// Takes a step with both, and compares all that can be seen.
fn take(queues: &mut Queues, model: &mut Model, now: &mut u64, serial: &mut u64, step: &Step) {
    let (jobs, per_host) = (queues.jobs, queues.per_host);
    match *step {
        Step::Join { origin: at, fresh } => {
            *serial += 1;
            let place = queues.join(&origin(at), Key { serial: *serial, slot: 0 }, fresh);
            model.waiting.push(Waiting { origin: at, fresh, serial: *serial, place });
        }
        Step::Leave(at) if !model.waiting.is_empty() => {
            let gone = model.waiting.remove(at % model.waiting.len());
            queues.leave(&origin(gone.origin), gone.place);
        }
        Step::Grant(slots) => {
            for _ in 0..slots {
                let servable = model.servable(per_host);
                let Some(grant) = queues.grant() else {
                    assert!(model.holders.len() == jobs || servable.is_empty(), "a slot is free for {servable:?}");
                    break;
                };
                assert!(model.holders.len() < jobs, "more slots than there are");
                let at = (0..ORIGINS).find(|&at| origin(at) == grant.origin).unwrap();
                assert!(servable.contains(&at), "{at} has no slot free, or is left alone");
                let first = model.waiting.remove(model.first(at).unwrap());
                assert_eq!(grant.key.serial, first.serial, "somebody else's turn");
                assert_eq!(grant.is_probe, model.health[at].goes_alone());
                model.holders.push(Holder { origin: at, is_probe: grant.is_probe });
                // Nobody is served twice before one that could have been served all that time.
                model.passed_over.remove(&at);
                for other in servable.into_iter().filter(|&other| other != at) {
                    let by = model.passed_over.entry(other).or_default();
                    by[at] += 1;
                    assert!(by[at] <= 1, "{at} is served again while {other} waits");
                }
            }
        }
        Step::Release(at, ended) if !model.holders.is_empty() => {
            let Holder { origin: of, is_probe } = model.holders.remove(at % model.holders.len());
            match ended {
                Ended::Connected => {
                    queues.connected(&origin(of));
                    model.health[of].connected();
                }
                Ended::Succeeded => {
                    queues.connected(&origin(of));
                    queues.succeeded(&origin(of));
                    model.health[of].connected();
                    model.health[of].succeeded();
                }
                Ended::ConnectFailed => {
                    let error = DownloadError::Status { status: u16::try_from(of).unwrap() };
                    queues.connect_failed(&origin(of), &error, is_probe);
                    model.health[of].connect_failed(&error, is_probe);
                    let told: Vec<_> = core::iter::from_fn(|| queues.take_dead()).take(2).collect();
                    let dead = model.health[of].take_dead().map(|error| (origin(of), error));
                    assert_eq!(told, dead.into_iter().collect::<Vec<_>>(), "who waits is told, once");
                }
                Ended::Otherwise => {}
            }
            queues.release(&origin(of));
        }
        // Nobody is there to leave, or to end.
        Step::Leave(_) | Step::Release(..) => {}
        Step::TakeRetry(at) => assert_eq!(queues.take_retry(&origin(at)), model.health[at].take_retry()),
        Step::Block(at, after) => {
            let until = Instant::from_nanos(*now + after);
            queues.block(&origin(at), until);
            model.health[at].block(until);
        }
        Step::Unblock(nanos) => {
            *now += nanos;
            let now = Instant::from_nanos(*now);
            queues.unblock(now);
            for health in &mut model.health {
                if health.blocked_until().is_some_and(|until| until <= now) {
                    health.unblock();
                }
            }
        }
    }
    let servable = model.servable(per_host);
    model.passed_over.retain(|at, _| servable.contains(at));
    let mut waiting: Vec<u64> = queues.waiting().map(|key| key.serial).collect();
    waiting.sort_unstable();
    assert_eq!(waiting, model.waiting.iter().map(|waiting| waiting.serial).collect::<Vec<_>>());
    for at in 0..ORIGINS {
        assert_eq!(queues.taken(&origin(at)), model.taken(at));
        assert!(model.taken(at) <= per_host);
    }
    let unblocks = model.health.iter().filter_map(Health::blocked_until).min();
    assert_eq!(queues.next_unblock(), unblocks);
    queues.check_invariants();
}

proptest! {
    #[test]
    fn slots_are_given_by_the_rule_and_none_is_held_back(
        steps in prop::collection::vec(step(), 0..80),
        jobs in 1..6_usize,
        per_host in 1..4_usize,
        // An origin that is not there is one after ten failures in a row.
        failures in prop::array::uniform4(prop_oneof![Just(0), 8..12_usize]),
        // One that had no retry left has one again after ten successes.
        successes in prop::array::uniform4(prop::option::of(7..11_usize)),
    ) {
        let mut queues = Queues::new(jobs, per_host);
        let (mut model, mut now, mut serial) = (Model::default(), 0, 0);
        for (at, failures) in failures.into_iter().enumerate() {
            for _ in 0..failures {
                let error = DownloadError::Status { status: 0 };
                queues.connect_failed(&origin(at), &error, false);
                model.health[at].connect_failed(&error, false);
            }
            for _ in 0..if successes[at].is_some() { 10 } else { 0 } {
                assert!(queues.take_retry(&origin(at)) && model.health[at].take_retry());
            }
            for _ in 0..successes[at].unwrap_or(0) {
                queues.succeeded(&origin(at));
                model.health[at].succeeded();
            }
        }
        for step in &steps {
            take(&mut queues, &mut model, &mut now, &mut serial, step);
        }
        // Once all is over, nothing is kept but of origins that did not do well.
        take(&mut queues, &mut model, &mut now, &mut serial, &Step::Unblock(1_000));
        while !model.waiting.is_empty() || !model.holders.is_empty() {
            take(&mut queues, &mut model, &mut now, &mut serial, &Step::Grant(jobs));
            take(&mut queues, &mut model, &mut now, &mut serial, &Step::Release(0, Ended::Connected));
        }
        take(&mut queues, &mut model, &mut now, &mut serial, &Step::Grant(1));
        for at in 0..ORIGINS {
            prop_assert_eq!(queues.lines.contains_key(&origin(at)), !model.is_idle(at), "{}", at);
        }
        prop_assert!(queues.ring.is_empty());
    }
}
