//! A directory with a limit: whose it is, when it is looked at, and what a pass does about each answer.

use std::time::Duration;

use dlmanager_core::{
    Bounds, Config, Deleted, DirectoryError, DownloadError, Durability, FaultKind, FileName, FileOp, Kept, Notice,
    Outcome, Request, Stamp, Unmet, Warning,
};

use crate::directory::{ALWAYS, Directory, config, strangers};

const FILES: [&str; 4] = ["a", "b", "c", "d"];

fn two_of_four() -> Config {
    config(1, 2, Bounds::default())
}

// Whose it is.

#[test]
fn a_directory_that_is_found_empty_is_marked_and_only_then_used() {
    let mut directory = Directory::new(strangers(two_of_four()), &[]);
    directory.run();
    assert!(directory.is_ours() && directory.count("mark") == 1, "{:?}", directory.asked);
    // Not before all of it was looked at: a batch may be empty.
    let mut directory = Directory::new(strangers(two_of_four()), &FILES);
    directory.empty_batches = 2;
    directory.run();
    assert!(matches!(directory.refusal(), Some(DirectoryError::NotOurs { .. })), "{:?}", directory.told);
    assert_eq!(directory.count("mark"), 0);
}

#[test]
fn the_marks_name_is_flushed_where_durability_is_full() {
    for (durability, flushes) in [(Durability::Full, 2), (Durability::default(), 0), (Durability::None, 0)] {
        let mut directory = Directory::new(Config { durability, ..strangers(two_of_four()) }, &[]);
        directory.run();
        assert_eq!((directory.count("flush names"), directory.count("mark")), (flushes, 1), "{durability:?}");
    }
}

#[test]
fn what_the_mark_says_counts_and_what_cannot_be_read_is_no_empty_directory() {
    let ours: &[u8] = b"dlmanager 1\n";
    for (mark, word, fault, refused) in [
        (Some(ours), "", None, None),
        (Some(ours), "look for mark", Some(FaultKind::Aborted), Some(FaultKind::Aborted)),
        (None, "look for mark", Some(FaultKind::Denied), Some(FaultKind::Denied)),
        (Some(ours), "read mark", Some(FaultKind::Io), Some(FaultKind::Io)),
        (None, "look for mark", Some(FaultKind::WrongType), Some(FaultKind::WrongType)),
        (Some(&b"something"[..]), "", None, Some(FaultKind::WrongType)),
    ] {
        let mut directory = Directory::new(strangers(two_of_four()), &[]);
        directory.mark = mark;
        if let Some(kind) = fault {
            directory = directory.failing(word, kind, ALWAYS);
        }
        directory.run();
        let told = directory.refusal().map(|error| match error {
            DirectoryError::Fault(fault) => {
                let says = fault.to_string().contains("not what dlmanager writes");
                assert_eq!(says, fault.kind() == FaultKind::WrongType, "{fault}");
                fault.kind()
            }
            error => panic!("{error:?}"),
        });
        assert_eq!((directory.is_ours(), told), (refused.is_none(), refused), "{mark:?} {word} {fault:?}");
        assert_eq!(directory.count("mark"), 0);
    }
}

#[test]
fn a_mark_that_cannot_be_made_is_tried_again_only_where_another_process_removed_the_folder() {
    for (kind, times, marks, refused) in [
        (FaultKind::NotFound, 1, 2, None),
        (FaultKind::NotFound, ALWAYS, MARKS, Some(FaultKind::NotFound)),
        (FaultKind::Denied, 1, 1, Some(FaultKind::Denied)),
        // Another process was faster: the mark is there.
        (FaultKind::Exists, ALWAYS, 1, None),
    ] {
        let mut directory = Directory::new(strangers(two_of_four()), &[]).failing("mark", kind, times);
        directory.run();
        let told = directory.refusal().map(|error| match error {
            DirectoryError::Fault(fault) => fault.kind(),
            error => panic!("{error:?}"),
        });
        assert_eq!((directory.count("mark"), told), (marks, refused), "{kind:?} {times}");
        assert_eq!(directory.is_ours(), refused.is_none());
        // What was written for it goes.
        assert_eq!(directory.count("clean up"), marks.min(times), "{kind:?} {times}");
    }
    // What failed before the rename is the reason.
    let mut directory =
        Directory::new(strangers(two_of_four()), &[]).failing("make folder", FaultKind::ReadOnly, ALWAYS);
    directory.run();
    assert!(matches!(directory.refusal(), Some(DirectoryError::Fault(fault)) if fault.kind() == FaultKind::ReadOnly));
}

