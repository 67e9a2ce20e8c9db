//! What the socket costs by itself: the least that a program can do that gets these bytes into these files.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

/// What the loop is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How the bytes get under the final name.
    #[arg(long, value_enum, default_value_t = Way::Plain)]
    way: Way,
    /// Length of the buffer in KiB.
    #[arg(long, default_value_t = 256)]
    buffer_kib: usize,
    /// Where the files go.
    dir: PathBuf,
    /// A file with an `http` URL in each line, all of one origin.
    list: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Way {
    /// They are written under it.
    Plain,
    /// Under another name, flushed, and renamed.
    Flush,
    /// With all the system calls that dlmanager makes for a new file, where it flushes none: what they cost without it.
    Contract,
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
    let directory = Directory::open(&arguments.dir, arguments.way)?;
    for url in lines {
        let (host, path) = split(url)?;
        let name = Path::new(path).file_name().context("a URL without a name")?;
        let dest = arguments.dir.join(name);
        match arguments.way {
            Way::Plain => fetch(&mut connection, host, path, &File::create(&dest)?, &mut buffer)?,
            Way::Flush => {
                let temporary = arguments.dir.join(".unfinished");
                let file = File::create(&temporary)?;
                fetch(&mut connection, host, path, &file, &mut buffer)?;
                file.sync_data()?;
                fs::rename(&temporary, &dest)?;
            }
            Way::Contract => {
                let unfinished = Unfinished::claim(&directory, name)?;
                fetch(&mut connection, host, path, &unfinished.file, &mut buffer)?;
                unfinished.publish(&directory, name)?;
            }
        }
    }
    if arguments.way == Way::Contract {
        fs::remove_dir(arguments.dir.join(WORK))?;
    }
    Ok(())
}

/// A directory and the folder for what is unfinished, open; both the same where there is no such folder.
struct Directory {
    files: OwnedFd,
    work: OwnedFd,
}

/// What is unfinished is in this folder of the directory.
const WORK: &str = ".work";

/// A file that nobody else is at work on.
struct Unfinished {
    file: File,
    name: OsString,
}

impl Directory {
    fn open(path: &Path, way: Way) -> anyhow::Result<Self> {
        let open = |path: &Path| rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        if way != Way::Contract {
            return Ok(Self { files: open(path)?, work: open(path)? });
        }
        let work = path.join(WORK);
        fs::create_dir(&work)?;
        Ok(Self { files: open(path)?, work: open(&work)? })
    }
}

impl Unfinished {
    /// Looks for the name, makes the file, locks it, looks whether its name leads to it, for the final name again and for the
    /// record of an earlier run.
    fn claim(directory: &Directory, dest: &OsStr) -> anyhow::Result<Self> {
        nothing_at(&directory.files, dest)?;
        let mut name = dest.to_owned();
        name.push(".part");
        let mut record = dest.to_owned();
        record.push(".json");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = rustix::fs::openat(&directory.work, &name, flags, Mode::from_raw_mode(0o666))?.into();
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let unfinished = Self { file, name };
        unfinished.is_there(directory)?;
        nothing_at(&directory.files, dest)?;
        nothing_at(&directory.work, &record)?;
        ensure!(rustix::fs::fstat(&directory.work)?.st_nlink > 0, "the work folder is gone");
        Ok(unfinished)
    }

    /// Sets the times, looks once more whether the name leads to the file, and gives it the final one.
    fn publish(self, directory: &Directory, dest: &OsStr) -> anyhow::Result<()> {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        rustix::fs::futimens(&self.file, &Timestamps { last_access: now, last_modification: now })?;
        self.is_there(directory)?;
        rename(directory, &self.name, dest)?;
        rustix::fs::flock(&self.file, FlockOperation::Unlock)?;
        Ok(())
    }

    fn is_there(&self, directory: &Directory) -> anyhow::Result<()> {
        let (open, named) = (
            rustix::fs::fstat(&self.file)?,
            rustix::fs::statat(&directory.work, &self.name, AtFlags::SYMLINK_NOFOLLOW)?,
        );
        ensure!((open.st_dev, open.st_ino) == (named.st_dev, named.st_ino), "the name leads elsewhere");
        Ok(())
    }
}

fn nothing_at(folder: &OwnedFd, name: &OsStr) -> anyhow::Result<()> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("{} is there", name.display()),
    }
}

#[cfg(target_os = "linux")]
fn rename(directory: &Directory, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    rustix::fs::renameat_with(&directory.work, from, &directory.files, to, rustix::fs::RenameFlags::NOREPLACE)
}

#[cfg(not(target_os = "linux"))]
fn rename(directory: &Directory, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    rustix::fs::renameat(&directory.work, from, &directory.files, to)
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
