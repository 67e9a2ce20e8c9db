//! The same types in async programs, on tokio and on smol.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Duration;

use dlmanager::core::{ActionId, Completion, NetAction, NetOp};
use dlmanager::{Download, DownloadManager, DownloadedFile, Error, Event, Notice, Transport};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{At, Body, Gate, Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{DEADLINE, Memory, Scripted, end, entries, in_memory, names, within};

#[tokio::test]
async fn a_manager_on_its_own_thread_is_awaited_by_several() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a", Reply::body("bytes").gate_at(At::Body(2), &gate));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let download = manager.download(origin.url("/a")).unwrap();
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let download = download.clone();
            tokio::spawn(tokio::time::timeout(DEADLINE, download))
        })
        .collect();
    gate.open();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().unwrap().length, 5);
    }
    tokio::time::timeout(DEADLINE, manager.all_done()).await.unwrap().unwrap();
    assert_eq!((&download).await.unwrap().length, 5);
    tokio::time::timeout(DEADLINE, manager.close()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_hosted_by_tokio_fetches_and_closes() {
    hosted_by_tokio().await;
}

#[tokio::test]
async fn a_manager_hosted_by_a_single_thread_of_tokio_fetches_and_closes() {
    hosted_by_tokio().await;
}

async fn hosted_by_tokio() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let body = Body::pattern(1, 1_000_000);
    origin.serve("/a", Reply::body(body.clone()));
    origin.serve("/b", Reply::empty(404));
    let limit = dlmanager::PersistLimit::new(2_000_000, 5);
    let builder = DownloadManager::builder(folder.path()).retries(0).persist_limit(limit);
    let manager = builder.open_on(tokio::runtime::Handle::current()).await.unwrap();
    let (good, bad) = (manager.download(origin.url("/a")).unwrap(), manager.download(origin.url("/b")).unwrap());
    let failed = tokio::time::timeout(DEADLINE, manager.all_done()).await.unwrap().unwrap_err();
    assert_eq!(failed.failures().len(), 1);
    assert!(bad.await.is_err());
    assert_eq!(body.compare(std::fs::File::open(good.await.unwrap().path).unwrap()).unwrap(), None);
    tokio::time::timeout(DEADLINE, manager.close()).await.unwrap().unwrap();
    assert_eq!(entries(folder.path()), names(&[".dlmanager", "a"]));
}

#[test]
fn a_runtime_that_is_shut_down_takes_the_manager_with_it() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a", Reply::body("bytes").gate_at(At::Body(2), &gate));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let opening = DownloadManager::builder(folder.path()).open_on(runtime.handle().clone());
    let manager = runtime.block_on(opening).unwrap();
    let download = manager.download(origin.url("/a")).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    runtime.shutdown_timeout(DEADLINE);
    assert!(matches!(end(&download), Err(Error::ManagerGone(_))));
    // The next manager cleans up, and fetches it.
    gate.open();
    let next = DownloadManager::new(folder.path()).unwrap();
    assert_eq!(end(&next.download(origin.url("/a")).unwrap()).unwrap().length, 5);
}

/// A transport that never answers a `Fetch`, and how often it was polled.
#[derive(Clone, Default)]
struct Silent(Arc<Mutex<Vec<ActionId>>>, Arc<AtomicUsize>);

impl Transport for Silent {
    fn start(&mut self, action: NetAction) {
        let answered = !matches!(action.op, NetOp::Fetch { .. });
        if answered {
            self.0.lock().unwrap().push(action.id());
        }
    }

    fn abort(&mut self, target: ActionId) {
        self.0.lock().unwrap().push(target);
    }

    fn poll(&mut self, _: &mut Context<'_>, events: &mut Vec<dlmanager::core::Event>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        for action in self.0.lock().unwrap().drain(..) {
            events.push(dlmanager::core::Event::Completed(Completion::aborted(action)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_stopped_the_clock_of_tokio_has_managers_that_go_by_it() {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let (silent, began) = (Silent::default(), tokio::time::Instant::now());
    let store = Memory(MemoryDirectory::new());
    let builder = DownloadManager::builder("memory").transport(silent.clone()).store(store);
    let builder = builder.connect_timeout(TIMEOUT).retries(0);
    let manager = builder.open_on(tokio::runtime::Handle::current()).await.unwrap();
    let error = manager.download("http://origin.example/a").unwrap().await.unwrap_err();
    assert_eq!(error.to_string(), "the connection was not made in time");
    assert_eq!(began.elapsed().as_secs(), TIMEOUT.as_secs());
    manager.close().await.unwrap();
    // By a clock of its own it would look again and again whether it is time.
    let polls = silent.1.load(Ordering::SeqCst);
    assert!(polls < 1000, "{polls} polls");
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let late = async {
        smol::Timer::after(DEADLINE).await;
        panic!("it has not ended in time")
    };
    smol::future::or(work, late).await
}

#[test]
fn a_manager_hosted_by_smol_needs_no_tokio() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().script(
        "http://origin.example/a",
        [
            Script::ok(content(1, 100_000)).cut_at(40_000),
            Script::ok(content(1, 100_000))
                .connect_after(Duration::from_millis(5))
                .pieces(10_000, Duration::from_millis(1)),
        ],
    );
    let directory = MemoryDirectory::new();
    smol::block_on(in_time(async {
        let builder = in_memory(&scripted, &directory);
        let manager = builder.open_on(|task| smol::spawn(task).detach()).await.unwrap();
        let mut events = manager.events();
        let download = manager.download("http://origin.example/a").unwrap();
        let waiting: Vec<smol::Task<Result<DownloadedFile, Error>>> =
            (0..3).map(|_| smol::spawn(Download::clone(&download))).collect();
        for task in waiting {
            assert_eq!(task.await.unwrap().requests, 2);
        }
        manager.close().await.unwrap();
        let mut retries = 0;
        while let Some(event) = events.recv_async().await {
            retries += usize::from(matches!(event, Event::Download { notice: Notice::Retrying { .. }, .. }));
        }
        assert_eq!(retries, 1);
    }));
    assert_eq!(directory.read("a").as_deref(), Some(&content(1, 100_000)[..]));
    assert_eq!(scripted.open_exchanges(), 0);
    assert_eq!(directory.open_handles(), 0);
}

#[test]
fn a_single_threaded_executor_of_smol_is_enough() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(2, 50_000)));
    let directory = MemoryDirectory::new();
    let executor = Arc::new(smol::Executor::new());
    let spawner = Arc::clone(&executor);
    smol::block_on(executor.run(in_time(async {
        let manager = in_memory(&scripted, &directory).open_on(move |task| spawner.spawn(task).detach()).await.unwrap();
        let downloads: Vec<_> =
            (0..20).map(|index| manager.download(format!("http://origin.example/{index}")).unwrap()).collect();
        for download in downloads {
            assert_eq!(download.await.unwrap().length, 50_000);
        }
        manager.close().await.unwrap();
    })));
    assert_eq!(directory.list().len(), 20);
}

#[test]
fn a_future_that_is_dropped_leaves_the_download_alone() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)).head_after(Duration::from_millis(50)));
    let manager = in_memory(&scripted, &MemoryDirectory::new()).open().unwrap();
    let download = manager.download("http://origin.example/a").unwrap();
    let polled_once = within({
        let download = download.clone();
        move || smol::block_on(smol::future::poll_once(download))
    });
    assert_eq!(polled_once, None);
    assert_eq!(end(&download).unwrap().length, 10);
}
