//! `PersistLimit`: which files go, and when.

use std::time::{Duration, SystemTime};

use dlmanager::core::{Completion, DeleteItem, Deleted, Fault, FaultKind, FileAction, FileKind, FileOp};
use dlmanager::{DownloadManager, Event, IfPresent, LimitUsage, Notice, PersistLimit, Store, Swept, Warning};
use dlmanager_origin::{At, Gate, Reply};

use super::alone;
use crate::bench::{Bench, start};
use crate::place::{Place, TEN};
use crate::setting::{Backend, Setting};
use crate::wait::{DEADLINE, all_events, close, end, within};

/// Evicts what has to go, without a download.
#[track_caller]
fn sweep(manager: &DownloadManager) -> Swept {
    let sweep = manager.remove_old_files();
    within(move || sweep.wait()).expect("the manager is open")
}

/// Six files of 10 bytes, a to f, a the oldest, under a limit: what is left of them.
fn left_of_six(setting: &Setting, limit: PersistLimit) -> String {
    let bench = Bench::new(setting);
    bench.place.put_six();
    let manager = bench.builder().persist_limit(limit).adopt(true).open().unwrap();
    let left = |bench: &Bench, victims: &[String]| -> String {
        bench.place.names().into_iter().filter(|name| !victims.contains(name)).collect()
    };
    let victims: Vec<String> = manager.victims().iter().map(|victim| victim.path.as_str().to_owned()).collect();
    let announced = left(&bench, &victims);
    sweep(&manager);
    close(&manager);
    assert_eq!(left(&bench, &[]), announced, "victims() tells what goes");
    for name in bench.place.names() {
        assert_eq!(bench.place.read(&name).as_deref(), Some(TEN));
    }
    announced
}

pub(super) fn n33_five_files_are_kept_unless_said_otherwise(setting: &Setting) {
    assert_eq!(PersistLimit::of_size(10), PersistLimit::new(10, 5));
    assert_eq!(left_of_six(setting, PersistLimit::of_size(10)), "bcdef");
    assert_eq!(left_of_six(setting, PersistLimit::new(10, 6)), "abcdef");
}

pub(super) fn n34_a_limit_of_zero_is_none(setting: &Setting) {
    for (size_limit, file_limit) in [(0, 5), (5, 0), (0, 0)] {
        assert_eq!(left_of_six(setting, PersistLimit::new(size_limit, file_limit)), "abcdef");
        let bench = Bench::new(setting);
        bench.place.put_six();
        let manager = bench.open_bounded(size_limit, file_limit);
        bench.origin.serve("/new", Reply::body(TEN));
        bench.download(&manager, "/new");
        assert_eq!(bench.place.names().len(), 7);
    }
}

pub(super) fn n35_the_oldest_by_access_goes_first(setting: &Setting) {
    for (size_limit, file_limit, left) in [
        (10, 5, "bcdef"),
        (10, 3, "def"),
        (0, 5, "abcdef"),
        (5, 0, "abcdef"),
        (35, 1, "def"),
        (60, 1, "bcdef"),
        (61, 1, "abcdef"),
        (1, 1, "f"),
    ] {
        assert_eq!(left_of_six(setting, PersistLimit::new(size_limit, file_limit)), left, "{size_limit}, {file_limit}");
    }

    // Not by name, and not by when it was written: a hit makes a file the youngest.
    let bench = Bench::new(setting);
    bench.place.put_six();
    let manager = bench.open_bounded(10, 2);
    assert!(end(&start(&manager, &bench.origin.url("/a"))).unwrap().is_present());
    sweep(&manager);
    assert_eq!(bench.place.names(), ["a", "f"]);

    // Of equals the one whose name comes first.
    let bench = Bench::new(setting);
    let same = SystemTime::now() - Duration::from_secs(3600);
    for name in ["b", "c", "a"] {
        bench.place.put(name, TEN);
        bench.place.set_used(name, same);
    }
    let manager = bench.open_bounded(10, 1);
    sweep(&manager);
    assert_eq!(bench.place.names(), ["c"]);
}

pub(super) fn n36_every_download_that_ends_causes_a_pass(setting: &Setting) {
    let gate = Gate::new();
    for (path, left) in [("/complete", "efcomplete"), ("/failed", "def"), ("/canceled", "def"), ("/f", "abcdef")] {
        let bench = Bench::new(setting);
        bench.place.put_six();
        bench.origin.serve("/complete", Reply::body(TEN));
        bench.origin.serve("/canceled", Reply::body(TEN).gate_at(At::Body(5), &gate));
        bench.origin.serve("/failed", Reply::empty(404));
        let manager = bench.open_bounded(10, 3);
        assert_eq!(bench.place.names().len(), 6);
        let download = start(&manager, &bench.origin.url(path));
        if path == "/canceled" {
            assert!(gate.wait_reached(1, DEADLINE));
            assert_eq!(bench.place.names().len(), 6, "nothing goes while it runs");
            download.cancel().unwrap();
        }
        let ended = end(&download);
        assert_eq!(ended.is_ok(), matches!(path, "/complete" | "/f"), "{ended:?}");
        let mut names = bench.place.names();
        names.sort_by_key(|name| (name.len(), name.clone()));
        assert_eq!(names.concat(), left, "after {path}");
    }
}

