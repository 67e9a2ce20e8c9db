//! A file that is there is held to the checksum that is asked for; and an origin that is not there.

use dlmanager_core::{
    Action, Algorithm, Config, Digest, Digests, DownloadError, Event, Fault, FaultKind, FileKind, FileOp, FileStat,
    FileStep, IfPresent, Instant, Manager, NetOp, Notice, Opened, Outcome, Output, Probed, Request, Stamp,
};

const MIB: u64 = 1 << 20;
/// More than is read at once.
const LENGTH: u64 = 40 * MIB;

fn digest(algorithm: Algorithm, byte: u8) -> Digest {
    Digest::new(algorithm, &vec![byte; algorithm.bytes()]).unwrap()
}

/// What the file that is there comes to, once all of it was read, and what can go wrong.
#[derive(Debug, Clone, Copy)]
enum There {
    Is(Digest),
    /// It cannot be opened.
    NotOpened(FaultKind),
    /// Nor read.
    NotRead(FaultKind),
    /// It is gone when it is to be stamped.
    GoneAtLast,
}

/// How a download ends for whose name there is a file, `None` where it asks the server; and up to where the file was read.
fn compared(there: There, if_present: IfPresent) -> (Option<Outcome>, Vec<(u64, u64)>) {
    let expected = digest(Algorithm::Sha256, 1);
    let mut manager = Manager::new(Config::default(), 1);
    let request = Request::new("http://example.org/file").unwrap().checksum(expected).if_present(if_present);
    manager.download(Instant::ZERO, request).unwrap();
    let mut read = Vec::new();
    loop {
        manager.check_invariants();
        let completion = match manager.poll() {
            Output::Action(Action::File(action)) => match action.op {
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                FileOp::Stat { ticket, path } => {
                    let stamp = Stamp::default();
                    let stat = FileStat { kind: FileKind::Regular, length: LENGTH, accessed: stamp, modified: stamp };
                    let is_there = path.as_str() == "file";
                    ticket.done(Ok(is_there.then_some(stat)))
                }
                FileOp::Open { ticket, path, .. } if path.as_str() == "file" => match there {
                    There::NotOpened(kind) => ticket.done(Err(kind.into())),
                    There::Is(_) | There::NotRead(_) | There::GoneAtLast => {
                        ticket.done(Ok(Opened { created: false, length: LENGTH }))
                    }
                },
                FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
                FileOp::Hash { ticket, from, to, algorithms, .. } => {
                    assert!(algorithms.contains(Algorithm::Sha256));
                    read.push((from, to));
                    // What comes to something else before its end need not in the end.
                    let actual = match there {
                        There::Is(actual) => actual,
                        There::NotOpened(_) | There::NotRead(_) | There::GoneAtLast => expected,
                    };
                    ticket.done(match there {
                        There::NotRead(kind) => Err(kind.into()),
                        There::NotOpened(_) => Err(FaultKind::Skipped.into()),
                        There::Is(_) | There::GoneAtLast => Ok(Digests::from_iter([actual])),
                    })
                }
                FileOp::Touch { ticket, .. } => match there {
                    There::GoneAtLast => ticket.done(Err(FaultKind::NotFound.into())),
                    There::Is(_) | There::NotOpened(_) | There::NotRead(_) => ticket.done(Ok(Stamp::default())),
                },
                FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
                FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                other => panic!("{other:?}"),
            },
            Output::Action(Action::Net(_)) => return (None, read),
            Output::Notice(Notice::Finished { outcome, .. }) => return (Some(outcome), read),
            Output::Action(Action::Abort(_)) | Output::Notice(_) => continue,
            Output::Wait(wait) => panic!("{wait:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
    }
}

#[test]
fn the_same_bytes_are_there_after_all_of_them_were_read() {
    for if_present in [IfPresent::Skip, IfPresent::Replace] {
        let (outcome, read) = compared(There::Is(digest(Algorithm::Sha256, 1)), if_present);
        assert_eq!(outcome, Some(Outcome::Present { length: LENGTH }), "{if_present:?}");
        assert_eq!(read, [(0, 16 * MIB), (16 * MIB, 32 * MIB), (32 * MIB, LENGTH)]);
    }
}

#[test]
fn other_bytes_are_an_error_unless_they_are_to_be_replaced() {
    let (expected, actual) = (digest(Algorithm::Sha256, 1), digest(Algorithm::Sha256, 2));
    let (outcome, _) = compared(There::Is(actual), IfPresent::Skip);
    let Some(Outcome::Failed(DownloadError::PresentMismatch { name, expected: told, actual: found })) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((name.as_str(), *told, *found), ("file", expected, actual));
    assert_eq!(compared(There::Is(actual), IfPresent::Replace).0, None, "it is fetched");
}

#[test]
fn a_backend_that_does_not_know_the_algorithm_has_not_compared_anything() {
    let (outcome, _) = compared(There::Is(digest(Algorithm::Md5, 1)), IfPresent::Skip);
    let fault = Fault::new(FaultKind::Unsupported);
    assert_eq!(outcome, Some(Outcome::Failed(DownloadError::File { step: FileStep::Hash, fault })));
}

#[test]
fn what_is_gone_is_fetched_and_what_cannot_be_read_is_an_error() {
    for there in [There::NotOpened(FaultKind::NotFound), There::NotRead(FaultKind::NotFound), There::GoneAtLast] {
        assert_eq!(compared(there, IfPresent::Skip).0, None, "{there:?}");
    }
    for there in [There::NotOpened(FaultKind::Denied), There::NotRead(FaultKind::Denied)] {
        let (outcome, _) = compared(there, IfPresent::Skip);
        let expected = DownloadError::File { step: FileStep::Hash, fault: FaultKind::Denied.into() };
        assert_eq!(outcome, Some(Outcome::Failed(expected)), "{there:?}");
    }
}

/// The connections to one origin fail, each as it is tried. How many were tried, and how many downloads have ended.
fn refused(downloads: usize, retries_max: u32) -> (usize, usize) {
    let config = Config { retries_max, per_host: 2, ..Config::default() };
    let mut manager = Manager::new(config, 1);
    for at in 0..downloads {
        manager.download(Instant::ZERO, Request::new(&format!("http://example.org/{at}")).unwrap()).unwrap();
    }
    let (mut tried, mut ended) = (0, 0);
    loop {
        manager.check_invariants();
        let completion = match manager.poll() {
            Output::Action(Action::File(action)) => match action.op {
                FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
                FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                FileOp::Stat { ticket, .. } => ticket.done(Ok(None)),
                FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
                FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
                FileOp::Delete { ticket, items } => {
                    ticket.done(Ok(vec![dlmanager_core::Deleted::Deleted; items.len()]))
                }
                FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
                FileOp::Close { ticket, .. } => ticket.done(Ok(())),
                other => panic!("{other:?}"),
            },
            Output::Action(Action::Net(action)) => match action.op {
                NetOp::Fetch { ticket, .. } => {
                    tried += 1;
                    ticket.done(Err(FaultKind::Connect.into()))
                }
                NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
                NetOp::ReadBody { .. } => panic!("there is no body"),
            },
            Output::Notice(Notice::Finished { outcome, .. }) => {
                assert!(matches!(outcome, Outcome::Failed(DownloadError::Network(_))), "{outcome:?}");
                ended += 1;
                continue;
            }
            Output::Action(Action::Abort(_)) | Output::Notice(_) => continue,
            Output::Wait(wait) if wait.until.is_none() => return (tried, ended),
            Output::Wait(wait) => panic!("{wait:?}"),
        };
        manager.handle(Instant::ZERO, Event::Completed(completion));
        manager.handle(Instant::ZERO, Event::Tick);
    }
}

#[test]
fn whoever_waits_for_an_origin_that_is_not_there_ends_with_it() {
    assert_eq!(refused(5, 0), (5, 5), "each tries for itself");
    let (tried, ended) = refused(60, 0);
    assert_eq!(ended, 60);
    // Ten failures, those that were under way by then, and the one that goes alone.
    assert!((11..=13).contains(&tried), "{tried} of 60 tried");
}
