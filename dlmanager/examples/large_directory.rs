//! Opens a bounded directory with a million files: when a download starts, when it ends, and when the scan has ended.
//!
//! `cargo run --release -p dlmanager --example large_directory -- FOLDER [FILES]`. The files are made in a new folder within
//! FOLDER, which is removed afterwards; the origin is on loopback.

use std::error::Error;
use std::fs::{self, File};
use std::time::{Duration, Instant};

use dlmanager::{DownloadManager, Event, Notice, PersistLimit};
use dlmanager_origin::{Origin, Reply};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let within = arguments.next().ok_or("in which folder?")?;
    let files: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::Builder::new().prefix("large-directory").tempdir_in(within)?;
    for at in 0..files {
        File::create(folder.path().join(format!("file-{at:012}.bin")))?;
    }
    let origin = Origin::start()?;
    origin.serve("/new", Reply::body(vec![7; 1 << 20]));

    // Two files are to go, which are known only when all are: each empty, but for the new one.
    let limit = PersistLimit::new(1, files - 1);
    let began = Instant::now();
    let manager = DownloadManager::builder(folder.path()).persist_limit(limit).adopt(true).open()?;
    told("opened", began.elapsed());
    let mut events = manager.events();
    let download = manager.download(origin.url("/new"))?;
    let mut evicted = 0_u32;
    while let Some(event) = events.recv() {
        match event {
            Event::Download { notice: Notice::Progress { progress, .. }, .. } if progress.received == 0 => {
                told("the first bytes are awaited", began.elapsed());
            }
            Event::Download { notice: Notice::Progress { progress, .. }, .. }
                if progress.total == Some(progress.received) =>
            {
                told("all bytes are there", began.elapsed());
                let counted = manager.limit_usage().map_or(0, |usage| usage.files);
                println!("{counted} of {files} files were scanned by then, {evicted} evicted");
            }
            Event::Directory { notice: Notice::Evicted { .. } } => {
                if evicted == 0 {
                    told("the first eviction", began.elapsed());
                }
                evicted += 1;
            }
            Event::Download { notice: Notice::Finished { .. }, .. } => break,
            _ => {}
        }
    }
    download.wait()?;
    told("the download has ended, its pass included", began.elapsed());
    manager.close().wait()?;
    let left =
        fs::read_dir(folder.path())?.filter_map(Result::ok).filter(|entry| entry.file_name() != ".dlmanager").count();
    println!("{evicted} evicted, {left} files are left");
    folder.close()?;
    Ok(())
}

fn told(what: &str, after: Duration) {
    println!("{what}: after {after:.2?}");
}
