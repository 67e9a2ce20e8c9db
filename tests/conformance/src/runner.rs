//! Runs the cases and tells the results.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::backend::Backend;
use crate::bench::{Bench, Skipped};

/// A case that takes longer hangs: the slowest takes a fraction of a second.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

/// A rule, and how it is checked.
#[derive(Debug)]
pub struct Case {
    /// The case's name.
    pub name: &'static str,
    /// The rule, in a sentence.
    pub rule: &'static str,
    pub(crate) check: fn(&Bench<'_>),
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The rule holds.
    Passed,
    /// The rule does not hold, or the case did not end: what was seen.
    Failed(String),
    /// The rule does not apply to this backend, for this reason.
    Skipped(String),
}

/// The results of a run.
#[derive(Debug)]
pub struct Report {
    /// Each case that was run with its result, in the order of [`cases`].
    pub results: Vec<(&'static Case, Verdict)>,
}

impl Report {
    /// Whether no case failed.
    pub fn is_passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The cases that failed, each with what was seen.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Case, &str)> {
        self.results.iter().filter_map(|(case, verdict)| match verdict {
            Verdict::Failed(seen) => Some((*case, seen.as_str())),
            Verdict::Passed | Verdict::Skipped(_) => None,
        })
    }

    /// The names of the cases that were skipped.
    pub fn skipped(&self) -> BTreeSet<&'static str> {
        let skipped = self.results.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Skipped(_)));
        skipped.map(|(case, _)| case.name).collect()
    }
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    crate::cases::ALL.iter().copied().flatten()
}

/// Runs all cases, each on a backend of its own and in a thread of its own, one after another.
///
/// A panic of the backend is a failure of the case. So is a case that does not end within a minute, whose thread is left
/// behind.
pub fn run<B: Backend + 'static>(fresh: impl Fn() -> B) -> Report {
    run_those(fresh, |_| true)
}

/// Runs the cases that are wanted, as [`run`] does.
pub fn run_those<B: Backend + 'static>(fresh: impl Fn() -> B, is_wanted: impl Fn(&Case) -> bool) -> Report {
    let wanted = cases().filter(|case| is_wanted(case));
    Report { results: wanted.map(|case| (case, run_case(case, fresh()))).collect() }
}

fn run_case<B: Backend + 'static>(case: &'static Case, backend: B) -> Verdict {
    let (sender, receiver) = mpsc::channel();
    let body = move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| {
            let bench = Bench::new(&backend);
            (case.check)(&bench);
            bench.end();
        }));
        // Nobody waits any more where the time is over.
        let _ = sender.send(ended.map_or_else(|payload| verdict(&*payload), |()| Verdict::Passed));
    };
    if let Err(error) = thread::Builder::new().name(case.name.into()).spawn(body) {
        return Verdict::Failed(format!("no thread: {error}"));
    }
    match receiver.recv_timeout(CASE_TIMEOUT) {
        Ok(verdict) => verdict,
        Err(RecvTimeoutError::Timeout) => Verdict::Failed(format!("did not end within {} s", CASE_TIMEOUT.as_secs())),
        Err(RecvTimeoutError::Disconnected) => Verdict::Failed("ended without a result".into()),
    }
}

fn verdict(payload: &(dyn Any + Send)) -> Verdict {
    if let Some(Skipped(reason)) = payload.downcast_ref() {
        return Verdict::Skipped((*reason).into());
    }
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    Verdict::Failed(text.unwrap_or("panicked").into())
}

/// The results of several backends side by side, one line a rule, and below what was seen of those that do not hold.
pub fn table(reports: &[(&str, &Report)]) -> String {
    let rule_width = cases().map(|case| case.rule.chars().count()).max().unwrap_or_default();
    let mut text = format!("{:<rule_width$}", "rule");
    for (name, _) in reports {
        let _ = write!(text, "  {name:<10}");
    }
    text.push('\n');
    let mut notes = String::new();
    for case in cases() {
        let _ = write!(text, "{:<rule_width$}", case.rule);
        for (name, report) in reports {
            let result = report.results.iter().find(|(run, _)| run.name == case.name);
            let (word, note) = match result.map(|(_, verdict)| verdict) {
                Some(Verdict::Passed) => ("holds", None),
                Some(Verdict::Failed(seen)) => ("BROKEN", Some(seen)),
                Some(Verdict::Skipped(reason)) => ("skipped", Some(reason)),
                None => ("not run", None),
            };
            let _ = write!(text, "  {word:<10}");
            if let Some(note) = note {
                let _ = writeln!(notes, "{name}: {}: {word}: {note}", case.name);
            }
        }
        text.push('\n');
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n{notes}");
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
