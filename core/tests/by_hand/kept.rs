//! What becomes of an unfinished file that is not finished: it stays for a later run where that can go on with it, and else
//! nothing of it stays.

use std::time::Duration;

use dlmanager_core::{Config, DownloadError, Durability, FaultKind, Outcome, Resume};

use crate::scene::{BOOT, ETAG, Scene, record};

fn config() -> Config {
    Config { gather_bytes: 1, record_bytes_min: 1, retries_max: 0, ..Config::default() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Interrupted,
    Canceled,
    Reset,
}

const ENDS: [End; 3] = [End::Interrupted, End::Canceled, End::Reset];

fn end(scene: &mut Scene, how: End) {
    match how {
        End::Interrupted => scene.interrupt(),
        End::Canceled => scene.cancel(),
        End::Reset => scene.reset(),
    }
    scene.run_to_the_end();
}

/// Whether the file stays once it has ended, and whether there is a record of it then.
fn stays(config: Config, how: End, change: impl FnOnce(&mut Scene)) -> (bool, bool) {
    let mut scene = Scene::new(config, &[8]);
    scene.ends = false;
    change(&mut scene);
    scene.run();
    end(&mut scene, how);
    let is_noted = scene.asked.iter().any(|word| word.starts_with("note")) || scene.left.is_some();
    (!scene.has_asked("remove file"), is_noted && !scene.has_asked("remove record"))
}

#[test]
fn what_can_be_gone_on_with_stays_unless_it_was_canceled() {
    for how in ENDS {
        let expected = if how == End::Canceled { (false, false) } else { (true, true) };
        assert_eq!(stays(config(), how, |_| {}), expected, "{how:?}");
        // It is noted at the end, where it was not before; but not where it is too short for that.
        let late = Config { gather_bytes: 1_000, ..config() };
        assert_eq!(stays(late, how, |_| {}), expected, "{how:?}");
        let short = Config { record_bytes_min: 9, ..config() };
        assert_eq!(stays(short, how, |_| {}), (false, false), "{how:?}");
        for resume in [Resume::Never, Resume::WithinRun] {
            assert_eq!(stays(Config { resume, ..config() }, how, |_| {}), (false, false), "{how:?} {resume:?}");
        }
        assert_eq!(stays(config(), how, |scene| scene.fields.clear()), (false, false), "{how:?}: no validator");
        assert_eq!(stays(config(), how, |scene| scene.locks = false), (false, false), "{how:?}: nobody finds it");
    }
}

#[test]
fn nothing_stays_where_nothing_has_come() {
    for how in ENDS {
        assert_eq!(stays(config(), how, |scene| scene.chunks.clear()), (false, false), "{how:?}");
    }
}

#[test]
fn a_record_that_cannot_be_written_at_the_end_leaves_nothing() {
    for word in ["make record", "note 0 flushed"] {
        let mut scene = Scene::new(Config { gather_bytes: 1_000, ..config() }, &[8]);
        scene.ends = false;
        scene.fails.insert(word.into(), FaultKind::NoSpace);
        scene.run();
        end(&mut scene, End::Interrupted);
        assert!(scene.has_asked("remove file"), "{word}: {:?}", scene.asked);
    }
}

#[test]
fn what_cannot_be_written_at_the_end_leaves_nothing() {
    let mut scene = Scene::new(Config { gather_bytes: 1_000, ..config() }, &[8]);
    scene.ends = false;
    scene.fails.insert("write".into(), FaultKind::NoSpace);
    scene.run();
    end(&mut scene, End::Interrupted);
    assert!(scene.has_asked("remove file"), "{:?}", scene.asked);
}

#[test]
fn what_an_earlier_run_left_stays_where_it_was_not_looked_at() {
    // Its record cannot be read: whatever it is, somebody may be able to later.
    for (how, resume, expected) in [
        (None, Resume::AcrossRuns, true),
        (Some(End::Interrupted), Resume::AcrossRuns, true),
        (Some(End::Canceled), Resume::AcrossRuns, false),
        (Some(End::Interrupted), Resume::WithinRun, false),
    ] {
        let mut scene = Scene::new(Config { resume, ..config() }, &[8]);
        scene.left = Some((50, Some(record(58, BOOT, 50))));
        if how.is_some() {
            scene.holds = vec!["lock"];
        } else {
            scene.fails.insert("read".into(), FaultKind::Io);
        }
        scene.run();
        match how {
            Some(End::Canceled) => scene.cancel(),
            Some(_) => scene.interrupt(),
            None => {}
        }
        scene.run();
        scene.holds.clear();
        scene.let_go();
        scene.run_to_the_end();
        assert_eq!(!scene.has_asked("remove file"), expected, "{how:?} {resume:?} {:?}", scene.asked);
        assert!(!scene.has_asked("remove record") || !expected, "{how:?} {resume:?} {:?}", scene.asked);
    }
}

#[test]
fn a_retry_goes_on_with_what_is_there_where_that_is_allowed() {
    for (resume, range) in
        [(Resume::AcrossRuns, Some("bytes=8-")), (Resume::WithinRun, Some("bytes=8-")), (Resume::Never, None)]
    {
        let config = Config { retries_max: 1, resume, gather_bytes: 1_000, ..config() };
        let mut scene = Scene::new(config, &[8]);
        scene.ends = false;
        scene.run();
        scene.reset();
        scene.chunks = [4].into();
        scene.ends = true;
        scene.run_to_the_end();
        let Some(Outcome::Complete(complete)) = &scene.outcome else { panic!("{:?}", scene.outcome) };
        assert_eq!(scene.ranges, [None, range.map(str::to_owned)], "{resume:?}");
        assert_eq!(complete.length, if range.is_some() { 12 } else { 4 }, "{resume:?}");
        // All that had come was written before it was decided.
        assert_eq!(complete.requests, 2);
    }
}

#[test]
fn what_was_to_be_kept_and_cannot_be_written_says_why() {
    let mut scene = Scene::new(Config { retries_max: 1, gather_bytes: 8, ..config() }, &[8, 4]);
    scene.ends = false;
    scene.holds = vec!["write"];
    scene.run();
    // The first bytes are written, the last ones wait for more.
    scene.let_go();
    scene.holds.clear();
    scene.run();
    scene.fails.insert("write".into(), FaultKind::NoSpace);
    scene.reset();
    scene.run_to_the_end();
    let Some(Outcome::Failed(DownloadError::File { fault, .. })) = &scene.outcome else {
        panic!("{:?}", scene.outcome)
    };
    assert_eq!(fault.kind(), FaultKind::NoSpace, "and not that the connection was reset");
    assert_eq!(scene.ranges.len(), 1);
}

#[test]
fn where_nothing_could_be_written_there_is_nothing_to_keep_and_it_is_fetched_again() {
    let mut scene = Scene::new(Config { retries_max: 1, gather_bytes: 1_000, ..config() }, &[8]);
    scene.ends = false;
    scene.run();
    scene.fails.insert("write".into(), FaultKind::NoSpace);
    scene.reset();
    scene.run();
    scene.fails.clear();
    scene.chunks = [8].into();
    scene.ends = true;
    scene.run_to_the_end();
    assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{:?}", scene.outcome);
    assert_eq!(scene.ranges, [None, None]);
}

#[test]
fn of_a_whole_version_that_another_one_left_nothing_stays() {
    // An earlier run's bytes, and a reply with all of another version: the record goes first, and for good.
    for (durability, flushed) in [(Durability::None, true), (Durability::default(), true)] {
        let mut scene = Scene::new(Config { durability, ..config() }, &[8]);
        scene.left = Some((50, Some(record(58, BOOT, 50))));
        scene.fields = vec![("etag", "\"c\"")];
        scene.chunks = [8].into();
        scene.run();
        let at = |word: &str| scene.asked.iter().position(|asked| asked == word);
        let (removed, cut) = (at("remove record").unwrap(), at("cut to 0").unwrap());
        assert!(removed < cut, "{:?}", scene.asked);
        let names = at("flush names").filter(|at| *at < cut);
        assert_eq!(names.is_some_and(|at| removed < at), flushed, "{:?}", scene.asked);
    }
}

#[test]
fn a_removal_of_a_record_that_is_not_flushed_leaves_the_file_beside_it() {
    // Else the record could come back beside the next unfinished file.
    let mut scene = Scene::new(Config { checkpoint_bytes: 1, checkpoint_time: Duration::ZERO, ..config() }, &[8, 8]);
    scene.ends = false;
    scene.run();
    assert!(scene.has_asked("note 16 flushed") || scene.has_asked("note 8 flushed"), "{:?}", scene.asked);
    scene.fails.insert("flush names".into(), FaultKind::Io);
    scene.cancel();
    scene.run_to_the_end();
    assert!(scene.has_asked("remove record") && !scene.has_asked("remove file"), "{:?}", scene.asked);
    let is_told = |notice: &dlmanager_core::Notice| {
        matches!(notice, dlmanager_core::Notice::Warning(dlmanager_core::Warning::Litter { .. }))
    };
    assert!(scene.told.iter().any(is_told), "{:?}", scene.told);
}

#[test]
fn what_may_have_been_made_goes_and_what_was_not_ours_is_not_touched() {
    for (kind, goes) in [(FaultKind::Aborted, true), (FaultKind::Io, false), (FaultKind::NoSpace, false)] {
        let mut scene = Scene::new(config(), &[8]);
        scene.fails.insert("make or open file".into(), kind);
        scene.run_to_the_end();
        assert!(matches!(scene.outcome, Some(Outcome::Failed(DownloadError::File { .. }))), "{:?}", scene.outcome);
        assert_eq!(scene.has_asked("remove file"), goes, "{kind:?} {:?}", scene.asked);
    }
}

#[test]
fn a_lock_is_given_back_once_where_there_are_locks() {
    for locks in [true, false] {
        for how in ENDS {
            let mut scene = Scene::new(config(), &[8]);
            scene.ends = false;
            scene.locks = locks;
            scene.run();
            end(&mut scene, how);
            assert_eq!((scene.locks_asked > 0, scene.unlocks_asked), (locks, usize::from(locks)), "{how:?}");
        }
    }
}

#[test]
fn who_has_lost_his_lock_leaves_the_file_and_says_nothing() {
    let mut scene = Scene::new(config(), &[8]);
    scene.ends = false;
    scene.run();
    scene.fails.insert("lock".into(), FaultKind::Changed);
    scene.cancel();
    scene.run_to_the_end();
    assert!(!scene.has_asked("remove file") && !scene.has_asked("remove record"), "{:?}", scene.asked);
    assert!(!scene.told.iter().any(|notice| matches!(notice, dlmanager_core::Notice::Warning(_))), "{:?}", scene.told);
}

#[test]
fn a_whole_file_that_cannot_get_its_name_is_kept_unless_there_is_no_room() {
    for (fault, stays) in [(FaultKind::Denied, true), (FaultKind::ReadOnly, true), (FaultKind::NoSpace, false)] {
        let mut scene = Scene::new(config(), &[8]);
        scene.fails.insert("name".into(), fault);
        let failed = matches!(scene.run_to_the_end(), Outcome::Failed(DownloadError::Publish { .. }));
        assert!(failed, "{:?}", scene.outcome);
        assert_eq!(
            (scene.has_asked("make record"), scene.has_asked("remove file")),
            (stays, !stays),
            "{:?}",
            scene.asked
        );
    }
}

#[test]
fn a_disk_that_is_full_for_the_last_bytes_of_an_attempt_is_what_is_told() {
    let mut scene = Scene::new(Config { gather_bytes: 8, retries_max: 0, ..config() }, &[8, 4]);
    scene.ends = false;
    scene.run();
    scene.fails.insert("write".into(), FaultKind::NoSpace);
    scene.reset();
    let is_full = matches!(scene.run_to_the_end(), Outcome::Failed(error) if error.is_no_space());
    assert!(is_full, "{:?}", scene.outcome);
    assert!(scene.has_asked("remove file"), "{:?}", scene.asked);
}

#[test]
fn how_the_bytes_are_coded_is_known_from_the_reply_that_they_began_with() {
    let coded = || Scene::new(Config { retries_max: 1, ..config() }, &[8]);
    let mut scene = coded();
    scene.fields.push(("content-encoding", "gzip"));
    scene.then = Some(vec![("etag", ETAG)]);
    scene.ends = false;
    scene.run();
    scene.reset();
    scene.chunks = [4].into();
    scene.ends = true;
    let Outcome::Complete(complete) = scene.run_to_the_end() else { panic!("{:?}", scene.outcome) };
    assert_eq!((complete.content_encoding.as_deref(), complete.requests), (Some("gzip"), 2));

    // A later run would not know.
    let mut scene = coded();
    scene.fields.push(("content-encoding", "gzip"));
    scene.ends = false;
    scene.run();
    scene.interrupt();
    scene.run_to_the_end();
    assert!(scene.has_asked("remove file") && !scene.has_asked("make record"), "{:?}", scene.asked);
}

#[test]
fn what_an_earlier_run_left_whole_is_held_to_the_bounds_of_this_one() {
    let mut scene = Scene::new(Config { file_bytes_max: Some(57), ..config() }, &[]);
    scene.left = Some((58, Some(record(58, BOOT, 58))));
    let is_too_large = matches!(scene.run_to_the_end(), Outcome::Failed(DownloadError::TooLarge { length: 58, .. }));
    assert!(is_too_large, "{:?}", scene.outcome);
    assert!(scene.ranges.is_empty());
}
