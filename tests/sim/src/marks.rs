//! What can happen in a run, counted: a batch in which something of it never does proves nothing about it.

use std::fmt;

macro_rules! marks {
    ($($name:ident = $text:literal,)*) => {
        /// Something that can happen in a run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark {
            $(#[doc = $text] $name,)*
        }

        impl Mark {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What it is, in words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

marks! {
    // What servers do.
    ConnectFails = "server: no connection",
    ConnectHangs = "server: the connection takes for ever",
    HeadHangs = "server: takes the connection and says nothing",
    ResetBeforeHead = "server: resets before the head",
    ResetInHead = "server: resets inside the head",
    ResetInBody = "server: resets inside the body",
    Stall = "server: the body stalls",
    Drip = "server: the body trickles",
    Truncated = "server: the body ends early",
    NoLength = "server: no length, but an end",
    NoEnd = "server: only the connection's end ends the body",
    CutWithoutEnd = "server: a body without length or end is cut",
    TooLong = "server: more bytes than announced",
    TwoLengths = "server: two lengths",
    WholeForRange = "server: 200 to a range",
    WrongPlace = "server: 206 of the wrong place",
    Overlap = "server: 206 with an overlapping start",
    OtherVersion = "server: 206 of a new version",
    NoContentRange = "server: 206 without Content-Range",
    UnknownTotal = "server: 206 of an unknown total",
    ShortPart = "server: 206 of a part of what was asked for",
    WithoutValidator = "server: 206 without the validator",
    NotSatisfiable = "server: 416",
    ChangingEtag = "server: another ETag for the same bytes",
    VersionChanges = "server: a new version",
    VersionReverts = "server: an older version again",
    Refuses = "server: 429 or 503",
    RetryAfterSeconds = "server: Retry-After in seconds",
    RetryAfterDate = "server: Retry-After as a date",
    RetryAfterAbsurd = "server: an absurd Retry-After",
    ServerError = "server: 500",
    NotThere = "server: 404",
    Redirect = "server: redirects to another origin",
    RedirectLoop = "server: redirects in a loop",
    RedirectBad = "server: redirects to what cannot be followed",
    Coding = "server: a content coding",
    RightDigest = "server: the digest of the file",
    WrongDigest = "server: the digest of another file",
    LateAnswer = "server: answers although it was told not to",
    RepeatedAnswer = "server: answers twice",
    // What the resources are known by.
    StrongEtag = "version: strong ETag",
    WeakEtag = "version: weak ETag",
    NoValidator = "version: no validator",
    OldDate = "version: Last-Modified long ago",
    YoungDate = "version: Last-Modified just now",
    // The disk.
    Io = "disk: an action fails",
    NotTold = "disk: an action is done and fails",
    ShortWrite = "disk: a write is cut short",
    NoSpace = "disk: full",
    ReadOnly = "disk: read-only for a while",
    FlushFails = "disk: a flush fails",
    SlowDisk = "disk: an action takes long",
    SlowWorker = "disk: workers are busy",
    StalledDriver = "the loop is not run for a minute",
    Tmpfs = "disk: tmpfs",
    Ext4 = "disk: ext4",
    Posix = "disk: strict POSIX",
    NoLocks = "disk: no locks",
    NoBoot = "the machine does not tell its starts apart",
    // Deaths.
    ProcessDies = "a program dies at an action",
    PowerLost = "the power is lost at an action",
    DiesInWrite = "a death within a write",
    DiesInPublish = "a death between a flush and its rename",
    // Others in the directory.
    ForeignDeleted = "a stranger deletes a file",
    ForeignReplaced = "a stranger replaces a file",
    ForeignPut = "a stranger takes a name",
    ForeignFolder = "a stranger takes a name for a folder",
    ForeignCut = "a stranger cuts an unfinished file that nobody has open",
    ForeignRecord = "a stranger damages a record",
    ForeignSwept = "a stranger removes all that is unfinished",
    // The program's user.
    Joined = "a download is joined",
    Cancel = "a download is canceled",
    Interrupt = "a download is interrupted",
    Close = "a manager is closed",
    CloseKeeping = "a manager is closed and keeps what is unfinished",
    Replace = "a file is to be replaced",
    RightChecksum = "a checksum that fits",
    WrongChecksum = "a checksum that does not fit",
    Bounded = "a directory with a limit",
    Swept = "a pass of eviction",
    Evicted = "a file is evicted",
    SeveralManagers = "several managers in one directory",
    Inline = "file work on the loop's thread",
    // What downloads come to.
    Locked = "a name is locked by another program",
    StandsAlone = "an unfinished file of one download alone",
    Retrying = "another attempt",
    RoomMade = "another attempt, as room was made",
    Redirected = "a redirect is followed",
    Rewound = "bytes are given up",
    Asked = "the rest is asked for",
    PartSent = "a part is sent",
    OtherRun = "the rest of what another run left is asked for",
    WholeAlready = "all bytes of another run are there",
    Recorded = "a record is written",
    Checkpoint = "a record of flushed bytes",
    Hashed = "a digest is computed",
    Complete = "complete",
    Unverified = "complete, of a length that nothing confirms",
    Present = "present",
    Canceled = "canceled",
    FailedNetwork = "failed: network",
    FailedTimeout = "failed: timeout",
    FailedStatus = "failed: status",
    FailedReply = "failed: a bad reply",
    FailedChecksum = "failed: checksum",
    FailedFile = "failed: a file action",
    FailedPublish = "failed: publishing",
    FailedOther = "failed: for another reason",
    NameTaken = "a name is taken when a file is to get it",
    PassTold = "the end of a pass of eviction is told",
    Litter = "something could not be removed",
    KeptByDeath = "a death leaves bytes to go on from",
    KeptByPowerLoss = "a loss of power leaves bytes to go on from",
    ThereAfterPower = "a file is there after a loss of power",
}

const MARKS: usize = Mark::ALL.len();

/// How often each thing happened.
#[derive(Clone, PartialEq, Eq)]
pub struct Tally([u64; MARKS]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; MARKS])
    }
}

impl Tally {
    pub(crate) fn hit(&mut self, mark: Mark) {
        self.0[mark as usize] += 1;
    }

    /// How often this happened.
    #[must_use]
    pub fn count(&self, mark: Mark) -> u64 {
        self.0[mark as usize]
    }

    /// Adds what happened in another run.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    /// What never happened.
    pub fn missing(&self) -> impl Iterator<Item = Mark> {
        Mark::ALL.iter().copied().filter(|mark| self.count(*mark) == 0)
    }

    /// How much went wrong on purpose: everything that servers, disks, deaths and strangers did.
    #[must_use]
    pub fn faults(&self) -> u64 {
        let is_fault = |mark: &&Mark| {
            let is_neutral =
                matches!(mark, Mark::Tmpfs | Mark::Ext4 | Mark::Posix | Mark::RightDigest | Mark::Redirect);
            **mark < Mark::Joined && !is_neutral && !mark.text().starts_with("version: ")
        };
        Mark::ALL.iter().filter(is_fault).map(|mark| self.count(*mark)).sum()
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Mark::ALL.iter().map(|mark| (mark.text(), self.count(*mark)))).finish()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mark in Mark::ALL {
            writeln!(f, "{:>12}  {}", self.count(*mark), mark.text())?;
        }
        Ok(())
    }
}
