//! Who may exchange bytes with a server now: a bound for all, one for each origin, and fairness among origins. An origin that
//! asked to be left alone has no turn, one that seems to be dead a single one.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::arena::Key;
use crate::health::Health;
use crate::{DownloadError, Instant, Origin};

/// Downloads that wait for a slot, in a line for each origin, and the slots that are taken.
#[derive(Debug)]
pub(crate) struct Queues {
    jobs: usize,
    per_host: usize,
    taken: usize,
    lines: BTreeMap<Origin, Line>,
    /// The origins whose turn comes, in order: those with somebody waiting and a slot free.
    ring: VecDeque<Origin>,
    /// The origins that are left alone, by when that ends.
    blocked: BTreeSet<(Instant, Origin)>,
    /// Origins of which a lone attempt may have failed.
    suspects: Vec<Origin>,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<Place, Key>,
    taken: usize,
    in_ring: bool,
    health: Health,
}

/// A place in an origin's line: those that have been under way before come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    fresh: bool,
    arrival: u64,
}

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) key: Key,
    pub(crate) origin: Origin,
    /// It goes alone, to find out whether the origin is there.
    pub(crate) is_probe: bool,
}

impl Queues {
    pub(crate) fn new(jobs: usize, per_host: usize) -> Self {
        Self {
            jobs: jobs.max(1),
            per_host: per_host.max(1),
            taken: 0,
            lines: BTreeMap::new(),
            ring: VecDeque::new(),
            blocked: BTreeSet::new(),
            suspects: Vec::new(),
            arrivals: 0,
        }
    }

    pub(crate) fn join(&mut self, origin: &Origin, key: Key, fresh: bool) -> Place {
        self.arrivals += 1;
        let place = Place { fresh, arrival: self.arrivals };
        self.lines.entry(origin.clone()).or_default().waiting.insert(place, key);
        self.enter_ring(origin);
        place
    }

    pub(crate) fn leave(&mut self, origin: &Origin, place: Place) {
        if let Some(line) = self.lines.get_mut(origin) {
            line.waiting.remove(&place);
        }
        self.forget_idle(origin);
    }

    /// Whether a slot may be granted, or an origin be found to be dead.
    pub(crate) fn has_news(&self) -> bool {
        !self.suspects.is_empty() || (!self.ring.is_empty() && self.taken < self.jobs)
    }

    /// Gives the next slot, to the origin whose turn it is.
    pub(crate) fn grant(&mut self) -> Option<Grant> {
        while self.taken < self.jobs {
            let origin = self.ring.pop_front()?;
            let Some(line) = self.lines.get_mut(&origin) else { continue };
            line.in_ring = false;
            if line.may_take(self.per_host)
                && let Some((_, key)) = line.waiting.pop_first()
            {
                line.taken += 1;
                self.taken += 1;
                let is_probe = line.health.goes_alone();
                self.enter_ring(&origin);
                return Some(Grant { key, origin, is_probe });
            }
            self.forget_idle(&origin);
        }
        None
    }

    pub(crate) fn release(&mut self, origin: &Origin) {
        if let Some(line) = self.lines.get_mut(origin)
            && line.taken > 0
        {
            line.taken -= 1;
            self.taken -= 1;
        }
        self.enter_ring(origin);
        self.forget_idle(origin);
    }

    fn enter_ring(&mut self, origin: &Origin) {
        if let Some(line) = self.lines.get_mut(origin)
            && !line.in_ring
            && !line.waiting.is_empty()
            && line.may_take(self.per_host)
        {
            line.in_ring = true;
            self.ring.push_back(origin.clone());
        }
    }

    fn forget_idle(&mut self, origin: &Origin) {
        let idle =
            |line: &Line| line.waiting.is_empty() && line.taken == 0 && !line.in_ring && line.health.is_default();
        if self.lines.get(origin).is_some_and(idle) {
            self.lines.remove(origin);
        }
    }

    // How the origins are doing.

