//! Rules about the directory: what may be asked of it, and how what stands in it may change.

use bytes::Bytes;
use dlmanager_core::{
    DeleteItem, Deleted, DownloadId, Expect, FaultKind, FileAction, FileKind, FileOp, Lane, OWNER_MARK, WORK_FOLDER,
};
use dlmanager_fs_memory::MemoryDirectory;

use super::Model;
use crate::eviction::{RuledFile, removed_by_the_rule};
use crate::told::{FileResult, Reason, Subject};

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
            FileOp::Open { file, path, .. } => {
                assert!(path.as_str().starts_with(".dlmanager/"), "{path} is opened for writing");
                assert!(self.files.insert(*file, false).is_none(), "{file:?} was used twice");
            }
            FileOp::Write { file, data, .. } => {
                assert_eq!(self.files.get(file), Some(&false), "a write to a file that is not open");
                assert!(data.iter().all(|piece| !piece.is_empty()) && !data.is_empty(), "a write of nothing");
            }
            FileOp::Read { file, .. }
            | FileOp::Truncate { file, .. }
            | FileOp::SetTimes { file, .. }
            | FileOp::Hash { file, .. }
            | FileOp::Sync { file, .. }
            | FileOp::Finish { file, .. }
            | FileOp::Lock { file, .. }
            | FileOp::Unlock { file, .. } => {
                assert_eq!(self.files.get(file), Some(&false), "{:?} of a file that is not open", action.op);
            }
            FileOp::Close { file, .. } => {
                let closed = self.files.insert(*file, true);
                assert_eq!(closed, Some(false), "{file:?} is closed without being open");
            }
            FileOp::Stat { path, .. } | FileOp::Touch { path, .. } => self.works_under(action.lane, path.as_str()),
            FileOp::Probe { .. } | FileOp::SyncDir { .. } => {}
            FileOp::Rename { from, to, clobber, .. } => {
                assert!(from.as_str().starts_with(".dlmanager/"), "{from} gets another name");
                if to.as_str() == OWNER_MARK {
                    assert!(self.setting.config.limit.is_some() && !*clobber, "a mark that nothing calls for");
                    return;
                }
                if to.as_str() == OWNER_MARK {
                    // The mark may get its name as files do.
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

    fn check_deletion(&self, item: &DeleteItem) {
        let path = item.path.as_str();
        if is_unfinished(path) {
            assert_ne!(path, OWNER_MARK, "the mark is deleted");
            return;
        }
        let Some(limit) = &self.setting.config.limit else { panic!("{path} is deleted, and there is no limit") };
        assert!(limit.size_limit > 0 && limit.file_limit > 0, "{path} is deleted, and the limit is none");
        assert!(!self.setting.is_refused() || !self.is_undisturbed, "{path} is deleted in a stranger's directory");
        assert!(limit.pattern.matches(path), "{path} is deleted, and does not match the pattern");
        assert!(matches!(item.expect, Expect::Unchanged { .. }), "{path} is deleted unseen");
        let is_new = |download: &&super::Watched| download.outcome.is_none() && download.renamed.is_some();
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
        if to == OWNER_MARK {
            return;
        }
        assert!(clobber || !self.visible.contains_key(to), "{to} was replaced");
        let Some(at) = self.lane_of.get(&lane).copied() else { panic!("{to} was published, and nobody works for it") };
        let Some((file, _)) = self.file_given(at) else {
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
        let expected = removed_by_the_rule(limit.size_limit, limit.file_limit, &files);
        // Nor whether something is tried that is found to be newer than the core knew.
        let is_tried = |path: &&String| !asked.contains(path) || victims.contains(path);
        let expected_of_the_rest: Vec<String> = expected.iter().filter(is_tried).cloned().collect();
        let is_right = expected_of_the_rest.starts_with(&victims) || expected.starts_with(&asked);
        assert!(is_right, "evicts {victims:?}, and the rule wants {expected:?} of {files:?}");
    }

    /// The files that the rule is about.
    pub(crate) fn ruled_files(&self, directory: &MemoryDirectory, spared: impl Fn(&str) -> bool) -> Vec<RuledFile> {
        let Some(limit) = &self.setting.config.limit else { return Vec::new() };
        let named = directory.list().into_iter().filter(|(path, kind)| {
            *kind == FileKind::Regular && !is_unfinished(path) && !path.starts_with('.') && limit.pattern.matches(path)
        });
        let ruled = named.filter_map(|(path, _)| {
            let stat = directory.stat(&path)?;
            let spared = spared(&path);
            Some(RuledFile { path, accessed: stat.accessed.as_nanos(), length: stat.length, spared })
        });
        ruled.collect()
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
        let Some(at) = self.lane_of.get(&lane).copied() else { return };
        let download = &mut self.downloads[at];
        if let Some(reason) = result.reason() {
            // Without that look the core does not know the stamps of what it has published.
            self.is_undisturbed &= !matches!(subject, Subject::Stat(path) if *path == download.name);
            if reason != Reason::Fault(FaultKind::Skipped) {
                download.file_reasons.push(reason);
            }
            match (subject, reason) {
                (Subject::Rename { .. }, Reason::Fault(FaultKind::Exists)) => download.name_was_taken = true,
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
