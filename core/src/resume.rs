//! Going on where it stopped: which bytes are kept, and what a reply to a request for the rest means.
//!
//! The rule above all: bytes of two versions never end up in one file. A version is told by a strong validator (RFC 9110
//! section 8.8), which `If-Range` (section 13.1.5) puts before the server, and which the reply has to show again.

use alloc::boxed::Box;

use http::header::{CONTENT_LENGTH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use url::{Position, Url};

use crate::content_range::{self, ContentRange};
use crate::planted::Planted;
use crate::record::{Record, Validator};
use crate::version::Version;
use crate::{BootId, Config, Head};

/// What tells the version that unfinished bytes belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Two versions never share it.
    Strong(Validator),
    /// Good enough to go on within a run, with an equal total beside it.
    WithinRun(Box<Version>),
}

impl Identity {
    /// What a head says of the version, where that is enough to go on with it.
    pub(crate) fn of(version: Version) -> Option<Self> {
        match version.into_validator() {
            Ok(validator) => Some(Self::Strong(validator)),
            Err(version) => version.last_modified.is_some().then(|| Self::WithinRun(Box::new(version))),
        }
    }

    pub(crate) const fn strong(&self) -> Option<&Validator> {
        match self {
            Self::Strong(validator) => Some(validator),
            Self::WithinRun(_) => None,
        }
    }

    /// Whether the head is of the same version. A validator that is not shown again is none.
    fn is_shown_by(&self, version: &Version) -> bool {
        match self {
            Self::Strong(validator @ Validator::Etag(_)) => version.validator().as_ref() == Some(validator),
            // Whether it is strong here as well depends on when the reply was made.
            Self::Strong(Validator::LastModified(text)) => {
                version.etag.is_none() && version.last_modified.as_ref().is_some_and(|modified| modified.text == *text)
            }
            Self::WithinRun(before) => before.same_within_run(version),
        }
    }
}

/// What is known of an unfinished file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    pub(crate) identity: Option<Identity>,
    pub(crate) total: Option<u64>,
    /// Which resource they are of: a validator says nothing about another one (RFC 9110 section 8.8.1).
    pub(crate) source: Box<str>,
}

/// What tells a resource that a redirect may lead to: its origin and path. What stands in the query is often a signature
/// that differs each time.
pub(crate) fn source_of(url: &Url) -> Box<str> {
    url[..Position::AfterPath].into()
}

impl Known {
    /// Whether a request for the rest can be answered by something that fits.
    pub(crate) const fn is_resumable(&self) -> bool {
        match &self.identity {
            Some(Identity::Strong(_)) => true,
            Some(Identity::WithinRun(_)) => self.total.is_some(),
            None => false,
        }
    }
}

/// A request for the rest of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) offset: u64,
    pub(crate) known: &'a Known,
    /// Whether the validator was sent as `If-Range`.
    pub(crate) if_range: bool,
    /// Whether the resource that is asked is the one that the bytes are of.
    pub(crate) is_there: bool,
}

/// What a reply to a request for the rest means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// Its body goes on where the file ends. It reaches to `end`, of `total` bytes.
    Append { end: u64, total: u64 },
    /// Its body is the whole file, from its first byte on.
    Whole,
    /// It is of no use: the file has to be asked for from its first byte on.
    StartOver,
    /// The server does not take its own validator: to be asked again without `If-Range`.
    AskWithoutIfRange,
    /// It says nothing about the range.
    Other,
}

