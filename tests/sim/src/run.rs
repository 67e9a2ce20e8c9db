//! One run, from its decisions to its end.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use dlmanager_core::testing::Planted;

use crate::decisions::{Decisions, Lists};
use crate::disk::Strike;
use crate::marks::Tally;
use crate::sim::Sim;
use crate::trace::Trace;

/// How a run is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The story is told, line by line, in [`Ended::trace`].
    pub is_told: bool,
    /// The lines are printed as they come.
    pub is_spoken: bool,
    /// What goes wrong at which action, beside what the decisions say.
    pub strikes: Vec<Strike>,
    /// A mistake that the core makes.
    pub planted: Option<Planted>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ended {
    /// What was not as it was promised.
    pub violation: Option<String>,
    /// The same for the same decisions.
    pub hash: u64,
    /// Downloads that were started, after deaths too.
    pub downloads: u64,
    /// Requests to servers.
    pub requests: u64,
    /// Actions of files and of the network.
    pub actions: u64,
    /// Those in which something could go wrong.
    pub actions_before_calm: u64,
    /// Programs and machines that died.
    pub deaths: u64,
    /// The time that passed, in nanoseconds.
    pub span: u64,
    /// What happened.
    pub tally: Tally,
    /// What was decided.
    pub decisions: Lists,
    /// The story, where it was to be told.
    pub trace: Vec<String>,
}

thread_local! {
    /// What the last panic of this thread said.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether this thread runs a world.
    static IS_RUNNING: RefCell<bool> = const { RefCell::new(false) };
}

/// Keeps what panics say within runs, which is a violation and no mess on a terminal.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if IS_RUNNING.with(|running| *running.borrow()) {
                SAID.with(|said| said.borrow_mut().get_or_insert_with(|| panic.to_string()).truncate(600));
            } else {
                before(panic);
            }
        }));
    });
}

/// Runs a world to its end, or to the first thing that is not as it was promised.
#[must_use]
pub fn run(decisions: Decisions, options: &Options) -> Ended {
    listen();
    SAID.with(|said| said.borrow_mut().take());
    IS_RUNNING.with(|running| *running.borrow_mut() = true);
    let trace = if options.is_spoken { Trace::spoken() } else { Trace::new(options.is_told) };
    let sim = Sim::new(decisions, trace, options.strikes.clone());
    sim.state().planted = options.planted;
    sim.state().root.set_deletes_locked(options.planted == Some(Planted::LockedSwept));
    let worked = catch_unwind(AssertUnwindSafe(|| sim.run()));
    let said = SAID.with(|said| said.borrow_mut().take());
    if let Some(said) = said {
        // The loop ends with a word of its own; what went wrong is what was said first.
        let mut state = sim.state();
        state.violation = None;
        state.fail(format!("a panic: {said}"));
    } else if worked.is_err() {
        sim.state().fail("a panic without a word".to_owned());
    }
    let span = sim.now();
    sim.end();
    IS_RUNNING.with(|running| *running.borrow_mut() = false);
    let mut state = sim.state();
    let state = &mut *state;
    let decisions = std::mem::replace(&mut state.decisions, Decisions::seeded(0));
    Ended {
        violation: state.violation.take(),
        hash: state.trace.hash(),
        downloads: state.downloads,
        requests: state.requests,
        actions: state.actions,
        actions_before_calm: state.actions_before_calm,
        deaths: u64::from(state.deaths),
        span,
        tally: state.tally.clone(),
        decisions: decisions.into_lists(),
        trace: state.trace.take_lines(),
    }
}
