//! What a bounded directory costs the core: memory for each file, and time for what happens.
//!
//! `cargo run --release -p dlmanager-core --example limit_figures [FILES]`; a million unless said otherwise. Memory is what the
//! kernel says that the process has (Linux).

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use dlmanager_core::{
    Action, Chunk, Config, Deleted, Event, FileKind, FileOp, FileStat, Gauged, Head, Instant, LimitConfig, Manager,
    NetOp, Notice, Opened, Output, PersistLimit, Probed, Request, ScanBatch, ScanEntry, Stamp, StorePath,
};
use http::{HeaderMap, StatusCode, Version};

const LENGTH: u64 = 1_000;
/// Downloads and single events that are timed.
const TIMED: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let files: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    limit(files)?;
    downloads(files)?;
    Ok(())
}

/// The rule alone.
fn limit(files: usize) -> Result<(), Box<dyn Error>> {
    let mut random = Random(1);
    let paths: Vec<StorePath> = (0..files).filter_map(|at| StorePath::entry(&name(at))).collect();
    let before = resident_bytes()?;
    // The limit keeps its own names: a path that a scan yields is not kept elsewhere.
    let mut limit = PersistLimit::new(files as u64 / 2 * LENGTH, 1);
    let began = Clock::now();
    for at in 0..files {
        let Some(path) = StorePath::entry(&name(at)) else { continue };
        limit.register(path, &stat(random.stamp()));
    }
    let registered = began.elapsed();
    let each = (resident_bytes()?.saturating_sub(before)) as f64 / files as f64;
    println!("{files} files with names of {} bytes", name(0).len());
    println!("memory            {each:8.1} bytes each");
    println!("register          {:8.3} us each", micros(registered) / files as f64);
    told(
        "touch",
        &timed(TIMED, |_| {
            let at = random.below(files);
            let stamp = random.stamp();
            limit.touch(&paths[at], stamp);
        }),
    );
    told(
        "choose one",
        &timed(TIMED, |_| {
            black_box(limit.victims(1, |_| false));
        }),
    );
    let mut batches = timed(TIMED / 64, |_| {
        black_box(limit.victims(64, |_| false));
    });
    batches.iter_mut().for_each(|nanos| *nanos /= 64);
    told("choose, of 64", &batches);
    // A new file comes, the one accessed longest ago goes.
    let mut new = files;
    told(
        "publish",
        &timed(TIMED, |_| {
            new += 1;
            if let Some(path) = StorePath::entry(&name(new)) {
                limit.register(path, &stat(Stamp::from_nanos(i64::MAX / 2 + new as i64)));
            }
            for victim in limit.victims(1, |_| false) {
                limit.forget(&victim.path);
            }
        }),
    );
    told(
        "hold and release",
        &timed(TIMED, |_| {
            let path = &paths[random.below(files)];
            limit.hold(path);
            limit.release(path);
        }),
    );
    Ok(())
}

/// A manager with a directory of that many files: each download that ends brings a pass that evicts one.
fn downloads(files: usize) -> Result<(), Box<dyn Error>> {
    let limit = LimitConfig { size_limit: files as u64 * LENGTH, file_limit: 1, adopt: true, ..LimitConfig::default() };
    let mut manager = Manager::new(Config { limit: Some(limit), ..Config::default() }, 1);
    let mut backend = Backend { random: Random(2), scanned: 0, files, evicted: 0, published: None };
    let began = Clock::now();
    backend.drive(&mut manager);
    println!("scan of all       {:8.3} us each", micros(began.elapsed()) / files as f64);
    let mut requests = (0..TIMED).map(|at| Request::new(&format!("http://example.org/new-{at:012}")));
    let spans = timed(TIMED, |_| {
        if let Some(Ok(request)) = requests.next()
            && manager.download(Instant::ZERO, request).is_ok()
        {
            backend.drive(&mut manager);
        }
    });
    told("finished download", &spans);
    println!("{} downloads, {} evictions", spans.len(), backend.evicted);
    Ok(())
}

/// Answers at once, so that the time is the core's, but for making the answers.
struct Backend {
    random: Random,
    scanned: usize,
    files: usize,
    evicted: usize,
    /// The file that got its name last.
    published: Option<StorePath>,
}