impl Asked<'_> {
    /// The fields that ask for the rest.
    pub(crate) fn fields(&self, headers: &mut HeaderMap) {
        if let Ok(range) = HeaderValue::from_str(&alloc::format!("bytes={}-", self.offset)) {
            headers.insert(RANGE, range);
        }
        let validator = self.known.identity.as_ref().and_then(Identity::strong).filter(|_| self.if_range);
        if let Some(value) = validator.and_then(|validator| HeaderValue::from_str(validator.as_str()).ok()) {
            headers.insert(IF_RANGE, value);
        }
    }

    /// The same, unless a mistake is to be made.
    pub(crate) fn judge_by(&self, head: &Head, config: &Config) -> Resumed {
        let part = content_range::parse(&head.headers);
        let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        match (head.status, part, length) {
            (StatusCode::PARTIAL_CONTENT, Ok(Some(ContentRange::Part { first, last, total: Some(total) })), _)
                if config.makes(Planted::RangeStartUnchecked)
                    || (config.makes(Planted::ValidatorIgnored) && first == self.offset) =>
            {
                Resumed::Append { end: last + 1, total }
            }
            (StatusCode::OK, _, Some(length)) if config.makes(Planted::WholeAppended) => {
                Resumed::Append { end: self.offset + length, total: self.offset + length }
            }
            _ => self.judge(head),
        }
    }

    /// Judges the reply by its head.
    pub(crate) fn judge(&self, head: &Head) -> Resumed {
        let version = Version::of(&head.headers);
        match head.status {
            StatusCode::PARTIAL_CONTENT => self.judge_part(head, &version),
            // Some servers answer with a part and call it 200, where the field should mean nothing (RFC 9110 section 14.4). The
            // length tells whether it is one.
            StatusCode::OK if content_range::is_part(&head.headers) => match head.headers.get(CONTENT_LENGTH) {
                Some(_) => self.judge_part(head, &version),
                None => Resumed::StartOver,
            },
            StatusCode::OK => {
                let etag = self.known.identity.as_ref().and_then(Identity::strong);
                let etag = etag.filter(|validator| matches!(validator, Validator::Etag(_)));
                let same = etag.is_some() && version.validator().as_ref() == etag;
                if self.if_range && same && self.is_there { Resumed::AskWithoutIfRange } else { Resumed::Whole }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Resumed::StartOver,
            _ => Resumed::Other,
        }
    }

    fn judge_part(&self, head: &Head, version: &Version) -> Resumed {
        let Ok(Some(ContentRange::Part { first, last, total: Some(total) })) = content_range::parse(&head.headers)
        else {
            return Resumed::StartOver;
        };
        let same_total = self.known.total.is_none_or(|known| known == total);
        let same_version = self.known.identity.as_ref().is_some_and(|identity| identity.is_shown_by(version));
        // A length that contradicts the range leaves open which of the two is true.
        let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
        let length = alloc::format!("{}", last - first + 1);
        let same_length = lengths.all(|value| value.as_bytes() == length.as_bytes());
        if first == self.offset && same_total && same_version && same_length && self.is_there {
            Resumed::Append { end: last + 1, total }
        } else {
            Resumed::StartOver
        }
    }
}

