//! What fails for a moment only.
//!
//! On Windows a file that somebody has open can be neither renamed nor deleted: a virus scanner, for one, has it for some
//! moments after it was written.

use std::thread;
use std::time::Duration;

use dlmanager_core::{Fault, FaultKind};

/// How often something is tried that fails for what may pass.
const ATTEMPTS: u32 = if cfg!(windows) { 5 } else { 1 };
/// How long is waited in between.
const PAUSE: Duration = Duration::from_millis(100);

/// Tries until it works, or fails for what does not pass, or has failed too often.
pub(super) fn insist<T>(attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    // Nothing tells when the other one lets go.
    tried(ATTEMPTS, || thread::sleep(PAUSE), attempt)
}

fn tried<T>(
    attempts_max: u32,
    mut pause: impl FnMut(),
    mut attempt: impl FnMut() -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut attempts = 1;
    loop {
        match attempt() {
            Err(fault) if may_pass(&fault) && attempts < attempts_max => {
                attempts += 1;
                pause();
            }
            result => return result,
        }
    }
}

fn may_pass(fault: &Fault) -> bool {
    matches!(fault.kind(), FaultKind::Denied | FaultKind::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer, how often it was tried, and how often waited.
    fn outcome(kinds: &[FaultKind]) -> (Result<(), FaultKind>, usize, usize) {
        let (mut calls, mut pauses) = (0, 0);
        let result = tried(
            5,
            || pauses += 1,
            || {
                calls += 1;
                kinds.get(calls - 1).map_or(Ok(()), |kind| Err((*kind).into()))
            },
        );
        (result.map_err(|fault| fault.kind()), calls, pauses)
    }

    #[test]
    fn what_may_pass_is_tried_five_times_and_what_does_not_once() {
        use FaultKind::{Busy, Denied, Exists, NotFound};

        assert_eq!(outcome(&[]), (Ok(()), 1, 0));
        assert_eq!(outcome(&[Denied, Busy]), (Ok(()), 3, 2));
        assert_eq!(outcome(&[Busy; 4]), (Ok(()), 5, 4));
        assert_eq!(outcome(&[Busy; 9]), (Err(Busy), 5, 4));
        assert_eq!(outcome(&[Busy, Exists]), (Err(Exists), 2, 1));
        assert_eq!(outcome(&[NotFound]), (Err(NotFound), 1, 0));
    }
}
