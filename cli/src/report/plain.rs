//! Lines for what is not a terminal: the start and the end of each download, and at most one line in ten seconds each in
//! between.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dlmanager::{DownloadId, Progress};

use super::View;
use crate::{out, text};

/// The least time between two lines of a download that runs.
const INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Plain {
    quiet: bool,
    /// When the next line of a download may come, once its start was told.
    next: HashMap<DownloadId, Next>,
}

#[derive(Debug, Clone, Copy)]
struct Next {
    started: bool,
    progress: Instant,
    retry: Option<Instant>,
}

impl Plain {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, next: HashMap::new() }
    }

    fn next(&mut self, id: DownloadId, now: Instant) -> &mut Next {
        self.next.entry(id).or_insert(Next { started: false, progress: now, retry: None })
    }

    /// The line for this news, if one is due.
    fn progress_line(&mut self, id: DownloadId, name: &str, progress: &Progress, now: Instant) -> Option<String> {
        let next = self.next(id, now);
        if !std::mem::replace(&mut next.started, true) {
            next.progress = now + INTERVAL;
            if let Some(start) = text::goes_on(progress) {
                return Some(format!("{name}: {start}"));
            }
            let length = progress.total.map_or_else(|| "unknown length".into(), text::bytes);
            return Some(format!("{name}: fetching, {length}"));
        }
        let over = progress.total == Some(progress.received);
        if over || now < next.progress {
            return None;
        }
        next.allow_after(now + INTERVAL);
        let received = text::bytes(progress.received);
        let of_total = progress.total.map(|total| format!(" of {}", text::bytes(total))).unwrap_or_default();
        let speed = progress.speed.map(|speed| format!(", {}/s", text::bytes(speed))).unwrap_or_default();
        let left = progress.time_left.map(|left| format!(", {} left", text::duration(left))).unwrap_or_default();
        Some(format!("{name}: {received}{of_total}{speed}{left}"))
    }

    fn retry_is_due(&mut self, id: DownloadId, now: Instant) -> bool {
        let next = self.next(id, now);
        let due = next.retry.is_none_or(|retry| now >= retry);
        if due {
            next.allow_after(now + INTERVAL);
        }
        due
    }
}

impl Next {
    fn allow_after(&mut self, instant: Instant) {
        self.progress = instant;
        self.retry = Some(instant);
    }
}

impl View for Plain {
    fn progress(&mut self, id: DownloadId, name: &str, progress: &Progress) {
        if !self.quiet
            && let Some(line) = self.progress_line(id, name, progress, Instant::now())
        {
            out::say(&line);
        }
    }

    fn retrying(&mut self, id: DownloadId, name: &str, _delay: Duration, cause: &str) {
        if !self.quiet && self.retry_is_due(id, Instant::now()) {
            out::say(&format!("{name}: {cause}"));
        }
    }

    fn ended(&mut self, id: DownloadId, _there: bool) {
        self.next.remove(&id);
    }

    fn line(&mut self, line: &str) {
        out::say(line);
    }

    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::super::tests::ids;
    use super::*;

    #[test]
    fn a_download_has_a_start_and_then_at_most_one_line_in_ten_seconds() {
        let (id, begin) = (ids(1)[0], Instant::now());
        let mut plain = Plain::new(false);
        let mut lines = Vec::new();
        for tenth in 0..=300_u64 {
            let now = begin + Duration::from_millis(tenth * 100);
            let progress = Progress {
                received: tenth * 1024,
                total: Some(300 * 1024),
                speed: Some(10_240),
                time_left: None,
                rewinds: 0,
            };
            lines.extend(plain.progress_line(id, "a", &progress, now).map(|line| (tenth, line)));
            if tenth % 7 == 0 {
                lines.extend(plain.retry_is_due(id, now).then(|| (tenth, "retry".into())));
            }
        }
        let resumed = Progress { received: 1024, total: Some(2048), ..Progress::default() };
        let line = plain.progress_line(ids(2)[1], "b", &resumed, begin);
        assert_eq!(line.as_deref(), Some("b: goes on at 1.00 KiB of 2.00 KiB"));
        let lines: Vec<_> = lines.iter().map(|(tenth, line)| (*tenth, line.as_str())).collect();
        let expected = [
            (0, "a: fetching, 300.00 KiB"),
            (0, "retry"),
            (100, "a: 100.00 KiB of 300.00 KiB, 10.00 KiB/s"),
            (200, "a: 200.00 KiB of 300.00 KiB, 10.00 KiB/s"),
        ];
        assert_eq!(lines, expected);
    }
}
