//! What becomes of a download, over sockets and a real directory.

use std::time::{Duration, Instant};

use dlmanager::{AdmitError, CancelError, DownloadError, DownloadManager, Error, How, IfPresent};
use dlmanager_origin::{At, Body, Cut, Gate, Origin, Reply};

use crate::support::{DEADLINE, close, end, entries, names, visible};

#[test]
fn a_file_is_fetched_byte_for_byte() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let body = Body::pattern(1, 3_000_001);
    origin.serve("/a.bin", Reply::body(body.clone()));
    let manager = DownloadManager::new(folder.path().join("made/on/demand")).unwrap();
    let download = manager.download(origin.url("/a.bin")).unwrap();
    let file = end(&download).unwrap();
    assert_eq!(file.path, folder.path().join("made/on/demand/a.bin"));
    assert_eq!(std::fs::read(&file.path).unwrap(), body.to_vec());
    assert_eq!((file.length, file.how, file.requests), (3_000_001, How::Fetched, 1));
    assert_eq!(file.url.as_str(), origin.url("/a.bin"));
    assert!(!file.length_unverified && !file.is_present());
    assert!(!download.is_running() && !download.is_canceled());
    assert_eq!((download.error(), download.result()), (None, Some(Ok(file))));
    assert_eq!((download.progress().received, download.progress().total), (3_000_001, Some(3_000_001)));
    close(&manager);
    assert_eq!(entries(&folder.path().join("made/on/demand")), names(&["a.bin"]));
}

#[test]
fn a_file_that_is_there_is_taken_as_it_is_and_replaced_on_request() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a.bin", Reply::body("new bytes"));
    std::fs::write(folder.path().join("a.bin"), "old").unwrap();
    let manager = DownloadManager::new(folder.path()).unwrap();
    let file = end(&manager.download(origin.url("/a.bin")).unwrap()).unwrap();
    assert_eq!((file.how, file.length, file.requests), (How::Present, 3, 0));
    assert_eq!(origin.records().requests.len(), 0);
    let replaced = manager.request(origin.url("/a.bin")).if_present(IfPresent::Replace).start().unwrap();
    assert_eq!(end(&replaced).unwrap().how, How::Fetched);
    assert_eq!(std::fs::read(folder.path().join("a.bin")).unwrap(), b"new bytes");
}

#[test]
fn a_download_that_runs_under_that_name_is_joined_whatever_its_url() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/x/a.bin", Reply::body("bytes").gate_at(At::Body(2), &gate));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let first = manager.download(origin.url("/x/a.bin")).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    let second = manager.download(origin.url("/y/a.bin")).unwrap();
    assert_eq!(first.id(), second.id());
    assert_eq!(second.url().as_str(), origin.url("/x/a.bin"));
    assert_eq!(manager.downloads().len(), 1);
    gate.open();
    assert_eq!(end(&first), end(&second));
    assert_eq!(end(&second).unwrap().url.as_str(), origin.url("/x/a.bin"));
    assert_eq!(origin.records().requests.len(), 1);
    let third = manager.download(origin.url("/x/a.bin")).unwrap();
    assert_ne!(third.id(), first.id(), "one that has ended is not joined");
    assert_eq!(end(&third).unwrap().how, How::Present);
}

#[test]
fn a_name_that_is_given_may_hold_subfolders_and_headers_are_sent() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body("bytes"));
    let manager = DownloadManager::builder(folder.path()).user_agent("test/1").open().unwrap();
    let (name, value) = (dlmanager::HeaderName::from_static("x-test"), dlmanager::HeaderValue::from_static("yes"));
    let request = manager.request(origin.url("/a")).name("sub/folder/b.bin").header(name, value);
    let download = request.start().unwrap();
    assert_eq!(download.name(), "sub/folder/b.bin");
    assert_eq!(download.dest(), manager.dest("sub/folder/b.bin").unwrap());
    assert_eq!(std::fs::read(end(&download).unwrap().path).unwrap(), b"bytes");
    let records = origin.records();
    assert_eq!(records.requests[0].header("x-test"), Some("yes"));
    assert_eq!(records.requests[0].header("user-agent"), Some("test/1"));
}

#[test]
fn fields_for_every_request_are_sent_to_the_origin_asked_for_and_no_other() {
    let (folder, origin, other) = (tempfile::tempdir().unwrap(), Origin::start().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body("bytes"));
    origin.serve("/b", Reply::empty(302).header("Location", &other.url("/b")));
    other.serve("/b", Reply::body("bytes"));
    let (name, value) = (dlmanager::HeaderName::from_static, dlmanager::HeaderValue::from_static);
    let manager = DownloadManager::builder(folder.path())
        .header(name("x-first"), value("replaced"))
        .header(name("x-first"), value("1"))
        .header(name("x-second"), value("2"))
        .open()
        .unwrap();
    let request = manager.request(origin.url("/a")).header(name("x-second"), value("own"));
    end(&request.start().unwrap()).unwrap();
    end(&manager.download(origin.url("/b")).unwrap()).unwrap();
    let requests = origin.records().requests;
    let sent: Vec<_> = requests.iter().map(|request| (request.header("x-first"), request.header("x-second"))).collect();
    assert_eq!(sent, [(Some("1"), Some("own")), (Some("1"), Some("2"))]);
    let elsewhere = other.records().requests;
    assert_eq!((elsewhere.len(), elsewhere[0].header("x-first")), (1, None));
    let reserved = DownloadManager::builder(folder.path()).header(name("range"), value("bytes=1-")).open().unwrap();
    assert!(matches!(reserved.download(origin.url("/c")), Err(AdmitError::Header { .. })));
}

