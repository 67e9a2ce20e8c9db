//! Passes that go by what is free, and downloads that find nothing free.

use std::time::Duration;

use dlmanager_core::{Bounds, Deleted, Event, FaultKind, Notice, Outcome, Warning};

use crate::directory::{ALWAYS, Directory, config};
use crate::hand::{Asked, chunk};

const FILES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
/// An unfinished file that nobody can go on with, and nobody has written to for long.
const LEFT: &str = "0123456789abcdef0123456789abcdef.part";

fn by_space(free_bytes_min: u64) -> Bounds {
    Bounds { free_bytes_min, ..Bounds::default() }
}

#[test]
fn what_was_deleted_is_not_deleted_again_where_the_disk_shows_it_late() {
    let mut directory = Directory::new(config(0, 1, by_space(30)), &FILES);
    directory.free = Some(0);
    directory.sweep();
    assert_eq!(directory.files, FILES[3..], "as many as make the room, whatever the disk says");
    directory.hand.now = directory.hand.now + Duration::from_secs(59);
    directory.sweep();
    assert_eq!(directory.files, FILES[3..]);
    // Somebody still has them open, or they had other names: others go.
    directory.hand.now = directory.hand.now + Duration::from_secs(2);
    directory.sweep();
    assert_eq!(directory.files, FILES[6..]);
    // It shows, and less was wanted.
    directory.free = Some(30);
    directory.sweep();
    assert_eq!(directory.files, FILES[6..]);
}

#[test]
fn what_is_unfinished_goes_before_what_is_complete_in_each_pass() {
    for (free_once_clean, goes) in [(30, 0), (20, 1)] {
        let mut directory = Directory::new(config(0, 1, by_space(30)), &FILES);
        directory.free = Some(30);
        directory.sweep();
        directory.download("new");
        assert_eq!(directory.files, FILES);
        // Since the last pass somebody has left it, and filled the disk.
        directory.litter = [Ok((vec![(LEFT.to_owned(), 120)], true))].into();
        (directory.free, directory.free_once_clean) = (Some(0), Some(free_once_clean));
        directory.asked.clear();
        directory.download("newer");
        assert_eq!(directory.count("clean up"), 1, "{:?}", directory.asked);
        assert_eq!(directory.files, FILES[goes..], "{:?}", directory.asked);
    }
}

#[test]
fn what_cannot_be_removed_is_told_and_tried_once_until_it_is_asked_for_again() {
    let denied = || Deleted::Denied(FaultKind::Denied.into());
    let mut directory = Directory::new(config(1, 1, Bounds::default()), &["a", "b", "c", "d"]);
    directory.run();
    directory.deleted = [denied(), denied()].into();
    let warnings = |directory: &Directory| {
        let warned = |notice: &&Notice| matches!(notice, Notice::Warning(Warning::NotEvicted { .. }));
        directory.told.iter().filter(warned).count()
    };
    for name in ["new", "newer", "newest", "last"] {
        directory.download(name);
    }
    let tried = |directory: &Directory, name| {
        directory.asked.iter().filter(|word| word.split(' ').any(|part| part == name)).count()
    };
    assert_eq!((tried(&directory, "a"), tried(&directory, "b"), warnings(&directory)), (1, 1, 2));
    directory.sweep();
    assert!(!directory.files.contains(&"a"), "{:?}", directory.files);
}

