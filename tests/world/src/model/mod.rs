//! The reference model: what must be true of a manager, said from outside.
//!
//! It watches what is asked of the world, what the world did and what the core was told, and panics where that breaks a
//! promise. It shares no code with the core.

mod end;
mod exchanges;
mod files;
mod notices;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::{
    Admission, AdmitError, BodyId, CancelError, Digest, DownloadId, FileId, FileKind, Instant, Lane, Manager, Outcome,
    Phase,
};

use dlmanager_fs_memory::MemoryDirectory;

use crate::report::Report;
use crate::server::Exchange;
use crate::setting::Setting;
use crate::told::Reason;

pub(crate) use files::says_deleted;

/// Everything that the world knows of one manager.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) setting: Setting,
    /// The admissions asked for, refused and joined ones too: each has a URL of its own.
    pub(crate) asked: Vec<Asked>,
    pub(crate) downloads: Vec<Watched>,
    places: BTreeMap<DownloadId, usize>,
    pub(crate) exchanges: BTreeMap<BodyId, Exchange>,
    /// Those of programs that have died.
    past: Vec<Exchange>,
    files: BTreeMap<FileId, bool>,
    /// Where files that were opened stand, and which of them are locked.
    paths: BTreeMap<FileId, String>,
    locked: BTreeSet<FileId>,
    /// Those of which a flush failed.
    spoiled: BTreeSet<FileId>,
    /// The download that an unfinished file belongs to, by its name up to the first dot.
    stem_of: BTreeMap<String, usize>,
    /// Connections that could not be made, as far as the application was told.
    connect_failures: usize,
    /// The download that a lane of file actions works for, once that has shown.
    lane_of: BTreeMap<Lane, usize>,
    /// What must stand under visible names.
    visible: BTreeMap<String, Option<Bytes>>,
    /// Names that may be left behind, as their removal was made to fail.
    litter: BTreeSet<String>,
    /// Nobody but the core changed the directory, and each deletion told the truth.
    pub(crate) is_undisturbed: bool,
    /// The lengths of files that were replaced just now.
    replaced: BTreeMap<String, u64>,
    evictions: BTreeMap<String, usize>,
    evicted_told: BTreeMap<String, usize>,
    swept: Option<(u64, u64)>,
    /// The name of the download that ended last, unless its file was present.
    ended_last: Option<String>,
    /// The name of the last one that brought a pass.
    passed_last: Option<String>,
    /// The names that the program holds, and how often.
    pub(crate) held: BTreeMap<String, u32>,
    pub(crate) closed: bool,
    refused: bool,
    /// The mark was given its name, and the answer was lost.
    pub(crate) mark_may_stand: bool,
    /// The least time at which what was polled can have been decided.
    decided_from: Instant,
    is_drained: bool,
}

/// What is asked for, under which admission's URL.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) serial: usize,
    pub(crate) asked: Asked,
    pub(crate) replaces: bool,
    pub(crate) checksum: Option<Digest>,
}

/// An admission that was asked for, or is asked for again.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) origin: String,
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) has_secrets: bool,
    pub(crate) download: Option<usize>,
}

/// A download, as the world sees it.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) id: DownloadId,
    pub(crate) name: String,
    pub(crate) replaces: bool,
    pub(crate) checksum: Option<Digest>,
    pub(crate) admitted_at: Instant,
    started_told: bool,
    cancel_accepted: bool,
    /// Nothing that was decided before the cancel is still to come.
    cancel_is_settled: bool,
    close_asked: bool,
    /// What there is of it may be kept when it is canceled.
    keeps: bool,
    pub(crate) outcome: Option<Outcome>,
    has_lane: bool,
    rename_asked: bool,
    /// What was given the final name.
    renamed: Option<Bytes>,
    name_was_taken: bool,
    seen_lengths: BTreeSet<u64>,
    seen_non_file: Option<FileKind>,
    file_reasons: Vec<Reason>,
    net_reasons: Vec<Reason>,
    pub(crate) bodies: Vec<BodyId>,
    progress: Option<(u64, Option<u64>)>,
    retry: Option<Retry>,
    /// It found the disk full, and was tried once more.
    had_room_made: bool,
    attempts: u32,
}

/// A retry that was announced.
#[derive(Debug, Clone, Copy)]
struct Retry {
    /// The least time at which it can have been decided.
    from: Instant,
    /// When it was told.
    told: Instant,
    delay: Duration,
}

