//! One transport for several managers: its connections, its bound, and whose end is whose.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dlmanager::{
    Builder, Download, DownloadError, DownloadManager, Error, FaultKind, How, IoRuntime, OpenError, SharedTransport,
    fetch,
};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{At, Body, Gate, Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{DEADLINE, Memory, Scripted, close, end, runtimes, visible, within};

const MANAGERS: usize = 20;

fn shared(runtime: IoRuntime, connections: usize) -> SharedTransport {
    SharedTransport::builder().runtime(runtime).connections_per_host(connections).open().unwrap()
}

/// A manager with a folder of its own in `folder`, that asks for as much as it likes.
fn greedy(folder: &tempfile::TempDir, name: &str, transport: &SharedTransport) -> Builder {
    DownloadManager::builder(folder.path().join(name)).jobs(100).per_host(100).shared_transport(transport)
}

fn assert_bytes(download: &Download, body: &Body) {
    let file = end(download).unwrap_or_else(|error| panic!("{}: {error}", download.name()));
    assert_eq!(file.how, How::Fetched);
    assert_eq!(body.compare(std::fs::File::open(&file.path).unwrap()).unwrap(), None, "{}", download.name());
}

#[test]
fn twenty_managers_in_one_process_share_a_transport_its_pool_and_its_bounds() {
    const BOUND: usize = 4;
    const FILES: usize = 5;
    for (runtime, threads) in runtimes().into_iter().flat_map(|runtime| [(runtime, 1), (runtime, 3)]) {
        let (folder, origin, gate) = (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Gate::new());
        let builder = SharedTransport::builder().runtime(runtime).connections_per_host(BOUND).threads(threads);
        let transport = builder.open().unwrap();
        let mut downloads = Vec::new();
        let mut managers = Vec::new();
        for manager in 0..MANAGERS {
            let opened = greedy(&folder, &manager.to_string(), &transport).open().unwrap();
            for file in 0..FILES {
                // Each its own bytes and length: what comes to the wrong manager does not go unseen.
                let number = (manager * FILES + file) as u64;
                let (path, body) = (format!("/{manager}/{file}"), Body::pattern(number, 10_000 + number));
                origin.serve(&path, Reply::body(body.clone()).gate_at(At::Body(5_000), &gate));
                downloads.push((opened.download(origin.url(&path)).unwrap(), body));
            }
            managers.push(opened);
        }
        assert!(gate.wait_reached(BOUND, DEADLINE), "{runtime:?}, {threads}");
        gate.open();
        for (download, body) in &downloads {
            assert_bytes(download, body);
        }
        managers.iter().for_each(close);
        let seen = origin.records();
        assert_eq!(seen.requests.len(), MANAGERS * FILES, "{runtime:?}, {threads}");
        assert_eq!((seen.connections.peak, seen.connections.total), (BOUND, BOUND), "{runtime:?}, {threads}");
    }
}

#[test]
fn one_after_the_other_managers_and_fetches_use_one_connection() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let transport = shared(runtime, 6);
        for number in 0..MANAGERS {
            let (path, body) = (format!("/{number}"), Body::pattern(number as u64, 20_000));
            origin.serve(&path, Reply::body(body.clone()));
            let dest = folder.path().join("fetched").join(number.to_string());
            let fetching = fetch(origin.url(&path), &dest).shared_transport(&transport);
            within(move || fetching.wait()).unwrap();
            let manager = greedy(&folder, &number.to_string(), &transport).open().unwrap();
            assert_bytes(&manager.download(origin.url(&path)).unwrap(), &body);
            close(&manager);
        }
        let seen = origin.records();
        assert_eq!((seen.requests.len(), seen.connections.total), (2 * MANAGERS, 1), "{runtime:?}");
        // The transport ends with its last handle, and its idle connection with it.
        drop(transport);
        origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    }
}

#[test]
fn what_is_canceled_on_one_of_several_threads_makes_room_there_and_harms_nothing_on_the_others() {
    for runtime in runtimes() {
        let (folder, origin, gate) = (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Gate::new());
        // More threads than connections make no sense, and no more connections.
        let transport = SharedTransport::builder().runtime(runtime).connections_per_host(4).threads(9).open().unwrap();
        let manager = greedy(&folder, "files", &transport).open().unwrap();
        let start = |number: u64| {
            let (path, body) = (format!("/{number}"), Body::pattern(number, 50_000 + number));
            origin.serve(&path, Reply::body(body.clone()).gate_at(At::Body(20_000), &gate));
            (manager.download(origin.url(&path)).unwrap(), body)
        };
        let first: Vec<_> = (0..4).map(start).collect();
        assert!(gate.wait_reached(4, DEADLINE), "{runtime:?}");
        for (download, _) in &first[..2] {
            download.cancel().unwrap();
            assert!(matches!(end(download), Err(Error::Canceled)), "{runtime:?}");
        }
        let second: Vec<_> = (4..6).map(start).collect();
        assert!(gate.wait_reached(6, DEADLINE), "{runtime:?}: the places of the canceled ones are free");
        gate.open();
        for (download, body) in first[2..].iter().chain(&second) {
            assert_bytes(download, body);
        }
        close(&manager);
        assert_eq!(origin.records().connections.peak, 4, "{runtime:?}");
    }
}

