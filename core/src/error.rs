//! Why something was refused, and why a download ended.

use alloc::boxed::Box;
use alloc::string::String;

use crate::{Digest, Fault, FaultKind, FileKind, FileName, NameError, UrlError};

/// Why a download was not admitted: a misuse, known before anything is fetched.
///
/// ```
/// use dlmanager_core::{AdmitError, Config, Instant, Manager, Request};
///
/// let mut manager = Manager::new(Config::default(), 1);
/// let unnamed = manager.download(Instant::ZERO, Request::new("https://example.org/")?);
/// assert!(matches!(unnamed, Err(AdmitError::Name(_))));
/// manager.close(Instant::ZERO);
/// assert_eq!(manager.download(Instant::ZERO, Request::new("https://example.org/a")?), Err(AdmitError::Closed));
/// # Ok::<(), dlmanager_core::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// The URL cannot be fetched.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// No name was given, and the URL does not yield a valid one; or the one given is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A header field that the request may not set, as the exchange itself depends on it.
    #[error("the header field {name:?} cannot be set: dlmanager sets it itself, or depends on its absence")]
    Header {
        /// The field's name.
        name: String,
    },
    /// A download of that name is live, and its file is held to another checksum or to none.
    #[error("a download of that name is running, with {} checksum", if running.is_some() { "another" } else { "no" })]
    Conflict {
        /// What the live one is held to.
        running: Option<Box<Digest>>,
    },
    /// The directory may not be bounded, see [`DirectoryError`].
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The manager is closed.
    #[error("the manager is closed")]
    Closed,
}

/// Why a directory cannot be bounded. Nothing in it was touched.
///
/// ```
/// use dlmanager_core::DirectoryError;
///
/// let error = DirectoryError::NotOurs { example: "thesis.odt".into() };
/// assert!(error.to_string().contains("\"thesis.odt\" for one"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// It holds files, and no mark that tells that they are all put there under a limit.
    #[error(
        "the directory holds files that are not known to be dlmanager's ({example:?} for one), and a limit would remove \
         some of them: adopt them explicitly, or choose another directory"
    )]
    NotOurs {
        /// One of the entries.
        example: String,
    },
    /// A later version of dlmanager manages it, in a format that this one does not know.
    #[error("the directory is managed by a later version of dlmanager (its format is {format}): use that")]
    Newer {
        /// The version of the format.
        format: u64,
    },
    /// It could not be read, or not be marked as managed.
    #[error("the directory cannot be managed: {0}")]
    Fault(Fault),
}

/// Why a cancel had no effect.
///
/// ```
/// use dlmanager_core::{CancelError, Config, Instant, Manager, Request};
///
/// let (mut here, mut there) = (Manager::new(Config::default(), 1), Manager::new(Config::default(), 2));
/// let id = here.download(Instant::ZERO, Request::new("https://example.org/a")?)?.id();
/// assert_eq!(there.cancel(Instant::ZERO, id), Err(CancelError::Unknown));
/// assert_eq!(here.cancel(Instant::ZERO, id), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CancelError {
    /// No such download is live: it ended, or it is another manager's.
    #[error("no such download is running")]
    Unknown,
    /// The file is about to get its final name, or has it.
    #[error("the file is already being published")]
    AlreadyPublishing,
    /// The download has already failed and is being cleaned up; its own error stands.
    #[error("the download has already failed")]
    AlreadyFailed,
}

