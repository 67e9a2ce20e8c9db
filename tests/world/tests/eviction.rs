//! The bound of the directory: what goes, when, and what never does.

use std::time::Duration;

use dlmanager_core::{
    Bounds, Config, DirectoryError, DownloadError, Durability, Fault, FaultKind, FileName, FileOp, Kept, LimitConfig,
    Notice, OWNER_MARK, Outcome, Pattern, Stamp, StorePath, Unmet, Warning, Why,
};
use dlmanager_scripted::{Reply, content};
use dlmanager_world::{RuledFile, World, removed_by_the_rule};

const SECOND: i64 = 1_000_000_000;

fn config(size_limit: u64, file_limit: u64, adopt: bool) -> Config {
    let limit = LimitConfig { size_limit, file_limit, pattern: Pattern::default(), adopt, ..LimitConfig::default() };
    Config { limit: Some(limit), durability: Durability::None, ..Config::default() }
}

/// Six files of 10 bytes, a the oldest by access.
fn six_files(config: Config) -> World {
    let world = World::new(config);
    for (age, name) in ["f", "e", "d", "c", "b", "a"].into_iter().enumerate() {
        put(&world, name, 10, (age as i64 + 1) * 600);
    }
    world
}

fn put(world: &World, name: &str, length: usize, seconds_ago: i64) {
    world.directory.put_file(name, &vec![b'x'; length]);
    let stamp = Stamp::from_nanos(world.directory.now().as_nanos() - seconds_ago * SECOND);
    assert!(world.directory.set_stamps(name, stamp, stamp));
}

/// Runs one pass.
fn sweep(world: &mut World) {
    world.turn();
    world.manager.remove_old_files(world.now());
    world.turn();
    world.run();
}

fn swept(world: &World) -> Vec<(u64, u64, Option<Unmet>)> {
    let pass = |notice: &Notice| match notice {
        Notice::Swept { files, bytes, unmet, .. } => Some((*files, *bytes, *unmet)),
        _ => None,
    };
    world.notices().iter().filter_map(|(_, notice)| pass(notice)).collect()
}

#[test]
fn the_rows_of_the_seed() {
    let rows = [(10, 5, "bcdef"), (10, 3, "def"), (0, 5, "abcdef"), (5, 0, "abcdef"), (35, 1, "def")];
    for (size_limit, file_limit, left) in rows {
        let mut world = six_files(config(size_limit, file_limit, true));
        sweep(&mut world);
        assert_eq!(world.visible().concat(), left, "({size_limit}, {file_limit})");
        world.close();
        assert_eq!(world.visible().concat(), left);
    }
}

#[test]
fn the_rule_is_the_seeds_line_by_line() {
    let files: Vec<RuledFile> = ["a", "b", "c", "d", "e", "f"]
        .into_iter()
        .enumerate()
        .map(|(age, path)| RuledFile { path: path.to_owned(), accessed: age as i64, length: 10, spared: false })
        .collect();
    for (size_limit, file_limit, removed) in [(10, 5, "a"), (10, 3, "abc"), (0, 5, ""), (5, 0, ""), (35, 1, "abc")] {
        assert_eq!(removed_by_the_rule(size_limit, file_limit, &files).concat(), removed);
    }
}

#[test]
fn a_strangers_directory_is_refused_and_nothing_in_it_is_touched() {
    let mut world = six_files(config(10, 3, false));
    world.net.otherwise(Reply::ok(content(1, 10)));
    let id = world.download("http://h.example/new");
    world.manager.remove_old_files(world.now());
    world.run();
    assert!(matches!(world.error(id), DownloadError::Directory(DirectoryError::NotOurs { .. })));
    assert!(world.notices().iter().any(|(_, notice)| matches!(notice, Notice::DirectoryRefused { .. })));
    sweep(&mut world);
    world.close();
    assert_eq!(world.directory.list().into_keys().collect::<String>(), "abcdef");
    assert_eq!(world.net.requests().len(), 0);
}

