//! What is unfinished: kept, gone on with, or removed, as was asked for.

use std::path::Path;
use std::time::Duration;

use dlmanager::{DownloadError, DownloadManager, Error, Event, Notice, Resume, fetch};
use dlmanager_origin::{At, Body, Cut, Gate, Origin, Reply, Request, Resource};

use crate::support::{DEADLINE, close, end, entries, names, runtimes, within};

const MIB: u64 = 1 << 20;
const LENGTH: u64 = 4 * MIB;
/// Where a reply is cut or held.
const MIDDLE: u64 = 3 * MIB;

fn cut(resource: &Resource, version: u64) -> Reply {
    resource.reply(version).cut_at(At::Body(MIDDLE), Cut::Fin)
}

/// How many files are kept for a later run.
fn kept(folder: &Path) -> usize {
    let work_folder = folder.join(".dlmanager");
    if work_folder.is_dir() { entries(&work_folder).len() } else { 0 }
}

/// From where on a request asks for the rest, and by which validator.
fn asked(request: &Request) -> Option<(u64, &str)> {
    let range = request.header("Range")?;
    let from = range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
    Some((from, request.header("If-Range").unwrap_or_default()))
}

#[track_caller]
fn assert_whole(folder: &Path, name: &str, body: &Body) {
    assert_eq!(body.compare(std::fs::File::open(folder.join(name)).unwrap()).unwrap(), None);
    assert_eq!(entries(folder), names(&[name]), "nothing else is left");
}

#[test]
fn what_a_failed_download_has_is_gone_on_with_by_the_next_manager() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let resource = Resource::new(1, LENGTH);
        origin.script("/a", vec![cut(&resource, 1), resource.reply(1)]);
        let open = || DownloadManager::builder(folder.path()).runtime(runtime).retries(0).open().unwrap();

        let manager = open();
        let failed = end(&manager.download(origin.url("/a")).unwrap());
        assert!(matches!(failed, Err(Error::Failed(_))), "{failed:?}");
        close(&manager);
        assert_eq!(kept(folder.path()), 2, "the bytes, and what they are");

        let manager = open();
        let file = end(&manager.download(origin.url("/a")).unwrap()).unwrap();
        assert_eq!(file.length, LENGTH);
        close(&manager);
        assert_whole(folder.path(), "a", &resource.body(1));
        let seen = origin.records();
        assert_eq!(asked(&seen.requests[1]), Some((MIDDLE, resource.etag(1).as_str())));
    }
}

#[test]
fn an_interrupted_download_is_gone_on_with_and_a_canceled_one_starts_over() {
    for (keeps, from) in [(true, Some(MIDDLE)), (false, None)] {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let (resource, gate) = (Resource::new(2, LENGTH), Gate::new());
        origin.script("/a", vec![resource.reply(1).gate_at(At::Body(MIDDLE), &gate), resource.reply(1)]);
        let builder = DownloadManager::builder(folder.path()).progress_interval(Duration::ZERO);
        let manager = builder.open().unwrap();
        let mut events = manager.events();
        let download = manager.download(origin.url("/a")).unwrap();
        until_received(&mut events, MIDDLE);
        if keeps { download.interrupt() } else { download.cancel() }.unwrap();
        assert!(download.is_canceled());
        assert_eq!(end(&download), Err(Error::Canceled));
        assert_eq!(kept(folder.path()), if keeps { 2 } else { 0 });

        end(&manager.download(origin.url("/a")).unwrap()).unwrap();
        let seen = origin.records();
        assert_eq!(asked(&seen.requests[1]).map(|(from, _)| from), from);
        close(&manager);
        assert_whole(folder.path(), "a", &resource.body(1));
    }
}

#[test]
fn a_manager_that_is_closed_keeping_leaves_what_the_next_one_needs() {
    for (resume, kept_files) in [(Resume::AcrossRuns, 2), (Resume::WithinRun, 0), (Resume::Never, 0)] {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let (resource, gate) = (Resource::new(3, LENGTH), Gate::new());
        origin.script("/a", vec![resource.reply(1).gate_at(At::Body(MIDDLE), &gate), resource.reply(1)]);
        let open = || {
            let builder = DownloadManager::builder(folder.path()).progress_interval(Duration::ZERO);
            builder.resume(resume).open().unwrap()
        };
        let manager = open();
        let mut events = manager.events();
        let download = manager.download(origin.url("/a")).unwrap();
        until_received(&mut events, MIDDLE);
        let closed = manager.close_keeping();
        within(move || closed.wait()).unwrap();
        close(&manager);
        assert_eq!(download.result(), Some(Err(Error::Canceled)));
        assert_eq!(kept(folder.path()), kept_files, "{resume:?}");

        let manager = open();
        let mut events = manager.events();
        end(&manager.download(origin.url("/a")).unwrap()).unwrap();
        let first = std::iter::from_fn(|| events.try_recv().ok()).find_map(|event| match event {
            Event::Download { notice: Notice::Progress { progress, .. }, .. } => Some(progress.received),
            _ => None,
        });
        assert_eq!(first, Some(if kept_files > 0 { MIDDLE } else { 0 }), "the first report names where it starts");
        close(&manager);
        assert_whole(folder.path(), "a", &resource.body(1));
    }
}

