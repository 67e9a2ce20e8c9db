//! Several lines, each with a thread and connections of its own: an exchange stays with the line that it began on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use dlmanager_core::{ActionId, BodyId, Completion, Event, FaultKind, NetAction, NetOp};
use http::Uri;
use http::uri::{Authority, Scheme};

use super::Kind;
use super::line::{Handle, Seat};
use crate::sync::{lock, wake};
use crate::{OpenError, Transport};

/// Where exchanges with one server go.
type Origin = (Option<Scheme>, Option<Authority>);

/// The lines of a transport, and what is under way on each.
pub(super) struct Lines {
    pub(super) handles: Vec<Handle>,
    places: Mutex<Places>,
}

impl Lines {
    /// `connections` to one origin, the lines together: `handles` are for [`shares`] of them.
    pub(super) fn new(handles: Vec<Handle>, connections: usize) -> Self {
        let places = Mutex::new(Places::new(shares(connections, handles.len())));
        Self { handles, places }
    }
}

/// How many connections to one origin each of the lines may have, so that they have no more than that together.
pub(super) fn shares(connections: usize, lines: usize) -> Vec<usize> {
    let (each, left) = (connections / lines.max(1), connections % lines.max(1));
    (0..lines).map(|line| each + usize::from(line < left)).collect()
}

/// What each line has under way, of all managers, and who waits.
#[derive(Debug, Default)]
struct Places {
    shares: Vec<usize>,
    by_origin: HashMap<Origin, Here>,
    /// How many exchanges each line has.
    all: Vec<usize>,
    managers: u64,
    /// Of those who wait. It goes when its manager is to try: that registers it anew before it does.
    wakers: HashMap<u64, Waker>,
}

/// What there is with one origin.
#[derive(Debug)]
struct Here {
    /// How many exchanges each line has.
    live: Vec<usize>,
    /// The managers that wait for a place, each once, in their turn.
    waiting: VecDeque<u64>,
}

impl Here {
    /// The line that is the least busy of those that may have one more exchange; of several the first, as it may have a
    /// connection left.
    fn free(&self, shares: &[usize], all: &[usize]) -> Option<usize> {
        let free = (0..shares.len()).filter(|line| self.live[*line] < shares[*line]);
        free.min_by_key(|line| (self.live[*line], all[*line]))
    }
}

impl Places {
    fn new(shares: Vec<usize>) -> Self {
        let all = vec![0; shares.len()];
        Self { shares, all, ..Self::default() }
    }

    fn join(&mut self) -> u64 {
        self.managers += 1;
        self.managers
    }

    /// A line for one more exchange of that manager with that origin, and who is to try next; `None` where it has to wait for
    /// its turn, which it is woken for.
    fn take(&mut self, origin: &Origin, manager: u64) -> (Option<usize>, Option<Waker>) {
        let Self { shares, by_origin, all, wakers, .. } = self;
        let count = shares.len();
        let none = || Here { live: vec![0; count], waiting: VecDeque::new() };
        let here = by_origin.entry(origin.clone()).or_insert_with(none);
        let is_next = here.waiting.front().is_none_or(|next| *next == manager);
        let Some(line) = here.free(shares, all).filter(|_| is_next) else {
            if !here.waiting.contains(&manager) {
                here.waiting.push_back(manager);
            }
            return (None, None);
        };
        here.waiting.pop_front();
        here.live[line] += 1;
        all[line] += 1;
        let next = here.waiting.front().filter(|_| here.free(shares, all).is_some());
        (Some(line), next.and_then(|next| wakers.remove(next)))
    }

    /// Returns who is to try next.
    fn give_back(&mut self, origin: &Origin, line: usize) -> Option<Waker> {
        let here = self.by_origin.get_mut(origin)?;
        here.live[line] -= 1;
        self.all[line] -= 1;
        self.next(origin)
    }

    /// The manager does not wait for that origin any more. Returns who is to try next.
    fn forget(&mut self, origin: &Origin, manager: u64) -> Option<Waker> {
        self.by_origin.get_mut(origin)?.waiting.retain(|other| *other != manager);
        self.next(origin)
    }

    fn next(&mut self, origin: &Origin) -> Option<Waker> {
        let here = self.by_origin.get(origin)?;
        let next = here.waiting.front().filter(|_| here.free(&self.shares, &self.all).is_some());
        let waker = next.and_then(|next| self.wakers.remove(next));
        if here.waiting.is_empty() && here.live.iter().all(|count| *count == 0) {
            self.by_origin.remove(origin);
        }
        waker
    }
}

