//! `DownloadManager`: its directory, its limit, names, joining, and files that are there.

use std::fs;

use dlmanager::core::FileKind;
use dlmanager::{
    AdmitError, DirectoryError, DownloadError, Error, HeaderName, HeaderValue, How, LimitUsage, NameRule, OpenError,
    PersistLimit, Swept,
};
use dlmanager_origin::{At, Gate, Origin, Reply};

use super::alone;
use crate::bench::{Bench, observer, pattern, start};
use crate::place::TEN;
use crate::program;
use crate::setting::{Backend, Setting};
use crate::wait::{DEADLINE, close, end, within};

pub(super) fn n01_the_directory_and_its_parents_are_made(setting: &Setting) {
    let bench = Bench::new(setting);
    let path = bench.place.path().join("made/with/parents");
    let manager = bench.builder_at(&path).open().unwrap();
    assert!(path.is_dir(), "it is made before anything is fetched");
    assert_eq!(manager.directory(), path);
    let bytes = bench.serve("/a", 10_000);
    bench.download(&manager, "/a");
    close(&manager);

    let again = bench.builder_at(&path).open().unwrap();
    close(&again);
    bench.place.assert_holds(&[("made/with/parents/a", &bytes)]);

    let blocked = path.join("a/below");
    let error = bench.builder_at(&blocked).open().unwrap_err();
    assert!(matches!(error, OpenError::Directory(_)), "{error}");
    assert_eq!(fs::read(path.join("a")).unwrap(), bytes);
}

pub(super) fn n02_files_already_there_count_at_once(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    bench.place.put_aged(".hidden", TEN, 9);
    bench.place.put_aged("folder/below", TEN, 9);
    let before = bench.place.everything();
    let limit = || PersistLimit::new(10, 3);

    let refused = bench.builder().persist_limit(limit()).open().unwrap_err();
    assert!(matches!(&refused, OpenError::Limit { error: DirectoryError::NotOurs { .. }, .. }), "{refused}");
    assert!(refused.to_string().contains("adopt"), "{refused}");
    assert_eq!(bench.place.everything(), before, "in a stranger's directory nothing is touched");

    let manager = bench.builder().persist_limit(limit()).adopt(true).open().unwrap();
    assert_eq!(manager.limit_usage(), Some(LimitUsage { files: 6, bytes: 60 }));
    assert_eq!(bench.place.everything(), before, "nothing goes before a download has ended");
    bench.origin.serve("/new", Reply::body(TEN));
    bench.download(&manager, "/new");
    assert_eq!(bench.place.names(), ["e", "f", "folder/below", "new"]);
    assert_eq!(bench.place.read(".hidden").as_deref(), Some(TEN));
    close(&manager);

    // A directory that was empty is ours from then on, with what others put there.
    let bench = Bench::new(setting);
    close(&bench.builder().persist_limit(limit()).open().unwrap());
    bench.place.put_six();
    let ours = bench.builder().persist_limit(limit()).open().unwrap();
    assert_eq!(ours.limit_usage(), Some(LimitUsage { files: 6, bytes: 60 }));
    bench.origin.serve("/new", Reply::body(TEN));
    bench.download(&ours, "/new");
    assert_eq!(bench.place.names(), ["e", "f", "new"]);
}

pub(super) fn n03_a_limit_is_optional_and_made_beforehand(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    let manager = bench.open();
    bench.origin.serve("/new", Reply::body(TEN));
    bench.download(&manager, "/new");
    assert_eq!(manager.limit_usage(), None);
    assert_eq!(manager.victims(), []);
    let sweep = manager.remove_old_files();
    assert_eq!(within(move || sweep.wait()), Ok(Swept::default()));
    assert_eq!(bench.place.names(), ["a", "b", "c", "d", "e", "f", "new"], "none by default");
    close(&manager);

    let limit = PersistLimit::new(10, 2);
    let bench = Bench::new(setting);
    bench.place.put_six();
    let manager = bench.builder().persist_limit(limit).adopt(true).open().unwrap();
    bench.origin.serve("/new", Reply::body(TEN));
    bench.download(&manager, "/new");
    assert_eq!(bench.place.names(), ["f", "new"]);
    close(&manager);

    if setting.backend == Backend::Folder {
        alone::made_beforehand(setting);
    }
}