    /// Takes what a retry at this origin costs; false where it has none left.
    pub(crate) fn take_retry(&mut self, origin: &Origin) -> bool {
        self.lines.entry(origin.clone()).or_default().health.take_retry()
    }

    /// A download from this origin ended well.
    pub(crate) fn succeeded(&mut self, origin: &Origin) {
        if let Some(line) = self.lines.get_mut(origin) {
            line.health.succeeded();
        }
        self.forget_idle(origin);
    }

    /// A connection to this origin stands.
    pub(crate) fn connected(&mut self, origin: &Origin) {
        if let Some(line) = self.lines.get_mut(origin) {
            line.health.connected();
        }
        self.enter_ring(origin);
    }

    /// No connection to this origin could be made.
    pub(crate) fn connect_failed(&mut self, origin: &Origin, error: &DownloadError, is_probe: bool) {
        self.lines.entry(origin.clone()).or_default().health.connect_failed(error, is_probe);
        self.suspects.push(origin.clone());
    }

    /// An origin that is not there, and why: all that wait for it are to end.
    pub(crate) fn take_dead(&mut self) -> Option<(Origin, DownloadError)> {
        while let Some(origin) = self.suspects.pop() {
            if let Some(error) = self.lines.get_mut(&origin).and_then(|line| line.health.take_dead()) {
                return Some((origin, error));
            }
        }
        None
    }

    /// Leaves an origin alone until then at least.
    pub(crate) fn block(&mut self, origin: &Origin, until: Instant) {
        let health = &mut self.lines.entry(origin.clone()).or_default().health;
        if let Some(at) = health.blocked_until() {
            self.blocked.remove(&(at, origin.clone()));
        }
        health.block(until);
        self.blocked.insert((health.blocked_until().unwrap_or(until), origin.clone()));
    }

    /// When an origin may be asked again next.
    pub(crate) fn next_unblock(&self) -> Option<Instant> {
        self.blocked.first().map(|(at, _)| *at)
    }

    /// The origins whose time has come may be asked again.
    pub(crate) fn unblock(&mut self, now: Instant) {
        while self.next_unblock().is_some_and(|at| at <= now) {
            let Some((_, origin)) = self.blocked.pop_first() else { return };
            if let Some(line) = self.lines.get_mut(&origin) {
                line.health.unblock();
            }
            self.enter_ring(&origin);
            self.forget_idle(&origin);
        }
    }