#[test]
fn an_empty_directory_becomes_ours_and_stays_so() {
    let mut world = World::new(config(25, 1, false));
    world.net.otherwise(Reply::ok(content(1, 10)));
    let id = world.download("http://h.example/a");
    world.run();
    world.assert_complete(id, "a", &content(1, 10));
    world.close();
    assert!(world.directory.read(OWNER_MARK).is_some(), "the mark stays");
    // Another manager finds the mark, and what lies there is ours to evict.
    let directory = world.directory.clone();
    let mut world = World::new(config(25, 1, false));
    world.directory = directory;
    put(&world, "b", 10, 50);
    put(&world, "c", 10, 40);
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "ac");
}

#[test]
fn the_mark_stands_before_the_first_file() {
    let mut world = World::new(config(25, 1, false));
    world.net.otherwise(Reply::ok(content(1, 10)));
    world.directory.fail_when(|operation| {
        let is_mark = matches!(operation.op, FileOp::Rename { to, .. } if to.as_str() == OWNER_MARK);
        is_mark.then(|| Fault::new(FaultKind::Denied).into())
    });
    let id = world.download("http://h.example/a");
    world.run();
    assert!(matches!(world.error(id), DownloadError::Directory(DirectoryError::Fault(_))), "{:?}", world.error(id));
    assert!(world.visible().is_empty());
}

#[test]
fn eviction_follows_every_download_that_ends_and_comes_before_its_end_is_told() {
    for fails in [false, true] {
        let mut world = six_files(config(10, 5, true));
        if !fails {
            world.net.otherwise(Reply::ok(content(1, 10)));
        }
        let id = world.download("http://h.example/new");
        world.run();
        let told: Vec<String> = world
            .notices()
            .iter()
            .filter_map(|(_, notice)| match notice {
                Notice::Evicted { path, .. } => Some(path.to_string()),
                Notice::Finished { id: other, .. } if *other == id => Some("finished".to_owned()),
                _ => None,
            })
            .collect();
        let expected: &[&str] = if fails { &["a", "finished"] } else { &["a", "b", "finished"] };
        assert_eq!(told, expected);
    }
}

#[test]
fn a_file_that_is_present_evicts_nothing_and_is_used() {
    let mut world = six_files(config(10, 5, true));
    let id = world.download("http://h.example/a");
    world.run();
    assert_eq!(world.outcome(id), Some(&Outcome::Present { length: 10 }));
    assert_eq!(world.visible().len(), 6);
    // a was used just now, so b is the oldest.
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "acdef");
}

#[test]
fn the_file_just_published_is_never_the_victim() {
    let mut world = World::new(config(1, 1, true));
    put(&world, "old", 10, -3_600); // accessed in the future: it looks newer than anything
    world.net.otherwise(Reply::ok(content(1, 10)));
    let id = world.download("http://h.example/new");
    world.run();
    world.assert_complete(id, "new", &content(1, 10));
    assert_eq!(world.visible(), ["new"]);
}

#[test]
fn only_what_matches_and_is_a_visible_file_counts() {
    let mut config = config(1, 1, true);
    if let Some(limit) = &mut config.limit {
        limit.pattern = Pattern::new("*.zip");
    }
    let mut world = World::new(config);
    for (age, name) in ["z.zip", "y.zip", "x.txt", ".hidden.zip"].into_iter().enumerate() {
        put(&world, name, 10, age as i64);
    }
    world.directory.put_folder("folder.zip");
    world.directory.put_symlink("link.zip", "z.zip");
    sweep(&mut world);
    assert_eq!(world.visible(), [".hidden.zip", "folder.zip", "link.zip", "x.txt", "z.zip"]);
    assert_eq!(swept(&world), [(1, 10, Some(Unmet::FileLimit))]);
}

#[test]
fn a_file_that_changed_since_it_was_seen_is_left() {
    let mut world = six_files(config(10, 5, true));
    world.run();
    let now = world.directory.now();
    assert!(world.directory.set_stamps("a", now, now), "somebody reads the oldest");
    world.manager.remove_old_files(world.now());
    world.run();
    assert!(world.visible().contains(&"a".to_owned()), "{:?}", world.visible());
}

#[test]
fn a_file_that_cannot_go_neither_stops_the_pass_nor_spoils_the_sum() {
    let mut world = six_files(config(10, 3, true));
    world.directory.fail_when(|operation| {
        let is_a = operation.path.is_some_and(|path| path.as_str() == "a");
        (is_a && matches!(operation.op, FileOp::Delete { .. })).then(|| Fault::new(FaultKind::Denied).into())
    });
    sweep(&mut world);
    let left = world.visible().len();
    assert!(left >= 3 && world.visible().contains(&"a".to_owned()));
    let last = swept(&world).last().copied();
    assert_eq!(last.map(|(files, bytes, _)| (files, bytes)), Some((left as u64, left as u64 * 10)));
}

