//! Bars for a terminal: one for each download that has begun, and a total.

mod row;
mod terminal;

use std::collections::HashMap;
use std::time::Duration;

use console::Term;
use dlmanager::{DownloadId, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::row::Row;
use self::terminal::{MARK, Resting};
use super::View;
use crate::text;

/// What a whole download is worth in the total's bar.
const WHOLE: u64 = 1000;
/// How often what changes is drawn.
const DRAWN_A_SECOND: u8 = 20;
/// The line of the total, and one for what is shown above the bars.
const OTHER_LINES: usize = 2;
/// Where the terminal does not tell its height.
const USUAL_ROWS: usize = 24;

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
        let terminal = Box::new(Resting::new(Term::buffered_stderr()));
        Self::drawn_on(ProgressDrawTarget::term_like_with_hz(terminal, DRAWN_A_SECOND), downloads)
    }

    fn drawn_on(target: ProgressDrawTarget, downloads: usize) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        let total = (downloads > 1).then(|| multi.add(bar(Some(downloads as u64 * WHOLE), "")));
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
    fn bar(&mut self, id: DownloadId, name: &str, total: Option<u64>) -> Option<&ProgressBar> {
        if !self.bars.contains_key(&id) {
            let rows = Term::stderr().size_checked().map_or(USUAL_ROWS, |(rows, _)| usize::from(rows));
            if self.bars.len() + OTHER_LINES >= rows {
                return None;
            }
            let bar = bar(total, name);
            let bar = match &self.total {
                Some(total) => self.multi.insert_before(total, bar),
                None => self.multi.add(bar),
            };
            self.bars.insert(id, bar);
        }
        self.bars.get(&id)
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
        let missing = if self.failed > 0 { format!(", {} missing", self.failed) } else { String::new() };
        let files = format!("total {}/{}{missing}", self.ended - self.failed, self.downloads);
        let speed = (!self.running.is_empty()).then_some(speed);
        let row = Row::of_terminal();
        bar.set_prefix(text::column(&files, row.name()));
        bar.set_position(position);
        bar.set_message(row.numbers(&Progress { received: bytes, total: None, speed, time_left: left, rewinds: 0 }));
    }
}

impl View for Bars {
    fn progress(&mut self, id: DownloadId, name: &str, progress: &Progress) {
        if let Some(bar) = self.bar(id, name, progress.total) {
            let known = bar.length();
            if known != progress.total {
                bar.set_style(style(progress.total));
                match progress.total {
                    Some(total) => bar.set_length(total),
                    None => bar.unset_length(),
                }
            }
            bar.set_position(progress.received);
            bar.set_message(Row::of_terminal().numbers(progress));
        }
        let is_first = self.running.insert(id, *progress).is_none();
        if let Some(start) = text::goes_on(progress).filter(|_| is_first) {
            self.line(&format!("{name}: {start}"));
        }
        self.show_total();
    }

