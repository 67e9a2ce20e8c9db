//! The stream of events.

use std::collections::BTreeMap;
use std::time::Duration;

use dlmanager::{DownloadManager, Event, Notice, Outcome, PersistLimit};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{Scripted, close, end, in_memory, within};

#[test]
fn each_download_is_told_from_start_to_end_with_its_url_and_name() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/good", Reply::body("bytes"));
    origin.serve("/bad", Reply::empty(404));
    let manager = DownloadManager::builder(folder.path()).retries(0).open().unwrap();
    let events = manager.events();
    let collected = std::thread::spawn(move || within(move || events.into_iter().collect::<Vec<_>>()));
    end(&manager.download(origin.url("/good")).unwrap()).unwrap();
    end(&manager.download(origin.url("/bad")).unwrap()).unwrap_err();
    close(&manager);
    let mut told: BTreeMap<String, Vec<Notice>> = BTreeMap::new();
    for event in collected.join().unwrap() {
        if let Event::Download { download, notice } = event {
            assert_eq!(download.url.as_str(), origin.url(&format!("/{}", download.name)));
            assert_eq!(download.dest, folder.path().join(download.name.as_str()));
            told.entry(download.name.to_string()).or_default().push(notice);
        }
    }
    assert_eq!(told.len(), 2);
    for (name, notices) in told {
        assert!(matches!(notices.first(), Some(Notice::Started { .. })), "{name}: {notices:?}");
        let good = matches!(notices.last(), Some(Notice::Finished { outcome: Outcome::Complete(_), .. }));
        let bad = matches!(notices.last(), Some(Notice::Finished { outcome: Outcome::Failed(_), .. }));
        assert!(if name == "good" { good } else { bad }, "{name}: {notices:?}");
        let ends = notices.iter().filter(|notice| matches!(notice, Notice::Finished { .. }));
        assert_eq!(ends.count(), 1);
    }
}

#[test]
fn progress_that_nobody_reads_is_coalesced() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 20_000)).pieces(100, Duration::from_micros(100)));
    let builder = in_memory(&scripted, &MemoryDirectory::new());
    let manager = builder.progress_interval(Duration::ZERO).open().unwrap();
    let mut events = manager.events();
    let (values, observed) = std::sync::mpsc::channel();
    let observer = move |progress: &dlmanager::Progress| {
        let _ = values.send(progress.received);
    };
    end(&manager.request("http://origin.example/a").progress(observer).start().unwrap()).unwrap();
    close(&manager);
    let mut reports = Vec::new();
    while let Some(event) = events.recv() {
        if let Event::Download { notice: Notice::Progress { progress, .. }, .. } = event {
            reports.push(progress.received);
        }
    }
    assert_eq!(reports, [0, 20_000], "the first, and of the others only the latest waits");
    let observed: Vec<u64> = observed.iter().collect();
    assert_eq!((observed.first(), observed.last()), (Some(&0), Some(&20_000)));
    assert!(events.try_recv().is_err());
}

#[test]
fn a_stream_of_a_closed_manager_has_ended() {
    let manager = in_memory(&Scripted::new(), &MemoryDirectory::new()).open().unwrap();
    close(&manager);
    let mut events = manager.events();
    assert_eq!(within(move || events.recv()), None);
}

/// A word for each event, with the progress it tells of: `NAME:WORD`.
fn words(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let word = |notice: &Notice| match notice {
        Notice::Started { .. } => "started".into(),
        Notice::Progress { progress, .. } => format!("{}/{:?}", progress.received, progress.total.unwrap_or(0)),
        Notice::Retrying { .. } => "retrying".into(),
        Notice::Rewound { to, .. } => format!("rewound to {to}"),
        Notice::Finished { outcome: Outcome::Complete(_), .. } => "complete".into(),
        Notice::Finished { outcome: Outcome::Present { .. }, .. } => "present".into(),
        Notice::Finished { outcome: Outcome::Canceled, .. } => "canceled".into(),
        Notice::Finished { outcome: Outcome::Failed(_), .. } => "failed".into(),
        Notice::Evicted { path, .. } => format!("evicted {path}"),
        Notice::Swept { .. } => "swept".into(),
        Notice::DirectoryReady => "ready".into(),
        other => panic!("{other:?}"),
    };
    let words = events.into_iter().map(|event| match &event {
        Event::Download { download, notice } => format!("{}:{}", download.name, word(notice)),
        Event::Directory { notice } => format!("-:{}", word(notice)),
        other => panic!("{other:?}"),
    });
    words.collect()
}

#[test]
fn events_come_in_the_order_in_which_things_happened_and_to_every_reader() {
    let scripted = Scripted::new();
    let reply = || Script::ok(content(1, 1000));
    scripted.script.lock().unwrap().script("http://origin.example/a", [reply().cut_at(600), reply()]);
    scripted.script.lock().unwrap().script("http://origin.example/c", [Script::status(http::StatusCode::NOT_FOUND)]);
    scripted.script.lock().unwrap().otherwise(reply());
    let config = dlmanager::core::Config {
        backoff_max: Duration::ZERO,
        progress_interval: Duration::ZERO,
        ..Default::default()
    };
    let directory = MemoryDirectory::new();
    let builder = in_memory(&scripted, &directory).config(config).persist_limit(PersistLimit::new(1000, 1));
    let manager = builder.open().unwrap();
    let readers = [manager.events(), manager.events()];
    for (name, works) in [("a", true), ("b", true), ("a", true), ("c", false), ("a", true)] {
        let download = manager.download(format!("http://origin.example/{name}")).unwrap();
        assert_eq!(end(&download).is_ok(), works);
    }
    close(&manager);
    let [first, second] = readers.map(|events| words(within(move || events.into_iter().collect::<Vec<_>>())));
    assert_eq!(first, second);
    // Nobody reads before the end, so that all but the first report of a stretch is one.
    #[rustfmt::skip]
    let expected = [
        "a:started", "a:0/1000", "a:600/1000", "a:retrying", "a:rewound to 0", "a:1000/1000", "-:swept", "a:complete",
        "b:started", "b:0/1000", "b:1000/1000", "-:evicted a", "-:swept", "b:complete",
        "a:started", "a:0/1000", "a:1000/1000", "-:evicted b", "-:swept", "a:complete",
        "c:started", "c:failed",
        "a:started", "a:present",
    ];
    assert_eq!(first, expected);
}

#[test]
fn who_is_woken_by_the_end_of_a_download_finds_its_event() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)));
    let manager = in_memory(&scripted, &MemoryDirectory::new()).open().unwrap();
    for number in 0..100 {
        let mut events = manager.events();
        end(&manager.download(format!("http://origin.example/{number}")).unwrap()).unwrap();
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(event);
        }
        assert_eq!(words(told).last(), Some(&format!("{number}:complete")));
    }
    close(&manager);
}
