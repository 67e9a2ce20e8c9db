//! Many downloads: joining, queues, bounds, cancel, close; a slow disk, a fast server.

use std::time::Duration;

use dlmanager_core::{
    Admission, AdmitError, CancelError, Config, DownloadId, FileName, FileOp, Instant, Notice, Outcome, Output, Phase,
    Request, WakeReason,
};
use dlmanager_scripted::{Reply, content};
use dlmanager_world::World;

const SECOND: Duration = Duration::from_secs(1);

/// 100,000 bytes in 5 seconds.
fn slow(version: u64) -> Reply {
    Reply::ok(content(version, 100_000)).pieces(20_000, SECOND)
}

fn finished(world: &World) -> Vec<DownloadId> {
    let id = |notice: &Notice| match notice {
        Notice::Finished { id, .. } => Some(*id),
        _ => None,
    };
    world.notices().iter().filter_map(|(_, notice)| id(notice)).collect()
}

fn named(url: &str, name: &str) -> Request {
    Request::new(url).expect("a URL").name(FileName::new(name).expect("a name"))
}

#[test]
fn a_download_that_runs_under_the_name_is_joined_also_with_another_url() {
    let mut world = World::new(Config::default());
    world.net.script("http://h.example/file", [slow(1)]);
    let id = world.download("http://h.example/file");
    for phase in [Phase::Connecting, Phase::Receiving] {
        world.run_until("the next phase", |world| world.phase(id) >= Some(phase));
        assert_eq!(world.admit(named("http://h.example/file", "file")), Admission::Joined(id));
        assert_eq!(world.admit(named("http://other.example/x", "file")), Admission::Joined(id));
    }
    world.run();
    world.assert_complete(id, "file", &content(1, 100_000));
    assert_eq!(world.net.requests().len(), 1);
    assert_eq!(finished(&world), [id]);
    // Later it is there.
    let again = world.download("http://h.example/file");
    world.run();
    assert_eq!(world.outcome(again), Some(&Outcome::Present { length: 100_000 }));
}

#[test]
fn jobs_bound_the_exchanges_of_all_and_per_host_those_with_one_origin() {
    let mut world = World::new(Config { jobs: 5, per_host: 2, ..Config::default() });
    world.net.otherwise(slow(1));
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(world.download(&format!("http://h{}.example/{number}", number % 4)));
    }
    world.run();
    assert_eq!(world.net.open_exchanges_peak(), 5);
    for host in 0..4 {
        assert_eq!(world.net.open_exchanges_peak_at(&format!("http://h{host}.example")), 2);
    }
    for (number, id) in ids.into_iter().enumerate() {
        world.assert_complete(id, &number.to_string(), &content(1, 100_000));
    }
}

#[test]
fn an_exchange_holds_its_slot_until_its_end_is_answered() {
    let mut world = World::new(Config { jobs: 1, ..Config::default() });
    world.net.otherwise(Reply::ok(content(1, 10)).drop_after(SECOND * 7));
    for number in 0..3 {
        world.download(&format!("http://h.example/{number}"));
    }
    world.run();
    assert_eq!(world.net.open_exchanges_peak(), 1);
    assert_eq!(world.now().since(Instant::ZERO), SECOND * 21);
}

#[test]
fn origins_are_served_in_turn() {
    let mut world = World::new(Config { jobs: 1, ..Config::default() });
    world.net.otherwise(Reply::ok(content(1, 10)));
    // The one that blocks the queue, then three of one origin, then one each of two others.
    world.download("http://first.example/x");
    for name in ["a1", "a2", "a3"] {
        world.download(&format!("http://a.example/{name}"));
    }
    world.download("http://b.example/b1");
    world.download("http://c.example/c1");
    world.run();
    let hosts: Vec<String> =
        world.net.requests().iter().filter_map(|seen| seen.uri.host().map(str::to_owned)).collect();
    let last = |host: &str| hosts.iter().rposition(|other| other == host);
    assert_eq!(hosts.len(), 6);
    assert!(last("b.example") < last("a.example") && last("c.example") < last("a.example"), "{hosts:?}");
}

