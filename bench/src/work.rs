//! The pieces of work whose instructions are counted.

use dlmanager_core::{Config, Event, Instant, Output, PersistLimit};

use crate::world::{World, limit_of, register, request};

/// A piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A chunk of 16 KiB of a body that goes on.
    Chunk,
    /// A whole download of 16 KiB, alone.
    Small,
    /// The same, among a thousand.
    SmallOfMany,
    /// An admission into a queue of 100,000.
    Admission,
    /// A file comes and one goes, of a million.
    Eviction,
    /// A tick and a poll while nothing happens, with one download under way.
    Idle,
    /// The same with a thousand under way, and 100,000 queued.
    IdleOfMany,
}

/// A piece of work, with what it begins from.
#[derive(Debug)]
pub struct Prepared {
    work: Work,
    world: World<()>,
    limit: Option<PersistLimit>,
    number: u32,
}

const QUEUED: u32 = 100_000;
const EVICTABLE: u32 = 1_000_000;
const LIVE: u32 = 1000;

impl Work {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Chunk, Self::Small, Self::SmallOfMany, Self::Admission, Self::Eviction, Self::Idle, Self::IdleOfMany];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chunk => "a chunk of a body",
            Self::Small => "a whole small download",
            Self::SmallOfMany => "a whole small download among 1000",
            Self::Admission => "an admission into a queue of 100000",
            Self::Eviction => "an eviction among 1000000",
            Self::Idle => "an idle poll",
            Self::IdleOfMany => "an idle poll with 1000 live and 100000 queued",
        }
    }

    /// How often it is done to be counted: the difference is what counts.
    #[must_use]
    pub const fn times(self) -> (u32, u32) {
        match self {
            Self::Chunk | Self::Idle | Self::IdleOfMany => (1000, 3000),
            Self::Small | Self::Admission | Self::Eviction => (500, 1500),
            Self::SmallOfMany => (2 * LIVE, 4 * LIVE),
        }
    }

    /// Gets everything ready.
    #[must_use]
    pub fn prepare(self) -> Prepared {
        let many = Config { jobs: LIVE as usize, per_host: LIVE as usize, ..Config::default() };
        let (mut world, mut limit, mut number) = (World::of_small_files(Config::default(), 16 * 1024, ()), None, 0);
        match self {
            Self::Chunk | Self::Idle => {
                world = World::of_endless_files(Config::default(), 16 * 1024, ());
                world.download(request(0));
                for _ in 0..1000 {
                    world.turn();
                }
            }
            Self::Small => {
                while number < LIVE {
                    world.download(request(number));
                    number += 1;
                    while world.turn() {}
                }
            }
            Self::SmallOfMany => {
                world = World::of_small_files(Config { publishing_max: LIVE as usize, ..many }, 16 * 1024, ());
            }
            Self::Admission => {
                while number < QUEUED {
                    world.download(request(number));
                    number += 1;
                }
            }
            Self::Eviction => {
                limit = Some(limit_of(EVICTABLE));
                number = EVICTABLE;
            }
            Self::IdleOfMany => {
                world = World::of_endless_files(many, 16 * 1024, ());
                while number < QUEUED + LIVE {
                    world.download(request(number));
                    number += 1;
                }
                for _ in 0..100 {
                    world.turn();
                }
            }
        }
        Prepared { work: self, world, limit, number }
    }
}

impl Prepared {
    /// Does it so often.
    ///
    /// # Panics
    ///
    /// The core does not do what it is expected to.
    pub fn run(&mut self, times: u32) {
        match self.work {
            Work::Chunk => {
                let until = self.world.chunks + u64::from(times);
                while self.world.chunks < until {
                    self.world.turn();
                }
            }
            Work::Small => {
                for _ in 0..times {
                    self.world.download(request(self.number));
                    self.number += 1;
                    while self.world.turn() {}
                }
                assert_eq!(self.world.complete, u64::from(self.number), "all are complete");
            }
            Work::SmallOfMany => {
                for _ in 0..times {
                    self.world.download(request(self.number));
                    self.number += 1;
                    if self.number.is_multiple_of(LIVE) {
                        while self.world.turn() {}
                    }
                }
                assert_eq!(self.world.complete, u64::from(self.number / LIVE * LIVE), "all are complete");
            }
            Work::Admission => {
                for _ in 0..times {
                    self.world.download(request(self.number));
                    self.number += 1;
                }
            }
            Work::Eviction => {
                let Some(limit) = &mut self.limit else { return };
                for _ in 0..times {
                    register(limit, self.number);
                    self.number += 1;
                    for victim in limit.victims(64, |_| false) {
                        limit.forget(&victim.path);
                    }
                    assert_eq!(limit.files(), u64::from(EVICTABLE), "one came and one went");
                }
            }
            Work::Idle | Work::IdleOfMany => {
                for _ in 0..times {
                    let manager = self.world.manager();
                    manager.handle(Instant::ZERO, Event::Tick);
                    assert!(matches!(manager.poll(), Output::Wait(_)), "nothing is to be done");
                }
            }
        }
    }

    /// How many events the core has taken in all.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.world.events
    }
}
