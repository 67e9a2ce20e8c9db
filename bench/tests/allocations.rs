//! What the core allocates. A binary of its own, as it counts every allocation.
#![allow(unsafe_code)] // An allocator is unsafe by its trait.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use dlmanager_bench::{Observer, World, request};
use dlmanager_core::{Config, Durability, Output};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The bytes that are allocated by whichever thread.
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: each call goes to the system's allocator as it came; the counters are beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Counts what is allocated while the core runs.
#[derive(Debug, Default)]
struct InTheCore {
    before: u64,
    count: u64,
}

impl Observer for InTheCore {
    fn enter(&mut self) {
        self.before = COUNT.get();
    }

    fn leave(&mut self) {
        self.count += COUNT.get() - self.before;
    }
}

#[test]
fn steady_chunks_allocate_nothing() {
    // Of all lengths: less than is gathered, and more; the last one is cut short by nothing.
    for length in [100, 16 * 1024, 100_000, 256 * 1024] {
        let mut world = World::of_endless_files(Config::default(), length, InTheCore::default());
        world.download(request(0));
        // Until its record is written, and each queue as long as it gets.
        while world.chunks * (length as u64) < 4 * 1024 * 1024 || world.chunks < 1000 {
            assert!(world.turn());
        }
        let before = (world.observer().count, world.chunks);
        // Less than a checkpoint.
        while world.chunks < before.1 + 200 {
            assert!(world.turn());
        }
        let allocated = world.observer().count - before.0;
        assert_eq!(allocated, 0, "200 chunks of {length} bytes");
    }
}

/// What a whole small download allocates in the core, its admission included.
fn allocations_of_a_small_download(config: Config) -> f64 {
    const DOWNLOADS: u32 = 1000;
    let mut world = World::of_small_files(config, 16 * 1024, InTheCore::default());
    // So that the tables are as large as they get.
    for number in 0..10 * DOWNLOADS {
        world.download(request(number));
        while world.turn() {}
    }
    let before = (world.observer().count, world.complete);
    for number in 0..DOWNLOADS {
        world.download(request(number));
        while world.turn() {}
    }
    assert_eq!(world.complete - before.1, u64::from(DOWNLOADS));
    (world.observer().count - before.0) as f64 / f64::from(DOWNLOADS)
}

/// Two paths, the request's fields and their values, its URI, what the reply says of the resource, the unfinished file's
/// and the transfer's boxes, the outcome: `README.md` counts them.
const ALLOCATIONS_MAX: f64 = 20.0;

#[test]
fn a_small_download_allocates_little() {
    for durability in [Durability::None, Durability::Data] {
        let count = allocations_of_a_small_download(Config { durability, ..Config::default() });
        println!("a whole small download, {durability:?}: {count} allocations in the core");
        assert!(count <= ALLOCATIONS_MAX, "{durability:?}: {count} allocations");
    }
}

#[test]
fn a_queued_download_takes_less_than_a_kibibyte_beside_its_url() {
    const QUEUED: u32 = 100_000;
    let mut world = World::of_small_files(Config::default(), 16 * 1024, ());
    while world.turn() {}
    let before = BYTES.load(Ordering::Relaxed);
    let mut url_bytes = 0;
    for number in 0..QUEUED {
        let request = request(number);
        url_bytes += request.url().as_str().len();
        world.download(request);
        // What there is to be told is taken away, as by a driver.
        while !matches!(world.manager().poll(), Output::Wait(_)) {}
    }
    let each = (BYTES.load(Ordering::Relaxed) - before - url_bytes) / QUEUED as usize;
    println!("a queued download: {each} bytes beside its URL");
    assert!(each <= 1024, "{each} bytes");
}
