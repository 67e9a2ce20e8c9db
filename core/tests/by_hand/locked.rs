//! A name that somebody else works on: what is known of the unfinished file counts from when its lock is held.

use bytes::Bytes;
use dlmanager_core::{
    Action, BootId, Completion, Config, Event, FaultKind, FileOp, Instant, Manager, NetOp, Notice, Opened, Outcome,
    Output, Probed, Record, Request, Stamp, Validator,
};

const BOOT: Option<BootId> = Some(BootId([1; 16]));
const URL: &str = "http://example.org/file";

fn record(total: u64) -> Bytes {
    let validator = Validator::Etag("\"b\"".into());
    Record { url: URL.into(), validator, total: Some(total), boot: BOOT, durable: 0 }.encode().unwrap()
}

/// Answers as a directory in which the unfinished file has `opened` bytes when it is opened, and `locked` once its lock is
/// held, as somebody else has written to it until then.
fn answer(op: FileOp, opened: u64, locked: u64, asked: &mut Vec<String>) -> Completion {
    match op {
        FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: BOOT, locks: true })),
        FileOp::Stat { ticket, path } => {
            let stamp = Stamp::default();
            let kind = dlmanager_core::FileKind::Regular;
            let stat = dlmanager_core::FileStat { kind, length: 90, accessed: stamp, modified: stamp };
            ticket.done(Ok(path.as_str().ends_with(".rec").then_some(stat)))
        }
        FileOp::Open { ticket, path, .. } => {
            let length = if path.as_str().ends_with(".rec") { 90 } else { opened };
            ticket.done(Ok(Opened { created: false, length }))
        }
        FileOp::Lock { ticket, .. } => ticket.done(Ok(locked)),
        FileOp::Read { ticket, .. } => ticket.done(Ok(record(1_000))),
        FileOp::Truncate { ticket, length, .. } => {
            asked.push(format!("truncate to {length}"));
            ticket.done(Ok(()))
        }
        FileOp::Delete { ticket, .. } => {
            asked.push("delete".to_owned());
            ticket.done(Ok(vec![dlmanager_core::Deleted::Deleted]))
        }
        FileOp::SyncDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Close { ticket, .. } => ticket.done(Ok(())),
        other => panic!("{other:?}"),
    }
}

/// What is asked of the directory to take bytes back, and the range that is asked of the server.
fn asked(opened: u64, locked: u64) -> (Vec<String>, Option<String>) {
    let mut manager = Manager::new(Config::default(), 1);
    manager.download(Instant::ZERO, Request::new(URL).unwrap()).unwrap();
    let mut asked = Vec::new();
    loop {
        match manager.poll() {
            Output::Action(Action::File(action)) => {
                let completion = answer(action.op, opened, locked, &mut asked);
                manager.handle(Instant::ZERO, Event::Completed(completion));
                manager.check_invariants();
            }
            Output::Action(Action::Net(action)) => {
                let NetOp::Fetch { request, .. } = action.op else { panic!("{action:?}") };
                let range = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
                return (asked, range);
            }
            Output::Action(Action::Abort(_)) | Output::Notice(_) => {}
            Output::Wait(wait) => panic!("{wait:?}"),
        }
    }
}

#[test]
fn a_record_that_cannot_be_read_is_no_broken_one() {
    let mut manager = Manager::new(Config::default(), 1);
    manager.download(Instant::ZERO, Request::new(URL).unwrap()).unwrap();
    let mut asked = Vec::new();
    let outcome = loop {
        match manager.poll() {
            Output::Action(Action::File(action)) => {
                let completion = match action.op {
                    FileOp::Read { ticket, .. } => ticket.done(Err(FaultKind::Io.into())),
                    FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                    op => answer(op, 500, 500, &mut asked),
                };
                manager.handle(Instant::ZERO, Event::Completed(completion));
                manager.check_invariants();
            }
            Output::Notice(Notice::Finished { outcome, .. }) => break outcome,
            Output::Action(Action::Abort(_)) | Output::Notice(_) => {}
            output => panic!("{output:?}"),
        }
    };
    assert!(matches!(outcome, Outcome::Failed(error) if error.kind() == "file"));
    assert_eq!(asked, [""; 0], "what an earlier run left stays for the next one");
}

#[test]
fn what_the_file_held_before_its_lock_was_ours_does_not_matter() {
    assert_eq!(asked(500, 500), (vec![], Some("bytes=500-".to_owned())));
    // Its holder went on with it, or started over, and let it go.
    assert_eq!(asked(500, 700), (vec![], Some("bytes=700-".to_owned())));
    assert_eq!(asked(700, 500), (vec![], Some("bytes=500-".to_owned())));
    assert_eq!(asked(0, 500), (vec![], Some("bytes=500-".to_owned())));
    // Its holder removed what it held.
    assert_eq!(asked(500, 0), (vec!["delete".to_owned(), "truncate to 0".to_owned()], None));
}

