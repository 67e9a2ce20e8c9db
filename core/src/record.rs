//! The record beside an unfinished file: what it is a part of, so that a later run can go on with it.
//!
//! ```text
//!   0   8  "dlm-rec\n"
//!   8   1  version of the format: 1
//!   9   1  flags: 1 the total is known, 2 the boot id is known, 4 the validator is a Last-Modified, else an ETag
//!  10   2  length of the URL
//!  12   2  length of the validator
//!  14   8  durable length
//!  22   8  total length; 0 where it is not known
//!  30  16  boot id; 0 where it is not known
//!  46      the URL, the validator
//!       8  the first bytes of the BLAKE3 hash of all before
//! ```
//!
//! Numbers are little-endian. A record is overwritten in place, by one positional write, as the file grows; so its length
//! and layout do not depend on the durable length, and a write that was torn by a crash is told by the hash.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::BootId;
use crate::origin::without_user_info;
use crate::version::ETAG_BYTES_MAX;

const MAGIC: &[u8; 8] = b"dlm-rec\n";
const FORMAT: u8 = 1;

const TOTAL_KNOWN: u8 = 1;
const BOOT_KNOWN: u8 = 2;
const LAST_MODIFIED: u8 = 4;

/// Longest URL that is recorded; servers refuse longer ones as a rule (RFC 9110 section 4.1 asks for 8,000 bytes).
const URL_BYTES_MAX: usize = 8_192;

/// Bytes before the URL.
const FIXED_BYTES: usize = 46;
const CHECKSUM_BYTES: usize = 8;

/// What is known of an unfinished file: where its bytes come from, of which version they are, and how many are safe.
///
/// It lies beside the unfinished file in `.dlmanager/`. The core writes and reads it; a program that shows what is
/// unfinished in a directory may read it as well.
///
/// ```
/// use dlmanager_core::{Record, RecordError, Validator};
///
/// let record = Record {
///     url: "https://example.org/tool.tar.xz".into(),
///     validator: Validator::Etag("\"5f2c-61b0\"".into()),
///     total: Some(1_000_000),
///     boot: None,
///     durable: 65_536,
/// };
/// let bytes = record.encode().unwrap();
/// assert_eq!(Record::decode(&bytes), Ok(record));
/// assert_eq!(Record::decode(&bytes[1..]), Err(RecordError::Broken));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where the bytes come from, without user info; where that redirected elsewhere, the origin and path it led to stand
    /// behind `#`. At most 8 KiB of printable ASCII, as a parsed URL is written.
    pub url: Box<str>,
    /// The version that they are of.
    pub validator: Validator,
    /// Length of the whole file in bytes, where it is known.
    pub total: Option<u64>,
    /// The start of the machine in which the record was written, where it is known.
    pub boot: Option<BootId>,
    /// Length in bytes that survives a loss of power; not beyond `total`.
    pub durable: u64,
}

/// What tells one version of a resource from every other, so that bytes of the two are never mixed (RFC 9110 section
/// 8.8.1).
///
/// ```
/// use dlmanager_core::Validator;
///
/// assert_eq!(Validator::Etag("\"5f2c-61b0\"".into()).as_str(), "\"5f2c-61b0\""); // with its quotes
/// let date = "Sun, 06 Nov 1994 08:49:37 GMT";
/// assert_eq!(Validator::LastModified(date.into()).as_str(), date);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validator {
    /// A strong ETag as sent, with its quotes.
    Etag(Box<str>),
    /// A `Last-Modified` as sent, which is strong by RFC 9110 section 8.8.2.2: the reply was made long enough after it.
    LastModified(Box<str>),
}

impl Validator {
    /// The value as sent, and as `If-Range` takes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Etag(text) | Self::LastModified(text) => text,
        }
    }
}

