//! A whole walk through a download's life, each output looked at: the order of actions is part of the contract.

use bytes::Bytes;
use dlmanager_core::{
    Action, Admission, Chunk, Config, Event, FileKind, FileOp, FileStat, Head, Instant, Manager, NetOp, Notice, Opened,
    Outcome, Output, Probed, Request, Stamp, WakeReason,
};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

/// The outputs up to the wait.
fn drain(manager: &mut Manager) -> Vec<Output> {
    manager.check_invariants();
    let mut outputs = Vec::new();
    loop {
        match manager.poll() {
            Output::Wait(_) => return outputs,
            output => outputs.push(output),
        }
    }
}

fn name(output: &Output) -> &'static str {
    match output {
        Output::Action(Action::Net(action)) => match action.op {
            NetOp::Fetch { .. } => "Fetch",
            NetOp::ReadBody { .. } => "ReadBody",
            NetOp::DropBody { .. } => "DropBody",
        },
        Output::Action(Action::File(action)) => match action.op {
            FileOp::Probe { .. } => "Probe",
            FileOp::Gauge { .. } => "Gauge",
            FileOp::MakeDir { .. } => "MakeDir",
            FileOp::Scan { .. } => "Scan",
            FileOp::Stat { .. } => "Stat",
            FileOp::Open { .. } => "Open",
            FileOp::Read { .. } => "Read",
            FileOp::Write { .. } => "Write",
            FileOp::Truncate { .. } => "Truncate",
            FileOp::SetTimes { .. } => "SetTimes",
            FileOp::Hash { .. } => "Hash",
            FileOp::KeepDigests { .. } => "KeepDigests",
            FileOp::Sync { .. } => "Sync",
            FileOp::Finish { .. } => "Finish",
            FileOp::Rename { .. } => "Rename",
            FileOp::SyncDir { .. } => "SyncDir",
            FileOp::Delete { .. } => "Delete",
            FileOp::Touch { .. } => "Touch",
            FileOp::Lock { .. } => "Lock",
            FileOp::Unlock { .. } => "Unlock",
            FileOp::Close { .. } => "Close",
        },
        Output::Action(Action::Abort(_)) => "Abort",
        Output::Notice(Notice::Started { .. }) => "Started",
        Output::Notice(Notice::Progress { .. }) => "Progress",
        Output::Notice(Notice::Finished { .. }) => "Finished",
        Output::Notice(_) => "Notice",
        Output::Wait(_) => "Wait",
    }
}

fn names(outputs: &[Output]) -> Vec<&'static str> {
    outputs.iter().map(name).collect()
}

/// Answers a file action that has nothing to tell.
fn succeed(manager: &mut Manager, output: Output) {
    let Output::Action(Action::File(action)) = output else { panic!("{output:?}") };
    let completion = match action.op {
        FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
        FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
        FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
        FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
        FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
        FileOp::Write { ticket, data, .. } => ticket.done(Ok(data)),
        FileOp::Sync { ticket, .. } => ticket.done(Ok(())),
        FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
        FileOp::Rename { ticket, .. } => ticket.done(Ok(())),
        FileOp::Close { ticket, .. } => ticket.done(Ok(())),
        FileOp::Touch { ticket, .. } => ticket.done(Ok(Stamp::from_nanos(7))),
        other => panic!("not expected: {other:?}"),
    };
    manager.handle(Instant::ZERO, Event::Completed(completion));
}

