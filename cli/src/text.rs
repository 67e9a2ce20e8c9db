//! Text for people: nothing in it can do anything to a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use dlmanager::Progress;
use indicatif::HumanBytes;

/// The text with what a terminal would act on, or show in another order, written as an escape sequence: names in a
/// directory and what servers say may hold anything.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_active(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped.into()
}

/// A line of JSON in which what a terminal would act on is escaped as well: JSON itself asks for the first 32 characters
/// only (RFC 8259 section 7). Such characters stand within strings.
pub(crate) fn printable_json(line: &str) -> Cow<'_, str> {
    if !line.chars().any(is_active) {
        return line.into();
    }
    let mut escaped = String::with_capacity(line.len() + 8);
    for c in line.chars() {
        if is_active(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped.into()
}

/// Control characters (C0, DEL, C1), bidirectional marks, and separators of lines and paragraphs.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `1.50 GiB`
pub(crate) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// `goes on at 1.50 GiB of 2.00 GiB`, where the first that is heard of a download is that it has some bytes already.
pub(crate) fn goes_on(first: &Progress) -> Option<String> {
    let of_total = first.total.map(|total| format!(" of {}", bytes(total))).unwrap_or_default();
    (first.received > 0).then(|| format!("goes on at {}{of_total}", bytes(first.received)))
}

/// `0.4s`, `59s`, `1m 5s`, `2h 30m`, `3d 4h`: the two largest units.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..10 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// The longest text that is told whole, in bytes: no name of a file is longer.
const WHOLE_BYTES_MAX: usize = 300;

/// The text without its middle where it is very long, as a URL can be: for messages, in which its ends tell what it is.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= WHOLE_BYTES_MAX {
        return text.into();
    }
    let boundary = |from: usize| (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let (head, tail) = (boundary(WHOLE_BYTES_MAX * 2 / 3), boundary(text.len() - WHOLE_BYTES_MAX / 3));
    format!("{}…{}", &text[..head], &text[tail..]).into()
}

/// The text in at most `columns` columns: what is too long loses its middle, so that both ends are seen: one of them tells
/// files of a series apart.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if console::measure_text_width(text) <= columns {
        return text.into();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let (head, tail) = (room - room / 2, room / 2);
    let width = |c: &char| console::measure_text_width(c.encode_utf8(&mut [0; 4]));
    let taken = |room: usize| {
        let mut used = 0;
        move |c: &char| {
            used += width(c);
            used <= room
        }
    };
    let head: String = text.chars().take_while(taken(head)).collect();
    let mut tail: Vec<char> = text.chars().rev().take_while(taken(tail)).collect();
    tail.reverse();
    format!("{head}…{}", String::from_iter(tail))
}

/// The text in exactly `columns` columns, blanks behind it.
pub(crate) fn column(text: &str, columns: usize) -> String {
    let mut text = fit(text, columns);
    let blanks = columns.saturating_sub(console::measure_text_width(&text));
    text.extend(std::iter::repeat_n(' ', blanks));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_stays() {
        assert_eq!(printable("plain ünï 文"), "plain ünï 文");
        assert_eq!(printable("a\x1b[31m\r\n\u{9b}1m\u{202e}b"), "a\\u{1b}[31m\\r\\n\\u{9b}1m\\u{202e}b");
        let json = serde_json::to_string("a\x1b\u{7f}\u{9b}\u{202e}\u{feff}b").unwrap();
        assert_eq!(printable_json(&json), r#""a\u001b\u007f\u009b\u202e\ufeffb""#);
        assert_eq!(
            serde_json::from_str::<String>(&printable_json(&json)).unwrap(),
            "a\x1b\u{7f}\u{9b}\u{202e}\u{feff}b"
        );
    }

    #[test]
    fn what_is_too_long_loses_its_middle() {
        assert_eq!(fit("short.zip", 9), "short.zip");
        assert_eq!(fit("a-very-long-name.tar.xz", 13), "a-very…tar.xz");
        assert_eq!(fit("長い長い名前.zip", 10), "長い….zip");
        assert_eq!((fit("abc", 0), fit("abc", 1)), (String::new(), "…".into()));
        for columns in 0..30 {
            for text in [
                "a-very-long-name.tar.xz",
                "長い長い名前の長いファイル.zip",
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
            ] {
                assert!(console::measure_text_width(&fit(text, columns)) <= columns);
                assert_eq!(console::measure_text_width(&column(text, columns)), columns);
            }
        }
    }

    #[test]
    fn what_is_very_long_is_told_by_its_ends() {
        let whole = "ä".repeat(150);
        assert_eq!(shortened(&whole), whole);
        let long = format!("http://h/{}/tool.zip", "ä".repeat(1_000_000));
        let short = shortened(&long);
        assert!(short.len() < 310 && short.starts_with("http://h/ä") && short.ends_with("ä/tool.zip"), "{short}");
    }

    #[test]
    fn spans_of_time_are_short() {
        let texts = [250, 9_990, 59_999, 65_000, 3_600_000, 100_000_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(texts, ["0.2s", "9.9s", "59s", "1m 5s", "1h 0m", "1d 3h"]);
        duration(Duration::MAX);
    }
}