/// A manager's seats at all lines.
pub(super) struct Spread {
    kind: Arc<Kind>,
    seats: Vec<Seat>,
    manager: u64,
    /// Where exchanges take place that are not over.
    bodies: HashMap<BodyId, (usize, Origin)>,
    /// What begins exchanges for which there is no place yet, in its order.
    waiting: VecDeque<(Origin, NetAction)>,
    /// What ends exchanges.
    endings: HashMap<ActionId, BodyId>,
    /// Answers of what never came to a line.
    own: Vec<Event>,
}

impl Spread {
    pub(super) fn take(kind: &Arc<Kind>, connect_timeout: Duration) -> Result<Self, OpenError> {
        let Kind::Lines(lines) = &**kind else { unreachable!("a transport that is made by itself has no lines") };
        let seats = lines.handles.iter().map(|handle| Seat::take(kind, handle, connect_timeout));
        let seats = seats.collect::<Result<_, _>>()?;
        let manager = lock(&lines.places).join();
        let (bodies, endings) = (HashMap::new(), HashMap::new());
        Ok(Self { kind: Arc::clone(kind), seats, manager, bodies, waiting: VecDeque::new(), endings, own: Vec::new() })
    }

    fn places<T: Default>(&self, work: impl FnOnce(&mut Places) -> T) -> T {
        let Kind::Lines(lines) = &*self.kind else { return T::default() };
        work(&mut lock(&lines.places))
    }

    /// Begins an exchange if there is a place for it, and else gives it back.
    fn place(&mut self, origin: Origin, action: NetAction) -> Result<(), (Origin, NetAction)> {
        let manager = self.manager;
        let (line, next) = self.places(|places| places.take(&origin, manager));
        next.into_iter().for_each(wake);
        let Some((line, seat)) = line.and_then(|line| Some((line, self.seats.get_mut(line)?))) else {
            return Err((origin, action));
        };
        self.bodies.insert(action.body(), (line, origin));
        seat.start(action);
        Ok(())
    }

    /// Begins what there is a place for by now.
    fn place_waiting(&mut self, waker: &Waker) {
        let (manager, waker) = (self.manager, waker.clone());
        // Before it is tried, so that no place that is given back meanwhile goes unseen.
        let old = self.places(|places| places.wakers.insert(manager, waker));
        drop(old);
        let mut full: Vec<Origin> = Vec::new();
        for (origin, action) in std::mem::take(&mut self.waiting) {
            let placed = if full.contains(&origin) { Err((origin, action)) } else { self.place(origin, action) };
            if let Err((origin, action)) = placed {
                full.push(origin.clone());
                self.waiting.push_back((origin, action));
            }
        }
    }

    /// Takes an exchange back that has not begun. Its action is answered.
    fn withdraw(&mut self, is_it: impl Fn(&NetAction) -> bool) {
        let Some(at) = self.waiting.iter().position(|(_, action)| is_it(action)) else { return };
        let Some((origin, action)) = self.waiting.remove(at) else { return };
        self.own.push(Event::Completed(Completion::aborted(action.id())));
        if !self.waiting.iter().any(|(other, _)| *other == origin) {
            let manager = self.manager;
            self.places(|places| places.forget(&origin, manager)).into_iter().for_each(wake);
        }
    }

    fn over(&mut self, body: BodyId) {
        if let Some((line, origin)) = self.bodies.remove(&body) {
            self.places(|places| places.give_back(&origin, line)).into_iter().for_each(wake);
        }
    }
}

fn origin(uri: &Uri) -> Origin {
    (uri.scheme().cloned(), uri.authority().cloned())
}

impl Transport for Spread {
    fn start(&mut self, action: NetAction) {
        let body = action.body();
        if let NetOp::Fetch { request, .. } = &action.op {
            let origin = origin(request.uri());
            let is_behind = self.waiting.iter().any(|(other, _)| *other == origin);
            let placed = if is_behind { Err((origin, action)) } else { self.place(origin, action) };
            return self.waiting.extend(placed.err());
        }
        if let Some(seat) = self.bodies.get(&body).and_then(|(line, _)| self.seats.get_mut(*line)) {
            if let NetOp::DropBody { .. } = &action.op {
                self.endings.insert(action.id(), body);
            }
            return seat.start(action);
        }
        // It has not begun.
        self.withdraw(|waiting| waiting.body() == body);
        self.own.push(Event::Completed(match action.op {
            NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
            NetOp::Fetch { .. } | NetOp::ReadBody { .. } => action.fail(FaultKind::Aborted.into()),
        }));
    }