#[test]
fn a_retry_goes_on_unless_nothing_is_to_be_resumed() {
    for resume in [Resume::AcrossRuns, Resume::WithinRun, Resume::Never] {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let resource = Resource::new(4, LENGTH);
        origin.script("/a", vec![cut(&resource, 1), resource.reply(1)]);
        let manager = DownloadManager::builder(folder.path()).resume(resume).open().unwrap();
        let file = end(&manager.download(origin.url("/a")).unwrap()).unwrap();
        assert_eq!(file.requests, 2);
        let seen = origin.records();
        assert_eq!(asked(&seen.requests[1]).is_some(), resume != Resume::Never, "{resume:?}");
        close(&manager);
        assert_whole(folder.path(), "a", &resource.body(1));

        origin.serve("/b", cut(&resource, 1));
        let manager = DownloadManager::builder(folder.path()).resume(resume).retries(0).open().unwrap();
        end(&manager.download(origin.url("/b")).unwrap()).unwrap_err();
        close(&manager);
        assert_eq!(kept(folder.path()), if resume == Resume::AcrossRuns { 2 } else { 0 }, "{resume:?}");
    }
}

#[test]
fn another_version_starts_over() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let resource = Resource::new(5, LENGTH);
    origin.script("/a", vec![cut(&resource, 1), resource.reply(2)]);
    let path = folder.path().join("a");
    let go = |path: &Path| {
        let fetching = fetch(origin.url("/a"), path).retries(0);
        within(move || fetching.wait())
    };
    go(&path).unwrap_err();
    assert_eq!(kept(folder.path()), 2);
    go(&path).unwrap();
    assert_eq!(origin.records().requests.len(), 2, "the whole came in answer to the request for the rest");
    assert_whole(folder.path(), "a", &resource.body(2));
}

#[test]
fn a_fetch_goes_on_with_what_an_earlier_one_left() {
    for (resume, from) in [(Resume::AcrossRuns, Some(MIDDLE)), (Resume::Never, None)] {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let resource = Resource::new(6, LENGTH);
        origin.script("/a", vec![cut(&resource, 1), resource.reply(1)]);
        for last in [false, true] {
            let fetching = fetch(origin.url("/a"), folder.path().join("a")).retries(0).resume(resume);
            assert_eq!(within(move || fetching.wait()).is_ok(), last);
        }
        let seen = origin.records();
        assert_eq!(asked(&seen.requests[1]).map(|(from, _)| from), from);
        assert_whole(folder.path(), "a", &resource.body(1));
    }
}

#[test]
fn who_comes_second_waits_for_the_first_is_told_so_once_and_fetches_nothing() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let (body, gate) = (Body::pattern(7, LENGTH), Gate::new());
    origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(MIDDLE), &gate));
    let open = || DownloadManager::new(folder.path()).unwrap();
    let (first, second) = (open(), open());
    let fetched = first.download(origin.url("/a")).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    let mut events = second.events();
    let present = second.download(origin.url("/a")).unwrap();
    let told = |event: &Event| matches!(event, Event::Download { notice: Notice::Locked { .. }, .. });
    while !told(&events.recv_timeout(DEADLINE).unwrap()) {}
    gate.open();
    assert!(!end(&fetched).unwrap().is_present());
    assert!(end(&present).unwrap().is_present());
    close(&second);
    close(&first);
    assert!(!std::iter::from_fn(|| events.try_recv().ok()).any(|event| told(&event)), "told twice");
    assert_eq!(origin.records().requests.len(), 1);
    assert_whole(folder.path(), "a", &body);
}

#[test]
fn who_does_not_want_to_wait_fetches_a_copy_of_his_own() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let (body, gate) = (Body::pattern(8, LENGTH), Gate::new());
    let whole = Reply::body(body.clone());
    origin.script("/a", vec![whole.clone().gate_at(At::Body(MIDDLE), &gate), whole]);
    let first = DownloadManager::new(folder.path()).unwrap();
    let second = DownloadManager::builder(folder.path()).lock_wait(Duration::ZERO).open().unwrap();
    let slow = first.download(origin.url("/a")).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    assert!(!end(&second.download(origin.url("/a")).unwrap()).unwrap().is_present());
    gate.open();
    assert!(end(&slow).unwrap().is_present(), "the second one was first");
    close(&second);
    close(&first);
    assert_eq!(origin.records().requests.len(), 2);
    assert_whole(folder.path(), "a", &body);
}

#[test]
fn a_server_that_asks_for_too_long_a_break_is_asked_again_before() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let busy = Reply::empty(503).header("Retry-After", "3600");
    origin.script("/a", vec![busy.clone(), Reply::body("bytes")]);
    let builder = DownloadManager::builder(folder.path()).retry_after_max(Duration::from_millis(10));
    let manager = builder.open().unwrap();
    end(&manager.download(origin.url("/a")).unwrap()).unwrap();
    assert_eq!(origin.records().requests.len(), 2);

    origin.serve("/b", busy);
    let manager = DownloadManager::builder(folder.path()).retries(0).open().unwrap();
    let busy = end(&manager.download(origin.url("/b")).unwrap());
    assert_eq!(busy, Err(Error::Failed(DownloadError::Status { status: 503 })));
}

fn until_received(events: &mut dlmanager::Events, bytes: u64) {
    loop {
        if let Event::Download { notice: Notice::Progress { progress, .. }, .. } =
            events.recv_timeout(DEADLINE).unwrap()
            && progress.received >= bytes
        {
            return;
        }
    }
}
