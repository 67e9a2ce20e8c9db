//! Servers that want to know who the client is.

use dlmanager_core::FaultKind;
use dlmanager_origin::{Authority, Tls, TlsVersion};
use dlmanager_tls::TlsConfig;

use crate::client::{authority, fetch, handshake, start};

#[test]
fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let (authority, clients) = (authority(), Authority::new("the clients' CA").unwrap());
    let identity = clients.client("somebody").unwrap();
    let config = TlsConfig::builder().ca_pem(authority.pem()).only_given_cas(true);
    let config = config.client_pem(identity.certificates_pem, identity.key_pem).build().unwrap();
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let origin = start(&Tls::new(&authority).only(version).require_client(&clients));
        assert_eq!(fetch(&config, &origin, "localhost").as_deref(), Ok("hello"));
        assert_eq!(handshake(&origin).result.unwrap().client_certificates, 1);

        let indifferent = start(&Tls::new(&authority).only(version));
        assert_eq!(fetch(&config, &indifferent, "localhost").as_deref(), Ok("hello"));
        assert_eq!(handshake(&indifferent).result.unwrap().client_certificates, 0, "nobody asked");
    }
}

#[test]
fn a_server_that_misses_or_refuses_the_client_certificate_is_understood() {
    let (authority, clients) = (authority(), Authority::new("the clients' CA").unwrap());
    let stranger = Authority::new("another CA").unwrap().client("stranger").unwrap();
    let without = TlsConfig::builder().ca_pem(authority.pem()).only_given_cas(true);
    let with_wrong = without.clone().client_pem(stranger.certificates_pem, stranger.key_pem);
    let (missing, refused) = ("the server wants a client certificate", "does not accept the client certificate");
    for (version, config, words) in [
        (TlsVersion::Tls12, &without, missing),
        (TlsVersion::Tls13, &without, missing),
        (TlsVersion::Tls12, &with_wrong, refused),
        (TlsVersion::Tls13, &with_wrong, refused),
    ] {
        let origin = start(&Tls::new(&authority).only(version).require_client(&clients));
        let fault = fetch(&config.clone().build().unwrap(), &origin, "localhost").unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Tls, "{version:?}: {fault}");
        assert!(fault.to_string().contains(words), "{version:?}: {fault}");
        assert!(origin.records().requests.is_empty());
    }
}
