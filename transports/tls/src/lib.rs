//! TLS for the transports of dlmanager: whom to trust, who one is, and what to say when it does not work.
//!
//! A [`TlsConfig`] holds what is trusted and, where a server asks for it, a client certificate. It yields a
//! [`rustls::ClientConfig`], which any runtime's adapter of rustls takes. [`server_name`] makes the name that the server
//! has to prove out of a URL's host. What then fails becomes a [`Fault`](dlmanager_core::Fault) that a person
//! understands: a handshake by [`handshake_fault`], and a connection that was made by [`connection_fault`].
//!
//! ```no_run
//! use std::net::TcpStream;
//!
//! use dlmanager_tls::{TlsConfig, handshake_fault, server_name};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! // The system's CAs, and one more.
//! let tls = TlsConfig::builder().ca_file("/etc/company/ca.pem").build()?;
//!
//! let (host, port) = ("files.example.org", 443);
//! let mut session = rustls::ClientConnection::new(tls.client_config()?, server_name(host)?)?;
//! let mut socket = TcpStream::connect((host, port))?;
//! while session.is_handshaking() {
//!     session.complete_io(&mut socket).map_err(|error| handshake_fault(&format!("{host}:{port}"), &error))?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is used
//!
//! - TLS 1.2 and 1.3, and `http/1.1` by ALPN.
//! - The cryptography is ring's, given to rustls explicitly. What the process has installed as its default provider, and
//!   which other providers are compiled in, does not matter.
//! - By default the platform's own verifier decides with the platform's roots: the keychain of macOS, the certificate
//!   store of Windows, on other systems the files that OpenSSL would use (`SSL_CERT_FILE` and `SSL_CERT_DIR` say where
//!   others are). Certificates given with [`TlsConfigBuilder::ca_file`] and [`TlsConfigBuilder::ca_pem`] are trusted
//!   besides, or alone with [`TlsConfigBuilder::only_given_cas`].
//! - What was given is read and checked by [`TlsConfigBuilder::build`]. The system's roots are read when they are needed
//!   first, so that a program on a system without any still speaks plain HTTP.
#![forbid(unsafe_code)]

mod certificate;
mod config;
mod explain;
mod load;
mod name;
mod pem;
mod read;
mod verifier;
mod words;

pub use config::{TlsConfig, TlsConfigBuilder};
pub use explain::{connection_fault, handshake_fault};
pub use load::{Cause, LoadError, Part};
pub use name::server_name;
pub use rustls;