#[test]
fn what_cannot_be_met_is_said() {
    let mut world = six_files(config(10, 6, true));
    sweep(&mut world);
    assert_eq!(swept(&world), [(6, 60, Some(Unmet::FileLimit))]);
    let mut world = six_files(config(1_000, 1, true));
    sweep(&mut world);
    assert_eq!(swept(&world), [(6, 60, None)]);
}

/// What was evicted and why, and what was kept and why, in order.
fn told(world: &World) -> Vec<(String, Result<Why, Kept>)> {
    let one = |notice: &Notice| match notice {
        Notice::Evicted { path, why, .. } => Some((path.to_string(), Ok(*why))),
        Notice::Kept { path, why, .. } => Some((path.to_string(), Err(*why))),
        _ => None,
    };
    world.notices().iter().filter_map(|(_, notice)| one(notice)).collect()
}

fn bounded(bounds: Bounds, size_limit: u64, file_limit: u64) -> Config {
    let mut config = config(size_limit, file_limit, true);
    if let Some(limit) = &mut config.limit {
        limit.bounds = bounds;
    }
    config
}

#[test]
fn a_leased_file_stays_and_others_go_in_its_place() {
    let mut world = six_files(config(10, 4, true));
    world.directory.set_leased("a", true);
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "adef");
    let goes = |name: &str| (name.to_owned(), Ok(Why::Size));
    assert_eq!(told(&world), [goes("b"), goes("c"), ("a".into(), Err(Kept::InUse))]);
    // Once it is free, it goes as well.
    world.directory.set_leased("a", false);
    put(&world, "g", 10, 1);
    world.net.otherwise(Reply::ok(content(1, 10)));
    world.download("http://h.example/new");
    world.run();
    assert!(!world.visible().contains(&"a".to_owned()), "{:?}", world.visible());
}

#[test]
fn a_pinned_file_stays_and_others_go_in_its_place() {
    let mut world = six_files(config(10, 4, true));
    let pin = StorePath::entry("b").unwrap().pin();
    world.directory.put_file(pin.as_str(), b"");
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "bdef");
    assert!(told(&world).contains(&("b".into(), Err(Kept::Pinned))));
    // It is not tried again and again, but a pass that is asked for finds out whether it is pinned still.
    world.directory.remove(pin.as_str());
    world.net.otherwise(Reply::ok(content(1, 10)));
    for (name, left) in [("new1", ["b", "e", "f", "new1"]), ("new2", ["e", "f", "new1", "new2"])] {
        world.stop_driving(Duration::from_secs(1));
        world.download(&format!("http://h.example/{name}"));
        world.run();
        assert_eq!(world.visible(), left);
        sweep(&mut world);
    }
}

#[test]
fn what_the_program_holds_or_pins_is_not_even_tried() {
    let mut world = six_files(config(10, 3, true));
    let (a, b) = (FileName::new("a").unwrap(), FileName::new("b").unwrap());
    world.manager.hold(&a);
    world.manager.hold(&a);
    world.manager.set_pinned(&b, true);
    world.directory.fail_when(|operation| {
        let FileOp::Delete { items, .. } = operation.op else { return None };
        let is_held = items.iter().any(|item| matches!(item.path.as_str(), "a" | "b"));
        is_held.then(|| Fault::new(FaultKind::Denied).into())
    });
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "abf");
    world.directory.clear_rules();
    let now = world.now();
    world.manager.release(now, &a);
    put(&world, "g", 10, 0);
    world.net.otherwise(Reply::ok(content(1, 10)));
    world.download("http://h.example/new");
    world.run();
    assert!(world.visible().contains(&"a".to_owned()), "it is held once more");
    let now = world.now();
    world.manager.release(now, &a);
    world.download("http://h.example/newer");
    world.run();
    assert!(!world.visible().contains(&"a".to_owned()) && world.visible().contains(&"b".to_owned()));
}

