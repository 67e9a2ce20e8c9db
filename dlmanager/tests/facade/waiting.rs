//! Waiting for many: who is waited for, and what is told.

use dlmanager::{DownloadManager, Error};
use dlmanager_origin::{At, Gate, Origin, Reply};

use crate::support::{DEADLINE, runtimes, within};

#[test]
fn wait_lists_every_failure_once() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/good", Reply::body("bytes"));
    origin.serve("/bad", Reply::empty(404));
    origin.serve("/worse", Reply::empty(410));
    let manager = DownloadManager::builder(folder.path()).retries(0).open().unwrap();
    for path in ["/bad", "/good", "/worse"] {
        manager.download(origin.url(path)).unwrap();
    }
    let waiting = manager.clone();
    let error = within(move || waiting.wait()).unwrap_err();
    let mut failed: Vec<_> =
        error.failures().iter().map(|failure| (failure.download.name.as_str(), failure.error.kind())).collect();
    failed.sort_unstable();
    assert_eq!(failed, [("bad", "status"), ("worse", "status")]);
    assert_eq!(error.omitted(), 0);
    assert!(error.to_string().contains("(and 1 more)"), "{error}");
    assert!(manager.downloads().is_empty());
    let waiting = manager.clone();
    within(move || waiting.wait()).expect("what was told is not told again");
}

#[test]
fn what_was_canceled_has_not_failed() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body("bytes").stall_at(At::Body(2)));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let download = manager.download(origin.url("/a")).unwrap();
    assert_eq!(manager.cancel_all(), 1);
    within(move || manager.wait()).unwrap();
    assert_eq!(download.result(), Some(Err(Error::Canceled)));
}

#[test]
fn several_threads_wait_for_the_same_and_are_told_the_same() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let gate = Gate::new();
        origin.serve("/bad", Reply::empty(404).gate_at(At::Start, &gate));
        let manager = DownloadManager::builder(folder.path()).runtime(runtime).retries(0).open().unwrap();
        let download = manager.download(origin.url("/bad")).unwrap();
        assert!(gate.wait_reached(1, DEADLINE));
        // Each wait begins here; the threads only block in it.
        let waits: Vec<_> = (0..4).map(|_| manager.all_done()).collect();
        let threads: Vec<_> =
            waits.into_iter().map(|wait| std::thread::spawn(move || within(move || wait.wait()))).collect();
        let handles: Vec<_> = (0..4)
            .map(|_| {
                let download = download.clone();
                std::thread::spawn(move || within(move || download.wait()))
            })
            .collect();
        gate.open();
        for thread in threads {
            assert_eq!(thread.join().unwrap().unwrap_err().failures().len(), 1);
        }
        for handle in handles {
            assert!(handle.join().unwrap().is_err());
        }
        within(move || manager.wait()).unwrap();
    }
}

#[test]
fn a_wait_is_for_what_was_started_before_it() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/first", Reply::body("bytes"));
    origin.serve("/second", Reply::body("bytes").gate_at(At::Body(2), &gate));
    let manager = DownloadManager::new(folder.path()).unwrap();
    manager.download(origin.url("/first")).unwrap();
    let first = manager.all_done();
    let second = manager.download(origin.url("/second")).unwrap();
    within(move || first.wait()).unwrap();
    assert!(second.is_running());
    assert_eq!(second.wait_timeout(std::time::Duration::ZERO), None);
    gate.open();
    let idle = manager.clone();
    within(move || idle.wait_idle());
    assert!(!second.is_running());
}

#[test]
fn failures_are_left_by_a_wait_that_was_dropped_and_by_wait_idle() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/bad", Reply::empty(404));
    let manager = DownloadManager::builder(folder.path()).retries(0).open().unwrap();
    manager.download(origin.url("/bad")).unwrap();
    drop(manager.all_done());
    let idle = manager.clone();
    within(move || idle.wait_idle());
    assert_eq!(within(move || manager.wait()).unwrap_err().failures().len(), 1);
}
