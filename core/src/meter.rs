//! How far and how fast: what progress notices say, and when they are due.

use core::time::Duration;

use crate::{Config, Instant, Progress};

/// The speed follows changes with about this time constant.
const SMOOTHING: Duration = Duration::from_secs(2);
/// The speed is measured over at least this long.
const SAMPLE_MIN: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub(crate) struct Meter {
    interval: Duration,
    received: u64,
    total: Option<u64>,
    /// Bytes a second; `None` until the first sample.
    speed: Option<u64>,
    sampled: (Instant, u64),
    reported: (Instant, u64),
    rewinds: u32,
}

impl Meter {
    /// A meter for a body that begins now and goes on from these bytes, after so many rewinds.
    pub(crate) const fn new(config: &Config, now: Instant, received: u64, total: Option<u64>, rewinds: u32) -> Self {
        let (interval, since) = (config.progress_interval, (now, received));
        Self { interval, received, total, speed: None, sampled: since, reported: since, rewinds }
    }

    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn add(&mut self, now: Instant, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
        let span = now.since(self.sampled.0);
        if span >= SAMPLE_MIN {
            let rate = per_second(self.received - self.sampled.1, span);
            self.speed = Some(match self.speed {
                None => rate,
                Some(speed) => blend(speed, rate, span),
            });
            self.sampled = (now, self.received);
        }
    }

    /// The body is whole: its length is known now.
    pub(crate) const fn end(&mut self) {
        self.total = Some(self.received);
    }

    pub(crate) fn progress(&self) -> Progress {
        let left = self.total.map(|total| total.saturating_sub(self.received));
        let time_left = match (left, self.speed) {
            (Some(0), _) => Some(Duration::ZERO),
            (Some(left), Some(speed)) if speed > 0 => {
                let millis = u128::from(left) * 1_000 / u128::from(speed);
                Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
            }
            (Some(_) | None, _) => None,
        };
        Progress { received: self.received, total: self.total, speed: self.speed, time_left, rewinds: self.rewinds }
    }

    /// When the application is to hear of bytes that it does not know of.
    pub(crate) fn report_at(&self) -> Option<Instant> {
        (self.received != self.reported.1).then(|| self.reported.0 + self.interval)
    }

    /// The notice that is due, where one is.
    pub(crate) fn report(&mut self, now: Instant) -> Option<Progress> {
        if self.report_at()? > now {
            return None;
        }
        self.reported = (now, self.received);
        Some(self.progress())
    }
}