#[test]
fn what_can_be_known_to_be_wrong_is_refused_before_anything_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let manager = DownloadManager::new(folder.path()).unwrap();
    for url in ["", "no url", "ftp://example.org/a", "http://", "file:///etc/passwd"] {
        assert!(matches!(manager.download(url), Err(AdmitError::Url(_))), "{url:?}");
    }
    for url in ["http://127.0.0.1:1/", "http://127.0.0.1:1/a/", "http://127.0.0.1:1/..%2Fa", "http://127.0.0.1:1/CON"] {
        assert!(matches!(manager.download(url), Err(AdmitError::Name(_))), "{url:?}");
    }
    for name in ["", "../a", "a/../b", "/a", "a\\b", "nul", "a:b", ".dlmanager/a"] {
        let refused = manager.request("http://127.0.0.1:1/a").name(name).start();
        assert!(matches!(refused, Err(AdmitError::Name(_))), "{name:?}");
        assert!(manager.dest(name).is_err(), "{name:?}");
    }
    assert!(manager.downloads().is_empty());
    close(&manager);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn a_failure_says_why_and_leaves_nothing() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/missing", Reply::empty(404));
    origin.serve("/short", Reply::body(Body::pattern(1, 1000)).cut_at(At::Body(500), Cut::Fin));
    let manager = DownloadManager::builder(folder.path()).retries(0).open().unwrap();
    let missing = manager.download(origin.url("/missing")).unwrap();
    let short = manager.download(origin.url("/short")).unwrap();
    assert_eq!(end(&missing), Err(Error::Failed(DownloadError::Status { status: 404 })));
    assert_eq!(missing.error().unwrap().kind(), "status");
    assert!(matches!(end(&short), Err(Error::Failed(_))), "{short:?}");
    close(&manager);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn a_cut_connection_is_tried_again() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let body = Body::pattern(7, 300_000);
    let cut = Reply::body(body.clone()).cut_at(At::Body(100_000), Cut::Reset);
    origin.script("/a.bin", vec![cut, Reply::body(body.clone())]);
    let manager = DownloadManager::new(folder.path()).unwrap();
    let file = end(&manager.download(origin.url("/a.bin")).unwrap()).unwrap();
    assert_eq!(file.requests, 2);
    assert_eq!(body.compare(std::fs::File::open(file.path).unwrap()).unwrap(), None);
}

#[test]
fn a_cancel_during_a_stalled_body_ends_at_once_and_leaves_nothing() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a.bin", Reply::body(Body::pattern(1, 1_000_000)).gate_at(At::Body(500_000), &gate));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let download = manager.download(origin.url("/a.bin")).unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    assert!(download.is_running() && !download.is_canceled());
    let began = Instant::now();
    download.cancel().unwrap();
    assert!(download.is_canceled());
    assert_eq!(end(&download), Err(Error::Canceled));
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert!(!download.is_running() && download.is_canceled());
    assert_eq!(download.error(), None);
    assert_eq!(download.cancel(), Err(CancelError::Unknown));
    assert!(visible(folder.path()).is_empty());
    origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    close(&manager);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn those_that_match_are_canceled_and_the_others_go_on() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    for path in ["/a", "/b", "/c"] {
        origin.serve(path, Reply::body("bytes").gate_at(At::Body(2), &gate));
    }
    let manager = DownloadManager::new(folder.path()).unwrap();
    let downloads = ["/a", "/b", "/c"].map(|path| manager.download(origin.url(path)).unwrap());
    assert!(gate.wait_reached(3, DEADLINE));
    assert_eq!(manager.cancel_if(|download| download.name() == "b"), 1);
    assert_eq!(end(&downloads[1]), Err(Error::Canceled));
    gate.open();
    assert!(end(&downloads[0]).is_ok() && end(&downloads[2]).is_ok());
    assert_eq!(visible(folder.path()), names(&["a", "c"]));
    assert_eq!(manager.cancel_all(), 0);
}

#[test]
fn queued_downloads_run_and_there_are_no_more_at_once_than_jobs() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    let manager = DownloadManager::builder(folder.path()).jobs(2).open().unwrap();
    let paths: Vec<String> = (0..10).map(|index| format!("/{index}.bin")).collect();
    for path in &paths {
        origin.serve(path, Reply::body("bytes").gate_at(At::Body(1), &gate));
    }
    let downloads: Vec<_> = paths.iter().map(|path| manager.download(origin.url(path)).unwrap()).collect();
    assert!(downloads.iter().all(dlmanager::Download::is_running), "queued ones run, too");
    assert!(gate.wait_reached(2, DEADLINE));
    assert_eq!(gate.arrivals(), 2);
    gate.open();
    assert!(downloads.iter().all(|download| end(download).is_ok()));
    assert_eq!(origin.records().connections.peak, 2);
}
