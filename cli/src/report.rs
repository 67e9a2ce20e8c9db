//! What is told of downloads while they run: to people on standard error, to programs on standard output.

mod bars;
mod json;
mod plain;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use dlmanager::{
    Digest, DownloadError, DownloadId, DownloadedFile, Error, FaultKind, FileName, FileStep, Kept, Notice, Progress,
    Published, Subject, Unmet, Warning, Why,
};

use crate::args::Bounds;
use crate::out::Out;
use crate::text;

use self::bars::Bars;
use self::plain::Plain;

/// What goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// What happens, one JSON object a line.
    Json,
    /// The paths of files that are there, where it is not a terminal.
    Paths,
    /// Nothing.
    Nothing,
}

/// Tells what happens.
pub(crate) struct Report {
    view: Box<dyn View>,
    quiet: bool,
    /// It is told why a file is evicted.
    explains: bool,
    /// The options whose bounds may be exceeded.
    bounds: &'static str,
    /// They are not what was asked for in the first place: where one is exceeded, nothing has failed.
    bounds_are_aside: bool,
    output: Output,
    out: Out,
    /// When the first bytes of a download were expected.
    begun: BTreeMap<DownloadId, Instant>,
    /// The checksums that were asked for, of downloads that have not ended.
    asked: BTreeMap<DownloadId, Digest>,
    /// The files that were told to be there, and were not evicted since.
    there: BTreeSet<FileName>,
    tally: Tally,
    /// The last pass had to leave the bound exceeded, for files that were in use.
    is_in_use: bool,
}

/// How many downloads ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) fetched: usize,
    pub(crate) present: usize,
    pub(crate) failed: usize,
    pub(crate) canceled: usize,
    pub(crate) fetched_bytes: u64,
    /// Those of the files that were fetched or there already which were evicted afterwards.
    pub(crate) evicted: usize,
}

/// What people see of downloads that run.
trait View {
    /// How far a download is.
    fn progress(&mut self, id: DownloadId, name: &str, progress: &Progress);
    /// An attempt failed, and another follows.
    fn retrying(&mut self, id: DownloadId, name: &str, delay: Duration, cause: &str);
    /// A download ended.
    fn ended(&mut self, id: DownloadId, there: bool);
    /// Shows a line that stays.
    fn line(&mut self, line: &str);
    /// Nothing more will come.
    fn close(&mut self);
}

impl Report {
    /// For so many downloads.
    pub(crate) fn new(output: Output, quiet: bool, downloads: usize) -> Self {
        // Bars and lines on the same terminal would garble each other.
        let json_on_terminal = output == Output::Json && io::stdout().is_terminal();
        let capable = io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let quiet = quiet || json_on_terminal;
        let view: Box<dyn View> =
            if capable && !quiet { Box::new(Bars::new(downloads)) } else { Box::new(Plain::new(quiet)) };
        let output = if output == Output::Paths && io::stdout().is_terminal() { Output::Nothing } else { output };
        Self {
            view,
            quiet,
            explains: false,
            bounds: "--size-limit",
            bounds_are_aside: false,
            output,
            out: Out::held(),
            begun: BTreeMap::new(),
            asked: BTreeMap::new(),
            there: BTreeSet::new(),
            tally: Tally::default(),
            is_in_use: false,
        }
    }

    /// A download has news; its end is told by [`finished`](Self::finished).
    pub(crate) fn news(&mut self, download: &Subject, notice: &Notice) {
        if self.output == Output::Json
            && let Some(object) = json::news(download, notice)
        {
            self.out.json(&object);
        }
        match notice {
            Notice::Progress { .. } if self.quiet => {}
            Notice::Progress { id, progress } => {
                self.begun.entry(*id).or_insert_with(Instant::now);
                self.view.progress(*id, download.name.as_str(), progress);
            }
            Notice::Retrying { id, attempt, delay, cause } => {
                let cause = format!("attempt {attempt} failed, the next in {}: {cause}", text::duration(*delay));
                self.view.retrying(*id, download.name.as_str(), *delay, &cause);
            }
            Notice::Locked { .. } => {
                self.note(&format!("{}: another download keeps its lock, which is waited for", download.name));
            }
            _ => {}
        }
    }

    /// The file of a download has to have this digest: who said so is told where it has another.
    pub(crate) fn asked(&mut self, id: DownloadId, checksum: Digest) {
        self.asked.insert(id, checksum);
    }

