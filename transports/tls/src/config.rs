//! Whom to trust and who one is.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use crate::load::{Cause, LoadError, Part};
use crate::pem;
use crate::read::Source;
use crate::verifier::Explaining;

/// A TLS configuration. Clones share it, and its session tickets. The default trusts the system's CAs.
///
/// ```no_run
/// use dlmanager_tls::TlsConfig;
///
/// let tls = TlsConfig::default();
/// let config = tls.client_config()?; // for an adapter of rustls
/// assert_eq!(config.alpn_protocols, [b"http/1.1"]);
/// # Ok::<(), dlmanager_tls::LoadError>(())
/// ```
#[derive(Clone, Default)]
pub struct TlsConfig(Arc<Inner>);

#[derive(Default)]
struct Inner {
    given: Vec<CertificateDer<'static>>,
    only_given: bool,
    client: Option<Arc<dyn ResolvesClientCert>>,
    /// Made when it is asked for first: reading the system's roots takes a while, and may fail.
    made: Mutex<Option<Arc<ClientConfig>>>,
}

impl TlsConfig {
    /// A configuration, part by part.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::default()
    }

    /// What rustls needs. The first call reads the system's roots, which takes some milliseconds; later ones hand out
    /// the same value. An error is not kept: the next call tries again.
    ///
    /// # Errors
    ///
    /// [`Cause::NoSystemCas`] where the system has no roots and none were given.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, LoadError> {
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*made {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.0.make()?);
        *made = Some(Arc::clone(&config));
        Ok(config)
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("given_cas", &self.0.given.len())
            .field("only_given_cas", &self.0.only_given)
            .field("client_certificate", &self.0.client.is_some())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn make(&self) -> Result<ClientConfig, LoadError> {
        let provider = provider();
        let verifier = Arc::new(Explaining::new(self.verifier(&provider)?));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("ring has cipher suites for both versions")
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.client {
            Some(client) => builder.with_client_cert_resolver(Arc::clone(client)),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, LoadError> {
        let (provider, given) = (Arc::clone(provider), self.given.iter().cloned());
        if self.only_given {
            let mut roots = RootCertStore::empty();
            // Each was checked when it was given.
            roots.add_parsable_certificates(given);
            return match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() {
                Ok(verifier) => Ok(verifier),
                Err(_) => Err(LoadError::new(Part::GivenCas, None, Cause::NoneGiven)),
            };
        }
        match rustls_platform_verifier::Verifier::new_with_extra_roots(given, provider) {
            Ok(verifier) => Ok(Arc::new(verifier)),
            Err(error) => {
                let mut reason = pem::reason(&error);
                for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
                    if let Some(value) = std::env::var_os(name) {
                        reason.push_str(&format!("; {name} is {}", value.display()));
                    }
                }
                Err(LoadError::new(Part::SystemCas, None, Cause::NoSystemCas { reason }))
            }
        }
    }
}

/// Builds a [`TlsConfig`]. What is given is looked at by [`build`](Self::build).
///
/// ```no_run
/// use dlmanager_tls::TlsConfig;
///
/// let tls = TlsConfig::builder()
///     .ca_file("/etc/company/ca.pem")
///     .only_given_cas(true)
///     .client_files("client.pem", "client.key")
///     .build()?;
/// # Ok::<(), dlmanager_tls::LoadError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TlsConfigBuilder {
    cas: Vec<Source>,
    only_given: bool,
    client: Option<(Source, Source)>,
}

impl TlsConfigBuilder {
    /// Trusts the CA certificates in this PEM file besides the system's. May be repeated. What else is in the file is
    /// passed over.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.cas.push(Source::File(path.into()));
        self
    }

    /// Trusts the CA certificates in this PEM text besides the system's. May be repeated.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.cas.push(Source::Bytes(pem.into()));
        self
    }

    /// Whether the system's CAs are left out, so that only those are trusted that were given.
    pub fn only_given_cas(mut self, only: bool) -> Self {
        self.only_given = only;
        self
    }

    /// Shows this certificate to servers that ask for one: a PEM file with the client's certificate and then those that
    /// lead to its CA, and one with its key (PKCS #8, PKCS #1 or SEC 1, not encrypted). Both may be the same file. The
    /// last call of this and [`client_pem`](Self::client_pem) counts.
    pub fn client_files(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some((Source::File(certificates.into()), Source::File(key.into())));
        self
    }

    /// The same as [`client_files`](Self::client_files), from PEM texts.
    pub fn client_pem(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.client = Some((Source::Bytes(certificates.into()), Source::Bytes(key.into())));
        self
    }

    /// Reads and checks all that was given.
    ///
    /// # Errors
    ///
    /// What is wrong, with its part, its file, and its place there.
    pub fn build(self) -> Result<TlsConfig, LoadError> {
        let Self { cas, only_given, client } = self;
        if only_given && cas.is_empty() {
            return Err(LoadError::new(Part::GivenCas, None, Cause::NoneGiven));
        }
        let mut given = Vec::new();
        for source in cas {
            given.extend(load(source, Part::GivenCas, pem::ca_certificates)?);
        }
        let client = client.map(|(certificates, key)| client_certificate(certificates, key)).transpose()?;
        Ok(TlsConfig(Arc::new(Inner { given, only_given, client, made: Mutex::default() })))
    }
}

fn client_certificate(certificates: Source, key: Source) -> Result<Arc<dyn ResolvesClientCert>, LoadError> {
    let key_path = key.path().map(PathBuf::from);
    let chain = load(certificates, Part::ClientCertificate, pem::certificate_chain)?;
    let key = load(key, Part::ClientKey, pem::private_key)?;
    let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
        let cause = match error {
            rustls::Error::InconsistentKeys(_) => Cause::KeyMismatch,
            other => Cause::BadKey { reason: pem::reason(&other) },
        };
        LoadError::new(Part::ClientKey, key_path.as_deref(), cause)
    })?;
    Ok(Arc::new(SingleCertAndKey::from(pair)))
}

fn load<T>(source: Source, part: Part, parse: impl FnOnce(&[u8]) -> Result<T, Cause>) -> Result<T, LoadError> {
    let path = source.path().map(PathBuf::from);
    source.read().and_then(|text| parse(&text)).map_err(|cause| LoadError::new(part, path.as_deref(), cause))
}

/// Named wherever rustls would else take the process's default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
