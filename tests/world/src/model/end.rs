//! What must be true when a manager is drained.

use dlmanager_core::{OWNER_MARK, WORK_FOLDER};
use dlmanager_fs_memory::MemoryDirectory;

use super::Model;
use crate::eviction::removed_by_the_rule;
use crate::report::Report;

impl Model {
    /// Whether every download has ended.
    pub(crate) fn all_ended(&self) -> bool {
        self.downloads.iter().all(|download| download.outcome.is_some())
    }

    /// Checks what is left. `is_faultless`: no file action was made to fail.
    pub(crate) fn check_end(&self, directory: &MemoryDirectory, is_faultless: bool, report: &mut Report) {
        for download in &self.downloads {
            assert!(download.outcome.is_some() && download.started_told, "never ended: {download:?}");
        }
        for (body, exchange) in &self.exchanges {
            assert!(exchange.drop_asked && exchange.drop_told, "{body:?} was never ended: {exchange:?}");
            assert_eq!(exchange.bytes_held(), 0, "bytes of {body:?} are still held");
        }
        for (file, closed) in &self.files {
            assert!(closed, "{file:?} was never closed");
        }
        assert_eq!(directory.open_handles(), 0, "a file stays open");
        self.check_visible(directory);
        let left: Vec<String> = directory.list().into_keys().filter(|path| path.starts_with(WORK_FOLDER)).collect();
        let is_owned = self.setting.config.limit.is_some();
        if left.iter().any(|path| self.is_kept(path, directory)) {
            report.reached("kept");
        }
        for path in &left {
            // A directory that was refused is not marked by the way.
            let may_be_marked = self.setting.is_marked || (is_owned && !self.refused) || self.mark_may_stand;
            let is_mark = path == OWNER_MARK && may_be_marked;
            assert!(is_mark || path == WORK_FOLDER || self.may_be_left(path, directory), "{path} is left behind");
        }
        if is_faultless && left == [WORK_FOLDER] {
            panic!("the work folder is left behind, empty");
        }
    }

    /// Checks that the limit holds when everything has ended, by itself: the end of each download brings a pass, unless its
    /// file was present, and spares what was published just then.
    pub(crate) fn check_limit_by_itself(&self, directory: &MemoryDirectory) -> bool {
        let Some(limit) = self.setting.config.limit.as_ref().filter(|_| !self.refused) else { return false };
        let Some(last) = &self.ended_last else { return false };
        let files = self.ruled_files(directory, |path| path == last);
        let excess = removed_by_the_rule(limit.size_limit, limit.file_limit, &files);
        assert!(excess.is_empty(), "all has ended, and the rule still wants {excess:?} of {files:?}");
        true
    }

    /// Checks that the limit holds, after a pass that nothing hindered.
    pub(crate) fn check_limit(&self, directory: &MemoryDirectory) {
        let Some(limit) = self.setting.config.limit.as_ref().filter(|_| !self.refused) else { return };
        let files = self.ruled_files(directory, |_| false);
        let excess = removed_by_the_rule(limit.size_limit, limit.file_limit, &files);
        assert!(excess.is_empty(), "the rule still wants {excess:?} of {files:?}");
        if limit.size_limit > 0 && limit.file_limit > 0 {
            let total = files.iter().map(|file| file.length).sum();
            assert_eq!(self.swept, Some((files.len() as u64, total)), "what the last pass said of {files:?}");
        }
        for (path, done) in &self.evictions {
            assert_eq!(self.evicted_told.get(path), Some(done), "evictions of {path} that were told");
        }
    }
}
