//! How long things take, as distributions: from a cancel to the closed socket, and from an event to its action.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context as TaskContext;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use dlmanager::core::{ActionId, Chunk, Completion, Config, Event, FileAction, FileOp, Head, NetAction, NetOp};
use dlmanager::{Directory, DownloadManager, IoRuntime, Store, Transport};
use http::{HeaderMap, StatusCode, Version};

/// How often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many downloads are canceled, of each kind
    #[arg(long, default_value_t = 300)]
    cancels: usize,
    /// How many events are followed
    #[arg(long, default_value_t = 20_000)]
    events: usize,
}

/// What has to come in time does.
const DEADLINE: Duration = Duration::from_secs(60);

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    println!("{:>8} {:>9} {:>9} {:>9} {:>9}  microseconds", "n", "p50", "p90", "p99", "max");
    for runtime in [IoRuntime::Tokio, IoRuntime::Smol] {
        for flood in [false, true] {
            let times = cancels(runtime, flood, arguments.cancels)?;
            let body = if flood { "that comes as fast as it can" } else { "that waits for more" };
            print(&format!("cancel to closed socket, {runtime:?}, of a body {body}"), times);
        }
    }
    print("event to action: a chunk is there, and its write begins", events(arguments.events)?);
    Ok(())
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| {
        let index = (share * (times.len() - 1) as f64).round() as usize;
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    println!("{:>8} {:>9.1} {:>9.1} {:>9.1} {:>9.1}  {what}", times.len(), at(0.5), at(0.9), at(0.99), at(1.0));
}

// A cancel.

fn cancels(runtime: IoRuntime, flood: bool, count: usize) -> anyhow::Result<Vec<Duration>> {
    let folder = tempfile::tempdir()?;
    let (url, closed) = serve(flood)?;
    let manager = DownloadManager::builder(folder.path()).runtime(runtime).open()?;
    let mut times = Vec::new();
    for number in 0..count {
        let (came, comes) = channel();
        let download = manager.request(format!("{url}/{number}")).progress(move |progress| {
            if progress.received > 0 {
                let _ = came.send(());
            }
        });
        let download = download.start()?;
        comes.recv_timeout(DEADLINE).context("the body has not begun")?;
        let asked = Instant::now();
        download.cancel()?;
        let closed = closed.recv_timeout(DEADLINE).context("the connection was not closed")?;
        times.push(closed.saturating_duration_since(asked));
    }
    manager.close().wait()?;
    Ok(times)
}

/// Serves bodies without an end, and says when each connection was closed.
fn serve(flood: bool) -> anyhow::Result<(String, Receiver<Instant>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (sender, closed) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || drop(serve_one(stream, flood, &sender)));
        }
    });
    Ok((url, closed))
}

fn serve_one(mut stream: TcpStream, flood: bool, closed: &Sender<Instant>) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    if stream.read(&mut buffer)? == 0 {
        return Ok(());
    }
    let mut writer = stream.try_clone()?;
    writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")?;
    writer.write_all(&buffer)?;
    if flood {
        thread::spawn(move || while writer.write_all(&buffer).is_ok() {});
    }
    // Nothing more is asked for, so that this ends with the connection.
    let _ = stream.read(&mut [0]);
    let _ = closed.send(Instant::now());
    Ok(())
}

// An event.

const CHUNK_BYTES: usize = 32 * 1024;

/// When the last chunk was handed over, and how long each took to be written.
#[derive(Debug, Default)]
struct Watch {
    handed: Option<Instant>,
    times: Vec<Duration>,
}

/// A network that has every chunk at once.
struct Chunks {
    watch: Arc<Mutex<Watch>>,
    answers: Vec<Event>,
    chunk: Bytes,
    left: usize,
}

/// A disk that keeps nothing.
struct Nowhere {
    watch: Arc<Mutex<Watch>>,
    names: Directory,
}

fn events(count: usize) -> anyhow::Result<Vec<Duration>> {
    let folder = tempfile::tempdir()?;
    let watch = Arc::<Mutex<Watch>>::default();
    let chunk = Bytes::from(vec![0; CHUNK_BYTES]);
    let transport = Chunks { watch: Arc::clone(&watch), answers: Vec::new(), chunk, left: count };
    let store = Nowhere { watch: Arc::clone(&watch), names: Directory::create(folder.path())? };
    let builder = DownloadManager::builder(folder.path()).transport(transport).store(store);
    let manager = builder.config(Config { gather_bytes: CHUNK_BYTES, ..Config::default() }).open()?;
    let download = manager.download("http://nowhere.example/file")?;
    download.wait_timeout(DEADLINE).context("it has not ended")??;
    manager.close().wait()?;
    let mut watch = lock(&watch);
    Ok(std::mem::take(&mut watch.times))
}

impl Transport for Chunks {
    fn start(&mut self, action: NetAction) {
        let completion = match action.op {
            NetOp::Fetch { ticket, .. } => {
                self.answers.push(Event::Connected(ticket.id()));
                let mut headers = HeaderMap::new();
                headers.insert("content-length", (self.left * CHUNK_BYTES).into());
                let head = Head { version: Version::HTTP_11, status: StatusCode::OK, headers };
                ticket.done(Ok(Box::new(head)))
            }
            NetOp::ReadBody { ticket, .. } => {
                self.left -= 1;
                let chunk = Chunk { data: self.chunk.clone(), pinned: CHUNK_BYTES, last: self.left == 0 };
                ticket.done(Ok(chunk))
            }
            NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
        };
        self.answers.push(Event::Completed(completion));
    }

    fn abort(&mut self, _: ActionId) {} // all are answered already

    fn poll(&mut self, _: &mut TaskContext<'_>, events: &mut Vec<Event>) {
        if !self.answers.is_empty() {
            lock(&self.watch).handed = Some(Instant::now());
            events.append(&mut self.answers);
        }
    }
}

impl Store for Nowhere {
    fn execute(&self, action: FileAction) -> Completion {
        match action.op {
            FileOp::Write { ticket, mut data, .. } => {
                let mut watch = lock(&self.watch);
                let time = watch.handed.map(|handed| handed.elapsed());
                watch.times.extend(time);
                data.clear();
                ticket.done(Ok(data))
            }
            FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
            op => self.names.execute(FileAction { op, ..action }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
