//! Backends that panic end what they were doing, not the program.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};

use dlmanager::core::{ActionId, Completion, Event, FileAction, FileOp, NetAction, NetOp};
use dlmanager::{DownloadManager, Error, Store, Transport};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::{Reply as Script, content};

use crate::support::{Memory, Scripted, ScriptedOnClock, close, end, in_memory, within};

/// A store that panics when it is to publish a file whose name begins with `bad`.
struct PanickingStore(Memory);

impl Store for PanickingStore {
    fn execute(&self, action: FileAction) -> Completion {
        let panics = matches!(&action.op, FileOp::Rename { to, .. } if to.as_str().starts_with("bad"));
        assert!(!panics, "a store that panics, on purpose");
        self.0.execute(action)
    }
}

/// A store that panics at each write and each flush of one kind.
struct PanickingWhen(Memory, fn(&FileOp) -> bool);

impl Store for PanickingWhen {
    fn execute(&self, action: FileAction) -> Completion {
        assert!(!(self.1)(&action.op), "a store that panics, on purpose");
        self.0.execute(action)
    }
}

fn scripted() -> Scripted {
    let scripted = Scripted::new();
    scripted.script.lock().unwrap().otherwise(Script::ok(content(1, 100_000)));
    scripted
}

#[test]
fn a_store_that_panics_ends_its_download_and_the_others_go_on() {
    let (scripted, directory) = (scripted(), MemoryDirectory::new());
    let store = PanickingStore(Memory(directory.clone()));
    let builder = DownloadManager::builder("memory").transport(scripted.transport()).store(store).retries(0);
    let manager = builder.open().unwrap();
    let bad = manager.download("http://origin.example/bad").unwrap();
    let good = manager.download("http://origin.example/good").unwrap();
    assert!(matches!(end(&bad), Err(Error::Failed(_))));
    end(&good).unwrap();
    close(&manager);
    assert_eq!(directory.read("good").as_deref(), Some(&content(1, 100_000)[..]));
    assert_eq!(directory.list().into_keys().collect::<Vec<_>>(), ["good"]);
}

#[test]
fn a_store_may_panic_inline_and_on_workers_at_any_step() {
    let steps: [fn(&FileOp) -> bool; 5] = [
        |op| matches!(op, FileOp::Stat { .. }),
        |op| matches!(op, FileOp::Open { .. }),
        |op| matches!(op, FileOp::Write { .. }),
        |op| matches!(op, FileOp::Sync { .. }),
        |op| matches!(op, FileOp::Finish { .. }),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let (scripted, directory) = (scripted(), MemoryDirectory::new());
        let store = PanickingWhen(Memory(directory.clone()), step);
        let builder = DownloadManager::builder("memory").transport(scripted.transport()).store(store).retries(0);
        let manager = builder.open().unwrap();
        let download = manager.download("http://origin.example/a").unwrap();
        assert!(matches!(end(&download), Err(Error::Failed(_))), "step {number}: {:?}", download.result());
        close(&manager);
        assert!(directory.list().is_empty(), "step {number}: {:?}", directory.list());
        assert_eq!((directory.open_handles(), scripted.open_exchanges()), (0, 0), "step {number}");
    }
}

/// A transport that panics on its first calls of one kind, then works.
struct PanickingTransport {
    inner: ScriptedOnClock,
    panics_at: PanicsAt,
    panics: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PanicsAt {
    Fetch,
    ReadBody,
    Poll,
}

impl PanickingTransport {
    fn panic_once(&self, at: PanicsAt) {
        if at == self.panics_at && self.panics.fetch_add(1, Ordering::SeqCst) == 0 {
            panic!("a transport that panics, on purpose");
        }
    }
}

impl Transport for PanickingTransport {
    fn start(&mut self, action: NetAction) {
        match &action.op {
            NetOp::Fetch { .. } => self.panic_once(PanicsAt::Fetch),
            NetOp::ReadBody { .. } => self.panic_once(PanicsAt::ReadBody),
            NetOp::DropBody { .. } => {}
        }
        self.inner.start(action);
    }

    fn abort(&mut self, target: ActionId) {
        self.inner.abort(target);
    }

    fn poll(&mut self, context: &mut Context<'_>, events: &mut Vec<Event>) {
        if self.inner.has_requests() {
            self.panic_once(PanicsAt::Poll);
        }
        self.inner.poll(context, events);
    }
}

#[test]
fn a_transport_that_panics_is_called_again_and_the_download_is_retried() {
    for panics_at in [PanicsAt::Fetch, PanicsAt::ReadBody, PanicsAt::Poll] {
        let (scripted, directory) = (scripted(), MemoryDirectory::new());
        let panics = Arc::new(AtomicUsize::new(0));
        let transport = PanickingTransport { inner: scripted.transport(), panics_at, panics: Arc::clone(&panics) };
        let store = Memory(directory.clone());
        let manager = DownloadManager::builder("memory").transport(transport).store(store).open().unwrap();
        let download = manager.download("http://origin.example/a").unwrap();
        let file = end(&download).unwrap_or_else(|error| panic!("{panics_at:?}: {error}"));
        assert!(panics.load(Ordering::SeqCst) > 0 && file.requests > 1, "{panics_at:?}: {file:?}");
        close(&manager);
        assert_eq!(directory.read("a").as_deref(), Some(&content(1, 100_000)[..]), "{panics_at:?}");
        assert_eq!(directory.open_handles(), 0, "{panics_at:?}");
    }
}

/// A waker that panics.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics, on purpose");
    }
}

#[test]
fn a_waker_that_panics_keeps_no_news_from_others_and_does_not_end_the_manager() {
    let scripted = scripted();
    let manager = in_memory(&scripted, &MemoryDirectory::new()).open().unwrap();
    // Nothing ends before it is let go of.
    let held = scripted.script.lock().unwrap();
    let mut download = manager.download("http://origin.example/a").unwrap();
    let waiting = download.clone();
    assert!(Pin::new(&mut download).poll(&mut Context::from_waker(&Arc::new(Panicking).into())).is_pending());
    drop(held);
    within(move || waiting.wait()).unwrap();
    end(&manager.download("http://origin.example/b").unwrap()).unwrap();
    close(&manager);
}
