//! `Content-Range` (RFC 9110 section 14.4), strictly: bytes that land at the wrong place of a file are worse than none.

use http::HeaderMap;
use http::header::CONTENT_RANGE;

use crate::field::{digits, single};

/// What the field says of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// `bytes 0-99/200`: it is these bytes of the whole.
    Part {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last one, not before the first; `last + 1` can be represented.
        last: u64,
        /// Length of the whole, beyond `last`; `None` where the server does not know it (`*`).
        total: Option<u64>,
    },
    /// `bytes */200`: the range asked for does not lie in the whole, which has this length.
    Unsatisfied {
        /// Length of the whole.
        total: u64,
    },
}

impl ContentRange {
    /// The length of the whole, where it is known.
    pub(crate) const fn total(&self) -> Option<u64> {
        match self {
            Self::Part { total, .. } => *total,
            Self::Unsatisfied { total } => Some(*total),
        }
    }

    /// It is all of the whole.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Part { first: 0, last, total: Some(total) } if last + 1 == *total)
    }
}

/// Reads the field. One that is not exactly as the standard has it, counts another unit than bytes, or contradicts
/// itself, is an error.
pub(crate) fn parse(headers: &HeaderMap) -> Result<Option<ContentRange>, ()> {
    single(headers, &CONTENT_RANGE)?.map(|value| content_range(value.as_bytes()).ok_or(())).transpose()
}

/// The field says, or may say, that the body is only a part of the whole.
pub(crate) fn is_part(headers: &HeaderMap) -> bool {
    parse(headers).map_or(true, |range| range.is_some_and(|range| !range.is_whole()))
}

fn content_range(text: &[u8]) -> Option<ContentRange> {
    let (unit, rest) = split_once(text, b' ')?;
    // The names of units do not differ by case (section 14.1).
    unit.eq_ignore_ascii_case(b"bytes").then_some(())?;
    let (range, total) = split_once(rest, b'/')?;
    let total = if total == b"*" { None } else { Some(digits(total).ok()?) };
    if range == b"*" {
        return total.map(|total| ContentRange::Unsatisfied { total });
    }
    let (first, last) = split_once(range, b'-')?;
    let (first, last) = (digits(first).ok()?, digits(last).ok()?);
    let whole = total.unwrap_or(u64::MAX);
    (first <= last && last < whole).then_some(ContentRange::Part { first, last, total })
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn parsed(values: &[&str]) -> Result<Option<ContentRange>, ()> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_RANGE, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        parse(&headers)
    }

    fn part(first: u64, last: u64, total: Option<u64>) -> Result<Option<ContentRange>, ()> {
        Ok(Some(ContentRange::Part { first, last, total }))
    }

    #[test]
    fn parts_and_wholes() {
        const ALMOST: u64 = u64::MAX - 1;
        assert_eq!(parsed(&[]), Ok(None));
        assert_eq!(parsed(&["bytes 0-0/1"]), part(0, 0, Some(1)));
        assert_eq!(parsed(&["bytes 0-99/200"]), part(0, 99, Some(200)));
        assert_eq!(parsed(&["bytes 100-199/200"]), part(100, 199, Some(200)));
        assert_eq!(parsed(&["bytes 0-99/*"]), part(0, 99, None));
        assert_eq!(parsed(&["Bytes 007-8/9"]), part(7, 8, Some(9)));
        assert_eq!(parsed(&[&format!("bytes 0-{ALMOST}/{}", u64::MAX)]), part(0, ALMOST, Some(u64::MAX)));
        assert_eq!(parsed(&["bytes */0"]), Ok(Some(ContentRange::Unsatisfied { total: 0 })));
        assert_eq!(parsed(&["bytes */200"]), Ok(Some(ContentRange::Unsatisfied { total: 200 })));
        assert_eq!(parsed(&["bytes 1-2/3", "bytes 1-2/3"]), part(1, 2, Some(3)));
    }

    #[test]
    fn what_is_not_exactly_right_is_refused() {
        for value in [
            "",
            "bytes",
            "bytes ",
            "bytes 0-99",
            "bytes 0-99/",
            "bytes /200",
            "bytes 0/200",
            "bytes -99/200",
            "bytes 0-/200",
            "bytes -/200",
            "bytes */*",
            "bytes *-*/200",
            "bytes *-99/200",
            "bytes 0-*/200",
            "bytes 100-99/200",
            "bytes 0-200/200",
            "bytes 0-0/0",
            "bytes 200-299/200",
            "bytes +0-99/200",
            "bytes 0-+99/200",
            "bytes 0--99/200",
            "bytes 0-99/+200",
            "bytes 0-99/-1",
            "bytes 0-99/**",
            "bytes 0-99/0x80",
            "bytes 0x0-99/200",
            "bytes 0-99/2e2",
            "bytes 0-99/200/300",
            "bytes 0-99/200, bytes 100-199/200",
            "bytes 0-99,100-199/200",
            "bytes=0-99/200",
            "bytes: 0-99/200",
            "bytes\t0-99/200",
            "bytes  0-99/200",
            " bytes 0-99/200",
            "bytes 0-99/200 ",
            "bytes 0 - 99/200",
            "bytes 0-99 / 200",
            "bytes 0-99/ 200",
            "0-99/200",
            "items 0-99/200",
            "byte 0-99/200",
            "bytes 0-18446744073709551615/*",
            "bytes 0-18446744073709551616/*",
            "bytes 0-1/18446744073709551616",
            "bytes 99999999999999999999-99999999999999999999/*",
            "bytes \u{661}-9/10",
        ] {
            assert_eq!(parsed(&[value]), Err(()), "{value:?}");
        }
        assert_eq!(parsed(&["bytes 1-2/3", "bytes 1-2/4"]), Err(()));
        assert_eq!(parsed(&["bytes 1-2/3", "bytes 1-2/*"]), Err(()));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(first in any::<u64>(), last in any::<u64>(), total in any::<Option<u64>>()) {
            let text = format!("bytes {first}-{last}/{}", total.map_or("*".into(), |total| format!("{total}")));
            let sound = first <= last && last < total.unwrap_or(u64::MAX);
            prop_assert_eq!(parsed(&[&text]), if sound { part(first, last, total) } else { Err(()) });
        }

        #[test]
        fn what_is_read_lies_in_the_whole(text in "bytes [0-9*]{0,3}-?[0-9*]{0,3}/[0-9*]{0,3}") {
            if let Ok(Some(ContentRange::Part { first, last, total })) = parsed(&[&text]) {
                prop_assert!(first <= last && total.is_none_or(|total| last < total), "{}", text);
            }
        }
    }
}
