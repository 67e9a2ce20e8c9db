//! The circumstances of a random run: how the manager is set up, and how much goes wrong.

use std::time::Duration;

use dlmanager_core::{Config, Durability, LimitConfig, Pattern, Resume};

use crate::choices::Choices;

/// What a run begins with, from its first bytes.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) config: Config,
    /// The manager's seed.
    pub(crate) seed: u64,
    /// How many of 256 actions on servers, and of those on files, go wrong.
    pub(crate) net_faults: u16,
    pub(crate) file_faults: u16,
    /// Bodies are long and often cut, and little else goes wrong, so that downloads go on where they were.
    pub(crate) resumes: bool,
    /// Outputs are taken after each step, or only sometimes.
    pub(crate) drains_at_once: bool,
    /// The names that downloads may have.
    pub(crate) names: &'static [&'static str],
    /// How many files stand in the directory at first, of `names`.
    pub(crate) files_before: usize,
    /// Whether strangers put, change and remove files meanwhile.
    pub(crate) strangers: bool,
    /// Whether the directory bears the mark of being managed.
    pub(crate) is_marked: bool,
}

const NAMES: &[&str] = &["a", "b.bin", "c", "sub/d"];
const NAMES_WITH_LIMIT: &[&str] = &["a", "b", "c", "d", "e", "f"];

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Setting {
    pub(crate) fn from_choices(choices: &mut Choices<'_>) -> Self {
        let limit = choices.happens(128).then(|| LimitConfig {
            size_limit: choices.one_of(&[10, 1, 40, 100, 0]),
            file_limit: choices.one_of(&[2, 1, 3, 5, 0]),
            pattern: Pattern::new(choices.one_of(&["*", "*", "*", "[a-c]*"])),
            adopt: choices.happens(176),
            ..LimitConfig::default()
        });
        let resumes = choices.happens(150);
        let config = Config {
            jobs: choices.one_of(&[2, 1, 3, 8]),
            per_host: choices.one_of(&[1, 2, 6]),
            publishing_max: choices.one_of(&[64, 1, 2]),
            retries_max: if resumes { choices.one_of(&[5, 9]) } else { choices.one_of(&[2, 0, 1, 5]) },
            requests_max: if resumes { choices.one_of(&[100, 100, 8]) } else { choices.one_of(&[100, 1, 4]) },
            backoff_min: if resumes {
                choices.one_of(&[ms(1), Duration::ZERO])
            } else {
                choices.one_of(&[ms(500), ms(1), Duration::ZERO])
            },
            backoff_max: choices.one_of(&[ms(30_000), ms(700)]),
            retry_after_max: choices.one_of(&[ms(20_000), ms(1)]),
            stall_bytes_min: choices.one_of(&[1, 16, 1024]),
            timeout: if resumes { None } else { choices.one_of(&[None, None, Some(ms(60_000)), Some(ms(200))]) },
            redirects_max: choices.one_of(&[20, 0, 1]),
            redirect_body_bytes_max: choices.one_of(&[16, 0]),
            allow_downgrade: choices.happens(64),
            redact_queries: false,
            file_bytes_max: if resumes { None } else { choices.one_of(&[None, None, Some(60)]) },
            user_agent: "world".into(),
            gather_bytes: choices.one_of(&[16, 1, 64, 4096]),
            gather_time: choices.one_of(&[ms(200), Duration::ZERO]),
            read_bytes_max: if resumes { choices.one_of(&[7, 16, 32]) } else { choices.one_of(&[32, 1, 7, 4096]) },
            held_bytes_max: choices.one_of(&[48, 1, 17, 4096]),
            progress_interval: choices.one_of(&[Duration::ZERO, ms(100)]),
            durability: choices.one_of(&[Durability::Data, Durability::None, Durability::Full]),
            resume: choices.one_of(&[Resume::AcrossRuns, Resume::AcrossRuns, Resume::WithinRun, Resume::Never]),
            record_bytes_min: choices.one_of(&[1, 20, 20, 1 << 20]),
            checkpoint_bytes: choices.one_of(&[16, 1, 1 << 20]),
            checkpoint_time: choices.one_of(&[Duration::ZERO, ms(5_000)]),
            partial_age_max: Duration::from_secs(7 * 24 * 60 * 60),
            lock_wait: choices.one_of(&[ms(300_000), Duration::ZERO]),
            limit,
            ..Config::default()
        };
        let names = if config.limit.is_some() { NAMES_WITH_LIMIT } else { NAMES };
        // Few at once, so that each gets on.
        let names = if resumes { &names[..2] } else { names };
        let seed = u64::from(choices.byte());
        let mut config = config;
        if let Some(limit) = &mut config.limit {
            limit.holds_outcomes = seed & 1 == 1;
        }
        Self {
            seed,
            net_faults: if resumes { choices.one_of(&[50, 30, 20, 80]) } else { choices.one_of(&[0, 8, 32, 90]) },
            file_faults: if resumes { choices.one_of(&[0, 2, 0, 8]) } else { choices.one_of(&[0, 8, 32, 90]) },
            resumes,
            drains_at_once: choices.happens(150),
            files_before: if choices.happens(128) { choices.index(names.len()) } else { 0 },
            strangers: choices.happens(80),
            is_marked: choices.happens(40),
            names,
            config,
        }
    }

    /// Whether the limit, if there is one, may be enforced in this directory.
    pub(crate) const fn is_refused(&self) -> bool {
        match &self.config.limit {
            Some(limit) => !limit.adopt && !self.is_marked && self.files_before > 0,
            None => false,
        }
    }
}