pub(super) fn n04_connections_are_shared_and_header_fields_go_to_their_origin_only(setting: &Setting) {
    shared_connections(setting);
    let (bench, elsewhere) = (Bench::new(setting), Origin::start().unwrap());
    let language = (HeaderName::from_static("accept-language"), HeaderValue::from_static("en"));
    let manager = bench.builder().user_agent("seed/1").header(language.0, language.1).open().unwrap();
    bench.origin.serve("/a", Reply::body(TEN).header("Set-Cookie", "session=1; Path=/"));
    bench.origin.serve("/b", Reply::redirect(302, &elsewhere.url("/c")));
    elsewhere.serve("/c", Reply::body(TEN));
    bench.download(&manager, "/a");
    let token = HeaderValue::from_static("Bearer token");
    let request = manager.request(bench.origin.url("/b")).header(HeaderName::from_static("authorization"), token);
    end(&request.start().unwrap()).unwrap();
    close(&manager);
    bench.place.assert_holds(&[("a", TEN), ("b", TEN)]);

    let (here, there) = (bench.origin.records().requests, elsewhere.records().requests);
    assert_eq!((here.len(), there.len()), (2, 1));
    assert!(here.iter().chain(&there).all(|request| request.header("Cookie").is_none()), "{here:?}");
    assert!(here.iter().chain(&there).all(|request| request.header("User-Agent") == Some("seed/1")), "{here:?}");
    assert!(here.iter().all(|request| request.header("Accept-Language") == Some("en")), "{here:?}");
    assert_eq!(there[0].header("Accept-Language"), None, "{there:?}");
    assert_eq!(here[0].connection, here[1].connection, "the connection is kept");
    assert_eq!(here[1].header("Authorization"), Some("Bearer token"));
    assert_eq!(there[0].header("Authorization"), None, "{there:?}");
}

/// Managers that share a transport keep its bound together, and one uses the connection that another has left.
fn shared_connections(setting: &Setting) {
    const BOUND: usize = 2;
    let (bench, gate) = (Bench::new(setting), Gate::new());
    let places = [(); 3].map(|()| Bench::new(setting));
    let transport = bench.shared_transport(BOUND);
    let managers = places.each_ref().map(|place| place.builder().shared_transport(&transport).open().unwrap());
    bench.origin.serve("/gated", Reply::body(TEN).gate_at(At::Body(5), &gate));
    let downloads = managers.each_ref().map(|manager| start(manager, &bench.origin.url("/gated")));
    assert!(gate.wait_reached(BOUND, DEADLINE));
    gate.open();
    for download in &downloads {
        end(download).unwrap();
    }
    for (place, manager) in places.iter().zip(&managers) {
        bench.origin.serve("/next", Reply::body(TEN));
        bench.download(manager, "/next");
        close(manager);
        place.place.assert_holds(&[("gated", TEN), ("next", TEN)]);
    }
    let seen = bench.origin.records();
    assert_eq!((seen.requests.len(), seen.connections.total, seen.connections.peak), (6, BOUND, BOUND));
}

pub(super) fn n05_dest_tells_where_a_file_would_be(setting: &Setting) {
    let bench = Bench::new(setting);
    let manager = bench.open();
    let path = bench.place.path();
    assert_eq!(manager.dest("a.zip").unwrap(), path.join("a.zip"));
    assert_eq!(manager.dest("sub/a.zip").unwrap(), path.join("sub").join("a.zip"));
    for name in ["", "..", "../a", "/a", "a//b", "a\0"] {
        assert!(manager.dest(name).is_err(), "{name:?}");
    }
    bench.serve("/a.zip", 10);
    let download = start(&manager, &bench.origin.url("/a.zip"));
    assert_eq!(download.dest(), manager.dest("a.zip").unwrap());
    assert_eq!(end(&download).unwrap().path, manager.dest("a.zip").unwrap());
}

pub(super) fn n06_a_given_name_may_hold_subfolders(setting: &Setting) {
    let bench = Bench::new(setting);
    let manager = bench.open();
    let bytes = bench.serve("/x/y.bin", 10_000);
    let named = |name: &str| manager.request(bench.origin.url("/x/y.bin")).name(name).start();
    for name in ["../a", "a/../../b", "/a", "a//b", "a/", "a\\b", "c:a", "a/.dlmanager/b"] {
        assert!(matches!(named(name), Err(AdmitError::Name(_))), "{name:?}");
    }
    assert_eq!(bench.place.everything(), [""; 0], "folders are made on demand");
    end(&named("sub/folder/b.bin").unwrap()).unwrap();
    end(&named("sub/c.bin").unwrap()).unwrap();
    bench.download(&manager, "/x/y.bin");
    let in_one = manager.download(bench.origin.url("/x%2Fy.bin")).unwrap_err();
    assert!(matches!(&in_one, AdmitError::Name(error) if error.rule() == NameRule::Separator), "{in_one}");
    close(&manager);
    bench.place.assert_holds(&[("sub/folder/b.bin", &bytes), ("sub/c.bin", &bytes), ("y.bin", &bytes)]);
}