/// How many bytes of a file that an earlier run left can be kept: it has `length` bytes, and this record beside it.
/// `None`: start over.
pub(crate) fn kept(record: &Record, url: &str, boot: Option<BootId>, length: u64) -> Option<u64> {
    // Behind `#` stands what it redirected to.
    if record.url.split('#').next() != Some(url) {
        return None;
    }
    let offset = if boot.is_some() && record.boot == boot {
        // The process died and not the machine: what it wrote is there, in order. Somebody else has cut what is shorter
        // than it was flushed, and the record would lead what is written from there on.
        Some(length).filter(|length| record.durable <= *length)?
    } else {
        Some(record.durable).filter(|durable| *durable <= length)?
    };
    let fits = record.total.is_none_or(|total| offset <= total);
    Some(offset).filter(|offset| *offset > 0 && fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::string::String;
    use http::{HeaderName, Version as HttpVersion};

    const DATE: (&str, &str) = ("date", "Thu, 01 Jan 2026 01:00:00 GMT");
    const OLD: (&str, &str) = ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
    const YOUNG: (&str, &str) = ("last-modified", "Thu, 01 Jan 2026 00:59:59 GMT");
    const A: (&str, &str) = ("etag", "\"a\"");
    const B: (&str, &str) = ("etag", "\"b\"");
    const REST: (&str, &str) = ("content-range", "bytes 40-99/100");

    fn head(status: u16, fields: &[(&'static str, &'static str)]) -> Head {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Head { version: HttpVersion::HTTP_11, status: StatusCode::from_u16(status).unwrap(), headers }
    }

    fn known(fields: &[(&'static str, &'static str)], total: Option<u64>) -> Known {
        let identity = Identity::of(Version::of(&head(200, fields).headers));
        Known { identity, total, source: "http://a/".into() }
    }

    /// Asks for the rest from 40 of what these fields described, and judges a reply.
    fn judged(
        before: &[(&'static str, &'static str)],
        if_range: bool,
        status: u16,
        reply: &[(&'static str, &'static str)],
    ) -> Resumed {
        let known = known(before, Some(100));
        let asked = Asked { offset: 40, known: &known, if_range, is_there: true };
        let elsewhere = Asked { is_there: false, ..asked }.judge(&head(status, reply));
        let resumed = asked.judge(&head(status, reply));
        match resumed {
            Resumed::Append { .. } => {
                assert_eq!(elsewhere, Resumed::StartOver, "the same validator of another resource");
            }
            Resumed::AskWithoutIfRange => assert_eq!(elsewhere, Resumed::Whole),
            Resumed::Whole | Resumed::StartOver | Resumed::Other => assert_eq!(elsewhere, resumed),
        }
        resumed
    }

    #[test]
    fn a_206_with_the_asked_start_the_same_total_and_validator_is_appended() {
        let rest = Resumed::Append { end: 100, total: 100 };
        assert_eq!(judged(&[A], true, 206, &[A, REST]), rest);
        assert_eq!(judged(&[A], false, 206, &[A, REST]), rest);
        assert_eq!(judged(&[A], true, 206, &[A, REST, ("content-length", "60")]), rest);
        assert_eq!(judged(&[OLD, DATE], true, 206, &[OLD, REST]), rest);
        assert_eq!(judged(&[YOUNG, DATE], false, 206, &[YOUNG, REST]), rest);
        let part = Resumed::Append { end: 60, total: 100 };
        assert_eq!(judged(&[A], true, 206, &[A, ("content-range", "bytes 40-59/100")]), part);
    }

    #[test]
    fn a_206_that_is_not_the_rest_of_that_version_starts_over() {
        for reply in [
            &[A, ("content-range", "bytes 39-99/100")][..],
            &[A, ("content-range", "bytes 41-99/100")],
            &[A, ("content-range", "bytes 0-99/100")],
            &[A, ("content-range", "bytes 40-100/101")],
            &[A, ("content-range", "bytes 40-99/*")],
            &[A, ("content-range", "bytes */100")],
            &[A, ("content-range", "bytes 40-99")],
            &[A, REST, ("content-range", "bytes 41-99/100")],
            &[A, REST, ("content-length", "61")],
            &[A, ("content-type", "multipart/byteranges; boundary=x")],
            &[A],
            &[B, REST],
            &[REST],
            &[("etag", "W/\"a\""), REST],
            &[OLD, DATE, REST],
        ] {
            for if_range in [true, false] {
                assert_eq!(judged(&[A], if_range, 206, reply), Resumed::StartOver, "{reply:?}");
            }
        }
        assert_eq!(judged(&[OLD, DATE], true, 206, &[YOUNG, DATE, REST]), Resumed::StartOver);
        assert_eq!(judged(&[OLD, DATE], true, 206, &[REST]), Resumed::StartOver);
        assert_eq!(judged(&[YOUNG, DATE], false, 206, &[OLD, DATE, REST]), Resumed::StartOver);
        assert_eq!(judged(&[], false, 206, &[REST]), Resumed::StartOver);
    }

    #[test]
    fn a_200_is_the_whole_file_unless_the_server_does_not_take_its_own_validator() {
        for reply in [&[B][..], &[], &[("etag", "W/\"a\"")], &[OLD, DATE]] {
            assert_eq!(judged(&[A], true, 200, reply), Resumed::Whole);
        }
        assert_eq!(judged(&[A], true, 200, &[A]), Resumed::AskWithoutIfRange);
        assert_eq!(judged(&[A], false, 200, &[A]), Resumed::Whole);
        assert_eq!(judged(&[OLD, DATE], true, 200, &[OLD, DATE]), Resumed::Whole);
        assert_eq!(judged(&[YOUNG, DATE], false, 200, &[YOUNG, DATE]), Resumed::Whole);
    }

    #[test]
    fn a_200_that_says_that_it_is_a_part_is_not_taken_for_the_whole() {
        let rest = Resumed::Append { end: 100, total: 100 };
        for if_range in [true, false] {
            let judged = |reply: &[_]| judged(&[A], if_range, 200, reply);
            assert_eq!(judged(&[A, REST, ("content-length", "60")]), rest);
            // The whole by its length, or nobody knows.
            assert_eq!(judged(&[A, REST, ("content-length", "100")]), Resumed::StartOver);
            assert_eq!(judged(&[A, REST]), Resumed::StartOver);
            assert_eq!(judged(&[B, REST, ("content-length", "60")]), Resumed::StartOver);
            assert_eq!(
                judged(&[A, ("content-range", "bytes=40-99/100"), ("content-length", "60")]),
                Resumed::StartOver
            );
            // The whole, and that is what it says.
            let whole = [B, ("content-range", "bytes 0-99/100"), ("content-length", "100")];
            assert_eq!(judged(&whole), Resumed::Whole);
        }
    }

    #[test]
    fn a_416_starts_over_and_other_statuses_say_nothing() {
        assert_eq!(judged(&[A], true, 416, &[A, ("content-range", "bytes */100")]), Resumed::StartOver);
        for status in [204, 301, 404, 500, 503] {
            assert_eq!(judged(&[A], true, status, &[A, REST]), Resumed::Other);
        }
    }

    #[test]
    fn the_validator_is_sent_where_it_is_strong() {
        let fields = |before: &[(&'static str, &'static str)], if_range| {
            let known = known(before, Some(100));
            let mut headers = HeaderMap::new();
            Asked { offset: 40, known: &known, if_range, is_there: true }.fields(&mut headers);
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
            (text(RANGE), text(IF_RANGE))
        };
        let range = || "bytes=40-".to_owned();
        assert_eq!(fields(&[A], true), (range(), "\"a\"".to_owned()));
        assert_eq!(fields(&[A], false), (range(), String::new()));
        assert_eq!(fields(&[OLD, DATE], true), (range(), OLD.1.to_owned()));
        assert_eq!(fields(&[YOUNG, DATE], true), (range(), String::new()));
        assert_eq!(fields(&[("etag", "W/\"a\"")], true), (range(), String::new()));
    }

    #[test]
    fn without_a_validator_nothing_is_gone_on_with() {
        assert!(known(&[A], None).is_resumable() && known(&[OLD, DATE], None).is_resumable());
        assert!(known(&[YOUNG, DATE], Some(1)).is_resumable() && !known(&[YOUNG, DATE], None).is_resumable());
        assert!(!known(&[], Some(1)).is_resumable() && !known(&[("etag", "W/\"a\"")], Some(1)).is_resumable());
    }

    #[test]
    fn what_an_earlier_run_left_is_kept_as_far_as_it_can_be_trusted() {
        let (here, other) = (Some(BootId([1; 16])), Some(BootId([2; 16])));
        let record = |boot, total, durable| Record {
            url: "http://a/".into(),
            validator: Validator::Etag("\"a\"".into()),
            total,
            boot,
            durable,
        };
        let kept = |record: Record, boot, length| kept(&record, "http://a/", boot, length);
        assert_eq!(kept(record(here, Some(100), 10), here, 40), Some(40), "the process died");
        assert_eq!(kept(record(here, None, 10), here, 40), Some(40));
        assert_eq!(kept(record(here, Some(100), 40), here, 40), Some(40));
        assert_eq!(kept(record(here, Some(100), 41), here, 40), None, "somebody has cut it");
        assert_eq!(kept(record(here, Some(100), 10), other, 40), Some(10), "the machine died");
        assert_eq!(kept(record(here, Some(100), 40), other, 40), Some(40));
        assert_eq!(kept(record(here, Some(100), 41), other, 40), None, "shorter than it was flushed");
        assert_eq!(kept(record(here, Some(100), 0), other, 40), None, "nothing was flushed");
        assert_eq!(kept(record(None, Some(100), 10), None, 40), Some(10), "which start it was is not known");
        assert_eq!(kept(record(here, Some(100), 0), here, 100), Some(100), "complete");
        assert_eq!(kept(record(here, Some(100), 0), here, 101), None, "longer than the file is");
        assert_eq!(kept(record(here, Some(100), 0), here, 0), None);
        let elsewhere = super::kept(&record(here, Some(100), 10), "http://b/", here, 40);
        assert_eq!(elsewhere, None, "of another URL");
    }
}