    fn retrying(&mut self, id: DownloadId, name: &str, delay: Duration, _cause: &str) {
        let known = self.running.get(&id).and_then(|progress| progress.total);
        if let Some(bar) = self.bar(id, name, known) {
            bar.set_message(Row::of_terminal().note(&format!("tries again in {}", text::duration(delay))));
        }
        if let Some(progress) = self.running.get_mut(&id) {
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
    bar.set_prefix(text::column(&text::printable(name), Row::of_terminal().name()));
    bar
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = if total.is_some() { "{prefix} [{wide_bar}] {msg}" } else { "{prefix} {spinner} {wide_msg}" };
    let style =
        ProgressStyle::with_template(&format!("{MARK}{template}")).unwrap_or_else(|_| ProgressStyle::default_bar());
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

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike};

    use super::super::tests::ids;
    use super::*;

    /// Bars of which everything is drawn at once.
    fn bars(terminal: &InMemoryTerm, downloads: usize) -> Bars {
        let terminal = Box::new(Resting::new(terminal.clone()));
        Bars::drawn_on(ProgressDrawTarget::term_like(terminal), downloads)
    }

    fn rows(terminal: &InMemoryTerm) -> Vec<String> {
        // What is due is drawn at once on such a terminal.
        terminal.flush().unwrap();
        terminal.contents().lines().map(String::from).collect()
    }

    #[test]
    fn eight_at_once_each_have_a_row_of_their_own_above_the_total() {
        let terminal = InMemoryTerm::new(20, 80);
        let mut bars = bars(&terminal, 9);
        let ids = ids(8);
        for step in 0..=100_u64 {
            for (at, id) in ids.iter().enumerate() {
                let progress = Progress {
                    received: step * 1000,
                    total: Some(100_000),
                    speed: Some(50_000),
                    time_left: None,
                    rewinds: 0,
                };
                bars.progress(*id, &format!("file-{at}"), &progress);
            }
        }
        let shown = rows(&terminal);
        assert_eq!(shown.len(), 9, "{shown:#?}");
        for (at, row) in shown.iter().take(8).enumerate() {
            assert!(row.starts_with(&format!("file-{at}  ")) && row.contains("[====="), "{row}");
        }
        assert!(shown[8].starts_with("total 0/9 ") && shown[8].contains("781.25 KiB"), "{}", shown[8]);

        for (at, id) in ids.iter().enumerate() {
            bars.line(&format!("file-{at}: fetched\x1b[2J"));
            bars.ended(*id, at != 3);
        }
        let shown = rows(&terminal);
        assert_eq!(shown.len(), 9, "{shown:#?}");
        for (at, row) in shown.iter().take(8).enumerate() {
            assert_eq!(row, &format!("file-{at}: fetched\\u{{1b}}[2J"));
        }
        assert!(shown[8].starts_with("total 7/9, 1 missing"), "{}", shown[8]);
        bars.close();
        assert_eq!(rows(&terminal).len(), 8);
    }

    #[test]
    fn a_length_that_becomes_known_and_a_retry_are_shown() {
        let terminal = InMemoryTerm::new(20, 80);
        let mut bars = bars(&terminal, 1);
        let id = ids(1)[0];
        let progress = |received, total| Progress { received, total, speed: None, time_left: None, rewinds: 0 };
        bars.progress(id, "a", &progress(0, None));
        bars.progress(id, "a", &progress(1024, None));
        assert!(rows(&terminal)[0].contains("1.00 KiB") && !rows(&terminal)[0].contains('['));
        bars.progress(id, "a", &progress(2048, Some(4096)));
        assert!(rows(&terminal)[0].contains("2.00 KiB") && rows(&terminal)[0].contains("[=="));
        bars.retrying(id, "a", Duration::from_millis(1500), "the connection broke");
        assert!(rows(&terminal)[0].contains("tries again in 1.5s"), "{:#?}", rows(&terminal));
    }

    #[test]
    fn one_that_is_resumed_says_once_where_it_goes_on_and_its_bar_starts_there() {
        let terminal = InMemoryTerm::new(20, 80);
        let mut bars = bars(&terminal, 1);
        let id = ids(1)[0];
        for received in [2048, 3072] {
            let progress = Progress { received, total: Some(4096), speed: None, time_left: None, rewinds: 0 };
            bars.progress(id, "a", &progress);
        }
        let shown = rows(&terminal);
        assert_eq!((shown.len(), shown[0].as_str()), (2, "a: goes on at 2.00 KiB of 4.00 KiB"), "{shown:#?}");
        assert!(shown[1].contains("3.00 KiB") && shown[1].contains("[===="), "{shown:#?}");
    }

    #[test]
    fn what_the_terminal_shows_for_ctrl_c_tears_nothing() {
        for downloads in [1, 2] {
            let terminal = InMemoryTerm::new(20, 80);
            let mut bars = bars(&terminal, downloads);
            let ids = ids(downloads);
            bars.line("first");
            bars.line("second");
            for (at, id) in ids.iter().enumerate() {
                let progress = Progress { received: 2048, total: Some(4096), speed: None, time_left: None, rewinds: 0 };
                bars.progress(*id, &format!("file-{at}"), &Progress { received: 0, ..progress });
                bars.progress(*id, &format!("file-{at}"), &progress);
            }
            assert!(rows(&terminal)[2].starts_with("file-0"), "{:#?}", rows(&terminal));
            terminal.write_str("^C").unwrap();
            bars.line("interrupted");
            for id in &ids {
                bars.ended(*id, false);
                bars.line("canceled");
            }
            bars.close();
            let shown = rows(&terminal);
            assert_eq!(
                (&shown[..3], shown.len()),
                (&["first", "second", "interrupted"].map(String::from)[..], 3 + downloads)
            );
            assert!(shown[3..].iter().all(|row| row == "canceled"), "{shown:#?}");
        }
    }
}
