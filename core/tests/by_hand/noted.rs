//! When it is noted what an unfinished file holds, and what is flushed before.

use std::time::Duration;

use dlmanager_core::{Config, Digest, DownloadError, Durability, FaultKind, FileStep, Outcome, Request, Resume};

use crate::hand::URL;
use crate::scene::{BOOT, Scene, record};

/// What is written at once, and noted from the first byte on.
fn config() -> Config {
    Config {
        gather_bytes: 1,
        record_bytes_min: 1,
        checkpoint_bytes: 10,
        checkpoint_time: Duration::ZERO,
        ..Config::default()
    }
}

fn notes(scene: &Scene) -> Vec<&str> {
    scene.asked.iter().map(String::as_str).filter(|word| word.starts_with("note")).collect()
}

#[test]
fn what_the_record_says_is_flushed_was_flushed_before() {
    let mut scene = Scene::new(config(), &[6]);
    scene.ends = false;
    scene.run();
    // The first one only says what the bytes are.
    assert_eq!(scene.take_asked(), ["make record", "note 0 flushed"]);
    scene.send(3, false);
    scene.run();
    assert_eq!(scene.take_asked(), [""; 0], "one byte less than it takes");
    scene.send(1, false);
    scene.run();
    assert_eq!(scene.take_asked(), ["flush", "flush names", "note 10 flushed"]);
    scene.send(9, false);
    scene.run();
    assert_eq!(scene.take_asked(), [""; 0]);
    // The names are flushed once.
    scene.send(4, false);
    scene.run();
    assert_eq!(scene.take_asked(), ["flush", "note 23 flushed"]);
    scene.send(1, true);
    scene.run();
    assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{:?}", scene.outcome);
    // What is flushed may come back after a loss of power, beside another file.
    assert_eq!(scene.take_asked(), ["flush", "remove record", "flush names", "name"]);
}

#[test]
fn a_record_that_was_never_flushed_is_not_removed_for_good() {
    let mut scene = Scene::new(Config { checkpoint_bytes: 1_000, ..config() }, &[6, 6]);
    scene.run();
    assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{:?}", scene.outcome);
    assert_eq!(scene.asked, ["make record", "note 0 flushed", "flush", "remove record", "name"]);
}

#[test]
fn one_checkpoint_ends_before_the_next_begins_and_before_the_file_gets_its_name() {
    // Each of its actions is the last one to be answered once.
    for late in ["flush", "flush names", "make record", "note 0 flushed", "open record", "note 20 flushed"] {
        let mut scene = Scene::new(config(), &[20]);
        scene.ends = false;
        scene.holds = vec![late];
        scene.run();
        if scene.held.is_empty() {
            scene.send(30, false);
            scene.run();
        }
        assert_eq!(scene.held.len(), 1, "{late}");
        let before = scene.take_asked();
        scene.send(30, false);
        scene.run();
        scene.send(30, true);
        scene.run();
        assert_eq!(scene.take_asked(), [""; 0], "{late}: nothing is noted meanwhile, and nothing named {before:?}");
        scene.holds.clear();
        scene.let_go();
        scene.run();
        assert!(scene.has_asked("name"), "{late}: {:?}", scene.asked);
        assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{late}: {:?}", scene.outcome);
    }
}

#[test]
fn a_checkpoint_waits_for_its_time() {
    let mut scene = Scene::new(Config { checkpoint_time: Duration::from_secs(5), ..config() }, &[6]);
    scene.ends = false;
    scene.run();
    scene.send(100, false);
    scene.run();
    assert_eq!(notes(&scene), ["note 0 flushed"]);
    scene.hand.now = scene.hand.now + Duration::from_secs(5);
    scene.send(1, false);
    scene.run();
    assert_eq!(notes(&scene), ["note 0 flushed", "note 107 flushed"]);
}

