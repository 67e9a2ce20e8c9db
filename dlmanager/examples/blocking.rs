//! Fetches files into a folder, without any async: `cargo run --example blocking -- FOLDER URL...`

use std::error::Error;

use dlmanager::DownloadManager;

fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let manager = DownloadManager::new(arguments.next().ok_or("a folder is needed")?)?;
    for url in arguments {
        manager.download(url)?.set_progress(|progress| println!("{} of {:?} bytes", progress.received, progress.total));
    }
    let result = manager.wait();
    manager.close().wait()?;
    Ok(result?)
}
