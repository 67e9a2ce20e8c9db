//! `Download`: alone, its handle, its end, its progress.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use dlmanager::{
    CancelError, Download, DownloadError, DownloadedFile, Error, Event, FetchError, How, IfPresent, Notice, Progress,
};
use dlmanager_origin::{At, Body, Cut, Ended, Gate, Reply};

use super::running::{is_end_of, notice_of};
use crate::bench::{Bench, observer, pattern, start};
use crate::place::TEN;
use crate::setting::Setting;
use crate::store::{Hold, is_cleanup};
use crate::wait::{DEADLINE, all_events, close, end, events_until, is_ready, receive, within};

pub(super) fn n15_fetch_stands_alone(setting: &Setting) {
    let bench = Bench::new(setting);
    let bytes = bench.serve("/a.bin", 200_000);
    let path = bench.place.path().join("any/path/b.bin");
    let (told, tell) = observer();
    let fetch = bench.fetch(bench.origin.url("/a.bin"), &path).progress(tell);
    let file = within(move || fetch.wait()).unwrap();
    assert_eq!((&file.path, file.length, file.how), (&path, 200_000, How::Fetched));
    assert_eq!(told.values().first(), Some(&(0, Some(200_000))));
    assert_eq!(told.values().last(), Some(&(200_000, Some(200_000))));
    bench.place.assert_holds(&[("any/path/b.bin", &bytes)]);
    assert_eq!(bench.place.everything(), ["any", "any/path", "any/path/b.bin"], "it leaves nothing but its file");

    bench.origin.serve("/a.bin", Reply::body(TEN));
    let awaited = bench.fetch(bench.origin.url("/a.bin"), &path);
    assert!(within(|| smol::block_on(async { awaited.await })).unwrap().is_present());
    let replacing = bench.fetch(bench.origin.url("/a.bin"), &path).if_present(IfPresent::Replace);
    within(move || replacing.wait()).unwrap();
    bench.place.assert_holds(&[("any/path/b.bin", TEN)]);

    let gate = Gate::new();
    bench.origin.serve("/gated", Reply::body(TEN).gate_at(At::Body(5), &gate));
    let started = || bench.fetch(bench.origin.url("/gated"), &bench.place.path().join("gated")).start().unwrap();
    let canceled = started();
    assert!(gate.wait_reached(1, DEADLINE));
    assert!(canceled.is_running() && !canceled.is_canceled());
    canceled.cancel().unwrap();
    assert_eq!(end(&canceled), Err(Error::Canceled));
    let kept = started();
    assert!(gate.wait_reached(2, DEADLINE));
    bench.place.assert_visible(&[("any/path/b.bin", TEN)]);
    gate.open();
    assert_eq!(end(&kept).unwrap().length, 10);
    bench.place.assert_visible(&[("any/path/b.bin", TEN), ("gated", TEN)]);
    bench.place.remove_file("gated");

    let missing = bench.fetch(bench.origin.url("/missing"), &bench.place.path().join("c"));
    let error = within(move || missing.wait()).unwrap_err();
    assert!(matches!(error, FetchError::Download(Error::Failed(DownloadError::Status { status: 404 }))), "{error}");
    for path in ["..", "nul"] {
        let nameless = bench.fetch(bench.origin.url("/a.bin"), &bench.place.path().join(path));
        assert!(within(move || nameless.wait()).is_err(), "{path}");
    }
    bench.place.assert_holds(&[("any/path/b.bin", TEN)]);
}

pub(super) fn n16_the_handle_is_shared_and_awaited_by_several(setting: &Setting) {
    const fn shared<T: Clone + Send + Sync + 'static>() {}
    const { shared::<Download>() };
    let bench = Bench::new(setting);
    let gate = Gate::new();
    bench.origin.serve("/a", Reply::body(TEN).gate_at(At::Body(5), &gate));
    let manager = bench.open();
    let download = start(&manager, &bench.origin.url("/a"));
    assert_eq!(download.url().as_str(), bench.origin.url("/a"));
    assert_eq!((download.name(), download.dest()), ("a", &*manager.dest("a").unwrap()));
    let handles: Vec<Download> = (0..6).map(|_| download.clone()).collect();
    drop(download);
    let (tell, ended) = mpsc::channel::<Result<DownloadedFile, Error>>();
    for (index, handle) in handles.iter().cloned().enumerate() {
        let tell = tell.clone();
        thread::spawn(move || {
            let ended = if index % 2 == 0 { handle.wait() } else { smol::block_on(handle) };
            tell.send(ended).expect("the test reads");
        });
    }
    assert!(gate.wait_reached(1, DEADLINE));
    assert!(handles.iter().all(|handle| handle.is_running() && !handle.is_canceled() && !is_ready(handle.clone())));
    gate.open();
    for _ in 0..6 {
        assert_eq!(receive(&ended).unwrap().length, 10);
    }
    assert!(handles.iter().all(|handle| !handle.is_running() && !handle.is_canceled()));
    assert_eq!(handles[0].wait(), end(&handles[5]), "waiting again tells the same");
    close(&manager);
    bench.place.assert_holds(&[("a", TEN)]);
}

