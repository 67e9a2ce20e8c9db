//! A verifier whose refusals say enough.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};

use crate::certificate::{Described, last_issuer};
use crate::words::quoted;

/// Lets another verifier decide, and adds to its refusals what the certificate says of itself.
///
/// Where the refusal's own kind has room for that, it stays what it is and so does the alert that the server gets. An
/// unknown issuer has none: it becomes an [`Untrusted`], and the server gets `certificate_unknown` instead of
/// `unknown_ca`.
#[derive(Debug)]
pub(crate) struct Explaining(Arc<dyn ServerCertVerifier>);

/// No trusted CA vouches for the certificate.
#[derive(Debug, Clone)]
pub(crate) struct Untrusted {
    subject: String,
    issuer: String,
    self_issued: bool,
    /// It says that it is a CA's, which cannot be a server's as well.
    is_ca: bool,
}

impl Explaining {
    pub(crate) fn new(inner: Arc<dyn ServerCertVerifier>) -> Self {
        Self(inner)
    }
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| {
            let Error::InvalidCertificate(cause) = error else { return error };
            let Some(certificate) = Described::of(end_entity) else { return Error::InvalidCertificate(cause) };
            let others: Vec<_> = intermediates.iter().filter_map(Described::of).collect();
            Error::InvalidCertificate(explained(cause, &certificate, &others, server_name, now))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.0.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.0.root_hint_subjects()
    }
}

/// The verifiers of macOS and Windows name the cause alone, webpki says when and which name.
fn explained(
    cause: CertificateError,
    certificate: &Described,
    others: &[Described],
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> CertificateError {
    let is_ca = is_ca_as_server(&cause);
    match cause {
        CertificateError::Expired => CertificateError::ExpiredContext { time: now, not_after: certificate.not_after },
        CertificateError::NotValidYet => {
            CertificateError::NotValidYetContext { time: now, not_before: certificate.not_before }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateError::NotValidForNameContext {
                expected: server_name.to_owned(),
                presented: certificate.names.clone(),
            }
        }
        cause if is_ca || cause == CertificateError::UnknownIssuer => {
            CertificateError::Other(OtherError(Arc::new(Untrusted {
                subject: quoted(&certificate.subject.to_string()),
                issuer: quoted(&last_issuer(certificate, others).to_string()),
                self_issued: certificate.is_self_issued(),
                is_ca,
            })))
        }
        other => other,
    }
}

fn is_ca_as_server(cause: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(other)) = cause else { return false };
    matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, self_issued, is_ca } = self;
        if *is_ca {
            return write!(
                f,
                "the server shows a CA's certificate ({subject}) as its own, which is never accepted; it needs one that \
                 does not say CA:TRUE"
            );
        }
        if *self_issued {
            return write!(
                f,
                "the server's certificate is self-signed ({subject}) and not among the trusted ones; if it is the right \
                 one, give it (--cacert)"
            );
        }
        write!(
            f,
            "the server's certificate comes from {issuer}, which is no trusted CA; if you trust it, give its certificate \
             (--cacert)"
        )
    }
}

impl std::error::Error for Untrusted {}
