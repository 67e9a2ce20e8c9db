//! Whose the unfinished file is: what keeps a download from taking it, and what it does then.

use dlmanager_core::{Config, DownloadError, FaultKind, FileOp, FileStep, Notice, Outcome, Request};

use crate::hand::{Asked, Hand, URL, usual};

/// A fault for each time that something is asked for, counted from 0.
type Faults = fn(usize) -> Option<FaultKind>;

/// How often the unfinished file was opened under the name's key and under a name of its own; and how it ended, `None` where
/// the server is asked.
fn claimed((open, lock): (Faults, Faults)) -> (usize, usize, Option<(FileStep, FaultKind)>) {
    let config = Config { retries_max: 0, ..Config::default() };
    let mut hand = Hand::of(config, Request::new(URL).unwrap());
    let (mut shared, mut alone, mut locked) = (0, 0, 0);
    loop {
        match hand.next() {
            Asked::File(action) => {
                let fault = match &action.op {
                    FileOp::Open { path, .. } => {
                        *(if path.as_str().split('.').count() == 3 { &mut shared } else { &mut alone }) += 1;
                        open(shared + alone - 1)
                    }
                    FileOp::Lock { .. } => {
                        locked += 1;
                        lock(locked - 1)
                    }
                    _ => None,
                };
                hand.answer(match fault {
                    Some(kind) => action.fail(kind.into()),
                    None => usual(action.op),
                });
            }
            Asked::Net(_) => return (shared, alone, None),
            Asked::Told(Notice::Finished { outcome, .. }) => {
                let Outcome::Failed(DownloadError::File { step, fault }) = outcome else { panic!("{outcome:?}") };
                return (shared, alone, Some((step, fault.kind())));
            }
            Asked::Told(_) => {}
            Asked::Waits(until) => panic!("{until:?}"),
        }
    }
}

#[test]
fn a_file_that_goes_while_it_is_locked_is_made_again_and_not_for_ever() {
    assert_eq!(claimed((|_| None, |at| (at == 0).then_some(FaultKind::Changed))), (2, 0, None));
    let always = claimed((|_| None, |_| Some(FaultKind::Changed)));
    assert_eq!(always, (CLAIMS, 0, Some((FileStep::Lock, FaultKind::Changed))));
}

#[test]
fn a_work_folder_that_goes_each_time_is_made_again_and_not_for_ever() {
    let gone = claimed((|at| (at == 0).then_some(FaultKind::NotFound), |_| None));
    assert_eq!(gone, (2, 0, None));
    let always = claimed((|_| Some(FaultKind::NotFound), |_| None));
    assert_eq!(always, (CLAIMS, 0, Some((FileStep::Create, FaultKind::NotFound))));
}

/// How often a file is opened that is another one each time it is locked.
const CLAIMS: usize = 8;

#[test]
fn where_something_else_stands_the_file_gets_a_name_of_its_own_once() {
    let tables: [(FaultKind, Faults, Faults); 2] = [
        (FaultKind::WrongType, |at| (at == 0).then_some(FaultKind::WrongType), |_| Some(FaultKind::WrongType)),
        (FaultKind::Denied, |at| (at == 0).then_some(FaultKind::Denied), |_| Some(FaultKind::Denied)),
    ];
    for (kind, first, always) in tables {
        assert_eq!(claimed((first, |_| None)), (1, 1, None), "{kind:?}");
        assert_eq!(claimed((always, |_| None)), (1, 1, Some((FileStep::Create, kind))), "{kind:?}");
    }
    let wrong = |at| (at == 0).then_some(FaultKind::WrongType);
    assert_eq!(claimed((|_| None, wrong)), (1, 1, None), "a link that took its place");
}

#[test]
fn any_other_fault_ends_the_download() {
    assert_eq!(claimed((|_| Some(FaultKind::Io), |_| None)), (1, 0, Some((FileStep::Create, FaultKind::Io))));
    assert_eq!(claimed((|_| None, |_| Some(FaultKind::Io))), (1, 0, Some((FileStep::Lock, FaultKind::Io))));
}
