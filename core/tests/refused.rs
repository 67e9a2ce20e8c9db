//! A directory that is not ours: nothing in it is touched, whatever is asked.

use dlmanager_core::{
    Action, AdmitError, Config, DeleteItem, Deleted, DirectoryError, Event, FaultKind, FileKind, FileOp, FileStat,
    Gauged, Head, Instant, Lane, LimitConfig, Manager, NetOp, Notice, OpenMode, Output, Pattern, Probed, Request,
    ScanBatch, ScanEntry, Stamp, StorePath, Ticket, op,
};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

fn entry(name: &str) -> ScanEntry {
    let stamp = Stamp::default();
    let stat = FileStat { kind: FileKind::Regular, length: 10, accessed: stamp, modified: stamp };
    ScanEntry { path: StorePath::entry(name).unwrap(), stat }
}

/// Runs a manager with a limit over a directory that holds a, b and c and no mark. Returns it and what it told.
fn open(adopt: bool, done: bool) -> (Manager, Vec<Notice>) {
    let limit =
        LimitConfig { size_limit: 10, file_limit: 2, pattern: Pattern::default(), adopt, ..LimitConfig::default() };
    let mut manager = Manager::new(Config { limit: Some(limit), ..Config::default() }, 1);
    let notices = run(&mut manager, done);
    (manager, notices)
}

