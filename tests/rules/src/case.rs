//! Rules, their cases, and how one is run.

use std::any::Any;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::bench::Bench;
use crate::cases::GROUPS;
use crate::transport::{TRANSPORTS, Transport};

/// Each wait within a case has a deadline of its own; this is for what was overlooked.
const CASE_DEADLINE: Duration = Duration::from_secs(120);

/// Rules about one matter.
#[derive(Debug)]
pub struct Group {
    /// The matter.
    pub name: &'static str,
    /// What holds.
    pub rules: &'static [Rule],
}

/// Something that always holds.
#[derive(Debug)]
pub struct Rule {
    /// What holds, in a sentence.
    pub text: &'static str,
    /// What tries it.
    pub cases: &'static [Case],
}

/// What may happen to a rule.
#[derive(Debug)]
pub struct Case {
    /// What happens, in a few words.
    pub name: &'static str,
    pub(crate) check: fn(&Bench),
}

impl Case {
    /// Runs it, on a thread of its own.
    ///
    /// # Errors
    ///
    /// What does not hold, or that it has not ended in time; then its thread is left behind.
    pub fn run(&self, transport: &'static Transport) -> Result<(), String> {
        let check = self.check;
        let (done, ended) = mpsc::channel();
        let worker = thread::Builder::new().name(self.name.into()).spawn(move || {
            check(&Bench::new(transport));
            // Nobody waits any more where the time is over.
            let _ = done.send(());
        });
        let worker = worker.map_err(|error| format!("no thread: {error}"))?;
        match ended.recv_timeout(CASE_DEADLINE) {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Timeout) => Err(format!("it has not ended within {CASE_DEADLINE:?}")),
            Err(RecvTimeoutError::Disconnected) => Err(match worker.join() {
                Ok(()) => "the thread ended without a word".into(),
                Err(panic) => message(&*panic),
            }),
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".into())
}

/// Every case on every transport, in the order of the table.
pub fn runs() -> impl Iterator<Item = (&'static Group, &'static Rule, &'static Case, &'static Transport)> {
    let rules = GROUPS.iter().flat_map(|group| group.rules.iter().map(move |rule| (*group, rule)));
    let cases = rules.flat_map(|(group, rule)| rule.cases.iter().map(move |case| (group, rule, case)));
    cases.flat_map(|(group, rule, case)| TRANSPORTS.iter().map(move |transport| (group, rule, case, transport)))
}
