//! What the demonstration plays on: an origin, a manager, and all that was seen.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use anyhow::{Context, Result};
use dlmanager::{Algorithm, Digest, Download, DownloadManager, Event, Events, Notice, Outcome, PersistLimit};
use dlmanager_origin::{Body, Origin};

use crate::directory::{self, Entry};
use crate::interrupt::Interrupt;
use crate::report::{Output, Report};
use crate::run::Run;

use super::TIMEOUT;

/// The downloads of the first scene, so many that the total has its own bar.
const DOWNLOADS: usize = 8;

pub(super) struct Stage<'a> {
    pub(super) origin: Origin,
    manager: &'a DownloadManager,
    run: Run<'a>,
    report: Report,
    /// The notices, beside those that the report gets.
    events: Events,
    seen: Seen,
    /// The true bytes of each name.
    truth: HashMap<String, Body>,
}

/// What the notices told.
#[derive(Debug, Default)]
struct Seen {
    started: usize,
    ended: usize,
    /// The last one of each name.
    outcomes: HashMap<String, &'static str>,
    retries: HashMap<String, usize>,
    evicted: Vec<String>,
}

/// The bytes under a name, beside the true ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    True,
    Wrong,
    Missing,
}

impl<'a> Stage<'a> {
    pub(super) fn new(manager: &'a DownloadManager, interrupt: &'a Interrupt) -> Result<Self> {
        Ok(Self {
            origin: Origin::start().context("cannot start an origin on 127.0.0.1")?,
            manager,
            events: manager.events(),
            run: Run::new(manager, interrupt, "canceling what runs"),
            report: Report::new(Output::Nothing, false, DOWNLOADS),
            seen: Seen::default(),
            truth: HashMap::new(),
        })
    }

    /// From now on these are the true bytes of that name.
    pub(super) fn know(&mut self, name: &str, body: Body) {
        self.truth.insert(name.into(), body);
    }

    pub(super) fn start(&mut self, name: &str) -> Result<Download> {
        let download = self.manager.download(self.origin.url(name))?;
        self.run.add(download.clone(), &mut self.report);
        Ok(download)
    }

    /// The same, held to a checksum.
    pub(super) fn start_checked(&mut self, name: &str, digest: Digest) -> Result<Download> {
        let download = self.manager.request(self.origin.url(name)).checksum(digest).start()?;
        self.run.add(download.clone(), &mut self.report);
        Ok(download)
    }

    /// Plays on until nothing runs.
    pub(super) fn until_idle(&mut self) -> Result<()> {
        self.run.until(&mut self.report, |_| false);
        while let Ok(event) = self.events.try_recv() {
            self.seen.event(event);
        }
        // The last of them may be on its way.
        while self.seen.ended < self.seen.started {
            self.seen.event(self.events.recv_timeout(TIMEOUT).context("the end of a download was not told")?);
        }
        Ok(())
    }

    /// Plays on until that download has so many bytes, or nothing runs.
    pub(super) fn until_received(&mut self, download: &Download, bytes: u64) {
        if download.progress().received < bytes {
            self.run.until(&mut self.report, |_| download.progress().received >= bytes);
        }
    }

    /// Ends it all. Returns whether it was interrupted.
    pub(super) fn finish(self) -> bool {
        let Self { run, mut report, .. } = self;
        let interrupted = run.finish(&mut report);
        report.finish();
        interrupted
    }

    pub(super) fn outcome(&self, name: &str) -> &'static str {
        self.seen.outcomes.get(name).copied().unwrap_or("not told")
    }

    pub(super) fn retries(&self, name: &str) -> usize {
        self.seen.retries.get(name).copied().unwrap_or(0)
    }

    pub(super) fn evicted(&self) -> Vec<String> {
        self.seen.evicted.clone()
    }

    /// How many requests the origin got for a path.
    pub(super) fn requests(&self, path: &str) -> usize {
        self.origin.records().requests_to(path).count()
    }

    /// The requests for the rest of a path: from where on, under which validator, and how many bytes were sent.
    pub(super) fn asked_for_rest(&self, path: &str) -> Vec<(u64, String, u64)> {
        let records = self.origin.records();
        let asked = records.requests_to(path).filter_map(|request| {
            let from = request.header("Range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
            let sent = request.sent.map_or(0, |sent| sent.body_bytes);
            Some((from, request.header("If-Range").unwrap_or("none").to_owned(), sent))
        });
        asked.collect()
    }

    pub(super) fn is_there(&self, name: &str) -> bool {
        self.manager.directory().join(name).symlink_metadata().is_ok()
    }

    pub(super) fn files(&self) -> Result<Vec<Entry>> {
        Ok(directory::read(self.manager.directory()).context("cannot read the temporary folder")?.files)
    }

    /// What the true bytes of that name come to.
    pub(super) fn true_digest(&self, name: &str) -> Result<Digest> {
        let truth = self.truth.get(name).context("nothing is known of that name")?;
        let hash = hash(truth.reader(0)).context("cannot read the true bytes")?;
        Digest::new(Algorithm::Blake3, hash.as_bytes()).context("the digest has another length")
    }

    pub(super) fn bytes_of(&self, name: &str) -> Bytes {
        let Some(truth) = self.truth.get(name) else { return Bytes::Wrong };
        match File::open(self.manager.directory().join(name)).and_then(hash) {
            Ok(found) if hash(truth.reader(0)).is_ok_and(|expected| expected == found) => Bytes::True,
            Ok(_) => Bytes::Wrong,
            Err(_) => Bytes::Missing,
        }
    }
}

impl Seen {
    fn event(&mut self, event: Event) {
        match event {
            Event::Download { notice: Notice::Started { .. }, .. } => self.started += 1,
            Event::Download { download, notice: Notice::Retrying { .. } } => {
                *self.retries.entry(download.name.to_string()).or_default() += 1;
            }
            Event::Download { download, notice: Notice::Finished { outcome, .. } } => {
                self.ended += 1;
                let outcome = match outcome {
                    Outcome::Complete(_) => "complete",
                    Outcome::Present { .. } => "present",
                    Outcome::Canceled => "canceled",
                    Outcome::Failed(_) => "failed",
                };
                self.outcomes.insert(download.name.to_string(), outcome);
            }
            Event::Directory { notice: Notice::Evicted { path, .. } } => self.evicted.push(path.to_string()),
            _ => {}
        }
    }
}

impl Bytes {
    pub(super) fn are_true(self) -> bool {
        self == Self::True
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::True => "hash right",
            Self::Wrong => "hash WRONG",
            Self::Missing => "no file",
        }
    }
}

/// The names that the rule wants to go once `new` is there, the first to go first.
pub(super) fn rule(files: &[Entry], new: (&str, u64), limit: &PersistLimit) -> Vec<String> {
    let mut oldest: Vec<&Entry> = files.iter().filter(|file| file.name != new.0).collect();
    oldest.sort_by_key(|file| (file.accessed, &file.name));
    let mut count = oldest.len() as u64 + 1;
    let mut bytes = new.1 + oldest.iter().map(|file| file.length).sum::<u64>();
    let mut victims = Vec::new();
    for file in oldest {
        if count <= limit.file_limit || bytes < limit.size_limit {
            break;
        }
        count -= 1;
        bytes -= file.length;
        victims.push(file.name.to_string_lossy().into_owned());
    }
    victims
}

fn hash(reader: impl io::Read) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(reader)?;
    Ok(hasher.finalize())
}
