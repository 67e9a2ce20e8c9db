//! A rename whose answer leaves open what happened: two looks decide whether the file has its name.

use dlmanager_core::{
    Algorithm, Completion, Config, Digest, Digests, DownloadError, Durability, Event, Fault, FaultKind, FileAction,
    FileKind, FileOp, FileStat, IfPresent, NetOp, Notice, Opened, Outcome, Published, Request,
};

use crate::hand::{Asked, Hand, URL, chunk, head, stat, usual};

/// What a look at a name finds.
type Look = Result<Option<FileStat>, FaultKind>;

const NOTHING: Look = Ok(None);
const FAULT: Look = Err(FaultKind::Io);

fn there(kind: FileKind, length: u64) -> Look {
    Ok(Some(stat(kind, length)))
}

/// Fetches three bytes. Each rename is answered by the next of `renames`, no answer being a lost one, and from then on a look
/// at the name finds `named` and one at the unfinished file `unfinished`. How it ended, and how often it was renamed.
fn fetched(
    renames: &[Option<FaultKind>],
    (named, unfinished): (&Look, &Look),
    if_present: IfPresent,
) -> (Outcome, usize) {
    let mut hand = Hand::of(Config::default(), Request::new(URL).unwrap().if_present(if_present));
    let mut renamed = 0;
    loop {
        match hand.next() {
            Asked::Net(NetOp::Fetch { ticket, .. }) => {
                hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                hand.answer(ticket.done(Ok(head(200, &[("content-length", "3")]))));
            }
            Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(3, true)))),
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::File(action) => hand.answer(match action.op {
                FileOp::Stat { ticket, path } if renamed > 0 => {
                    let look = if path.as_str().ends_with(".part") { unfinished } else { named };
                    ticket.done(look.map_err(Fault::from))
                }
                FileOp::Rename { ticket, .. } => {
                    renamed += 1;
                    match renames[(renamed - 1).min(renames.len() - 1)] {
                        Some(kind) => ticket.done(Err(kind.into())),
                        None => Completion::aborted(ticket.id()),
                    }
                }
                op => usual(op),
            }),
            Asked::Told(Notice::Finished { outcome, .. }) => return (outcome, renamed),
            Asked::Told(_) => {}
            Asked::Waits(until) => hand.pass(until),
        }
    }
}

