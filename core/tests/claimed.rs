//! Whose the unfinished file is: what keeps a download from taking it, and what it does then.

use dlmanager_core::{
    Action, Config, DownloadError, Event, FaultKind, FileOp, FileStep, Instant, Manager, Notice, Opened, Outcome,
    Output, Probed, Request,
};

/// A fault for each time that something is asked for, counted from 0.
type Faults = fn(usize) -> Option<FaultKind>;

/// How often the unfinished file was opened under the name's key and under a name of its own; and how it ended, `None` where
/// the server is asked.
fn claimed((open, lock): (Faults, Faults)) -> (usize, usize, Option<(FileStep, FaultKind)>) {
    let mut manager = Manager::new(Config::default(), 1);
    manager.download(Instant::ZERO, Request::new("http://example.org/file").unwrap()).unwrap();
    let (mut shared, mut alone, mut locked) = (0, 0, 0);
    loop {
        manager.check_invariants();
        let completion = match manager.poll() {
            Output::Action(Action::File(action)) => match action.op {
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
                FileOp::Open { ticket, path, .. } => {
                    let fault = open(shared + alone);
                    *(if path.as_str().split('.').count() == 3 { &mut shared } else { &mut alone }) += 1;
                    ticket.done(fault.map_or(Ok(Opened { created: true, length: 0 }), |kind| Err(kind.into())))
                }
                // Behind a file that could not be opened.
                FileOp::Lock { ticket, .. } if open(shared + alone - 1).is_some() => {
                    ticket.done(Err(FaultKind::Skipped.into()))
                }
                FileOp::Lock { ticket, .. } => {
                    locked += 1;
                    ticket.done(lock(locked - 1).map_or(Ok(0), |kind| Err(kind.into())))
                }
                FileOp::Delete { ticket, items } => {
                    ticket.done(Ok(vec![dlmanager_core::Deleted::Deleted; items.len()]))
                }
                FileOp::SyncDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                other => panic!("{other:?}"),
            },
            Output::Action(Action::Net(_)) => return (shared, alone, None),
            Output::Notice(Notice::Finished { outcome, .. }) => {
                let Outcome::Failed(DownloadError::File { step, fault }) = outcome else { panic!("{outcome:?}") };
                return (shared, alone, Some((step, fault.kind())));
            }
            Output::Action(Action::Abort(_)) | Output::Notice(_) => continue,
            Output::Wait(wait) => panic!("{wait:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
        manager.handle(Instant::ZERO, Event::Tick);
    }
}

#[test]
fn a_file_that_goes_while_it_is_locked_is_made_again_and_not_for_ever() {
    assert_eq!(claimed((|_| None, |at| (at == 0).then_some(FaultKind::Changed))), (2, 0, None));
    let always = claimed((|_| None, |_| Some(FaultKind::Changed)));
    assert_eq!(always, (CLAIMS, 0, Some((FileStep::Lock, FaultKind::Changed))));
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