#[test]
fn who_waits_takes_whatever_connection_is_free_first_on_whichever_thread() {
    for (runtime, first, second) in
        runtimes().into_iter().flat_map(|runtime| [(runtime, "/long", "/short"), (runtime, "/short", "/long")])
    {
        let (folder, origin, long, short) =
            (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Gate::new(), Gate::new());
        origin.serve("/long", Reply::body("long").gate_at(At::Body(1), &long));
        origin.serve("/short", Reply::body("short").gate_at(At::Body(1), &short));
        origin.serve("/wanted", Reply::body("wanted"));
        let transport = SharedTransport::builder().runtime(runtime).connections_per_host(2).threads(2).open().unwrap();
        let [one, other] = ["one", "other"].map(|name| greedy(&folder, name, &transport).open().unwrap());
        let held = [first, second].map(|path| one.download(origin.url(path)).unwrap());
        assert!(long.wait_reached(1, DEADLINE) && short.wait_reached(1, DEADLINE), "{runtime:?}");
        let wanted = other.download(origin.url("/wanted")).unwrap();
        let canceled = other.download(origin.url("/canceled")).unwrap();
        assert!(wanted.wait_timeout(Duration::from_millis(50)).is_none(), "{runtime:?}: there is no place yet");
        canceled.cancel().unwrap();
        assert!(matches!(end(&canceled), Err(Error::Canceled)), "{runtime:?}: it need not wait for that");
        short.open();
        end(&wanted).unwrap();
        let is_held = |download: &Download| download.name() == "long" && download.is_running();
        assert!(held.iter().any(is_held), "{runtime:?}");
        long.open();
        within(move || one.wait()).unwrap();
        close(&other);
        let seen = origin.records();
        assert_eq!((seen.requests.len(), seen.connections.peak), (3, 2), "{runtime:?}, {first}");
    }
}

#[test]
fn who_wants_much_starves_nobody() {
    for runtime in runtimes() {
        let (folder, origin, gate) = (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Gate::new());
        let transport = shared(runtime, 1);
        origin.serve("/first", Reply::body("first").gate_at(At::Body(1), &gate));
        let (much, little) = (
            greedy(&folder, "much", &transport).open().unwrap(),
            greedy(&folder, "little", &transport).open().unwrap(),
        );
        much.download(origin.url("/first")).unwrap();
        for number in 0..50 {
            origin.serve(&format!("/much/{number}"), Reply::body("much"));
            much.download(origin.url(&format!("/much/{number}"))).unwrap();
        }
        assert!(gate.wait_reached(1, DEADLINE));
        origin.serve("/little", Reply::body("little"));
        let wanted = little.download(origin.url("/little")).unwrap();
        assert!(wanted.wait_timeout(Duration::from_millis(50)).is_none(), "there is no place yet");
        gate.open();
        end(&wanted).unwrap();
        within(move || much.wait()).unwrap();
        let at = origin.records().requests.iter().position(|request| request.path() == "/little").unwrap();
        assert!(at <= 3, "{runtime:?}: it was served as number {at}");
    }
}

#[test]
fn no_timeout_counts_while_a_download_waits_for_its_turn() {
    for runtime in runtimes() {
        let (folder, origin, gate) = (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Gate::new());
        let transport = shared(runtime, 1);
        origin.serve("/a", Reply::body("first").gate_at(At::Body(1), &gate));
        origin.serve("/b", Reply::body("second"));
        let first = greedy(&folder, "first", &transport).open().unwrap();
        let second = greedy(&folder, "second", &transport)
            .connect_timeout(Duration::from_millis(1))
            .first_byte_timeout(Duration::from_secs(20))
            .retries(0)
            .open()
            .unwrap();
        let holding = first.download(origin.url("/a")).unwrap();
        assert!(gate.wait_reached(1, DEADLINE));
        let waiting = second.download(origin.url("/b")).unwrap();
        assert_eq!(waiting.wait_timeout(Duration::from_millis(100)), None, "{runtime:?}");
        gate.open();
        end(&holding).unwrap();
        assert_eq!(end(&waiting).unwrap().requests, 1, "{runtime:?}");
    }
}

