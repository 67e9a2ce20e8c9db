//! Fetches files one after the other, each by itself, over one connection to their server: `cargo run --example
//! shared_transport -- FOLDER URL...`

use std::error::Error;
use std::path::PathBuf;

use dlmanager::{SharedTransport, fetch};

fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(arguments.next().ok_or("a folder is needed")?);
    // Managers take it as well, by `builder.shared_transport(&transport)`.
    let transport = SharedTransport::new()?;
    for url in arguments {
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        let file = fetch(url, folder.join(name)).shared_transport(&transport).wait()?;
        println!("{} has {} bytes", file.path.display(), file.length);
    }
    Ok(())
}