#[test]
fn what_was_not_accessed_for_too_long_goes_however_few_there_are() {
    let hour = Duration::from_secs(3_600);
    let bounds = Bounds { age_max: Some(hour), ..Bounds::default() };
    let mut world = six_files(bounded(bounds, 0, 0));
    put(&world, "just", 10, 3_600 + 59);
    put(&world, "over", 10, 3_600 + 61);
    sweep(&mut world);
    // a is of an hour ago: the minute that stamps may lag behind is granted.
    assert_eq!(world.visible().concat(), "abcdefjust");
    assert_eq!(told(&world), [("over".to_owned(), Ok(Why::Age))]);
    world.stop_driving(hour * 2);
    sweep(&mut world);
    assert!(world.visible().is_empty());
    assert_eq!(swept(&world).last(), Some(&(0, 0, None)));
}

#[test]
fn while_too_little_space_is_free_the_oldest_go_down_to_the_number_to_keep() {
    let bounds = Bounds { free_bytes_min: 1_000, ..Bounds::default() };
    let mut world = six_files(bounded(bounds, 0, 2));
    world.directory.set_free(Some(975));
    sweep(&mut world);
    // What went gave 10 bytes each: enough, by what is known before the next look.
    assert!(told(&world).starts_with(&[
        ("a".to_owned(), Ok(Why::Space)),
        ("b".into(), Ok(Why::Space)),
        ("c".into(), Ok(Why::Space))
    ]));
    // The disk says that nothing became free, which it may say late: those were enough for now.
    assert_eq!(world.visible().concat(), "def");
    assert_eq!(swept(&world).last().map(|(files, _, unmet)| (*files, *unmet)), Some((3, None)));
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "def");
    // It still says so, as their blocks are somebody else's, too: so it goes on, and ends.
    world.stop_driving(Duration::from_secs(61));
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "ef");
    assert_eq!(swept(&world).last().map(|(files, _, unmet)| (*files, *unmet)), Some((2, Some(Unmet::FileLimit))));
    world.directory.set_free(Some(1_000));
    sweep(&mut world);
    assert_eq!(swept(&world).last().map(|(files, _, unmet)| (*files, *unmet)), Some((2, None)));
}

#[test]
fn room_is_made_for_what_is_announced_and_what_can_never_fit_is_refused_at_once() {
    let bounds = Bounds { reserves: true, ..Bounds::default() };
    let mut world = six_files(bounded(bounds, 65, 2));
    world.net.script("http://h.example/new", [Reply::ok(content(1, 30)).stall_at(10)]);
    let id = world.download("http://h.example/new");
    world.turn();
    for _ in 0..20 {
        world.turn();
    }
    // 60 bytes and 30 on their way are 90: three files go while it is being fetched.
    assert_eq!(world.visible().concat(), "def", "{:?}", world.outcome(id));
    assert!(world.outcome(id).is_none());
    world.manager.cancel(world.now(), id).unwrap();
    world.run();
    assert_eq!(world.visible().concat(), "def", "what was to come counts no longer");

    let mut world = six_files(bounded(bounds, 65, 2));
    world.manager.set_pinned(&FileName::new("f").unwrap(), true);
    world.net.script("http://h.example/new", [Reply::ok(content(1, 55))]);
    let id = world.download("http://h.example/new");
    world.run();
    assert_eq!(*world.error(id), DownloadError::NoRoom { length: 55, room_max: 54 });
    assert_eq!(world.net.requests().len(), 1, "it is not tried again");
    assert_eq!(world.visible().len(), 6, "and nothing went for it");
}

#[test]
fn stamps_from_the_future_count_as_of_now_so_that_new_files_are_not_the_oldest() {
    // The clock was set back a year: all that is there is newer than anything that comes.
    let year = 365 * 24 * 3_600;
    let mut world = World::new(config(35, 1, true));
    for (age, name) in ["c", "b", "a"].into_iter().enumerate() {
        put(&world, name, 10, age as i64 * 3_600 - year);
    }
    world.net.otherwise(Reply::ok(content(1, 10)));
    world.run();
    for round in 1..=3 {
        world.stop_driving(Duration::from_secs(60));
        let id = world.download(&format!("http://h.example/new{round}"));
        world.run();
        assert!(matches!(world.outcome(id), Some(Outcome::Complete(_))));
    }
    // Those of the future go first, in their order.
    let gone: Vec<String> = told(&world).into_iter().map(|(path, _)| path).collect();
    assert_eq!(gone, ["a", "b", "c"]);
    assert_eq!(world.visible(), ["new1", "new2", "new3"]);
}

