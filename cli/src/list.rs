//! `dlmanager list`

use std::time::SystemTime;

use jiff::{Timestamp, Unit};
use serde_json::json;

use crate::args::ListArgs;
use crate::directory;
use crate::exit::Exit;
use crate::misuse::Misuse;
use crate::open::existing;
use crate::out::{self, Out};

pub(crate) fn list(args: &ListArgs) -> Result<Exit, Misuse> {
    existing(&args.dir)?;
    let content = directory::read(&args.dir)
        .map_err(|error| Misuse::new(format!("cannot read the directory {}: {error}", args.dir.display())))?;
    let mut out = Out::default();
    let width = content.files.iter().map(|file| file.length).max().unwrap_or(0).to_string().len();
    for file in &content.files {
        let (name, length, accessed) = (file.name.to_string_lossy(), file.length, time(file.accessed));
        if args.json {
            let path = args.dir.join(&file.name);
            let path = path.to_string_lossy();
            out.json(&json!({ "name": name, "path": path, "bytes": length, "accessed": accessed }));
        } else {
            let accessed = accessed.as_deref().unwrap_or("-");
            out.line(&format!("{length:>width$}  {accessed:20}  {name}"));
        }
    }
    Ok(match out.finish() {
        Ok(()) => Exit::Success,
        Err(error) => {
            out::say(&format!("error: cannot write to standard output: {error}"));
            Exit::Failure
        }
    })
}

/// As in `2026-01-02T03:04:05Z` (RFC 3339), in UTC; `None` for a time that has no such form.
fn time(time: SystemTime) -> Option<String> {
    let whole = Timestamp::try_from(time).ok()?.round(Unit::Second).ok()?;
    Some(whole.to_string())
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
}