#[test]
fn a_small_file_costs_one_batch_of_file_actions_before_its_body_and_two_behind_it() {
    let mut manager = Manager::new(Config::default(), 1);
    let request = Request::new("http://example.org/file").unwrap();
    let Ok(Admission::Started(id)) = manager.download(Instant::ZERO, request.clone()) else { panic!() };
    assert_eq!(manager.download(Instant::ZERO, request), Ok(Admission::Joined(id)));

    let outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Started", "MakeDir", "Probe"], "once for each manager");
    outputs.into_iter().skip(1).for_each(|output| succeed(&mut manager, output));
    let outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Stat"]);
    outputs.into_iter().for_each(|output| succeed(&mut manager, output));
    let outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Open", "Lock", "Stat", "Stat"]);
    outputs.into_iter().for_each(|output| succeed(&mut manager, output));

    let mut outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Fetch"]);
    let Output::Action(Action::Net(action)) = outputs.remove(0) else { panic!() };
    let NetOp::Fetch { ticket, request, .. } = action.op else { panic!() };
    assert_eq!(request.uri(), "http://example.org/file");
    assert_eq!(request.headers()["accept-encoding"], "identity");
    assert_eq!(request.headers()["host"], "example.org");
    manager.handle(Instant::ZERO, Event::Connected(ticket.id()));
    let mut headers = HeaderMap::new();
    headers.insert("content-length", HeaderValue::from_static("3"));
    let head = Head { version: Version::HTTP_11, status: StatusCode::OK, headers };
    manager.handle(Instant::ZERO, Event::Completed(ticket.done(Ok(Box::new(head)))));

    let mut outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Progress", "ReadBody"]);
    let Output::Action(Action::Net(action)) = outputs.remove(1) else { panic!() };
    let NetOp::ReadBody { ticket, .. } = action.op else { panic!() };
    let chunk = Chunk { data: Bytes::from_static(b"abc"), pinned: 3, last: true };
    manager.handle(Instant::ZERO, Event::Completed(ticket.done(Ok(chunk))));

    let outputs = drain(&mut manager);
    let publish = ["Write", "Sync", "Finish", "Rename"];
    assert_eq!(names(&outputs)[..2], ["DropBody", "Progress"]);
    assert_eq!(names(&outputs)[2..], publish);
    assert!(manager.cancel(Instant::ZERO, id).is_err(), "issuing the rename is the commit point");
    for output in outputs.into_iter().rev() {
        match output {
            Output::Action(Action::Net(action)) => {
                let NetOp::DropBody { ticket, .. } = action.op else { panic!() };
                manager.handle(Instant::ZERO, Event::Completed(ticket.done(Ok(()))));
            }
            Output::Action(_) => succeed(&mut manager, output),
            Output::Notice(Notice::Progress { progress, .. }) => {
                assert_eq!((progress.received, progress.total), (3, Some(3)));
            }
            Output::Notice(_) | Output::Wait(_) => panic!(),
        }
        manager.check_invariants();
    }
    let outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Unlock", "Close"], "the lock is held until the file has its name");
    outputs.into_iter().for_each(|output| succeed(&mut manager, output));
    let outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Finished"]);
    let Output::Notice(Notice::Finished { outcome: Outcome::Complete(complete), .. }) = &outputs[0] else { panic!() };
    assert_eq!((complete.length, complete.requests, complete.length_unverified), (3, 1, false));
    let Output::Wait(wait) = manager.poll() else { panic!() };
    assert_eq!((wait.until, wait.why), (None, WakeReason::Command));
}

#[test]
fn a_file_that_is_there_is_touched_and_nothing_is_fetched() {
    let mut manager = Manager::new(Config::default(), 1);
    let request = Request::new("http://example.org/file").unwrap();
    assert!(manager.download(Instant::ZERO, request).is_ok());
    drain(&mut manager).into_iter().skip(1).for_each(|output| succeed(&mut manager, output));
    let mut outputs = drain(&mut manager);
    let Output::Action(Action::File(action)) = outputs.remove(0) else { panic!() };
    let FileOp::Stat { ticket, .. } = action.op else { panic!() };
    let stamp = Stamp::default();
    let stat = FileStat { kind: FileKind::Regular, length: 9, accessed: stamp, modified: stamp };
    manager.handle(Instant::ZERO, Event::Completed(ticket.done(Ok(Some(stat)))));
    let mut outputs = drain(&mut manager);
    assert_eq!(names(&outputs), ["Touch"]);
    succeed(&mut manager, outputs.remove(0));
    let outputs = drain(&mut manager);
    let Output::Notice(Notice::Finished { outcome, .. }) = &outputs[0] else { panic!() };
    assert_eq!(*outcome, Outcome::Present { length: 9 });
}
