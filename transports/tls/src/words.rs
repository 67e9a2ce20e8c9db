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
    let shown: String = kept
        .chars()
        .flat_map(|char| if char.is_control() { char.escape_default().collect() } else { vec![char] })
        .collect();
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
