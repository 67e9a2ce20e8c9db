//! A rename whose answer leaves open what happened: two looks decide whether the file has its name.

use dlmanager_core::{
    Completion, Config, DownloadError, Event, Fault, FaultKind, FileKind, FileOp, FileStat, IfPresent, NetOp, Notice,
    Outcome, Published, Request,
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