pub(super) fn n17_an_error_that_came_first_wins_over_a_cancel(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.origin.serve("/stalled", Reply::body(TEN).stall_at(At::Body(5)));
    bench.origin.serve("/cut", Reply::body(pattern("/cut", 100_000)).cut_at(At::Body(90_000), Cut::Fin));
    let (hold, hook) = Hold::at(is_cleanup);
    let manager = bench.hooked(hook).retries(0).open().unwrap();
    let failing = start(&manager, &bench.origin.url("/cut"));
    hold.wait_reached();
    assert!(failing.is_running(), "it has failed and is being cleaned up");
    assert_eq!(failing.cancel(), Err(CancelError::AlreadyFailed));
    hold.release();
    let error = end(&failing).unwrap_err();
    assert!(matches!(error, Error::Failed(_)), "{error}");
    assert!(!failing.is_canceled());
    assert_eq!(failing.error(), Some(error));
    assert_eq!(failing.cancel(), Err(CancelError::Unknown));

    let canceled = start(&manager, &bench.origin.url("/stalled"));
    assert_eq!(canceled.error(), None);
    canceled.cancel().unwrap();
    end(&canceled).unwrap_err();
    assert!(canceled.is_canceled());
    assert_eq!(canceled.error(), None, "what was canceled has no error");
    close(&manager);
    bench.place.assert_holds(&[]);
}

pub(super) fn n18_the_end_is_a_result(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.origin.serve("/a", Reply::body(TEN));
    bench.origin.serve("/missing", Reply::empty(404));
    bench.origin.serve("/stalled", Reply::body(TEN).stall_at(At::Body(5)));
    let manager = bench.open_without_retries();
    let [good, missing, stalled] = ["/a", "/missing", "/stalled"].map(|path| start(&manager, &bench.origin.url(path)));
    stalled.cancel().unwrap();
    for download in [&good, &missing, &stalled] {
        let download = download.clone();
        let waited = within(move || (download.wait(), download.result()));
        assert_eq!(Some(waited.0), waited.1);
    }
    assert_eq!(good.result().map(|ended| ended.map(|file| file.length)), Some(Ok(10)));
    assert_eq!(missing.result(), Some(Err(Error::Failed(DownloadError::Status { status: 404 }))));
    assert_eq!(stalled.result(), Some(Err(Error::Canceled)));
    let canceled = end(&stalled).unwrap_err();
    assert!(canceled.is_canceled() && canceled.kind() == "canceled");
    close(&manager);
    bench.place.assert_holds(&[("a", TEN)]);
}

pub(super) fn n19_progress_has_its_first_and_its_last_value(setting: &Setting) {
    let bench = Bench::new(setting);
    let body = pattern("/a", 500_000);
    let cut = Reply::body(body.clone()).cut_at(At::Body(200_000), Cut::Reset);
    bench.origin.serve("/length", Reply::body(body.clone()));
    bench.origin.serve("/chunked", Reply::body(body.clone()).chunked(&[10_000]));
    bench.origin.serve("/empty", Reply::body(""));
    bench.origin.script("/again", vec![cut, Reply::body(body.clone())]);
    let manager = bench.builder().progress_interval(std::time::Duration::ZERO).open().unwrap();
    let events = manager.events();
    let mut observed = Vec::new();
    for (name, first, n) in [
        ("length", Some(500_000), 500_000),
        ("chunked", None, 500_000),
        ("empty", Some(0), 0),
        ("again", Some(500_000), 500_000),
    ] {
        let (told, tell) = observer();
        end(&manager.request(bench.origin.url(name)).progress(tell).start().unwrap()).unwrap();
        observed.push((name, told, (0, first), (n, Some(n))));
    }
    close(&manager);
    let seen = all_events(events);
    for (name, told, first, last) in observed {
        let values = told.values();
        assert_eq!((values.first(), values.last()), (Some(&first), Some(&last)), "{name}: {values:?}");
        assert!(values.iter().all(|(received, total)| total.is_none_or(|total| *received <= total)), "{values:?}");
        assert!(name == "again" || values.is_sorted_by_key(|(received, _)| *received), "{name}: {values:?}");

        let notices: Vec<&Notice> = seen.iter().filter_map(|event| notice_of(event, name)).collect();
        let [.., Notice::Progress { progress, .. }, Notice::Finished { .. }] = notices.as_slice() else {
            panic!("{name}: {notices:?}")
        };
        assert_eq!((progress.received, progress.total), last, "{name}: before Complete");
        let mut before = 0;
        for notice in &notices {
            match notice {
                Notice::Rewound { from, to, .. } => {
                    assert!(to < from, "{notices:?}");
                    before = *to;
                }
                Notice::Progress { progress, .. } => {
                    assert!(progress.received >= before, "{name}: it falls only where that is told: {notices:?}");
                    before = progress.received;
                }
                _ => {}
            }
        }
    }
    let whole = body.to_vec();
    bench.place.assert_holds(&[("length", &whole), ("chunked", &whole), ("empty", b""), ("again", &whole)]);
}

