//! What came of a download, and what may be demanded of it.

use std::collections::BTreeMap;

use dlmanager::core::FaultKind;
use dlmanager::{DownloadError, DownloadedFile, Error, How, Notice, TimeoutKind};
use dlmanager_origin::{Body, Connections, Request};

/// A download that ended, its manager closed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<DownloadedFile, Error>,
    pub(crate) notices: Vec<Notice>,
    /// Those that the bench's origin saw of it.
    pub(crate) requests: Vec<Request>,
    pub(crate) connections: Connections,
    /// All that is in the directory, and what is beside it.
    pub(crate) everything: BTreeMap<String, Option<Vec<u8>>>,
}

impl Ended {
    /// The file is there under the name `file`, with exactly these bytes, and nothing else is.
    #[track_caller]
    pub(crate) fn complete(&self, body: &Body) -> &Self {
        self.complete_as("file", body)
    }

    #[track_caller]
    pub(crate) fn complete_as(&self, name: &str, body: &Body) -> &Self {
        let file = self.file();
        assert_eq!(file.how, How::Fetched);
        assert_eq!(file.length, body.len(), "the length that the outcome tells");
        let files: Vec<&str> = self.everything.keys().map(String::as_str).filter(|path| !path.ends_with('/')).collect();
        assert_eq!(files, [name], "the files that are there");
        let bytes = self.everything[name].as_deref().unwrap_or_default();
        let differs = body.compare(bytes).expect("bytes in memory can be read");
        assert_eq!(differs, None, "it differs from what was served at that byte; it has {} bytes", bytes.len());
        assert!(!self.everything.contains_key(".dlmanager/"), "the work folder is left");
        self
    }

    #[track_caller]
    pub(crate) fn file(&self) -> &DownloadedFile {
        self.result.as_ref().unwrap_or_else(|error| panic!("it failed: {error:?}"))
    }

    #[track_caller]
    pub(crate) fn error(&self) -> &DownloadError {
        match &self.result {
            Err(Error::Failed(error)) => error,
            other => panic!("it has not failed: {other:?}"),
        }
    }

    /// It was there already, and is as it was.
    #[track_caller]
    pub(crate) fn present(&self) -> &Self {
        assert_eq!(self.file().how, How::Present);
        self
    }

    /// It failed with exactly this error, and nothing at all is left.
    #[track_caller]
    pub(crate) fn failed(&self, expected: &DownloadError) -> &Self {
        assert_eq!(self.error(), expected);
        self.nothing_is_left()
    }

    /// The exchange failed in this way, and nothing is left.
    #[track_caller]
    pub(crate) fn broke(&self, expected: FaultKind) -> &Self {
        match self.error() {
            DownloadError::Network(fault) => assert_eq!(fault.kind(), expected, "{fault}"),
            other => panic!("it failed otherwise: {other:?}"),
        }
        self.nothing_is_left()
    }

    /// The reply was refused for a reason in which this stands, and nothing is left.
    #[track_caller]
    pub(crate) fn refused(&self, reason: &str) -> &Self {
        match self.error() {
            DownloadError::BadReply(text) => assert!(text.contains(reason), "{text:?} instead of {reason:?}"),
            other => panic!("it failed otherwise: {other:?}"),
        }
        self.nothing_is_left()
    }

    /// The redirect was refused for a reason in which this stands, and nothing is left.
    #[track_caller]
    pub(crate) fn redirect_refused(&self, reason: &str) -> &Self {
        match self.error() {
            DownloadError::BadRedirect { cause, .. } => assert!(cause.contains(reason), "{cause:?} for {reason:?}"),
            other => panic!("it failed otherwise: {other:?}"),
        }
        self.nothing_is_left()
    }

    #[track_caller]
    pub(crate) fn timed_out(&self, kind: TimeoutKind) -> &Self {
        self.failed(&DownloadError::Timeout(kind))
    }

