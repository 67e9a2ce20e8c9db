//! An outcome keeps its file from being evicted as long as somebody has it, or may still ask for it.

use std::time::{Duration, Instant};

use dlmanager::{DownloadManager, PersistLimit};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{DEADLINE, Scripted, close, end, in_memory, within};

/// A manager that keeps a single file where there are `size_limit` bytes; each file has ten.
fn bounded(directory: &MemoryDirectory, size_limit: u64) -> DownloadManager {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)));
    in_memory(&scripted, directory).persist_limit(PersistLimit::new(size_limit, 1)).open().unwrap()
}

fn url(name: &str) -> String {
    format!("http://origin.example/{name}")
}

fn visible(directory: &MemoryDirectory) -> Vec<String> {
    directory.list().into_keys().filter(|path| !path.starts_with('.')).collect()
}

/// Waits until what nobody waits for has happened.
fn becomes(directory: &MemoryDirectory, names: &[&str]) {
    let began = Instant::now();
    while visible(directory) != names {
        assert!(began.elapsed() < DEADLINE, "{:?}, and should be {names:?}", visible(directory));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Fetches a file, and lets go of all that tells of it.
fn fetch(manager: &DownloadManager, directory: &MemoryDirectory, name: &str, left: &[&str]) {
    // So that the files differ in when they were accessed last.
    directory.advance(Duration::from_secs(100));
    drop(end(&manager.download(url(name)).unwrap()).unwrap());
    becomes(directory, left);
}

#[test]
fn a_file_stays_as_long_as_a_copy_of_its_outcome_and_others_go_in_its_place() {
    let directory = MemoryDirectory::new();
    let manager = bounded(&directory, 25);
    let file = end(&manager.download(url("a")).unwrap()).unwrap();
    fetch(&manager, &directory, "b", &["a", "b"]);
    fetch(&manager, &directory, "c", &["a", "c"]);
    let copy = file.clone();
    assert_eq!(copy, file);
    drop(file);
    fetch(&manager, &directory, "d", &["a", "d"]);
    drop(copy);
    fetch(&manager, &directory, "e", &["d", "e"]);
    close(&manager);
}

#[test]
fn a_file_that_is_there_already_is_protected_as_well() {
    let directory = MemoryDirectory::new();
    let manager = bounded(&directory, 25);
    fetch(&manager, &directory, "a", &["a"]);
    fetch(&manager, &directory, "b", &["a", "b"]);
    let file = end(&manager.download(url("a")).unwrap()).unwrap();
    assert!(file.is_present());
    // Accessed after it, `b` would stay without that.
    fetch(&manager, &directory, "b", &["a", "b"]);
    fetch(&manager, &directory, "c", &["a", "c"]);
    close(&manager);
}

#[test]
fn what_the_bound_wants_goes_once_the_last_copy_is_dropped() {
    let directory = MemoryDirectory::new();
    let manager = bounded(&directory, 15);
    let first = end(&manager.download(url("a")).unwrap()).unwrap();
    let second = end(&manager.download(url("b")).unwrap()).unwrap();
    let sweep = manager.remove_old_files();
    within(move || sweep.wait()).unwrap();
    assert_eq!(visible(&directory), ["a", "b"], "both are needed");
    drop(first);
    // Without another download, and before the manager is closed.
    becomes(&directory, &["b"]);
    drop(second);
    close(&manager);
}

#[test]
fn a_handle_protects_until_it_has_told_the_outcome_and_no_longer() {
    let directory = MemoryDirectory::new();
    let manager = bounded(&directory, 25);
    let handle = manager.download(url("a")).unwrap();
    let another = handle.clone();
    let waiting = manager.clone();
    within(move || waiting.wait()).unwrap();
    fetch(&manager, &directory, "b", &["a", "b"]);
    fetch(&manager, &directory, "c", &["a", "c"]);
    // One of those who wait was told, the other one was not.
    assert!(handle.result().unwrap().is_ok());
    fetch(&manager, &directory, "d", &["a", "d"]);
    let file = end(&another).unwrap();
    fetch(&manager, &directory, "e", &["a", "e"]);
    drop(file);
    // Both handles are kept, and a third is made.
    let third = handle.clone();
    fetch(&manager, &directory, "f", &["e", "f"]);
    drop((handle, another, third));
    close(&manager);
}

#[test]
fn an_outcome_that_is_asked_for_again_protects_again() {
    let directory = MemoryDirectory::new();
    let manager = bounded(&directory, 25);
    let handle = manager.download(url("a")).unwrap();
    drop(end(&handle).unwrap());
    let file = handle.result().unwrap().unwrap();
    fetch(&manager, &directory, "b", &["a", "b"]);
    fetch(&manager, &directory, "c", &["a", "c"]);
    drop(file);
    fetch(&manager, &directory, "d", &["c", "d"]);
    close(&manager);
}

#[test]
fn a_hook_finds_the_file_of_which_it_is_told() {
    let directory = MemoryDirectory::new();
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 10)));
    let (told, files) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let builder = in_memory(&scripted, &directory).persist_limit(PersistLimit::new(25, 1));
    let builder = builder.on_finished(move |download, result| {
        told.send((download.name().to_owned(), result.is_ok())).unwrap();
        if download.name() == "a" {
            may_go_on.recv().unwrap();
        }
    });
    let manager = builder.open().unwrap();
    // Nobody but the hook is told of any of them.
    for (name, left) in [("a", &["a"][..]), ("b", &["a", "b"]), ("c", &["a", "b", "c"])] {
        directory.advance(Duration::from_secs(100));
        drop(manager.download(url(name)).unwrap());
        becomes(&directory, left);
    }
    go_on.send(()).unwrap();
    // Those of which it was told go by the rule.
    becomes(&directory, &["b", "c"]);
    close(&manager);
    let files: Vec<_> = files.try_iter().collect();
    assert_eq!(files, ["a", "b", "c"].map(|name| (name.to_owned(), true)));
}

#[test]
fn an_outcome_outlives_its_manager_and_does_no_harm() {
    let directory = MemoryDirectory::new();
    let manager = bounded(&directory, 15);
    let file = end(&manager.download(url("a")).unwrap()).unwrap();
    close(&manager);
    drop(manager);
    // It is up to another one now.
    let manager = bounded(&directory, 15);
    fetch(&manager, &directory, "b", &["b"]);
    assert_eq!(file.length, 10);
    drop(file);
    close(&manager);
}
