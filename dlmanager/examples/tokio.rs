//! Fetches one file in an async program: `cargo run --example tokio -- FOLDER URL`

use dlmanager::DownloadManager;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let manager = DownloadManager::new(arguments.next().ok_or("a folder is needed")?)?;
    let file = manager.download(arguments.next().ok_or("a URL is needed")?)?.await?;
    println!("{} has {} bytes", file.path.display(), file.length);
    Ok(manager.close().await?)
}