/// How often a mark is made where its folder goes each time.
const MARKS: usize = 8;

#[test]
fn where_the_scan_fails_later_on_nothing_is_evicted_and_nobody_waits_for_it() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.breaks = true;
    directory.run();
    assert!(directory.is_ours(), "{:?}", directory.told);
    directory.download("new");
    let is_complete = |notice: &Notice| matches!(notice, Notice::Finished { outcome: Outcome::Complete(_), .. });
    assert!(directory.told.iter().any(is_complete), "{:?}", directory.told);
    let asked = directory.sweep();
    assert!(!asked.iter().any(|word| word.starts_with("delete")), "{asked:?}");
    assert!(matches!(directory.swept()[..], [(_, Some(Unmet::NotScanned))]), "{:?}", directory.told);
}

#[test]
fn what_the_clock_says_is_not_needed_for_a_scan() {
    let mut directory = Directory::new(two_of_four(), &FILES).failing("gauge", FaultKind::Unsupported, ALWAYS);
    assert_eq!(directory.sweep().last().map(String::as_str), Some("delete a b"), "{:?}", directory.told);
    assert_eq!(directory.files, ["c", "d"]);
}

// A pass.

#[test]
fn the_work_folder_is_made_before_the_first_deletion_and_its_failure_matters_to_none() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    let asked = directory.sweep();
    let at = |word: &str| asked.iter().position(|asked| asked == word);
    assert!(at("make folder").unwrap() < at("delete a b").unwrap(), "{asked:?}");
    directory.files = FILES.to_vec();
    let mut directory = Directory::new(two_of_four(), &FILES).failing("make folder", FaultKind::Denied, ALWAYS);
    directory.sweep();
    assert_eq!(directory.files, ["c", "d"]);
}

#[test]
fn the_answer_to_the_first_look_at_the_clock_may_come_while_a_pass_deletes() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.holds = Some("gauge");
    directory.run();
    directory.sweep();
    directory.holds = Some("delete");
    let [first, of_pass] = <[_; 2]>::try_from(std::mem::take(&mut directory.held)).unwrap();
    let mut asked = vec![];
    for look in [of_pass, first] {
        directory.asked.clear();
        let completion = directory.completion(look);
        directory.hand.answer(completion);
        directory.run();
        asked.push(directory.asked.iter().any(|word| word == "delete a b"));
    }
    assert_eq!(asked, [true, false], "it does not begin once more");
    directory.let_go();
    assert_eq!(directory.files, ["c", "d"]);
}

#[test]
fn the_answer_to_the_first_look_at_the_disk_does_not_replace_that_to_a_later_one() {
    let bounds = Bounds { free_bytes_min: 5, ..Bounds::default() };
    let mut directory = Directory::new(config(0, 1, bounds), &FILES);
    directory.holds = Some("gauge");
    directory.run();
    directory.sweep();
    directory.holds = None;
    let [first, of_pass] = <[_; 2]>::try_from(std::mem::take(&mut directory.held)).unwrap();
    for (look, free) in [(of_pass, 10), (first, 0)] {
        directory.free = Some(free);
        let completion = directory.completion(look);
        directory.hand.answer(completion);
        directory.run();
    }
    assert_eq!((directory.hand.manager.victims(9), directory.files), (vec![], FILES.to_vec()));
}

