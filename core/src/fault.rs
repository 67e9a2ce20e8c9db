//! What a driver reports when an action did not work.

use alloc::boxed::Box;
use core::fmt;

/// Why an action failed, as the driver tells it: comparable, with no `io::Error` inside.
///
/// The core decides by [`kind`](Self::kind) alone; the code and the detail are for the person who reads the message.
///
/// ```
/// use dlmanager_core::{Fault, FaultKind};
///
/// let fault = Fault::new(FaultKind::NoSpace).with_detail("write").with_os_code(28);
/// assert_eq!(fault.kind(), FaultKind::NoSpace);
/// assert_eq!(fault.to_string(), "no space left: write (os error 28)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    kind: FaultKind,
    os_code: Option<i32>,
    detail: Option<Box<str>>,
}

impl Fault {
    /// A fault of that kind, without more to say.
    pub const fn new(kind: FaultKind) -> Self {
        Self { kind, os_code: None, detail: None }
    }

    /// The same with the operating system's error number.
    #[must_use]
    pub const fn with_os_code(mut self, code: i32) -> Self {
        self.os_code = Some(code);
        self
    }

    /// The same with a text for people.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What the core decides by.
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The operating system's error number, where there was one.
    pub const fn os_code(&self) -> Option<i32> {
        self.os_code
    }

    /// The text for people, where there is one.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.text())?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(code) = self.os_code {
            write!(f, " (os error {code})")?;
        }
        Ok(())
    }
}

impl core::error::Error for Fault {}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The classes of faults that the core tells apart.
        ///
        /// ```
        /// use dlmanager_core::{Fault, FaultKind};
        ///
        /// assert_eq!(FaultKind::Resolve.text(), "the host name does not resolve");
        /// assert_eq!(Fault::from(FaultKind::Busy), Fault::new(FaultKind::Busy));
        /// assert!(FaultKind::ALL.contains(&FaultKind::Io));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind {
            $($(#[$doc])* $name,)*
        }

        impl FaultKind {
            /// All kinds, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind in words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

fault_kinds! {
    /// An action before this one in the same lane and epoch failed, so this one was not tried.
    Skipped = "not tried, as an earlier step failed",
    /// The driver lost the action: its code panicked, or dropped the ticket. What it did is unknown.
    Aborted = "given up by the driver",
    /// The host name did not resolve.
    Resolve = "the host name does not resolve",
    /// No connection could be made.
    Connect = "no connection",
    /// The connection was made but could not be secured.
    Tls = "no secure connection",
    /// The connection broke, or ended before the reply was whole.
    Reset = "the connection broke",
    /// What came is not a valid reply of the protocol.
    Protocol = "not a valid HTTP reply",
    /// The reply's head has more bytes or fields than the transport accepts.
    HeadTooLarge = "the head of the reply is too large",
    /// The transport cannot do what the request asks for.
    Unsupported = "not supported",
    /// The name, or a folder on the way to it, is not there.
    NotFound = "not found",
    /// Something has that name already.
    Exists = "exists already",
    /// A symlink, or another thing that is not a regular file or folder as asked, stands there.
    WrongType = "not a regular file or folder as expected, or a symbolic link, which is not followed",
    /// Not permitted.
    Denied = "permission denied",
    /// The file system cannot be written.
    ReadOnly = "the file system is read-only",
    /// No room is left: the disk, the quota, or the greatest size of a file.
    NoSpace = "no space left",
    /// The file system does not accept the name.
    BadName = "the file system does not accept the name",
    /// Somebody else uses it.
    Busy = "in use",
    /// The file is not what it was.
    Changed = "changed by somebody else",
    /// Any other input or output error.
    Io = "input/output error",
}
