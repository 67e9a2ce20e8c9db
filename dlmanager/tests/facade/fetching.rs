//! `fetch`: one file, without a manager.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use dlmanager::{AdmitError, DownloadError, Error, FetchError, How, IfPresent, Progress, TimeoutKind, fetch};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{At, Body, Gate, Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{DEADLINE, Memory, Scripted, end, entries, names, runtimes, within};

#[test]
fn a_file_is_fetched_to_its_path_and_the_last_progress_is_told_before_that_is_over() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let body = Body::pattern(1, 100_000);
    origin.serve("/a.bin", Reply::body(body.clone()));
    let path = folder.path().join("sub/b.bin");
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let tell = Arc::clone(&seen);
    let fetching = fetch(origin.url("/a.bin"), &path).progress(move |progress| tell.lock().unwrap().push(*progress));
    let file = within(move || fetching.wait()).unwrap();
    assert_eq!((&file.path, file.length, file.how), (&path, 100_000, How::Fetched));
    assert_eq!(body.compare(std::fs::File::open(&path).unwrap()).unwrap(), None);
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].received, seen[0].total), (0, Some(100_000)));
    assert_eq!(seen.last().map(|last| (last.received, last.total)), Some((100_000, Some(100_000))));
    assert_eq!(entries(&folder.path().join("sub")), names(&["b.bin"]));
}

#[test]
fn it_can_be_awaited_on_any_executor() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a.bin", Reply::body("bytes"));
    let fetching = fetch(origin.url("/a.bin"), folder.path().join("a.bin"));
    within(|| smol::block_on(async { fetching.await })).unwrap();
    let again = fetch(origin.url("/a.bin"), folder.path().join("a.bin"));
    assert!(within(|| smol::block_on(async { again.await })).unwrap().is_present());
    origin.serve("/a.bin", Reply::body("others"));
    let replacing = fetch(origin.url("/a.bin"), folder.path().join("a.bin")).if_present(IfPresent::Replace);
    within(|| smol::block_on(async { replacing.await })).unwrap();
    assert_eq!(std::fs::read(folder.path().join("a.bin")).unwrap(), b"others");
}

#[test]
fn what_is_wrong_is_told() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::empty(404));
    let folder = folder.path().join("not/made");
    let go = |url: String, path: std::path::PathBuf| within(move || fetch(url, path).wait());
    assert!(matches!(go(origin.url("/a"), folder.join("..")), Err(FetchError::NoName { .. })));
    assert!(matches!(go(origin.url("/a"), folder.join("nul")), Err(FetchError::Path { .. })));
    assert!(matches!(go("ftp://example.org/a".into(), folder.join("a")), Err(FetchError::Admit(AdmitError::Url(_)))));
    assert!(!folder.exists(), "nothing is made for what cannot work");
    let missing = go(origin.url("/a"), folder.join("a"));
    assert!(
        matches!(missing, Err(FetchError::Download(Error::Failed(DownloadError::Status { status: 404 })))),
        "{missing:?}"
    );
    assert!(entries(&folder).is_empty());
}

#[test]
fn it_can_be_started_observed_and_waited_for_by_a_handle() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a.bin", Reply::body(Body::pattern(1, 100_000)).gate_at(At::Body(50_000), &gate));
    let path = folder.path().join("sub/b.bin");
    let fetching = fetch(origin.url("/a.bin"), &path);
    let download = within(move || fetching.start()).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    assert!(download.is_running() && !download.is_canceled());
    assert_eq!((download.dest(), download.name()), (path.as_path(), "b.bin"));
    let (values, observed) = mpsc::channel();
    download.set_progress(move |progress| values.send(progress.received).unwrap());
    gate.open();
    let file = end(&download).unwrap();
    assert_eq!((&file.path, file.length, file.how), (&path, 100_000, How::Fetched));
    // The observer is dropped with its last call, and nothing else is left.
    assert_eq!(within(move || observed.into_iter().last()), Some(100_000));
    assert_eq!(entries(&folder.path().join("sub")), names(&["b.bin"]));
    assert!(!download.is_running());
}