#[test]
fn a_record_whose_removal_is_not_flushed_when_it_is_canceled_is_flushed_before_its_file_goes() {
    let mut manager = Manager::new(Config::default(), 1);
    let Ok(admission) = manager.download(Instant::ZERO, Request::new(URL).unwrap()) else { panic!() };
    let mut asked = Vec::new();
    let mut is_canceled = false;
    loop {
        match manager.poll() {
            Output::Action(Action::File(action)) => {
                let completion = match action.op {
                    // A record that another run left may say anything, and this one is of no use.
                    FileOp::Read { ticket, .. } => ticket.done(Ok(Bytes::from_static(b"broken"))),
                    FileOp::SyncDir { ticket, .. } if !is_canceled => {
                        is_canceled = true;
                        manager.cancel(Instant::ZERO, admission.id()).unwrap();
                        Completion::aborted(ticket.id())
                    }
                    FileOp::SyncDir { ticket, .. } => {
                        asked.push("flush".to_owned());
                        ticket.done(Ok(()))
                    }
                    FileOp::Truncate { ticket, .. } => ticket.done(Err(FaultKind::Skipped.into())),
                    FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                    op => answer(op, 500, 500, &mut asked),
                };
                manager.handle(Instant::ZERO, Event::Completed(completion));
                manager.check_invariants();
            }
            Output::Notice(Notice::Finished { outcome, .. }) => break assert_eq!(outcome, Outcome::Canceled),
            Output::Action(Action::Abort(_)) | Output::Notice(_) => {}
            output => panic!("{output:?}"),
        }
    }
    assert!(is_canceled);
    assert_eq!(asked, ["delete", "flush", "delete"], "the record, for good, then the file");
}

/// What is opened and looked at while somebody else has the lock, given up as `free` says: the word of what each `Open` and
/// `Lock` is answered with, in order.
fn while_it_is_locked(answers: &[Result<(), FaultKind>]) -> Vec<String> {
    let mut manager = Manager::new(Config::default(), 1);
    let mut now = Instant::ZERO;
    manager.download(now, Request::new(URL).unwrap()).unwrap();
    let (mut told, mut answers) = (Vec::new(), answers.iter().copied());
    loop {
        match manager.poll() {
            Output::Action(Action::File(action)) => {
                let completion = match action.op {
                    FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                    FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: BOOT, locks: true })),
                    FileOp::Stat { ticket, path } => {
                        if path.as_str() == "file" {
                            told.push("looks".to_owned());
                        }
                        ticket.done(Ok(None))
                    }
                    FileOp::Open { ticket, mode, .. } => {
                        told.push(format!("{mode:?}"));
                        let Some(answer) = answers.next() else { return told };
                        ticket.done(answer.map(|()| Opened { created: false, length: 0 }).map_err(Into::into))
                    }
                    FileOp::Lock { ticket, .. } => {
                        let Some(answer) = answers.next() else { return told };
                        told.push(format!("{answer:?}"));
                        ticket.done(answer.map(|()| 0).map_err(Into::into))
                    }
                    FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                    FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                    other => panic!("{other:?}"),
                };
                manager.handle(now, Event::Completed(completion));
                manager.check_invariants();
            }
            Output::Wait(wait) => {
                now = wait.until.unwrap();
                manager.handle(now, Event::Tick);
            }
            Output::Action(Action::Net(action)) => panic!("{action:?}"),
            Output::Action(Action::Abort(_)) | Output::Notice(_) => {}
        }
    }
}

#[test]
fn who_waits_for_a_lock_does_not_open_the_file_for_writing_until_it_is_free() {
    let busy = Err(FaultKind::Busy);
    let told = while_it_is_locked(&[Ok(()), busy, Ok(()), busy, Ok(()), Ok(())]);
    let first = ["looks", "CreateOrExisting", "Err(Busy)", "looks"];
    let second = ["looks", "Read", "Err(Busy)", "looks"];
    let third = ["looks", "Read", "Ok(())", "looks"];
    assert_eq!(told, [&first[..], &second, &third, &["CreateOrExisting"]].concat());

    // Published or removed: the name is looked at before another one is made.
    let told = while_it_is_locked(&[Ok(()), busy, Err(FaultKind::NotFound), Err(FaultKind::Skipped)]);
    assert_eq!(told[4..], ["looks", "Read", "Err(Skipped)", "looks", "looks", "CreateOrExisting"]);
}

#[test]
fn where_locks_stop_working_the_file_is_fetched_under_a_name_of_its_own_without_one() {
    let mut manager = Manager::new(Config::default(), 1);
    manager.download(Instant::ZERO, Request::new(URL).unwrap()).unwrap();
    let mut told = Vec::new();
    loop {
        match manager.poll() {
            Output::Action(Action::File(action)) => {
                let completion = match action.op {
                    FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                    FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: BOOT, locks: true })),
                    FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
                    FileOp::Open { ticket, mode, path, .. } => {
                        told.push(format!("{mode:?} of {} parts", path.as_str().split('.').count()));
                        ticket.done(Ok(Opened { created: true, length: 0 }))
                    }
                    FileOp::Lock { ticket, .. } => {
                        told.push("lock".to_owned());
                        ticket.done(Err(FaultKind::Unsupported.into()))
                    }
                    FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                    FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                    other => panic!("{other:?}"),
                };
                manager.handle(Instant::ZERO, Event::Completed(completion));
                manager.check_invariants();
            }
            Output::Action(Action::Net(_)) => break,
            Output::Action(Action::Abort(_)) | Output::Notice(_) => {}
            Output::Wait(wait) => panic!("{wait:?} {told:?}"),
        }
    }
    assert_eq!(told, ["CreateOrExisting of 3 parts", "lock", "CreateNew of 4 parts"]);
}
