//! Leases and pins: what is in use, or said to be kept, is not evicted.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dlmanager_core::testing::{Tickets, lane};
use dlmanager_core::{DeleteItem, Deleted, Expect, FaultKind, FileAction, FileOp, StorePath};
use dlmanager_fs::Directory;

fn path(name: &str) -> StorePath {
    StorePath::entry(name).unwrap()
}

fn put(folder: &Path, name: &str) {
    fs::write(folder.join(name), name).unwrap();
    let old = SystemTime::now() - Duration::from_secs(3_600);
    let times = fs::FileTimes::new().set_accessed(old).set_modified(old);
    fs::File::options().write(true).open(folder.join(name)).unwrap().set_times(times).unwrap();
}

/// What an eviction would ask for now.
fn item(directory: &Directory, name: &str) -> Option<DeleteItem> {
    let stat = directory.stat(&path(name)).unwrap()?;
    let expect = Expect::Unchanged { length: stat.length, accessed: stat.accessed, modified: stat.modified };
    Some(DeleteItem { path: path(name), expect })
}

fn evict(directory: &Directory, name: &str) -> Deleted {
    item(directory, name).map_or(Deleted::Gone, |item| directory.delete(&item))
}

#[test]
fn a_lease_keeps_its_file_until_the_last_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, other) = (Directory::open(folder.path()).unwrap(), Directory::open(folder.path()).unwrap());
    put(folder.path(), "a");
    let first = directory.lease(&path("a")).unwrap();
    let second = other.lease(&path("a")).unwrap();
    assert!(first.is_locked() && second.is_locked());
    assert_eq!(evict(&other, "a"), Deleted::Busy);
    drop(first);
    assert_eq!(evict(&directory, "a"), Deleted::Busy);
    drop(second);
    assert_eq!(evict(&directory, "a"), Deleted::Deleted);
}

#[test]
fn a_lease_stamps_its_file_as_used_at_most_once_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    put(folder.path(), "a");
    let before = directory.stat(&path("a")).unwrap().unwrap();
    let stamped = directory.lease(&path("a")).unwrap().accessed().unwrap();
    assert!(stamped > before.accessed);
    let after = directory.stat(&path("a")).unwrap().unwrap();
    assert_eq!((after.accessed, after.modified), (stamped, before.modified));
    assert_eq!(directory.lease(&path("a")).unwrap().accessed(), Ok(stamped));
}

#[test]
fn what_is_open_can_be_read_after_its_name_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    put(folder.path(), "a");
    let mut file = directory.lease(&path("a")).unwrap().into_file().unwrap();
    assert_eq!(evict(&directory, "a"), Deleted::Deleted, "an open file is no lease");
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "a");
}

#[test]
fn only_a_regular_file_can_be_leased_or_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    put(folder.path(), "a");
    fs::create_dir(folder.path().join("folder")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
    for (name, kind) in
        [("missing", FaultKind::NotFound), ("folder", FaultKind::WrongType), ("link", FaultKind::WrongType)]
    {
        assert_eq!(directory.lease(&path(name)).unwrap_err().kind(), kind, "{name}");
        assert_eq!(directory.pin(&path(name)).unwrap_err().kind(), kind, "{name}");
    }
    assert!(!folder.path().join(".dlmanager").exists(), "nothing is left of what did not work");
}

#[test]
fn a_pin_that_was_there_stays_where_making_it_again_fails() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    for name in ["a", "b"] {
        put(folder.path(), name);
    }
    directory.pin(&path("a")).unwrap();
    let locked = ["a", "b"].map(|name| fs::File::open(folder.path().join(name)).unwrap());
    locked.iter().for_each(|file| file.lock().unwrap());
    for name in ["a", "b"] {
        assert_eq!(directory.pin(&path(name)).unwrap_err().kind(), FaultKind::Busy, "{name}");
    }
    assert_eq!(directory.pins().unwrap(), [path("a")]);
}