    pub(crate) fn taken(&self, origin: &Origin) -> usize {
        self.lines.get(origin).map_or(0, |line| line.taken)
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = Key> {
        self.lines.values().flat_map(|line| line.waiting.values().copied())
    }

    pub(crate) fn check_invariants(&self) {
        assert!(self.taken <= self.jobs, "no more slots are taken than there are");
        assert_eq!(self.taken, self.lines.values().map(|line| line.taken).sum(), "the lines' slots add up");
        for (origin, line) in &self.lines {
            assert!(line.taken <= self.per_host, "no more slots of {origin} are taken than there are");
            let in_ring = self.ring.iter().filter(|other| *other == origin).count();
            assert_eq!(in_ring, usize::from(line.in_ring), "{origin} stands in the ring once or not at all");
            let servable = !line.waiting.is_empty() && line.may_take(self.per_host);
            assert!(line.in_ring || !servable, "{origin} can be served, so its turn comes");
        }
    }
}

impl Line {
    /// Whether one more slot may be taken.
    const fn may_take(&self, per_host: usize) -> bool {
        let slots = if self.health.goes_alone() { 1 } else { per_host };
        self.taken < slots && self.health.blocked_until().is_none()
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use url::Url;

    fn origin(name: &str) -> Origin {
        Origin::of(&Url::parse(&alloc::format!("http://{name}/")).unwrap())
    }

    fn key(serial: u64) -> Key {
        Key { serial, slot: 0 }
    }

    fn granted(queues: &mut Queues) -> Vec<u64> {
        core::iter::from_fn(|| queues.grant()).map(|grant| grant.key.serial).collect()
    }

    #[test]
    fn origins_take_turns_and_bounds_hold() {
        let mut queues = Queues::new(5, 2);
        let (a, b) = (origin("a"), origin("b"));
        for serial in 0..10 {
            queues.join(&a, key(serial), true);
        }
        for serial in 100..103 {
            queues.join(&b, key(serial), true);
        }
        assert_eq!(granted(&mut queues), [0, 100, 1, 101]);
        queues.check_invariants();
        queues.release(&a);
        assert_eq!(granted(&mut queues), [2]);
        queues.release(&b);
        queues.release(&b);
        assert_eq!(granted(&mut queues), [102]);
        queues.check_invariants();
    }

    #[test]
    fn an_origin_that_is_left_alone_has_no_turn_until_its_time_has_come() {
        let mut queues = Queues::new(5, 2);
        let (a, b) = (origin("a"), origin("b"));
        for serial in 0..3 {
            queues.join(&a, key(serial), true);
        }
        queues.join(&b, key(9), true);
        let at = |nanos| Instant::from_nanos(nanos);
        queues.block(&a, at(5));
        queues.block(&a, at(4));
        assert_eq!(granted(&mut queues), [9]);
        assert_eq!(queues.next_unblock(), Some(at(5)), "the longer one holds");
        queues.unblock(at(4));
        assert_eq!(granted(&mut queues), []);
        queues.check_invariants();
        queues.unblock(at(5));
        assert_eq!(granted(&mut queues), [0, 1]);
        assert_eq!(queues.next_unblock(), None);
        queues.check_invariants();
    }

    #[test]
    fn an_origin_that_seems_dead_is_tried_by_one_and_the_next_failure_tells_all() {
        let mut queues = Queues::new(50, 20);
        let a = origin("a");
        let error = DownloadError::Status { status: 1 };
        for serial in 0..30 {
            queues.join(&a, key(serial), true);
        }
        for _ in 0..10 {
            assert!(!queues.grant().unwrap().is_probe);
            assert_eq!(queues.take_dead(), None);
            queues.connect_failed(&a, &error, false);
            queues.release(&a);
        }
        assert!(queues.grant().unwrap().is_probe);
        assert_eq!(granted(&mut queues), [], "alone");
        queues.check_invariants();
        // Those that were under way before decide nothing.
        queues.connect_failed(&a, &error, false);
        assert_eq!(queues.take_dead(), None);
        queues.connect_failed(&a, &error, true);
        assert_eq!(queues.take_dead(), Some((a.clone(), error)));
        queues.release(&a);
        assert_eq!(granted(&mut queues), [11]);
        queues.connected(&a);
        assert_eq!(granted(&mut queues).len(), 18, "it is there again");
        queues.check_invariants();
    }

    #[test]
    fn what_nobody_holds_is_not_given_back() {
        let mut queues = Queues::new(1, 1);
        let (a, b) = (origin("a"), origin("b"));
        queues.join(&a, key(1), true);
        queues.release(&a);
        queues.release(&b);
        queues.join(&b, key(2), true);
        assert_eq!(granted(&mut queues), [1], "one slot is one slot");
        queues.release(&b);
        assert_eq!(granted(&mut queues), []);
        queues.check_invariants();
    }

    #[test]
    fn those_under_way_before_come_first_and_who_leaves_is_gone() {
        let mut queues = Queues::new(1, 1);
        let a = origin("a");
        queues.join(&a, key(1), true);
        let place = queues.join(&a, key(2), true);
        queues.join(&a, key(3), false);
        queues.leave(&a, place);
        assert_eq!(granted(&mut queues), [3]);
        queues.release(&a);
        assert_eq!(granted(&mut queues), [1]);
        queues.release(&a);
        assert_eq!(queues.lines.len(), 0);
        queues.check_invariants();
    }
}