    /// A download ended.
    pub(crate) fn finished(&mut self, download: &Subject, result: &Result<DownloadedFile, Error>) {
        if self.output == Output::Json {
            self.out.json(&json::finished(download, result));
        }
        let begun = self.begun.remove(&download.id);
        let asked = self.asked.remove(&download.id);
        self.view.ended(download.id, result.is_ok());
        let name = &download.name;
        match result {
            Ok(file) => {
                self.file(name.as_str(), file, begun);
                self.there.insert(name.clone());
                if self.output == Output::Paths {
                    self.out.path(&file.path);
                }
            }
            Err(Error::Canceled) => {
                self.tally.canceled += 1;
                self.note(&format!("{name}: canceled"));
            }
            Err(error) => {
                self.tally.failed += 1;
                let url = text::shortened(download.url.as_str());
                self.error(&format!("{name}: {} ({url})", error_text(error, name, asked)));
            }
        }
    }

    fn file(&mut self, name: &str, file: &DownloadedFile, begun: Option<Instant>) {
        if file.is_present() {
            self.tally.present += 1;
            return self.note(&format!("{name}: there already, {}", text::bytes(file.length)));
        }
        self.tally.fetched += 1;
        self.tally.fetched_bytes = self.tally.fetched_bytes.saturating_add(file.length);
        if self.quiet {
            // Nothing of what follows would be seen.
            return;
        }
        let took = begun.map(|begun| format!(" in {}", text::duration(begun.elapsed()))).unwrap_or_default();
        let digests: Vec<_> = file.digests.iter().map(|digest| digest.algorithm().name()).collect();
        let verified = if digests.is_empty() { String::new() } else { format!(", {} verified", digests.join(" and ")) };
        let length = text::bytes(file.length);
        self.note(&format!("{name}: fetched, {length}{took}{verified}"));
        if file.length_unverified {
            self.warning(&format!("{name}: nothing said how long the file is, so it may have been cut short"));
        }
        if let Some(coding) = &file.content_encoding {
            self.warning(&format!("{name}: the server sent it in the coding {coding:?}, and it is stored like that"));
        }
    }

    /// The directory has news.
    pub(crate) fn directory(&mut self, directory: &Path, notice: &Notice) {
        match notice {
            Notice::Evicted { path, length, why } => {
                self.tally.evicted += usize::from(self.there.remove(path.as_str()));
                self.evicted(directory, path.as_str(), *length, *why, false);
            }
            // What may not be removed is warned of.
            Notice::Kept { why: Kept::Denied, .. } => {}
            Notice::Kept { path, length, why } => self.kept(directory, path.as_str(), *length, *why),
            Notice::EvictionWaits => {
                if self.output == Output::Json {
                    self.out.json(&json::waiting_to_evict(directory));
                }
                self.note("another process is evicting in the directory, which is waited for");
            }
            Notice::Swept { unmet, .. } => {
                // What is in use now, as an outcome that was not looked at yet, may not be in a moment.
                self.is_in_use = *unmet == Some(Unmet::InUse);
                if let Some(unmet) = unmet.filter(|unmet| *unmet != Unmet::InUse) {
                    self.unmet(unmet);
                }
            }
            Notice::Warning(warning) => self.warning(&warning_text(warning)),
            _ => {}
        }
    }

    /// A file was evicted, or would be.
    pub(crate) fn evicted(&mut self, directory: &Path, name: &str, length: u64, why: Why, dry_run: bool) {
        if self.output == Output::Json {
            self.out.json(&json::evicted(directory, name, length, why, dry_run));
        }
        let what = if dry_run { "would be evicted" } else { "evicted" };
        let because = if self.explains { format!(": {why}") } else { String::new() };
        self.note(&format!("{name}: {what}, {}{because}", text::bytes(length)));
    }

    /// A file stays that should have gone, or of which it was asked why it stays.
    pub(crate) fn kept(&mut self, directory: &Path, name: &str, length: u64, why: Kept) {
        if self.output == Output::Json {
            self.out.json(&json::kept(directory, name, length, why));
        }
        self.note(&format!("{name}: kept, {}: {why}", text::bytes(length)));
    }

    /// The options that bound the directory, where there are others than that of its size.
    pub(crate) const fn bounds(&mut self, has_size: bool, bounds: &Bounds) {
        self.bounds = match (has_size, bounds.max_age.is_some(), bounds.min_free.is_some()) {
            (false, true, false) => "--max-age",
            (false, false, true) => "--min-free",
            (false, true, true) => "--max-age or --min-free",
            (true, true, false) => "--size-limit or --max-age",
            (true, false, true) => "--size-limit or --min-free",
            (true, true, true) => "--size-limit, --max-age or --min-free",
            (_, false, false) => "--size-limit",
        };
    }

    /// From now on it is only a warning where the bounds are exceeded.
    pub(crate) const fn bounds_are_aside(&mut self) {
        self.bounds_are_aside = true;
    }

