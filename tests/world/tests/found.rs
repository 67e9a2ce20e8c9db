//! What was found by reading and by random runs, each as the story that shows it.

use std::time::Duration;

use dlmanager_core::{
    Algorithm, Config, Digest, DownloadError, Durability, Fault, FaultKind, FileOp, IfPresent, LimitConfig, Notice,
    OWNER_MARK, OpenMode, Outcome, Pattern, Phase, Request, StorePath, Warning,
};
use dlmanager_fs_memory::Failure;
use dlmanager_scripted::{Reply, Resource, content};
use dlmanager_world::World;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG};

fn bounded(size_limit: u64, file_limit: u64, adopt: bool) -> Config {
    let limit = LimitConfig { size_limit, file_limit, pattern: Pattern::default(), adopt, ..LimitConfig::default() };
    Config { limit: Some(limit), durability: Durability::None, ..Config::default() }
}

fn evicted(world: &World) -> Vec<String> {
    let name = |notice: &Notice| match notice {
        Notice::Evicted { path, .. } => Some(path.as_str().to_owned()),
        _ => None,
    };
    world.notices().iter().filter_map(|(_, notice)| name(notice)).collect()
}

#[test]
fn downloads_that_end_while_a_pass_is_slow_are_within_the_bound_when_all_have_ended() {
    let mut world = World::new(bounded(10, 1, true));
    world.directory.put_file("old-1", &[0; 10]);
    world.directory.put_file("old-2", &[0; 10]);
    world.directory.advance(Duration::from_secs(600));
    let mut first = true;
    world.directory.delay_when(move |operation| match operation.op {
        FileOp::Delete { items, .. } if items.iter().any(|item| item.path.as_str() == "old-1") && first => {
            first = false;
            Some(Duration::from_secs(60))
        }
        _ => None,
    });
    let ids: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .map(|name| {
            let url = format!("http://origin.example/{name}");
            world.net.script(&url, [Reply::ok(content(1, 10))]);
            world.download(&url)
        })
        .collect();
    world.run();
    for id in ids {
        assert!(matches!(world.outcome(id), Some(Outcome::Complete(_))));
    }
    assert!(!world.manager.limit().unwrap().is_exceeded());
    assert_eq!(world.visible().len(), 1, "{:?}", world.visible());
}

#[test]
fn a_mark_that_could_not_be_made_is_none_and_the_next_run_eats_nothing() {
    for failing in ["open", "write", "rename"] {
        let mut world = World::new(bounded(10, 1, false));
        world.directory.fail_when(move |operation| {
            let fails = match operation.op {
                FileOp::Open { .. } => failing == "open",
                FileOp::Write { .. } => failing == "write",
                FileOp::Rename { .. } => failing == "rename",
                _ => false,
            };
            fails.then(|| Fault::new(FaultKind::NoSpace).into())
        });
        world.run();
        let refused = |(_, notice): &(_, Notice)| matches!(notice, Notice::DirectoryRefused { .. });
        assert!(world.notices().iter().any(refused), "{failing}");
        world.close();
        assert_eq!(world.directory.list().len(), 0, "{failing}: nothing was touched: {:?}", world.directory.list());

        let directory = world.directory.clone();
        directory.clear_rules();
        for name in ["mine-1", "mine-2", "mine-3"] {
            directory.put_file(name, &[0; 10]);
        }
        let mut world = World::new(bounded(10, 1, false));
        world.directory = directory;
        world.manager.remove_old_files(world.now());
        world.run();
        assert!(world.notices().iter().any(refused), "{failing}: a stranger's files need to be adopted");
        assert_eq!(evicted(&world), [""; 0]);
    }
}

#[test]
fn a_mark_whose_rename_was_done_although_it_faulted_is_found_by_a_look() {
    let mut world = World::new(bounded(10, 1, false));
    world.directory.fail_when(|operation| {
        matches!(operation.op, FileOp::Rename { .. }).then(|| Failure::after(Fault::new(FaultKind::Io)))
    });
    world.run();
    assert!(world.directory.read(OWNER_MARK).is_some());
    assert!(world.notices().iter().any(|(_, notice)| matches!(notice, Notice::DirectoryReady)));
}