#[test]
fn who_lets_go_of_a_file_brings_no_pass_that_nobody_has_asked_for() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.run();
    let (held, now) = (FileName::new("a").unwrap(), directory.hand.now);
    directory.hand.manager.hold(&held);
    directory.hand.manager.release(now, &held);
    directory.run();
    assert_eq!(directory.files, FILES);
    // Only one that has missed it is made up for.
    for name in FILES {
        directory.hand.manager.hold(&FileName::new(name).unwrap());
    }
    directory.sweep();
    assert_eq!(directory.files, FILES);
    directory.hand.manager.release(now, &held);
    directory.run();
    assert_eq!(directory.files, ["b", "c", "d"]);
}

#[test]
fn the_clock_and_the_disk_are_looked_at_once_for_a_pass_unless_what_is_free_has_changed() {
    let names: Vec<&'static str> = (0..200).map(|at| &*format!("{at:03}").leak()).collect();
    // What two deletions at once free is not known.
    for (free_bytes_min, goes, looks) in [(0, 3, 1), (1, 4, 4)] {
        let bounds = Bounds { free_bytes_min, ..Bounds::default() };
        let mut directory = Directory::new(config(1, 1, bounds), &names);
        directory.free = Some(5);
        let asked = directory.sweep();
        let deletions = asked.iter().filter(|word| word.starts_with("delete")).count();
        assert_eq!((directory.files.len(), deletions), (1, goes), "64, and the rest in two at once, or one by one");
        let gauges = asked.iter().filter(|word| *word == "gauge").count();
        // After each go, also after the last one.
        assert_eq!(gauges, if free_bytes_min == 0 { looks } else { looks + 1 }, "{free_bytes_min}");
    }
}

#[test]
fn a_file_that_changed_is_looked_at_again_and_set_aside_when_it_changes_again() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.deleted = [Deleted::Changed, Deleted::Changed].into();
    directory.sweep();
    assert_eq!(directory.files, ["c", "d"], "they had changed once");
    assert_eq!(directory.kept(), []);

    let mut directory = Directory::new(two_of_four(), &FILES);
    // a and b, then both again, and others instead of what changes all the time.
    directory.deleted = [Deleted::Changed, Deleted::Deleted, Deleted::Changed].into();
    directory.sweep();
    assert_eq!(directory.files, ["a", "d"]);
    assert_eq!(directory.kept(), [("a", Kept::Changed)], "another one went instead");
}

#[test]
fn where_a_deletion_fails_as_a_whole_each_file_is_looked_at_again() {
    let mut directory = Directory::new(two_of_four(), &FILES).failing("delete", FaultKind::Io, 1);
    directory.run();
    // The first of them is gone all the same.
    directory.files.remove(0);
    directory.sweep();
    let is_told = |notice: &Notice| matches!(notice, Notice::Warning(Warning::NotEvicted { .. }));
    assert!(directory.told.iter().any(is_told), "{:?}", directory.told);
    assert_eq!(directory.files, ["b", "d"], "b is left alone by this pass, and one has to go");
}

#[test]
fn what_stays_is_told_once_until_that_changes() {
    let mut directory = Directory::new(two_of_four(), &["a", "b", "c"]);
    let all_busy = || [Deleted::Busy, Deleted::Busy, Deleted::Busy].into();
    directory.deleted = all_busy();
    directory.sweep();
    assert_eq!(directory.kept(), [("a", Kept::InUse), ("b", Kept::InUse), ("c", Kept::InUse)]);
    assert_eq!(directory.swept(), [(3, Some(Unmet::InUse))]);
    directory.deleted = all_busy();
    directory.sweep();
    assert_eq!(directory.kept(), []);
    directory.deleted = [Deleted::Pinned, Deleted::Busy, Deleted::Busy].into();
    directory.sweep();
    assert_eq!(directory.kept(), [("a", Kept::Pinned)]);
}