    /// From now on it is told why a file is evicted.
    pub(crate) const fn explain(&mut self, explains: bool) {
        self.explains = explains;
    }

    /// A bound is exceeded.
    pub(crate) fn unmet(&mut self, unmet: Unmet) {
        let why = match unmet {
            Unmet::FileLimit => "--file-limit keeps the files that are left",
            Unmet::InUse => "files that should go are in use or pinned, or cannot be removed",
            Unmet::Locked => "another process keeps others from evicting in the directory",
            Unmet::NotScanned => "the directory could not be read to its end, so nothing is evicted",
        };
        let line = match unmet {
            Unmet::NotScanned => why.to_owned(),
            Unmet::FileLimit | Unmet::InUse | Unmet::Locked => format!("{} is exceeded: {why}", self.bounds),
        };
        if self.bounds_are_aside || unmet == Unmet::FileLimit { self.warning(&line) } else { self.error(&line) }
    }

    /// Something worth knowing.
    pub(crate) fn note(&mut self, line: &str) {
        if !self.quiet {
            self.view.line(line);
        }
    }

    pub(crate) fn warning(&mut self, line: &str) {
        self.note(&format!("warning: {line}"));
    }

    /// Something that is said whatever is wanted.
    pub(crate) fn error(&mut self, line: &str) {
        self.view.line(&format!("error: {line}"));
    }

    /// Writes what is held for programs, as nothing is to be told for now.
    pub(crate) fn flush(&mut self) {
        self.out.flush();
    }

    pub(crate) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Nothing more is evicted: what was left because it was in use is told.
    pub(crate) fn evicted_all(&mut self) {
        if std::mem::take(&mut self.is_in_use) {
            self.unmet(Unmet::InUse);
        }
    }

    /// Nothing more will come. Returns whether all that was told to programs was written.
    pub(crate) fn finish(mut self) -> bool {
        self.view.close();
        match std::mem::take(&mut self.out).finish() {
            Ok(()) => true,
            Err(error) => {
                self.error(&format!("cannot write to standard output: {error}"));
                false
            }
        }
    }
}

/// The error, and what can be done about it. `asked` is the checksum that was asked for.
fn error_text(error: &Error, name: &FileName, asked: Option<Digest>) -> String {
    match error {
        Error::Failed(DownloadError::ChecksumMismatch { expected, actual }) if asked == Some(**expected) => format!(
            "what was fetched is {actual}, not {expected}, and was dropped: either the checksum is that of another file \
             or version, or the server's copy is not what it should be"
        ),
        Error::Failed(DownloadError::ChecksumMismatch { expected, actual }) => format!(
            "what was fetched is {actual}, not {expected} as the server itself said, and was dropped: the server's copy is \
             not what it should be, or was changed on the way"
        ),
        Error::Failed(DownloadError::Name(error)) => format!(
            "it gets no name that can be used: {error} (to name the file yourself: --output NAME, or a name after its URL in \
             --input-file)"
        ),
        Error::Failed(error) if name.as_str().contains('/') && is_no_folder(error) => {
            "a part of its path is a file, or a symbolic link, which is not followed: choose another name, or make room for \
             a folder"
                .into()
        }
        Error::Failed(DownloadError::PresentMismatch { expected, actual, .. }) => format!(
            "the file that is there is {actual}, not {expected}, and is left as it is: say --if-present replace to have it \
             replaced, or remove it"
        ),
        error => error.to_string(),
    }
}

/// Something else than a folder stands on the way to the file.
fn is_no_folder(error: &DownloadError) -> bool {
    let (DownloadError::File { step: FileStep::Look | FileStep::Folder, fault }
    | DownloadError::Publish { fault, published: Published::No }) = error
    else {
        return false;
    };
    fault.kind() == FaultKind::WrongType
}

fn warning_text(warning: &Warning) -> String {
    match warning {
        Warning::Litter { path, fault } => format!("cannot remove the unfinished file {path}: {fault}"),
        Warning::NotEvicted { path, fault } => format!("cannot evict {path}: {fault}"),
        Warning::NotTouched { name, fault } => format!("cannot stamp {name} as accessed: {fault}"),
        Warning::NotScanned(fault) => format!("cannot read the directory, so it is not bounded: {fault}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use dlmanager::core::{Config, Instant, Manager, Request};

    use super::*;

    /// Identifiers of so many downloads.
    pub(super) fn ids(count: usize) -> Vec<DownloadId> {
        let mut core = Manager::new(Config::default(), 0);
        let request = |at| Request::new(&format!("http://localhost/{at}")).unwrap();
        (0..count).map(|at| core.download(Instant::ZERO, request(at)).unwrap().id()).collect()
    }
}
