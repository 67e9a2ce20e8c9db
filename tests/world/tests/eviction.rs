//! The bound of the directory: what goes, when, and what never does.

use dlmanager_core::{
    Config, DirectoryError, DownloadError, Durability, Fault, FaultKind, FileOp, LimitConfig, Notice, OWNER_MARK,
    Outcome, Pattern, Stamp, Unmet,
};
use dlmanager_scripted::{Reply, content};
use dlmanager_world::{RuledFile, World, removed_by_the_rule};

const SECOND: i64 = 1_000_000_000;

fn config(size_limit: u64, file_limit: u64, adopt: bool) -> Config {
    let limit = LimitConfig { size_limit, file_limit, pattern: Pattern::default(), adopt };
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
        Notice::Swept { files, bytes, unmet } => Some((*files, *bytes, *unmet)),
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