#[test]
fn nothing_is_noted_that_no_later_run_could_use() {
    let noted = |config: Config, change: fn(&mut Scene)| {
        let mut scene = Scene::new(config, &[8, 8]);
        scene.ends = false;
        change(&mut scene);
        scene.run();
        !notes(&scene).is_empty()
    };
    assert!(noted(config(), |_| {}));
    assert!(noted(Config { record_bytes_min: 16, ..config() }, |_| {}));
    assert!(!noted(Config { record_bytes_min: 17, ..config() }, |_| {}), "too short");
    assert!(!noted(Config { resume: Resume::WithinRun, ..config() }, |_| {}));
    assert!(!noted(Config { resume: Resume::Never, ..config() }, |_| {}));
    assert!(!noted(config(), |scene| scene.locks = false), "nobody finds it");
    assert!(!noted(config(), |scene| scene.fields.clear()), "nothing says which version it is");
    assert!(!noted(config(), |scene| scene.fields = vec![("etag", "W/\"b\"")]), "nor does this");
    // Nothing is flushed where durability is of no interest, and the record says so.
    let mut scene = Scene::new(Config { durability: Durability::None, ..config() }, &[8, 8, 8]);
    scene.ends = false;
    scene.run();
    assert_eq!(scene.asked, ["make record", "note 0 flushed"]);
}

#[test]
fn a_record_that_cannot_be_written_is_not_tried_again_and_not_left() {
    for step in ["make record", "note 0 flushed"] {
        let mut scene = Scene::new(config(), &[8]);
        scene.ends = false;
        scene.fails.insert(step.into(), FaultKind::NoSpace);
        scene.run();
        scene.fails.clear();
        scene.take_asked();
        scene.send(80, false);
        scene.run();
        assert_eq!(scene.take_asked(), [""; 0], "{step}");
        scene.send(1, true);
        scene.run();
        assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{step}: {:?}", scene.outcome);
        // It may be a whole one for all that is known.
        assert_eq!(scene.asked, ["flush", "remove record", "flush names", "name"], "{step}");
    }
}

#[test]
fn a_flush_that_fails_ends_the_download_and_nothing_is_kept() {
    let mut scene = Scene::new(config(), &[8, 8]);
    scene.ends = false;
    scene.fails.insert("flush".into(), FaultKind::Io);
    scene.run_to_the_end();
    let Some(Outcome::Failed(DownloadError::File { step, fault })) = &scene.outcome else {
        panic!("{:?}", scene.outcome)
    };
    assert_eq!((*step, fault.kind()), (FileStep::Flush, FaultKind::Io));
    assert!(scene.has_asked("remove file") && scene.has_asked("remove record"), "{:?}", scene.asked);
}

#[test]
fn a_record_of_an_earlier_start_of_the_machine_is_renewed() {
    for (boot, notes_at_once) in [(BOOT, false), (None, true)] {
        let mut scene = Scene::new(Config { checkpoint_bytes: 1_000, ..config() }, &[8]);
        scene.left = Some((50, Some(record(58, boot, 50))));
        scene.ends = false;
        scene.run();
        assert_eq!(scene.ranges, [Some("bytes=50-".to_owned())], "{boot:?}");
        assert_eq!(notes(&scene), if notes_at_once { vec!["note 50 flushed"] } else { vec![] }, "{boot:?}");
    }
}

#[test]
fn the_record_says_where_the_bytes_came_from_where_that_is_another_url() {
    let mut scene = Scene::new(config(), &[8]);
    scene.ends = false;
    scene.run();
    assert_eq!(scene.noted_url, URL);
}

#[test]
fn how_long_the_whole_is_is_noted_once_a_reply_has_said_so() {
    let mut scene = Scene::new(Config { retries_max: 1, ..config() }, &[8]);
    scene.ends = false;
    scene.run();
    assert_eq!(scene.noted_total, None);
    scene.reset();
    scene.whole = Some(28);
    scene.chunks = [12].into();
    scene.run_to_a_chunk();
    assert_eq!((scene.ranges.len(), scene.noted_total), (2, Some(28)), "{:?}", scene.asked);
}

