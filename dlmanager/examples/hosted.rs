//! Hosts the manager in the program's own tokio runtime: `cargo run --example hosted -- FOLDER URL...`
//!
//! The manager's loop is one more task; it never blocks a thread of the runtime, as all file work runs on workers.

use std::error::Error;

use dlmanager::{DownloadManager, Event, Notice, PersistLimit};
use tokio::runtime::Handle;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args().skip(1)).await
}

pub(crate) async fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let folder = arguments.next().ok_or("a folder is needed")?;
    let limit = PersistLimit::new(1024 * 1024 * 1024, 5);
    let manager = DownloadManager::builder(folder).persist_limit(limit).open_on(Handle::current()).await?;
    let mut events = manager.events();
    let told = tokio::spawn(async move {
        while let Some(event) = events.recv_async().await {
            if let Event::Download { download, notice: Notice::Finished { outcome, .. } } = event {
                println!("{}: {outcome:?}", download.name);
            }
        }
    });
    for url in arguments {
        manager.download(url)?;
    }
    let result = manager.all_done().await;
    manager.close().await?;
    told.await?;
    Ok(result?)
}
