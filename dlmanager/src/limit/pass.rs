//! One pass over the files that are registered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dlmanager_core::{self as core, DeleteItem, Deleted, Fault, FaultKind, Kept, StorePath, Unmet};
use dlmanager_fs::Directory;

use super::{File, PersistLimit};
use crate::Swept;

/// Files that are removed before the rule is asked for the next.
const BATCH: usize = 64;
/// While another process evicts it is tried again after this time, ...
const PAUSE: Duration = Duration::from_millis(50);
/// ... and for so long, in all of a pass.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Files that took longer to remove kept others waiting, ...
const SLOW: Duration = Duration::from_millis(20);
/// ... who then have their turn for so long.
const REST: Duration = Duration::from_millis(30);

pub(super) fn remove_old_files(limit: &mut PersistLimit) -> Swept {
    let mut pass = Pass::new(limit);
    while pass.remove_batch() {}
    let unmet = if pass.rule.is_exceeded() {
        Some(if pass.is_given_up { Unmet::Locked } else { Unmet::InUse })
    } else {
        pass.rule.is_unmet().then_some(Unmet::FileLimit)
    };
    let (failures, kept) = (pass.failures, pass.kept);
    Swept { usage: limit.usage(), unmet, failures, kept }
}

struct Pass<'a> {
    limit: &'a mut PersistLimit,
    /// Knows each file by a key of `files`.
    rule: core::PersistLimit,
    files: BTreeMap<StorePath, File>,
    /// What this pass leaves alone.
    aside: BTreeSet<StorePath>,
    /// Files found changed once: the second time they are left alone.
    changed: BTreeSet<StorePath>,
    failures: Vec<(PathBuf, Fault)>,
    kept: Vec<(PathBuf, Kept)>,
    /// How long it was waited for other processes, which evict.
    waited: Duration,
    /// They did so for too long.
    is_given_up: bool,
    /// All files are in one folder.
    is_one_folder: bool,
    /// The folder that was worked in last.
    folder: Option<(Arc<Path>, Directory)>,
}

/// What became of a victim.
enum Removal {
    Deleted,
    /// Somebody else has removed it.
    Gone,
    /// It changed, and has its new place in the order.
    Renewed,
    Kept(Kept),
    Failed(Fault),
    /// Another process evicts, and does not end.
    GivenUp,
}

impl<'a> Pass<'a> {
    fn new(limit: &'a mut PersistLimit) -> Self {
        let (rule, files) = rule(limit);
        let (aside, changed) = (BTreeSet::new(), BTreeSet::new());
        let (waited, is_given_up) = (Duration::ZERO, false);
        let (failures, kept) = (Vec::new(), Vec::new());
        let mut folders = files.values().map(|file: &File| &file.folder);
        let first = folders.next();
        let is_one_folder = folders.all(|folder| Some(folder) == first);
        let folder = None;
        Self { limit, rule, files, aside, changed, failures, kept, waited, is_given_up, is_one_folder, folder }
    }

    /// Returns whether there may be more to go.
    fn remove_batch(&mut self) -> bool {
        let began = Instant::now();
        let victims = self.rule.victims(BATCH, |key| self.aside.contains(key));
        for victim in &victims {
            let Some(file) = self.files.get(&victim.path).cloned() else { continue };
            match self.remove(victim, &file) {
                Removal::GivenUp => {
                    self.is_given_up = true;
                    return false;
                }
                // Of several folders each may lie on a disk of its own.
                Removal::Deleted if self.is_one_folder => {
                    self.rule.deleted(&victim.path);
                    self.limit.register(file, None);
                }
                Removal::Deleted | Removal::Gone => {
                    self.rule.forget(&victim.path);
                    self.limit.register(file, None);
                }
                // Those behind it have to go all the more.
                Removal::Renewed => {}
                Removal::Kept(why) => {
                    self.aside.insert(victim.path.clone());
                    self.kept.push((file.path(), why));
                }
                Removal::Failed(fault) => {
                    self.aside.insert(victim.path.clone());
                    self.failures.push((file.path(), fault));
                }
            }
        }
        // What is free has changed.
        if self.limit.bounds.free_bytes_min > 0 && !victims.is_empty() {
            look_at_disk(&mut self.rule, &self.files);
        }
        if began.elapsed() > SLOW && self.rule.is_exceeded() {
            thread::sleep(REST);
        }
        !victims.is_empty()
    }

    fn remove(&mut self, victim: &DeleteItem, file: &File) -> Removal {
        let directory = match self.open(&file.folder) {
            Ok(directory) => directory,
            Err(fault) if fault.kind() == FaultKind::NotFound => return Removal::Gone,
            Err(fault) => return Removal::Failed(fault),
        };
        let item = DeleteItem { path: file.name.clone(), expect: victim.expect };
        let mut deleted = directory.delete(&item);
        while deleted == Deleted::Locked && self.waited < WAIT_MAX {
            thread::sleep(PAUSE);
            self.waited += PAUSE;
            deleted = directory.delete(&item);
        }
        match deleted {
            Deleted::Locked => Removal::GivenUp,
            Deleted::Deleted => Removal::Deleted,
            Deleted::Gone => Removal::Gone,
            Deleted::Busy => Removal::Kept(Kept::InUse),
            Deleted::Pinned => Removal::Kept(Kept::Pinned),
            Deleted::Denied(fault) => Removal::Failed(fault),
            Deleted::Changed if !self.changed.insert(victim.path.clone()) => Removal::Kept(Kept::Changed),
            Deleted::Changed => match directory.stat(&file.name) {
                Ok(Some(stat)) if self.limit.register(file.clone(), Some(&stat)) => {
                    self.rule.register(victim.path.clone(), &stat);
                    Removal::Renewed
                }
                // Nothing that counts stands there.
                Ok(_) => Removal::Gone,
                Err(fault) => Removal::Failed(fault),
            },
        }
    }

    fn open(&mut self, folder: &Arc<Path>) -> Result<Directory, Fault> {
        if let Some((path, directory)) = &self.folder
            && path == folder
        {
            return Ok(directory.clone());
        }
        let directory = Directory::open(folder)?;
        self.folder = Some((Arc::clone(folder), directory.clone()));
        Ok(directory)
    }
}

/// The rule with all that is registered, and the files that its keys stand for: each by its rank among all names, so that
/// equals go in the order of their names.
pub(super) fn rule(limit: &PersistLimit) -> (core::PersistLimit, BTreeMap<StorePath, File>) {
    let mut rule = core::PersistLimit::new(limit.size_limit, limit.file_limit).with_bounds(limit.bounds);
    let mut files = BTreeMap::new();
    if rule.is_bounded() {
        for (rank, (file, stat)) in limit.files.iter().enumerate() {
            if let Some(key) = StorePath::entry(&format!("{rank:020}")) {
                rule.register(key.clone(), stat);
                files.insert(key, file.clone());
            }
        }
    }
    look_at_disk(&mut rule, &files);
    (rule, files)
}

/// Tells the rule of the clock, and of what is free: where the files lie on several file systems, of the fullest.
fn look_at_disk(rule: &mut core::PersistLimit, files: &BTreeMap<StorePath, File>) {
    if !rule.needs_gauge() && !rule.is_exceeded() {
        return;
    }
    let folders: BTreeSet<&Path> = files.values().map(|file| &*file.folder).collect();
    let gauges = folders.iter().filter_map(|folder| Directory::open(folder).ok()?.gauge().ok());
    if let Some(gauge) = gauges.min_by_key(|gauge| gauge.free_bytes.unwrap_or(u64::MAX)) {
        rule.set_gauge(gauge);
    }
}
