//! What is tried again, when, and how often; and what takes too long.

use std::time::Duration;

use dlmanager_core::{Config, DownloadError, FaultKind, Instant, Notice, TimeoutKind};
use dlmanager_scripted::{Reply, content};
use dlmanager_world::World;
use http::StatusCode;
use http::header::RETRY_AFTER;

const URL: &str = "http://h.example/file";
const SECOND: Duration = Duration::from_secs(1);

fn world(config: Config, replies: impl IntoIterator<Item = Reply>) -> World {
    let mut world = World::new(config);
    world.net.script(URL, replies);
    world
}

fn whole() -> Reply {
    Reply::ok(content(1, 100_000))
}

fn without_retries() -> Config {
    Config { retries_max: 0, ..Config::default() }
}

/// The retries that were told: the attempt, the delay, the cause.
fn retries(world: &World) -> Vec<(u32, Duration, DownloadError)> {
    let retry = |notice: &Notice| match notice {
        Notice::Retrying { attempt, delay, cause, .. } => Some((*attempt, *delay, cause.clone())),
        _ => None,
    };
    world.notices().iter().filter_map(|(_, notice)| retry(notice)).collect()
}

#[test]
fn a_connection_cut_midway_is_tried_again_and_the_rewind_is_told() {
    let mut world = world(Config::default(), [whole().pieces(10_000, SECOND).cut_at(60_000), whole()]);
    let id = world.download(URL);
    world.run();
    world.assert_complete(id, "file", &content(1, 100_000));
    let rewound = world.notices().iter().find_map(|(_, notice)| match notice {
        Notice::Rewound { from, to, .. } => Some((*from, *to)),
        _ => None,
    });
    assert_eq!(rewound, Some((60_000, 0)));
    let rewinds: Vec<_> = world.progress(id).iter().map(|progress| progress.rewinds).collect();
    assert_eq!((rewinds.first(), rewinds.last()), (Some(&0), Some(&1)));
    assert_eq!(retries(&world).len(), 1);
}

#[test]
fn a_file_that_changes_between_two_attempts_is_never_a_mixture() {
    let second = Reply::ok(content(2, 90_000));
    let mut world = world(Config::default(), [whole().cut_at(60_000), second]);
    let id = world.download(URL);
    world.run();
    world.assert_complete(id, "file", &content(2, 90_000));
}

#[test]
fn what_may_pass_is_tried_again() {
    let may_pass = [
        Reply::refuse(),
        Reply::unresolved(),
        Reply::no_head(FaultKind::Reset),
        Reply::status(StatusCode::REQUEST_TIMEOUT),
        Reply::status(StatusCode::TOO_MANY_REQUESTS),
        Reply::status(StatusCode::INTERNAL_SERVER_ERROR),
        Reply::status(StatusCode::BAD_GATEWAY),
        Reply::status(StatusCode::SERVICE_UNAVAILABLE),
        Reply::status(StatusCode::GATEWAY_TIMEOUT),
        whole().cut_at(1),
        whole().cut_at(100_000),
        whole().end_at(0),
        whole().stall_at(50_000),
        Reply::never_connects(),
        Reply::silent(),
    ];
    for reply in may_pass {
        let mut world = world(Config::default(), [reply.clone(), whole()]);
        let id = world.download(URL);
        world.run();
        world.assert_complete(id, "file", &content(1, 100_000));
        assert_eq!(world.net.requests().len(), 2, "{reply:?}");
        world.close();
        assert!(world.unfinished().is_empty());
    }
}

#[test]
fn retries_wait_longer_each_time_with_jitter_and_end() {
    let config = Config { retries_max: 8, ..Config::default() };
    let mut world = world(config, [Reply::status(StatusCode::SERVICE_UNAVAILABLE)]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::Status { status: 503 });
    assert_eq!(world.net.requests().len(), 9);
    let retries = retries(&world);
    let mut most = Duration::from_millis(500);
    for (at, (attempt, delay, cause)) in retries.iter().enumerate() {
        assert_eq!((*attempt as usize, cause), (at + 1, &DownloadError::Status { status: 503 }));
        assert!(*delay <= most, "{delay:?} of {most:?}");
        most = (most * 2).min(Duration::from_secs(30));
    }
    let delays: Vec<Duration> = retries.iter().map(|(_, delay, _)| *delay).collect();
    assert!(delays.iter().any(|delay| *delay > SECOND), "some wait: {delays:?}");
    // Each request is sent when its delay is over, not before.
    let asked: Vec<Instant> = world.net.requests().iter().map(|request| request.at).collect();
    for (pair, delay) in asked.windows(2).zip(&delays) {
        assert!(pair[1].since(pair[0]) >= *delay, "{pair:?} {delay:?}");
    }
}

#[test]
fn other_downloads_go_on_while_one_waits_for_its_retry() {
    let config = Config { jobs: 1, backoff_min: SECOND * 20, ..Config::default() };
    let mut world = world(config, [Reply::refuse(), whole()]);
    world.net.script("http://h.example/other", [Reply::ok(content(2, 10))]);
    let first = world.download(URL);
    let second = world.download("http://h.example/other");
    world.run();
    let ended = world.notices().iter().filter_map(|(_, notice)| match notice {
        Notice::Finished { id, .. } => Some(*id),
        _ => None,
    });
    let ended: Vec<_> = ended.collect();
    assert_eq!(ended, [second, first], "a wait holds no slot");
    world.assert_complete(first, "file", &content(1, 100_000));
}