/// Bytes that are no record to go by.
///
/// ```
/// use dlmanager_core::{Record, RecordError};
///
/// assert_eq!(Record::decode(b""), Err(RecordError::Broken));
/// assert_eq!(Record::decode(b"dlm-rec\n\x02"), Err(RecordError::Version)); // this program knows format 1
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// They are of a newer format.
    #[error("the record is of a newer format")]
    Version,
    /// They are no record, or one that was cut off, changed, or only half written.
    #[error("the record is broken")]
    Broken,
}

impl Record {
    /// Greatest length of an encoded record in bytes.
    pub const BYTES_MAX: usize = FIXED_BYTES + URL_BYTES_MAX + ETAG_BYTES_MAX + CHECKSUM_BYTES;

    /// The record as bytes, as many whatever [`durable`](Self::durable) is.
    ///
    /// `None` where a field is not what its description says, as where the URL is too long: such a download has no
    /// record, and starts over in the next run. What is encoded is always decoded to the same.
    pub fn encode(&self) -> Option<Bytes> {
        self.is_sound().then_some(())?;
        let validator = self.validator.as_str();
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(self.total.is_some(), TOTAL_KNOWN)
            | flag(self.boot.is_some(), BOOT_KNOWN)
            | flag(matches!(self.validator, Validator::LastModified(_)), LAST_MODIFIED);
        let length = FIXED_BYTES + self.url.len() + validator.len() + CHECKSUM_BYTES;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[FORMAT, flags]);
        bytes.extend_from_slice(&u16::try_from(self.url.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(validator.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&self.durable.to_le_bytes());
        bytes.extend_from_slice(&self.total.unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&self.boot.map_or([0; 16], |boot| boot.0));
        bytes.extend_from_slice(self.url.as_bytes());
        bytes.extend_from_slice(validator.as_bytes());
        bytes.extend_from_slice(&checksum(&bytes));
        Some(bytes.into())
    }

    /// The record that these bytes are, all of them.
    ///
    /// # Errors
    ///
    /// They are of a newer format, or no record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        // Before the hash, which a newer format may have elsewhere.
        if bytes.strip_prefix(MAGIC).and_then(<[u8]>::first).is_some_and(|&format| format > FORMAT) {
            return Err(RecordError::Version);
        }
        let record = Self::read(bytes).ok_or(RecordError::Broken)?;
        // One record has one encoding. What differs from it has a hash that does not fit, unknown flags, or a number
        // where none is known.
        if record.encode().is_some_and(|encoded| encoded == bytes) { Ok(record) } else { Err(RecordError::Broken) }
    }

    /// The fields as they stand there, whether they can be right or not.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let _magic: [u8; 8] = reader.array()?;
        let [_format, flags] = reader.array()?;
        let url_length = usize::from(u16::from_le_bytes(reader.array()?));
        let validator_length = usize::from(u16::from_le_bytes(reader.array()?));
        let durable = u64::from_le_bytes(reader.array()?);
        let total = u64::from_le_bytes(reader.array()?);
        let boot = BootId(reader.array()?);
        let url = reader.text(url_length)?;
        let validator = reader.text(validator_length)?;
        Some(Self {
            url,
            validator: match flags & LAST_MODIFIED {
                0 => Validator::Etag(validator),
                _ => Validator::LastModified(validator),
            },
            total: (flags & TOTAL_KNOWN != 0).then_some(total),
            boot: (flags & BOOT_KNOWN != 0).then_some(boot),
            durable,
        })
    }

    /// Whether the fields are what their descriptions say. A file in `.dlmanager/` may be anybody's work, and what it
    /// says goes into a request and onto a terminal.
    fn is_sound(&self) -> bool {
        self.url.len() <= URL_BYTES_MAX
            && self.url.bytes().all(|byte| byte.is_ascii_graphic())
            && without_user_info(&self.url) == *self.url
            && self.validator.is_well_formed()
            && self.total.is_none_or(|total| self.durable <= total)
    }
}

pub(crate) fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES]);
    checksum
}