/// Whoever has a file's lock finds it under its name until he removes it, whoever else deletes what is there.
#[cfg(unix)]
#[test]
fn under_load_what_was_made_anew_is_not_taken_for_what_was_there() {
    use std::os::unix::fs::MetadataExt;

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".dlmanager")).unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    for name in ["a", ".dlmanager/0123456789abcdef0123456789abcdef.part"] {
        let (is_over, evicted) = (AtomicBool::new(false), AtomicU64::new(0));
        let path = dlmanager_core::testing::path(name);
        let evictor = || {
            while !is_over.load(Ordering::Relaxed) {
                let Some(stat) = directory.stat(&path).unwrap() else { continue };
                let (length, accessed, modified) = (stat.length, stat.accessed, stat.modified);
                let expect = Expect::Unchanged { length, accessed, modified };
                let deleted = directory.delete(&DeleteItem { path: path.clone(), expect });
                evicted.fetch_add(u64::from(deleted == Deleted::Deleted), Ordering::Relaxed);
            }
        };
        let full = folder.path().join(name);
        let is_there = |file: &fs::File| {
            let own = file.metadata().unwrap();
            fs::symlink_metadata(&full).is_ok_and(|there| there.ino() == own.ino()) && own.nlink() > 0
        };
        let loses = || {
            let Ok(file) = fs::File::create_new(&full) else { return false };
            if file.try_lock().is_err() || !is_there(&file) {
                return false;
            }
            thread::yield_now();
            let is_lost = !is_there(&file);
            let _ = fs::remove_file(&full);
            file.unlock().unwrap();
            is_lost
        };
        thread::scope(|scope| {
            scope.spawn(evictor);
            scope.spawn(evictor);
            // On a busy machine the evictors may have no turn for long.
            let goes_on = |round: &u32| *round < 4_000 || evicted.load(Ordering::Relaxed) == 0 && *round < 4_000_000;
            let lost = (0..).take_while(goes_on).find(|_| loses());
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(lost, None, "{name}");
        });
        assert!(evicted.into_inner() > 0, "{name}");
    }
}

#[test]
fn a_pin_keeps_its_file_until_it_is_taken_away_and_nothing_is_left_then() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, other) = (Directory::open(folder.path()).unwrap(), Directory::open(folder.path()).unwrap());
    for name in ["a", "b", "ü"] {
        put(folder.path(), name);
        directory.pin(&path(name)).unwrap();
        directory.pin(&path(name)).unwrap();
    }
    assert_eq!(other.pins().unwrap(), [path("a"), path("b"), path("ü")]);
    assert_eq!(evict(&other, "a"), Deleted::Pinned);
    assert_eq!(other.unpin(&path("a")), Ok(true));
    assert_eq!(other.unpin(&path("a")), Ok(false));
    assert!(!directory.is_pinned(&path("a")).unwrap() && directory.is_pinned(&path("b")).unwrap());
    assert_eq!(evict(&directory, "a"), Deleted::Deleted);
    // It is the name that is pinned: a file that comes later is kept as well.
    fs::remove_file(folder.path().join("b")).unwrap();
    put(folder.path(), "b");
    assert_eq!(evict(&directory, "b"), Deleted::Pinned);
    for name in ["b", "ü"] {
        assert_eq!(directory.unpin(&path(name)), Ok(true));
    }
    assert!(!folder.path().join(".dlmanager").exists());
}

