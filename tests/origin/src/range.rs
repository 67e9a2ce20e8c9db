//! Which part of a body a request asks for (RFC 9110 section 14).

use crate::record::Request;
use crate::reply::Reply;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Whole,
    Part {
        first: u64,
        /// The last byte, which belongs to the part.
        last: u64,
    },
    Unsatisfiable,
}

pub(crate) fn select(reply: &Reply, request: &Request) -> Selection {
    let range = request.header("Range").filter(|_| reply.ranges && request.method == "GET");
    let Some(range) = range else { return Selection::Whole };
    if let Some(validator) = request.header("If-Range") {
        let same_etag = reply.etag.as_deref() == Some(validator) && !validator.starts_with("W/");
        if !same_etag && reply.given_header("Last-Modified") != Some(validator) {
            return Selection::Whole;
        }
    }
    select_range(range, reply.body.len())
}

/// What cannot be parsed, and several ranges at once, are ignored, as a server may.
fn select_range(range: &str, length: u64) -> Selection {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Selection::Whole;
    };
    let number = |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 || length == 0 {
                return Selection::Unsatisfiable;
            }
            Selection::Part { first: length.saturating_sub(suffix), last: length - 1 }
        }
        (Some(first), last_given) if last.is_empty() || last_given.is_some_and(|last| last >= first) => {
            if first >= length {
                return Selection::Unsatisfiable;
            }
            Selection::Part { first, last: last_given.unwrap_or(u64::MAX).min(length - 1) }
        }
        _ => Selection::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_rfc() {
        let part = |first, last| Selection::Part { first, last };
        for (range, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-99", part(0, 99)),
            ("bytes=10-", part(10, 99)),
            ("bytes=99-500", part(99, 99)),
            ("bytes=-1", part(99, 99)),
            ("bytes=-500", part(0, 99)),
            ("bytes=100-", Selection::Unsatisfiable),
            ("bytes=100-200", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=5-4", Selection::Whole),
            ("bytes=0-1,5-6", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("bytes=x-", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("lines=1-2", Selection::Whole),
        ] {
            assert_eq!(select_range(range, 100), expected, "{range}");
        }
        assert_eq!(select_range("bytes=0-", 0), Selection::Unsatisfiable);
        assert_eq!(select_range("bytes=-5", 0), Selection::Unsatisfiable);
    }
}