pub(super) fn n37_what_is_missing_or_no_file_is_skipped(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    bench.place.put_folder("folder");
    let has_links = bench.place.put_symlink("link", "a");
    bench.place.put_other("other");
    let manager = bench.open_bounded(10, 2);
    let events = manager.events();
    assert_eq!(manager.limit_usage(), Some(LimitUsage { files: 6, bytes: 60 }), "nothing but files counts");
    bench.place.remove_file("a");
    let swept = sweep(&manager);
    assert_eq!(swept.usage, LimitUsage { files: 2, bytes: 20 });
    close(&manager);
    let warned = all_events(events).into_iter().filter(is_warning).collect::<Vec<_>>();
    assert_eq!(warned, [], "what is gone already is passed over in silence");
    for (name, kind) in [("e", FileKind::Regular), ("f", FileKind::Regular), ("folder", FileKind::Folder)] {
        assert_eq!(bench.place.kind(name), Some(kind));
    }
    assert_eq!(bench.place.kind("link"), has_links.then_some(FileKind::Symlink));
    assert_eq!(bench.place.kind("d"), None);

    if setting.backend == Backend::Folder {
        alone::register_file_skips(setting);
    }
}

pub(super) fn n38_a_pattern_chooses_what_counts(setting: &Setting) {
    for (pattern, counted, left) in [
        ("*", 5, ["b.zip", "c.tar", ".d.zip"].as_slice()),
        ("*.zip", 2, &["b.zip", "c.tar", "e.ZIP", "f", ".d.zip"]),
        ("[ab].*", 2, &["b.zip", "c.tar", "e.ZIP", "f", ".d.zip"]),
        ("?", 1, &["a.zip", "b.zip", "c.tar", "e.ZIP", "f", ".d.zip"]),
        ("[!a]*", 4, &["a.zip", "b.zip", ".d.zip"]),
        ("nothing", 0, &["a.zip", "b.zip", "c.tar", "e.ZIP", "f", ".d.zip"]),
    ] {
        let bench = Bench::new(setting);
        for (name, hours) in [("a.zip", 6), ("e.ZIP", 5), ("f", 4), ("c.tar", 3), ("b.zip", 2), (".d.zip", 9)] {
            bench.place.put_aged(name, TEN, hours);
        }
        let file_limit = if pattern == "*" { 2 } else { 1 };
        let builder = bench.builder().persist_limit(PersistLimit::new(10, file_limit)).adopt(true);
        let manager = builder.pattern(pattern).open().unwrap();
        assert_eq!(manager.limit_usage().unwrap().files, counted, "{pattern}");
        sweep(&manager);
        let there: Vec<&str> = ["a.zip", "b.zip", "c.tar", "e.ZIP", "f", ".d.zip"]
            .into_iter()
            .filter(|name| bench.place.kind(name).is_some())
            .collect();
        assert_eq!(there, left, "{pattern}");
    }

    if setting.backend == Backend::Folder {
        alone::a_pattern_is_a_glob(setting);
    }
}