#[test]
fn a_mark_is_made_again_when_its_folder_was_removed_meanwhile() {
    let mut world = World::new(bounded(10, 1, false));
    let mut is_first = true;
    world.directory.fail_when(move |operation| {
        let fails = matches!(operation.op, FileOp::Open { .. }) && std::mem::take(&mut is_first);
        fails.then(|| Failure::instead(Fault::new(FaultKind::NotFound)))
    });
    world.run();
    assert!(world.directory.read(OWNER_MARK).is_some());
    assert!(world.notices().iter().any(|(_, notice)| matches!(notice, Notice::DirectoryReady)));
}

#[test]
fn a_mark_is_flushed_whatever_the_durability() {
    let mut world = World::new(bounded(10, 1, false));
    assert_eq!(world.manager.config().durability, Durability::None);
    world.run();
    let operations = world.file_operations();
    let place = |word: &str| operations.iter().position(|operation| operation.starts_with(word)).expect(word);
    assert!(place("Write") < place("Sync") && place("Sync") < place("Rename"), "{operations:?}");
}

#[test]
fn an_empty_mark_is_not_trusted() {
    let mut world = World::new(bounded(10, 1, false));
    world.directory.put_folder(".dlmanager");
    world.directory.put_file(OWNER_MARK, b"");
    world.directory.put_file("mine-1", &[0; 10]);
    world.directory.put_file("mine-2", &[0; 10]);
    world.manager.remove_old_files(world.now());
    world.run();
    assert_eq!(world.visible(), ["mine-1", "mine-2"]);
}

#[test]
fn a_file_that_goes_while_it_is_being_touched_is_fetched() {
    let mut world = World::new(Config::default());
    world.directory.put_file("a", b"old");
    let directory = world.directory.clone();
    world
        .directory
        .delay_when(|operation| matches!(operation.op, FileOp::Touch { .. }).then_some(Duration::from_secs(1)));
    world.net.script("http://origin.example/a", [Reply::ok(content(1, 100))]);
    let id = world.download("http://origin.example/a");
    world.run_for(Duration::from_millis(500));
    assert!(directory.remove("a"));
    world.run();
    world.assert_complete(id, "a", &content(1, 100));
    let untouched = |(_, notice): &(_, Notice)| matches!(notice, Notice::Warning(Warning::NotTouched { .. }));
    assert!(!world.notices().iter().any(untouched));
}

#[test]
fn another_process_that_removes_the_empty_work_folder_costs_no_attempt() {
    let mut world = World::new(Config { retries_max: 0, ..Config::default() });
    for name in ["a", "b"] {
        let url = format!("http://origin.example/{name}");
        world.net.script(&url, [Reply::ok(content(1, 100))]);
        let id = world.download(&url);
        world.run();
        world.assert_complete(id, name, &content(1, 100));
        world.directory.remove(".dlmanager");
    }
    assert_eq!(world.net.requests().len(), 2);
}

#[test]
fn another_process_that_removes_the_work_folder_under_the_unfinished_file_costs_no_attempt() {
    let mut world = World::new(Config { retries_max: 0, ..Config::default() });
    let mut left = 3;
    world.directory.fail_when(move |operation| {
        let fails = matches!(operation.op, FileOp::Open { .. }) && left > 0;
        left -= u32::from(fails);
        fails.then(|| Failure::instead(Fault::new(FaultKind::NotFound)))
    });
    let url = "http://origin.example/a";
    world.net.script(url, [Reply::ok(content(1, 100))]);
    let id = world.download(url);
    world.run();
    world.assert_complete(id, "a", &content(1, 100));
}

#[test]
fn who_is_canceled_while_he_looks_leaves_no_record_of_an_earlier_run() {
    let config = || Config { retries_max: 0, record_bytes_min: 1, ..Config::default() };
    let url = "http://origin.example/a";
    let file = Resource::new(content(1, 100)).header(ETAG, "\"v1\"");
    let mut world = World::new(config());
    world.net.script(url, [file.whole().cut_at(50)]);
    let id = world.download(url);
    world.run();
    assert!(matches!(world.error(id), DownloadError::Network(_)));
    assert_eq!(world.unfinished().len(), 2, "an unfinished file and its record: {:?}", world.unfinished());

    let mut world = World::within(world.directory.process(), config(), 2);
    let is_record = |path: Option<&StorePath>| path.is_some_and(|path| path.as_str().ends_with(".rec"));
    world.directory.delay_when(move |operation| {
        let looks = matches!(operation.op, FileOp::Stat { .. }) && is_record(operation.path);
        looks.then_some(Duration::from_secs(1))
    });
    let id = world.download(url);
    world.run_for(Duration::from_millis(500));
    world.manager.cancel(world.now(), id).unwrap();
    world.run();
    assert_eq!(world.outcome(id), Some(&Outcome::Canceled));
    assert!(world.unfinished().is_empty(), "{:?}", world.unfinished());
    assert!(world.net.requests().is_empty());
}

