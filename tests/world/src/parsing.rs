//! What bytes from a server and from the disk are taken for.

use dlmanager_core::testing::{HeadFields, is_same_version, with_checksum};
use dlmanager_core::{Algorithm, BootId, Digest, FileName, NameRule, Record, Validator};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Which of the records were accepted.
#[derive(Debug, Default, Clone, Copy)]
pub struct Recorded {
    /// The data itself, or the data with a checksum that fits.
    pub decoded: bool,
    /// A record whose fields the data gives.
    pub encoded: bool,
}

/// Takes the data for a record, and for the fields of one: a URL, a validator, and numbers, a line each.
///
/// # Panics
///
/// Where a record is not read as it was written, or one is read that nobody wrote.
pub fn records_body(data: &[u8]) -> Recorded {
    let mut recorded = Recorded::default();
    let hashed = with_checksum(data);
    for bytes in [data, &hashed] {
        if let Ok(record) = Record::decode(bytes) {
            recorded.decoded = true;
            assert!(bytes.len() <= Record::BYTES_MAX);
            assert_eq!(record.encode().expect("what was decoded can be encoded"), bytes, "one encoding");
            assert!(record.total.is_none_or(|total| record.durable <= total), "{record:?}");
            assert!(record.url.bytes().all(|byte| byte.is_ascii_graphic()), "{record:?}");
            check_validator(&record.validator);
        }
    }
    let record = record_of(data);
    if let Some(encoded) = record.encode() {
        recorded.encoded = true;
        assert_eq!(Record::decode(&encoded).as_ref(), Ok(&record));
        let other = Record { durable: 0, ..record }.encode().expect("only the durable length differs");
        assert_eq!(encoded.len(), other.len(), "a record is overwritten in place");
        let at = data.len() % encoded.len();
        let mut changed = encoded.to_vec();
        changed[at] ^= data.first().copied().unwrap_or(0) | 1;
        assert!(Record::decode(&changed).is_err(), "byte {at} was changed");
        assert!(Record::decode(&encoded[..at]).is_err(), "cut at {at}");
    }
    recorded
}

/// The record whose fields are the lines of the data; what is missing is empty.
fn record_of(data: &[u8]) -> Record {
    let mut lines = data.splitn(3, |&byte| byte == b'\n');
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned().into_boxed_str();
    let (url, validator) = (text(), text());
    let numbers = lines.next().unwrap_or_default();
    let number = |at: usize| {
        let bytes = numbers.get(at..at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let boot = numbers.get(16..32).and_then(|bytes| bytes.try_into().ok()).map(BootId);
    let dated = validator.ends_with("GMT") || validator.ends_with(|c: char| c.is_ascii_digit());
    let validator = if dated { Validator::LastModified(validator) } else { Validator::Etag(validator) };
    Record { url, validator, durable: number(0).unwrap_or(0), total: number(8), boot }
}

/// What the fields of a head came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Parsed {
    /// There was a strong validator.
    pub validator: bool,
    /// The time of the file was given.
    pub last_modified: bool,
    /// The body was part of a whole.
    pub part: bool,
    /// The server asked for patience.
    pub retry_after: bool,
    /// A name was suggested.
    pub suggested: bool,
    /// And it was one.
    pub named: bool,
    /// There was a digest.
    pub digest: bool,
}

/// Takes each line of the data for a field, whose name its first byte chooses, and reads them all.
///
/// # Panics
///
/// Where a field is taken for what it cannot be.
pub fn parsers_body(data: &[u8]) -> Parsed {
    let mut headers = HeaderMap::new();
    for line in data.split(|&byte| byte == b'\n') {
        if let Some((&name, value)) = line.split_first()
            && let (Some(name), Ok(value)) = (field(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    let fields = HeadFields::of(&headers);
    if let Some(validator) = &fields.validator {
        check_validator(validator);
        assert!(is_same_version(&headers, &headers), "a strong validator tells a version by itself");
        let name = match validator {
            Validator::Etag(_) => header::ETAG,
            Validator::LastModified(_) => header::LAST_MODIFIED,
        };
        assert!(headers.get_all(name).iter().all(|value| value == validator.as_str()), "{validator:?}");
    }
    if let Some(stamp) = fields.last_modified {
        assert!(stamp.as_nanos() >= 0 && stamp.as_nanos() % 1_000_000_000 == 0, "{stamp:?}");
    }
    if let Some((first, last)) = fields.part {
        assert!(first <= last && last < fields.total.unwrap_or(u64::MAX), "{fields:?}");
    }
    let mut named = false;
    if let Some(text) = &fields.file_name {
        named = FileName::from_suggestion(text).is_ok();
        match FileName::sanitized(text) {
            Ok(name) => {
                assert_eq!(FileName::from_suggestion(name.as_str()).as_ref(), Ok(&name));
                assert_eq!(named, name.as_str() == text, "only what is no name is changed");
            }
            Err(error) => assert_eq!(error.rule(), NameRule::Empty, "{text:?}"),
        }
    }
    for digests in [&fields.repr_digests, &fields.content_digests] {
        let of = |algorithm| digests.iter().filter(|digest: &&Digest| digest.algorithm() == algorithm).count();
        let (short, long) = (of(Algorithm::Sha256), of(Algorithm::Sha512));
        assert!(short <= 1 && long <= 1 && digests.len() == short + long, "{digests:?}");
    }
    Parsed {
        validator: fields.validator.is_some(),
        last_modified: fields.last_modified.is_some(),
        part: fields.part.is_some(),
        retry_after: fields.retry_after.is_some(),
        suggested: fields.file_name.is_some(),
        named,
        digest: !fields.repr_digests.is_empty() || !fields.content_digests.is_empty(),
    }
}

fn field(name: u8) -> Option<HeaderName> {
    Some(match name {
        b'c' => HeaderName::from_static("content-digest"),
        b'd' => header::DATE,
        b'e' => header::ETAG,
        b'm' => header::LAST_MODIFIED,
        b'n' => header::CONTENT_DISPOSITION,
        b'p' => HeaderName::from_static("repr-digest"),
        b'r' => header::CONTENT_RANGE,
        b'w' => header::RETRY_AFTER,
        _ => return None,
    })
}

/// Whether it can be sent back as it is, and compared.
fn check_validator(validator: &Validator) {
    assert!(HeaderValue::from_str(validator.as_str()).is_ok(), "{validator:?}");
    if let Validator::Etag(text) = validator {
        assert!(text.len() >= 2 && text.starts_with('"') && text.ends_with('"'), "{text:?}");
    }
}
