//! `dlmanager evict`

use std::time::{SystemTime, UNIX_EPOCH};

use dlmanager::core::{self, FileKind, FileStat, Stamp};
use dlmanager::{DownloadManager, Event, Pattern, PersistLimit, StorePath, Unmet};

use crate::args::EvictArgs;
use crate::directory;
use crate::exit::Exit;
use crate::misuse::Misuse;
use crate::open::{existing, not_ours, open};
use crate::report::{Output, Report};
use crate::text;

pub(crate) fn evict(args: &EvictArgs) -> Result<Exit, Misuse> {
    existing(&args.dir)?;
    let mut report = Report::new(if args.json { Output::Json } else { Output::Nothing }, args.quiet, 0);
    let bounded = if args.dry_run { foretell(args, &mut report)? } else { sweep(args, &mut report)? };
    let told = report.finish();
    Ok(if bounded && told { Exit::Success } else { Exit::Failure })
}

/// Removes what has to go. Returns whether the bounds hold, or the number of files to keep is all that keeps them from it.
fn sweep(args: &EvictArgs, report: &mut Report) -> Result<bool, Misuse> {
    let limit = PersistLimit::new(args.size_limit, args.file_limit);
    let builder = DownloadManager::builder(&args.dir).persist_limit(limit).pattern(&args.pattern).adopt(args.adopt);
    let manager = open(builder)?;
    let mut events = manager.events();
    let swept = manager.remove_old_files().wait();
    let closed = manager.close().wait();
    while let Some(event) = events.recv() {
        if let Event::Directory { notice } = event {
            report.directory(&args.dir, &notice);
        }
    }
    match swept.and_then(|swept| closed.map(|()| swept)) {
        Ok(swept) => {
            if args.size_limit > 0 && args.file_limit > 0 {
                told_left(report, swept.usage.files, swept.usage.bytes);
            }
            Ok(matches!(swept.unmet, None | Some(Unmet::FileLimit)))
        }
        Err(gone) => {
            report.error(&gone.to_string());
            Ok(false)
        }
    }
}

/// Tells what would go, and changes nothing: not even the mark of a managed directory is made.
fn foretell(args: &EvictArgs, report: &mut Report) -> Result<bool, Misuse> {
    let content = directory::read(&args.dir)
        .map_err(|error| Misuse::new(format!("cannot read the directory {}: {error}", args.dir.display())))?;
    let mut limit = core::PersistLimit::new(args.size_limit, args.file_limit);
    if !limit.is_bounded() {
        return Ok(true);
    }
    if let Some(example) = content.example.filter(|_| !content.is_ours && !args.adopt) {
        return Err(not_ours(&args.dir, &example.to_string_lossy()));
    }
    let pattern = Pattern::new(&args.pattern);
    for file in content.files {
        let Some(name) = file.name.to_str().filter(|name| pattern.matches(name)) else { continue };
        let (accessed, modified) = (stamp(file.accessed), stamp(file.modified));
        let stat = FileStat { kind: FileKind::Regular, length: file.length, accessed, modified };
        if let Some(path) = StorePath::entry(name) {
            limit.register(path, &stat);
        }
    }
    for victim in limit.victims(usize::MAX, |_| false) {
        let length = limit.forget(&victim.path).unwrap_or(0);
        report.evicted(&args.dir, victim.path.as_str(), length, true);
    }
    if limit.is_unmet() {
        report.unmet(Unmet::FileLimit);
    }
    told_left(report, limit.files(), limit.bytes());
    Ok(true)
}

fn told_left(report: &mut Report, files: u64, bytes: u64) {
    let s = if files == 1 { "" } else { "s" };
    report.note(&format!("{files} file{s} left, {}", text::bytes(bytes)));
}

fn stamp(time: SystemTime) -> Stamp {
    let nanos = |span: std::time::Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Stamp::from_nanos(nanos(after)),
        Err(before) => Stamp::from_nanos(-nanos(before.duration())),
    }
}
