//! Runs the cases and tells the results.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::bench::{Bench, Scheme, Skipped};
use crate::subject::Subject;

/// A case that takes longer hangs: the slowest takes a few seconds.
const CASE_TIMEOUT: Duration = Duration::from_secs(120);

/// A rule, and how it is checked.
#[derive(Debug)]
pub struct Case {
    /// The case's name.
    pub name: &'static str,
    /// The rule, in a sentence.
    pub rule: &'static str,
    pub(crate) check: fn(&Bench),
}

impl Case {
    /// Runs this case alone, in a thread of its own.
    ///
    /// A panic of the transport is a failure of the case. So is a case that does not end within two minutes, whose thread
    /// is left behind.
    pub fn run(&'static self, scheme: Scheme, subject: impl Subject + 'static) -> Verdict {
        run_case(self, scheme, Arc::new(subject))
    }
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The rule holds.
    Passed,
    /// The rule does not hold, or the case did not end: what was seen.
    Failed(String),
    /// The rule has no meaning over this scheme, or cannot be tried there, for this reason.
    Skipped(&'static str),
}

/// The results of a run.
#[derive(Debug)]
pub struct Report {
    /// Each case with its result, in the order of [`cases`].
    pub results: Vec<(&'static Case, Verdict)>,
}

impl Report {
    /// Whether no case failed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The names of the cases that were skipped.
    pub fn skipped(&self) -> impl Iterator<Item = &'static str> {
        let skipped = self.results.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Skipped(_)));
        skipped.map(|(case, _)| case.name)
    }

    /// The cases that failed, each with what was seen.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Case, &str)> {
        self.results.iter().filter_map(|(case, verdict)| match verdict {
            Verdict::Failed(seen) => Some((*case, seen.as_str())),
            Verdict::Passed | Verdict::Skipped(_) => None,
        })
    }
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    crate::cases::ALL.iter().copied().flatten()
}

/// Runs all cases, each on a subject of its own, one after another: see [`Case::run`].
pub fn run<S: Subject + 'static>(scheme: Scheme, fresh: impl Fn() -> S) -> Report {
    let results = cases().map(|case| (case, case.run(scheme, fresh()))).collect();
    Report { results }
}

fn run_case(case: &'static Case, scheme: Scheme, subject: Arc<dyn Subject>) -> Verdict {
    let (sender, receiver) = mpsc::channel();
    let body = move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| (case.check)(&Bench::new(scheme, subject))));
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
        return Verdict::Skipped(reason);
    }
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    Verdict::Failed(text.unwrap_or("panicked").into())
}

/// The results of several runs side by side, one line a rule, and below what was seen of those that do not hold.
#[must_use]
pub fn table(reports: &[(&str, &Report)]) -> String {
    let rule_width = cases().map(|case| case.rule.chars().count()).max().unwrap_or_default();
    let mut text = format!("{:<rule_width$}", "rule");
    for (name, _) in reports {
        let _ = write!(text, "  {name:<12}");
    }
    text.push('\n');
    let mut notes = String::new();
    for (position, case) in cases().enumerate() {
        let _ = write!(text, "{:<rule_width$}", case.rule);
        for (name, report) in reports {
            let word = match report.results.get(position).map(|(_, verdict)| verdict) {
                Some(Verdict::Passed) => "holds",
                Some(Verdict::Failed(seen)) => {
                    let _ = writeln!(notes, "{name}: {}: {seen}", case.name);
                    "BROKEN"
                }
                Some(Verdict::Skipped(_)) => "-",
                None => "not run",
            };
            let _ = write!(text, "  {word:<12}");
        }
        text.push('\n');
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n{notes}");
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