/// Whether it has its name, as the outcome tells.
#[track_caller]
fn told(outcome: &Outcome) -> Published {
    match outcome {
        Outcome::Complete(complete) => {
            assert_eq!(complete.length, 3);
            Published::Yes
        }
        Outcome::Failed(DownloadError::Publish { published, .. }) => *published,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_looks_decide_whether_the_file_has_its_name() {
    use FileKind::{Folder, Regular};
    use Published::{No, Unknown, Yes};
    let (ours, longer, folder) = (&there(Regular, 3), &there(Regular, 4), &there(Folder, 3));
    let (failed, lost) = (Some(FaultKind::Io), None);
    for (rename, named, unfinished, expected) in [
        // One has the name that can be ours, and the unfinished one is gone: it was done.
        (failed, ours, &NOTHING, Yes),
        (lost, ours, &NOTHING, Yes),
        // One has the name that cannot.
        (failed, longer, &NOTHING, No),
        (failed, folder, &NOTHING, No),
        (lost, longer, &NOTHING, No),
        // The unfinished one is there: it was not done ...
        (failed, &NOTHING, ours, No),
        (lost, &NOTHING, ours, No),
        (failed, longer, ours, No),
        (failed, folder, ours, No),
        (failed, &FAULT, ours, No),
        // ... but where a rename is a link and an unlink, the first of which may have been.
        (failed, ours, ours, Unknown),
        (lost, ours, ours, Unknown),
        // Both are gone: a failure says that it was not done, a lost answer says nothing.
        (failed, &NOTHING, &NOTHING, No),
        (lost, &NOTHING, &NOTHING, Unknown),
        // What could not be looked at.
        (failed, ours, &FAULT, Unknown),
        (failed, &FAULT, &NOTHING, Unknown),
        (lost, &FAULT, &FAULT, Unknown),
    ] {
        let (outcome, renamed) = fetched(&[rename], (named, unfinished), IfPresent::Skip);
        assert_eq!((told(&outcome), renamed), (expected, 1), "{rename:?} {named:?} {unfinished:?}");
    }
    // Who replaces what has the name does so in one step.
    let (outcome, _) = fetched(&[failed], (ours, ours), IfPresent::Replace);
    assert_eq!(told(&outcome), No);
}

#[test]
fn a_name_that_is_taken_for_a_moment_is_tried_again_and_not_for_ever() {
    let (outcome, renamed) = fetched(&[Some(FaultKind::Exists)], (&NOTHING, &NOTHING), IfPresent::Skip);
    let Outcome::Failed(DownloadError::Publish { fault, published: Published::No }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(fault.kind(), FaultKind::Exists);
    assert_eq!(renamed, RENAMES, "each was answered that the name is taken, and each look that it is free");
}

/// How often a name is tried that is taken whenever it is asked for, and free whenever it is looked at.
const RENAMES: usize = 9;

#[test]
fn a_name_that_somebody_else_has_given_meanwhile_is_there() {
    let (outcome, renamed) =
        fetched(&[Some(FaultKind::Exists)], (&there(FileKind::Regular, 7), &NOTHING), IfPresent::Skip);
    assert_eq!((outcome, renamed), (Outcome::Present { length: 7 }, 1));
    let (outcome, _) = fetched(&[Some(FaultKind::Exists)], (&there(FileKind::Folder, 7), &NOTHING), IfPresent::Skip);
    assert!(matches!(outcome, Outcome::Failed(DownloadError::NotAFile { kind: FileKind::Folder, .. })), "{outcome:?}");
}

#[test]
fn who_finds_the_unfinished_file_gone_does_not_take_what_has_the_name_for_his_own() {
    let gone = &[Some(FaultKind::NotFound)];
    let ours = &there(FileKind::Regular, 3);
    for if_present in [IfPresent::Skip, IfPresent::Replace] {
        let (outcome, renamed) = fetched(gone, (ours, &NOTHING), if_present);
        assert_eq!((told(&outcome), renamed), (Published::Unknown, 1), "another file may be as long");
    }
}

/// Fetches three bytes of a checksum while somebody else gives the name to a file that comes to `theirs`, `None` where that is
/// gone again when it is to be opened. How it ended, and how many requests there were.
fn taken(theirs: Option<Digest>, requests_max: u32) -> (Outcome, u32) {
    let ours = digest(1);
    let config = Config { requests_max, ..Config::default() };
    let mut hand = Hand::of(config, Request::new(URL).unwrap().checksum(ours));
    let (mut is_taken, mut is_read, mut requests) = (false, false, 0);
    loop {
        match hand.next() {
            Asked::Net(NetOp::Fetch { ticket, .. }) => {
                requests += 1;
                hand.manager.handle(hand.now, Event::Connected(ticket.id()));
                hand.answer(ticket.done(Ok(head(200, &[("content-length", "3")]))));
            }
            Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(3, true)))),
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::File(action) => hand.answer(match action.op {
                FileOp::Rename { ticket, .. } if !is_taken => {
                    is_taken = true;
                    ticket.done(Err(FaultKind::Exists.into()))
                }
                FileOp::Stat { ticket, path } if is_taken && path.as_str() == "file" => {
                    ticket.done(Ok((!is_read).then_some(stat(FileKind::Regular, 3))))
                }
                FileOp::Open { ticket, path, .. } if path.as_str() == "file" => {
                    is_read = true;
                    match theirs {
                        Some(_) => ticket.done(Ok(Opened { created: false, length: 3 })),
                        None => ticket.done(Err(FaultKind::NotFound.into())),
                    }
                }
                FileOp::Hash { ticket, .. } => {
                    ticket.done(Ok(Digests::from_iter([theirs.filter(|_| is_read).unwrap_or(ours)])))
                }
                op => usual(op),
            }),
            Asked::Told(Notice::Finished { outcome, .. }) => return (outcome, requests),
            Asked::Told(_) => {}
            Asked::Waits(until) => hand.pass(until),
        }
    }
}

fn digest(byte: u8) -> Digest {
    Digest::new(Algorithm::Sha256, &[byte; 32]).unwrap()
}

#[test]
fn what_somebody_else_has_given_the_name_is_held_to_the_checksum() {
    assert_eq!(taken(Some(digest(1)), 9), (Outcome::Present { length: 3 }, 1));
    let (outcome, _) = taken(Some(digest(2)), 9);
    assert!(matches!(outcome, Outcome::Failed(DownloadError::PresentMismatch { .. })), "{outcome:?}");
    // It is gone again: the file is fetched once more, where that is allowed.
    let (outcome, requests) = taken(None, 9);
    assert!(matches!(outcome, Outcome::Complete(_)), "{outcome:?}");
    assert_eq!(requests, 2);
    let (outcome, _) = taken(None, 1);
    let Outcome::Failed(DownloadError::TooManyRequests { requests_max: 1, cause }) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(matches!(*cause, DownloadError::Publish { published: Published::No, .. }), "{cause:?}");
}