/// Evictors and those who use files, all at the same time: whoever has a lease finds his file under its name until he gives
/// it back, and each pin that was made keeps its file.
#[test]
fn under_load_nothing_that_is_in_use_is_lost_and_both_sides_get_on() {
    const NAMES: [&str; 3] = ["a", "b", "c"];
    let folder = tempfile::tempdir().unwrap();
    let is_over = AtomicBool::new(false);
    let (leased, pinned, evicted) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    fs::create_dir(folder.path().join(".dlmanager")).unwrap();
    let user = |pins: bool| {
        let directory = Directory::open(folder.path()).unwrap();
        while !is_over.load(Ordering::Relaxed) {
            for name in NAMES {
                if pins {
                    let Ok(()) = directory.pin(&path(name)) else { continue };
                    let first = directory.stat(&path(name)).unwrap();
                    thread::yield_now();
                    assert!(first.is_some() && directory.stat(&path(name)).unwrap().is_some(), "{name} is pinned");
                    directory.unpin(&path(name)).unwrap();
                    pinned.fetch_add(1, Ordering::Relaxed);
                } else if let Ok(lease) = directory.lease(&path(name)) {
                    for _ in 0..3 {
                        let there = fs::metadata(folder.path().join(name)).expect("a leased file is there");
                        let own = lease.file().metadata().unwrap();
                        #[cfg(unix)]
                        assert_eq!(
                            std::os::unix::fs::MetadataExt::ino(&there),
                            std::os::unix::fs::MetadataExt::ino(&own)
                        );
                        thread::yield_now();
                    }
                    leased.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    };
    for name in NAMES {
        put(folder.path(), name);
    }
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let directory = Directory::open(folder.path()).unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    for name in NAMES {
                        match evict(&directory, name) {
                            Deleted::Deleted => {
                                evicted.fetch_add(1, Ordering::Relaxed);
                                // Published anew, in one step.
                                let new = folder.path().join(format!(".{name}.{:?}", thread::current().id()));
                                fs::write(&new, name).unwrap();
                                fs::rename(&new, folder.path().join(name)).unwrap();
                            }
                            Deleted::Denied(fault) => panic!("{fault}"),
                            _ => {}
                        }
                    }
                }
            });
        }
        let users = [false, true].map(|pins| {
            scope.spawn({
                let user = &user;
                move || user(pins)
            })
        });
        // Until all have got on, within a bound that only a standstill reaches.
        for _ in 0..2_000 {
            let counts = [&leased, &pinned, &evicted].map(|count| count.load(Ordering::Relaxed));
            if counts.iter().all(|count| *count >= 200) || users.iter().any(thread::ScopedJoinHandle::is_finished) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let counts = [leased, pinned, evicted].map(AtomicU64::into_inner);
    assert!(counts.iter().all(|count| *count >= 200), "leases, pins, evictions: {counts:?}");
}

/// Performs a rename.
fn rename(directory: &Directory, from: &str, to: &str, clobber: bool) {
    let ticket = Tickets::new().ticket();
    let op = FileOp::Rename { ticket, from: dlmanager_core::testing::path(from), to: path(to), clobber };
    let completion = directory.execute(FileAction { lane: lane(1), epoch: 0, op });
    assert!(!completion.is_failure(), "{completion:?}");
}

#[cfg(unix)]
#[test]
fn no_file_is_replaced_while_an_eviction_is_under_way_and_others_are_published_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    fs::create_dir(folder.path().join(".dlmanager")).unwrap();
    for name in [".dlmanager/new", ".dlmanager/other", "a"] {
        put(folder.path(), name);
    }
    // What an eviction holds.
    let eviction = fs::File::open(folder.path().join(".dlmanager")).unwrap();
    eviction.lock().unwrap();
    rename(&directory, ".dlmanager/other", "b", false);
    thread::scope(|scope| {
        let replaced = scope.spawn(|| rename(&directory, ".dlmanager/new", "a", true));
        thread::sleep(Duration::from_millis(100));
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"a");
        assert!(!replaced.is_finished());
        eviction.unlock().unwrap();
    });
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b".dlmanager/new");
    // Those who replace do not keep each other out. Who evicts tries only, whoever has the lock.
    eviction.lock_shared().unwrap();
    put(folder.path(), ".dlmanager/new");
    rename(&directory, ".dlmanager/new", "a", true);
    put(folder.path(), "c");
    let began = Instant::now();
    assert_eq!(evict(&directory, "c"), Deleted::Locked);
    eviction.unlock().unwrap();
    eviction.lock().unwrap();
    assert_eq!(evict(&directory, "c"), Deleted::Locked);
    assert!(began.elapsed() < Duration::from_secs(5) && folder.path().join("c").exists());
    eviction.unlock().unwrap();
    assert_eq!(evict(&directory, "c"), Deleted::Deleted);
}
