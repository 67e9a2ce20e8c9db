//! Several lines, each with a thread and connections of its own: an exchange stays with the line that it began on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Duration;

use dlmanager_core::{ActionId, BodyId, Event, NetAction, NetOp};
use http::Uri;
use http::uri::{Authority, Scheme};

use super::Kind;
use super::line::{Handle, Seat};
use crate::sync::lock;
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
        let places = Places { shares: shares(connections, handles.len()), ..Places::default() };
        Self { handles, places: Mutex::new(places) }
    }
}

/// How many connections to one origin each of the lines may have, so that they have no more than that together.
pub(super) fn shares(connections: usize, lines: usize) -> Vec<usize> {
    let (each, left) = (connections / lines.max(1), connections % lines.max(1));
    (0..lines).map(|line| each + usize::from(line < left)).collect()
}

/// How many exchanges each line has, of all managers.
#[derive(Debug, Default)]
struct Places {
    shares: Vec<usize>,
    by_origin: HashMap<Origin, Vec<usize>>,
    all: Vec<usize>,
}

impl Places {
    /// The line that has most room for one more exchange with that origin, by what it may have; of several the one that
    /// is the least busy, and of those the first, as it may have a connection left.
    fn take(&mut self, origin: &Origin) -> usize {
        let count = self.shares.len();
        self.all.resize(count, 0);
        let Self { shares, by_origin, all } = self;
        let here = by_origin.entry(origin.clone()).or_insert_with(|| vec![0; count]);
        let load = |line: usize| {
            let over = (here[line] + 1).saturating_sub(shares[line]);
            (over, here[line], all[line])
        };
        let line = (0..count).min_by_key(|line| load(*line)).unwrap_or(0);
        here[line] += 1;
        all[line] += 1;
        line
    }

    fn give_back(&mut self, origin: &Origin, line: usize) {
        let Some(here) = self.by_origin.get_mut(origin) else { return };
        here[line] -= 1;
        self.all[line] -= 1;
        if here.iter().all(|count| *count == 0) {
            self.by_origin.remove(origin);
        }
    }
}

/// A manager's seats at all lines.
pub(super) struct Spread {
    kind: Arc<Kind>,
    seats: Vec<Seat>,
    /// Where exchanges take place that are not over.
    bodies: HashMap<BodyId, (usize, Origin)>,
    /// What ends them.
    endings: HashMap<ActionId, BodyId>,
}

impl Spread {
    pub(super) fn take(kind: &Arc<Kind>, connect_timeout: Duration) -> Result<Self, OpenError> {
        let Kind::Lines(lines) = &**kind else { unreachable!("a transport that is made by itself has no lines") };
        let seats = lines.handles.iter().map(|handle| Seat::take(kind, handle, connect_timeout));
        let seats = seats.collect::<Result<_, _>>()?;
        Ok(Self { kind: Arc::clone(kind), seats, bodies: HashMap::new(), endings: HashMap::new() })
    }

    fn places<T>(&self, work: impl FnOnce(&mut Places) -> T) -> Option<T> {
        let Kind::Lines(lines) = &*self.kind else { return None };
        Some(work(&mut lock(&lines.places)))
    }

    fn over(&mut self, body: BodyId) {
        if let Some((line, origin)) = self.bodies.remove(&body) {
            self.places(|places| places.give_back(&origin, line));
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
            let line = self.places(|places| places.take(&origin)).unwrap_or(0);
            self.bodies.insert(body, (line, origin));
        }
        if let NetOp::DropBody { .. } = &action.op {
            self.endings.insert(action.id(), body);
        }
        let line = self.bodies.get(&body).map_or(0, |(line, _)| *line);
        if let Some(seat) = self.seats.get_mut(line) {
            seat.start(action);
        }
    }

    fn abort(&mut self, target: ActionId) {
        // Seldom, and to those that do not have it of no consequence.
        for seat in &mut self.seats {
            seat.abort(target);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
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
        for (_, (line, origin)) in std::mem::take(&mut self.bodies) {
            self.places(|places| places.give_back(&origin, line));
        }
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

    proptest! {
        /// As long as an origin has no more exchanges than it may have connections, no line has more than its share, so that
        /// none waits on one line while another has room; and an exchange comes to a line that no other is less busy than.
        #[test]
        fn an_exchange_goes_where_there_is_room(
            connections in 1_usize..10,
            lines in 1_usize..5,
            steps in prop::collection::vec((0_usize..3, any::<bool>(), any::<prop::sample::Index>()), 1..80),
        ) {
            let lines = lines.min(connections);
            let mut places = Places { shares: shares(connections, lines), ..Places::default() };
            let mut live: Vec<(usize, usize)> = Vec::new();
            for (number, begins, which) in steps {
                let here = |live: &[(usize, usize)], line: usize| live.iter().filter(|one| **one == (number, line)).count();
                if begins && live.iter().filter(|(other, _)| *other == number).count() < connections {
                    let free = |line: &usize| here(&live, *line) < places.shares[*line];
                    let least = (0..lines).filter(free).map(|line| here(&live, line)).min();
                    let line = places.take(&host(number));
                    prop_assert_eq!(Some(here(&live, line)), least);
                    live.push((number, line));
                    prop_assert!(here(&live, line) <= places.shares[line]);
                } else if !live.is_empty() {
                    let (number, line) = live.swap_remove(which.index(live.len()));
                    places.give_back(&host(number), line);
                }
            }
            for (number, line) in live.drain(..) {
                places.give_back(&host(number), line);
            }
            prop_assert!(places.by_origin.is_empty() && places.all.iter().all(|count| *count == 0));
        }
    }
}