/// Answers what the manager asks until it waits. Panics where it deletes.
fn run(manager: &mut Manager, done: bool) -> Vec<Notice> {
    let mut notices = Vec::new();
    loop {
        manager.check_invariants();
        let completion = match manager.poll() {
            Output::Wait(_) => return notices,
            Output::Notice(notice) => {
                notices.push(notice);
                continue;
            }
            Output::Action(Action::File(action)) => match action.op {
                FileOp::Scan { ticket, .. } => {
                    let entries = ["a", "b", "c"].map(entry).into();
                    ticket.done(Ok(ScanBatch { entries, unnameable: 0, done }))
                }
                FileOp::Gauge { ticket } => ticket.done(Ok(Gauged { now: Stamp::default(), free_bytes: None })),
                // There is no mark.
                FileOp::Open { ticket, mode: OpenMode::Read, .. } => ticket.done(Err(FaultKind::NotFound.into())),
                FileOp::Read { ticket, .. } => ticket.done(Err(FaultKind::Skipped.into())),
                FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                other => panic!("a stranger's directory is not touched: {other:?}"),
            },
            Output::Action(action) => panic!("{action:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
    }
}

/// Answers what comes before the first deletion, and returns that.
fn until_deletion(manager: &mut Manager) -> (Ticket<op::Delete>, Vec<DeleteItem>) {
    let (ticket, items, _) = until_deletion_in(manager);
    (ticket, items)
}

/// The same, with its lane and its epoch there.
fn until_deletion_in(manager: &mut Manager) -> (Ticket<op::Delete>, Vec<DeleteItem>, (Lane, u32)) {
    loop {
        let Output::Action(Action::File(action)) = manager.poll() else { panic!("no deletion") };
        let completion = match action.op {
            FileOp::Scan { ticket, folder: Some(_), .. } => ticket.done(Err(FaultKind::NotFound.into())),
            FileOp::Gauge { ticket } => ticket.done(Ok(Gauged { now: Stamp::default(), free_bytes: None })),
            FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
            FileOp::Close { ticket, .. } => ticket.done(Ok(())),
            FileOp::Delete { ticket, items } => return (ticket, items, (action.lane, action.epoch)),
            other => panic!("{other:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
    }
}

#[test]
fn a_strangers_directory_is_refused_and_stays_untouched() {
    for done in [true, false] {
        let (mut manager, notices) = open(false, done);
        let Some(Notice::DirectoryRefused { error }) = notices.last() else { panic!("{notices:?}") };
        assert_eq!(*error, DirectoryError::NotOurs { example: "a".into() });

        let request = Request::new("http://example.org/new").unwrap();
        assert!(matches!(manager.download(Instant::ZERO, request), Err(AdmitError::Directory(_))));
        manager.remove_old_files(Instant::ZERO);
        let notices = run(&mut manager, done);
        assert!(matches!(notices[..], [Notice::Swept { files: 0, unmet: Some(_), .. }]), "{notices:?}");
        manager.close(Instant::ZERO);
        assert_eq!(run(&mut manager, done), []);
        assert!(manager.is_drained());
    }
}

#[test]
fn a_pass_that_is_asked_for_waits_for_the_verdict() {
    let limit = LimitConfig {
        size_limit: 10,
        file_limit: 2,
        pattern: Pattern::default(),
        adopt: false,
        ..LimitConfig::default()
    };
    let mut manager = Manager::new(Config { limit: Some(limit), ..Config::default() }, 1);
    manager.remove_old_files(Instant::ZERO);
    let notices = run(&mut manager, true);
    let [Notice::DirectoryRefused { .. }, Notice::Swept { files: 0, unmet: Some(_), .. }] = notices[..] else {
        panic!("{notices:?}")
    };
    manager.close(Instant::ZERO);
    assert_eq!(run(&mut manager, true), []);
    assert!(manager.is_drained());
}

#[test]
fn an_adopted_one_is_bounded() {
    let (mut manager, notices) = open(true, true);
    assert_eq!(notices, [Notice::DirectoryReady]);
    manager.remove_old_files(Instant::ZERO);
    let (_, items) = until_deletion(&mut manager);
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].path.as_str(), "a");
}

#[test]
fn a_name_that_is_being_evicted_is_looked_for_afterwards() {
    let (mut manager, _) = open(true, true);
    manager.remove_old_files(Instant::ZERO);
    let (ticket, _) = until_deletion(&mut manager);
    manager.download(Instant::ZERO, Request::new("http://example.org/a").unwrap()).unwrap();
    manager.check_invariants();
    assert!(matches!(manager.poll(), Output::Notice(Notice::Started { .. })));
    let Output::Wait(_) = manager.poll() else { panic!("the file that is being deleted must not be taken as present") };
    manager.handle(Instant::ZERO, Event::Completed(ticket.done(Ok(vec![Deleted::Deleted]))));
    manager.check_invariants();
    let looked = loop {
        let completion = match manager.poll() {
            Output::Action(Action::File(action)) => match action.op {
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                FileOp::Stat { path, .. } => break path,
                other => panic!("{other:?}"),
            },
            Output::Notice(_) => continue,
            output => panic!("{output:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
    };
    assert_eq!(looked.as_str(), "a");
}

#[test]
fn a_name_that_the_server_gives_while_it_is_being_evicted_is_looked_for_behind_the_deletion() {
    let (mut manager, _) = open(true, true);
    let request = Request::new("http://example.org/get?id=7").unwrap().content_disposition(true);
    manager.download(Instant::ZERO, request).unwrap();
    // The request is under way before the pass is.
    let fetch = loop {
        let completion = match manager.poll() {
            Output::Action(Action::File(action)) => match action.op {
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                other => panic!("{other:?}"),
            },
            Output::Action(Action::Net(action)) => match action.op {
                NetOp::Fetch { ticket, .. } => break ticket,
                other => panic!("{other:?}"),
            },
            Output::Notice(_) => continue,
            output => panic!("{output:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
    };
    manager.remove_old_files(Instant::ZERO);
    let (deletion, items, evictors) = until_deletion_in(&mut manager);
    assert_eq!(items[0].path.as_str(), "a");
    let mut headers = HeaderMap::new();
    headers.insert("content-disposition", HeaderValue::from_static("attachment; filename=a"));
    let head = Head { version: Version::HTTP_11, status: StatusCode::OK, headers };
    manager.handle(Instant::ZERO, Event::Completed(fetch.done(Ok(Box::new(head)))));
    manager.check_invariants();
    let look = loop {
        match manager.poll() {
            Output::Action(Action::File(action)) => match action.op {
                FileOp::Stat { ticket, path } => break (ticket, path.as_str().to_owned(), (action.lane, action.epoch)),
                other => panic!("{other:?}"),
            },
            Output::Notice(_) => {}
            output => panic!("{output:?}"),
        }
    };
    let (ticket, path, (lane, epoch)) = look;
    assert_eq!((path.as_str(), lane), ("a", evictors.0), "else it would find the file that is about to go");
    assert_ne!(epoch, evictors.1, "a deletion that fails as a whole must not have the look skipped");
    manager.handle(Instant::ZERO, Event::Completed(deletion.done(Ok(vec![Deleted::Deleted]))));
    manager.handle(Instant::ZERO, Event::Completed(ticket.done(Ok(None))));
    manager.check_invariants();
    let claims =
        |output| matches!(output, Output::Action(Action::File(action)) if matches!(action.op, FileOp::Open { .. }));
    assert!((0..20).any(|_| claims(manager.poll())), "it is fetched");
}

#[test]
fn downloads_that_wait_for_the_verdict_fail_with_it() {
    let limit = LimitConfig {
        size_limit: 10,
        file_limit: 2,
        pattern: Pattern::default(),
        adopt: false,
        ..LimitConfig::default()
    };
    let mut manager = Manager::new(Config { limit: Some(limit), ..Config::default() }, 1);
    manager.download(Instant::ZERO, Request::new("http://example.org/new").unwrap()).unwrap();
    let notices = run(&mut manager, true);
    assert!(
        matches!(notices.last(), Some(Notice::Finished { outcome: dlmanager_core::Outcome::Failed(error), .. })
            if error.kind() == "directory"),
        "{notices:?}"
    );
}
