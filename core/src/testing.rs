//! Identifiers, tickets and answers without a manager, for the tests of transports and file backends; and what the
//! parsers make of bytes, for those who send them any.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use http::HeaderMap;

use crate::content_range::{self, ContentRange};
use crate::id::ActionId;
pub use crate::planted::Planted;
use crate::version::Version;
use crate::{Answer, BodyId, Completion, Config, Digest, FileId, Lane, Op, Stamp, StorePath, Ticket, Validator};
use crate::{digest_fields, disposition, record, retry_after};

/// A source of tickets whose ids were never issued by a [`Manager`](crate::Manager).
///
/// ```
/// use dlmanager_core::testing::Tickets;
/// use dlmanager_core::{Answer, op};
///
/// let mut tickets = Tickets::new();
/// let ticket = tickets.ticket::<op::Sync>();
/// assert!(matches!(ticket.done(Ok(())).into_answer(), Answer::Sync(Ok(()))));
/// ```
#[derive(Debug, Default)]
pub struct Tickets {
    issued: u64,
}

impl Tickets {
    /// A source that has issued none.
    pub const fn new() -> Self {
        Self { issued: 0 }
    }

    /// A ticket with a fresh id.
    pub fn ticket<O: Op>(&mut self) -> Ticket<O> {
        self.issued += 1;
        Ticket::new(ActionId { serial: self.issued, slot: u32::MAX })
    }
}

/// A lane.
pub const fn lane(serial: u64) -> Lane {
    Lane(serial)
}

/// An open file or a running scan.
pub const fn file_id(serial: u64) -> FileId {
    FileId(serial)
}

/// An exchange.
pub const fn body_id(serial: u64) -> BodyId {
    BodyId(serial)
}

/// A path, of any text.
pub fn path(text: &str) -> StorePath {
    StorePath::unchecked(text)
}

impl Completion {
    /// The answer in it.
    pub fn into_answer(self) -> Answer {
        self.answer
    }
}

/// What the parsers make of the fields of a head.
///
/// ```
/// use dlmanager_core::testing::HeadFields;
/// use http::{HeaderMap, HeaderValue, header};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(header::CONTENT_RANGE, HeaderValue::from_static("bytes 5-9/10"));
/// let fields = HeadFields::of(&headers);
/// assert_eq!((fields.part, fields.total), (Some((5, 9)), Some(10)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadFields {
    /// The strong validator.
    pub validator: Option<Validator>,
    /// When the resource was changed.
    pub last_modified: Option<Stamp>,
    /// Offsets of the first and the last byte, by `Content-Range`.
    pub part: Option<(u64, u64)>,
    /// The length of the whole, by `Content-Range`.
    pub total: Option<u64>,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The name that `Content-Disposition` suggests.
    pub file_name: Option<String>,
    /// The digests of the whole.
    pub repr_digests: Vec<Digest>,
    /// The digests of the reply's content.
    pub content_digests: Vec<Digest>,
}

impl HeadFields {
    /// What they make of these.
    pub fn of(headers: &HeaderMap) -> Self {
        let version = Version::of(headers);
        let (part, total) = match content_range::parse(headers) {
            Ok(Some(ContentRange::Part { first, last, total })) => (Some((first, last)), total),
            Ok(Some(ContentRange::Unsatisfied { total })) => (None, Some(total)),
            Ok(None) | Err(()) => (None, None),
        };
        Self {
            validator: version.validator(),
            last_modified: version.last_modified(),
            part,
            total,
            retry_after: retry_after::parse(headers),
            file_name: disposition::file_name(headers),
            repr_digests: digest_fields::repr_digests(headers),
            content_digests: digest_fields::content_digests(headers),
        }
    }
}

/// Whether two heads of one run are of the same version of a resource.
pub fn is_same_version(one: &HeaderMap, other: &HeaderMap) -> bool {
    Version::of(one).same_within_run(&Version::of(other))
}

/// The bytes of a record with the checksum that fits them, which a fuzzer would not find.
pub fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    [bytes, &record::checksum(bytes)].concat()
}

/// Has managers with these settings make a mistake. Whether they can, which they do with the feature `planted-bugs` alone.
pub fn plant(config: &mut Config, mistake: Planted) -> bool {
    #[cfg(feature = "planted-bugs")]
    {
        config.planted = Some(mistake);
    }
    config.makes(mistake)
}