    #[track_caller]
    pub(crate) fn status(&self, status: u16) -> &Self {
        self.failed(&DownloadError::Status { status })
    }

    /// The directory is empty, and there is nothing beside it.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) -> &Self {
        let left: Vec<&String> = self.everything.keys().collect();
        assert!(left.is_empty(), "left: {left:?}");
        self
    }

    /// The bench's origin saw so many requests of it.
    #[track_caller]
    pub(crate) fn requests(&self, count: usize) -> &Self {
        let seen: Vec<&str> = self.requests.iter().map(|request| request.target.as_str()).collect();
        assert_eq!(seen.len(), count, "requests: {seen:?}");
        self
    }

    /// It failed so many times before it ended, each time with an error of this kind.
    #[track_caller]
    pub(crate) fn retried(&self, kinds: &[&str]) -> &Self {
        assert_eq!(self.retries().iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds, "retries");
        self
    }

    /// The retries: what failed, and after how long it was tried again.
    pub(crate) fn retries(&self) -> Vec<(&'static str, std::time::Duration)> {
        let retry = |notice: &Notice| match notice {
            Notice::Retrying { cause, delay, .. } => Some((cause.kind(), *delay)),
            _ => None,
        };
        self.notices.iter().filter_map(retry).collect()
    }

    /// So many connections were made to the bench's origin, in all.
    #[track_caller]
    pub(crate) fn connections(&self, count: usize) -> &Self {
        assert_eq!(self.connections.total, count, "connections");
        self
    }

    /// A header field of the request of that number.
    #[track_caller]
    pub(crate) fn header(&self, request: usize, name: &str) -> Option<&str> {
        self.requests.get(request).unwrap_or_else(|| panic!("no request {request}")).header(name)
    }

    /// Where each request's `Range` begins; `None` where it has none. Each asks for all from there on.
    #[track_caller]
    pub(crate) fn asked_from(&self, starts: &[Option<u64>]) -> &Self {
        let expected: Vec<_> = starts.iter().map(|start| start.map(|start| format!("bytes={start}-"))).collect();
        let ranges: Vec<_> = (0..self.requests.len()).map(|request| self.range(request)).collect();
        assert_eq!(ranges, expected.iter().map(Option::as_deref).collect::<Vec<_>>(), "the ranges asked for");
        self
    }

    /// The `If-Range` of each request.
    #[track_caller]
    pub(crate) fn if_ranges(&self, expected: &[Option<&str>]) -> &Self {
        let found: Vec<_> = (0..self.requests.len()).map(|request| self.header(request, "If-Range")).collect();
        assert_eq!(found, expected, "If-Range");
        self
    }

    pub(crate) fn range(&self, request: usize) -> Option<&str> {
        self.header(request, "Range")
    }

    /// How many bytes of a body were sent in reply to the request of that number.
    pub(crate) fn sent(&self, request: usize) -> u64 {
        self.requests[request].sent.expect("the reply has ended").body_bytes
    }

    /// So many times bytes ceased to count, and was it told; in between progress has not fallen.
    #[track_caller]
    pub(crate) fn rewound(&self, count: usize) -> &Self {
        let (mut rewinds, mut received) = (0, 0);
        for notice in &self.notices {
            match notice {
                Notice::Rewound { from, to, .. } => {
                    assert!(to < from && received <= *from, "from {from} to {to}, where {received} was told");
                    (rewinds, received) = (rewinds + 1, *to);
                }
                Notice::Progress { progress, .. } => {
                    assert!(received <= progress.received, "{} after {received}", progress.received);
                    received = progress.received;
                }
                _ => {}
            }
        }
        assert_eq!(rewinds, count, "how often it was rewound");
        self
    }

    /// Bytes and total of the first report.
    pub(crate) fn first_progress(&self) -> Option<(u64, Option<u64>)> {
        self.notices.iter().find_map(|notice| match notice {
            Notice::Progress { progress, .. } => Some((progress.received, progress.total)),
            _ => None,
        })
    }
}