/// Fetches a file a minute later. All that was evicted so far.
fn fetched(world: &mut World, name: &str) -> String {
    world.stop_driving(Duration::from_secs(60));
    let id = world.download(&format!("http://h.example/{name}"));
    world.run();
    assert!(matches!(world.outcome(id), Some(Outcome::Complete(_))), "{name}");
    told(world).into_iter().map(|(path, _)| path).collect::<Vec<_>>().concat()
}

#[test]
fn a_clock_that_is_set_back_after_the_scan_is_noticed_by_the_next_pass() {
    let year = 365 * 24 * 3_600 * SECOND;
    let mut world = World::new(config(35, 1, true));
    for (age, name) in ["c", "b", "a"].into_iter().enumerate() {
        put(&world, name, 10, (1 + age as i64) * 3_600);
    }
    world.net.otherwise(Reply::ok(content(1, 10)));
    assert_eq!(fetched(&mut world, "0"), "a");
    world.directory.set_now(Stamp::from_nanos(world.directory.now().as_nanos() - year));
    // What was there before is older than what comes, in its order; and what comes gets old as ever.
    assert_eq!(
        ["1", "2", "3", "4", "5"].map(|name| fetched(&mut world, name)),
        ["ab", "abc", "abc0", "abc01", "abc012"]
    );
}

#[test]
fn what_dead_processes_left_goes_before_anything_that_is_complete() {
    let key = "0123456789abcdef0123456789abcdef";
    let mut world = six_files(config(10, 5, true));
    let left = [format!(".dlmanager/{key}.part"), format!(".dlmanager/{}.rec", key.replace('0', "1"))];
    for path in &left {
        put(&world, path, 10, 61);
    }
    let young = format!(".dlmanager/{}.part", key.replace('0', "2"));
    put(&world, &young, 10, 59);
    let locked = format!(".dlmanager/{}.part", key.replace('0', "3"));
    put(&world, &locked, 10, 3_600);
    world.directory.set_leased(&locked, true);
    put(&world, ".dlmanager/notes", 10, 1_000_000);
    sweep(&mut world);
    let list = world.directory.list();
    assert!(left.iter().all(|path| !list.contains_key(path)), "{list:?}");
    assert!([&young, &locked, &".dlmanager/notes".to_owned()].iter().all(|path| list.contains_key(*path)), "{list:?}");
}

#[test]
fn what_can_be_gone_on_with_stays_for_its_time_unless_room_is_needed() {
    let key = "0123456789abcdef0123456789abcdef";
    let day = 24 * 3_600;
    for (age, free, stays) in
        [(6 * day, None, true), (8 * day, None, false), (day, Some(5), false), (day, Some(50), true)]
    {
        let bounds = Bounds { free_bytes_min: 10, ..Bounds::default() };
        let mut world = six_files(bounded(bounds, 1_000, 5));
        for extension in ["part", "rec"] {
            put(&world, &format!(".dlmanager/{key}.{extension}"), 10, age);
        }
        world.directory.set_free(free);
        sweep(&mut world);
        let list = world.directory.list();
        let left = ["part", "rec"].map(|extension| list.contains_key(&format!(".dlmanager/{key}.{extension}")));
        assert_eq!(left, [stays; 2], "{age} {free:?}");
    }
}