/// What is left of a record to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn text(&mut self, length: usize) -> Option<Box<str>> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok().map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use proptest::prelude::*;

    fn record() -> Record {
        Record {
            url: "https://example.org/tool.tar.xz?token=1#x".into(),
            validator: Validator::Etag("\"5f2c-61b0\"".into()),
            total: Some(1_000_000),
            boot: Some(BootId([7; 16])),
            durable: 65_536,
        }
    }

    /// The bytes with a hash that fits.
    fn hashed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        bytes.extend_from_slice(&checksum(&bytes));
        bytes
    }

    #[test]
    fn the_format_never_changes() {
        let mut expected = Vec::new();
        expected.extend_from_slice(b"dlm-rec\n\x01\x03\x29\x00\x0b\x00");
        expected.extend_from_slice(&[0, 0, 1, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(&[0x40, 0x42, 0x0f, 0, 0, 0, 0, 0]);
        expected.extend_from_slice(&[7; 16]);
        expected.extend_from_slice(b"https://example.org/tool.tar.xz?token=1#x\"5f2c-61b0\"");
        expected.extend_from_slice(b"!\x8cZ\xffu\x1a{\\");
        assert_eq!(record().encode().unwrap(), expected);
        assert_eq!(Record::decode(&expected), Ok(record()));
    }

    #[test]
    fn the_longest_record() {
        let longest = Record {
            url: format!("http://h/{}", "x".repeat(URL_BYTES_MAX - 9)).into(),
            validator: Validator::Etag(format!("\"{}\"", "x".repeat(ETAG_BYTES_MAX - 2)).into()),
            ..record()
        };
        let encoded = longest.encode().unwrap();
        assert_eq!(encoded.len(), Record::BYTES_MAX);
        assert_eq!(Record::decode(&encoded), Ok(longest.clone()));
        assert_eq!(Record { url: format!("{}x", longest.url).into(), ..longest }.encode(), None);
        assert_eq!(Record::decode(&alloc::vec![b'x'; Record::BYTES_MAX + 1]), Err(RecordError::Broken));
    }

    #[test]
    fn the_layout_does_not_depend_on_the_durable_length() {
        let record = Record { total: None, ..record() };
        let zero = Record { durable: 0, ..record.clone() }.encode().unwrap();
        for durable in [1, 255, 65_536, u64::MAX] {
            let grown = Record { durable, ..record.clone() }.encode().unwrap();
            assert_eq!(grown.len(), zero.len());
            let body = FIXED_BYTES..zero.len() - CHECKSUM_BYTES;
            assert_eq!((&grown[..14], &grown[22..46], &grown[body.clone()]), (&zero[..14], &zero[22..46], &zero[body]));
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let encoded = record().encode().unwrap();
        for length in 0..encoded.len() {
            assert_eq!(Record::decode(&encoded[..length]), Err(RecordError::Broken), "{length}");
            if length >= CHECKSUM_BYTES {
                let decoded = Record::decode(&hashed(encoded[..length].to_vec()));
                assert!(decoded.is_err(), "{length}, with a hash that fits: {decoded:?}");
            }
        }
        let mut longer = encoded.to_vec();
        longer.push(0);
        assert_eq!(Record::decode(&longer), Err(RecordError::Broken));
        assert_eq!(Record::decode(&hashed(longer)), Err(RecordError::Broken), "trailing bytes, hashed");
    }

    #[test]
    fn every_change_of_one_byte_is_refused() {
        let encoded = record().encode().unwrap();
        for at in 0..encoded.len() {
            for byte in 0..=255 {
                let mut changed = encoded.to_vec();
                changed[at] = byte;
                let expected = match (at, byte) {
                    _ if encoded[at] == byte => Ok(record()),
                    (8, 2..) => Err(RecordError::Version),
                    _ => Err(RecordError::Broken),
                };
                assert_eq!(Record::decode(&changed), expected, "{at}: {byte}");
            }
        }
    }

    #[test]
    fn a_write_that_was_torn_is_refused() {
        let old = record().encode().unwrap();
        let new = Record { durable: 0x0102_0304, total: Some(0x0203_0405), ..record() }.encode().unwrap();
        for cut in 15..old.len() {
            let torn = [&new[..cut], &old[cut..]].concat();
            assert_eq!(Record::decode(&torn), Err(RecordError::Broken), "{cut}");
        }
    }

    #[test]
    fn one_record_has_one_encoding() {
        let plain = Record { total: None, boot: None, ..record() }.encode().unwrap();
        for (at, byte) in [(9, 8), (9, 0x80), (22, 1), (30, 1), (45, 1)] {
            let mut odd = plain.to_vec();
            odd[at] = byte;
            assert_eq!(Record::decode(&hashed(odd)), Err(RecordError::Broken), "{at}");
        }
        // Lengths that share the text otherwise than it was.
        for (url, validator) in [(40, 12), (42, 10), (0, 52), (52, 0), (u16::MAX, 0), (41, u16::MAX)] {
            let mut odd = record().encode().unwrap().to_vec();
            odd[10..12].copy_from_slice(&url.to_le_bytes());
            odd[12..14].copy_from_slice(&validator.to_le_bytes());
            assert_eq!(Record::decode(&hashed(odd)), Err(RecordError::Broken), "{url} {validator}");
        }
    }

    #[test]
    fn what_no_download_can_have_is_not_recorded() {
        let date = |text: &str| Validator::LastModified(text.into());
        let tag = |text: &str| Validator::Etag(text.into());
        for (what, record) in [
            ("user info", Record { url: "https://user:secret@example.org/".into(), ..record() }),
            ("a space", Record { url: "https://example.org/a b".into(), ..record() }),
            ("an escape sequence", Record { url: "https://example.org/\u{1b}[2J".into(), ..record() }),
            ("no ASCII", Record { url: "https://example.org/ä".into(), ..record() }),
            ("a weak tag", Record { validator: tag("W/\"a\""), ..record() }),
            ("no tag", Record { validator: tag(""), ..record() }),
            ("a second line", Record { validator: tag("\"a\"\r\n\"b\""), ..record() }),
            ("no date", Record { validator: date("yesterday"), ..record() }),
            ("more than there is", Record { durable: 1_000_001, ..record() }),
        ] {
            assert_eq!(record.encode(), None, "{what}");
        }
    }

    fn validators() -> impl Strategy<Value = Validator> {
        let dates = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
        prop_oneof![
            "\"[!#-~]{0,40}\"".prop_map(|text| Validator::Etag(text.into())),
            prop::sample::select(dates.to_vec()).prop_map(|text| Validator::LastModified(text.into())),
        ]
    }

    fn records() -> impl Strategy<Value = Record> {
        let boot = any::<Option<[u8; 16]>>().prop_map(|boot| boot.map(BootId));
        let url = "https?://[a-z.]{1,12}/[!-~]{0,200}".prop_map(String::into_boxed_str);
        (url, validators(), any::<Option<u64>>(), boot, any::<u64>()).prop_map(
            |(url, validator, total, boot, durable)| {
                let durable = total.map_or(durable, |total| durable.min(total));
                Record { url, validator, total, boot, durable }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in records()) {
            let encoded = record.encode().unwrap();
            prop_assert!(encoded.len() <= Record::BYTES_MAX);
            prop_assert_eq!(Record::decode(&encoded), Ok(record));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Record::decode(&bytes).is_err());
        }

        /// A hash is no secret: what is hashed may still be anything.
        #[test]
        fn no_hashed_bytes_panic(
            record in records(), at in 9..200_usize, patch in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let mut bytes = record.encode().unwrap().to_vec();
            for (slot, byte) in bytes.iter_mut().skip(at).zip(patch) {
                *slot = byte;
            }
            let bytes = hashed(bytes);
            if let Ok(record) = Record::decode(&bytes) {
                prop_assert_eq!(record.encode().unwrap(), bytes);
            }
        }
    }
}