/// Why a download failed.
///
/// ```
/// use dlmanager_core::DownloadError;
///
/// let error = DownloadError::Status { status: 404 };
/// assert_eq!(error.to_string(), "the server answered 404 (Not Found)"); // for people
/// assert_eq!((error.kind(), error.status()), ("status", Some(404))); // for machines
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The exchange with the server failed.
    #[error("{0}")]
    Network(Fault),
    /// Something took too long.
    #[error("{0}")]
    Timeout(TimeoutKind),
    /// The reply has another status than 200.
    #[error("the server answered {status}{reason}", reason = reason(*status))]
    Status {
        /// The status code.
        status: u16,
    },
    /// The head of the reply contradicts itself or cannot be honoured.
    #[error("the reply is not acceptable: {0}")]
    BadReply(Box<str>),
    /// The body ended early.
    #[error("the body ended after {received} of {expected} bytes")]
    Truncated {
        /// The length announced, in bytes.
        expected: u64,
        /// The length received, in bytes.
        received: u64,
    },
    /// The body goes on after its announced end.
    #[error("the body is longer than the {expected} bytes announced")]
    Overlong {
        /// The length announced, in bytes.
        expected: u64,
    },
    /// The file is longer than the configuration allows.
    #[error("the file has {length} bytes or more, and {bytes_max} are allowed")]
    TooLarge {
        /// The length announced, or received so far, in bytes.
        length: u64,
        /// The greatest length allowed, in bytes.
        bytes_max: u64,
    },
    /// The file is announced to be longer than the bounds of the directory leave room for, whatever is evicted.
    #[error("the file has {length} bytes, and the directory's limit leaves room for {room_max} at most")]
    NoRoom {
        /// The length announced, in bytes.
        length: u64,
        /// The length that could fit, in bytes.
        room_max: u64,
    },
    /// More redirects in a row than allowed.
    #[error("more than {redirects_max} redirects in a row")]
    TooManyRedirects {
        /// How many are allowed.
        redirects_max: u32,
    },
    /// A redirect that may not be followed.
    #[error("the redirect to {location:?} is not followed: {cause}")]
    BadRedirect {
        /// Where it leads, as the server said it.
        location: Box<str>,
        /// Why it is not followed.
        cause: Box<str>,
    },
    /// More requests than allowed for one download.
    #[error("gave up after {requests_max} requests; the last one: {cause}")]
    TooManyRequests {
        /// How many are allowed.
        requests_max: u32,
        /// Why the last one failed.
        cause: Box<Self>,
    },
    /// The file that was fetched is not the one that the checksum, or the server's own digest, tells of; it was dropped.
    #[error("the file is {actual}, and should be {expected}")]
    ChecksumMismatch {
        /// What it should come to.
        expected: Box<Digest>,
        /// What it came to.
        actual: Box<Digest>,
    },
    /// The file that is there already is not the one that the checksum tells of; it was left as it is.
    #[error("{name} is there already and is {actual}, not {expected}: remove it, or ask for it to be replaced")]
    PresentMismatch {
        /// Its name.
        name: FileName,
        /// What it should come to.
        expected: Box<Digest>,
        /// What it comes to.
        actual: Box<Digest>,
    },
    /// The name that the server gives is not valid; or it gives none, and the URL does not yield a valid one.
    #[error("the file has no name: {0}")]
    Name(NameError),
    /// The server gives a name that another live download has.
    #[error("the server names the file {name}, and another download has that name")]
    NameTaken {
        /// The name.
        name: FileName,
    },
    /// Something that is not a regular file has the final name.
    #[error("{name} is there already and is {what}, not a regular file", what = kind_text(*kind))]
    NotAFile {
        /// The final name.
        name: FileName,
        /// What it is.
        kind: FileKind,
    },
    /// A file could not be handled.
    #[error("{step}: {fault}", step = step.text())]
    File {
        /// What was being done.
        step: FileStep,
        /// What went wrong.
        fault: Fault,
    },
    /// The file is complete, but it did not get its final name, or not as durably as asked.
    #[error("{}: {fault}", published.text())]
    Publish {
        /// What went wrong.
        fault: Fault,
        /// Whether the file is there under its final name.
        published: Published,
    },
    /// The directory may not be bounded, see [`DirectoryError`].
    #[error(transparent)]
    Directory(DirectoryError),
}