#[test]
fn a_pass_that_changes_nothing_is_told_to_who_asks_for_it_alone() {
    let mut directory = Directory::new(two_of_four(), &["a"]);
    directory.run();
    directory.told.clear();
    // The bytes are more than the limit, but so few files are kept.
    directory.download("b");
    assert_eq!(directory.swept(), [(2, Some(Unmet::FileLimit))]);
    directory.told.clear();
    directory.download("a");
    assert_eq!(directory.swept(), [], "nothing is new");
    directory.sweep();
    assert_eq!(directory.swept(), [(2, Some(Unmet::FileLimit))], "it was asked for");
}

#[test]
fn room_is_made_for_what_is_announced_where_that_is_asked_for() {
    for reserves in [false, true] {
        let bounds = Bounds { reserves, ..Bounds::default() };
        // 20 bytes and two files are within it, 3 more of a third one are not.
        let mut directory = Directory::new(config(23, 1, bounds), &["a", "b"]);
        directory.run();
        directory.asked.clear();
        let request = Request::new("http://example.org/new").unwrap();
        directory.hand.manager.download(directory.hand.now, request).unwrap();
        // Its file is written, and has no name yet.
        directory.holds = Some("else");
        directory.run();
        while directory.held.iter().any(|action| !matches!(action.op, FileOp::Finish { .. })) {
            for action in std::mem::take(&mut directory.held) {
                if matches!(action.op, FileOp::Finish { .. }) {
                    directory.held.push(action);
                } else {
                    let completion = directory.completion(action);
                    directory.hand.answer(completion);
                }
            }
            directory.run();
        }
        assert_eq!(directory.count("delete a") == 1, reserves, "{:?}", directory.asked);
        directory.let_go();
        assert_eq!(directory.files, ["b"], "{reserves}");
    }
}

#[test]
fn without_room_to_be_made_nothing_is_looked_at_before_a_download_ends() {
    let bounds = Bounds { age_max: Some(Duration::from_secs(3_600)), ..Bounds::default() };
    let mut directory = Directory::new(config(0, 0, bounds), &["a"]);
    directory.run();
    directory.asked.clear();
    directory.hand.now = directory.hand.now + Duration::from_secs(10_000);
    let request = Request::new("http://example.org/new").unwrap();
    directory.hand.manager.download(directory.hand.now, request).unwrap();
    directory.run();
    assert_eq!((directory.count("gauge"), directory.count("delete a")), (1, 1), "{:?}", directory.asked);
}

#[test]
fn a_file_that_a_download_works_on_stays_and_the_next_download_that_ends_has_the_pass_that_is_owed() {
    // a is asked for again while it is the one to go: it is there, and causes no pass of its own.
    let mut directory = Directory::new(config(1, 1, Bounds::default()), &["a"]);
    directory.run();
    directory.holds = Some("look again");
    let request = |name: &str| Request::new(&format!("http://example.org/{name}")).unwrap();
    directory.hand.manager.download(directory.hand.now, request("a")).unwrap();
    directory.run();
    assert_eq!(directory.held.len(), 1, "it looks");
    directory.holds = None;
    directory.hand.manager.download(directory.hand.now, request("b")).unwrap();
    directory.run();
    let deletions = |directory: &Directory| directory.asked.iter().filter(|word| word.starts_with("delete")).count();
    assert_eq!(deletions(&directory), 0, "a is worked on: {:?}", directory.asked);
    assert!(directory.kept().is_empty(), "which is no news");
    directory.let_go();
    assert_eq!(deletions(&directory), 1, "{:?}", directory.asked);
}

// The end.

#[test]
fn who_closes_while_the_scan_is_under_way_does_not_wait_for_more_of_it_and_removes_nothing() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.empty_batches = 1;
    directory.holds = Some("scan");
    directory.run();
    directory.hand.manager.close(directory.hand.now);
    directory.run();
    assert!(!directory.hand.manager.is_drained());
    directory.let_go();
    assert_eq!(directory.count("scan"), 1, "{:?}", directory.asked);
    assert!(directory.hand.manager.is_drained());
    assert_eq!(directory.files, FILES);
}

