//! Values of options: sizes, durations, header fields, checksums.

use std::time::Duration;

use dlmanager::{Digest, DigestError, HeaderName, HeaderValue};
use jiff::SignedDuration;

/// Parses a size in bytes: `4096`, `10K`, `10KiB`, `500MB`, `1.5GiB`.
///
/// `K`, `M`, `G`, `T` and `P` are powers of 1024, as are `KiB` and so on; `KB` and so on are powers of 1000. That is what
/// GNU's tools do. Case does not matter; a fraction of a byte is dropped.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor =
        factor(unit.trim_start()).ok_or("a size is a number of bytes, or one with a unit: 4096, 500MB, 10GiB")?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.contains('.') {
        return Err("a size begins with a number: 4096, 500MB, 10GiB".into());
    }
    let too_large = || "a size is less than 16 EiB".to_owned();
    let whole: u128 = whole.parse().map_err(|_| too_large())?;
    let mut bytes = whole.checked_mul(factor).ok_or_else(too_large)?;
    // The digits behind the point, each worth a tenth of the one before it.
    let mut worth = 1_u128;
    let mut parts = 0_u128;
    for digit in fraction.bytes().take(18) {
        worth *= 10;
        parts = parts * 10 + u128::from(digit - b'0');
    }
    bytes = bytes.checked_add(parts * factor / worth).ok_or_else(too_large)?;
    u64::try_from(bytes).map_err(|_| too_large())
}

/// A size of at least one byte.
pub(crate) fn size_above_zero(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("it must be at least 1 byte".into()),
        bytes => Ok(bytes),
    }
}

fn factor(unit: &str) -> Option<u128> {
    let unit = unit.to_ascii_lowercase();
    let (prefix, base) = if unit.is_empty() || unit == "b" {
        return Some(1);
    } else if let Some(prefix) = unit.strip_suffix("ib") {
        (prefix, 1024)
    } else if let Some(prefix) = unit.strip_suffix('b') {
        (prefix, 1000)
    } else {
        (unit.as_str(), 1024)
    };
    let power = match prefix {
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some(u128::pow(base, power))
}

/// Parses a duration of more than zero: `30s`, `2m`, `500ms`, `1h30m`, `1.5s`. A bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let seconds = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed: Result<SignedDuration, _> = if seconds { format!("{text}s").parse() } else { text.parse() };
    let duration = parsed.map_err(|_| "a duration is a number with a unit: 500ms, 30s, 2m, 1h")?;
    match Duration::try_from(duration) {
        Ok(Duration::ZERO) | Err(_) => Err("it must be more than zero".into()),
        Ok(duration) => Ok(duration),
    }
}

/// Parses an age: a number of days or weeks, or a duration.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    for (unit, seconds) in [("d", 86_400), ("w", 7 * 86_400)] {
        if let Some(number) = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok()) {
            return number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| "it is too long".to_owned());
        }
    }
    duration(text).map_err(|_| "an age is a number with a unit: 30d, 2w, 12h, 90m".into())
}

/// Parses a header field: `Name: value`.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header field is 'Name: value'")?;
    let name: HeaderName = name.trim().parse().map_err(|_| "the field's name has a character that is not allowed")?;
    let value = HeaderValue::from_str(value.trim_matches([' ', '\t']))
        .map_err(|_| "the field's value has a control character, or one beyond Latin-1")?;
    Ok((name, value))
}

/// Parses a checksum: `sha256:HEX`.
pub(crate) fn digest(text: &str) -> Result<Digest, DigestError> {
    text.trim().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4096B", 4096),
            ("1K", 1024),
            ("1k", 1024),
            ("1KiB", 1024),
            ("1kb", 1000),
            ("500MB", 500_000_000),
            ("10G", 10 << 30),
            ("10GiB", 10 << 30),
            ("10 GiB", 10 << 30),
            ("1.5G", 3 << 29),
            ("0.1KB", 100),
            ("1.9", 1),
            ("3T", 3 << 40),
            ("1P", 1 << 50),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            " ",
            "G",
            "-1",
            "+1",
            "1X",
            "1GG",
            "1iB",
            "GiB1",
            "1..2",
            "1.",
            ".5",
            "1e3",
            "0x10",
            "1,5G",
            "1/2",
            "١",
            "18446744073709551616",
            "16384P",
            "99999999999999999999999999999999999999999999",
            "10GiBs",
            "4096 bytes",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("30", 30_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1m 30s", 90_000),
            ("1.5s", 1_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "0",
            "0s",
            "1x",
            "soon",
            "1 fortnight",
            "99999999999999999999",
            "99999999999999999999s",
            "2 m ago",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers() {
        let (name, value) = header("X-Token:  a: b ").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-token", "a: b"));
        assert_eq!(header("Accept:").unwrap().1, "");
        for text in ["", "Accept", "A B: c", ": c", "A: b\r\nC: d", "Ä: b"] {
            assert!(header(text).is_err(), "{text:?}");
        }
    }
}
