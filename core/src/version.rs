//! What the head of a reply says of the version of a resource: its ETag and its dates (RFC 9110 section 8.8).
//!
//! A file is put together from several replies only where they are known to be of one version. A *strong* validator
//! says so by itself; what cannot be relied on is taken for absent.

use alloc::boxed::Box;

use http::HeaderMap;
use http::header::{DATE, ETAG, LAST_MODIFIED};

use crate::field::agreed;
use crate::{Stamp, Validator, http_date};

/// Longest ETag that is taken for one. Servers write a hash, or a length and a time.
pub(crate) const ETAG_BYTES_MAX: usize = 1_024;

/// How long after the last change a reply must have been made for that date to be a strong validator: within this span
/// the resource may have changed again, and the clocks that wrote the two may differ (section 8.8.2.2; the span is RFC
/// 7232's).
const SETTLED_SECONDS: u64 = 60;

/// What identifies a version, as one reply tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Version {
    pub(crate) etag: Option<EntityTag>,
    pub(crate) last_modified: Option<Modified>,
    /// When the reply was made, in seconds since 1970: read where there is no ETag, as only then it counts.
    pub(crate) date: Option<u64>,
}

/// An ETag (section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityTag {
    /// Versions that share it may differ in their bytes.
    pub(crate) weak: bool,
    /// As sent, with its quotes, and with `W/` where it is weak.
    pub(crate) text: Box<str>,
}

/// When the resource was last changed (section 8.8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modified {
    /// As sent.
    pub(crate) text: Box<str>,
    /// In seconds since 1970.
    pub(crate) seconds: u64,
}

impl Version {
    /// What the head says.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name| core::str::from_utf8(agreed(headers, name)?.as_bytes()).ok();
        let modified = |text: &str| {
            let seconds = http_date::seconds(text.as_bytes())?;
            Some(Modified { text: text.into(), seconds })
        };
        let etag = text(&ETAG).and_then(EntityTag::parse);
        let date = || text(&DATE).and_then(|text| http_date::seconds(text.as_bytes()));
        Self {
            date: if etag.is_none() { date() } else { None },
            etag,
            last_modified: text(&LAST_MODIFIED).and_then(modified),
        }
    }

    /// What a later request can demand by `If-Range`.
    ///
    /// A date serves only where there is no ETag (section 13.1.5): a server that sends a weak one says that the bytes
    /// may change without it.
    pub(crate) fn validator(&self) -> Option<Validator> {
        match (&self.etag, &self.last_modified) {
            (Some(etag), _) => (!etag.weak).then(|| Validator::Etag(etag.text.clone())),
            (None, Some(modified)) => self.is_settled(modified).then(|| Validator::LastModified(modified.text.clone())),
            (None, None) => None,
        }
    }

    /// The [validator](Self::validator), or the version itself where it has none.
    pub(crate) fn into_validator(self) -> Result<Validator, Self> {
        match self {
            Self { etag: Some(EntityTag { weak: false, text }), .. } => Ok(Validator::Etag(text)),
            Self { etag: None, last_modified: Some(modified), date } => {
                let version = Self { etag: None, last_modified: Some(modified), date };
                version.validator().ok_or(version)
            }
            version => Err(version),
        }
    }

    fn is_settled(&self, modified: &Modified) -> bool {
        let settled = modified.seconds.checked_add(SETTLED_SECONDS);
        settled.is_some_and(|settled| self.date.is_some_and(|date| settled <= date))
    }

    /// The time of the file, where it is one that a file system can hold.
    pub(crate) fn last_modified(&self) -> Option<Stamp> {
        let seconds = i64::try_from(self.last_modified.as_ref()?.seconds).ok()?;
        seconds.checked_mul(1_000_000_000).map(Stamp::from_nanos)
    }

    /// Whether two replies of one run are of the same version: an equal strong ETag, else no sign of a difference and an
    /// equal `Last-Modified`. The lengths are for the caller to compare.
    pub(crate) fn same_within_run(&self, other: &Self) -> bool {
        if self.etag != other.etag {
            return false;
        }
        let strong = self.etag.as_ref().is_some_and(|etag| !etag.weak);
        let same_date = self.last_modified.is_some() && self.last_modified == other.last_modified;
        strong || same_date
    }
}

