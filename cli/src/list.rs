//! `dlmanager list`

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dlmanager::core::{Record, WORK_FOLDER};
use dlmanager::{Directory, StorePath};
use jiff::{Timestamp, Unit};
use serde_json::json;

use crate::args::ListArgs;
use crate::directory::{self, Entry};
use crate::exit::Exit;
use crate::misuse::Misuse;
use crate::open::{existing, later};
use crate::out::{self, Out};

/// The longest record that is read; more than one has.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

pub(crate) fn list(args: &ListArgs) -> Result<Exit, Misuse> {
    existing(&args.dir)?;
    let unreadable = |error: &dyn std::fmt::Display| {
        Misuse::new(format!("cannot read the directory {}: {error}", args.dir.display()))
    };
    let content = directory::read(&args.dir).map_err(|error| unreadable(&error))?;
    if let Some(format) = content.later_format {
        return Err(later(&args.dir, format));
    }
    let directory = Directory::open(&args.dir).map_err(|error| unreadable(&error))?;
    let pins = directory.pins().map_err(|error| unreadable(&error))?;
    let now = SystemTime::now();
    let unfinished = unfinished(&args.dir);
    let mut rows: Vec<Row> = Vec::with_capacity(content.files.len());
    for file in content.files {
        let path = file.name.to_str().and_then(StorePath::entry);
        let is_leased = path.as_ref().is_some_and(|path| directory.is_in_use(path).unwrap_or(false));
        let is_pinned = path.is_some_and(|path| pins.binary_search(&path).is_ok());
        rows.push(Row { is_leased, is_pinned, partial: None, file });
    }
    for (file, record) in unfinished {
        let path = file.name.to_str().and_then(|name| StorePath::entry_of(&StorePath::entry(WORK_FOLDER)?, name));
        let is_leased = path.is_some_and(|path| directory.is_in_use(&path).unwrap_or(false));
        rows.push(Row { is_leased, is_pinned: false, partial: Some(record), file });
    }
    let mut out = Out::default();
    let width = rows.iter().map(|row| row.file.length).max().unwrap_or(0).to_string().len();
    for row in &rows {
        if args.json { out.json(&row.object(&args.dir, now)) } else { out.line(&row.line(width, now)) }
    }
    Ok(match out.finish() {
        Ok(()) => Exit::Success,
        Err(error) => {
            out::say(&format!("error: cannot write to standard output: {error}"));
            Exit::Failure
        }
    })
}

/// A file, finished or not.
struct Row {
    file: Entry,
    is_leased: bool,
    is_pinned: bool,
    /// It is unfinished; with what is recorded of it, where something is.
    partial: Option<Option<Record>>,
}

impl Row {
    fn line(&self, width: usize, now: SystemTime) -> String {
        let accessed = time(self.file.accessed);
        let (length, accessed) = (self.file.length, accessed.as_deref().unwrap_or("-"));
        let flag = |is_set: bool, flag: char| if is_set { flag } else { '-' };
        let flags: String =
            [flag(self.is_leased, 'L'), flag(self.is_pinned, 'P'), flag(self.partial.is_some(), 'U')].iter().collect();
        let age = age_text(self.age(now));
        format!("{length:>width$}  {accessed:20}  {age:>5}  {flags}  {}", self.name())
    }

    fn object(&self, directory: &Path, now: SystemTime) -> serde_json::Value {
        let record = self.partial.as_ref().and_then(Option::as_ref);
        let folder = if self.partial.is_some() { directory.join(WORK_FOLDER) } else { directory.into() };
        json!({
            "name": self.name(),
            "path": folder.join(&self.file.name).to_string_lossy(),
            "bytes": self.file.length,
            "accessed": time(self.file.accessed),
            "age_seconds": self.age(now).as_secs(),
            "leased": self.is_leased,
            "pinned": self.is_pinned,
            "partial": self.partial.is_some(),
            "total": record.and_then(|record| record.total),
        })
    }

    /// Of what is unfinished the URL, where that is recorded: names are not.
    fn name(&self) -> String {
        match &self.partial {
            Some(Some(record)) => record.url.split('#').next().unwrap_or(&record.url).to_owned(),
            Some(None) | None => self.file.name.to_string_lossy().into_owned(),
        }
    }

    /// How long ago it was accessed; what is unfinished, written to.
    fn age(&self, now: SystemTime) -> Duration {
        let used = if self.partial.is_some() { self.file.modified } else { self.file.accessed };
        now.duration_since(used).unwrap_or_default()
    }
}

/// What is unfinished, with its record. What cannot be read is left out: it may be gone at any moment.
fn unfinished(directory: &Path) -> Vec<(Entry, Option<Record>)> {
    let folder = directory.join(WORK_FOLDER);
    if !folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut unfinished = Vec::new();
    for entry in entries.flatten() {
        let Some(stem) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".part").map(str::to_owned))
        else {
            continue;
        };
        let Some(metadata) = entry.metadata().ok().filter(fs::Metadata::is_file) else { continue };
        let (Ok(accessed), Ok(modified)) = (metadata.accessed(), metadata.modified()) else { continue };
        let file = Entry { name: entry.file_name(), length: metadata.len(), accessed, modified };
        let record = folder.join(format!("{stem}.rec"));
        let is_one = |metadata: &fs::Metadata| metadata.is_file() && metadata.len() <= RECORD_BYTES_MAX;
        let record = record.symlink_metadata().ok().filter(is_one).and_then(|_| fs::read(record).ok());
        unfinished.push((file, record.and_then(|record| Record::decode(&record).ok())));
    }
    unfinished.sort_by(|(a, _), (b, _)| a.cmp(b));
    unfinished
}

/// As in `2026-01-02T03:04:05Z` (RFC 3339), in UTC; `None` for a time that has no such form.
fn time(time: SystemTime) -> Option<String> {
    let whole = Timestamp::try_from(time).ok()?.round(Unit::Second).ok()?;
    Some(whole.to_string())
}

/// In the largest unit of which there is one at least.
fn age_text(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let (seconds_each, unit) = units.into_iter().find(|(each, _)| seconds >= *each).unwrap_or((1, "s"));
    format!("{}{unit}", seconds / seconds_each)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn times_before_1970_and_beyond_all_calendars_are_no_panic() {
        let text = |seconds| time(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(text(1_700_000_000).as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(time(UNIX_EPOCH - Duration::from_secs(1)).as_deref(), Some("1969-12-31T23:59:59Z"));
        assert_eq!(text(1 << 60), None);
    }

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let text = |seconds| age_text(Duration::from_secs(seconds));
        assert_eq!(
            [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 8_640_000].map(text),
            ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "100d"]
        );
    }
}