#[test]
fn who_finds_the_disk_full_waits_for_the_room_that_is_being_made() {
    for goes in [true, false] {
        let bounds = Bounds { reserves: true, ..Bounds::default() };
        let mut directory = Directory::new(config(22, 1, bounds), &["a", "b"]).failing("write", FaultKind::NoSpace, 1);
        directory.run();
        directory.holds = Some("delete");
        if !goes {
            directory.deleted = std::iter::repeat_n(Deleted::Busy, 20).collect();
        }
        directory.download("new");
        let outcome = |directory: &Directory| {
            directory.told.iter().find_map(|notice| match notice {
                Notice::Finished { outcome, .. } => Some(outcome.clone()),
                _ => None,
            })
        };
        assert_eq!((directory.held.len(), outcome(&directory)), (1, None), "{:?}", directory.told);
        directory.let_go();
        match outcome(&directory) {
            Some(Outcome::Complete(complete)) => assert!(goes && complete.requests == 2),
            Some(Outcome::Failed(error)) => assert!(!goes && error.is_no_space()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_disk_that_stays_full_ends_it() {
    let bounds = Bounds { reserves: true, ..Bounds::default() };
    let mut directory = Directory::new(config(22, 1, bounds), &["a", "b"]).failing("write", FaultKind::NoSpace, ALWAYS);
    directory.run();
    directory.download("new");
    let failed = |notice: &Notice| matches!(notice, Notice::Finished { outcome: Outcome::Failed(error), .. } if error.is_no_space());
    assert!(directory.told.iter().any(failed), "{:?}", directory.told);
}

#[test]
fn room_that_is_made_counts_whatever_comes_of_the_pass_behind_it() {
    let mut directory = Directory::new(config(0, 1, by_space(30)), &FILES).failing("write", FaultKind::NoSpace, 1);
    directory.free = Some(30);
    directory.sweep();
    directory.litter = [Ok((vec![(LEFT.to_owned(), 120)], true))].into();
    (directory.free, directory.free_once_clean) = (Some(0), Some(20));
    // Its own unfinished file, and the one that was left.
    directory.deleted =
        std::iter::repeat_n(Deleted::Deleted, 2).chain(std::iter::repeat_n(Deleted::Busy, 100)).collect();
    directory.download("new");
    let is_complete = |notice: &Notice| matches!(notice, Notice::Finished { outcome: Outcome::Complete(_), .. });
    assert!(directory.told.iter().any(is_complete), "{:?}", directory.told);
    assert_eq!(directory.files, FILES);
}

#[test]
fn nobody_is_woken_for_a_pass_that_waits_for_the_removal_of_what_is_unfinished() {
    let names: Vec<&'static str> = (0..200).map(|number| &*format!("{number:05}").leak()).collect();
    let mut directory = Directory::new(config(1, 1, Bounds::default()), &names).failing("write", FaultKind::NoSpace, 1);
    directory.run();
    directory.holds = Some("delete");
    directory.hand.manager.remove_old_files(directory.hand.now);
    directory.run();
    // A go that takes long, so that a pause follows; meanwhile a download finds the disk full.
    directory.hand.now = directory.hand.now + Duration::from_secs(1);
    directory.holds = Some("look for litter");
    directory.download("new");
    let delete = directory.held.remove(0);
    let completion = Some(delete).map(|action| directory.completion(action)).unwrap();
    directory.hand.answer(completion);
    directory.run();
    assert_eq!(directory.held.len(), 1, "{:?}", directory.asked);
    directory.hand.now = directory.hand.now + Duration::from_secs(1);
    directory.hand.manager.handle(directory.hand.now, Event::Tick);
    let Asked::Waits(until) = directory.hand.next() else { panic!() };
    assert!(until.is_none_or(|until| until > directory.hand.now), "{until:?}");
    directory.let_go();
    let Asked::Waits(_) = directory.hand.next() else { panic!() };
}

#[test]
fn room_that_was_made_while_the_disk_was_found_full_is_room() {
    let bounds = Bounds { reserves: true, ..Bounds::default() };
    let mut directory = Directory::new(config(22, 1, bounds), &["a", "b"]);
    directory.run();
    directory.is_silent = true;
    directory.download("new");
    assert_eq!(directory.files, ["b"], "the pass is over before the write is answered");
    directory.is_silent = false;
    directory.fails.insert("write", (FaultKind::NoSpace, 1));
    let ticket = directory.silent.pop().unwrap();
    directory.hand.answer(ticket.done(Ok(chunk(3, true))));
    directory.run();
    let requests = directory.told.iter().find_map(|notice| match notice {
        Notice::Finished { outcome: Outcome::Complete(complete), .. } => Some(complete.requests),
        _ => None,
    });
    assert_eq!(requests, Some(2), "{:?}", directory.told);
}
