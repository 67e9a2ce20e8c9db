//! Observers: what they are told, and what they cannot harm.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use dlmanager::{DownloadManager, Event, Progress};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{At, Body, Gate, Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{DEADLINE, Scripted, close, end, in_memory, runtimes};

fn collector() -> (Arc<Mutex<Vec<Progress>>>, impl FnMut(&Progress) + Send + 'static) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&seen);
    (seen, move |progress: &Progress| tell.lock().unwrap().push(*progress))
}

#[test]
fn the_first_value_and_the_last_are_told_and_it_never_falls() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body(Body::pattern(1, 500_000)));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let (seen, observer) = collector();
    let download = manager.request(origin.url("/a")).progress(observer).start().unwrap();
    end(&download).unwrap();
    close(&manager);
    let seen: Vec<_> = seen.lock().unwrap().iter().map(|progress| (progress.received, progress.total)).collect();
    assert_eq!(seen.first(), Some(&(0, Some(500_000))), "{seen:?}");
    assert_eq!(seen.last(), Some(&(500_000, Some(500_000))), "{seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
}

#[test]
fn an_observer_that_comes_late_is_told_the_last_value() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body("bytes"));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let download = manager.download(origin.url("/a")).unwrap();
    end(&download).unwrap();
    let (seen, observer) = collector();
    download.set_progress(observer);
    close(&manager);
    assert_eq!(seen.lock().unwrap().iter().map(|progress| progress.received).collect::<Vec<_>>(), [5]);
    assert_eq!(Arc::strong_count(&seen), 1, "an observer of what has ended is dropped");
}

#[test]
fn a_joining_observer_replaces_the_one_before_and_none_is_told_after_clear() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gates = [Gate::new(), Gate::new()];
    origin.serve("/a", Reply::body("0123456789").gate_at(At::Body(2), &gates[0]));
    origin.serve("/b", Reply::body("0123456789").gate_at(At::Body(2), &gates[1]));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let (first, observer) = collector();
    let download = manager.request(origin.url("/a")).progress(observer).start().unwrap();
    assert!(gates[0].wait_reached(1, DEADLINE));
    let (second, observer) = collector();
    let joined = manager.request(origin.url("/a")).progress(observer).start().unwrap();
    assert_eq!(joined.id(), download.id());
    let (cleared, observer) = collector();
    let other = manager.request(origin.url("/b")).progress(observer).start().unwrap();
    assert!(gates[1].wait_reached(1, DEADLINE));
    other.clear_progress();
    gates.iter().for_each(Gate::open);
    end(&download).unwrap();
    end(&other).unwrap();
    close(&manager);
    assert!(first.lock().unwrap().iter().all(|progress| progress.received < 10));
    assert_eq!(second.lock().unwrap().last().map(|progress| progress.received), Some(10));
    assert!(cleared.lock().unwrap().iter().all(|progress| progress.received < 10));
}

#[test]
fn one_that_is_stuck_harms_neither_its_download_nor_others() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10_000)));
    let manager = in_memory(&scripted, &MemoryDirectory::new()).open().unwrap();
    let (release, stuck): (Sender<()>, Receiver<()>) = mpsc::channel();
    let (calls, called) = mpsc::channel();
    let observer = move |progress: &Progress| {
        calls.send(progress.received).unwrap();
        let _ = stuck.recv();
    };
    let slow = manager.request("http://origin.example/slow").progress(observer).start().unwrap();
    assert_eq!(called.recv_timeout(DEADLINE).unwrap(), 0);
    let (tell, told) = mpsc::channel();
    let observer = move |progress: &Progress| tell.send(progress.received).unwrap();
    let quick = manager.request("http://origin.example/quick").progress(observer).start().unwrap();
    end(&slow).unwrap();
    end(&quick).unwrap();
    while told.recv_timeout(DEADLINE).expect("others are told while one is stuck") < 10_000 {}
    drop(release);
    close(&manager);
    assert_eq!(called.try_iter().last(), Some(10_000), "the last value is told to the slow one, too");
}

#[test]
fn one_that_panics_is_dropped_and_reported_and_the_download_goes_on() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let gate = Gate::new();
        origin.serve("/a", Reply::body(Body::pattern(1, 100_000)).gate_at(At::Body(50_000), &gate));
        let manager = DownloadManager::builder(folder.path()).runtime(runtime).open().unwrap();
        let mut events = manager.events();
        let (calls, called) = mpsc::channel();
        let observer = move |_: &Progress| {
            calls.send(()).unwrap();
            panic!("an observer that panics, on purpose");
        };
        let download = manager.request(origin.url("/a")).progress(observer).start().unwrap();
        let reported = loop {
            let event = events.recv_timeout(DEADLINE).expect("the panic is reported");
            if let Event::ObserverPanicked { download, message } = event {
                break (download, message);
            }
        };
        assert_eq!(reported.0.name.as_str(), "a");
        assert_eq!(reported.1, "an observer that panics, on purpose");
        gate.open();
        end(&download).unwrap();
        close(&manager);
        assert_eq!(called.iter().count(), 1, "it is called once, then dropped");
    }
}

#[test]
fn an_observer_may_use_its_download_and_its_manager() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body(Body::pattern(1, 1_000_000)).stall_at(At::Body(500_000)));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let download = manager.download(origin.url("/a")).unwrap();
    let (inner, clone) = (download.clone(), manager.clone());
    download.set_progress(move |_| {
        // Closing waits for observers, but not from within one.
        let _ = inner.cancel();
        clone.close().wait().unwrap();
    });
    assert!(end(&download).unwrap_err().is_canceled());
    close(&manager);
}
