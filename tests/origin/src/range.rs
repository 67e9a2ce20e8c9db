//! Which part of a body a request asks for (RFC 9110 section 14), and how it is sent.

use crate::body::Body;
use crate::record::Request;
use crate::reply::{Head, Reply};

/// Ranges are honoured, and this is bent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    ignores_if_range: bool,
    /// How far behind the start that was asked for the part begins.
    moved: i64,
    bytes_max: Option<u64>,
    content_range: ContentRange,
    multipart: bool,
}

#[derive(Clone, Debug, Default)]
enum ContentRange {
    #[default]
    True,
    Missing,
    Said(String),
}

/// Ranges (RFC 9110 section 14), as they should be.
impl Reply {
    /// Honours `Range` with one range of a GET, and `If-Range` by a strong [`Reply::etag`] or by a `Last-Modified` header
    /// that is the same to the letter: 206, or 416. Anything else gets the whole body.
    #[must_use]
    pub fn ranges(self) -> Self {
        self.bend(|_| {})
    }
}

/// Ranges, bent. Each of these honours ranges, as [`Reply::ranges`] does, in another way than it should.
impl Reply {
    /// Sends a part whatever `If-Range` says.
    #[must_use]
    pub fn ignore_if_range(self) -> Self {
        self.bend(|ranges| ranges.ignores_if_range = true)
    }

    /// The part begins that many bytes behind what was asked for, or before it, so that it overlaps with what the client
    /// has; it does not go below 0, nor beyond the last byte. Its `Content-Range` tells the truth.
    #[must_use]
    pub fn range_moved(self, bytes: i64) -> Self {
        self.bend(|ranges| ranges.moved = bytes)
    }

    /// The part has at most so many bytes, and at least 1, and says so: which a server may do.
    #[must_use]
    pub fn range_bytes_max(self, bytes_max: u64) -> Self {
        self.bend(|ranges| ranges.bytes_max = Some(bytes_max.max(1)))
    }

    /// The part's `Content-Range` is this text, in which `{first}`, `{last}` and `{total}` stand for the true values:
    /// `bytes {first}-{last}/*`.
    #[must_use]
    pub fn content_range(self, text: &str) -> Self {
        self.bend(|ranges| ranges.content_range = ContentRange::Said(text.to_owned()))
    }

    /// The part has no `Content-Range`.
    #[must_use]
    pub fn no_content_range(self) -> Self {
        self.bend(|ranges| ranges.content_range = ContentRange::Missing)
    }

    /// The part comes as the only one of a `multipart/byteranges`, although one range was asked for.
    #[must_use]
    pub fn multipart(self) -> Self {
        self.bend(|ranges| ranges.multipart = true)
    }

    /// Another answer to a request that has a `Range`.
    ///
    /// ```
    /// # use dlmanager_origin::{Reply, Resource};
    /// let tool = Resource::new(1, 1000);
    /// // It says that there is nothing at that place, whatever is asked for.
    /// let reply = tool.reply(1).to_range(Reply::empty(416).header("Content-Range", "bytes */1000"));
    /// ```
    #[must_use]
    pub fn to_range(mut self, reply: Self) -> Self {
        self.to_range = Some(Box::new(reply));
        self
    }

    /// Another answer to a request that has a `Range` with `If-Range`. It comes before that of [`Reply::to_range`].
    #[must_use]
    pub fn to_if_range(mut self, reply: Self) -> Self {
        self.to_if_range = Some(Box::new(reply));
        self
    }

    fn bend(mut self, bend: impl FnOnce(&mut Ranges)) -> Self {
        bend(self.ranges.get_or_insert_default());
        self
    }

    /// What is answered to this request.
    pub(crate) fn chosen_for(mut self, request: &Request) -> Self {
        while request.header("Range").is_some() {
            let conditional = request.header("If-Range").and_then(|_| self.to_if_range.take());
            match conditional.or_else(|| self.to_range.take()) {
                Some(other) => self = *other,
                None => break,
            }
        }
        self
    }
}

/// What is sent of a reply's body.
pub(crate) struct Part {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// The header lines that go with it.
    pub(crate) lines: Vec<String>,
}

/// Bends the reply to what the request asks for.
pub(crate) fn fit(reply: &mut Reply, request: &Request) -> Part {
    let total = reply.body.len();
    let mut part = Part { offset: 0, length: total, lines: Vec::new() };
    let Some(ranges) = reply.ranges.take() else { return part };
    part.lines.push("Accept-Ranges: bytes".to_owned());
    match select(reply, &ranges, request) {
        Selection::Whole => {}
        Selection::Part { first, last } => {
            set_status(reply, 206);
            let (first, last) = ranges.bent(first, last, total);
            (part.offset, part.length) = (first, last - first + 1);
            let content_range = match &ranges.content_range {
                ContentRange::True => Some(format!("bytes {first}-{last}/{total}")),
                ContentRange::Missing => None,
                ContentRange::Said(text) => {
                    let values = [("{first}", first), ("{last}", last), ("{total}", total)];
                    let said = |text: String, (name, value): (&str, u64)| text.replace(name, &value.to_string());
                    Some(values.into_iter().fold(text.clone(), said))
                }
            };
            let content_range = content_range.map(|text| format!("Content-Range: {text}"));
            if ranges.multipart {
                part.lines.push(format!("Content-Type: multipart/byteranges; boundary={BOUNDARY}"));
                reply.body = enclosed(&reply.body, &part, content_range.as_deref());
                (part.offset, part.length) = (0, reply.body.len());
            } else {
                part.lines.extend(content_range);
            }
        }
        Selection::Unsatisfiable => {
            set_status(reply, 416);
            part.length = 0;
            part.lines.push(format!("Content-Range: bytes */{total}"));
        }
    }
    part
}

const BOUNDARY: &str = "part-of-the-origin";

/// A part as the only one of a multipart body.
fn enclosed(body: &Body, part: &Part, content_range: Option<&str>) -> Body {
    let content_range = content_range.map(|line| format!("{line}\r\n")).unwrap_or_default();
    let head = format!("--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n{content_range}\r\n");
    let mut bytes = vec![0; usize::try_from(part.length).unwrap_or(0)];
    let count = body.read_at(part.offset, &mut bytes);
    bytes.truncate(count);
    Body::bytes([head.as_bytes(), &bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat())
}

fn set_status(reply: &mut Reply, status: u16) {
    if let Head::Status { code, .. } = &mut reply.head {
        *code = status;
    }
}

impl Ranges {
    fn bent(&self, first: u64, last: u64, total: u64) -> (u64, u64) {
        let first = first.saturating_add_signed(self.moved).min(total.saturating_sub(1));
        let last = last.max(first);
        (first, self.bytes_max.map_or(last, |bytes_max| last.min(first.saturating_add(bytes_max - 1))))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selection {
    Whole,
    Part {
        first: u64,
        /// The last byte, which belongs to the part.
        last: u64,
    },
    Unsatisfiable,
}

fn select(reply: &Reply, ranges: &Ranges, request: &Request) -> Selection {
    let range = request.header("Range").filter(|_| request.method == "GET");
    let Some(range) = range else { return Selection::Whole };
    if let Some(validator) = request.header("If-Range").filter(|_| !ranges.ignores_if_range) {
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
