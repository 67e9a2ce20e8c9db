//! A bounded directory.

use std::path::Path;
use std::time::{Duration, SystemTime};

use dlmanager::core::{Completion, Deleted, FileAction, FileOp};
use dlmanager::{DirectoryError, DownloadManager, FaultKind, LimitUsage, OpenError, PersistLimit, Store, Unmet};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{Origin, Reply};
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{Memory, Scripted, close, end, in_memory, names, visible, within};

/// Six files of 10 bytes, `a` the oldest by access.
fn six_files(folder: &Path) {
    for (age, name) in ["f", "e", "d", "c", "b", "a"].into_iter().enumerate() {
        let path = folder.join(name);
        std::fs::write(&path, "0123456789").unwrap();
        let accessed = SystemTime::now() - Duration::from_secs(3600 * (1 + age as u64));
        let times = std::fs::FileTimes::new().set_accessed(accessed).set_modified(accessed);
        std::fs::File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    }
}

#[test]
fn remove_old_files_follows_the_rule() {
    for (size_limit, file_limit, left) in
        [(10, 5, "bcdef"), (10, 3, "def"), (0, 5, "abcdef"), (5, 0, "abcdef"), (35, 1, "def")]
    {
        let folder = tempfile::tempdir().unwrap();
        six_files(folder.path());
        let limit = PersistLimit::new(size_limit, file_limit);
        let manager = DownloadManager::builder(folder.path()).persist_limit(limit.clone()).adopt(true).open().unwrap();
        let expected: Vec<String> = left.chars().map(String::from).collect();
        let mut kept: Vec<String> = visible(folder.path()).into_iter().collect();
        let victims = manager.victims();
        kept.retain(|name| victims.iter().all(|victim| victim.path.as_str() != name));
        assert_eq!(kept, expected, "what victims() says, for {limit:?}");
        assert_eq!(visible(folder.path()).len(), 6, "nothing goes before it is asked for");
        let sweep = manager.remove_old_files();
        let swept = within(move || sweep.wait()).unwrap();
        assert_eq!(visible(folder.path()).into_iter().collect::<Vec<_>>(), expected, "{limit:?}");
        if size_limit > 0 && file_limit > 0 {
            let usage = LimitUsage { files: expected.len() as u64, bytes: 10 * expected.len() as u64 };
            assert_eq!((swept.usage, manager.limit_usage()), (usage, Some(usage)));
            let unmet = (size_limit == 10).then_some(Unmet::FileLimit);
            assert_eq!(swept.unmet, unmet);
        } else {
            assert_eq!(manager.limit_usage(), None);
        }
        close(&manager);
    }
}

#[test]
fn a_strangers_directory_is_refused_and_nothing_in_it_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    six_files(folder.path());
    let error = DownloadManager::builder(folder.path()).persist_limit(PersistLimit::of_size(10)).open().unwrap_err();
    assert!(matches!(&error, OpenError::Limit { error: DirectoryError::NotOurs { .. }, .. }), "{error}");
    assert!(error.to_string().contains("adopt"), "{error}");
    assert_eq!(visible(folder.path()), names(&["a", "b", "c", "d", "e", "f"]));
}

#[test]
fn when_wait_returns_the_limit_is_enforced() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::start().unwrap());
    let limit = PersistLimit::new(25, 2);
    let manager = DownloadManager::builder(folder.path()).persist_limit(limit.clone()).open().unwrap();
    for name in ["a", "b", "c", "d"] {
        origin.serve(&format!("/{name}"), Reply::body("0123456789"));
        end(&manager.download(origin.url(&format!("/{name}"))).unwrap()).unwrap();
        assert!(visible(folder.path()).len() <= 2, "{:?}", visible(folder.path()));
        assert!(folder.path().join(name).exists(), "the file just published is not the victim");
    }
    let waiting = manager.clone();
    within(move || waiting.wait()).unwrap();
    assert_eq!(visible(folder.path()), names(&["c", "d"]));
    close(&manager);
    // The directory is ours now.
    let again = DownloadManager::builder(folder.path()).persist_limit(limit).open().unwrap();
    assert_eq!(again.limit_usage(), Some(LimitUsage { files: 2, bytes: 20 }));
}

#[test]
fn only_files_that_match_the_pattern_count() {
    let folder = tempfile::tempdir().unwrap();
    six_files(folder.path());
    let builder = DownloadManager::builder(folder.path()).persist_limit(PersistLimit::new(10, 1)).adopt(true);
    let manager = builder.pattern("[ab]").open().unwrap();
    let sweep = manager.remove_old_files();
    within(move || sweep.wait()).unwrap();
    assert_eq!(visible(folder.path()), names(&["b", "c", "d", "e", "f"]));
}

#[test]
fn without_a_limit_nothing_goes() {
    let folder = tempfile::tempdir().unwrap();
    six_files(folder.path());
    let manager = DownloadManager::new(folder.path()).unwrap();
    let sweep = manager.remove_old_files();
    assert_eq!(within(move || sweep.wait()).unwrap(), dlmanager::Swept::default());
    assert!(manager.victims().is_empty());
    assert_eq!(visible(folder.path()).len(), 6);
}

/// A store that lets nothing be evicted.
struct Denying(Memory);

impl Store for Denying {
    fn execute(&self, action: FileAction) -> Completion {
        match action.op {
            FileOp::Delete { ticket, items } if items.iter().all(|item| item.path.as_str() == "a") => {
                ticket.done(Ok(items.iter().map(|_| Deleted::Denied(FaultKind::Denied.into())).collect()))
            }
            op => self.0.execute(FileAction { op, ..action }),
        }
    }
}

#[test]
fn what_cannot_be_evicted_is_told_by_the_pass() {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)));
    let store = Denying(Memory(MemoryDirectory::new()));
    let builder = in_memory(&scripted, &MemoryDirectory::new()).store(store).persist_limit(PersistLimit::new(10, 1));
    let manager = builder.open().unwrap();
    for name in ["a", "b"] {
        end(&manager.download(format!("http://origin.example/{name}")).unwrap()).unwrap();
    }
    let sweep = manager.remove_old_files();
    let swept = within(move || sweep.wait()).unwrap();
    assert_eq!(swept.failures, [(manager.dest("a").unwrap(), FaultKind::Denied.into())]);
    close(&manager);
}