impl DownloadError {
    /// A stable word for the kind of error, for machines.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Network(_) => "network",
            Self::Timeout(_) => "timeout",
            Self::Status { .. } => "status",
            Self::BadReply(_) => "bad-reply",
            Self::Truncated { .. } => "truncated",
            Self::Overlong { .. } => "overlong",
            Self::TooLarge { .. } => "too-large",
            Self::NoRoom { .. } => "no-room",
            Self::TooManyRedirects { .. } => "too-many-redirects",
            Self::BadRedirect { .. } => "bad-redirect",
            Self::TooManyRequests { .. } => "too-many-requests",
            Self::ChecksumMismatch { .. } => "checksum-mismatch",
            Self::PresentMismatch { .. } => "present-mismatch",
            Self::Name(_) => "name",
            Self::NameTaken { .. } => "name-taken",
            Self::NotAFile { .. } => "not-a-file",
            Self::File { .. } => "file",
            Self::Publish { .. } => "publish",
            Self::Directory(_) => "directory",
        }
    }

    /// Whether something took too long.
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// The status of the reply, where that is the error.
    pub const fn status(&self) -> Option<u16> {
        if let Self::Status { status } = self { Some(*status) } else { None }
    }

    /// Whether the disk has no room for the file.
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::File { fault, .. } | Self::Publish { fault, .. } if fault.kind() == FaultKind::NoSpace)
    }

    /// Whether the file is there under its final name all the same.
    pub const fn published(&self) -> Published {
        if let Self::Publish { published, .. } = self { *published } else { Published::No }
    }
}

/// What took too long.
///
/// ```
/// use dlmanager_core::{DownloadError, TimeoutKind};
///
/// let error = DownloadError::Timeout(TimeoutKind::Stall);
/// assert!(error.is_timeout());
/// assert_eq!(error.to_string(), "the body stalled");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeoutKind {
    /// Making the connection.
    #[error("the connection was not made in time")]
    Connect,
    /// The head of the reply.
    #[error("the reply did not begin in time")]
    FirstByte,
    /// The body: too few bytes in the stall timeout.
    #[error("the body stalled")]
    Stall,
    /// The download, all attempts together.
    #[error("the download took longer than allowed")]
    Whole,
}

/// A step of handling a download's files.
///
/// ```
/// use dlmanager_core::{DownloadError, FaultKind, FileStep};
///
/// let error = DownloadError::File { step: FileStep::Write, fault: FaultKind::NoSpace.into() };
/// assert_eq!(error.to_string(), "cannot write the file: no space left");
/// assert!(error.is_no_space());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStep {
    /// Looking whether the file is there.
    Look,
    /// Making the unfinished file.
    Create,
    /// Locking it, so that no other process writes to it.
    Lock,
    /// Taking back what it holds, to start over.
    Rewind,
    /// Writing to it.
    Write,
    /// Reading a file to compute its digests.
    Hash,
    /// Checking that it is what was written.
    Verify,
    /// Flushing it to the disk.
    Flush,
    /// Making the folder that it belongs into.
    Folder,
}

impl FileStep {
    /// The step in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Look => "cannot look for the file",
            Self::Create => "cannot make the unfinished file",
            Self::Lock => "cannot lock the unfinished file",
            Self::Rewind => "cannot start over with the unfinished file",
            Self::Write => "cannot write the file",
            Self::Hash => "cannot read the file for its digest",
            Self::Verify => "cannot verify the file",
            Self::Flush => "cannot flush the file",
            Self::Folder => "cannot make the folder",
        }
    }
}

/// Whether a file got its final name.
///
/// ```
/// use dlmanager_core::{DownloadError, FaultKind, Published, TimeoutKind};
///
/// // The name stands, but flushing it failed: the file can be used, and may be gone after a loss of power.
/// let error = DownloadError::Publish { fault: FaultKind::Io.into(), published: Published::Yes };
/// assert_eq!(error.published(), Published::Yes);
/// assert_eq!(DownloadError::Timeout(TimeoutKind::Whole).published(), Published::No);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It did not.
    No,
    /// It did.
    Yes,
    /// The answer was lost, and so was that of looking.
    Unknown,
}

impl Published {
    const fn text(self) -> &'static str {
        match self {
            Self::No => "cannot give the file its name",
            Self::Yes => "the file is there, but not safely on the disk",
            Self::Unknown => "the file may have its name or not",
        }
    }
}

const fn kind_text(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "a regular file",
        FileKind::Folder => "a folder",
        FileKind::Symlink => "a symlink",
        FileKind::Other => "a special file",
    }
}

/// ` (Not Found)`, where the status has a name.
fn reason(status: u16) -> String {
    let name = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    name.map(|name| alloc::format!(" ({name})")).unwrap_or_default()
}