#[test]
fn what_starts_over_is_noted_anew_although_the_record_before_could_not_be_written() {
    let mut scene = Scene::new(Config { retries_max: 1, ..config() }, &[8]);
    scene.ends = false;
    scene.fails.insert("note 0 flushed".into(), FaultKind::NoSpace);
    scene.run();
    scene.fails.clear();
    scene.reset();
    // Another version, all of it.
    scene.fields = vec![("etag", "\"c\"")];
    scene.is_whole = true;
    scene.chunks = [9].into();
    scene.run_to_a_chunk();
    assert_eq!(notes(&scene), ["note 0 flushed", "note 0 flushed"], "{:?}", scene.asked);
}

/// A download that has noted so much, and then gets all of another version.
fn started_over(config: Config) -> Scene {
    let mut scene = Scene::new(Config { retries_max: 1, ..config }, &[10]);
    scene.ends = false;
    scene.run();
    scene.send(10, false);
    scene.run();
    scene.take_asked();
    scene.reset();
    scene.fields = vec![("etag", "\"c\"")];
    scene.is_whole = true;
    scene.chunks = [8].into();
    scene.run_to_a_chunk();
    scene
}

#[test]
fn a_record_that_may_describe_flushed_bytes_goes_for_good_before_others_are_written() {
    let at = |scene: &Scene, word: &str| scene.asked.iter().position(|asked| asked == word);
    let scene = started_over(config());
    let order = ["remove record", "flush names", "cut to 0"].map(|word| at(&scene, word).unwrap());
    assert!(order.is_sorted(), "{:?}", scene.asked);
    assert_eq!(scene.asked.iter().filter(|word| *word == "cut to 0").count(), 1, "{:?}", scene.asked);
    // What was flushed of the version before says nothing of this one.
    assert_eq!(notes(&scene), ["note 0 flushed"], "{:?}", scene.asked);
    // One that describes none is of no harm.
    let scene = started_over(Config { checkpoint_bytes: 1_000, ..config() });
    assert!(at(&scene, "remove record") < at(&scene, "cut to 0"), "{:?}", scene.asked);
    assert!(at(&scene, "flush names").is_none_or(|flush| Some(flush) > at(&scene, "cut to 0")), "{:?}", scene.asked);
}

#[test]
fn what_is_written_is_hashed_by_the_mebibyte_and_to_the_end_and_from_the_first_byte_of_each_version() {
    let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
    let request = || Request::new(URL).unwrap().checksum(digest);
    let half = 512 * 1024;
    let mut scene = Scene::of(Config { retries_max: 1, ..config() }, request(), &[half, half, half]);
    scene.checksum = Some(digest);
    scene.ends = false;
    scene.run();
    let hashed = |scene: &Scene| -> Vec<String> {
        scene.asked.iter().filter(|word| word.starts_with("hash")).cloned().collect()
    };
    assert_eq!(hashed(&scene), ["hash 0 to 1048576"]);
    scene.send(1, true);
    scene.run();
    assert_eq!(hashed(&scene), ["hash 0 to 1048576", "hash 1048576 to 1572865"]);
    assert!(matches!(scene.outcome, Some(Outcome::Complete(_))), "{:?}", scene.outcome);
    // None at all has a digest as well.
    let mut scene = Scene::of(config(), request(), &[0]);
    scene.checksum = Some(digest);
    scene.run();
    assert_eq!(hashed(&scene), ["hash 0 to 0"]);

    let mut scene = Scene::of(Config { retries_max: 1, ..config() }, request(), &[half, half, half]);
    scene.checksum = Some(digest);
    scene.ends = false;
    scene.run();
    scene.reset();
    scene.fields = vec![("etag", "\"c\"")];
    scene.is_whole = true;
    scene.chunks = [9].into();
    scene.ends = true;
    scene.run_to_the_end();
    assert_eq!(hashed(&scene).last().map(String::as_str), Some("hash 0 to 9"));
}
