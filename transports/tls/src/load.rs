//! Why a configuration could not be made.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use dlmanager_core::{Fault, FaultKind};

/// Why a [`TlsConfig`](crate::TlsConfig) could not be made, and by what.
///
/// ```
/// use dlmanager_tls::TlsConfig;
///
/// let error = TlsConfig::builder().ca_pem("no certificate").build().unwrap_err();
/// assert_eq!(error.to_string(), "CA certificates: not PEM: no line begins with -----BEGIN");
/// assert_eq!(error.path(), None); // it was not a file
/// ```
#[derive(Debug)]
pub struct LoadError {
    part: Part,
    path: Option<PathBuf>,
    cause: Cause,
}

/// A part of a configuration.
///
/// ```
/// use dlmanager_tls::{Part, TlsConfig};
///
/// let error = TlsConfig::builder().client_pem("", "").build().unwrap_err();
/// assert_eq!(error.part(), Part::ClientCertificate);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The CA certificates that were given.
    GivenCas,
    /// The CA certificates of the system.
    SystemCas,
    /// The client's certificate, with those that lead to its CA.
    ClientCertificate,
    /// The key of the client's certificate.
    ClientKey,
}

/// What is wrong with a part of a configuration.
///
/// ```
/// use dlmanager_tls::{Cause, TlsConfig};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("ca.pem");
/// let error = TlsConfig::builder().ca_file(&path).build().unwrap_err();
/// assert!(matches!(error.cause(), Cause::Missing));
/// assert_eq!(error.path(), Some(&*path));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// More than PEM files ever have.
    #[error("longer than {bytes_max} bytes")]
    TooLarge {
        /// The most that is read.
        bytes_max: u64,
    },
    /// Nothing but blanks.
    #[error("empty")]
    Empty,
    /// No line that begins with `-----BEGIN`.
    #[error("not PEM: no line begins with -----BEGIN{}", if *.is_der {
        "; it may be DER, which `openssl x509 -inform der` turns into PEM"
    } else {
        ""
    })]
    NotPem {
        /// It begins as a certificate or key in DER does.
        is_der: bool,
    },
    /// A section of the PEM text is malformed.
    #[error("section {number} is not valid PEM: {reason}")]
    BadPem {
        /// Its place among all sections, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// PEM, with other things than certificates.
    #[error("no certificate in it, only {}", listed(.found))]
    NoCertificate {
        /// The labels of what is in it.
        found: Vec<String>,
    },
    /// PEM, with other things than a private key.
    #[error("no private key in it, only {}", listed(.found))]
    NoKey {
        /// The labels of what is in it.
        found: Vec<String>,
    },
    /// The key is encrypted, and there is nobody to ask for its password.
    #[error("the key is encrypted; `openssl pkey` decrypts it")]
    EncryptedKey,
    /// A certificate does not parse.
    #[error("certificate {number} in it is not valid: {reason}")]
    BadCertificate {
        /// Its place among the certificates there, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The key does not parse, or is of a kind that is not supported.
    #[error("the key is not usable: {reason}")]
    BadKey {
        /// What is wrong with it.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error("it is not the key of the client certificate")]
    KeyMismatch,
    /// Only given CAs are to be trusted, and none was given.
    #[error("none was given, and no others are to be trusted")]
    NoneGiven,
    /// The system has none, as a container without the package that brings them.
    #[error(
        "there are none, so no server can be verified ({reason}); install them (package ca-certificates on most \
         systems), or give a file of them (--cacert, SSL_CERT_FILE)"
    )]
    NoSystemCas {
        /// What the verifier said, and which variables of the environment say where to look.
        reason: String,
    },
}

impl LoadError {
    pub(crate) fn new(part: Part, path: Option<&Path>, cause: Cause) -> Self {
        Self { part, path: path.map(Path::to_path_buf), cause }
    }

    /// The part that is wrong.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// The file that it came from; `None` where it was given as bytes, or where it is the system's.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What is wrong.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The same as the core's fault, of kind [`FaultKind::Tls`].
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::new(FaultKind::Tls).with_detail(self.to_string())
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.part {
            Part::GivenCas => "CA certificates",
            Part::SystemCas => "the system's CA certificates",
            Part::ClientCertificate => "client certificate",
            Part::ClientKey => "client key",
        })?;
        if let Some(path) = &self.path {
            write!(f, " {}", path.display())?;
        }
        write!(f, ": {}", self.cause)
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The cause's own text is in this one's already.
        std::error::Error::source(&self.cause)
    }
}

impl From<LoadError> for Fault {
    fn from(error: LoadError) -> Self {
        error.fault()
    }
}

fn listed(found: &[String]) -> String {
    if found.is_empty() { "what is not known here".to_owned() } else { found.join(", ") }
}