#[test]
fn requests_are_bounded_whatever_progress_they_make() {
    let config = Config { requests_max: 7, retries_max: 1_000, ..Config::default() };
    let mut world = world(config, [whole().cut_at(99_999)]);
    let id = world.download(URL);
    world.run();
    assert!(matches!(world.error(id), DownloadError::TooManyRequests { requests_max: 7, .. }), "{:?}", world.error(id));
    assert_eq!(world.net.requests().len(), 7);
}

#[test]
fn a_connection_that_is_never_made_times_out() {
    let mut world = world(without_retries(), [Reply::never_connects()]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::Timeout(TimeoutKind::Connect));
    assert_eq!(world.now(), Instant::ZERO + SECOND * 10);
}

#[test]
fn a_head_that_never_comes_times_out_counted_from_the_connection() {
    let mut world = world(without_retries(), [Reply::silent().connect_after(SECOND * 9)]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::Timeout(TimeoutKind::FirstByte));
    assert_eq!(world.now(), Instant::ZERO + SECOND * 39);
}

#[test]
fn a_connection_and_a_head_just_in_time_are_fine() {
    let slow = whole().connect_after(SECOND * 9).head_after(SECOND * 29);
    let mut world = world(without_retries(), [slow]);
    let id = world.download(URL);
    world.run();
    world.assert_complete(id, "file", &content(1, 100_000));
}

#[test]
fn a_body_that_stops_times_out() {
    let mut world = world(without_retries(), [whole().stall_at(60_000)]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::Timeout(TimeoutKind::Stall));
    let waited = world.now().since(Instant::ZERO);
    assert!((SECOND * 30..=SECOND * 61).contains(&waited), "{waited:?}");
    assert!(world.visible().is_empty());
}

#[test]
fn a_trickle_is_a_stall() {
    // 100 bytes in 10 s: something always comes, and never 1 KiB in 30 s.
    let mut world = world(without_retries(), [whole().pieces(100, SECOND * 10)]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::Timeout(TimeoutKind::Stall));
    let waited = world.now().since(Instant::ZERO);
    assert!(waited <= SECOND * 91, "{waited:?}");
}

#[test]
fn a_slow_body_that_is_no_trickle_is_fetched() {
    // 2,000 bytes in 20 s.
    let mut world = world(without_retries(), [whole().pieces(2_000, SECOND * 20)]);
    let id = world.download(URL);
    world.run();
    world.assert_complete(id, "file", &content(1, 100_000));
}

#[test]
fn the_whole_download_may_be_bounded_in_time() {
    let config = Config { timeout: Some(SECOND * 60), ..Config::default() };
    let mut world = world(config, [whole().cut_at(50_000), whole().pieces(2_000, SECOND * 20)]);
    let id = world.download(URL);
    world.run();
    assert_eq!(*world.error(id), DownloadError::Timeout(TimeoutKind::Whole));
    assert_eq!(world.now(), Instant::ZERO + SECOND * 60);
    world.close();
    assert!(world.unfinished().is_empty());
}

#[test]
fn the_stall_of_a_driver_is_not_the_stall_of_a_server() {
    let mut world = world(without_retries(), [whole().pieces(10_000, SECOND)]);
    let id = world.download(URL);
    world.run_for(SECOND * 3);
    // For ten minutes nobody drives; the next chunk has long been there.
    world.stop_driving(SECOND * 600);
    world.run();
    world.assert_complete(id, "file", &content(1, 100_000));
}

#[test]
fn a_wait_that_a_server_asks_for_is_kept_by_all_of_its_origin_and_nobody_comes_at_its_very_end() {
    let mut world = World::new(Config { per_host: 1, ..Config::default() });
    let refused = Reply::status(StatusCode::SERVICE_UNAVAILABLE).header(RETRY_AFTER, "60");
    world.net.script(URL, [refused, whole()]);
    world.net.otherwise(whole());
    let ids =
        [URL, "http://h.example/a", "http://h.example/b", "http://other.example/c"].map(|url| world.download(url));
    world.run();
    for (id, name) in ids.into_iter().zip(["file", "a", "b", "c"]) {
        world.assert_complete(id, name, &content(1, 100_000));
    }
    let mut at: Vec<(String, Duration)> =
        world.net.requests().iter().map(|seen| (seen.uri.to_string(), seen.at.since(Instant::ZERO))).collect();
    let waited: Vec<_> = at.split_off(1).into_iter().filter(|(uri, _)| uri.contains("//h.")).collect();
    assert_eq!(waited.len(), 3);
    for (uri, at) in &waited {
        assert!(*at > 60 * SECOND && *at <= 66 * SECOND, "{uri} at {at:?}");
    }
    let other = world.net.requests().iter().find(|seen| seen.uri.host() == Some("other.example")).unwrap();
    assert_eq!(other.at, Instant::ZERO, "another origin waits for nothing");
}
