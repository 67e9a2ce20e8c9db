//! Many files that have to go: how many at a time, and what each deletion's answer counts for.

use std::collections::VecDeque;
use std::time::Duration;

use dlmanager_core::{Bounds, Deleted, FileAction, FileOp, Kept, Notice, Outcome, Unmet};

use crate::hand::Asked;

use crate::directory::{Directory, config};

/// So many files, the oldest first, of which a hundred may stay; the first go of a pass is under way.
fn many(files: usize) -> (Directory, Vec<&'static str>) {
    let names: Vec<&'static str> = (0..files).map(|number| &*format!("{number:05}").leak()).collect();
    let mut directory = Directory::new(config(1, 100, Bounds::default()), &names);
    directory.holds = Some("delete");
    directory.sweep();
    (directory, names)
}

/// How many files each deletion is of that is under way.
fn under_way(directory: &Directory) -> Vec<usize> {
    let count = |action: &FileAction| match &action.op {
        FileOp::Delete { items, .. } => items.len(),
        op => panic!("{op:?}"),
    };
    directory.held.iter().map(count).collect()
}

/// Lets a pause be over in which others have their turn, where there is one.
fn wait_for_the_next(directory: &mut Directory) {
    if directory.held.is_empty() {
        let Asked::Waits(until) = directory.hand.next() else { panic!() };
        let pause = until.expect("it goes on by itself").since(directory.hand.now);
        assert!((Duration::from_millis(21)..Duration::from_millis(50)).contains(&pause), "{pause:?}");
        directory.hand.pass(until);
        directory.run();
    }
}

/// Answers what is under way, the last first, after so long.
fn answer_all(directory: &mut Directory, after: Duration) {
    directory.hand.now = directory.hand.now + after;
    while let Some(action) = directory.held.pop() {
        let is_last = directory.held.is_empty();
        let completion = directory.completion(action);
        directory.hand.answer(completion);
        if !is_last {
            let before = directory.held.len();
            directory.run();
            assert_eq!(directory.held.len(), before, "all of a go is over before the next one");
        }
    }
    directory.run();
}

#[test]
fn many_files_go_two_deletions_at_a_time_and_more_at_once_where_that_is_quick() {
    let (mut directory, names) = many(1_500);
    let mut goes = vec![];
    while !directory.held.is_empty() {
        let lanes: Vec<_> = directory.held.iter().map(|action| action.lane).collect();
        assert!(lanes.len() == 1 || lanes[0] != lanes[1], "one does not wait for the other");
        goes.push(under_way(&directory));
        answer_all(&mut directory, Duration::from_millis(1));
    }
    assert_eq!(goes, [vec![64], vec![128, 128], vec![256, 256], vec![284, 284]]);
    assert_eq!(directory.files, names[1_400..], "the oldest have gone, and no more than had to");
    assert_eq!(directory.swept(), [(100, Some(Unmet::FileLimit))]);
}

#[test]
fn few_files_go_at_a_time_where_that_takes_long() {
    let (mut directory, names) = many(2_000);
    let (quick, slow) = (Duration::from_millis(1), Duration::from_millis(100));
    let mut goes = vec![];
    for took in [quick, quick, slow, slow, slow] {
        goes.push(under_way(&directory));
        answer_all(&mut directory, took);
        assert_eq!(directory.held.is_empty(), took == slow, "who was slow lets others have their turn");
        wait_for_the_next(&mut directory);
    }
    assert_eq!(goes, [vec![64], vec![128, 128], vec![256, 256], vec![128, 128], vec![64, 64]]);
    directory.let_go();
    assert_eq!(directory.files, names[1_900..]);
}

#[test]
fn of_two_deletions_each_answer_counts_for_its_own_files() {
    let (mut directory, names) = many(1_000);
    answer_all(&mut directory, Duration::ZERO);
    assert_eq!(under_way(&directory), [128, 128]);
    // The second one's first file is in use, and the first one was refused as another process evicts.
    let is_first = |action: &FileAction| match &action.op {
        FileOp::Delete { items, .. } => items[0].path.as_str() == names[64],
        op => panic!("{op:?}"),
    };
    let at = directory.held.iter().position(|action| !is_first(action)).unwrap();
    let behind = directory.held.remove(at);
    directory.deleted = VecDeque::from([Deleted::Busy]);
    let completion = directory.completion(behind);
    directory.hand.answer(completion);
    directory.deleted = std::iter::repeat_n(Deleted::Locked, 128).collect();
    let ahead = directory.held.pop().unwrap();
    let completion = directory.completion(ahead);
    directory.hand.answer(completion);
    directory.run();
    assert!(directory.held.is_empty(), "it is another's turn");
    assert_eq!(directory.files.len(), 1_000 - 64 - 127);
    directory.holds = None;
    let Asked::Waits(until) = directory.hand.next() else { panic!() };
    directory.hand.pass(until);
    directory.run();
    let mut left = vec![names[192]];
    left.extend(&names[901..]);
    assert_eq!(directory.files, left, "as many as had to go, and in the place of the one in use the next");
    assert_eq!(directory.kept(), [(names[192], Kept::InUse)]);
}

#[test]
fn a_name_that_is_being_evicted_is_not_looked_for_before_that_is_over_in_whichever_deletion_it_is() {
    for at in [70, 200] {
        let (mut directory, names) = many(1_000);
        answer_all(&mut directory, Duration::ZERO);
        assert_eq!(under_way(&directory), [128, 128]);
        directory.asked.clear();
        directory.download(names[at]);
        let asked = std::mem::take(&mut directory.asked);
        assert!(!asked.iter().any(|word| word == "else"), "{at}: {asked:?}");
        directory.let_go();
        let ended = directory
            .told
            .iter()
            .any(|notice| matches!(notice, Notice::Finished { outcome: Outcome::Complete(_), .. }));
        assert!(ended, "{at}: {:?}", directory.told);
    }
}

#[test]
fn who_has_had_his_turn_with_one_of_two_deletions_does_not_give_up() {
    let (mut directory, names) = many(1_000);
    answer_all(&mut directory, Duration::ZERO);
    let began = directory.hand.now;
    loop {
        assert_eq!(under_way(&directory), [128, 128]);
        let is_late = directory.hand.now.since(began) >= Duration::from_secs(10);
        // Another process evicts, and at last only when the first of the two is tried.
        let locked = if is_late { 128 } else { 256 };
        directory.deleted = std::iter::repeat_n(Deleted::Locked, locked).collect();
        for action in std::mem::take(&mut directory.held) {
            let completion = directory.completion(action);
            directory.hand.answer(completion);
        }
        directory.run();
        assert!(directory.held.is_empty() || is_late);
        if is_late {
            break;
        }
        let Asked::Waits(until) = directory.hand.next() else { panic!() };
        directory.hand.pass(until);
        directory.run();
    }
    directory.let_go();
    assert_eq!(directory.files, names[900..]);
    assert_eq!(directory.swept(), [(100, Some(Unmet::FileLimit))]);
}
