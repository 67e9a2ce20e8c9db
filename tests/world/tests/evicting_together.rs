//! One process evicts in a directory at a time: the others wait for their turn, say so, and not for ever.

use std::time::Duration;

use dlmanager_core::{Config, Durability, LimitConfig, Notice, Outcome, Stamp, Unmet};
use dlmanager_scripted::{Reply, content};
use dlmanager_world::World;

const WAIT_MAX: Duration = Duration::from_secs(10);

/// Six files of 10 bytes, a the oldest by access, of which three are to go; another process evicts.
fn world() -> World {
    let limit = LimitConfig { size_limit: 10, file_limit: 3, adopt: true, ..LimitConfig::default() };
    let world = World::new(Config { limit: Some(limit), durability: Durability::None, ..Config::default() });
    for (age, name) in ["f", "e", "d", "c", "b", "a"].into_iter().enumerate() {
        world.directory.put_file(name, b"0123456789");
        let stamp = Stamp::from_nanos(world.directory.now().as_nanos() - (age as i64 + 1) * 600_000_000_000);
        assert!(world.directory.set_stamps(name, stamp, stamp));
    }
    world.directory.set_evicting(true);
    world
}

fn sweep(world: &mut World) {
    world.turn();
    world.manager.remove_old_files(world.now());
    world.turn();
}

fn waits_told(world: &World) -> usize {
    world.notices().iter().filter(|(_, notice)| *notice == Notice::EvictionWaits).count()
}

fn swept(world: &World) -> Vec<(u64, Option<Unmet>)> {
    let pass = |notice: &Notice| match notice {
        Notice::Swept { files, unmet, .. } => Some((*files, *unmet)),
        _ => None,
    };
    world.notices().iter().filter_map(|(_, notice)| pass(notice)).collect()
}

#[test]
fn a_pass_waits_for_its_turn_says_so_once_and_then_does_what_is_left_to_do() {
    let mut world = world();
    sweep(&mut world);
    world.run_for(Duration::from_secs(3));
    assert_eq!((world.visible().concat().as_str(), waits_told(&world)), ("abcdef", 1));
    assert_eq!(swept(&world), []);
    // The other one does part of it.
    assert!(world.directory.remove("a") && world.directory.remove("b"));
    world.directory.set_evicting(false);
    world.run();
    assert_eq!(world.visible().concat(), "def", "together they remove no more than one alone");
    assert_eq!(swept(&world), [(3, Some(Unmet::FileLimit))]);
    assert_eq!(waits_told(&world), 1);
}

#[test]
fn what_never_comes_is_not_waited_for_any_longer_and_by_no_pass_but_the_first() {
    let mut world = world();
    world.net.otherwise(Reply::ok(content(1, 10)));
    let began = world.now();
    let first = world.download("http://h.example/x");
    world.run_until("the first download ends", |world| world.outcome(first).is_some());
    let waited = world.now().since(began);
    assert!((WAIT_MAX..WAIT_MAX + Duration::from_secs(1)).contains(&waited), "{waited:?}");
    assert!(matches!(world.outcome(first), Some(Outcome::Complete(_))));
    assert_eq!(swept(&world), [(7, Some(Unmet::Locked))]);

    let began = world.now();
    let second = world.download("http://h.example/y");
    world.run_until("the second one ends", |world| world.outcome(second).is_some());
    assert!(world.now().since(began) < Duration::from_secs(1));
    assert_eq!(world.visible().concat(), "abcdefxy");
    assert_eq!(waits_told(&world), 1);

    // As soon as it can be, it is made up for.
    world.directory.set_evicting(false);
    sweep(&mut world);
    world.run();
    assert_eq!(world.visible().concat(), "fxy");
    // What comes then is news.
    world.directory.set_evicting(true);
    let third = world.download("http://h.example/z");
    world.run_until("the third one ends", |world| world.outcome(third).is_some());
    assert_eq!(waits_told(&world), 2);
}

#[test]
fn a_pass_that_is_due_has_its_turn_before_the_manager_is_drained() {
    let mut world = world();
    sweep(&mut world);
    world.run_for(Duration::from_secs(1));
    world.manager.close(world.now());
    world.run_for(Duration::from_secs(1));
    assert!(!world.manager.is_drained());
    world.directory.set_evicting(false);
    world.run();
    assert!(world.manager.is_drained());
    assert_eq!(world.visible().concat(), "def");
}

#[test]
fn a_manager_that_never_has_its_turn_can_be_closed() {
    let mut world = world();
    sweep(&mut world);
    world.manager.close(world.now());
    world.run();
    assert!(world.manager.is_drained());
    assert_eq!(world.visible().concat(), "abcdef");
    assert_eq!(swept(&world), [(6, Some(Unmet::Locked))]);
}