#[test]
fn cancel_ends_a_download_in_every_phase_and_leaves_nothing() {
    for phase in [Phase::Queued, Phase::Checking, Phase::Connecting, Phase::Receiving, Phase::Waiting] {
        let mut world = World::new(Config { jobs: 1, ..Config::default() });
        world.directory.delay_when(|_| Some(Duration::from_millis(10)));
        world.net.script("http://h.example/first", [slow(1)]);
        let first = if phase == Phase::Queued { Some(world.download("http://h.example/first")) } else { None };
        let reply = if phase == Phase::Waiting { Reply::refuse() } else { slow(2).connect_after(SECOND) };
        world.net.script("http://h.example/file", [reply]);
        let id = world.download("http://h.example/file");
        world.run_to_phase(id, phase);
        if phase == Phase::Receiving {
            world.run_for(SECOND * 2);
        }
        let asked = world.now();
        assert_eq!(world.manager.cancel(asked, id), Ok(()));
        world.run_until("the end of the download", |world| world.outcome(id).is_some());
        assert_eq!(world.outcome(id), Some(&Outcome::Canceled), "{phase:?}");
        assert!(world.now().since(asked) <= Duration::from_millis(50), "{phase:?} {:?}", world.now().since(asked));
        assert_eq!(world.manager.cancel(world.now(), id), Err(CancelError::Unknown));
        world.run();
        if let Some(first) = first {
            world.assert_complete(first, "first", &content(1, 100_000));
        }
        world.close();
        assert!(!world.visible().contains(&"file".to_owned()) && world.unfinished().is_empty(), "{phase:?}");
    }
}

#[test]
fn cancel_during_a_stalled_body_ends_at_once() {
    let mut world = World::new(Config::default());
    world.net.script("http://h.example/file", [Reply::ok(content(1, 100_000)).stall_at(60_000)]);
    let id = world.download("http://h.example/file");
    world.run_for(SECOND * 5);
    let asked = world.now();
    assert_eq!(world.manager.cancel(asked, id), Ok(()));
    world.run_until("the end", |world| world.outcome(id).is_some());
    assert_eq!((world.outcome(id), world.now()), (Some(&Outcome::Canceled), asked));
    world.close();
    assert!(world.visible().is_empty() && world.unfinished().is_empty());
}

#[test]
fn a_file_that_is_being_published_can_no_longer_be_canceled() {
    let mut world = World::new(Config::default());
    world.net.script("http://h.example/file", [Reply::ok(content(1, 100_000))]);
    world.directory.delay_when(|operation| matches!(operation.op, FileOp::Rename { .. }).then_some(SECOND));
    let id = world.download("http://h.example/file");
    world.run_to_phase(id, Phase::Publishing);
    assert_eq!(world.manager.cancel(world.now(), id), Err(CancelError::AlreadyPublishing));
    world.run();
    world.assert_complete(id, "file", &content(1, 100_000));
}

#[test]
fn a_canceled_download_is_not_joined_the_new_one_waits_until_it_is_gone() {
    let mut world = World::new(Config::default());
    world.net.otherwise(slow(1).drop_after(SECOND * 3));
    let first = world.download("http://h.example/file");
    world.run_for(SECOND * 2);
    assert_eq!(world.manager.cancel(world.now(), first), Ok(()));
    let second = world.admit(named("http://other.example/file", "file"));
    let Admission::Started(second) = second else { panic!("joined a canceled download: {second:?}") };
    assert_eq!(world.admit(named("http://third.example/file", "file")), Admission::Joined(second));
    world.run();
    assert_eq!(finished(&world), [first, second]);
    assert_eq!(world.outcome(first), Some(&Outcome::Canceled));
    world.assert_complete(second, "file", &content(1, 100_000));
    assert_eq!(world.net.open_exchanges_peak(), 1);
}

