//! A private CA in memory.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

/// A CA of its own, whose key never leaves the process. Clones are the same CA.
#[derive(Clone, Debug)]
pub struct Authority(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and behind it those that lead to its CA.
    pub certificates_pem: String,
    /// The key, as PKCS #8.
    pub key_pem: String,
}

/// The certificate that a server shows. All but [`ServerCertificate::WrongName`] are for `localhost`, `127.0.0.1` and
/// `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerCertificate {
    /// Nothing is wrong with it.
    Good,
    /// Good, from an intermediate CA whose certificate is sent along.
    Intermediate,
    /// From an intermediate CA whose certificate is not sent.
    IntermediateMissing,
    /// For `wrong.example` and `*.wrong.example`.
    WrongName,
    /// For no name at all.
    NoName,
    /// Valid throughout January 2020.
    Expired,
    /// Valid from January 2090 on.
    NotYetValid,
    /// Signed with its own key.
    SelfSigned,
    /// Signed with its own key, and it says that it is a CA's, as `openssl req -x509` makes them.
    SelfSignedCa,
    /// From another CA.
    OtherCa,
    /// From another CA that bears this one's name.
    ImpostorCa,
    /// For clients only.
    ForClients,
}

impl Authority {
    /// A CA of that name.
    ///
    /// # Errors
    ///
    /// Where no key can be made.
    pub fn new(name: &str) -> io::Result<Self> {
        let issuer = CertifiedIssuer::self_signed(ca_params(name), key()?).map_err(io::Error::other)?;
        Ok(Self(Arc::new(Inner { name: name.to_owned(), issuer })))
    }

    /// Its own certificate, which a client has to trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.issuer.pem()
    }

    /// A certificate for a client of that name.
    ///
    /// # Errors
    ///
    /// Where no key can be made.
    pub fn client(&self, name: &str) -> io::Result<Identity> {
        self.issue(&leaf_params(name, ExtendedKeyUsagePurpose::ClientAuth))
    }

    /// A certificate for a server, and what may be wrong with it.
    ///
    /// # Errors
    ///
    /// Where no key can be made.
    pub fn server(&self, certificate: ServerCertificate) -> io::Result<Identity> {
        use ServerCertificate as C;
        let mut params = leaf_params("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names = vec![
            dns("localhost")?,
            SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
            SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
        ];
        match certificate {
            C::Good => self.issue(&params),
            C::Intermediate => {
                let between = self.intermediate()?;
                let mut identity = between.issue(&params)?;
                identity.certificates_pem.push_str(&between.pem());
                Ok(identity)
            }
            C::IntermediateMissing => self.intermediate()?.issue(&params),
            C::WrongName => {
                params.subject_alt_names = vec![dns("wrong.example")?, dns("*.wrong.example")?];
                self.issue(&params)
            }
            C::NoName => {
                params.subject_alt_names.clear();
                self.issue(&params)
            }
            C::Expired => {
                (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
                self.issue(&params)
            }
            C::NotYetValid => {
                (params.not_before, params.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2099, 1, 1));
                self.issue(&params)
            }
            C::SelfSigned => self_signed(&params),
            C::SelfSignedCa => {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                self_signed(&params)
            }
            C::OtherCa => Self::new("another CA of the tests")?.issue(&params),
            C::ImpostorCa => Self::new(&self.0.name)?.issue(&params),
            C::ForClients => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                self.issue(&params)
            }
        }
    }

    fn intermediate(&self) -> io::Result<Self> {
        let name = format!("intermediate of {}", self.0.name);
        let issuer = CertifiedIssuer::signed_by(ca_params(&name), key()?, &self.0.issuer).map_err(io::Error::other)?;
        Ok(Self(Arc::new(Inner { name, issuer })))
    }

    fn issue(&self, params: &CertificateParams) -> io::Result<Identity> {
        let key = key()?;
        let certificate = params.signed_by(&key, &self.0.issuer).map_err(io::Error::other)?;
        Ok(Identity { certificates_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

fn self_signed(params: &CertificateParams) -> io::Result<Identity> {
    let key = key()?;
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    Ok(Identity { certificates_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

fn key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}

fn dns(name: &str) -> io::Result<SanType> {
    Ok(SanType::DnsName(name.try_into().map_err(io::Error::other)?))
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(name: &str, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params
}

/// Valid from 1975 to 4096.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