#[test]
fn what_is_heard_late_of_a_file_that_is_compared_says_nothing_of_the_unfinished_one() {
    let mut world = World::new(Config::default());
    let url = "http://origin.example/a";
    world.directory.put_file("a", b"what is to be replaced");
    let mut compared = 0;
    world.directory.delay_when(move |operation| {
        let compares = matches!(operation.op, FileOp::Open { mode: OpenMode::Read, .. });
        compared += u32::from(compares);
        // It is compared once more when the unfinished file is made.
        (compares && compared == 2).then_some(Duration::from_secs(1))
    });
    let checksum = Digest::new(Algorithm::Sha256, &[7; 32]).unwrap();
    let request = Request::new(url).unwrap().checksum(checksum).if_present(IfPresent::Replace);
    let id = world.admit(request).id();
    world.run_for(Duration::from_millis(500));
    assert_eq!(world.unfinished().len(), 1);
    world.manager.interrupt(world.now(), id).unwrap();
    world.run();
    assert_eq!(world.outcome(id), Some(&Outcome::Canceled));
    assert!(world.unfinished().is_empty(), "nothing came that could be kept: {:?}", world.unfinished());
}

#[test]
fn a_file_that_was_whole_before_its_connection_broke_is_told_as_it_came() {
    let mut world = World::new(Config::default());
    let (url, moved) = ("http://origin.example/a", "http://mirror.example/a");
    let file = Resource::new(content(1, 100)).header(ETAG, "\"v1\"").header(CONTENT_ENCODING, "gzip");
    world.net.script(url, [Reply::redirect(moved)]);
    world.net.script(moved, [file.whole().cut_at(100)]);
    let id = world.download(url);
    world.run();
    world.assert_complete(id, "a", &content(1, 100));
    assert_eq!(world.net.requests().len(), 2, "all of it was there");
    let Some(Outcome::Complete(complete)) = world.outcome(id) else { panic!("it is complete") };
    assert_eq!((complete.url.as_str(), complete.content_encoding.as_deref()), (moved, Some("gzip")));
}

#[test]
fn what_somebody_else_puts_in_the_place_of_an_unfinished_file_is_neither_published_nor_removed() {
    for cancels in [false, true] {
        let mut world = World::new(Config::default());
        world.net.script("http://h.example/file", [Reply::ok(content(1, 3_000)).pieces(1_000, Duration::from_secs(1))]);
        let id = world.download("http://h.example/file");
        world.run_to_phase(id, Phase::Receiving);
        let [path] = &world.unfinished()[..] else { panic!("{:?}", world.unfinished()) };
        world.directory.remove(path);
        world.directory.put_file(path, b"a stranger's");
        if cancels {
            world.manager.cancel(world.now(), id).unwrap();
        }
        world.run();
        match world.outcome(id) {
            Some(Outcome::Canceled) => assert!(cancels),
            Some(Outcome::Failed(error)) => assert!(!cancels && error.kind() == "file", "{error}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.visible(), [""; 0]);
        world.assert_file(path, b"a stranger's");
    }
}

/// A redirect that leads elsewhere leads to another resource, whatever its validator says.
#[test]
fn the_validator_of_another_resource_is_none() {
    let etag = |version| Reply::ok(content(version, 60_000)).header(ETAG, "\"same\"");
    let part = Reply::status(StatusCode::PARTIAL_CONTENT)
        .body(content(2, 60_000).slice(40_000..))
        .header(ETAG, "\"same\"")
        .header(CONTENT_RANGE, "bytes 40000-59999/60000");
    let mut world = World::new(Config::default());
    world
        .net
        .script("http://h.example/latest", [Reply::redirect("/v1"), Reply::redirect("/v2"), Reply::redirect("/v2")]);
    world.net.script("http://h.example/v1", [etag(1).cut_at(40_000)]);
    world.net.script("http://h.example/v2", [part, etag(2)]);
    let id = world.download("http://h.example/latest");
    world.run();
    world.assert_complete(id, "latest", &content(2, 60_000));
}