#[test]
fn a_pass_that_was_asked_for_is_done_before_the_end() {
    for holds in ["gauge", "scan", "look for mark", "delete"] {
        let mut directory = Directory::new(two_of_four(), &FILES);
        directory.is_in_two = holds == "look for mark";
        directory.holds = Some(holds);
        directory.run();
        directory.hand.manager.remove_old_files(directory.hand.now);
        directory.hand.manager.close(directory.hand.now);
        directory.run();
        assert!(!directory.hand.manager.is_drained(), "{holds}");
        assert_eq!(directory.count("remove folder"), 0, "{holds}");
        directory.let_go();
        assert!(directory.hand.manager.is_drained(), "{holds}: {:?}", directory.asked);
        assert_eq!(directory.files, ["c", "d"], "{holds}");
        assert_eq!(directory.count("remove folder"), 1, "{holds}");
    }
}

#[test]
fn litter_is_looked_for_when_a_pass_begins_each_time_that_one_is_asked_for() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.run();
    assert_eq!(directory.count("look for litter"), 0, "{:?}", directory.asked);
    for _ in 0..2 {
        let asked = directory.sweep();
        assert_eq!(asked.iter().filter(|word| *word == "look for litter").count(), 1, "{asked:?}");
    }
}

#[test]
fn what_was_used_goes_last() {
    let mut directory = Directory::new(config(1, 1, Bounds::default()), &["a", "b", "c"]);
    directory.run();
    directory.hand.manager.touched(&FileName::new("a").unwrap(), Stamp::from_nanos(1_000));
    directory.sweep();
    assert_eq!(directory.files, ["a"]);
}

#[test]
fn what_is_announced_and_not_yet_written_takes_of_what_is_free() {
    let bounds = Bounds { free_bytes_min: 10, reserves: true, ..Bounds::default() };
    for (free, goes) in [(13, false), (12, true)] {
        let mut directory = Directory::new(config(0, 1, bounds), &["a", "b"]);
        directory.free = Some(free);
        directory.run();
        // The head of the reply says 3 bytes, and none of them comes.
        directory.is_silent = true;
        directory.download("new");
        assert_eq!(directory.count("delete a") == 1, goes, "{free} {:?}", directory.asked);
        assert_eq!(directory.count("delete b"), 0);
    }
}

#[test]
fn a_file_that_fits_by_its_last_byte_is_fetched() {
    let bounds = Bounds { reserves: true, ..Bounds::default() };
    for (size_limit, fits) in [(4, true), (3, false)] {
        let mut directory = Directory::new(config(size_limit, 1, bounds), &[]);
        directory.run();
        directory.download("new");
        let no_room = |notice: &Notice| {
            matches!(notice, Notice::Finished { outcome: Outcome::Failed(DownloadError::NoRoom { .. }), .. })
        };
        assert_eq!(directory.told.iter().any(no_room), !fits, "{size_limit} {:?}", directory.told);
    }
}

// What dead processes left.

fn partial(at: usize) -> String {
    format!("{at:032x}.part")
}

#[test]
fn whatever_can_be_locked_goes_while_too_little_is_free() {
    let bounds = Bounds { free_bytes_min: 100, ..Bounds::default() };
    for (free, goes) in [(99, true), (100, false)] {
        let mut directory = Directory::new(config(0, 2, bounds), &FILES);
        directory.free = Some(free);
        let pair = vec![(partial(1), 120), (partial(1).replace("part", "rec"), 120)];
        directory.litter.push_back(Ok((pair, true)));
        let asked = directory.sweep();
        assert_eq!(asked.iter().any(|word| word == "clean up"), goes, "{free} {asked:?}");
    }
}

#[test]
fn nothing_goes_where_not_all_of_it_could_be_looked_at() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.litter = [Ok((vec![(partial(1), 1_000)], false)), Err(FaultKind::Io)].into();
    assert!(!directory.sweep().iter().any(|word| word == "clean up"));
    assert_eq!(directory.files, ["c", "d"], "which is no reason not to evict");
}

