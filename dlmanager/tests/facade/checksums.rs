//! Digests that are asked for: of what is fetched, and of what is there.

use dlmanager::core::{Algorithms, Hasher};
use dlmanager::{
    AdmitError, Algorithm, Digest, DownloadError, DownloadManager, DownloadedFile, Error, FetchError, IfPresent, fetch,
};
use dlmanager_origin::{At, Body, DigestAlgorithm, Gate, Origin, Reply};

use crate::support::{DEADLINE, close, end, entries, names, runtimes, within};

fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithms::NONE.with(algorithm));
    hasher.update(bytes);
    *hasher.digests().get(algorithm).unwrap()
}

fn verified(file: &DownloadedFile) -> Vec<Digest> {
    file.digests.iter().copied().collect()
}

#[test]
fn what_is_asked_for_is_verified_and_told_whether_the_file_was_fetched_or_there() {
    for runtime in runtimes() {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let body = Body::pattern(1, 3_000_000);
        origin.serve("/a", Reply::body(body.clone()));
        let manager = DownloadManager::builder(folder.path()).runtime(runtime).open().unwrap();
        for algorithm in Algorithm::ALL {
            let expected = digest(algorithm, &body.to_vec());
            for present in [false, true] {
                let request = manager.request(origin.url("/a")).name(algorithm.name()).checksum(expected);
                let file = end(&request.start().unwrap()).unwrap();
                assert_eq!((file.is_present(), verified(&file)), (present, vec![expected]));
            }
        }
        assert_eq!(origin.records().requests.len(), Algorithm::ALL.len());
        let unasked = end(&manager.request(origin.url("/a")).name("md5").start().unwrap()).unwrap();
        assert_eq!(verified(&unasked), [], "nobody said what it should be");
    }
}

#[test]
fn what_the_server_says_is_verified_as_well() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let body = Body::pattern(2, 100_000);
    origin.serve("/a", Reply::body(body.clone()).repr_digest(DigestAlgorithm::Sha512));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let [sha256, sha512] = [Algorithm::Sha256, Algorithm::Sha512].map(|each| digest(each, &body.to_vec()));
    let file = end(&manager.request(origin.url("/a")).checksum(sha256).start().unwrap()).unwrap();
    assert_eq!(verified(&file), [sha256, sha512]);
}

#[test]
fn another_file_is_fetched_once_more_then_dropped_and_the_error_shows_both() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let body = Body::pattern(3, 100_000);
    origin.serve("/a", Reply::body(body.clone()));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let (expected, actual) = (digest(Algorithm::Sha256, b"other"), digest(Algorithm::Sha256, &body.to_vec()));
    let error = end(&manager.request(origin.url("/a")).checksum(expected).start().unwrap()).unwrap_err();
    assert_eq!(error.kind(), "checksum-mismatch");
    let text = error.to_string();
    assert!(text.contains(&expected.to_string()) && text.contains(&actual.to_string()), "{text}");
    close(&manager);
    assert_eq!(origin.records().requests.len(), 2);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn another_file_that_is_there_is_left_alone_unless_it_is_to_be_replaced() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    origin.serve("/a", Reply::body("wanted"));
    let path = folder.path().join("a");
    std::fs::write(&path, "mine").unwrap();
    let [mine, wanted] = ["mine", "wanted"].map(|text| digest(Algorithm::Blake3, text.as_bytes()));
    let go = |if_present| {
        let fetching = fetch(origin.url("/a"), &path).checksum(wanted).if_present(if_present);
        within(move || fetching.wait())
    };
    match go(IfPresent::Skip) {
        Err(FetchError::Download(Error::Failed(DownloadError::PresentMismatch { expected, actual, .. }))) => {
            assert_eq!((*expected, *actual), (wanted, mine));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((std::fs::read(&path).unwrap(), origin.records().requests.len()), (b"mine".to_vec(), 0));
    let file = go(IfPresent::Replace).unwrap();
    assert_eq!((std::fs::read(&path).unwrap(), verified(&file)), (b"wanted".to_vec(), vec![wanted]));
    let file = go(IfPresent::Replace).unwrap();
    assert!(file.is_present(), "what is right already is not fetched");
    assert_eq!(entries(folder.path()), names(&["a"]));
}

#[test]
fn a_file_that_appears_meanwhile_is_held_to_the_checksum_too() {
    for (text, right) in [("wanted", true), ("other", false)] {
        let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
        let gate = Gate::new();
        origin.serve("/a", Reply::body("wanted").gate_at(At::Body(3), &gate));
        let manager = DownloadManager::new(folder.path()).unwrap();
        let wanted = digest(Algorithm::Sha256, b"wanted");
        let download = manager.request(origin.url("/a")).checksum(wanted).start().unwrap();
        assert!(gate.wait_reached(1, DEADLINE));
        std::fs::write(folder.path().join("a"), text).unwrap();
        gate.open();
        match end(&download) {
            Ok(file) => assert_eq!((file.is_present(), verified(&file), right), (true, vec![wanted], true)),
            Err(error) => assert_eq!((error.kind(), right), ("present-mismatch", false)),
        }
        assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), text.as_bytes(), "it is left as it is");
        close(&manager);
        assert_eq!(entries(folder.path()), names(&["a"]));
    }
}

#[test]
fn one_name_is_not_held_to_two_checksums_at_once() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let gate = Gate::new();
    origin.serve("/a", Reply::body("bytes").gate_at(At::Body(2), &gate));
    let manager = DownloadManager::new(folder.path()).unwrap();
    let [right, wrong] = ["bytes", "others"].map(|text| digest(Algorithm::Sha256, text.as_bytes()));
    let download = manager.request(origin.url("/a")).checksum(right).start().unwrap();
    let conflict = manager.request(origin.url("/a")).checksum(wrong).start().unwrap_err();
    assert_eq!(conflict, AdmitError::Conflict { running: Some(Box::new(right)) });
    let joined = [manager.request(origin.url("/a")).checksum(right).start(), manager.download(origin.url("/a"))];
    gate.open();
    for joined in joined {
        assert_eq!(verified(&end(&joined.unwrap()).unwrap()), [right]);
    }
    assert_eq!(end(&download).unwrap().requests, 1);
}
