//! The servers: resources in versions, and what they answer.

use bytes::Bytes;
use dlmanager_core::Head;
use dlmanager_scripted::content;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED, LOCATION, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version as HttpVersion};
use sha2::{Digest, Sha256};

use crate::decisions::{Decisions, Stream};
use crate::marks::{Mark, Tally};
use crate::setting::Setting;

/// The moment of every reply but those about what was just changed: long after all changes.
const NOW: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// A version of a resource. Its bytes follow from its number.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) bytes: Bytes,
    pub(crate) validator: Mark,
    /// How many ETags it has had.
    etags: u32,
}

/// What stands behind a URL.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) versions: Vec<Version>,
    pub(crate) current: usize,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: usize,
    pub(crate) source: u32,
    pub(crate) host: u32,
    /// It was led there.
    pub(crate) is_moved: bool,
    is_loop: bool,
}

/// A reply, with what is true about it.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) head: Head,
    /// All that is sent.
    pub(crate) body: Bytes,
    /// Where in the version it begins.
    pub(crate) offset: u64,
    pub(crate) version: u64,
    /// Where in the body it is reset, stalls, or ends.
    pub(crate) resets_at: Option<usize>,
    pub(crate) stalls_at: Option<usize>,
    pub(crate) ends_at: Option<usize>,
    pub(crate) drips: bool,
    /// Only the end of the connection ends it, so that a cut cannot be told.
    pub(crate) is_endless: bool,
    /// It can be gone on with in another run.
    pub(crate) is_strong: bool,
    /// Bytes that do not belong to the version follow.
    pub(crate) is_overlong: bool,
}

pub(crate) const NAMES: [&str; 3] = ["a", "b.tar", "Long name.zip"];

/// The URL under which a user asks for a file.
pub(crate) fn url(name: usize, source: u32) -> String {
    format!("http://h{source}.example/s{source}/{}", NAMES[name].replace(' ', "%20"))
}

impl Place {
    /// The place of a URL that was asked for.
    pub(crate) fn of(uri: &http::Uri) -> Option<Self> {
        let host = uri.host()?.strip_prefix('h')?.strip_suffix(".example")?.parse().ok()?;
        let mut path = uri.path().strip_prefix('/')?;
        let is_loop = path.starts_with("loop/");
        let is_moved = path.starts_with("moved/");
        path = path.trim_start_matches("loop/").trim_start_matches("moved/");
        let (source, name) = path.split_once('/')?;
        let name = name.replace("%20", " ");
        Some(Self {
            name: NAMES.iter().position(|known| **known == name)?,
            source: source.strip_prefix('s')?.parse().ok()?,
            host,
            is_moved,
            is_loop,
        })
    }

    fn path(&self) -> String {
        format!("s{}/{}", self.source, NAMES[self.name].replace(' ', "%20"))
    }
}

impl Version {
    pub(crate) fn new(number: u64, length: usize, validator: Mark) -> Self {
        Self { number, bytes: content(number, length), validator, etags: 1 }
    }

    pub(crate) fn etag(&self, which: u32) -> String {
        format!("\"v{}-{which}\"", self.number)
    }

    pub(crate) fn last_modified(&self) -> String {
        let seconds = self.number;
        let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
        format!("Thu, 01 Jan 2015 {hours:02}:{minutes:02}:{:02} GMT", seconds % 60)
    }

    fn fields(&self, headers: &mut HeaderMap) {
        let text = |text: &str| HeaderValue::from_str(text).expect("a field");
        headers.insert(DATE, HeaderValue::from_static(NOW));
        match self.validator {
            Mark::StrongEtag => drop(headers.insert(ETAG, text(&self.etag(self.etags)))),
            Mark::WeakEtag => drop(headers.insert(ETAG, HeaderValue::from_static("W/\"same\""))),
            Mark::OldDate => drop(headers.insert(LAST_MODIFIED, text(&self.last_modified()))),
            Mark::YoungDate => {
                headers.insert(LAST_MODIFIED, text(&self.last_modified()));
                headers.insert(DATE, text(&self.last_modified()));
            }
            _ => {}
        }
    }

    /// Whether a request by this validator is about this version.
    fn is_named_by(&self, validator: &str) -> bool {
        match self.validator {
            Mark::StrongEtag => self.etag(self.etags) == validator,
            Mark::OldDate | Mark::YoungDate => self.last_modified() == validator,
            _ => false,
        }
    }

    /// Whether a record may name it so.
    pub(crate) fn was_named(&self, validator: &str) -> bool {
        match self.validator {
            Mark::StrongEtag => (1..=self.etags).any(|which| self.etag(which) == validator),
            Mark::OldDate | Mark::YoungDate => self.last_modified() == validator,
            _ => false,
        }
    }

    pub(crate) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}

/// What a server decides by.
pub(crate) struct Deciding<'a> {
    pub(crate) decisions: &'a mut Decisions,
    pub(crate) setting: &'a Setting,
    pub(crate) tally: &'a mut Tally,
    /// The number of the next version.
    pub(crate) versions: &'a mut u64,
}

