//! TLS: what a server shows and asks for, and the sessions of its connections.

mod authority;
mod session;

use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

pub use authority::{Authority, Identity, ServerCertificate};
pub(crate) use session::Session;

/// How an origin speaks TLS: what it shows, what it asks for, and which parts of the protocol it knows.
///
/// ```no_run
/// use dlmanager_origin::{Authority, Origin, ServerCertificate, Tls};
///
/// let authority = Authority::new("a CA of the tests")?;
/// let good = Origin::start_tls(&Tls::new(&authority))?;
/// let expired = Origin::start_tls(&Tls::new(&authority).certificate(ServerCertificate::Expired))?;
/// // What a client has to be told, so that it accepts the first and still refuses the second:
/// let ca_pem = authority.pem();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tls {
    authority: Authority,
    certificate: ServerCertificate,
    identity: Option<Identity>,
    client_authority: Option<Authority>,
    version: Option<TlsVersion>,
    protocols: Vec<String>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Tls {
    /// A good certificate of this CA, no question for the client's, TLS 1.2 and 1.3, `http/1.1` by ALPN.
    #[must_use]
    pub fn new(authority: &Authority) -> Self {
        Self {
            authority: authority.clone(),
            certificate: ServerCertificate::Good,
            identity: None,
            client_authority: None,
            version: None,
            protocols: vec!["http/1.1".to_owned()],
        }
    }

    /// Another certificate.
    #[must_use]
    pub fn certificate(mut self, certificate: ServerCertificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// This certificate instead of one that is made for the occasion.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Clients have to show a certificate of this CA.
    #[must_use]
    pub fn require_client(mut self, authority: &Authority) -> Self {
        self.client_authority = Some(authority.clone());
        self
    }

    /// Only this version of TLS.
    #[must_use]
    pub fn only(mut self, version: TlsVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Only these protocols by ALPN; with none, the client's list is ignored.
    #[must_use]
    pub fn protocols(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols.iter().copied().map(str::to_owned).collect();
        self
    }

    pub(crate) fn config(&self) -> io::Result<Arc<ServerConfig>> {
        let identity = match &self.identity {
            Some(identity) => identity.clone(),
            None => self.authority.server(self.certificate)?,
        };
        let chain = CertificateDer::pem_slice_iter(identity.certificates_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(io::Error::other)?;

        // Named: what the process has as its default is its own business.
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions())
            .map_err(io::Error::other)?;
        let builder = match &self.client_authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).map_err(io::Error::other)?;
                roots.add(root).map_err(io::Error::other)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(io::Error::other)?;
        config.alpn_protocols = self.protocols.iter().map(|protocol| protocol.clone().into_bytes()).collect();
        Ok(Arc::new(config))
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        use rustls::version::{TLS12, TLS13};
        match self.version {
            None => vec![&TLS13, &TLS12],
            Some(TlsVersion::Tls12) => vec![&TLS12],
            Some(TlsVersion::Tls13) => vec![&TLS13],
        }
    }
}