#[test]
fn a_manager_that_ends_leaves_its_places_to_the_others() {
    type End = fn(DownloadManager, &Mutex<Vec<smol::Task<()>>>);
    let ends: [(&str, End); 3] = [
        ("closed", |manager, _| close(&manager)),
        ("dropped", |manager, _| drop(manager)),
        // Without a word of goodbye: its loop is gone.
        ("its loop dropped", |_, spawned| drop(std::mem::take(&mut *spawned.lock().unwrap()))),
    ];
    for runtime in runtimes() {
        for (how, end_it) in ends {
            let (folder, origin, gate) = (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Gate::new());
            let transport = shared(runtime, 2);
            origin.serve("/ending", Reply::body(Body::pattern(1, 100_000)).stall_at(At::Body(50_000)));
            origin.serve("/staying", Reply::body("staying").gate_at(At::Body(2), &gate));
            origin.serve("/next", Reply::body("next"));
            let spawned: Arc<Mutex<Vec<smol::Task<()>>>> = Arc::default();
            let keep = Arc::clone(&spawned);
            let opening =
                greedy(&folder, "ending", &transport).open_on(move |task| keep.lock().unwrap().push(smol::spawn(task)));
            let ending = within(|| smol::block_on(opening)).unwrap();
            let staying = greedy(&folder, "staying", &transport).open().unwrap();
            let ended = ending.download(origin.url("/ending")).unwrap();
            origin.wait_for(DEADLINE, |seen| seen.requests.len() == 1).unwrap();
            let stays = staying.download(origin.url("/staying")).unwrap();
            assert!(gate.wait_reached(1, DEADLINE));
            let next = staying.download(origin.url("/next")).unwrap();
            end_it(ending, &spawned);
            assert!(end(&ended).is_err(), "{runtime:?}, {how}");
            assert_eq!(end(&next).unwrap().length, 4, "{runtime:?}, {how}");
            assert!(stays.is_running(), "{runtime:?}, {how}");
            gate.open();
            assert_eq!(end(&stays).unwrap().requests, 1, "{runtime:?}, {how}");
            assert!(origin.records().connections.peak <= 2, "{runtime:?}, {how}");
        }
    }
}

#[test]
fn when_the_runtime_of_the_transport_is_shut_down_who_waits_is_told() {
    let (folder, origin, gate) = (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Gate::new());
    origin.serve("/a", Reply::body("bytes").gate_at(At::Body(2), &gate));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let transport = SharedTransport::builder().open_on(runtime.handle()).unwrap();
    let manager = greedy(&folder, "a", &transport).retries(3).open().unwrap();
    let download = manager.download(origin.url("/a")).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    runtime.shutdown_timeout(DEADLINE);
    let Err(Error::Failed(DownloadError::Network(fault))) = end(&download) else { panic!("{:?}", download.result()) };
    assert!(fault.to_string().contains("the shared transport has ended"), "{fault}");
    close(&manager);
    assert!(visible(&folder.path().join("a")).is_empty());
    let opened = greedy(&folder, "b", &transport).open();
    assert!(matches!(opened, Err(OpenError::Start(_))), "{opened:?}");
}

#[test]
fn the_transport_on_tokio_is_refused_where_there_is_none_and_so_is_a_bound_of_nothing() {
    let spawn = |task| smol::spawn(task).detach();
    let refused = SharedTransport::builder().runtime(IoRuntime::Tokio).open_on(&spawn);
    assert!(matches!(refused, Err(OpenError::Start(_))), "{refused:?}");
    let refused = SharedTransport::builder().threads(0).open();
    assert!(matches!(refused, Err(OpenError::Config(_))));
    let refused = SharedTransport::builder().connections_per_host(0).open();
    assert!(matches!(refused, Err(OpenError::Config(_))), "{refused:?}");
}

#[test]
fn time_for_a_connection_is_kept_by_the_transport() {
    // Nobody accepts: the second connection waits in the backlog of a listener, and TLS never begins.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/a", listener.local_addr().unwrap());
    for runtime in runtimes() {
        let (folder, transport) = (tempfile::tempdir().unwrap(), shared(runtime, 6));
        let dest = folder.path().join("a");
        let fetching = fetch(&url, dest).shared_transport(&transport).retries(0);
        let download = within(move || fetching.connect_timeout(Duration::from_millis(50)).start()).unwrap();
        let result = end(&download);
        let Err(Error::Failed(DownloadError::Network(fault))) = &result else { panic!("{runtime:?}: {result:?}") };
        assert_eq!(fault.kind(), FaultKind::Connect);
        assert!(fault.to_string().contains("within 50ms"), "{runtime:?}: {fault}");
        // And its connection is closed.
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.set_read_timeout(Some(DEADLINE)).unwrap();
        assert!(accepted.read_to_end(&mut Vec::new()).is_ok(), "{runtime:?}");
    }
}

#[test]
fn transports_of_ones_own_are_made_for_each_manager() {
    let made = Arc::new(Mutex::new(0));
    let count = Arc::clone(&made);
    // Each with a script of its own: the identifiers of two managers are the same numbers.
    let transport = SharedTransport::from_fn(move || {
        *count.lock().unwrap() += 1;
        let own = Scripted::new();
        own.script.lock().unwrap().otherwise(Script::ok(content(1, 1_000)));
        own.transport()
    });
    for _ in 0..3 {
        let directory = MemoryDirectory::new();
        let builder = DownloadManager::builder("memory").shared_transport(&transport).store(Memory(directory.clone()));
        let manager = builder.open().unwrap();
        end(&manager.download("http://origin.example/a").unwrap()).unwrap();
        close(&manager);
        assert_eq!(directory.read("a").as_deref(), Some(&content(1, 1_000)[..]));
    }
    assert_eq!(*made.lock().unwrap(), 3);
}