impl Model {
    pub(crate) fn new(setting: Setting) -> Self {
        Self {
            setting,
            asked: Vec::new(),
            downloads: Vec::new(),
            places: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            past: Vec::new(),
            files: BTreeMap::new(),
            paths: BTreeMap::new(),
            locked: BTreeSet::new(),
            spoiled: BTreeSet::new(),
            stem_of: BTreeMap::new(),
            connect_failures: 0,
            lane_of: BTreeMap::new(),
            visible: BTreeMap::new(),
            litter: BTreeSet::new(),
            is_undisturbed: true,
            replaced: BTreeMap::new(),
            evictions: BTreeMap::new(),
            evicted_told: BTreeMap::new(),
            swept: None,
            ended_last: None,
            passed_last: None,
            held: BTreeMap::new(),
            closed: false,
            refused: false,
            mark_may_stand: false,
            decided_from: Instant::ZERO,
            is_drained: true,
        }
    }

    /// The core is about to be given something at this time.
    pub(crate) fn tells_at(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_drained) {
            self.decided_from = now;
        }
    }

    /// All outputs were taken: what comes from now on is decided at or after the next thing that the core is given.
    pub(crate) fn drained(&mut self) {
        self.is_drained = true;
        let downloads = &self.downloads;
        self.replaced.retain(|path, _| downloads.iter().any(|live| live.outcome.is_none() && live.name == *path));
        for download in &mut self.downloads {
            download.cancel_is_settled = download.cancel_accepted;
        }
    }

    /// The newest download of a name that has not ended.
    fn newest(&self, name: &str) -> Option<usize> {
        (0..self.downloads.len())
            .rev()
            .find(|&at| self.downloads[at].name == name && self.downloads[at].outcome.is_none())
    }

    /// The download that may work under a name: the others of that name stand behind it.
    fn working(&self, name: &str) -> Option<usize> {
        self.downloads.iter().position(|download| {
            let is_idle = download.cancel_accepted && !download.has_lane && download.bodies.is_empty();
            download.name == name && download.outcome.is_none() && !is_idle
        })
    }

    /// The newest download of a name that has not ended.
    pub(crate) fn newest_id(&self, name: &str) -> Option<DownloadId> {
        self.newest(name).map(|at| self.downloads[at].id)
    }

    /// An admission of that name that was asked for before, and whose download is no more.
    pub(crate) fn asked_before(&self, name: &str) -> Option<usize> {
        let is_over = |at: usize| self.downloads[at].outcome.is_some();
        self.asked.iter().rposition(|asked| asked.name == name && asked.download.is_none_or(is_over))
    }

    /// The program has died, and another one begins: it knows of no download, and the directory is as it was left.
    pub(crate) fn restart(&mut self, directory: &MemoryDirectory, report: &mut Report) {
        self.check_left(directory, report);
        self.past.extend(std::mem::take(&mut self.exchanges).into_values());
        for download in &mut self.downloads {
            download.bodies.clear();
            if download.outcome.is_none() {
                // Nobody was told so, and nobody will be.
                download.outcome = Some(Outcome::Canceled);
                (download.keeps, download.started_told) = (true, true);
            }
        }
        self.files.clear();
        self.paths.clear();
        self.locked.clear();
        self.lane_of.clear();
        self.replaced.clear();
        self.connect_failures = 0;
        self.swept = None;
        self.ended_last = None;
        self.passed_last = None;
        self.closed = false;
        self.refused = false;
        self.mark_may_stand = true;
        self.is_undisturbed = false;
    }

    /// The name that a download was admitted under.
    pub(crate) fn name_of(&self, id: DownloadId) -> &str {
        &self.downloads[self.find(id)].name
    }

    fn find(&self, id: DownloadId) -> usize {
        match self.places.get(&id) {
            Some(at) => *at,
            None => panic!("{id:?} was never admitted"),
        }
    }

    /// Checks the answer to an admission.
    pub(crate) fn admitted(
        &mut self,
        now: Instant,
        wanted: &Wanted,
        name: &str,
        phase_before: Option<Phase>,
        result: &Result<Admission, AdmitError>,
    ) {
        let admission = wanted.serial;
        if admission == self.asked.len() {
            self.asked.push(wanted.asked.clone());
        }
        let newest = self.newest(name);
        match result {
            Ok(Admission::Started(id)) => {
                assert!(!self.closed, "a closed manager admits nothing");
                if let Some(newest) = newest {
                    let is_leaving = matches!(phase_before, None | Some(Phase::Draining | Phase::Evicting));
                    let newest = &self.downloads[newest];
                    assert!(is_leaving || newest.cancel_accepted, "a second download beside {newest:?}");
                }
                assert!(self.places.insert(*id, self.downloads.len()).is_none(), "{id:?} was used twice");
                self.asked[admission].download = Some(self.downloads.len());
                self.downloads.push(Watched::new(*id, name, wanted, now));
            }
            Ok(Admission::Joined(id)) => {
                let Some(newest) = newest.map(|at| &self.downloads[at]) else {
                    panic!("joined what is not there: {id:?}")
                };
                assert_eq!(newest.id, *id, "joined another download than the newest of that name");
                assert!(!newest.cancel_accepted, "joined a canceled download");
                assert!(!self.closed, "a closed manager admits nothing");
            }
            Err(AdmitError::Conflict { running }) => {
                let Some(newest) = newest.map(|at| &self.downloads[at]) else { panic!("a conflict with nobody") };
                assert_eq!(running.as_deref(), newest.checksum.as_ref());
                assert!(wanted.checksum.is_some() && wanted.checksum != newest.checksum, "no conflict with {newest:?}");
            }
            Err(AdmitError::Closed) => assert!(self.closed, "refused as closed, and is not"),
            Err(AdmitError::Directory(_)) => {
                assert!(self.setting.config.limit.is_some(), "refused for its directory without a limit");
                self.refused = true;
            }
            Err(other) => panic!("refused without a reason: {other}"),
        }
    }

    /// Checks the answer to a cancel, or to an interruption.
    pub(crate) fn canceled(&mut self, id: DownloadId, keeps: bool, result: Result<(), CancelError>) {
        let at = self.find(id);
        let download = &mut self.downloads[at];
        match result {
            Ok(()) => {
                download.keeps |= keeps;
                assert!(download.outcome.is_none(), "canceled what had ended: {download:?}");
                assert!(!download.rename_asked, "canceled while it was being published: {download:?}");
                download.cancel_accepted = true;
            }
            // Ended, be it that nobody was told yet.
            Err(CancelError::Unknown) => {}
            Err(CancelError::AlreadyPublishing) => {
                assert!(!download.cancel_accepted, "publishes although it was canceled: {download:?}");
            }
            Err(CancelError::AlreadyFailed) => {
                assert!(!download.cancel_accepted, "failed although it was canceled: {download:?}");
            }
            Err(other) => panic!("not canceled without a reason: {other}"),
        }
    }

    /// Notes that those of these downloads were canceled that could be: the core says how many, not which.
    pub(crate) fn canceled_matching(&mut self, matched: &[DownloadId], count: usize) {
        for id in matched {
            let at = self.find(*id);
            self.downloads[at].close_asked = true;
            self.downloads[at].cancel_accepted |= count == matched.len();
        }
    }

    pub(crate) fn close_asked(&mut self, keeps: bool) {
        self.closed = true;
        for download in self.downloads.iter_mut().filter(|download| download.outcome.is_none()) {
            download.close_asked = true;
            download.keeps |= keeps;
        }
    }

    /// Checks what the manager says of itself once all its outputs were taken.
    pub(crate) fn check_list(&self, manager: &Manager, report: &mut Report) {
        let mut listed = BTreeSet::new();
        for info in manager.downloads() {
            report.phase(info.phase);
            let download = &self.downloads[self.find(info.id)];
            assert!(download.outcome.is_none(), "ended, and still listed: {download:?}");
            assert_eq!(info.name.as_str(), download.name);
            assert!(listed.insert(info.id), "listed twice: {:?}", info.id);
            if let Some(total) = info.progress.total {
                assert!(info.progress.received <= total, "progress passes the total: {info:?}");
            }
        }
        for download in &self.downloads {
            let is_live = download.outcome.is_none();
            assert_eq!(listed.contains(&download.id), is_live, "live and listed differ: {download:?}");
            assert_eq!(manager.info(download.id).is_some(), is_live, "{download:?}");
        }
    }
}

impl Watched {
    fn new(id: DownloadId, name: &str, wanted: &Wanted, admitted_at: Instant) -> Self {
        Self {
            id,
            name: name.to_owned(),
            replaces: wanted.replaces,
            checksum: wanted.checksum,
            admitted_at,
            started_told: false,
            cancel_accepted: false,
            cancel_is_settled: false,
            close_asked: false,
            keeps: false,
            outcome: None,
            has_lane: false,
            rename_asked: false,
            renamed: None,
            name_was_taken: false,
            seen_lengths: BTreeSet::new(),
            seen_non_file: None,
            file_reasons: Vec::new(),
            net_reasons: Vec::new(),
            bodies: Vec::new(),
            progress: None,
            retry: None,
            had_room_made: false,
            attempts: 0,
        }
    }
}
