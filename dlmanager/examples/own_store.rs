//! A store of one's own: the real directory, written no faster than a given rate, so that others can use the disk as well.
//! `cargo run --example own_store -- FOLDER BYTES_PER_SECOND URL...`
//!
//! One that keeps files elsewhere executes all operations itself; `dlmanager-fs-memory` is a whole one.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use dlmanager::core::{Completion, FileAction, FileOp};
use dlmanager::{Directory, DownloadManager, Store};

struct Throttled {
    directory: Directory,
    bytes_per_second: f64,
}

impl Store for Throttled {
    fn execute(&self, action: FileAction) -> Completion {
        let bytes = match &action.op {
            FileOp::Write { data, .. } => data.iter().map(bytes::Bytes::len).sum(),
            _ => 0,
        };
        let until = Instant::now() + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        let answer = self.directory.execute(action);
        thread::sleep(until.saturating_duration_since(Instant::now()));
        answer
    }

    /// So that all of it runs on workers, where it may sleep.
    fn is_slow(&self) -> bool {
        true
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let folder = arguments.next().ok_or("a folder is needed")?;
    let bytes_per_second = arguments.next().ok_or("a rate is needed")?.parse::<u32>()?.max(1).into();
    let store = Throttled { directory: Directory::create(&folder)?, bytes_per_second };
    let manager = DownloadManager::builder(folder).store(store).open()?;
    for url in arguments {
        manager.download(url)?;
    }
    let result = manager.wait();
    manager.close().wait()?;
    Ok(result?)
}
