//! Certificates and keys out of PEM.

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;

use crate::load::Cause;

type Sections = Vec<(SectionKind, Vec<u8>)>;

/// All certificates, in their order; each parses as one that can be trusted.
pub(crate) fn ca_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Cause> {
    let found = certificates(text)?;
    let mut scratch = RootCertStore::empty();
    check(&found, |certificate| scratch.add(certificate.clone()))?;
    Ok(found)
}

/// All certificates, in their order; each parses as one that a client can show.
pub(crate) fn certificate_chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Cause> {
    let found = certificates(text)?;
    check(&found, |certificate| ParsedCertificate::try_from(certificate).map(drop))?;
    Ok(found)
}

fn check(
    certificates: &[CertificateDer<'static>],
    mut parse: impl FnMut(&CertificateDer<'static>) -> Result<(), rustls::Error>,
) -> Result<(), Cause> {
    for (index, certificate) in certificates.iter().enumerate() {
        parse(certificate).map_err(|error| Cause::BadCertificate { number: index + 1, reason: reason(&error) })?;
    }
    Ok(())
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Cause> {
    let sections = sections(text)?.into_iter().filter(|(kind, _)| *kind == SectionKind::Certificate);
    let found: Vec<_> = sections.map(|(_, der)| CertificateDer::from(der)).collect();
    if found.is_empty() { Err(Cause::NoCertificate { found: labels(text) }) } else { Ok(found) }
}

/// The first private key.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, Cause> {
    let encrypted = |label: &String| label == "ENCRYPTED PRIVATE KEY";
    let sections = sections(text)?;
    let key = sections.into_iter().find_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der));
    key.ok_or_else(|| match labels(text) {
        found if found.iter().any(encrypted) => Cause::EncryptedKey,
        found => Cause::NoKey { found },
    })
}

/// rustls's words, as short as they go.
pub(crate) fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(cause) => cause.to_string(),
        rustls::Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

/// All sections of the kinds that rustls knows.
fn sections(text: &[u8]) -> Result<Sections, Cause> {
    if text.trim_ascii().is_empty() {
        return Err(Cause::Empty);
    }
    if labels(text).is_empty() {
        // A certificate and a key are each a SEQUENCE of more than 127 bytes.
        return Err(Cause::NotPem { is_der: matches!(text, [0x30, 0x81..=0x84, ..]) });
    }
    let mut found = Sections::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        let number = found.len() + 1;
        found.push(section.map_err(|error| Cause::BadPem { number, reason: pem_reason(&error) })?);
    }
    Ok(found)
}

/// What the lines announce that begin with `-----BEGIN `.
fn labels(text: &[u8]) -> Vec<String> {
    const LABELS_MAX: usize = 8;
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let mut found = Vec::new();
    for line in lines.filter_map(|line| line.strip_prefix(b"-----BEGIN ")) {
        let label = String::from_utf8_lossy(line.trim_ascii_end());
        let label: String = label.trim_end_matches('-').chars().filter(|char| !char.is_control()).take(40).collect();
        if !found.contains(&label) && found.len() < LABELS_MAX {
            found.push(label);
        }
    }
    found
}

fn pem_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its -----END line is missing".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "its -----BEGIN line does not end in -----".to_owned(),
        pem::Error::Base64Decode(_) => "it is not Base64".to_owned(),
        other => other.to_string(),
    }
}
