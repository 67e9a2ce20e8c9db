//! The columns of a bar's row: a name, the bar, and as many numbers as there is room for.

use dlmanager::Progress;

use crate::text;

/// Where the terminal does not tell its width.
const USUAL_COLUMNS: usize = 80;
/// A bar that is shorter, its brackets and the blanks around it included, tells less than numbers do.
const BAR_COLUMNS_MIN: usize = 14;

/// The width of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    columns: usize,
}

impl Row {
    pub(super) fn of_terminal() -> Self {
        let columns = console::Term::stderr().size_checked().map_or(USUAL_COLUMNS, |(_, columns)| usize::from(columns));
        Self { columns }
    }

    /// The columns of the name.
    pub(super) fn name(self) -> usize {
        (self.columns / 4).clamp(4, 40)
    }

    /// The numbers behind the bar: always as wide, so that the bar's length does not change.
    pub(super) fn numbers(self, progress: &Progress) -> String {
        let received = text::bytes(progress.received);
        let total = progress.total.map(|total| format!("of {}", text::bytes(total))).unwrap_or_default();
        let speed = progress.speed.map(|speed| format!("{}/s", text::bytes(speed))).unwrap_or_default();
        let left = progress.time_left.map(text::duration).unwrap_or_default();
        let percent = match progress.total {
            Some(total) if total > 0 => {
                format!("{}%", u128::from(progress.received) * 100 / u128::from(total))
            }
            _ => String::new(),
        };
        let fullest_first = [
            format!("{received:>11} {total:<14} {speed:>13} {left:>7}"),
            format!("{received:>11} {speed:>13} {left:>7}"),
            format!("{speed:>13} {left:>7}"),
            format!("{percent:>4}"),
        ];
        let room = self.room();
        fullest_first.into_iter().find(|numbers| numbers.len() <= room).unwrap_or_default()
    }

    /// A note instead of the numbers.
    pub(super) fn note(self, note: &str) -> String {
        text::fit(note, self.room())
    }

    fn room(self) -> usize {
        self.columns.saturating_sub(self.name() + BAR_COLUMNS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_row_fits_whatever_the_width_and_its_bar_keeps_its_length() {
        let long = Progress {
            received: 1023 << 30,
            total: Some(1024 << 30),
            speed: Some(1023 << 20),
            time_left: Some(Duration::from_secs(86_399)),
            rewinds: 0,
        };
        for columns in 0..200 {
            let row = Row { columns };
            let (first, later) = (row.numbers(&Progress::default()).len(), row.numbers(&long).len());
            assert_eq!(first, later, "at {columns} columns");
            assert!(columns < 20 || row.name() + BAR_COLUMNS_MIN + later <= columns, "at {columns} columns");
        }
        assert!(Row { columns: 80 }.numbers(&long).contains("1023.00 MiB/s"));
        assert!(Row { columns: 100 }.numbers(&long).contains("of 1.00 TiB"));
        assert_eq!(Row { columns: 30 }.numbers(&long), " 99%");
    }
}