impl Deciding<'_> {
    pub(crate) fn happens(&mut self, mark: Mark) -> bool {
        let happens = self.decisions.happens(Stream::Server, self.setting.rate(mark));
        if happens {
            self.tally.hit(mark);
        }
        happens
    }

    fn below(&mut self, bound: usize) -> usize {
        self.decisions.below(Stream::Server, u32::try_from(bound).unwrap_or(u32::MAX)) as usize
    }

    pub(crate) fn version(&mut self, length: Option<usize>) -> Version {
        *self.versions += 1;
        let length = length.unwrap_or_else(|| self.decisions.one_of(Stream::Server, self.setting.lengths));
        let validator = self.decisions.one_of(Stream::Server, self.setting.validators);
        self.tally.hit(validator);
        Version::new(*self.versions, length, validator)
    }
}

impl Resource {
    pub(crate) fn new(deciding: &mut Deciding<'_>) -> Self {
        Self { versions: vec![deciding.version(None)], current: 0 }
    }

    pub(crate) fn now(&self) -> &Version {
        &self.versions[self.current]
    }

    /// What becomes of it before a request is answered.
    fn change(&mut self, deciding: &mut Deciding<'_>) {
        if self.current > 0 && deciding.happens(Mark::VersionReverts) {
            self.current = deciding.below(self.current);
        } else if deciding.happens(Mark::VersionChanges) {
            // As often as not as long as before, so that a length tells nothing.
            let length = (deciding.below(2) == 0).then(|| self.now().bytes.len());
            self.versions.push(deciding.version(length));
            self.current = self.versions.len() - 1;
        }
        if self.now().validator == Mark::StrongEtag && deciding.happens(Mark::ChangingEtag) {
            self.versions[self.current].etags += 1;
        }
    }

    /// Answers a request.
    pub(crate) fn answer(
        &mut self,
        place: Place,
        range: Option<u64>,
        if_range: Option<&str>,
        deciding: &mut Deciding<'_>,
    ) -> Reply {
        if place.is_loop {
            return Reply::redirect(&format!("/loop/{}", place.path()));
        }
        if !place.is_moved {
            if deciding.happens(Mark::RedirectLoop) {
                return Reply::redirect(&format!("/loop/{}", place.path()));
            }
            if deciding.happens(Mark::RedirectBad) {
                let location = ["ftp://h0.example/x", "http://[", "//"][deciding.below(3)];
                return Reply::redirect(location);
            }
            if deciding.happens(Mark::Redirect) {
                let host = deciding.below(2) + 2;
                return Reply::redirect(&format!("http://h{host}.example/moved/{}", place.path()));
            }
        }
        if deciding.happens(Mark::Refuses) {
            return Reply::refusal(deciding);
        }
        if deciding.happens(Mark::ServerError) {
            let status = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY][deciding.below(2)];
            return Reply::bare(status);
        }
        if deciding.happens(Mark::NotThere) {
            return Reply::bare(StatusCode::NOT_FOUND);
        }
        self.change(deciding);
        self.file(range, if_range, deciding)
    }

    fn file(&self, range: Option<u64>, if_range: Option<&str>, deciding: &mut Deciding<'_>) -> Reply {
        let version = self.now();
        let length = version.bytes.len();
        let is_named = if_range.is_none_or(|validator| version.is_named_by(validator));
        let Some(from) = range.and_then(|from| usize::try_from(from).ok()) else {
            return Reply::whole(version, deciding);
        };
        if deciding.happens(Mark::WholeForRange) {
            return Reply::whole(version, deciding);
        }
        if deciding.happens(Mark::NotSatisfiable) || (is_named && from >= length) {
            let mut reply = Reply::bare(StatusCode::RANGE_NOT_SATISFIABLE);
            reply.set(CONTENT_RANGE, &format!("bytes */{length}"));
            return reply;
        }
        if !is_named && (from >= length || !deciding.happens(Mark::OtherVersion)) {
            return Reply::whole(version, deciding);
        }
        if from > 0 && deciding.happens(Mark::Overlap) {
            return Reply::part(version, (from - 1, length), deciding);
        }
        if deciding.happens(Mark::WrongPlace) {
            let start = deciding.below(length);
            // It may be the right one by chance.
            return Reply::part(version, (start, length), deciding);
        }
        let mut reply = if from + 1 < length && deciding.happens(Mark::ShortPart) {
            let end = from + 1 + deciding.below(length - from - 1);
            Reply::part(version, (from, end), deciding)
        } else {
            Reply::part(version, (from, length), deciding)
        };
        if deciding.happens(Mark::NoContentRange) {
            reply.head.headers.remove(CONTENT_RANGE);
        } else if deciding.happens(Mark::UnknownTotal) {
            reply.set(CONTENT_RANGE, &format!("bytes {from}-{}/*", length - 1));
        } else if deciding.happens(Mark::WithoutValidator) {
            reply.head.headers.remove(ETAG);
            reply.head.headers.remove(LAST_MODIFIED);
        }
        reply
    }
}

