//! The closing table.

use crate::exit::Exit;
use crate::out::Out;
use crate::text;

/// What was to happen, and what happened.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    expected: &'static str,
    seen: String,
    right: bool,
}

impl Table {
    pub(super) fn row(&mut self, name: &str, expected: &'static str, seen: String, right: bool) {
        self.rows.push(Row { name: name.into(), expected, seen, right });
    }

    /// Success where each row is right, there is one, and the table could be shown.
    pub(super) fn verdict(&self, shown: bool) -> Exit {
        let right = !self.rows.is_empty() && self.rows.iter().all(|row| row.right);
        if right && shown { Exit::Success } else { Exit::Failure }
    }

    /// Prints it to standard output; returns whether that worked.
    pub(super) fn print(&self) -> bool {
        let mut out = Out::default();
        let widest = |cell: fn(&Row) -> &str| self.rows.iter().map(|row| console::measure_text_width(cell(row))).max();
        let names = widest(|row| &row.name).unwrap_or(0);
        let expectations = widest(|row| row.expected).unwrap_or(0);
        let mut line = |mark: &str, name: &str, expected: &str, seen: &str| {
            let (name, expected) = (text::column(name, names), text::column(expected, expectations));
            out.line(&format!("{mark:5}  {name}  {expected}  {seen}"));
        };
        line("", "file", "should be", "was");
        for row in &self.rows {
            line(if row.right { "ok" } else { "WRONG" }, &row.name, row.expected, &row.seen);
        }
        out.finish().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_row_and_no_row_are_wrong() {
        let mut table = Table::default();
        assert_eq!(table.verdict(true), Exit::Failure);
        table.row("a", "fetched", "complete".into(), true);
        assert_eq!((table.verdict(true), table.verdict(false)), (Exit::Success, Exit::Failure));
        table.row("b", "fetched", "failed".into(), false);
        table.row("c", "fetched", "complete".into(), true);
        assert_eq!(table.verdict(true), Exit::Failure);
    }
}
