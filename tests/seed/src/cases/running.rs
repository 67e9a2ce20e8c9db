//! Downloads that run: how many at once, canceling, waiting, and what is told.

use std::sync::mpsc;

use dlmanager::core::FileOp;
use dlmanager::{Download, Error, Event, Hook, Notice, Outcome};
use dlmanager_origin::{At, Cut, Gate, Reply};

use crate::bench::{Bench, pattern, start};
use crate::place::TEN;
use crate::setting::Setting;
use crate::store::{Hold, is_cleanup, is_eviction, is_first_write};
use crate::wait::{DEADLINE, all_events, close, end, events_until, is_ready, receive, within};

pub(super) fn n10_one_that_drains_is_never_joined(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    let body = pattern("/a", 400_000);
    bench.origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(300_000), &gate));
    let ((written, on_write), (cleanup, on_cleanup)) = (Hold::at(is_first_write), Hold::at(is_cleanup));
    let manager = bench
        .hooked(
            move |inner, action| {
                if is_cleanup(&action.op) { on_cleanup(inner, action) } else { on_write(inner, action) }
            },
        )
        .open()
        .unwrap();
    let mut events = manager.events();
    let first = start(&manager, &bench.origin.url("/a"));
    written.wait_reached();
    written.release();
    first.cancel().unwrap();
    cleanup.wait_reached();
    let second = start(&manager, &bench.origin.url("/a"));
    assert_ne!(first.id(), second.id());
    assert!(first.is_running() && first.is_canceled(), "it drains");
    assert!(second.is_running() && !second.is_canceled());
    gate.open();
    cleanup.release();
    assert_eq!(end(&first), Err(Error::Canceled));
    end(&second).unwrap();
    let seen = events_until(&mut events, |event| is_end_of(event, &second));
    let position = |matches: &dyn Fn(&Event) -> bool| seen.iter().position(matches).expect("it is told");
    let progress = |event: &Event| matches!(event, Event::Download { download, notice: Notice::Progress { .. } } if download.id == second.id());
    assert!(position(&|event| is_end_of(event, &first)) < position(&progress), "{seen:?}");
    close(&manager);
    bench.place.assert_holds(&[("a", &body.to_vec())]);
}

pub(super) fn n11_eight_at_once_and_six_from_one_host(setting: &Setting) {
    for (per_host, at_once) in [(None, 6), (Some(100), 8)] {
        let bench = Bench::new(setting);
        let gate = Gate::new();
        let builder = bench.builder();
        let manager = match per_host {
            Some(per_host) => builder.per_host(per_host),
            None => builder,
        }
        .open()
        .unwrap();
        let paths: Vec<String> = (0..20).map(|index| format!("/{index:02}")).collect();
        for path in &paths {
            bench.origin.serve(path, Reply::body(TEN).gate_at(At::Start, &gate));
        }
        let downloads: Vec<Download> = paths.iter().map(|path| start(&manager, &bench.origin.url(path))).collect();
        assert!(gate.wait_reached(at_once, DEADLINE));
        assert!(downloads.iter().all(Download::is_running), "queued ones run, too");
        assert_eq!(manager.downloads().len(), 20);
        // The loop has answered a command since: what it would start is started.
        downloads[19].cancel().unwrap();
        assert_eq!(end(&downloads[19]), Err(Error::Canceled));
        gate.open();
        for download in &downloads[..19] {
            end(download).unwrap();
            assert!(!download.is_running());
        }
        close(&manager);
        let names: Vec<&str> = paths[..19].iter().map(|path| &path[1..]).collect();
        let files: Vec<(&str, &[u8])> = names.into_iter().map(|name| (name, TEN)).collect();
        bench.place.assert_holds(&files);
        assert_eq!(bench.origin.records().connections.peak, at_once);
    }
}

pub(super) fn n12_those_that_match_are_canceled(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    bench.origin.serve("/ended", Reply::body(TEN));
    bench.origin.serve("/silent", Reply::body(TEN).stall_at(At::Start));
    bench.origin.serve("/stalled", Reply::body(TEN).stall_at(At::Body(5)));
    bench.origin.serve("/kept", Reply::body(TEN).gate_at(At::Body(5), &gate));
    let manager = bench.open();
    bench.download(&manager, "/ended");
    let running = ["/silent", "/stalled", "/kept"].map(|path| start(&manager, &bench.origin.url(path)));
    assert!(gate.wait_reached(1, DEADLINE));
    let mut asked = Vec::new();
    let canceled = manager.cancel_if(|download| {
        asked.push(download.name().to_owned());
        download.name() != "kept"
    });
    assert_eq!((canceled, asked), (2, ["silent", "stalled", "kept"].map(String::from).to_vec()));
    // Neither sends another byte: that they end is that nobody waits for one.
    assert_eq!([end(&running[0]), end(&running[1])], [Err(Error::Canceled), Err(Error::Canceled)]);
    assert!(running[0].is_canceled() && running[2].is_running() && !running[2].is_canceled());
    gate.open();
    end(&running[2]).unwrap();
    assert_eq!(manager.cancel_all(), 0, "nothing runs");
    close(&manager);
    bench.place.assert_holds(&[("ended", TEN), ("kept", TEN)]);
}

