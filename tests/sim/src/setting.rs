//! The settings of a run: a swarm, in which half of what can go wrong does not, and the rest at rates of its own.

use std::time::Duration;

use dlmanager_core::{Config, Durability, LimitConfig, Pattern, Resume};
use dlmanager_fs_memory::Profile;

use crate::decisions::{Decisions, Stream};
use crate::marks::Mark;

/// What can go wrong, and how often it does at most, in a million chances.
const MISHAPS: &[(Mark, u32)] = &[
    (Mark::ConnectFails, 300_000),
    (Mark::ConnectHangs, 100_000),
    (Mark::HeadHangs, 100_000),
    (Mark::ResetBeforeHead, 200_000),
    (Mark::ResetInHead, 100_000),
    (Mark::ResetInBody, 800_000),
    (Mark::Stall, 200_000),
    (Mark::Drip, 100_000),
    (Mark::Truncated, 400_000),
    (Mark::NoLength, 300_000),
    (Mark::NoEnd, 300_000),
    (Mark::CutWithoutEnd, 300_000),
    (Mark::TooLong, 100_000),
    (Mark::TwoLengths, 50_000),
    (Mark::WholeForRange, 500_000),
    (Mark::WrongPlace, 400_000),
    (Mark::Overlap, 400_000),
    (Mark::OtherVersion, 900_000),
    (Mark::NoContentRange, 300_000),
    (Mark::UnknownTotal, 300_000),
    (Mark::ShortPart, 500_000),
    (Mark::WithoutValidator, 400_000),
    (Mark::NotSatisfiable, 300_000),
    (Mark::ChangingEtag, 200_000),
    (Mark::VersionChanges, 400_000),
    (Mark::VersionReverts, 600_000),
    (Mark::Refuses, 200_000),
    (Mark::RetryAfterSeconds, 500_000),
    (Mark::RetryAfterDate, 500_000),
    (Mark::RetryAfterAbsurd, 500_000),
    (Mark::ServerError, 200_000),
    (Mark::NotThere, 50_000),
    (Mark::Redirect, 400_000),
    (Mark::RedirectLoop, 50_000),
    (Mark::RedirectBad, 50_000),
    (Mark::Coding, 200_000),
    (Mark::RightDigest, 300_000),
    (Mark::WrongDigest, 50_000),
    (Mark::LateAnswer, 500_000),
    (Mark::RepeatedAnswer, 100_000),
    (Mark::Io, 60_000),
    (Mark::NotTold, 60_000),
    (Mark::ShortWrite, 60_000),
    (Mark::NoSpace, 20_000),
    (Mark::ReadOnly, 10_000),
    (Mark::FlushFails, 200_000),
    (Mark::SlowDisk, 300_000),
    (Mark::SlowWorker, 400_000),
    (Mark::StalledDriver, 10_000),
    (Mark::ProcessDies, 40_000),
    (Mark::PowerLost, 30_000),
    (Mark::ForeignDeleted, 300_000),
    (Mark::ForeignReplaced, 200_000),
    (Mark::ForeignPut, 300_000),
    (Mark::ForeignFolder, 100_000),
    (Mark::ForeignCut, 300_000),
    (Mark::ForeignRecord, 300_000),
    (Mark::ForeignSwept, 150_000),
    (Mark::Cancel, 200_000),
    (Mark::Interrupt, 200_000),
    (Mark::Close, 50_000),
    (Mark::CloseKeeping, 100_000),
    (Mark::Replace, 600_000),
    (Mark::RightChecksum, 300_000),
    (Mark::WrongChecksum, 100_000),
    (Mark::Swept, 100_000),
];

/// The same where versions change under unfinished files and the power fails, and nothing else goes wrong: what was removed and
/// not flushed then comes back beside bytes of another version, which in all that else goes wrong is seldom seen.
const VERSIONS: &[(Mark, u32)] = &[
    (Mark::VersionChanges, 300_000),
    (Mark::VersionReverts, 600_000),
    (Mark::ResetInBody, 400_000),
    (Mark::Truncated, 100_000),
    (Mark::OtherVersion, 200_000),
    (Mark::ProcessDies, 4_000),
    (Mark::PowerLost, 12_000),
];

/// Everything that is fixed for a run.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) config: Config,
    pub(crate) profile: Profile,
    pub(crate) block_bytes: u64,
    pub(crate) managers: usize,
    pub(crate) names: usize,
    /// How many commands the users give.
    pub(crate) commands: u32,
    /// How much time passes between two of them.
    pub(crate) gaps: &'static [u64],
    /// How long what is not slow takes.
    pub(crate) latencies: &'static [u64],
    /// Lengths that files have.
    pub(crate) lengths: &'static [usize],
    /// What versions are known by.
    pub(crate) validators: &'static [Mark],
    /// How many URLs lead to a name.
    pub(crate) sources: u32,
    /// File work may run on the loop's thread.
    pub(crate) may_block: bool,
    pub(crate) locks_work: bool,
    pub(crate) knows_boot: bool,
    rates: [u32; Mark::ALL.len()],
}

const MILLIS: u64 = 1_000_000;
const SECONDS: u64 = 1_000 * MILLIS;