impl Reply {
    fn bare(status: StatusCode) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static(NOW));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Self {
            head: Head { version: HttpVersion::HTTP_11, status, headers },
            body: Bytes::new(),
            offset: 0,
            version: 0,
            resets_at: None,
            stalls_at: None,
            ends_at: None,
            drips: false,
            is_endless: false,
            is_strong: false,
            is_overlong: false,
        }
    }

    fn set(&mut self, name: HeaderName, text: &str) {
        self.head.headers.insert(name, HeaderValue::from_str(text).expect("a field"));
    }

    fn redirect(location: &str) -> Self {
        let mut reply = Self::bare(StatusCode::FOUND);
        reply.set(LOCATION, location);
        reply
    }

    fn refusal(deciding: &mut Deciding<'_>) -> Self {
        let status = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS][deciding.below(2)];
        let mut reply = Self::bare(status);
        if deciding.happens(Mark::RetryAfterSeconds) {
            reply.set(RETRY_AFTER, ["1", "0", "30", "200"][deciding.below(4)]);
        } else if deciding.happens(Mark::RetryAfterDate) {
            let date = ["Thu, 01 Jan 2026 00:00:20 GMT", "Wed, 31 Dec 2025 23:00:00 GMT"][deciding.below(2)];
            reply.set(RETRY_AFTER, date);
        } else if deciding.happens(Mark::RetryAfterAbsurd) {
            let value = ["99999999999999999999999", "soon", "-1", "100000"][deciding.below(4)];
            reply.set(RETRY_AFTER, value);
        }
        reply
    }

    fn whole(version: &Version, deciding: &mut Deciding<'_>) -> Self {
        let mut reply = Self::bare(StatusCode::OK);
        reply.body = version.bytes.clone();
        reply.of(version, deciding);
        reply
    }

    fn part(version: &Version, (from, to): (usize, usize), deciding: &mut Deciding<'_>) -> Self {
        let mut reply = Self::bare(StatusCode::PARTIAL_CONTENT);
        reply.body = version.bytes.slice(from..to);
        reply.offset = from as u64;
        reply.set(CONTENT_RANGE, &format!("bytes {from}-{}/{}", to - 1, version.bytes.len()));
        reply.of(version, deciding);
        reply
    }

    /// What is said of the version, and how its bytes come.
    fn of(&mut self, version: &Version, deciding: &mut Deciding<'_>) {
        version.fields(&mut self.head.headers);
        self.version = version.number;
        self.is_strong = matches!(version.validator, Mark::StrongEtag | Mark::OldDate);
        let is_whole = self.head.status == StatusCode::OK;
        let length = self.body.len();
        self.set(CONTENT_LENGTH, &length.to_string());
        if deciding.happens(Mark::NoLength) {
            self.head.headers.remove(CONTENT_LENGTH);
            self.set(TRANSFER_ENCODING, "chunked");
        } else if is_whole && deciding.happens(Mark::NoEnd) {
            self.head.headers.remove(CONTENT_LENGTH);
            self.is_endless = true;
        } else if deciding.happens(Mark::TwoLengths) {
            self.head.headers.append(CONTENT_LENGTH, HeaderValue::from(length as u64 + 1));
        }
        if deciding.happens(Mark::Coding) {
            self.set(CONTENT_ENCODING, "gzip");
        }
        let digest = HeaderName::from_static("repr-digest");
        if deciding.happens(Mark::RightDigest) {
            self.set(digest, &digest_field(&version.sha256()));
        } else if deciding.happens(Mark::WrongDigest) {
            self.set(digest, &digest_field(&[7; 32]));
        }
        let has_length = self.head.headers.contains_key(CONTENT_LENGTH);
        if has_length && deciding.happens(Mark::TooLong) {
            self.body = [&self.body[..], &[b'!'; 9]].concat().into();
            self.is_overlong = true;
        }
        if deciding.happens(Mark::ResetInBody) {
            self.resets_at = Some(deciding.below(length + 1));
        }
        if length > 0 && deciding.happens(Mark::Stall) {
            self.stalls_at = Some(deciding.below(length));
        }
        if self.is_endless {
            if length > 0 && deciding.happens(Mark::CutWithoutEnd) {
                self.ends_at = Some(deciding.below(length));
            }
        } else if has_length && length > 0 && deciding.happens(Mark::Truncated) {
            self.ends_at = Some(deciding.below(length));
        }
        self.drips = deciding.happens(Mark::Drip);
    }
}

/// A digest as RFC 9530 sends it: in base 64 between colons.
fn digest_field(digest: &[u8; 32]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("sha-256=:");
    for three in digest.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]));
        }
        text.extend(std::iter::repeat_n('=', 3 - three.len()));
    }
    text + ":"
}
