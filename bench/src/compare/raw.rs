//! What the socket costs by itself: the least that a program can do that gets these bytes into these files.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// What the loop is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Writes under another name, flushes, and renames, file after file.
    #[arg(long)]
    flush: bool,
    /// Length of the buffer in KiB.
    #[arg(long, default_value_t = 256)]
    buffer_kib: usize,
    /// Where the files go.
    dir: PathBuf,
    /// A file with an `http` URL in each line, all of one origin.
    list: PathBuf,
}

/// Fetches all files over one connection, one after another.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let list = fs::read_to_string(&arguments.list)?;
    let mut lines = list.lines().peekable();
    let first = lines.peek().context("nothing to fetch")?;
    let (host, _) = split(first)?;
    let mut connection = TcpStream::connect(host)?;
    connection.set_nodelay(true)?;
    let mut buffer = vec![0; arguments.buffer_kib * 1024];
    for url in lines {
        let (host, path) = split(url)?;
        let name = Path::new(path).file_name().context("a URL without a name")?;
        let dest = arguments.dir.join(name);
        let temporary = arguments.dir.join(".unfinished");
        let file = File::create(if arguments.flush { &temporary } else { &dest })?;
        fetch(&mut connection, host, path, &file, &mut buffer)?;
        if arguments.flush {
            file.sync_data()?;
            fs::rename(&temporary, &dest)?;
        }
    }
    Ok(())
}

fn split(url: &str) -> anyhow::Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").context("not an http URL")?;
    let slash = rest.find('/').context("a URL without a path")?;
    Ok(rest.split_at(slash))
}

fn fetch(connection: &mut TcpStream, host: &str, path: &str, file: &File, buffer: &mut [u8]) -> anyhow::Result<()> {
    connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let mut filled = 0;
    let head = loop {
        let count = connection.read(&mut buffer[filled..])?;
        ensure!(count > 0, "the server has closed the connection within a head");
        filled += count;
        if let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
    ensure!(text.starts_with("http/1.1 200 "), "{path}: {text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).context("no length")?;
    let length: u64 = length.trim().parse()?;
    let mut offset = (filled - head) as u64;
    file.write_all_at(&buffer[head..filled], 0)?;
    while offset < length {
        let count = connection.read(buffer)?;
        ensure!(count > 0, "the server has closed the connection within a body");
        file.write_all_at(&buffer[..count], offset)?;
        offset += count as u64;
    }
    Ok(())
}
