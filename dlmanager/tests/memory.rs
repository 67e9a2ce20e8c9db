//! Memory stays flat while a fast server feeds a slow disk. A binary of its own, as it counts every allocation.
#![allow(unsafe_code)] // An allocator is unsafe by its trait.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use dlmanager::core::{Completion, Config, FileAction, FileOp};
use dlmanager::{DownloadManager, Store};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_origin::{Body, Origin, Reply};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: each call goes to the system's allocator as it came; the counters are beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A disk that keeps nothing of what is written, after having taken its time.
#[derive(Clone)]
struct SlowDisk {
    names: MemoryDirectory,
    written: Arc<AtomicU64>,
    byte_sum: Arc<AtomicU64>,
}

impl Store for SlowDisk {
    fn execute(&self, action: FileAction) -> Completion {
        match action.op {
            FileOp::Write { ticket, data, .. } => {
                let length: usize = data.iter().map(bytes::Bytes::len).sum();
                let sum: u64 = data.iter().flat_map(|piece| piece.iter()).map(|&byte| u64::from(byte)).sum();
                self.written.fetch_add(length as u64, Ordering::Relaxed);
                self.byte_sum.fetch_add(sum, Ordering::Relaxed);
                drop(data);
                thread::sleep(Duration::from_nanos(length as u64 * 10)); // 100 MB/s
                ticket.done(Ok(Vec::new()))
            }
            FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
            op => self.names.execute(FileAction { op, ..action }),
        }
    }

    fn is_slow(&self) -> bool {
        true
    }
}

#[test]
fn memory_stays_flat_while_a_fast_server_feeds_a_slow_disk() {
    const LENGTH: u64 = 64 * 1024 * 1024;
    let origin = Origin::start().unwrap();
    let body = Body::pattern(1, LENGTH);
    origin.serve("/a", Reply::body(body.clone()));
    let mut expected = 0_u64;
    let mut buffer = vec![0; 1024 * 1024];
    for offset in (0..LENGTH).step_by(buffer.len()) {
        let read = body.read_at(offset, &mut buffer);
        expected += buffer[..read].iter().map(|&byte| u64::from(byte)).sum::<u64>();
    }
    let (names, written, byte_sum) = (MemoryDirectory::new(), Arc::default(), Arc::default());
    let disk = SlowDisk { names, written, byte_sum };
    let manager = DownloadManager::builder("disk").store(disk.clone()).open().unwrap();
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let download = manager.download(origin.url("/a")).unwrap();
    let file = download.wait_timeout(Duration::from_secs(60)).expect("it ends in time").unwrap();
    let risen = PEAK.load(Ordering::Relaxed) - before;
    assert_eq!((file.length, disk.written.load(Ordering::Relaxed)), (LENGTH, LENGTH));
    assert_eq!(disk.byte_sum.load(Ordering::Relaxed), expected);
    // What is held, what is read beyond it, as much again in the transport's buffers, and the origin's own.
    let Config { held_bytes_max, read_bytes_max, .. } = Config::default();
    let allowed = 2 * (held_bytes_max + read_bytes_max) + 1024 * 1024;
    assert!(risen < allowed, "{risen} bytes of memory were taken, {allowed} are allowed");
}