pub(super) fn n39_old_files_are_removed_on_request(setting: &Setting) {
    let bench = Bench::new(setting);
    bench.place.put_six();
    let manager = bench.open_bounded(10, 3);
    let events = manager.events();
    assert_eq!(bench.place.names().len(), 6);
    let swept = sweep(&manager);
    assert_eq!((swept.usage, manager.limit_usage()), (LimitUsage { files: 3, bytes: 30 }, Some(swept.usage)));
    assert_eq!(bench.place.names(), ["d", "e", "f"]);
    sweep(&manager);
    assert_eq!(bench.place.names(), ["d", "e", "f"], "once more changes nothing");
    close(&manager);
    let evicted: Vec<String> = all_events(events)
        .into_iter()
        .filter_map(|event| match event {
            Event::Directory { notice: Notice::Evicted { path, length: 10, .. } } => Some(path.as_str().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(evicted, ["a", "b", "c"]);

    if setting.backend == Backend::Folder {
        alone::the_rows_of_the_python_librarys_tests_hold(setting);
    }
}

#[cfg(unix)]
pub(super) fn n40_a_stubborn_folder_lets_go(setting: &Setting) {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    obey_permissions();
    let bench = Bench::new(setting);
    bench.origin.serve("/a", Reply::body(TEN));
    let manager = bench.builder().persist_limit(PersistLimit::new(10, 1)).open().unwrap();
    for name in ["stubborn/a", "b", "c"] {
        end(&manager.request(bench.origin.url("/a")).name(name).start().unwrap()).unwrap();
        // Whatever is read-only, and the folder too once it has its file.
        let path = bench.place.path().join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        if name == "stubborn/a" {
            fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o555)).unwrap();
            let denied = fs::remove_file(&path).unwrap_err();
            assert_eq!(denied.kind(), std::io::ErrorKind::PermissionDenied, "the folder is a stubborn one");
        }
        assert_eq!(bench.place.names(), [name], "the one before has gone");
    }
    let mode = fs::metadata(bench.place.path().join("stubborn")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o555, "the folder has its mode back");

    let folder = bench.place.path().join("alone");
    fs::create_dir(&folder).unwrap();
    for name in ["a", "b"] {
        fs::write(folder.join(name), TEN).unwrap();
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    let mut alone = PersistLimit::new(10, 1);
    assert_eq!(alone.register_dir_content(&folder, "*").unwrap(), 2);
    assert_eq!(alone.remove_old_files().failures, []);
    assert_eq!(folder.read_dir().unwrap().count(), 1);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o555);
    for name in ["stubborn", "alone"] {
        fs::set_permissions(bench.place.path().join(name), Permissions::from_mode(0o755)).unwrap();
    }
}

#[cfg(not(unix))]
pub(super) fn n40_a_stubborn_folder_lets_go(_: &Setting) {
    panic!("permissions are other systems' matter")
}

/// From now on permissions hold for this thread, and those that it starts, also where it is root's.
#[cfg(target_os = "linux")]
fn obey_permissions() {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

    let sets = capabilities(None).expect("the capabilities can be read");
    let effective = sets.effective - (CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    set_capabilities(None, CapabilitySets { effective, ..sets }).expect("capabilities can be given up");
}

#[cfg(all(unix, not(target_os = "linux")))]
fn obey_permissions() {}

pub(super) fn n41_a_file_is_looked_at_again_before_it_goes(setting: &Setting) {
    // Used and changed since it was counted.
    let bench = Bench::new(setting);
    bench.place.put_six();
    let manager = bench.open_bounded(10, 4);
    bench.place.put("a", b"changed, and used just now");
    bench.place.set_used("a", SystemTime::now());
    sweep(&manager);
    assert_eq!(bench.place.names(), ["a", "d", "e", "f"]);
    assert_eq!(manager.limit_usage(), Some(LimitUsage { files: 4, bytes: 30 + 26 }), "the length counts as it is");

    // Counted once, however often it is met.
    let bench = Bench::new(setting);
    bench.place.put_aged("a", TEN, 2);
    bench.origin.serve("/a", Reply::body("0123456789abcdef"));
    let manager = bench.open_bounded(1 << 20, 1);
    for _ in 0..3 {
        end(&start(&manager, &bench.origin.url("/a"))).unwrap();
        assert_eq!(manager.limit_usage(), Some(LimitUsage { files: 1, bytes: 10 }));
    }
    end(&manager.request(bench.origin.url("/a")).if_present(IfPresent::Replace).start().unwrap()).unwrap();
    assert_eq!(manager.limit_usage(), Some(LimitUsage { files: 1, bytes: 16 }));

    // One that may not be removed is told, and the others go.
    let bench = Bench::new(setting);
    bench.place.put_six();
    let limit = PersistLimit::new(10, 3);
    let place = bench.place.clone();
    let hook = move |inner: &dyn Store, action: FileAction| deny(&place, "a", inner, action);
    let manager = bench.hooked(hook).persist_limit(limit).adopt(true).open().unwrap();
    let events = manager.events();
    let swept = sweep(&manager);
    assert_eq!(bench.place.names(), ["a", "e", "f"]);
    assert_eq!(swept.usage, LimitUsage { files: 3, bytes: 30 });
    close(&manager);
    let warned: Vec<Event> = all_events(events).into_iter().filter(is_warning).collect();
    let [Event::Directory { notice: Notice::Warning(Warning::NotEvicted { path, fault }) }] = warned.as_slice() else {
        panic!("{warned:?}")
    };
    assert_eq!((path.as_str(), fault.kind()), ("a", FaultKind::Denied));

    if setting.backend == Backend::Folder {
        alone::looked_at_again(setting);
    }
}

/// A directory in which one file may not be removed.
fn deny(place: &Place, denied: &str, inner: &dyn Store, action: FileAction) -> Completion {
    let is_denied = |item: &DeleteItem| item.path.as_str() == denied;
    if !matches!(&action.op, FileOp::Delete { items, .. } if items.iter().any(is_denied)) {
        return inner.execute(action);
    }
    let FileOp::Delete { ticket, items } = action.op else { unreachable!("it is a deletion") };
    let answers = items.iter().map(|item| {
        if is_denied(item) {
            return Deleted::Denied(Fault::new(FaultKind::Denied));
        }
        place.remove_file(item.path.as_str());
        Deleted::Deleted
    });
    ticket.done(Ok(answers.collect()))
}

fn is_warning(event: &Event) -> bool {
    matches!(event, Event::Directory { notice: Notice::Warning(_) })
}
