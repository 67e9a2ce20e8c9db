//! Which thread file work runs on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use dlmanager::core::{Completion, FileAction, FileOp};
use dlmanager::{Builder, DownloadManager, Store};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{Memory, Scripted, close, end, within};

/// A store that notes which operation ran on which thread.
#[derive(Clone)]
struct Noting {
    inner: Memory,
    slow: bool,
    seen: Arc<Mutex<Vec<(&'static str, ThreadId)>>>,
}

impl Store for Noting {
    fn execute(&self, action: FileAction) -> Completion {
        let kind = match &action.op {
            FileOp::Stat { .. } => "stat",
            FileOp::Open { .. } => "open",
            FileOp::Write { .. } => "write",
            FileOp::Sync { .. } => "sync",
            FileOp::Rename { .. } => "rename",
            FileOp::Close { .. } => "close",
            _ => "other",
        };
        self.seen.lock().unwrap().push((kind, thread::current().id()));
        self.inner.execute(action)
    }

    fn is_slow(&self) -> bool {
        self.slow
    }
}

struct World {
    scripted: Scripted,
    directory: MemoryDirectory,
    store: Noting,
}

fn world(slow: bool) -> World {
    let scripted = Scripted::new();
    let reply = Script::ok(content(1, 1_000_000)).pieces(50_000, Duration::from_millis(1));
    scripted.script.lock().unwrap().otherwise(reply);
    let directory = MemoryDirectory::new();
    let store = Noting { inner: Memory(directory.clone()), slow, seen: Arc::default() };
    World { scripted, directory, store }
}

impl World {
    fn builder(&self) -> Builder {
        DownloadManager::builder("memory").transport(self.scripted.transport()).store(self.store.clone())
    }

    fn threads_of(&self, kinds: &[&str]) -> BTreeSet<String> {
        let seen = self.store.seen.lock().unwrap();
        let threads = seen.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, id)| format!("{id:?}"));
        threads.collect()
    }

    fn fetch(&self, manager: &DownloadManager) {
        end(&manager.download("http://origin.example/a").unwrap()).unwrap();
        close(manager);
        assert_eq!(self.directory.read("a").as_deref(), Some(&content(1, 1_000_000)[..]));
    }
}

#[test]
fn writes_run_on_the_loops_thread_and_the_batch_with_the_flush_does_not() {
    let world = world(false);
    world.fetch(&world.builder().open().unwrap());
    let seen = world.store.seen.lock().unwrap();
    let the_loop = seen.iter().find(|(kind, _)| *kind == "stat").unwrap().1;
    let flush = seen.iter().position(|(kind, _)| *kind == "sync").unwrap();
    assert_ne!(seen[flush].1, the_loop);
    let writes: Vec<bool> = seen.iter().filter(|(kind, _)| *kind == "write").map(|(_, id)| *id == the_loop).collect();
    let (last, before) = writes.split_last().unwrap();
    assert!(before.len() > 3 && before.iter().all(|inline| *inline), "{writes:?}");
    assert!(!last, "the last write leaves with the flush behind it");
    let renames: Vec<_> = seen.iter().filter(|(kind, _)| *kind == "rename").collect();
    assert_eq!(renames, [&("rename", seen[flush].1)], "one hop to a worker and one back");
}

#[test]
fn without_a_flush_all_runs_on_the_loops_thread() {
    let world = world(false);
    world.fetch(&world.builder().durability(dlmanager::Durability::None).open().unwrap());
    let all = world.threads_of(&["stat", "open", "write", "rename", "close"]);
    assert_eq!(all.len(), 1, "{all:?}");
}

#[test]
fn a_file_whose_write_took_long_moves_to_the_workers() {
    let world = world(false);
    let mut writes = 0;
    world.directory.delay_when(move |operation| {
        let is_write = matches!(operation.op, FileOp::Write { .. });
        writes += u32::from(is_write);
        (is_write && writes == 3).then_some(Duration::from_millis(30))
    });
    world.fetch(&world.builder().durability(dlmanager::Durability::None).open().unwrap());
    let seen = world.store.seen.lock().unwrap();
    let the_loop = seen.iter().find(|(kind, _)| *kind == "stat").unwrap().1;
    let writes: Vec<bool> = seen.iter().filter(|(kind, _)| *kind == "write").map(|(_, id)| *id == the_loop).collect();
    assert!(writes.len() > 3, "{writes:?}");
    assert!(writes[..3].iter().all(|inline| *inline), "{writes:?}");
    assert!(writes[3..].iter().all(|inline| !*inline), "{writes:?}");
}

#[test]
fn nothing_of_a_slow_store_and_nothing_of_a_hosted_manager_runs_on_the_loops_thread() {
    let slow = world(true);
    slow.fetch(&slow.builder().open().unwrap());
    let hosted = world(false);
    // All of the host runs on one thread, which is this one: the store must not be seen on it.
    let (builder, host) = (hosted.builder(), Arc::new(Mutex::new(None)));
    let thread = Arc::clone(&host);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || *thread.lock().unwrap() = Some(thread::current().id()))
        .build()
        .unwrap();
    let manager = runtime.block_on(builder.open_on(runtime.handle().clone())).unwrap();
    hosted.fetch(&manager);
    let host = host.lock().unwrap().unwrap();
    assert!(hosted.store.seen.lock().unwrap().iter().all(|(_, id)| *id != host));
    // The loop's thread of the slow one is known by name only: workers have another.
    let writes = slow.store.seen.lock().unwrap().len();
    assert!(writes > 0);
    drop(within(move || runtime));
}
