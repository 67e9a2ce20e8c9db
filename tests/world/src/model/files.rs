//! Rules about the directory: what may be asked of it, and how what stands in it may change.

use bytes::Bytes;
use dlmanager_core::{
    DeleteItem, Deleted, DownloadId, Expect, FaultKind, FileAction, FileId, FileKind, FileOp, Lane, OWNER_MARK,
    OpenMode, Outcome, PINS_FOLDER, Record, Resume, WORK_FOLDER,
};
use dlmanager_fs_memory::MemoryDirectory;

use super::{Model, Watched};
use crate::eviction::{RuledFile, removed_by_the_rule};
use crate::report::Report;
use crate::server::ServedReply;
use crate::told::{FileResult, Reason, Subject};

/// The name of a download's unfinished file or its record, up to the first dot.
fn stem(path: &str) -> Option<String> {
    let name = path.strip_prefix(".dlmanager/")?;
    let is_one = (name.ends_with(".part") || name.ends_with(".rec")) && !name.starts_with("owner.");
    is_one.then(|| name.split('.').next().unwrap_or(name).to_owned())
}

/// Whether other processes find an unfinished file of that name, so that its lock matters.
fn is_shared(path: &str) -> bool {
    path.ends_with(".part") && path.strip_prefix(".dlmanager/").is_some_and(|name| name.split('.').count() == 2)
}