#[test]
fn a_manager_without_a_limit_removes_what_is_stale_when_it_closes() {
    let key = "0123456789abcdef0123456789abcdef";
    let mut world = World::new(Config { durability: Durability::None, ..Config::default() });
    world.net.otherwise(Reply::ok(content(1, 10)));
    put(&world, &format!(".dlmanager/{key}.part"), 10, 61);
    put(&world, &format!(".dlmanager/{key}.rec"), 10, 8 * 24 * 3_600);
    put(&world, &format!(".dlmanager/{}.part", key.replace('0', "1")), 10, 3_600);
    world.download("http://h.example/a");
    world.run();
    world.close();
    let list: Vec<String> = world.directory.list().into_keys().collect();
    // The first can be gone on with; its younger half counts.
    assert_eq!(
        list,
        [".dlmanager".to_owned(), format!(".dlmanager/{key}.part"), format!(".dlmanager/{key}.rec"), "a".into()]
    );
    let directory = world.directory.clone();
    let mut world = World::new(Config { durability: Durability::None, ..Config::default() });
    world.directory = directory;
    world.stop_driving(Duration::from_secs(8 * 24 * 3_600));
    world.download("http://h.example/a");
    world.run();
    world.close();
    assert_eq!(world.directory.list().into_keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_directory_of_a_later_version_is_refused_clearly() {
    for adopt in [false, true] {
        let mut world = six_files(config(10, 3, adopt));
        world.directory.put_file(OWNER_MARK, b"dlmanager 2\nwith more to say\n");
        let id = world.download("http://h.example/new");
        world.run();
        assert_eq!(*world.error(id), DownloadError::Directory(DirectoryError::Newer { format: 2 }));
        sweep(&mut world);
        assert_eq!(world.visible().len(), 6);
    }
}

#[test]
fn nothing_is_evicted_that_was_replaced_by_a_symlink_meanwhile() {
    let mut world = six_files(config(10, 5, true));
    world.run();
    world.directory.put_file("kept", b"0123456789");
    world.directory.remove("a");
    world.directory.put_symlink("a", "kept");
    world.manager.remove_old_files(world.now());
    world.run();
    let list = world.directory.list();
    assert_eq!(list.get("a"), Some(&dlmanager_core::FileKind::Symlink));
    assert_eq!(world.directory.read("kept").as_deref(), Some(&b"0123456789"[..]));
}

#[test]
fn where_there_are_no_locks_the_rule_holds_all_the_same() {
    let key = "0123456789abcdef0123456789abcdef";
    let mut world = six_files(config(10, 3, true));
    world.directory.set_locks_work(false);
    // Nothing tells that nobody is at work on it.
    put(&world, &format!(".dlmanager/{key}.part"), 10, 3_600);
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "def");
    assert!(world.directory.stat(&format!(".dlmanager/{key}.part")).is_some());
}

#[test]
fn in_a_directory_that_cannot_be_written_the_pass_ends_and_says_so() {
    let mut world = six_files(config(10, 3, true));
    world.directory.fail_when(|operation| {
        let writes = matches!(operation.op, FileOp::Delete { .. } | FileOp::MakeDir { .. });
        writes.then(|| Fault::new(FaultKind::ReadOnly).into())
    });
    sweep(&mut world);
    assert_eq!(world.visible().concat(), "abcdef");
    assert_eq!(swept(&world), [(6, 60, Some(Unmet::InUse))]);
    let denied = |notice: &Notice| matches!(notice, Notice::Warning(Warning::NotEvicted { fault, .. }) if fault.kind() == FaultKind::ReadOnly);
    assert!(world.notices().iter().any(|(_, notice)| denied(notice)));
}

#[test]
fn names_that_are_not_utf_8_are_a_strangers_and_are_never_touched() {
    for adopt in [false, true] {
        let mut world = World::new(config(10, 1, adopt));
        world.directory.put_unnameable(b"\xff\xfe");
        world.net.otherwise(Reply::ok(content(1, 10)));
        let ids: Vec<_> = ["a", "b"].iter().map(|name| world.download(&format!("http://h.example/{name}"))).collect();
        world.run();
        for id in ids {
            assert_eq!(matches!(world.outcome(id), Some(Outcome::Complete(_))), adopt);
        }
        // One of the two went, but not the one without a name that can be told.
        let visible = world.visible();
        assert_eq!(visible.len(), if adopt { 2 } else { 1 }, "{visible:?}");
        assert!(visible.iter().any(|name| name.contains('\u{fffd}')), "{visible:?}");
    }
}

#[test]
fn of_a_file_with_two_names_each_counts_and_each_goes_by_itself() {
    let mut world = six_files(config(10, 6, true));
    world.directory.put_link("g", "a");
    sweep(&mut world);
    // Both bear the stamp of the one file: of equals the first by name.
    assert_eq!(world.visible().concat(), "bcdefg");
    assert_eq!(world.directory.read("g").as_deref(), Some(&[b'x'; 10][..]));
}
