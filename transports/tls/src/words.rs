//! Texts for people, made of what strangers sent.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;

/// In quotes, without control characters, and not endless.
pub(crate) fn quoted(text: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    let mut kept: String = text.chars().take(CHARACTERS_MAX).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    // A name's backslashes and quotes are its own (RFC 4514); only what is not to be seen is escaped.
    let shown = |char| if matches!(char, '\\' | '"' | '\'') { vec![char] } else { char::escape_debug(char).collect() };
    let shown: String = kept.chars().flat_map(shown).collect();
    format!("\"{shown}\"")
}

/// `a`, `a and b`, `a, b and c`, and no more than some.
pub(crate) fn listed(items: &[String]) -> String {
    const ITEMS_MAX: usize = 10;
    let shown: Vec<_> = items.iter().take(ITEMS_MAX).map(|item| quoted(item)).collect();
    let more = items.len() - shown.len();
    match shown.split_last() {
        None => "no name".to_owned(),
        Some((_, _)) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Four octets or sixteen.
pub(crate) fn ip_address(octets: &[u8]) -> Option<String> {
    let address = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some(address.to_string())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn date(time: UnixTime) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = time.as_secs();
    match SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) {
        Some(time) if seconds < YEAR_10000 => httpdate::fmt_http_date(time),
        _ => "a date after the year 9999".to_owned(),
    }
}

/// The time between two moments in its largest unit: `1 second`, `3 hours`, `400 days`.
pub(crate) fn distance(earlier: UnixTime, later: UnixTime) -> String {
    let seconds = later.as_secs().saturating_sub(earlier.as_secs());
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn distances_come_in_their_largest_unit() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3599, "59 minutes"),
            (3600, "1 hour"),
            (86_399, "23 hours"),
            (86_400, "1 day"),
            (864_000, "10 days"),
        ] {
            assert_eq!(distance(at(1000), at(1000 + seconds)), text);
        }
        assert_eq!(distance(at(5), at(1)), "0 seconds");
    }

    #[test]
    fn dates_of_any_size_have_a_text() {
        assert_eq!(date(at(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(at(253_402_300_799)), "Fri, 31 Dec 9999 23:59:59 GMT");
        for seconds in [253_402_300_800, u64::MAX] {
            assert_eq!(date(at(seconds)), "a date after the year 9999");
        }
    }

    #[test]
    fn lists_are_sentences_and_have_an_end() {
        let names = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(listed(&names(0)), "no name");
        assert_eq!(listed(&names(1)), "\"0\"");
        assert_eq!(listed(&names(3)), "\"0\", \"1\" and \"2\"");
        assert!(listed(&names(10)).ends_with("\"8\" and \"9\""));
        assert!(listed(&names(12)).ends_with("\"9\" and 2 more"));
    }

    #[test]
    fn what_is_quoted_is_one_visible_line() {
        assert_eq!(quoted("a\u{1b}[2J\nb\u{85}c\u{202e}d"), "\"a\\u{1b}[2J\\nb\\u{85}c\\u{202e}d\"");
        assert_eq!(quoted("CN=O\\, \"'ü'\""), "\"CN=O\\, \"'ü'\"\"");
        assert_eq!(quoted(&"ü".repeat(300)).chars().count(), 203);
    }

    #[test]
    fn addresses_have_four_octets_or_sixteen() {
        assert_eq!(ip_address(&[127, 0, 0, 1]).as_deref(), Some("127.0.0.1"));
        assert_eq!(ip_address(&[0; 16]).as_deref(), Some("::"));
        for length in [0, 3, 5, 8, 15, 17, 32] {
            assert_eq!(ip_address(&vec![0; length]), None);
        }
    }
}
