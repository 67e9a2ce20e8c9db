//! Hooks: what they are told, in which order, and what they cannot harm.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use dlmanager::{Download, DownloadManager, DownloadedFile, Error, Event, Hook, Notice, PersistLimit};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{At, Gate, Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{DEADLINE, Scripted, close, end, in_memory, names, visible, within};

type Calls = Arc<Mutex<Vec<String>>>;

/// Hooks that note their calls, the finished one with the outcome.
#[expect(clippy::type_complexity, reason = "a type with `impl` in it can have no name")]
fn noting(
    calls: &Calls,
) -> (impl FnMut(&Download) + Send + 'static, impl FnMut(&Download, &Result<DownloadedFile, Error>) + Send + 'static) {
    let (started, finished) = (Arc::clone(calls), Arc::clone(calls));
    let on_started = move |download: &Download| started.lock().unwrap().push(format!("{} started", download.name()));
    let on_finished = move |download: &Download, result: &Result<DownloadedFile, Error>| {
        assert_eq!(download.result().as_ref(), Some(result));
        assert!(!download.is_running());
        let how = match result {
            Ok(file) => {
                if file.is_present() {
                    "present"
                } else {
                    "complete"
                }
            }
            Err(error) => error.kind(),
        };
        finished.lock().unwrap().push(format!("{} {how}", download.name()));
    };
    (on_started, on_finished)
}

#[test]
fn each_download_is_told_once_started_before_finished_whatever_becomes_of_it() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a", Reply::body("bytes").gate_at(At::Body(2), &gate));
    origin.serve("/b", Reply::empty(404));
    origin.serve("/c", Reply::body("bytes").stall_at(At::Body(2)));
    let calls = Calls::default();
    let (started, finished) = noting(&calls);
    let builder = DownloadManager::builder(folder.path()).retries(0).on_started(started).on_finished(finished);
    let manager = builder.open().unwrap();
    let a = manager.download(origin.url("/a")).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    let joined = manager.download(origin.url("/a")).unwrap();
    assert_eq!(joined.id(), a.id());
    gate.open();
    end(&a).unwrap();
    end(&manager.download(origin.url("/a")).unwrap()).unwrap();
    end(&manager.download(origin.url("/b")).unwrap()).unwrap_err();
    manager.download(origin.url("/c")).unwrap();
    close(&manager);
    let told =
        ["a started", "a complete", "a started", "a present", "b started", "b status", "c started", "c canceled"];
    assert_eq!(*calls.lock().unwrap(), told);
    assert_eq!(Arc::strong_count(&calls), 1, "hooks of what has ended are dropped");
}

#[test]
fn finished_is_called_after_the_eviction_that_the_download_caused() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (tell, path) = (Arc::clone(&seen), folder.path().to_path_buf());
    let builder = DownloadManager::builder(folder.path()).persist_limit(PersistLimit::new(15, 1));
    let builder = builder.on_finished(move |_, _| tell.lock().unwrap().push(visible(&path)));
    let manager = builder.open().unwrap();
    for name in ["a", "b", "c"] {
        origin.serve(&format!("/{name}"), Reply::body("0123456789"));
        end(&manager.download(origin.url(&format!("/{name}"))).unwrap()).unwrap();
        // One at a time, so that what the hook sees is what this download left.
        while seen.lock().unwrap().last() != Some(&names(&[name])) {
            assert!(seen.lock().unwrap().iter().all(|files: &std::collections::BTreeSet<_>| files.len() == 1));
            std::thread::yield_now();
        }
    }
    close(&manager);
    assert_eq!(*seen.lock().unwrap(), [names(&["a"]), names(&["b"]), names(&["c"])]);
}

