//! `dlmanager evict`

use std::time::{SystemTime, UNIX_EPOCH};

use dlmanager::core::{self, FileKind, FileStat, Gauged, Stamp};
use dlmanager::{
    Directory, DownloadManager, Event, Judged, Kept, Notice, Pattern, PersistLimit, StorePath, Unmet, Verdict,
};

use crate::args::EvictArgs;
use crate::directory;
use crate::exit::Exit;
use crate::misuse::Misuse;
use crate::open::{existing, later, not_ours, open};
use crate::report::{Output, Report};
use crate::text;

pub(crate) fn evict(args: &EvictArgs) -> Result<Exit, Misuse> {
    existing(&args.dir)?;
    let mut report = Report::new(if args.json { Output::Json } else { Output::Nothing }, args.quiet, 0);
    report.explain(args.explain);
    report.bounds(matches!(args.size_limit, Some(1..)), &args.bounds);
    let bounded = if args.dry_run { foretell(args, &mut report)? } else { sweep(args, &mut report)? };
    let told = report.finish();
    Ok(if bounded && told { Exit::Success } else { Exit::Failure })
}

/// Removes what has to go. Returns whether the bounds hold, or the number of files to keep is all that keeps them from it.
fn sweep(args: &EvictArgs, report: &mut Report) -> Result<bool, Misuse> {
    let limit = args.bounds.of(PersistLimit::new(args.size_limit.unwrap_or(0), args.file_limit));
    let is_bounded = is_bounded(args);
    let builder = DownloadManager::builder(&args.dir).persist_limit(limit).pattern(&args.pattern).adopt(args.adopt);
    let manager = open(builder)?;
    let mut events = manager.events();
    let sweep = manager.remove_old_files();
    let mut told = Vec::new();
    // What happens is told when it happens: it may have to be waited for another program's eviction.
    let mut is_over = manager.limit_usage().is_none();
    while !is_over {
        report.flush();
        let Some(event) = events.recv() else { break };
        is_over = matches!(event, Event::Directory { notice: Notice::Swept { .. } });
        tell_event(args, report, &mut told, event);
    }
    let swept = sweep.wait();
    let judged = if args.explain { manager.explain() } else { Ok(Vec::new()) };
    let closed = manager.close().wait();
    while let Some(event) = events.recv() {
        tell_event(args, report, &mut told, event);
    }
    report.evicted_all();
    match judged {
        Ok(judged) => judged.iter().filter(|file| !told.contains(&file.path)).for_each(|file| tell(args, report, file)),
        Err(error) => report.error(&format!("cannot read what is pinned: {error}")),
    }
    match swept.and_then(|swept| closed.map(|()| swept)) {
        Ok(swept) => {
            if is_bounded {
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

/// Tells of an event, and notes which files it says are kept.
fn tell_event(args: &EvictArgs, report: &mut Report, told: &mut Vec<StorePath>, event: Event) {
    if let Event::Directory { notice } = event {
        if let Notice::Kept { path, .. } = &notice {
            told.push(path.clone());
        }
        report.directory(&args.dir, &notice);
    }
}

/// Tells what would go, and changes nothing: not even the mark of a managed directory is made.
fn foretell(args: &EvictArgs, report: &mut Report) -> Result<bool, Misuse> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Misuse::new(format!("cannot read the directory {}: {error}", args.dir.display()))
    };
    let content = directory::read(&args.dir).map_err(|error| unreadable(&error))?;
    if !is_bounded(args) {
        return Ok(true);
    }
    if let Some(format) = content.later_format {
        return Err(later(&args.dir, format));
    }
    if let Some(example) = content.example.filter(|_| !content.is_ours && !args.adopt) {
        return Err(not_ours(&args.dir, &example.to_string_lossy()));
    }
    let bounds = dlmanager::Bounds {
        age_max: args.bounds.max_age,
        free_bytes_min: args.bounds.min_free.unwrap_or(0),
        reserves: false,
    };
    let mut limit = core::PersistLimit::new(args.size_limit.unwrap_or(0), args.file_limit).with_bounds(bounds);
    let pattern = Pattern::new(&args.pattern);
    for file in content.files {
        let Some(name) = file.name.to_str().filter(|name| pattern.matches(name)) else { continue };
        let (accessed, modified) = (stamp(file.accessed), stamp(file.modified));
        let stat = FileStat { kind: FileKind::Regular, length: file.length, accessed, modified };
        if let Some(path) = StorePath::entry(name) {
            limit.register(path, &stat);
        }
    }
    let directory = Directory::open(&args.dir).map_err(|error| unreadable(&error))?;
    let gauge = directory.gauge().map_err(|error| unreadable(&error))?;
    limit.set_gauge(gauge);
    for pin in directory.pins().map_err(|error| unreadable(&error))? {
        limit.set_pinned(&pin, true);
    }
    let judged = limit.explain(|path| directory.is_in_use(path).unwrap_or(false).then_some(Kept::InUse));
    let mut freed = 0;
    for file in &judged {
        if let Verdict::Goes(_) = file.verdict {
            freed += limit.forget(&file.path).unwrap_or(0);
        }
        tell(args, report, file);
    }
    limit.set_gauge(Gauged { free_bytes: gauge.free_bytes.map(|free| free.saturating_add(freed)), ..gauge });
    let unmet = if limit.is_exceeded() { Some(Unmet::InUse) } else { limit.is_unmet().then_some(Unmet::FileLimit) };
    if let Some(unmet) = unmet {
        report.unmet(unmet);
    }
    told_left(report, limit.files(), limit.bytes());
    Ok(unmet != Some(Unmet::InUse))
}

/// Tells what goes, what stays although it should go, and of each file that stays where that was asked.
fn tell(args: &EvictArgs, report: &mut Report, file: &Judged) {
    match file.verdict {
        Verdict::Goes(why) if args.dry_run => report.evicted(&args.dir, file.path.as_str(), file.length, why, true),
        // It would, and the pass has told why it did not.
        Verdict::Goes(_) => {}
        Verdict::Stays(kept) if args.explain || kept == Kept::InUse => {
            report.kept(&args.dir, file.path.as_str(), file.length, kept);
        }
        Verdict::Stays(_) => {}
    }
}

const fn is_bounded(args: &EvictArgs) -> bool {
    let has_size_rule = matches!(args.size_limit, Some(1..)) && args.file_limit > 0;
    has_size_rule || args.bounds.max_age.is_some() || args.bounds.min_free.is_some()
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