    fn abort(&mut self, target: ActionId) {
        self.withdraw(|waiting| waiting.id() == target);
        // Seldom, and to those that do not have it of no consequence.
        for seat in &mut self.seats {
            seat.abort(target);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        if !self.waiting.is_empty() {
            self.place_waiting(context.waker());
        }
        events.append(&mut self.own);
        let before = events.len();
        for seat in &mut self.seats {
            seat.poll(context, events);
        }
        if self.endings.is_empty() {
            return;
        }
        for event in events.get(before..).unwrap_or_default() {
            if let Event::Completed(completion) = event
                && let Some(body) = self.endings.remove(&completion.id())
            {
                self.over(body);
            }
        }
    }
}

impl Drop for Spread {
    fn drop(&mut self) {
        let manager = self.manager;
        for (origin, _) in std::mem::take(&mut self.waiting) {
            self.places(|places| places.forget(&origin, manager)).into_iter().for_each(wake);
        }
        for (_, (line, origin)) in std::mem::take(&mut self.bodies) {
            self.places(|places| places.give_back(&origin, line)).into_iter().for_each(wake);
        }
        drop(self.places(|places| places.wakers.remove(&manager)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(number: usize) -> Origin {
        origin(&format!("http://h{number}.example/").parse().unwrap())
    }

    #[test]
    fn shares_are_all_of_the_connections_and_no_more() {
        for (connections, lines) in [(1, 1), (6, 1), (6, 2), (6, 4), (7, 3), (3, 3)] {
            let shares = shares(connections, lines);
            assert_eq!(shares.iter().sum::<usize>(), connections);
            assert!(shares.iter().all(|share| (connections / lines..=connections.div_ceil(lines)).contains(share)));
        }
    }

    #[test]
    fn who_waits_has_whatever_place_is_free_first_and_one_after_the_other() {
        let (mut places, host) = (Places::new(shares(2, 2)), host(0));
        let (much, little) = (places.join(), places.join());
        assert_eq!(places.take(&host, much).0, Some(0));
        assert_eq!(places.take(&host, much).0, Some(1));
        for manager in [much, much, little] {
            assert_eq!(places.take(&host, manager).0, None, "all is taken");
        }
        // Whichever it is.
        places.give_back(&host, 1);
        assert_eq!(places.take(&host, little).0, None, "it is another's turn");
        assert_eq!(places.take(&host, much).0, Some(1));
        assert_eq!(places.take(&host, much).0, None);
        places.give_back(&host, 0);
        assert_eq!(places.take(&host, much).0, None, "it has had its turn");
        assert_eq!(places.take(&host, little).0, Some(0));
        // Who gives up waiting is nobody's turn.
        places.forget(&host, much);
        places.give_back(&host, 0);
        assert_eq!(places.take(&host, little).0, Some(0));
    }

    proptest! {
        /// No line ever has more than its share, nobody waits for a place while one is free and it is his turn, and in the end
        /// nothing is left.
        #[test]
        fn an_exchange_goes_where_there_is_room(
            connections in 1_usize..10,
            lines in 1_usize..5,
            steps in prop::collection::vec((0_usize..3, 1_u64..4, 0..3, any::<prop::sample::Index>()), 1..120),
        ) {
            let lines = lines.min(connections);
            let mut places = Places::new(shares(connections, lines));
            let mut live: Vec<(usize, usize)> = Vec::new();
            let mut queues = vec![Vec::<u64>::new(); 3];
            for (number, manager, step, which) in steps {
                let here = |live: &[(usize, usize)], line: usize| live.iter().filter(|one| **one == (number, line)).count();
                let queue = &mut queues[number];
                match step {
                    0 if !live.is_empty() => {
                        let (number, line) = live.swap_remove(which.index(live.len()));
                        places.give_back(&host(number), line);
                    }
                    1 => {
                        queue.retain(|other| *other != manager);
                        places.forget(&host(number), manager);
                    }
                    _ => {
                        let free = |line: &usize| here(&live, *line) < places.shares[*line];
                        let least = (0..lines).filter(free).map(|line| here(&live, line)).min();
                        let is_next = queue.first().is_none_or(|next| *next == manager);
                        let line = places.take(&host(number), manager).0;
                        prop_assert_eq!(line.map(|line| here(&live, line)), least.filter(|_| is_next));
                        match line {
                            Some(line) => {
                                live.push((number, line));
                                queue.retain(|other| *other != manager);
                            }
                            None if queue.contains(&manager) => {}
                            None => queue.push(manager),
                        }
                    }
                }
            }
            for (number, line) in live.drain(..) {
                places.give_back(&host(number), line);
            }
            for (number, manager) in (0..3).flat_map(|number| (1..4).map(move |manager| (number, manager))) {
                places.forget(&host(number), manager);
            }
            prop_assert!(places.by_origin.is_empty() && places.all.iter().all(|count| *count == 0));
        }
    }
}
