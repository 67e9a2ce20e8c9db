//! A terminal on which Ctrl-C does not tear the bars.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::TermLike;

/// What each row of a bar begins with: it shows nothing, and no line of text can begin with it.
pub(super) const MARK: &str = "\x1b[m";

/// A terminal whose cursor rests at the beginning of the last bar. indicatif leaves it behind the row's end, where the `^C` that
/// terminals show for Ctrl-C takes a new row, so that the bars would be looked for one row too low, and their first one would
/// stay.
#[derive(Debug)]
pub(super) struct Resting<T> {
    terminal: T,
    /// What was written last is a bar.
    is_behind_bar: AtomicBool,
}

impl<T> Resting<T> {
    pub(super) const fn new(terminal: T) -> Self {
        Self { terminal, is_behind_bar: AtomicBool::new(false) }
    }
}

impl<T: TermLike> TermLike for Resting<T> {
    fn width(&self) -> u16 {
        self.terminal.width()
    }

    fn height(&self) -> u16 {
        self.terminal.height()
    }

    fn move_cursor_up(&self, rows: usize) -> io::Result<()> {
        self.terminal.move_cursor_up(rows)
    }

    fn move_cursor_down(&self, rows: usize) -> io::Result<()> {
        self.terminal.move_cursor_down(rows)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.terminal.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.terminal.move_cursor_left(columns)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.terminal.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // Blanks fill the row that was written.
        if text.contains(|c| c != ' ') {
            self.is_behind_bar.store(text.starts_with(MARK), Ordering::Relaxed);
        }
        self.terminal.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.terminal.clear_line()
    }

    /// What is drawn ends with this. Behind text the cursor stays: the next line is to begin in the row below.
    fn flush(&self) -> io::Result<()> {
        if self.is_behind_bar.swap(false, Ordering::Relaxed) {
            self.terminal.write_str("\r")?;
        }
        self.terminal.flush()
    }
}