pub(super) fn n13_wait_is_for_all_and_lists_every_failure(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    bench.origin.serve("/gone", Reply::empty(410));
    bench.origin.serve("/missing", Reply::empty(404));
    bench.origin.serve("/good", Reply::body(TEN).gate_at(At::Body(5), &gate));
    bench.origin.serve("/canceled", Reply::body(TEN).stall_at(At::Body(5)));
    let manager = bench.open_without_retries();
    let [gone, missing, good, canceled] =
        ["/gone", "/missing", "/good", "/canceled"].map(|path| start(&manager, &bench.origin.url(path)));
    canceled.cancel().unwrap();
    for ended in [&gone, &missing, &canceled] {
        end(ended).unwrap_err();
    }
    assert!(gate.wait_reached(1, DEADLINE));
    let mut all_done = manager.all_done();
    assert!(!is_ready(&mut all_done), "the failures came first, and one still runs");
    gate.open();
    let failed = within(move || all_done.wait()).unwrap_err();
    assert!(!good.is_running());
    let mut failures: Vec<_> =
        failed.failures().iter().map(|failure| (failure.download.name.as_str(), failure.error.kind())).collect();
    failures.sort_unstable();
    assert_eq!((failures, failed.omitted()), (vec![("gone", "status"), ("missing", "status")], 0));
    let again = manager.clone();
    within(move || again.wait()).expect("what was told is not told again");

    let missing = start(&manager, &bench.origin.url("/missing"));
    let idle = manager.clone();
    within(move || idle.wait_idle());
    assert!(!missing.is_running());
    let waiting = manager.clone();
    let failed = within(move || waiting.wait()).unwrap_err();
    assert_eq!(failed.failures().len(), 1, "wait_idle leaves the failures to wait");
    close(&manager);
    bench.place.assert_holds(&[("good", TEN)]);
}

pub(super) fn n14_the_end_is_told_once_and_after_all_that_it_causes(setting: &Setting) {
    every_outcome_is_told(setting);
    let rename = |op: &FileOp| matches!(op, FileOp::Rename { .. });
    nothing_ends_before(setting, rename, "/a", false);
    nothing_ends_before(setting, is_cleanup, "/cut", true);
    nothing_ends_before(setting, is_eviction, "/a", false);
    a_hook_that_panics_is_reported(setting);
}

fn a_hook_that_panics_is_reported(setting: &Setting) {
    let bench = Bench::new(setting);
    let paths = ["/a", "/b"];
    for path in paths {
        bench.origin.serve(path, Reply::body(TEN));
    }
    let (tell, told) = mpsc::channel();
    // As a panic, without the report that goes to standard error.
    let builder =
        bench.builder().on_started(|_| std::panic::resume_unwind(Box::new("the hook failed, as it was told to")));
    let builder =
        builder.on_finished(move |download, _| tell.send(download.name().to_owned()).expect("the test reads"));
    let manager = builder.open().unwrap();
    let events = manager.events();
    for path in paths {
        bench.download(&manager, path);
    }
    close(&manager);
    assert_eq!(told.iter().collect::<Vec<_>>(), ["a", "b"], "the other hook is called as before");
    let panicked = all_events(events).into_iter().filter_map(|event| match event {
        Event::HookPanicked { hook, download, message } => Some((hook, download.name.to_string(), message)),
        _ => None,
    });
    let expected = (Hook::Started, "a".to_owned(), "the hook failed, as it was told to".to_owned());
    assert_eq!(panicked.collect::<Vec<_>>(), [expected]);
    bench.place.assert_holds(&[("a", TEN), ("b", TEN)]);
}

