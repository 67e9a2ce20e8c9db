//! What a scenario consists of.

use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{Config, Durability, Record, Request};
use dlmanager_fs_memory::MemoryDirectory;
use dlmanager_scripted::{Reply, Resource, ScriptedTransport, SeenRequest, content};
use http::header::{DATE, ETAG, LAST_MODIFIED};

use super::{OTHER_URL, URL};

/// A download, with all that is the same in each of its runs.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    /// The settings.
    pub config: Config,
    /// Length of the file in bytes.
    pub length: usize,
    /// What tells one version of it from another.
    pub validated: Validated,
    /// What is asked for, beside the URL.
    pub request: fn(Request) -> Request,
    /// What stands under the name at first.
    pub before: Option<&'static [u8]>,
    /// How the server answers a request.
    pub server: fn(&Resource, &SeenRequest, Nth) -> Reply,
    /// Whether the server gives what is asked for in every run but the first.
    pub is_honest: bool,
    /// When the first run is canceled.
    pub cancel_after: Option<Duration>,
    /// What goes wrong with the disk in the first run.
    pub faults: fn(&MemoryDirectory),
    /// One of the flushes fails. Whether one did, dies with the program: the next one cannot know that bytes which it can
    /// read are not on the disk.
    pub flush_fails: bool,
    /// The work folder holds the unfinished file of another program, so that it is never removed.
    pub is_shared: bool,
    /// Somebody takes the file away after each run.
    pub is_taken_away: bool,
    /// Which versions the server has: in each run the one at each request, of which the last stays. The last run's are those
    /// of all further ones.
    pub histories: &'static [&'static [&'static [u64]]],
    /// Whether the machine tells its starts apart.
    pub knows_boot: bool,
    /// Whether the file system has locks.
    pub locks_work: bool,
    /// How the last run ends.
    pub ends: Ends,
}

/// Which request it is.
#[derive(Debug, Clone, Copy)]
pub struct Nth {
    /// How many runs there were before.
    pub run: usize,
    /// How many requests there were before in this run.
    pub earlier: usize,
}

/// What a server says of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validated {
    /// A strong ETag.
    Etag,
    /// A weak ETag.
    WeakEtag,
    /// A `Last-Modified` long before the reply, and so a strong one.
    Date,
    /// A `Last-Modified` of the moment.
    YoungDate,
    /// The same strong ETag, each version from a URL of its own.
    ByUrl,
    /// Nothing.
    Not,
}

/// How a run ends that nothing disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The file is there.
    Complete,
    /// It has another digest than it should.
    WrongDigest,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "",
            config: super::scenarios::config(Durability::Data),
            length: 200,
            validated: Validated::Etag,
            request: |request| request,
            before: None,
            server: |file, request, _| file.reply_to(request),
            is_honest: true,
            cancel_after: None,
            faults: |_| {},
            flush_fails: false,
            is_shared: false,
            is_taken_away: false,
            histories: &[&[&[1]]],
            knows_boot: true,
            locks_work: true,
            ends: Ends::Complete,
        }
    }
}

impl Scenario {
    /// The bytes of a version. The third is longer than the others.
    pub fn bytes(&self, version: u64) -> Bytes {
        content(version, if version == 3 { self.length + 10 } else { self.length })
    }

    /// The versions that the server has in a run.
    pub(super) fn versions(&self, history: usize, number: usize) -> &'static [u64] {
        let runs = self.histories[history];
        runs.get(number).or(runs.last()).expect("a history has a run")
    }

    /// Those of them that it served to so many requests.
    pub(super) fn served(&self, history: usize, number: usize, requests: usize) -> impl Iterator<Item = u64> {
        let versions = self.versions(history, number);
        versions.iter().copied().take(requests)
    }

    /// Where a run asks.
    pub(super) fn url(&self, history: usize, number: usize) -> &'static str {
        let is_other = self.validated == Validated::ByUrl && self.versions(history, number)[0] != 1;
        if is_other { OTHER_URL } else { URL }
    }

    /// The version that a record tells of, where there is one.
    pub(super) fn recorded(&self, record: &Record) -> Option<u64> {
        if self.validated == Validated::ByUrl {
            return [(URL, 1), (OTHER_URL, 2)]
                .into_iter()
                .find(|(url, _)| *url == &*record.url)
                .map(|(_, version)| version);
        }
        let is_it =
            |version: &u64| [etag(*version), date(*version)].iter().any(|own| *own == record.validator.as_str());
        (1..=3).find(is_it).filter(|_| *record.url == *URL)
    }

    /// Whether a name that is given to a file in time survives.
    pub(super) fn is_durable(&self) -> bool {
        self.config.durability != Durability::None
    }

    fn resource(&self, version: u64) -> Resource {
        let file = Resource::new(self.bytes(version)).header(DATE, "Thu, 01 Jan 2026 00:00:00 GMT");
        match self.validated {
            Validated::Etag => file.header(ETAG, &etag(version)),
            Validated::ByUrl => file.header(ETAG, &etag(0)),
            Validated::WeakEtag => file.header(ETAG, &format!("W/{}", etag(version))),
            Validated::Date => file.header(LAST_MODIFIED, &date(version)),
            Validated::YoungDate => file.header(LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT"),
            Validated::Not => file,
        }
    }

    /// Sets the server up for a run.
    pub(super) fn serve(&self, net: &mut ScriptedTransport, history: usize, number: usize) {
        let versions = self.versions(history, number);
        let server = self.server;
        let files: Vec<Resource> = versions.iter().map(|version| self.resource(*version)).collect();
        net.serve(self.url(history, number), move |request, earlier| {
            let file = files.get(earlier).or(files.last()).expect("a version");
            server(file, request, Nth { run: number, earlier }).pieces(10, Duration::from_millis(3))
        });
    }
}

/// The strong ETag of a version.
fn etag(version: u64) -> String {
    format!("\"v{version}\"")
}

/// The date of a version.
fn date(version: u64) -> String {
    format!("Mon, {version:02} Jan 2024 00:00:00 GMT")
}
