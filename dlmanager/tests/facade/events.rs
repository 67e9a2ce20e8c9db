//! The stream of events.

use std::collections::BTreeMap;

use dlmanager::{DownloadManager, Event, Notice, Outcome};
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
    scripted
        .script
        .lock()
        .unwrap()
        .otherwise(Script::ok(content(1, 20_000)).pieces(100, std::time::Duration::from_micros(100)));
    let builder = in_memory(&scripted, &MemoryDirectory::new());
    let manager = builder.progress_interval(std::time::Duration::ZERO).open().unwrap();
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
    assert_eq!(reports, [20_000], "only the latest waits");
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