fn every_outcome_is_told(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    bench.origin.serve("/new", Reply::body(TEN));
    bench.origin.serve("/missing", Reply::empty(404));
    bench.origin.serve("/stalled", Reply::body(TEN).stall_at(At::Body(5)));
    let (tell_start, starts) = mpsc::channel();
    let (tell_end, ends) = mpsc::channel();
    let limit = dlmanager::PersistLimit::new(10, 3);
    let hooked = bench
        .builder()
        .on_started(move |download| tell_start.send(download.name().to_owned()).expect("the test reads"))
        .on_finished(move |download, ended| {
            tell_end.send((download.name().to_owned(), ended.clone())).expect("the test reads");
        });
    let manager = hooked.persist_limit(limit).adopt(true).retries(0).open().unwrap();
    let events = manager.events();
    end(&start(&manager, &bench.origin.url("/f"))).unwrap();
    bench.download(&manager, "/new");
    end(&start(&manager, &bench.origin.url("/missing"))).unwrap_err();
    let stalled = start(&manager, &bench.origin.url("/stalled"));
    stalled.cancel().unwrap();
    end(&stalled).unwrap_err();
    close(&manager);
    let names = ["f", "new", "missing", "stalled"];
    assert_eq!(starts.iter().collect::<Vec<_>>(), names);
    let ends: Vec<_> = ends.iter().collect();
    assert_eq!(ends.iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
    let [(_, Ok(present)), (_, Ok(complete)), (_, Err(failed)), (_, Err(Error::Canceled))] = ends.as_slice() else {
        panic!("{ends:?}")
    };
    assert!(present.is_present() && !complete.is_present() && failed.kind() == "status");
    let seen = all_events(events);
    for (name, outcome) in [("f", "present"), ("new", "complete"), ("missing", "failed"), ("stalled", "canceled")] {
        let notices: Vec<&Notice> = seen.iter().filter_map(|event| notice_of(event, name)).collect();
        assert!(matches!(notices.first(), Some(Notice::Started { .. })), "{name}: {notices:?}");
        let ends: Vec<_> = notices.iter().map(|notice| end_of(notice)).collect();
        assert_eq!(ends.iter().flatten().collect::<Vec<_>>(), [&outcome], "{name}: {notices:?}");
        assert_eq!(ends.last(), Some(&Some(outcome)), "{name}: the end is last");
    }
    let at = |matches: &dyn Fn(&Event) -> bool| seen.iter().position(matches).expect("it is told");
    let present = at(&|event| notice_of(event, "f").and_then(end_of).is_some());
    let complete = at(&|event| notice_of(event, "new").and_then(end_of).is_some());
    let evicted = seen.iter().enumerate().filter_map(|(index, event)| match event {
        Event::Directory { notice: Notice::Evicted { path, length, .. } } => Some((index, path.as_str(), *length)),
        _ => None,
    });
    let evicted: Vec<_> = evicted.collect();
    let names: Vec<_> = evicted.iter().map(|(_, name, length)| (*name, *length)).collect();
    assert_eq!(names, [("a", 10), ("b", 10), ("c", 10), ("d", 10)]);
    assert!(evicted.iter().all(|(index, ..)| present < *index && *index < complete), "{seen:?}");
}

/// While an operation that the end of a download causes is under way, the download has not ended for anybody.
fn nothing_ends_before(
    setting: &Setting,
    operation: impl Fn(&FileOp) -> bool + Send + Sync + 'static,
    path: &str,
    fails: bool,
) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    bench.origin.serve("/a", Reply::body(TEN));
    bench.origin.serve("/cut", Reply::body(pattern("/cut", 100_000)).cut_at(At::Body(90_000), Cut::Fin));
    let (hold, hook) = Hold::at(operation);
    let limit = dlmanager::PersistLimit::new(10, 3);
    let (tell, told) = mpsc::channel();
    let builder = bench.hooked(hook).on_finished(move |_, _| tell.send(()).expect("the test reads"));
    let manager = builder.persist_limit(limit).adopt(true).retries(0).open().unwrap();
    let mut events = manager.events();
    let name = format!("new{}", &path[1..]);
    let download = manager.request(bench.origin.url(path)).name(&name).start().unwrap();
    let mut all_done = manager.all_done();
    hold.wait_reached();
    assert!(download.is_running() && download.result().is_none());
    assert!(!is_ready(&mut all_done));
    while let Ok(event) = events.try_recv() {
        assert!(!is_end_of(&event, &download), "{event:?}");
    }
    assert!(told.try_recv().is_err());
    hold.release();
    receive(&told);
    assert_eq!(within(move || all_done.wait()).is_err(), fails);
    assert!(!download.is_running());
    // When wait returns, all is done.
    let expected = if fails { vec!["d", "e", "f"] } else { vec!["e", "f", &name] };
    assert_eq!(
        (bench.place.names(), bench.place.unfinished()),
        (expected.into_iter().map(String::from).collect(), vec![])
    );
    close(&manager);
}

pub(super) fn is_end_of(event: &Event, of: &Download) -> bool {
    matches!(event, Event::Download { download, notice: Notice::Finished { .. } } if download.id == of.id())
}

pub(super) fn notice_of<'a>(event: &'a Event, name: &str) -> Option<&'a Notice> {
    match event {
        Event::Download { download, notice } if download.name.as_str() == name => Some(notice),
        _ => None,
    }
}

fn end_of(notice: &Notice) -> Option<&'static str> {
    let Notice::Finished { outcome, .. } = notice else { return None };
    Some(match outcome {
        Outcome::Complete(_) => "complete",
        Outcome::Present { .. } => "present",
        Outcome::Canceled => "canceled",
        Outcome::Failed(_) => "failed",
    })
}