impl Setting {
    pub(crate) fn draw(decisions: &mut Decisions) -> Self {
        let d = &mut Draw(decisions);
        let mut rates = [0; Mark::ALL.len()];
        // A quarter of the runs is calm but for a few things, which are then seen in all their consequences.
        let is_calm = d.below(4) == 3;
        for (mark, most) in MISHAPS {
            let share = d.below(8);
            let is_off = share < 4 || (is_calm && d.below(4) < 3);
            // Log-uniform: each step is four times as often as the one before.
            rates[*mark as usize] = if is_off { 0 } else { most >> (2 * (7 - share)) };
        }
        let profile = d.one_of(&[Profile::Ext4, Profile::Posix, Profile::Tmpfs]);
        let block_bytes = d.one_of(&[64, 16, 512]);
        let size = d.below(4);
        let lengths: &[usize] = match size {
            0 => &[100, 33, 64, 1, 0, 100],
            1 => &[300, 64, 700, 100],
            2 => &[700, 300, 1500],
            _ => &[1500, 4000, 300],
        };
        let read_bytes_max = match size {
            0 => d.one_of(&[32, 16, 128]),
            1 => d.one_of(&[128, 64, 512]),
            _ => d.one_of(&[512, 200, 2048]),
        };
        let managers = d.one_of(&[1, 1, 2, 1, 3]);
        let durability = d.one_of(&[Durability::Data, Durability::Full, Durability::Data, Durability::None]);
        let resume =
            d.one_of(&[Resume::AcrossRuns, Resume::AcrossRuns, Resume::WithinRun, Resume::AcrossRuns, Resume::Never]);
        let limit = (d.below(6) == 1).then(|| LimitConfig {
            size_limit: d.one_of(&[500, 1, 3000]),
            file_limit: d.one_of(&[1, 2]),
            pattern: Pattern::new("*"),
            adopt: true,
            ..LimitConfig::default()
        });
        let config = Config {
            jobs: d.one_of(&[4, 1, 2]),
            per_host: d.one_of(&[3, 1, 2]),
            retries_max: d.one_of(&[3, 0, 1, 6]),
            requests_max: d.one_of(&[100, 12, 4]),
            record_bytes_min: d.one_of(&[1, 64, 400]),
            gather_bytes: d.one_of(&[64, 1, 256]),
            gather_time: Duration::from_millis(d.one_of(&[200, 5])),
            read_bytes_max,
            held_bytes_max: d.one_of(&[256, 64, 2048]),
            checkpoint_bytes: d.one_of(&[64, 1, 300]),
            checkpoint_time: Duration::from_millis(d.one_of(&[0, 20, 5_000])),
            stall_bytes_min: d.one_of(&[16, 1]),
            lock_wait: Duration::from_millis(d.one_of(&[300_000, 100, 5_000])),
            progress_interval: Duration::from_millis(d.one_of(&[100, 0])),
            retry_after_max: Duration::from_secs(d.one_of(&[300, 5])),
            durability,
            resume,
            limit,
            user_agent: "sim".into(),
            ..Config::default()
        };
        let mut setting = Self {
            config,
            profile,
            block_bytes,
            managers,
            names: d.one_of(&[1, 2, 1, 3]),
            commands: 3 + d.below(12),
            gaps: d.one_of(&[
                &[0, MILLIS, 20 * MILLIS, 300 * MILLIS, 2 * SECONDS],
                &[0, 40 * SECONDS, 600 * SECONDS],
                &[0],
            ]),
            latencies: d.one_of(&[&[0][..], &[0, 0, 0, MILLIS], &[0, MILLIS, 7 * MILLIS, 60 * MILLIS]]),
            lengths,
            validators: d.one_of(&[
                &[Mark::StrongEtag][..],
                &[Mark::StrongEtag, Mark::OldDate],
                &[Mark::StrongEtag, Mark::WeakEtag, Mark::NoValidator, Mark::OldDate, Mark::YoungDate],
            ]),
            sources: 1 + d.below(2),
            may_block: d.below(2) == 1,
            locks_work: d.below(8) != 7,
            knows_boot: d.below(8) != 7,
            rates,
        };
        // What is drawn last leaves runs that were written down before it as they were. Where what is unfinished gets stale soon,
        // downloads that live are patient, so that others sweep what has not been written to for long and is locked.
        if d.below(2) == 1 {
            setting.config.partial_age_max = Duration::ZERO;
            setting.config.stall_timeout = Duration::from_secs(900);
            setting.config.first_byte_timeout = Duration::from_secs(900);
        }
        if d.below(12) == 11 {
            setting.changes_versions();
        }
        setting
    }

    fn changes_versions(&mut self) {
        self.calm();
        for (mark, rate) in VERSIONS {
            self.rates[*mark as usize] = *rate;
        }
        self.profile = Profile::Posix;
        (self.knows_boot, self.locks_work, self.managers, self.sources) = (true, true, 1, 1);
        (self.validators, self.lengths) = (&[Mark::StrongEtag], &[700, 1500, 4000]);
        self.config.resume = Resume::AcrossRuns;
        self.config.durability = Durability::Data;
        self.config.limit = None;
        self.config.checkpoint_time = Duration::from_millis(20);
    }

    /// How often this goes wrong, in a million chances.
    pub(crate) const fn rate(&self, mark: Mark) -> u32 {
        self.rates[mark as usize]
    }

    /// From now on nothing goes wrong.
    pub(crate) const fn calm(&mut self) {
        self.rates = [0; Mark::ALL.len()];
    }

    /// How long it may take at most, once nothing goes wrong any more, until all is done.
    pub(crate) fn convergence(&self) -> Duration {
        let config = &self.config;
        let attempt = config.connect_timeout + config.first_byte_timeout + config.stall_timeout + config.backoff_max;
        // What is under way may run into each of its timeouts in each of its attempts; then it is asked for anew.
        let attempts = attempt * (config.retries_max + 2);
        let blocked = config.retry_after_max * 2 * (config.retries_max + 2);
        (attempts + blocked + config.lock_wait) * 3 + Duration::from_secs(600)
    }
}

/// Draws settings.
struct Draw<'a>(&'a mut Decisions);

impl Draw<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.below(Stream::Setting, bound)
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        self.0.one_of(Stream::Setting, items)
    }
}
