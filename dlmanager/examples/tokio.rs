//! Awaits a file in an async program: `cargo run --example tokio -- FOLDER URL`
//!
//! The manager has a thread of its own; its handles can be awaited on any executor. See `hosted` for one without a thread.

use std::error::Error;

use dlmanager::DownloadManager;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args().skip(1)).await
}

pub(crate) async fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let manager = DownloadManager::new(arguments.next().ok_or("a folder is needed")?)?;
    let file = manager.download(arguments.next().ok_or("a URL is needed")?)?.await?;
    println!("{} has {} bytes", file.path.display(), file.length);
    Ok(manager.close().await?)
}
