//! What a certificate says of itself, for the people who read why it was refused.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::words::ip_address;

/// The part of a certificate that explains a refusal. None of it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) subject: Name,
    pub(crate) issuer: Name,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    /// DNS names and addresses.
    pub(crate) names: Vec<String>,
}

impl Described {
    /// `None` where the certificate is malformed.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let content = certificate.tbs_certificate();
        let validity = content.validity();
        let alternatives = content.get_extension::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0);
        Some(Self {
            subject: content.subject().clone(),
            issuer: content.issuer().clone(),
            not_before: unix_time(validity.not_before.to_unix_duration()),
            not_after: unix_time(validity.not_after.to_unix_duration()),
            names: alternatives.unwrap_or_default().iter().filter_map(server_name).collect(),
        })
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

/// The issuer at the end of the way that the server's certificates make: the one that would have to be trusted.
pub(crate) fn last_issuer<'a>(first: &'a Described, others: &'a [Described]) -> &'a Name {
    let mut last = first;
    // No way is longer than there are certificates, so that a circle ends as well.
    for _ in others {
        if last.is_self_issued() {
            break;
        }
        let Some(next) = others.iter().find(|other| other.subject == last.issuer) else { break };
        last = next;
    }
    &last.issuer
}

fn server_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(octets) => ip_address(octets.as_bytes()),
        _ => None,
    }
}

fn unix_time(since_epoch: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(since_epoch)
}