impl Backend {
    fn drive(&mut self, manager: &mut Manager) {
        loop {
            let completion = match manager.poll() {
                Output::Action(Action::Net(action)) => match action.op {
                    NetOp::Fetch { ticket, .. } => {
                        let mut headers = HeaderMap::new();
                        headers.insert("content-length", LENGTH.into());
                        ticket.done(Ok(Box::new(Head { version: Version::HTTP_11, status: StatusCode::OK, headers })))
                    }
                    NetOp::ReadBody { ticket, .. } => {
                        let data = Bytes::from_static(&[7; LENGTH as usize]);
                        ticket.done(Ok(Chunk { pinned: data.len(), data, last: true }))
                    }
                    NetOp::DropBody { ticket, .. } => ticket.done(Ok(())),
                },
                Output::Action(Action::File(action)) => match action.op {
                    FileOp::Scan { ticket, folder: None, entries_max, .. } => ticket.done(Ok(self.scan(entries_max))),
                    FileOp::Scan { ticket, .. } => {
                        ticket.done(Ok(ScanBatch { entries: Vec::new(), unnameable: 0, done: true }))
                    }
                    FileOp::Gauge { ticket } => {
                        ticket.done(Ok(Gauged { now: Stamp::from_nanos(i64::MAX / 2), free_bytes: None }))
                    }
                    FileOp::Probe { ticket, .. } => ticket.done(Ok(Probed { boot: None, locks: true })),
                    FileOp::Open { ticket, mode: dlmanager_core::OpenMode::Read, .. } => {
                        ticket.done(Err(dlmanager_core::FaultKind::NotFound.into()))
                    }
                    FileOp::Open { ticket, .. } => ticket.done(Ok(Opened { created: true, length: 0 })),
                    FileOp::Stat { ticket, path } => {
                        // Looked for before it is fetched, and after it got its name.
                        let is_there = self.published.as_ref() == Some(&path);
                        ticket.done(Ok(is_there.then(|| stat(Stamp::from_nanos(i64::MAX / 2 - 1)))))
                    }
                    FileOp::Rename { ticket, to, .. } => {
                        self.published = Some(to);
                        ticket.done(Ok(()))
                    }
                    FileOp::Lock { ticket, .. } => ticket.done(Ok(0)),
                    FileOp::Write { ticket, mut data, .. } => {
                        data.clear();
                        ticket.done(Ok(data))
                    }
                    FileOp::Delete { ticket, items } => {
                        self.evicted += items.iter().filter(|item| !item.path.as_str().starts_with('.')).count();
                        ticket.done(Ok(items.iter().map(|_| Deleted::Deleted).collect()))
                    }
                    other => done(other),
                },
                Output::Action(Action::Abort(_)) => continue,
                Output::Notice(Notice::Finished { outcome, .. }) => {
                    black_box(outcome);
                    continue;
                }
                Output::Notice(_) => continue,
                Output::Wait(_) => return,
            };
            manager.handle(Instant::ZERO, Event::Completed(completion));
        }
    }

    fn scan(&mut self, entries_max: usize) -> ScanBatch {
        let until = self.files.min(self.scanned + entries_max);
        let entries = (self.scanned..until)
            .filter_map(|at| Some(ScanEntry { path: StorePath::entry(&name(at))?, stat: stat(self.random.stamp()) }));
        let entries = entries.collect();
        self.scanned = until;
        ScanBatch { entries, unnameable: 0, done: until == self.files }
    }
}

/// What has nothing to tell.
fn done(op: FileOp) -> dlmanager_core::Completion {
    match op {
        FileOp::MakeDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::SetTimes { ticket, .. } => ticket.done(Ok(())),
        FileOp::KeepDigests { ticket, .. } => ticket.done(Ok(())),
        FileOp::Sync { ticket, .. } => ticket.done(Ok(())),
        FileOp::Finish { ticket, .. } => ticket.done(Ok(())),
        FileOp::SyncDir { ticket, .. } => ticket.done(Ok(())),
        FileOp::Truncate { ticket, .. } => ticket.done(Ok(())),
        FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
        FileOp::Close { ticket, .. } => ticket.done(Ok(())),
        FileOp::Read { ticket, .. } => ticket.done(Err(dlmanager_core::FaultKind::Skipped.into())),
        other => unreachable!("{other:?}"),
    }
}

fn name(at: usize) -> String {
    format!("file-{at:012}.bin")
}

fn stat(accessed: Stamp) -> FileStat {
    FileStat { kind: FileKind::Regular, length: LENGTH, accessed, modified: accessed }
}

/// How long each took, in nanoseconds.
fn timed(count: usize, mut work: impl FnMut(usize)) -> Vec<u128> {
    let mut spans = Vec::with_capacity(count);
    for at in 0..count {
        let began = Clock::now();
        work(at);
        spans.push(began.elapsed().as_nanos());
    }
    spans
}

fn told(what: &str, spans: &[u128]) {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let at = |part: usize| sorted.get(sorted.len() * part / 100).copied().unwrap_or(0) as f64 / 1_000.0;
    println!("{what:17} {:8.3} us (median; {:.3} at the 99th percentile)", at(50), at(99));
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

fn resident_bytes() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: usize = line.split_whitespace().next().ok_or("no number")?.parse()?;
    Ok(kibibytes * 1024)
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    /// Of the last century.
    fn stamp(&mut self) -> Stamp {
        Stamp::from_nanos((self.next() >> 2) as i64)
    }
}
