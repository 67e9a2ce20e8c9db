//! A file that is there is held to the checksum that is asked for; and an origin that is not there.

use dlmanager_core::{
    Algorithm, Config, Digest, Digests, DownloadError, Fault, FaultKind, FileKind, FileOp, FileStep, IfPresent, NetOp,
    Notice, Opened, Outcome, Request,
};

use crate::hand::{Asked, Hand, URL, stat, usual};

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
    let mut hand = Hand::of(Config::default(), Request::new(URL).unwrap().checksum(expected).if_present(if_present));
    let mut read = Vec::new();
    loop {
        let action = match hand.next() {
            Asked::File(action) => action,
            Asked::Net(_) => return (None, read),
            Asked::Told(Notice::Finished { outcome, .. }) => return (Some(outcome), read),
            Asked::Told(_) => continue,
            Asked::Waits(until) => panic!("{until:?}"),
        };
        hand.answer(match (action.op, there) {
            (FileOp::Stat { ticket, path }, _) => {
                ticket.done(Ok((path.as_str() == "file").then_some(stat(FileKind::Regular, LENGTH))))
            }
            (FileOp::Open { ticket, path, .. }, There::NotOpened(kind)) if path.as_str() == "file" => {
                ticket.done(Err(kind.into()))
            }
            (FileOp::Open { ticket, path, .. }, _) if path.as_str() == "file" => {
                ticket.done(Ok(Opened { created: false, length: LENGTH }))
            }
            (FileOp::Hash { ticket, from, to, algorithms, .. }, there) => {
                assert!(algorithms.contains(Algorithm::Sha256));
                read.push((from, to));
                ticket.done(match there {
                    There::NotRead(kind) => Err(kind.into()),
                    There::Is(actual) => Ok(Digests::from_iter([actual])),
                    There::NotOpened(_) | There::GoneAtLast => Ok(Digests::from_iter([expected])),
                })
            }
            (FileOp::Touch { ticket, .. }, There::GoneAtLast) => ticket.done(Err(FaultKind::NotFound.into())),
            (op, _) => usual(op),
        });
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

#[test]
fn the_reason_is_told_also_where_what_it_had_skipped_is_heard_of_first() {
    let request = Request::new(URL).unwrap().checksum(digest(Algorithm::Sha256, 1));
    let mut hand = Hand::of(Config::default(), request);
    let (mut opening, mut hashing) = (None, None);
    let outcome = loop {
        match hand.next() {
            Asked::File(action) => match action.op {
                FileOp::Stat { ticket, .. } => hand.answer(ticket.done(Ok(Some(stat(FileKind::Regular, LENGTH))))),
                FileOp::Open { ticket, .. } => opening = Some(ticket),
                FileOp::Hash { ticket, .. } => hashing = Some(ticket),
                op => hand.answer(usual(op)),
            },
            Asked::Told(Notice::Finished { outcome, .. }) => break outcome,
            Asked::Told(_) => {}
            Asked::Waits(_) => match (hashing.take(), opening.take()) {
                (Some(hashing), Some(still)) => {
                    hand.answer(hashing.done(Err(FaultKind::Skipped.into())));
                    opening = Some(still);
                }
                (None, Some(opening)) => hand.answer(opening.done(Err(FaultKind::Denied.into()))),
                (_, None) => panic!("nothing is left to be answered"),
            },
            Asked::Net(op) => panic!("{op:?}"),
        }
    };
    let expected = DownloadError::File { step: FileStep::Hash, fault: FaultKind::Denied.into() };
    assert_eq!(outcome, Outcome::Failed(expected));
}

/// The connections to one origin fail, each as it is tried, and the last file is there where `has_last`. How many were tried,
/// and how many downloads have failed.
fn refused(downloads: usize, retries_max: u32, has_last: bool) -> (usize, usize) {
    let mut hand = Hand::new(Config { retries_max, per_host: 2, ..Config::default() });
    for at in 0..downloads {
        let request = Request::new(&format!("http://example.org/{at}")).unwrap();
        hand.manager.download(hand.now, request).unwrap();
    }
    let (mut tried, mut ended) = (0, 0);
    loop {
        match hand.next() {
            Asked::File(action) => hand.answer(match action.op {
                FileOp::Stat { ticket, path } if has_last && path.as_str() == (downloads - 1).to_string() => {
                    ticket.done(Ok(Some(stat(FileKind::Regular, 7))))
                }
                op => usual(op),
            }),
            Asked::Net(NetOp::Fetch { ticket, .. }) => {
                tried += 1;
                hand.answer(ticket.done(Err(FaultKind::Connect.into())));
            }
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::Net(NetOp::ReadBody { .. }) => panic!("there is no body"),
            Asked::Told(Notice::Finished { outcome: Outcome::Present { length: 7 }, .. }) => assert!(has_last),
            Asked::Told(Notice::Finished { outcome, .. }) => {
                assert!(matches!(outcome, Outcome::Failed(DownloadError::Network(_))), "{outcome:?}");
                ended += 1;
            }
            Asked::Told(_) => {}
            Asked::Waits(None) => return (tried, ended),
            Asked::Waits(until) => panic!("{until:?}"),
        }
    }
}

#[test]
fn whoever_waits_for_an_origin_that_is_not_there_ends_with_it() {
    assert_eq!(refused(5, 0, false), (5, 5), "each tries for itself");
    let (tried, ended) = refused(60, 0, false);
    assert_eq!(ended, 60);
    // Ten failures, those that were under way by then, and the one that goes alone.
    assert!((11..=13).contains(&tried), "{tried} of 60 tried");
    // What is there needs no origin.
    assert_eq!(refused(60, 0, true).1, 59);
}