pub(super) fn n20_an_observer_is_set_at_any_time(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    bench.origin.serve("/a", Reply::body(pattern("/a", 500_000)).gate_at(At::Body(200_000), &gate));
    let manager = bench.builder().progress_interval(std::time::Duration::ZERO).open().unwrap();
    let download = start(&manager, &bench.origin.url("/a"));
    assert!(gate.wait_reached(1, DEADLINE));

    // Set while it runs and gets nothing: what is known is told at once, and what comes until the gate.
    let (tell, values) = mpsc::channel();
    download.set_progress(move |progress: &Progress| tell.send(progress.received).expect("the test reads"));
    while receive(&values) < 200_000 {}
    let (cleared, tell) = observer();
    download.set_progress(tell);
    assert!(values.recv_timeout(DEADLINE).is_err(), "the one before is dropped");
    download.clear_progress();
    gate.open();
    end(&download).unwrap();
    close(&manager);
    assert!(cleared.values().iter().all(|(received, _)| *received <= 200_000), "{:?}", cleared.values());

    // One call after the other, whoever sets it and when.
    let manager = bench.builder().progress_interval(std::time::Duration::ZERO).open().unwrap();
    let body = pattern("/b", 2_000_000);
    bench.origin.serve("/b", Reply::body(body.clone()).chunked(&[1000]));
    let (inside, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (overlaps, counted) = (Arc::new(AtomicBool::new(false)), (Arc::clone(&inside), Arc::clone(&calls)));
    let overlapped = Arc::clone(&overlaps);
    let request = manager.request(bench.origin.url("/b")).progress(move |_| {
        overlapped.fetch_or(counted.0.swap(true, Ordering::SeqCst), Ordering::SeqCst);
        counted.1.fetch_add(1, Ordering::SeqCst);
        thread::yield_now();
        counted.0.store(false, Ordering::SeqCst);
    });
    end(&request.start().unwrap()).unwrap();
    close(&manager);
    assert!(calls.load(Ordering::SeqCst) >= 2 && !overlaps.load(Ordering::SeqCst));
    bench.place.assert_holds(&[("a", &pattern("/a", 500_000).to_vec()), ("b", &body.to_vec())]);
}

pub(super) fn n21_an_observer_that_panics_is_dropped_and_reported(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    let body = pattern("/a", 300_000);
    bench.origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(100_000), &gate));
    let manager = bench.builder().progress_interval(std::time::Duration::ZERO).open().unwrap();
    let mut events = manager.events();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let request = manager.request(bench.origin.url("/a")).progress(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        // Raised as an observer's own error would be, without the hook that prints a panic.
        std::panic::resume_unwind(Box::new("the observer has failed, as it was told to"));
    });
    let download = request.start().unwrap();
    let seen = events_until(&mut events, |event| matches!(event, Event::ObserverPanicked { .. }));
    let Some(Event::ObserverPanicked { download: whose, message }) = seen.last() else { unreachable!() };
    assert_eq!((whose.id, &**message), (download.id(), "the observer has failed, as it was told to"));
    assert!(download.is_running());
    gate.open();
    end(&download).unwrap();
    events_until(&mut events, |event| is_end_of(event, &download));
    close(&manager);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    bench.place.assert_holds(&[("a", &body.to_vec())]);
}

pub(super) fn n22_there_is_no_chunk_to_wait_for(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.origin.serve("/a", Reply::body(Body::pattern(1, 1 << 30)).stall_at(At::Body(5)));
    let manager = bench.open();
    let (tell, values) = mpsc::channel();
    let request = manager.request(bench.origin.url("/a")).progress(move |progress| {
        // Nobody reads once the bytes have come.
        let _ = tell.send(progress.received);
    });
    let download = request.start().unwrap();
    while receive(&values) < 5 {}
    download.cancel().unwrap();
    assert_eq!(end(&download), Err(Error::Canceled));
    let left = bench.origin.wait_for(DEADLINE, |seen| seen.requests.iter().all(|request| request.sent.is_some()));
    let sent = left.unwrap_or_else(|late| panic!("{late}")).requests[0].sent.unwrap();
    assert_eq!((sent.body_bytes, sent.ended), (5, Ended::ClientLeft));
    close(&manager);
    bench.place.assert_holds(&[]);
}
