//! Lines for what is not a terminal: the start and the end of each download, and at most one line in ten seconds each in
//! between.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dlmanager::{DownloadId, Progress, Subject};

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
    fn progress_line(&mut self, download: &Subject, progress: &Progress, now: Instant) -> Option<String> {
        let name = &download.name;
        let next = self.next(download.id, now);
        if !std::mem::replace(&mut next.started, true) {
            next.progress = now + INTERVAL;
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
    fn progress(&mut self, download: &Subject, progress: &Progress) {
        if !self.quiet
            && let Some(line) = self.progress_line(download, progress, Instant::now())
        {
            out::say(&line);
        }
    }

    fn retrying(&mut self, download: &Subject, _delay: Duration, line: &str) {
        if !self.quiet && self.retry_is_due(download.id, Instant::now()) {
            out::say(line);
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