#[test]
fn one_that_panics_is_dropped_and_reported_and_the_other_is_still_called() {
    for which in [Hook::Started, Hook::Finished] {
        let scripted = Scripted::new();
        scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)));
        let calls = Calls::default();
        let (mut started, mut finished) = noting(&calls);
        let manager = in_memory(&scripted, &MemoryDirectory::new())
            .on_started(move |download| {
                started(download);
                assert!(which != Hook::Started, "a hook that panics, on purpose");
            })
            .on_finished(move |download, result| {
                finished(download, result);
                assert!(which != Hook::Finished, "a hook that panics, on purpose");
            })
            .open()
            .unwrap();
        let events = manager.events();
        for name in ["a", "b"] {
            end(&manager.download(format!("http://origin.example/{name}")).unwrap()).unwrap();
        }
        close(&manager);
        // The stream does not end before the report, although all else is over by then.
        let events: Vec<Event> = within(move || events.into_iter().collect());
        let panics: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::HookPanicked { hook, download, message } => {
                    Some((*hook, download.name.as_str(), message.as_str()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(panics, [(which, "a", "a hook that panics, on purpose")]);
        let expected = match which {
            Hook::Started => ["a started", "a complete", "b complete"],
            Hook::Finished => ["a started", "a complete", "b started"],
        };
        assert_eq!(*calls.lock().unwrap(), expected);
    }
}

#[test]
fn the_panic_of_the_very_last_call_is_reported() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)).stall_at(5));
    let (release, held): (Sender<()>, Receiver<()>) = mpsc::channel();
    let builder = in_memory(&scripted, &MemoryDirectory::new()).on_finished(move |_, _| {
        let _ = held.recv();
        panic!("a hook that panics, on purpose");
    });
    let manager = builder.open().unwrap();
    let mut events = manager.events();
    let download = manager.download("http://origin.example/a").unwrap();
    let closed = manager.close();
    assert!(end(&download).unwrap_err().is_canceled());
    loop {
        let event = events.recv_timeout(DEADLINE).unwrap();
        if matches!(event, Event::Download { notice: Notice::Finished { .. }, .. }) {
            break;
        }
    }
    drop(release);
    let rest: Vec<Event> = within(move || events.into_iter().collect());
    assert!(matches!(&rest[..], [Event::HookPanicked { hook: Hook::Finished, .. }]), "{rest:?}");
    within(move || closed.wait()).unwrap();
}

#[test]
fn one_that_is_stuck_harms_neither_downloads_nor_observers_and_close_waits_for_it() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10_000)));
    let (release, held): (Sender<()>, Receiver<()>) = mpsc::channel();
    let (calls, called) = mpsc::channel();
    let builder = in_memory(&scripted, &MemoryDirectory::new()).on_started(move |download| {
        calls.send(download.name().to_owned()).unwrap();
        let _ = held.recv();
    });
    let manager = builder.open().unwrap();
    for number in 0..10 {
        let (values, observed) = mpsc::channel();
        let request = manager.request(format!("http://origin.example/{number}"));
        let observer = move |progress: &dlmanager::Progress| values.send(progress.received).unwrap();
        end(&request.progress(observer).start().unwrap()).unwrap();
        assert_eq!(within(move || observed.into_iter().last()), Some(10_000));
    }
    assert_eq!(called.recv_timeout(DEADLINE).unwrap(), "0");
    assert!(called.try_recv().is_err(), "one call at a time");
    let closed = manager.close();
    let (done, over) = mpsc::channel();
    std::thread::spawn(move || done.send(closed.wait()));
    assert!(over.try_recv().is_err());
    drop(release);
    over.recv_timeout(DEADLINE).unwrap().unwrap();
    assert_eq!(called.iter().collect::<Vec<_>>(), (1..10).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_hook_may_use_its_download_and_the_manager() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)).stall_at(5));
    let handle: Arc<Mutex<Option<DownloadManager>>> = Arc::default();
    let inner = Arc::clone(&handle);
    let builder = in_memory(&scripted, &MemoryDirectory::new()).on_started(move |download| {
        download.cancel().unwrap();
        assert!(download.wait().unwrap_err().is_canceled());
        if let Some(manager) = inner.lock().unwrap().take() {
            manager.close().wait().unwrap();
        }
    });
    let manager = builder.open().unwrap();
    *handle.lock().unwrap() = Some(manager.clone());
    let mut events = manager.events();
    assert!(end(&manager.download("http://origin.example/a").unwrap()).unwrap_err().is_canceled());
    within(move || {
        while let Some(event) = events.recv() {
            assert!(!matches!(event, Event::HookPanicked { .. }), "{event:?}");
        }
    });
    close(&manager);
}

#[test]
fn when_the_loop_is_gone_hooks_are_told_all_the_same() {
    let calls = Calls::default();
    let (started, finished) = noting(&calls);
    let tasks: Arc<Mutex<Vec<dlmanager::Task>>> = Arc::default();
    let keep = Arc::clone(&tasks);
    let builder = in_memory(&Scripted::new(), &MemoryDirectory::new()).on_started(started).on_finished(finished);
    let opening = builder.open_on(move |task| keep.lock().unwrap().push(task));
    let manager = within(|| smol::block_on(opening)).unwrap();
    let download = manager.download("http://origin.example/a").unwrap();
    // The loop never ran.
    drop(std::mem::take(&mut *tasks.lock().unwrap()));
    assert!(matches!(end(&download), Err(Error::ManagerGone(_))));
    let closed = manager.close();
    assert!(within(move || closed.wait()).is_err());
    assert_eq!(*calls.lock().unwrap(), ["a started", "a manager-gone"]);
}