pub(super) fn n07_the_name_is_the_urls_last_segment_as_asked(setting: &Setting) {
    let bench = Bench::new(setting);
    let manager = bench.open();
    let bytes = bench.serve("/elsewhere/other.zip", 10_000);
    bench.origin.serve("/old%20name.zip", Reply::redirect(302, "/elsewhere/other.zip"));
    let redirected = start(&manager, &bench.origin.url("/old%20name.zip?version=2#part"));
    assert_eq!(redirected.name(), "old name.zip");
    let file = end(&redirected).unwrap();
    assert_eq!(file.url.as_str(), bench.origin.url("/elsewhere/other.zip"));
    bench.origin.serve("/100%2525", Reply::body(TEN));
    let decoded = bench.download(&manager, "/100%2525");
    assert_eq!(decoded.name(), "100%25", "decoded once");
    close(&manager);
    bench.place.assert_holds(&[("old name.zip", &bytes), ("100%25", TEN)]);

    let manager = bench.open();
    for path in ["/", "/a/", "/..%2Fa", "/a%5Cb", "/a%00", "/%2Ehidden", "/nul", "/a%3Ab", "/%FF"] {
        let refused = manager.download(bench.origin.url(path));
        assert!(matches!(refused, Err(AdmitError::Name(_))), "{path}: {refused:?}");
    }
}

pub(super) fn n08_one_that_runs_under_the_name_is_joined(setting: &Setting) {
    let bench = Bench::new(setting);
    let gate = Gate::new();
    let body = pattern("/x/a", 100_000);
    bench.origin.serve("/x/a", Reply::body(body.clone()).gate_at(At::Body(40_000), &gate));
    bench.serve("/y/a", 5);
    let manager = bench.open();
    let (first_told, first_observer) = observer();
    let first = manager.request(bench.origin.url("/x/a")).progress(first_observer).start().unwrap();
    assert!(gate.wait_reached(1, DEADLINE));
    let (told, second_observer) = observer();
    let joined = manager.request(bench.origin.url("/y/a")).progress(second_observer).start().unwrap();
    let silent = start(&manager, &bench.origin.url("/x/a"));
    assert_eq!((joined.id(), silent.id()), (first.id(), first.id()));
    let digest = "md5:900150983cd24fb0d6963f7d28e17f72".parse().unwrap();
    let other = manager.request(bench.origin.url("/x/a")).checksum(digest).start();
    assert!(matches!(other, Err(AdmitError::Conflict { running: None })), "{other:?}");
    assert_eq!(joined.url().as_str(), bench.origin.url("/x/a"));
    gate.open();
    let file = end(&joined).unwrap();
    assert_eq!(file.url.as_str(), bench.origin.url("/x/a"), "the outcome names the URL that was used");
    assert_eq!(end(&first).unwrap(), file);
    close(&manager);
    bench.place.assert_holds(&[("a", &body.to_vec())]);
    assert_eq!(bench.requests(), 1);
    assert!(first_told.values().iter().all(|(received, _)| *received < 100_000), "{:?}", first_told.values());
    assert_eq!(told.values().last(), Some(&(100_000, Some(100_000))), "the one given last, also after a join without");

    if setting.backend == Backend::Folder {
        two_lines_with_one_name(setting);
    }
}

fn two_lines_with_one_name(setting: &Setting) {
    let bench = Bench::new(setting);
    let bytes = bench.serve("/x/a", 1000);
    bench.serve("/y/a", 1000);
    let folder = tempfile::tempdir().unwrap();
    let get = |list: &str| {
        fs::write(folder.path().join("list"), list).unwrap();
        program::run(setting, folder.path(), &["get", "-d", "out", "-i", "list"])
    };
    let (x, y) = (bench.origin.url("/x/a"), bench.origin.url("/y/a"));
    let ran = get(&format!("{x}\n{y}\n"));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("list:2: ") && ran.stderr.contains("\"a\""), "{ran:?}");
    assert_eq!(bench.requests(), 0);
    assert!(!folder.path().join("out/a").exists());

    let ran = get(&format!("{x}\n{x}\n{y} b\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::read(folder.path().join("out/a")).unwrap(), bytes);
    assert_eq!(bench.requests(), 2);
}

pub(super) fn n09_a_file_that_is_there_is_present(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put("a", b"mine");
    bench.place.put_folder("folder");
    let mut expected = vec![("folder", FileKind::Folder)];
    if bench.place.put_symlink("link", "a") {
        expected.push(("link", FileKind::Symlink));
    }
    if bench.place.put_other("other") {
        expected.push(("other", FileKind::Other));
    }
    let before = bench.place.everything();
    let manager = bench.open_without_retries();
    bench.serve("/a", 1000);
    let file = end(&start(&manager, &bench.origin.url("/a"))).unwrap();
    assert_eq!((file.how, file.length, file.requests), (How::Present, 4, 0));
    for (name, kind) in expected {
        let error = end(&start(&manager, &bench.origin.url(name))).unwrap_err();
        let told = matches!(&error, Error::Failed(DownloadError::NotAFile { name: of, kind: is }) if of.as_str() == name && *is == kind);
        assert!(told, "{name}: {error}");
        assert_eq!(bench.place.kind(name), Some(kind));
    }
    close(&manager);
    assert_eq!(bench.place.read("a").as_deref(), Some(&b"mine"[..]));
    assert_eq!((bench.place.everything(), bench.requests()), (before, 0));
}