impl EntityTag {
    /// Reads `"text"` or `W/"text"`. The standard allows bytes beyond ASCII as well, of no known encoding: those tags
    /// are left out, since they cannot be told nor kept as text.
    fn parse(text: &str) -> Option<Self> {
        let quoted = text.strip_prefix("W/").unwrap_or(text);
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let valid = text.len() <= ETAG_BYTES_MAX && opaque.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        valid.then(|| Self { weak: quoted.len() != text.len(), text: text.into() })
    }
}

impl Validator {
    /// Whether a head can have held it, so that it may go into a request.
    pub(crate) fn is_well_formed(&self) -> bool {
        match self {
            Self::Etag(text) => EntityTag::parse(text).is_some_and(|etag| !etag.weak),
            Self::LastModified(text) => http_date::seconds(text.as_bytes()).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use http::{HeaderName, HeaderValue};

    const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";
    const MINUTE_LATER: &str = "Sun, 06 Nov 1994 12:01:00 GMT";

    fn version(fields: &[(HeaderName, &str)]) -> Version {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Version::of(&headers)
    }

    fn etag(text: &str) -> Option<Validator> {
        Some(Validator::Etag(text.into()))
    }

    #[test]
    fn a_strong_etag_is_the_validator_as_it_was_sent() {
        let long = format!("\"{}\"", "x".repeat(ETAG_BYTES_MAX - 2));
        for text in ["\"xyzzy\"", "\"\"", "\"W/\"", "\"a,b;c\\\"", "\"'!#~\"", &long] {
            assert_eq!(version(&[(ETAG, text)]).validator(), etag(text), "{text}");
            assert_eq!(
                version(&[(ETAG, text), (LAST_MODIFIED, NOON), (DATE, MINUTE_LATER)]).validator(),
                etag(text),
                "it stands before the date"
            );
        }
    }

    #[test]
    fn what_is_no_etag_is_absent() {
        let long = format!("\"{}\"", "x".repeat(ETAG_BYTES_MAX - 1));
        for text in [
            "",
            "\"",
            "xyzzy",
            "'xyzzy'",
            "\"xyzzy",
            "xyzzy\"",
            "\"a\"b\"",
            "\"a\", \"b\"",
            "\"a b\"",
            "\"a\tb\"",
            "\"ä\"",
            "w/\"a\"",
            "W/a",
            "W/\"",
            "W/",
            "W/W/\"a\"",
            "W/ \"a\"",
            " \"a\"",
            "\"a\" ",
            "\"a\"-gzip",
            "*",
            &long,
        ] {
            let found = version(&[(ETAG, text)]);
            assert_eq!(found.etag, None, "{text:?}");
            assert_eq!(found.validator(), None, "{text:?}");
            let dated = version(&[(ETAG, text), (LAST_MODIFIED, NOON), (DATE, MINUTE_LATER)]);
            assert_eq!(dated.validator(), Some(Validator::LastModified(NOON.into())), "{text:?}");
        }
        assert_eq!(version(&[(ETAG, "\"a\""), (ETAG, "\"b\"")]).validator(), None);
        assert_eq!(version(&[(ETAG, "\"a\""), (ETAG, "\"a\"")]).validator(), etag("\"a\""));
    }

    #[test]
    fn a_weak_etag_is_no_validator_and_forbids_the_date() {
        let weak = version(&[(ETAG, "W/\"a\""), (LAST_MODIFIED, NOON), (DATE, MINUTE_LATER)]);
        assert_eq!(weak.etag, Some(EntityTag { weak: true, text: "W/\"a\"".into() }));
        assert_eq!(weak.validator(), None);
    }

    #[test]
    fn a_date_is_strong_a_minute_later() {
        let validator = |date: &str| version(&[(LAST_MODIFIED, NOON), (DATE, date)]).validator();
        let strong = Some(Validator::LastModified(NOON.into()));
        assert_eq!(validator(MINUTE_LATER), strong);
        assert_eq!(validator("Mon, 07 Nov 1994 12:00:00 GMT"), strong);
        assert_eq!(validator("Sun, 06 Nov 1994 12:00:59 GMT"), None);
        assert_eq!(validator(NOON), None);
        assert_eq!(validator("Sat, 05 Nov 1994 12:00:00 GMT"), None, "changed in the future");
        assert_eq!(validator("a date"), None);
        assert_eq!(version(&[(LAST_MODIFIED, NOON)]).validator(), None, "nobody knows when it was said");
        assert_eq!(version(&[(DATE, NOON)]).validator(), None);
        assert_eq!(version(&[(LAST_MODIFIED, "yesterday"), (DATE, NOON)]).validator(), None);
        let twice = [(LAST_MODIFIED, NOON), (LAST_MODIFIED, MINUTE_LATER), (DATE, "Mon, 07 Nov 1994 12:00:00 GMT")];
        assert_eq!(version(&twice).validator(), None);
        // In whatever form it was sent: it goes back so.
        let old = "Sunday, 06-Nov-94 12:00:00 GMT";
        let validator = version(&[(LAST_MODIFIED, old), (DATE, MINUTE_LATER)]).validator();
        assert_eq!(validator, Some(Validator::LastModified(old.into())));
    }

    #[test]
    fn the_time_of_the_file() {
        let stamp = |text: &str| version(&[(LAST_MODIFIED, text)]).last_modified();
        assert_eq!(stamp("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Stamp::from_nanos(784_111_777_000_000_000)));
        assert_eq!(stamp("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Stamp::from_nanos(0)));
        assert_eq!(stamp("Fri, 31 Dec 9999 23:59:59 GMT"), None, "beyond 64 bits of nanoseconds");
        assert_eq!(stamp("never"), None);
        assert_eq!(Version::default().last_modified(), None);
    }

    #[test]
    fn the_same_version_within_a_run() {
        let same = |one: &[&(HeaderName, &str)], other: &[&(HeaderName, &str)]| {
            let of = |fields: &[&(HeaderName, &str)]| {
                version(&fields.iter().map(|field| (*field).clone()).collect::<Vec<_>>())
            };
            let (one, other) = (of(one), of(other));
            assert_eq!(one.same_within_run(&other), other.same_within_run(&one));
            one.same_within_run(&other)
        };
        let (strong, weak) = ((ETAG, "\"a\""), (ETAG, "W/\"a\""));
        let (noon, later) = ((LAST_MODIFIED, NOON), (LAST_MODIFIED, MINUTE_LATER));
        assert!(same(&[&strong], &[&strong]));
        assert!(same(&[&strong, &noon], &[&strong, &later]), "the ETag is what counts");
        assert!(same(&[&noon], &[&noon]));
        assert!(same(&[&weak, &noon], &[&weak, &noon]));
        // Where nothing is said, nothing is known.
        assert!(!same(&[], &[]));
        assert!(!same(&[&weak], &[&weak]));
        assert!(!same(&[&noon], &[]));
        assert!(!same(&[&noon], &[&later]));
        assert!(!same(&[&(LAST_MODIFIED, "x")], &[&(LAST_MODIFIED, "x")]));
        assert!(!same(&[&strong], &[&(ETAG, "\"b\"")]));
        assert!(!same(&[&strong, &noon], &[&(ETAG, "\"b\""), &noon]));
        assert!(!same(&[&strong, &noon], &[&noon]));
        assert!(!same(&[&strong, &noon], &[&weak, &noon]));
        assert!(!same(&[&weak, &noon], &[&(ETAG, "W/\"b\""), &noon]));
    }

    #[test]
    fn a_validator_that_no_head_can_have_held_is_found_out() {
        for (validator, well_formed) in [
            (Validator::Etag("\"a\"".into()), true),
            (Validator::Etag("W/\"a\"".into()), false),
            (Validator::Etag("a".into()), false),
            (Validator::Etag("\"a\"\r\nx: y".into()), false),
            (Validator::LastModified(NOON.into()), true),
            (Validator::LastModified(String::new().into()), false),
            (Validator::LastModified(format!("{NOON}\r\nx: y").into()), false),
        ] {
            assert_eq!(validator.is_well_formed(), well_formed, "{validator:?}");
        }
    }
}