fn is_unfinished(path: &str) -> bool {
    path.strip_prefix(WORK_FOLDER).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Model {
    /// A file action is asked for.
    pub(crate) fn file_asked(&mut self, action: &FileAction, directory: &MemoryDirectory) {
        match &action.op {
            FileOp::MakeDir { path, .. } => {
                let is_parent = self.setting.names.iter().any(|name| name.starts_with(&format!("{path}/")));
                assert!(path.as_str() == WORK_FOLDER || is_parent, "a folder that nobody needs: {path}");
            }
            FileOp::Scan { scan, entries_max, .. } => {
                assert!(*entries_max > 0);
                let closed = *self.files.entry(*scan).or_insert(false);
                assert!(!closed, "a scan goes on behind its end");
            }
            FileOp::Gauge { .. } => {}
            FileOp::Probe { path, .. } => assert!(is_unfinished(path.as_str()), "a probe at {path}"),
            FileOp::Open { file, path, mode, .. } => {
                let reads = *mode == OpenMode::Read;
                assert!(reads || path.as_str().starts_with(".dlmanager/"), "{path} is opened for writing");
                assert!(self.files.insert(*file, false).is_none(), "{file:?} was used twice");
                self.paths.insert(*file, path.to_string());
                if let Some(stem) = stem(path.as_str()) {
                    match self.lane_of.get(&action.lane) {
                        Some(at) => {
                            self.stem_of.insert(stem, *at);
                        }
                        None => {
                            if let Some(at) = self.stem_of.get(&stem) {
                                self.lane_of.insert(action.lane, *at);
                            }
                        }
                    }
                }
            }
            FileOp::Write { file, data, .. } => {
                assert_eq!(self.files.get(file), Some(&false), "a write to a file that is not open");
                assert!(data.iter().all(|piece| !piece.is_empty()) && !data.is_empty(), "a write of nothing");
            }
            FileOp::Read { file, .. }
            | FileOp::Truncate { file, .. }
            | FileOp::SetTimes { file, .. }
            | FileOp::Hash { file, .. }
            | FileOp::KeepDigests { file, .. }
            | FileOp::Sync { file, .. }
            | FileOp::Finish { file, .. }
            | FileOp::Lock { file, .. }
            | FileOp::Unlock { file, .. } => {
                assert_eq!(self.files.get(file), Some(&false), "{:?} of a file that is not open", action.op);
                let stem = self.paths.get(file).and_then(|path| stem(path));
                if let Some(at) = stem.and_then(|stem| self.stem_of.get(&stem)) {
                    self.lane_of.entry(action.lane).or_insert(*at);
                }
            }
            FileOp::Close { file, .. } => {
                let closed = self.files.insert(*file, true);
                assert_eq!(closed, Some(false), "{file:?} is closed without being open");
            }
            FileOp::Stat { path, .. } | FileOp::Touch { path, .. } => self.works_under(action.lane, path.as_str()),
            FileOp::SyncDir { .. } => {}
            FileOp::Rename { from, to, clobber, .. } => {
                assert!(from.as_str().starts_with(".dlmanager/"), "{from} gets another name");
                if to.as_str() == OWNER_MARK {
                    assert!(self.setting.config.limit.is_some() && !*clobber, "a mark that nothing calls for");
                    return;
                }
                self.works_under(action.lane, to.as_str());
                let Some(at) = self.lane_of.get(&action.lane).copied() else { panic!("nobody asked for {to}") };
                let download = &mut self.downloads[at];
                assert_eq!(download.name, to.as_str());
                assert!(!download.cancel_accepted, "published although it was canceled: {download:?}");
                assert_eq!(*clobber, download.replaces, "{download:?}");
                // What had the name may be gone again.
                let again = std::mem::take(&mut download.name_was_taken);
                assert!(!download.rename_asked || again, "two renames of one download: {download:?}");
                download.rename_asked = true;
            }
            FileOp::Delete { items, .. } => {
                assert!(!items.is_empty());
                items.iter().for_each(|item| self.check_deletion(item));
                self.check_victims(items, directory);
            }
        }
    }

    /// A file action is about to be done: what it changes is ours to change.
    pub(crate) fn file_done(&mut self, op: &FileOp, directory: &MemoryDirectory) {
        match op {
            FileOp::Write { file, .. } | FileOp::Truncate { file, .. } => {
                let Some(path) = self.paths.get(file).filter(|path| stem(path).is_some()) else { return };
                if is_shared(path) {
                    assert!(self.locked.contains(file), "{path} is written to without its lock");
                }
                // Where bytes are lost, the file is emptied before anything else is tried.
                if let FileOp::Truncate { length: 0, file, .. } = op
                    && !self.spoiled.contains(file)
                {
                    let record = path.replace(".part", ".rec");
                    assert!(directory.read(&record).is_none(), "{path} is cut, and its record still stands");
                }
            }
            FileOp::Delete { items, .. } => {
                for item in items {
                    let path = item.path.as_str();
                    let is_locked = |file: &FileId| self.paths.get(file).is_some_and(|own| own == path);
                    let is_ours = !is_shared(path) || self.locked.iter().any(is_locked);
                    // The deletion of what a dead process left takes the lock itself.
                    let takes_lock = matches!(item.expect, Expect::Unchanged { .. });
                    assert!(is_ours || takes_lock || stem(path).is_none(), "{path} is deleted without its lock");
                }
            }
            FileOp::Unlock { file, .. } | FileOp::Close { file, .. } => {
                self.locked.remove(file);
            }
            _ => {}
        }
    }

    /// The files whose data or name a flush is about.
    pub(crate) fn flushed_by(&self, op: &FileOp) -> Vec<FileId> {
        match op {
            FileOp::Sync { file, .. } => vec![*file],
            FileOp::SyncDir { path, .. } => {
                let part = path.as_str().replace(".rec", ".part");
                self.paths.iter().filter(|(_, path)| **path == part).map(|(file, _)| *file).collect()
            }
            _ => Vec::new(),
        }
    }

    /// They are not gone on with.
    pub(crate) fn flush_failed(&mut self, files: Vec<FileId>) {
        self.spoiled.extend(files);
    }

    /// The lock of a file was taken.
    pub(crate) fn lock_taken(&mut self, file: FileId) {
        self.locked.insert(file);
    }

    /// What is kept for a later run is a part of one version, and its record says which.
    pub(super) fn is_kept(&self, path: &str, directory: &MemoryDirectory) -> bool {
        let Some(at) = stem(path).and_then(|stem| self.stem_of.get(&stem).copied()) else { return false };
        let name = &self.downloads[at].name;
        let is_left = |download: &Watched| match download.outcome {
            Some(Outcome::Failed(_)) => true,
            // What is canceled goes, unless it is to be kept.
            Some(Outcome::Canceled) => download.keeps,
            Some(Outcome::Complete(_) | Outcome::Present { .. }) | None => false,
        };
        self.setting.config.resume == Resume::AcrossRuns
            && self.downloads.iter().any(|download| download.name == *name && is_left(download))
            && self.is_described(path, directory) == Some(true)
    }

    /// Whether an unfinished file is the beginning of the version that its record tells of; `None` where there are not both, or
    /// nothing to go on with: a record whose removal failed stays until the next unfinished file has its first bytes.
    fn is_described(&self, path: &str, directory: &MemoryDirectory) -> Option<bool> {
        let base = path.trim_end_matches(".part").trim_end_matches(".rec");
        let bytes = directory.read(&format!("{base}.part")).filter(|bytes| !bytes.is_empty())?;
        let record = Record::decode(&directory.read(&format!("{base}.rec"))?).ok()?;
        let is_of_it = |reply: &ServedReply| {
            let mut own = [&reply.etag, &reply.last_modified].into_iter().flatten();
            own.any(|own| *own == *record.validator.as_str()) && reply.whole.starts_with(&bytes)
        };
        let mut replies =
            self.past.iter().chain(self.exchanges.values()).filter_map(|exchange| exchange.reply.as_ref());
        Some(record.durable <= bytes.len() as u64 && replies.any(is_of_it))
    }

    /// Checks what a program that has died leaves, all of which may stay.
    pub(super) fn check_left(&mut self, directory: &MemoryDirectory, report: &mut Report) {
        for path in directory.list().into_keys().filter(|path| is_unfinished(path) && path != OWNER_MARK) {
            match self.is_described(&path, directory) {
                Some(is_right) => {
                    assert!(is_right, "{path} is not what its record says");
                    report.reached("left with a record");
                }
                None => report.reached("left without a record"),
            }
            self.litter.insert(path);
        }
    }

    /// Whether this may be left when all has ended.
    pub(crate) fn may_be_left(&self, path: &str, directory: &MemoryDirectory) -> bool {
        self.litter.contains(path) || self.is_kept(path, directory)
    }

    fn check_deletion(&self, item: &DeleteItem) {
        let path = item.path.as_str();
        if is_unfinished(path) {
            assert_ne!(path, OWNER_MARK, "the mark is deleted");
            assert!(!path.starts_with(PINS_FOLDER), "a pin is deleted");
            return;
        }
        let Some(limit) = &self.setting.config.limit else { panic!("{path} is deleted, and there is no limit") };
        assert!(limit.size_limit > 0 && limit.file_limit > 0, "{path} is deleted, and the limit is none");
        assert!(!self.setting.is_refused() || !self.is_undisturbed, "{path} is deleted in a stranger's directory");
        assert!(limit.pattern.matches(path), "{path} is deleted, and does not match the pattern");
        assert!(matches!(item.expect, Expect::Unchanged { .. }), "{path} is deleted unseen");
        assert!(!self.held.contains_key(path), "{path} is deleted although it is held");
        let is_new = |download: &&Watched| download.outcome.is_none() && download.renamed.is_some();
        let new = self.downloads.iter().filter(is_new).find(|download| download.name == path);
        assert!(new.is_none(), "what was just published is deleted: {new:?}");
    }

    /// Binds a lane to the download that works under a final name.
    fn works_under(&mut self, lane: Lane, path: &str) {
        if is_unfinished(path) || self.lane_of.contains_key(&lane) {
            return;
        }
        if let Some(at) = self.working(path) {
            self.downloads[at].has_lane = true;
            self.lane_of.insert(lane, at);
        }
    }

    /// A rename has happened: `bytes` now stand under the name.
    pub(crate) fn renamed(&mut self, lane: Lane, to: &str, clobber: bool, bytes: &[u8]) {
        if to == OWNER_MARK {
            assert!(!bytes.is_empty(), "an empty mark");
            return;
        }
        assert!(clobber || !self.visible.contains_key(to), "{to} was replaced");
        let Some(at) = self.lane_of.get(&lane).copied() else { panic!("{to} was published, and nobody works for it") };
        let Some(file) = self.file_given(at, bytes) else {
            panic!("published before the file was whole: {:?}", self.downloads[at])
        };
        assert!(*file == *bytes, "published {} bytes that are not the file's {}", bytes.len(), file.len());
        if let Some(Some(old)) = self.visible.insert(to.to_owned(), Some(file.clone())) {
            self.replaced.insert(to.to_owned(), old.len() as u64);
        }
        self.downloads[at].renamed = Some(file);
    }

    pub(crate) fn folder_made(&mut self, path: &str) {
        if !is_unfinished(path) {
            self.visible.insert(path.to_owned(), None);
        }
    }

    /// What is evicted is what the rule wants, as far as the core can know.
    fn check_victims(&self, items: &[DeleteItem], directory: &MemoryDirectory) {
        let Some(limit) = self.setting.config.limit.as_ref().filter(|_| self.is_undisturbed) else { return };
        let stands = |item: &&DeleteItem| match (directory.stat(item.path.as_str()), item.expect) {
            (Some(stat), Expect::Unchanged { length, accessed, modified }) => {
                (stat.length, stat.accessed, stat.modified) == (length, accessed, modified)
            }
            _ => false,
        };
        let visible: Vec<&DeleteItem> = items.iter().filter(|item| !is_unfinished(item.path.as_str())).collect();
        let names = |items: &[&DeleteItem]| items.iter().map(|item| item.path.to_string()).collect::<Vec<_>>();
        let asked = names(&visible);
        // What is not as expected stays, so that it does not matter whether the rule wants it.
        let victims = names(&visible.into_iter().filter(stands).collect::<Vec<_>>());
        if victims.is_empty() {
            return;
        }
        let mut files = self.ruled_files(directory, |path| {
            let is_live = self.downloads.iter().any(|download| download.outcome.is_none() && download.name == path);
            is_live && !asked.iter().any(|victim| victim == path)
        });
        for file in &mut files {
            // That a longer file was replaced may be news for the core.
            file.length = file.length.max(self.replaced.get(&file.path).copied().unwrap_or(0));
        }
        // Nor whether something is tried that is found to be newer than the core knew.
        let is_tried = |path: &&String| !asked.contains(path) || victims.contains(path);
        let is_right = |expected: &[String]| {
            let of_the_rest: Vec<String> = expected.iter().filter(is_tried).cloned().collect();
            of_the_rest.starts_with(&victims) || expected.starts_with(&asked)
        };
        let expected = removed_by_the_rule(limit.size_limit, limit.file_limit, &files);
        if is_right(&expected) {
            return;
        }
        // A pass that makes up for another one spares what that has spared.
        for file in files.iter_mut().filter(|file| self.passed_last.as_ref() == Some(&file.path)) {
            file.spared = !asked.contains(&file.path);
        }
        let again = removed_by_the_rule(limit.size_limit, limit.file_limit, &files);
        assert!(is_right(&again), "evicts {victims:?}, and the rule wants {expected:?} of {files:?}");
    }

    /// The files that the rule is about.
    pub(crate) fn ruled_files(&self, directory: &MemoryDirectory, spared: impl Fn(&str) -> bool) -> Vec<RuledFile> {
        let Some(limit) = &self.setting.config.limit else { return Vec::new() };
        let named = directory.list().into_iter().filter(|(path, kind)| {
            *kind == FileKind::Regular && !is_unfinished(path) && !path.starts_with('.') && limit.pattern.matches(path)
        });
        let ruled = named.filter_map(|(path, _)| {
            let stat = directory.stat(&path)?;
            let spared = spared(&path) || self.held.contains_key(&path);
            Some(RuledFile { path, accessed: stat.accessed.as_nanos(), length: stat.length, spared })
        });
        ruled.collect()
    }

    /// A name is held once less.
    pub(crate) fn released(&mut self, path: &str) {
        if let Some(count) = self.held.get_mut(path) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(path);
            }
        }
    }

    /// A deletion has happened.
    pub(crate) fn deleted(&mut self, item: &DeleteItem) {
        let path = item.path.to_string();
        if !is_unfinished(&path) {
            self.visible.remove(&path);
            *self.evictions.entry(path).or_default() += 1;
        }
    }

    /// A deletion was made to fail.
    pub(crate) fn deletion_failed(&mut self, item: &DeleteItem) {
        let path = item.path.to_string();
        if is_unfinished(&path) {
            self.litter.insert(path);
        } else {
            self.is_undisturbed = false;
        }
    }

    /// Somebody else changes what stands under a name: `None` takes it away, `Some(None)` puts a folder.
    pub(crate) fn stranger(&mut self, path: &str, puts: Option<Option<Bytes>>) {
        match puts {
            Some(body) => self.visible.insert(path.to_owned(), body),
            None => self.visible.remove(path),
        };
    }

    /// The visible names hold what they must, and nothing else stands there.
    pub(crate) fn check_visible(&self, directory: &MemoryDirectory) {
        let mut seen = 0;
        for (path, kind) in directory.list() {
            if is_unfinished(&path) {
                continue;
            }
            seen += 1;
            match (self.visible.get(&path), kind) {
                (Some(Some(bytes)), FileKind::Regular) => {
                    assert!(directory.read(&path).is_some_and(|found| found == *bytes), "{path} has other bytes");
                }
                (Some(None), FileKind::Folder) => {}
                (expected, _) => panic!("{path} is {kind:?}, and should be {expected:?}"),
            }
        }
        assert_eq!(seen, self.visible.len(), "something is gone: {:?} of {:?}", directory.list(), self.visible.keys());
    }

    /// The core was told that a file was evicted: who saw it before saw what is no more.
    pub(crate) fn eviction_told(&mut self, path: &str, is_live: impl Fn(DownloadId) -> bool) {
        if self.visible.contains_key(path) {
            // It stands there again.
            return;
        }
        for download in self.downloads.iter_mut().filter(|download| download.name == path && is_live(download.id)) {
            download.seen_lengths.clear();
        }
    }

    /// The core was told how a file action went.
    pub(crate) fn file_told(&mut self, lane: Lane, subject: &Subject, result: &FileResult) {
        if let (Subject::Delete(items), Some(Reason::Fault(FaultKind::Skipped))) = (subject, result.reason()) {
            // Something before it failed: the lock, or the removal of its record.
            self.litter.extend(items.iter().map(|item| item.path.to_string()));
        }
        if let (Subject::Open { path, .. }, Some(Reason::Aborted)) = (subject, result.reason())
            && is_shared(path)
        {
            // It may hold what an earlier run left, so who is interrupted leaves it.
            self.litter.insert(path.clone());
        }
        if let (Subject::Lock(path), Some(reason)) = (subject, result.reason())
            && reason != Reason::Fault(FaultKind::Skipped)
        {
            // Without its lock nobody may remove it.
            self.litter.insert(path.clone());
        }
        if let (Subject::SyncDir(path), Some(_)) = (subject, result.reason())
            && let Some(record) = path.strip_suffix(".rec")
        {
            // It stays where the removal of its record is not flushed.
            self.litter.insert(format!("{record}.part"));
        }
        let Some(at) = self.lane_of.get(&lane).copied() else { return };
        let download = &mut self.downloads[at];
        if let Some(reason) = result.reason() {
            // Without that look the core does not know the stamps of what it has published.
            self.is_undisturbed &= !matches!(subject, Subject::Stat(path) if *path == download.name);
            if reason != Reason::Fault(FaultKind::Skipped) {
                download.file_reasons.push(reason);
            }
            if reason == Reason::Fault(FaultKind::NoSpace) {
                // Room is made first.
                download.retry = None;
            }
            match (subject, reason) {
                (Subject::Rename { .. }, Reason::Fault(FaultKind::Exists)) => {
                    download.name_was_taken = true;
                    // What has the name is looked at as if it had been there from the first.
                    download.rename_asked &= download.checksum.is_none();
                }
                // It was never tried, so the commit point is ahead again.
                (Subject::Rename { .. }, Reason::Fault(FaultKind::Skipped)) => download.rename_asked = false,
                _ => {}
            }
        }
        if let (Subject::Stat(path), FileResult::Stood(Some(stat))) = (subject, result)
            && *path == download.name
        {
            match result.regular_length() {
                Some(length) => {
                    download.seen_lengths.insert(length);
                }
                None => download.seen_non_file = Some(stat.kind),
            }
        }
    }
}

/// Whether the answer says that an item was deleted.
pub(crate) fn says_deleted(result: &Deleted) -> bool {
    matches!(result, Deleted::Deleted)
}
