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

#[cfg(test)]
mod tests {
    use dlmanager_origin::{Authority, ServerCertificate};
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn described(certificates_pem: &str) -> Vec<Described> {
        let certificates = CertificateDer::pem_slice_iter(certificates_pem.as_bytes());
        certificates.map(|certificate| Described::of(&certificate.unwrap()).unwrap()).collect()
    }

    fn sample() -> Vec<u8> {
        let identity = Authority::new("a CA").unwrap().server(ServerCertificate::Good).unwrap();
        CertificateDer::from_pem_slice(identity.certificates_pem.as_bytes()).unwrap().to_vec()
    }

    #[test]
    fn all_that_explains_a_refusal_is_found() {
        let authority = Authority::new("a CA").unwrap();
        let [one] = &described(&authority.server(ServerCertificate::Expired).unwrap().certificates_pem)[..] else {
            panic!("one certificate")
        };
        assert_eq!(
            (one.subject.to_string(), one.issuer.to_string()),
            ("CN=localhost".to_owned(), "CN=a CA".to_owned())
        );
        assert_eq!((one.not_before.as_secs(), one.not_after.as_secs()), (1_577_836_800, 1_580_515_200));
        assert_eq!(one.names, ["localhost", "127.0.0.1", "::1"]);
        assert!(!one.is_self_issued() && described(&authority.pem())[0].is_self_issued());
    }

    #[test]
    fn certificates_that_vouch_for_each_other_in_a_circle_have_an_end() {
        let authority = Authority::new("a CA").unwrap();
        let mut all = described(&authority.server(ServerCertificate::Intermediate).unwrap().certificates_pem);
        let leaf = all.remove(0);
        let between = all[0].clone();
        assert_eq!(last_issuer(&leaf, &[]), &leaf.issuer);
        assert_eq!(last_issuer(&leaf, &all), &between.issuer);
        all.push(Described { subject: between.issuer.clone(), issuer: between.subject.clone(), ..between.clone() });
        let end = last_issuer(&leaf, &all);
        assert!(end == &between.issuer || end == &between.subject);
    }

    proptest! {
        #[test]
        fn no_bytes_at_all_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Described::of(&CertificateDer::from(bytes));
        }

        #[test]
        fn no_damaged_certificate_does_harm(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            kept in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            thread_local!(static SAMPLE: Vec<u8> = sample());
            let mut bytes = SAMPLE.with(Vec::clone);
            let whole = bytes.len();
            for (place, byte) in changes {
                bytes[place.index(whole)] = byte;
            }
            if cut {
                bytes.truncate(kept.index(whole));
            }
            let described = Described::of(&CertificateDer::from(bytes));
            prop_assert!(!cut || described.is_none(), "a part is not a certificate");
        }
    }
}