#[test]
fn those_that_match_are_canceled_and_counted() {
    let mut world = World::new(Config::default());
    world.net.otherwise(slow(1));
    let ids: Vec<_> = (0..6).map(|number| world.download(&format!("http://h.example/{number}"))).collect();
    world.run_for(SECOND);
    let count = world.manager.cancel_if(world.now(), |info| info.name.as_str() >= "4");
    assert_eq!(count, 2);
    world.run();
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(world.outcome(*id) == Some(&Outcome::Canceled), number >= 4, "{number}");
    }
    assert_eq!(world.visible(), ["0", "1", "2", "3"]);
}

#[test]
fn closing_cancels_all_admits_nothing_more_and_drains() {
    let mut world = World::new(Config { jobs: 3, ..Config::default() });
    world.net.otherwise(slow(1));
    let ids: Vec<_> = (0..8).map(|number| world.download(&format!("http://h.example/{number}"))).collect();
    world.run_for(SECOND * 2);
    assert!(!world.manager.is_drained());
    let asked = world.now();
    world.manager.close(asked);
    let late = world.manager.download(asked, named("http://h.example/late", "late"));
    assert_eq!(late, Err(AdmitError::Closed));
    world.close();
    assert_eq!(world.now(), asked, "nothing is waited for");
    assert!(ids.iter().all(|id| world.outcome(*id) == Some(&Outcome::Canceled)));
    assert!(world.directory.list().is_empty(), "{:?}", world.directory);
}

#[test]
fn an_idle_manager_waits_for_a_command_without_a_deadline() {
    let mut world = World::new(Config::default());
    world.net.otherwise(slow(1));
    world.download("http://h.example/file");
    world.run();
    let Output::Wait(wait) = world.manager.poll() else { panic!("an output after the last turn") };
    assert_eq!((wait.until, wait.why), (None, WakeReason::Command));
}

#[test]
fn memory_stays_flat_while_a_fast_server_feeds_a_slow_disk_and_that_is_no_stall() {
    const LENGTH: usize = 64 * 1024 * 1024;
    let config = Config::default();
    let bound = (config.held_bytes_max + config.read_bytes_max) as u64;
    let stall = config.stall_timeout;
    let body = content(1, LENGTH);
    let mut world = World::new(config);
    world.net.script("http://h.example/file", [Reply::ok(body.clone())]);
    // Each write takes longer than a server may stall.
    world.directory.delay_when(move |operation| matches!(operation.op, FileOp::Write { .. }).then_some(stall * 2));
    let id = world.download("http://h.example/file");
    let mut peak = 0;
    world.run_until("the end", |world| {
        let received = world.manager.info(id).map_or(0, |info| info.progress.received);
        peak = peak.max(received.saturating_sub(world.directory.used_bytes()));
        world.outcome(id).is_some()
    });
    world.assert_complete(id, "file", &body);
    assert_eq!(world.net.requests().len(), 1, "a slow disk is not a stalled server");
    assert!(peak > 0 && peak < bound, "{peak} bytes were held, and less than {bound} may be");
}

#[test]
fn a_backlog_of_files_that_are_being_published_stops_new_fetches() {
    for publishing_max in [1_u32, 2, 3] {
        let mut world = World::new(Config { jobs: 1, publishing_max: publishing_max as usize, ..Config::default() });
        world.net.otherwise(Reply::ok(content(1, 10)));
        let is_rename = |op: &FileOp| matches!(op, FileOp::Rename { .. });
        world.directory.delay_when(move |operation| is_rename(operation.op).then_some(SECOND * 10));
        let ids: Vec<_> = (0..5).map(|number| world.download(&format!("http://h.example/{number}"))).collect();
        world.run();
        for (number, id) in ids.iter().enumerate() {
            world.assert_complete(*id, &number.to_string(), &content(1, 10));
        }
        let asked = world.net.requests().iter().map(|seen| seen.at.since(Instant::ZERO));
        let expected = (0..5).map(|number| SECOND * 10 * (number / publishing_max));
        assert!(asked.clone().eq(expected), "{publishing_max}: {:?}", asked.collect::<Vec<_>>());
    }
}
