//! `fetch`: one file, without a manager.

use std::sync::{Arc, Mutex};

use dlmanager::{AdmitError, DownloadError, Error, FetchError, How, IfPresent, Progress, fetch};
use dlmanager_origin::{Body, Origin, Reply};

use crate::support::{entries, names, within};

#[test]
fn a_file_is_fetched_to_its_path_and_the_last_progress_is_told_before_that_is_over() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let body = Body::pattern(1, 100_000);
    origin.serve("/a.bin", Reply::body(body.clone()));
    let path = folder.path().join("sub/b.bin");
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let tell = Arc::clone(&seen);
    let fetching = fetch(origin.url("/a.bin"), &path).progress(move |progress| tell.lock().unwrap().push(*progress));
    let file = within(move || fetching.wait()).unwrap();
    assert_eq!((&file.path, file.length, file.how), (&path, 100_000, How::Fetched));
    assert_eq!(body.compare(std::fs::File::open(&path).unwrap()).unwrap(), None);
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].received, seen[0].total), (0, Some(100_000)));
    assert_eq!(seen.last().map(|last| (last.received, last.total)), Some((100_000, Some(100_000))));
    assert_eq!(entries(&folder.path().join("sub")), names(&["b.bin"]));
}

#[test]
fn it_can_be_awaited_on_any_executor() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a.bin", Reply::body("bytes"));
    let fetching = fetch(origin.url("/a.bin"), folder.path().join("a.bin"));
    within(|| smol::block_on(async { fetching.await })).unwrap();
    let again = fetch(origin.url("/a.bin"), folder.path().join("a.bin"));
    assert!(within(|| smol::block_on(async { again.await })).unwrap().is_present());
    origin.serve("/a.bin", Reply::body("others"));
    let replacing = fetch(origin.url("/a.bin"), folder.path().join("a.bin")).if_present(IfPresent::Replace);
    within(|| smol::block_on(async { replacing.await })).unwrap();
    assert_eq!(std::fs::read(folder.path().join("a.bin")).unwrap(), b"others");
}

#[test]
fn what_is_wrong_is_told() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::empty(404));
    let folder = folder.path().join("not/made");
    let go = |url: String, path: std::path::PathBuf| within(move || fetch(url, path).wait());
    assert!(matches!(go(origin.url("/a"), folder.join("..")), Err(FetchError::NoName { .. })));
    assert!(matches!(go(origin.url("/a"), folder.join("nul")), Err(FetchError::Path { .. })));
    assert!(matches!(go("ftp://example.org/a".into(), folder.join("a")), Err(FetchError::Admit(AdmitError::Url(_)))));
    assert!(!folder.exists(), "nothing is made for what cannot work");
    let missing = go(origin.url("/a"), folder.join("a"));
    assert!(
        matches!(missing, Err(FetchError::Download(Error::Failed(DownloadError::Status { status: 404 })))),
        "{missing:?}"
    );
    assert!(entries(&folder).is_empty());
}
