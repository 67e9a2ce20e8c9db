//! Many runs, one after the other.

use std::fmt;
use std::time::{Duration, Instant};

use dlmanager_core::Config;
use dlmanager_core::testing::{Planted, plant};

use crate::decisions::Decisions;
use crate::marks::Tally;
use crate::run::{Ended, Options, run};

/// What came of many runs.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// How many there were.
    pub runs: u64,
    /// Downloads that were started.
    pub downloads: u64,
    /// Requests to servers.
    pub requests: u64,
    /// Programs and machines that died.
    pub deaths: u64,
    /// Runs that were run twice, and were the same.
    pub compared: u64,
    /// The time on a core that it took.
    pub span: Duration,
    /// What happened.
    pub tally: Tally,
    /// The seeds of the runs that were not as they should be, and what was not.
    pub violations: Vec<(u64, String)>,
}

impl Batch {
    /// Runs the seeds from `first` on, one in `compared` of them twice, which have to be the same; 0 compares none.
    /// `each` is told of each run that is over, and says whether to go on.
    pub fn run(first: u64, runs: u64, compared: u64, mut each: impl FnMut(&Self) -> bool) -> Self {
        let mut batch = Self::default();
        let clock = CoreClock::start();
        for seed in first..first.saturating_add(runs) {
            let mut ended = run(Decisions::seeded(seed), &Options::default());
            if compared > 0 && seed % compared == 0 {
                batch.compare(&mut ended);
            }
            batch.add(seed, ended);
            if batch.runs % 256 == 0 || batch.runs == runs {
                batch.span = clock.elapsed();
            }
            if !each(&batch) {
                batch.span = clock.elapsed();
                break;
            }
        }
        batch
    }

    /// The same decisions, read from a list now, have to lead to the same.
    fn compare(&mut self, ended: &mut Ended) {
        let again = run(Decisions::replayed(ended.decisions.clone()), &Options::default());
        self.compared += 1;
        if (again.hash, &again.violation) != (ended.hash, &ended.violation) && ended.violation.is_none() {
            ended.violation = Some(format!("run twice, and not the same: {:x} and {:x}", ended.hash, again.hash));
        }
    }

    fn add(&mut self, seed: u64, ended: Ended) {
        self.runs += 1;
        self.downloads += ended.downloads;
        self.requests += ended.requests;
        self.deaths += ended.deaths;
        self.tally.add(&ended.tally);
        self.violations.extend(ended.violation.map(|text| (seed, text)));
    }

    /// Downloads a second, on one core.
    #[must_use]
    pub fn speed(&self) -> f64 {
        // Far below 2^52.
        self.downloads as f64 / self.span.as_secs_f64().max(f64::EPSILON)
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} downloads in {} runs, {} crashes, {} faults, {} requests, {:.0} downloads per second and core, {} violations",
            self.downloads,
            self.runs,
            self.deaths,
            self.tally.faults(),
            self.requests,
            self.speed(),
            self.violations.len()
        )
    }
}

/// The time that this thread has had a core: a machine that does other things as well has no part in it.
struct CoreClock {
    real: Instant,
    on_core: Option<Duration>,
}

impl CoreClock {
    fn start() -> Self {
        Self { real: Instant::now(), on_core: Self::on_core() }
    }

    fn elapsed(&self) -> Duration {
        match (self.on_core, Self::on_core()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            (_, _) => self.real.elapsed(),
        }
    }

    /// As Linux tells it, in nanoseconds.
    fn on_core() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }
}

/// Looks for a planted mistake among the seeds from 0 on, up to so many runs. The seed that shows it, and how.
///
/// # Panics
///
/// Where the core was built without its mistakes.
#[must_use]
pub fn find(planted: Planted, runs: u64) -> Option<(u64, String)> {
    assert!(plant(&mut Config::default(), planted), "the core was built without its mistakes");
    let options = Options { planted: Some(planted), ..Options::default() };
    // What is found without the mistake as well is not its doing.
    let is_well = |seed| run(Decisions::seeded(seed), &Options::default()).violation.is_none();
    let found = |seed| run(Decisions::seeded(seed), &options).violation.map(|text| (seed, text));
    (0..runs).find_map(|seed| found(seed).filter(|_| is_well(seed)))
}