fn per_second(bytes: u64, span: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000_000 / span.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Moves `speed` towards `rate` by the share that `span` has of itself and the time constant.
fn blend(speed: u64, rate: u64, span: Duration) -> u64 {
    let (span, smoothing) = (span.as_nanos(), SMOOTHING.as_nanos());
    let blended = (u128::from(speed) * smoothing + u128::from(rate) * span) / (span + smoothing);
    u64::try_from(blended).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_steady_rate_is_measured_exactly_and_the_time_left_follows() {
        let mut meter = Meter::new(&Config::default(), at(0), 0, Some(1_000_000), 0);
        for step in 1..=10 {
            meter.add(at(step * 100), 10_000);
        }
        assert_eq!(meter.progress().speed, Some(100_000));
        assert_eq!(meter.progress().time_left, Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_change_of_rate_is_followed_smoothly() {
        let mut meter = Meter::new(&Config::default(), at(0), 0, None, 0);
        meter.add(at(1_000), 1_000_000);
        let mut last = 1_000_000;
        for second in 2..12 {
            meter.add(at(second * 1_000), 100_000);
            let speed = meter.progress().speed.unwrap();
            assert!(speed < last && speed > 100_000);
            last = speed;
        }
        assert!(last < 150_000, "{last}");
        assert_eq!(meter.progress().time_left, None);
    }

    #[test]
    fn reports_keep_their_distance_and_the_latest_value_follows() {
        let mut meter = Meter::new(&Config::default(), at(0), 0, Some(10), 0);
        meter.add(at(10), 1);
        assert_eq!(meter.report(at(10)), None);
        assert_eq!(meter.report_at(), Some(at(100)));
        assert_eq!(meter.report(at(100)).unwrap().received, 1);
        assert_eq!(meter.report_at(), None);
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// So long after the step before, so many bytes come.
        Add(u64, usize),
        /// So long after the step before, somebody asks whether a notice is due.
        Report(u64),
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        let nanos = || prop_oneof![0..200_000_000u64, 0..5_000_000_000u64, Just(u64::MAX / 64)];
        let bytes = prop_oneof![0..100_000_usize, any::<usize>()];
        prop_oneof![
            8 => (nanos(), bytes).prop_map(|(after, bytes)| Step::Add(after, bytes)),
            4 => nanos().prop_map(Step::Report),
            1 => Just(Step::End),
        ]
    }

    proptest! {
        /// Whatever comes whenever: the count is right, notices keep their distance and tell the latest, and the speed lies
        /// between the slowest and the fastest stretch.
        #[test]
        fn what_is_told_is_what_came(
            steps in prop::collection::vec(step(), 0..80),
            begin in 0..1_000u64,
            total in prop::option::of(any::<u64>()),
            interval in 0..1_000u64,
        ) {
            let interval = Duration::from_millis(interval);
            let config = Config { progress_interval: interval, ..Config::default() };
            let mut meter = Meter::new(&config, Instant::ZERO, begin, total, 3);
            let (mut now, mut received, mut total) = (Instant::ZERO, begin, total);
            let (mut told_at, mut told) = (now, begin);
            let (mut stretch_from, mut rates) = ((now, begin), Vec::new());
            for step in steps {
                match step {
                    Step::Add(after, bytes) => {
                        now = now + Duration::from_nanos(after);
                        received = received.saturating_add(bytes as u64);
                        meter.add(now, bytes);
                        let nanos = now.as_nanos() - stretch_from.0.as_nanos();
                        if nanos >= 100_000_000 {
                            let rate = u128::from(received - stretch_from.1) * 1_000_000_000 / u128::from(nanos);
                            rates.push(u64::try_from(rate).unwrap_or(u64::MAX));
                            stretch_from = (now, received);
                        }
                    }
                    Step::Report(after) => {
                        now = now + Duration::from_nanos(after);
                        let due = received != told && now >= told_at + interval;
                        let progress = meter.report(now);
                        prop_assert_eq!(progress.is_some(), due);
                        if let Some(progress) = progress {
                            prop_assert_eq!(progress.received, received);
                            (told_at, told) = (now, received);
                        }
                    }
                    Step::End => {
                        meter.end();
                        total = Some(received);
                    }
                }
                let progress = meter.progress();
                prop_assert_eq!((meter.received(), progress.received, progress.total), (received, received, total));
                prop_assert_eq!(progress.rewinds, 3);
                prop_assert_eq!(meter.report_at(), (received != told).then(|| told_at + interval));
                prop_assert_eq!(progress.speed.is_some(), !rates.is_empty());
                if let Some(speed) = progress.speed {
                    let (slowest, fastest) = (*rates.iter().min().unwrap(), *rates.iter().max().unwrap());
                    // Each stretch rounds down by less than one.
                    prop_assert!(speed <= fastest && speed.saturating_add(rates.len() as u64) >= slowest, "{speed}");
                }
                match (total.map(|total| total.saturating_sub(received)), progress.speed) {
                    (Some(0), _) => prop_assert_eq!(progress.time_left, Some(Duration::ZERO)),
                    (Some(left), Some(speed)) if speed > 0 => {
                        let millis = progress.time_left.unwrap().as_millis();
                        prop_assert!(millis * u128::from(speed) <= u128::from(left) * 1_000);
                        let exact = (millis + 1) * u128::from(speed) > u128::from(left) * 1_000;
                        prop_assert!(exact || millis == u128::from(u64::MAX));
                    }
                    (Some(_) | None, _) => prop_assert_eq!(progress.time_left, None),
                }
            }
        }
    }
}
