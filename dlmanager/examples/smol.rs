//! Hosts the manager on smol's executor: `cargo run --features smol --example smol -- FOLDER URL...`
//!
//! Its network is the transport on smol as well; no tokio runs.

use std::error::Error;

use dlmanager::DownloadManager;

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run(std::env::args().skip(1)))
}

pub(crate) async fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let folder = arguments.next().ok_or("a folder is needed")?;
    let manager = DownloadManager::builder(folder).open_on(|task| smol::spawn(task).detach()).await?;
    for url in arguments {
        manager.download(url)?.set_progress(|progress| println!("{} of {:?} bytes", progress.received, progress.total));
    }
    let result = manager.all_done().await;
    manager.close().await?;
    Ok(result?)
}