#[test]
fn one_deletion_that_fails_does_not_keep_the_next() {
    let mut directory = Directory::new(two_of_four(), &FILES).failing("clean up", FaultKind::Io, 1);
    directory.litter.push_back(Ok(((0..100).map(|at| (partial(at), 1_000)).collect(), true)));
    let asked = directory.sweep();
    assert_eq!(asked.iter().filter(|word| *word == "clean up").count(), 2, "64, and the rest");
}

#[test]
fn so_much_litter_is_looked_at_in_one_go() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    let batch = |from: usize, to: usize| Ok(((from..to).map(|at| (partial(at), 1_000)).collect(), false));
    directory.litter = [batch(0, 65_535), batch(65_535, 65_536), batch(65_536, 65_537)].into();
    let asked = directory.sweep();
    assert_eq!(asked.iter().filter(|word| *word == "look for litter").count(), 2, "more is for the next time");
    assert_eq!(asked.iter().filter(|word| *word == "clean up").count(), 1_024);
}

#[test]
fn a_work_folder_that_is_not_empty_is_looked_about_and_tried_again_only_where_something_went() {
    for (litter, tries) in [(vec![], 1), (vec![(partial(1), 1_000)], 2)] {
        let mut directory = Directory::new(Config::default(), &[]);
        directory.download("new");
        directory.asked.clear();
        directory.litter.push_back(Ok((litter, true)));
        directory.deleted = [Deleted::Busy].into();
        directory.hand.manager.close(directory.hand.now);
        directory.run();
        assert_eq!(directory.count("remove folder"), tries, "{:?}", directory.asked);
        assert!(directory.hand.manager.is_drained());
    }
}

#[test]
fn what_other_processes_added_meanwhile_counts_in_the_last_pass() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.run();
    directory.download("new");
    assert_eq!(directory.count("scan"), 1);
    // Theirs, and what came of the download, which is the oldest by its stamp here.
    directory.files = vec!["new", "d", "x", "y"];
    directory.hand.manager.close(directory.hand.now);
    directory.run();
    assert!(directory.hand.manager.is_drained());
    assert_eq!(directory.count("scan"), 2);
    assert_eq!(directory.files, ["x", "y"], "by age alone, as any other process would have it");
    // Who has added nothing leaves it to those who have.
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.run();
    directory.hand.manager.close(directory.hand.now);
    directory.run();
    assert!(directory.hand.manager.is_drained() && directory.count("scan") == 1);
}

#[test]
fn a_last_look_that_fails_is_told_and_keeps_nobody() {
    let mut directory = Directory::new(two_of_four(), &FILES[..2]);
    directory.run();
    directory.download("new");
    directory.fails.insert("scan", (FaultKind::Io, ALWAYS));
    directory.hand.manager.close(directory.hand.now);
    directory.run();
    assert!(directory.hand.manager.is_drained());
    assert!(directory.told.iter().any(|notice| matches!(notice, Notice::Warning(Warning::NotScanned(_)))));
}

#[test]
fn the_end_of_a_pass_that_was_asked_for_is_told_apart_from_that_of_one_under_way() {
    let mut directory = Directory::new(two_of_four(), &FILES);
    directory.run();
    directory.holds = Some("delete");
    directory.download("new");
    assert_eq!(directory.held.len(), 1);
    for _ in 0..2 {
        directory.hand.manager.remove_old_files(directory.hand.now);
    }
    directory.let_go();
    let told = directory.told.iter().filter_map(|notice| match notice {
        Notice::Swept { asked, .. } => Some(*asked),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [false, true, true]);
    // Where nothing can be evicted, each is told as well.
    let mut directory = Directory::new(two_of_four(), &FILES).failing("scan", FaultKind::Io, ALWAYS);
    for _ in 0..2 {
        directory.hand.manager.remove_old_files(directory.hand.now);
    }
    directory.run();
    assert_eq!(directory.swept(), [(0, Some(Unmet::NotScanned)); 2]);
}