#[test]
fn one_that_was_started_goes_on_without_its_handle_and_can_be_canceled() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a.bin", Reply::body(Body::pattern(1, 100_000)).gate_at(At::Body(50_000), &gate));
    let path = folder.path().join("a.bin");
    let fetching = fetch(origin.url("/a.bin"), &path);
    let download = within(move || fetching.start()).unwrap();
    let (told, ended) = mpsc::channel::<()>();
    download.set_progress(move |_| told.send(()).unwrap_or(()));
    assert!(gate.wait_reached(1, DEADLINE));
    drop(download);
    gate.open();
    within(move || ended.into_iter().for_each(drop));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_000);

    origin.serve("/b.bin", Reply::body(Body::pattern(1, 100_000)).stall_at(At::Body(50_000)));
    let fetching = fetch(origin.url("/b.bin"), folder.path().join("b.bin"));
    let download = within(move || fetching.start()).unwrap();
    origin.wait_for(DEADLINE, |seen| !seen.requests.is_empty()).unwrap();
    download.cancel().unwrap();
    assert_eq!(end(&download), Err(Error::Canceled));
    assert!(download.is_canceled());
    assert_eq!(entries(folder.path()), names(&["a.bin"]), "once it has ended nothing is left");
}

#[test]
fn a_failure_of_one_that_was_started_is_told_by_its_handle() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::empty(404));
    let path = folder.path().join("a");
    let fetching = fetch(origin.url("/a"), &path).retries(0);
    let download = within(move || fetching.start()).unwrap();
    assert_eq!(end(&download), Err(Error::Failed(DownloadError::Status { status: 404 })));
    assert!(entries(folder.path()).is_empty());
    let refused = within(move || fetch("ftp://example.org/a", path).start());
    assert!(matches!(refused, Err(FetchError::Admit(AdmitError::Url(_)))), "{refused:?}");
}

#[test]
fn a_fetch_that_is_dropped_is_canceled() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a", Reply::body("bytes").gate_at(At::Body(2), &gate));
    let mut fetching = Box::pin(fetch(origin.url("/a"), folder.path().join("a")).into_future());
    within({
        let gate = gate.clone();
        move || {
            let reached = smol::unblock(move || assert!(gate.wait_reached(1, DEADLINE)));
            smol::block_on(smol::future::or(async { drop((&mut fetching).await) }, reached));
        }
    });
    origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    assert!(!folder.path().join("a").exists());
}

#[test]
fn it_runs_on_the_runtime_and_with_the_settings_that_are_chosen() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let body = Body::pattern(1, 100_000);
        origin.serve("/a.bin", Reply::body(body.clone()));
        origin.serve("/mute", Reply::body("late").stall_at(At::Start));
        origin.serve("/stalled", Reply::body("late").stall_at(At::Body(2)));
        let go = |path: &str| fetch(origin.url(path), folder.path().join("a")).runtime(runtime).retries(0);

        let chosen = format!("{:?}", go("/a.bin"));
        assert!(chosen.contains(&format!("{runtime:?}")), "{chosen}");
        let failed = |fetching: dlmanager::Fetch| match within(move || fetching.wait()) {
            Err(FetchError::Download(Error::Failed(error))) => error,
            other => panic!("{runtime:?}: {other:?}"),
        };
        let short = Duration::from_millis(50);
        let mute = failed(go("/mute").first_byte_timeout(short));
        assert_eq!(mute, DownloadError::Timeout(TimeoutKind::FirstByte), "{runtime:?}");
        let stalled = failed(go("/stalled").stall_timeout(short));
        assert_eq!(stalled, DownloadError::Timeout(TimeoutKind::Stall), "{runtime:?}");
        let long = failed(go("/a.bin").file_bytes_max(99_999));
        assert!(matches!(long, DownloadError::TooLarge { .. }), "{runtime:?}: {long:?}");

        let fetching = go("/a.bin").user_agent("somebody/1");
        let file = within(move || fetching.wait()).unwrap();
        assert_eq!(body.compare(std::fs::File::open(&file.path).unwrap()).unwrap(), None, "{runtime:?}");
        let seen = origin.records();
        let last = seen.requests.last().unwrap();
        assert_eq!((last.path(), last.header("user-agent")), ("/a.bin", Some("somebody/1")), "{runtime:?}");
    }
}

#[test]
fn it_takes_a_transport_and_a_store_of_ones_own() {
    let (scripted, directory) = (Scripted::new(), MemoryDirectory::new());
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 1_000)));
    let fetching = fetch("http://origin.example/a", "nowhere/b").transport(scripted.transport());
    let fetching = fetching.store(Memory(directory.clone()));
    let file = within(move || fetching.wait()).unwrap();
    assert_eq!((file.path.to_str(), scripted.requests()), (Some("nowhere/b"), 1));
    assert_eq!(directory.read("b").as_deref(), Some(&content(1, 1_000)[..]));
    assert!(!std::path::Path::new("nowhere").exists());
}