/// How a file of three bytes ends whose file operations are answered so.
fn ends(config: Config, mut answer: impl FnMut(FileOp) -> Completion) -> Outcome {
    let mut hand = Hand::of(config, Request::new(URL).unwrap());
    loop {
        match hand.next() {
            Asked::Net(NetOp::Fetch { ticket, .. }) => {
                hand.answer(ticket.done(Ok(head(200, &[("content-length", "3")]))));
            }
            Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(3, true)))),
            Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
            Asked::File(action) => hand.answer(answer(action.op)),
            Asked::Told(Notice::Finished { outcome, .. }) => return outcome,
            Asked::Told(_) => {}
            Asked::Waits(until) => hand.pass(until),
        }
    }
}

#[test]
fn a_name_that_is_free_again_when_its_file_is_to_be_stamped_is_taken_after_all() {
    let mut renamed = 0;
    let outcome = ends(Config::default(), |op| match op {
        FileOp::Rename { ticket, .. } => {
            renamed += 1;
            ticket.done(if renamed == 1 { Err(FaultKind::Exists.into()) } else { Ok(()) })
        }
        FileOp::Stat { ticket, .. } if renamed == 1 => ticket.done(Ok(Some(stat(FileKind::Regular, 7)))),
        FileOp::Touch { ticket, .. } => ticket.done(Err(FaultKind::NotFound.into())),
        op => usual(op),
    });
    assert!(matches!(outcome, Outcome::Complete(_)), "{outcome:?}");
    assert_eq!(renamed, 2);
}

#[test]
fn what_has_its_name_after_all_is_flushed_there_before_it_is_told() {
    for fails in [false, true] {
        let config = Config { durability: Durability::Full, ..Config::default() };
        let (mut is_renamed, mut flushed) = (false, 0);
        let outcome = ends(config, |op| match op {
            FileOp::Rename { ticket, .. } => {
                is_renamed = true;
                Completion::aborted(ticket.id())
            }
            FileOp::Stat { ticket, path } if is_renamed && path.as_str() == "file" => {
                ticket.done(Ok(Some(stat(FileKind::Regular, 3))))
            }
            FileOp::SyncDir { ticket, .. } if is_renamed => {
                flushed += 1;
                ticket.done(if fails { Err(FaultKind::Io.into()) } else { Ok(()) })
            }
            op => usual(op),
        });
        assert_eq!(flushed, 1);
        assert_eq!(matches!(outcome, Outcome::Failed(_)), fails, "{outcome:?}");
        assert_eq!(told(&outcome), Published::Yes);
    }
}

#[test]
fn a_file_that_replaces_another_waits_while_somebody_evicts() {
    for (busy, is_named) in [(8, true), (9, false)] {
        let request = Request::new(URL).unwrap().if_present(IfPresent::Replace);
        let mut hand = Hand::of(Config::default(), request);
        let (mut renames, mut requests) = (0, 0);
        let outcome = loop {
            match hand.next() {
                Asked::File(action) if matches!(action.op, FileOp::Rename { .. }) => {
                    renames += 1;
                    let is_busy = renames <= busy;
                    hand.answer(if is_busy { action.fail(FaultKind::Busy.into()) } else { usual(action.op) });
                }
                Asked::File(FileAction { op: FileOp::Stat { ticket, path }, .. }) => {
                    let is_there = renames > 0 && path.as_str().ends_with(".part");
                    hand.answer(ticket.done(Ok(is_there.then(|| stat(FileKind::Regular, 4)))));
                }
                Asked::File(action) => hand.answer(usual(action.op)),
                Asked::Net(NetOp::Fetch { ticket, .. }) => {
                    requests += 1;
                    hand.answer(ticket.done(Ok(head(200, &[]))));
                }
                Asked::Net(NetOp::ReadBody { ticket, .. }) => hand.answer(ticket.done(Ok(chunk(4, true)))),
                Asked::Net(NetOp::DropBody { ticket, .. }) => hand.answer(ticket.done(Ok(()))),
                Asked::Told(Notice::Finished { outcome, .. }) => break outcome,
                Asked::Told(_) => {}
                Asked::Waits(until) => hand.pass(until),
            }
        };
        assert_eq!((matches!(outcome, Outcome::Complete(_)), requests), (is_named, 1), "{outcome:?}");
    }
}
