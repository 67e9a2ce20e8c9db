//! The end of a manager, asked for or not.

use std::sync::{Arc, Mutex};

use dlmanager::{AdmitError, DownloadManager, Error, IoRuntime, ManagerGone, OpenError};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{At, Body, Gate, Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{DEADLINE, Scripted, close, end, entries, in_memory, runtimes, within};

#[test]
fn close_cancels_what_runs_leaves_nothing_and_may_be_called_again() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let gate = Gate::new();
        origin.serve("/a", Reply::body(Body::pattern(1, 100_000)).gate_at(At::Body(50_000), &gate));
        let manager = DownloadManager::builder(folder.path()).runtime(runtime).jobs(1).open().unwrap();
        let running = manager.download(origin.url("/a")).unwrap();
        let queued = manager.download(origin.url("/b")).unwrap();
        assert!(gate.wait_reached(1, DEADLINE));
        close(&manager);
        assert_eq!(running.result(), Some(Err(Error::Canceled)));
        assert_eq!(queued.result(), Some(Err(Error::Canceled)));
        assert!(entries(folder.path()).is_empty());
        close(&manager);
        assert_eq!(manager.download(origin.url("/c")).unwrap_err(), AdmitError::Closed);
        assert!(manager.downloads().is_empty());
        within(move || manager.wait()).unwrap();
    }
}

#[test]
fn dropping_the_last_clone_cancels_without_blocking_and_handles_are_told() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let gate = Gate::new();
        origin.serve("/a", Reply::body("bytes").gate_at(At::Body(2), &gate));
        let manager = DownloadManager::builder(folder.path()).runtime(runtime).open().unwrap();
        let (clone, events) = (manager.clone(), manager.events());
        let download = manager.download(origin.url("/a")).unwrap();
        assert!(gate.wait_reached(1, DEADLINE));
        drop(manager);
        assert!(download.is_running(), "a clone is left");
        drop(clone);
        assert_eq!(end(&download), Err(Error::Canceled));
        // The stream of events ends when nothing is half done.
        within(move || events.into_iter().for_each(drop));
        assert!(entries(folder.path()).is_empty());
        origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    }
}

#[test]
fn a_download_lives_on_without_its_handle() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body("bytes"));
    let manager = DownloadManager::new(folder.path()).unwrap();
    drop(manager.download(origin.url("/a")).unwrap());
    let waiting = manager.clone();
    within(move || waiting.wait()).unwrap();
    assert!(manager.dest("a").unwrap().is_file());
}

/// An executor that can be ended with what it runs.
type Spawned = Arc<Mutex<Vec<smol::Task<()>>>>;

#[test]
fn when_the_loop_is_dropped_everyone_is_told() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 1000)).stall_at(500));
    let spawned = Spawned::default();
    let keep = Arc::clone(&spawned);
    let runtime = move |task| keep.lock().unwrap().push(smol::spawn(task));
    let opening = in_memory(&scripted, &MemoryDirectory::new()).open_on(runtime);
    let manager = within(|| smol::block_on(opening)).unwrap();
    let download = manager.download("http://origin.example/a").unwrap();
    let (waiting, mut events) = (manager.all_done(), manager.events());
    for task in spawned.lock().unwrap().drain(..) {
        drop(task);
    }
    assert_eq!(end(&download), Err(Error::ManagerGone(ManagerGone)));
    assert_eq!(within(move || waiting.wait()).unwrap_err().failures()[0].error, Error::ManagerGone(ManagerGone));
    let closed = manager.close();
    assert_eq!(within(move || closed.wait()), Err(ManagerGone));
    within(move || while events.recv().is_some() {});
    assert_eq!(manager.download("http://origin.example/b").unwrap_err(), AdmitError::Closed);
}

#[test]
fn a_loop_that_never_ran_is_gone() {
    let opening = in_memory(&Scripted::new(), &MemoryDirectory::new()).open_on(drop);
    let manager = within(|| smol::block_on(opening)).unwrap();
    assert_eq!(manager.download("http://origin.example/a").unwrap_err(), AdmitError::Closed);
    assert_eq!(within(move || manager.close().wait()), Err(ManagerGone));
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "here").unwrap();
    let error = DownloadManager::new(file.join("below")).unwrap_err();
    assert!(matches!(&error, OpenError::Directory(_)), "{error}");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"here");
}

#[test]
fn settings_that_make_no_sense_are_refused_before_the_directory_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("sub");
    assert!(matches!(DownloadManager::builder(&directory).jobs(0).open(), Err(OpenError::Config(_))));
    assert!(matches!(DownloadManager::builder(&directory).per_host(0).open(), Err(OpenError::Config(_))));
    assert!(!directory.exists());
}

#[test]
fn the_transport_on_tokio_is_refused_on_a_runtime_that_is_not_tokios() {
    let folder = tempfile::tempdir().unwrap();
    let builder = DownloadManager::builder(folder.path()).runtime(IoRuntime::Tokio);
    let opening = builder.open_on(|task| smol::spawn(task).detach());
    assert!(matches!(within(|| smol::block_on(opening)), Err(OpenError::Start(_))));
}
