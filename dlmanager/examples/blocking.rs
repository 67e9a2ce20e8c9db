//! Fetches files into a folder, without any async: `cargo run --example blocking -- FOLDER URL...`

use dlmanager::DownloadManager;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let manager = DownloadManager::new(arguments.next().ok_or("a folder is needed")?)?;
    for url in arguments {
        manager.download(url)?.set_progress(|progress| println!("{} of {:?} bytes", progress.received, progress.total));
    }
    manager.wait()?;
    Ok(manager.close().wait()?)
}
