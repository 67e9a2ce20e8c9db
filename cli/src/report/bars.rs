//! Bars for a terminal: one for each download that has begun, and a total.

use std::collections::HashMap;
use std::time::Duration;

use dlmanager::{DownloadId, Progress, Subject};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::View;
use crate::text;

/// What a whole download is worth in the total's bar.
const WHOLE: u64 = 1000;
/// The line of the total, and one for what is shown above the bars.
const OTHER_LINES: usize = 2;
/// Where the terminal does not tell its size.
const USUAL_SIZE: (u16, u16) = (24, 80);

pub(super) struct Bars {
    multi: MultiProgress,
    total: Option<ProgressBar>,
    /// The bars, as far as the terminal has room for them.
    bars: HashMap<DownloadId, ProgressBar>,
    running: HashMap<DownloadId, Progress>,
    downloads: usize,
    ended: usize,
    failed: usize,
    /// Bytes of downloads that ended.
    ended_bytes: u64,
}

impl Bars {
    pub(super) fn new(downloads: usize) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let total = (downloads > 1).then(|| multi.add(bar(Some(downloads as u64 * WHOLE), "total")));
        let mut bars = Self {
            multi,
            total,
            bars: HashMap::new(),
            running: HashMap::new(),
            downloads,
            ended: 0,
            failed: 0,
            ended_bytes: 0,
        };
        bars.show_total();
        bars
    }

    /// The bar of a download; `None` where there is no room for one.
    fn bar(&mut self, download: &Subject, total: Option<u64>) -> Option<&ProgressBar> {
        if !self.bars.contains_key(&download.id) {
            let rows = console::Term::stderr().size_checked().unwrap_or(USUAL_SIZE).0;
            if self.bars.len() + OTHER_LINES >= usize::from(rows) {
                return None;
            }
            let bar = bar(total, download.name.as_str());
            let bar = match &self.total {
                Some(total) => self.multi.insert_before(total, bar),
                None => self.multi.add(bar),
            };
            self.bars.insert(download.id, bar);
        }
        self.bars.get(&download.id)
    }

    fn show_total(&mut self) {
        let Some(bar) = &self.total else { return };
        let mut bytes = self.ended_bytes;
        let (mut position, mut speed, mut left) = (self.ended as u64 * WHOLE, 0_u64, Some(0_u64));
        for progress in self.running.values() {
            bytes = bytes.saturating_add(progress.received);
            speed = speed.saturating_add(progress.speed.unwrap_or(0));
            position += share(progress);
            let rest = progress.total.map(|total| total.saturating_sub(progress.received));
            left = left.zip(rest).map(|(left, rest)| left.saturating_add(rest));
        }
        // What has not begun may have any length.
        let all_begun = self.ended + self.running.len() >= self.downloads;
        let left = left.filter(|_| all_begun && speed > 0).map(|left| Duration::from_secs(left / speed));
        let failed = if self.failed > 0 { format!(", {} not", self.failed) } else { String::new() };
        let files = format!("{}/{} files{failed}", self.ended - self.failed, self.downloads);
        let speed = (!self.running.is_empty()).then_some(speed);
        bar.set_position(position);
        bar.set_message(format!("{files}  {}", numbers(bytes, None, speed, left)));
    }
}

impl View for Bars {
    fn progress(&mut self, download: &Subject, progress: &Progress) {
        if let Some(bar) = self.bar(download, progress.total) {
            let known = bar.length();
            if known != progress.total {
                bar.set_style(style(progress.total));
                match progress.total {
                    Some(total) => bar.set_length(total),
                    None => bar.unset_length(),
                }
            }
            bar.set_position(progress.received);
            bar.set_message(numbers(progress.received, progress.total, progress.speed, progress.time_left));
        }
        self.running.insert(download.id, *progress);
        self.show_total();
    }

    fn retrying(&mut self, download: &Subject, delay: Duration, _line: &str) {
        let known = self.running.get(&download.id).and_then(|progress| progress.total);
        if let Some(bar) = self.bar(download, known) {
            bar.set_message(format!("tries again in {}", text::duration(delay)));
        }
        if let Some(progress) = self.running.get_mut(&download.id) {
            progress.speed = None;
        }
        self.show_total();
    }

    fn ended(&mut self, id: DownloadId, there: bool) {
        if let Some(bar) = self.bars.remove(&id) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
        let progress = self.running.remove(&id);
        self.ended += 1;
        if there {
            self.ended_bytes = self.ended_bytes.saturating_add(progress.map_or(0, |progress| progress.received));
        } else {
            self.failed += 1;
        }
        self.show_total();
    }

    fn line(&mut self, line: &str) {
        // Where that fails there is nobody to tell.
        let _ = self.multi.println(text::printable(line));
    }

    fn close(&mut self) {
        if let Some(bar) = self.total.take() {
            bar.finish_and_clear();
        }
        let _ = self.multi.clear();
    }
}

fn bar(total: Option<u64>, name: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_style(style(total));
    let columns = usize::from(console::Term::stderr().size_checked().unwrap_or(USUAL_SIZE).1);
    bar.set_prefix(text::column(&text::printable(name), (columns / 4).clamp(8, 40)));
    bar
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = if total.is_some() { "{prefix} [{wide_bar}] {msg}" } else { "{prefix} {spinner} {wide_msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

/// Which part of a download is there.
fn share(progress: &Progress) -> u64 {
    match progress.total {
        Some(total) if total > 0 => {
            let share = u128::from(progress.received) * u128::from(WHOLE) / u128::from(total);
            u64::try_from(share).unwrap_or(WHOLE).min(WHOLE)
        }
        _ => 0,
    }
}

fn numbers(received: u64, total: Option<u64>, speed: Option<u64>, left: Option<Duration>) -> String {
    let mut numbers = text::bytes(received);
    if let Some(total) = total {
        numbers = format!("{numbers} of {}", text::bytes(total));
    }
    if let Some(speed) = speed {
        numbers.push_str(&format!("  {}/s", text::bytes(speed)));
    }
    if let Some(left) = left {
        numbers.push_str(&format!("  {}", text::duration(left)));
    }
    numbers
}
