//! A rule and its test.

use std::time::Duration;

use crate::setting::{Backend, Setting, TRANSPORTS};
use crate::wait;

/// Each wait within a case has a deadline of its own; this is for what was overlooked.
const CASE_DEADLINE: Duration = Duration::from_secs(1200);

/// A behaviour of the Python library, as it is here.
#[derive(Debug)]
pub struct Case {
    /// Its number among the 41.
    pub number: u8,
    /// The name of its test, which begins with the number.
    pub name: &'static str,
    /// What holds here.
    pub rule: &'static str,
    /// Where it makes sense.
    pub needs: Needs,
    pub(crate) check: fn(&Setting),
}

/// In which settings a case makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// In all.
    Anything,
    /// It speaks of paths, so there has to be a real directory.
    Folder,
    /// It speaks of permissions as Unix has them.
    UnixFolder,
}

impl Case {
    /// The settings in which it makes sense on this system; none only where that is another system's matter.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let settings = Backend::ALL
            .into_iter()
            .flat_map(|backend| TRANSPORTS.iter().map(move |transport| Setting { transport, backend }));
        let folder = |setting: &Setting| setting.backend == Backend::Folder;
        settings
            .filter(|setting| match self.needs {
                Needs::Anything => true,
                Needs::Folder => folder(setting),
                Needs::UnixFolder => folder(setting) && cfg!(unix),
            })
            .collect()
    }

    /// Runs it, on a thread of its own.
    ///
    /// # Errors
    ///
    /// What does not hold, or that it has not ended in time.
    pub fn run(&self, setting: Setting) -> Result<(), String> {
        let check = self.check;
        wait::on_a_thread(CASE_DEADLINE, move || check(&setting))
    }
}
