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

const DURATION_FORM: &str = "a duration is a number with a unit: 500ms, 30s, 2m, 1h";
const MORE_THAN_ZERO: &str = "it must be more than zero";
const TOO_LONG: &str = "it is too long";

/// Parses a duration of more than zero: `30s`, `2m`, `500ms`, `1h30m`, `1.5s`. A bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let parsed: Result<SignedDuration, _> =
        if is_whole_number(text) { format!("{text}s").parse() } else { text.parse() };
    let is_whole = ["", "ms", "s", "m", "h"].iter().any(|unit| text.strip_suffix(unit).is_some_and(is_whole_number));
    let duration = parsed.map_err(|_| if is_whole { TOO_LONG } else { DURATION_FORM })?;
    match Duration::try_from(duration) {
        Ok(Duration::ZERO) | Err(_) => Err(MORE_THAN_ZERO.into()),
        Ok(duration) => Ok(duration),
    }
}

fn is_whole_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses an age: a number of days or weeks, or a duration.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    for (unit, seconds) in [("d", 86_400), ("w", 7 * 86_400)] {
        if let Some(number) = text.strip_suffix(unit).filter(|number| is_whole_number(number)) {
            let number = number.parse::<u64>().ok();
            return match number.and_then(|number| number.checked_mul(seconds)) {
                Some(0) => Err(MORE_THAN_ZERO.into()),
                Some(seconds) => Ok(Duration::from_secs(seconds)),
                None => Err(TOO_LONG.into()),
            };
        }
    }
    duration(text).map_err(|error| match error.as_str() {
        DURATION_FORM => "an age is a number with a unit: 30d, 2w, 12h, 90m".into(),
        _ => error,
    })
}

/// Parses a pattern for names. One with a `[` that nothing closes is valid, and hardly what was meant: it would match next
/// to nothing.
pub(crate) fn pattern(text: &str) -> Result<String, String> {
    let mut rest = text;
    while let Some((_, set)) = rest.split_once('[') {
        let members = set.strip_prefix('!').unwrap_or(set);
        // The first character belongs to the set, even where it is a ']'.
        let mut others = members.chars();
        others.next();
        rest = match others.as_str().split_once(']') {
            Some((_, rest)) => rest,
            None => return Err("a '[' has no ']' behind it: for the character itself write '[[]'".into()),
        };
    }
    Ok(text.into())
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

/// Parses a checksum for an option, whose value is told already where it is wrong.
pub(crate) fn digest_option(text: &str) -> Result<Digest, String> {
    digest(text).map_err(|error| {
        let error = error.to_string();
        error.rsplit_once(": ").map_or(error.as_str(), |(_, what)| what).to_owned()
    })
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
    fn ages() {
        for (text, hours) in [("30d", 720), ("2w", 336), ("12h", 12), ("3600", 1), ("120m", 2)] {
            assert_eq!(age(text), Ok(Duration::from_secs(hours * 3600)), "{text}");
        }
        for text in ["0", "0d", "0w", "0h", "-1h"] {
            assert_eq!(age(text), Err(MORE_THAN_ZERO.into()), "{text}");
        }
        for text in ["99999999999999999999", "99999999999999999999w", "99999999999999999999h", "9999999999999999999w"] {
            assert_eq!(age(text), Err(TOO_LONG.into()), "{text}");
        }
        for text in ["", "d", "+1d", "1.5d", "old", "1d 2h"] {
            assert!(age(text).unwrap_err().contains("30d"), "{text}");
        }
    }

    #[test]
    fn a_pattern_closes_its_sets() {
        for text in ["", "*", "[a-z]*", "[!a]", "[]]", "[!]]", "[[]", "a]", "[a[]b", "[ä]"] {
            assert_eq!(pattern(text).as_deref(), Ok(text));
        }
        for text in ["[", "a[", "[]", "[!]", "[!", "[a]b[c", "[abc"] {
            assert!(pattern(text).is_err(), "{text}");
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
