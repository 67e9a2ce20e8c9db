//! Other crates in the process and their cryptography: alone in its process, since a default provider is for good.

#[path = "handshakes/client.rs"]
#[allow(dead_code, reason = "its other tests use the rest")]
mod client;

use std::panic;
use std::sync::Arc;

use dlmanager_origin::ServerCertificate;
use dlmanager_tls::rustls::ClientConfig;
use dlmanager_tls::rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom, ring};

use client::{fetch, origin, trusting};

/// No handshake can be had with it.
#[derive(Debug)]
struct NoRandomness;

impl SecureRandom for NoRandomness {
    fn fill(&self, _: &mut [u8]) -> Result<(), GetRandomFailed> {
        Err(GetRandomFailed)
    }
}

#[test]
fn neither_no_default_provider_nor_a_useless_one_matters() {
    let (origin, authority) = origin(ServerCertificate::Good);

    // As in a program with two providers compiled in: there is no default, and who asks for it panics.
    assert!(CryptoProvider::get_default().is_none());
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let asked = panic::catch_unwind(ClientConfig::builder);
    panic::set_hook(hook);
    assert!(asked.is_err(), "otherwise this test shows nothing");
    assert_eq!(fetch(&trusting(&authority), &origin, "localhost").as_deref(), Ok("hello"));
    assert!(CryptoProvider::get_default().is_none(), "none was installed on the way");

    let useless = CryptoProvider {
        cipher_suites: Vec::new(),
        kx_groups: Vec::new(),
        secure_random: &NoRandomness,
        ..ring::default_provider()
    };
    useless.install_default().unwrap();
    assert!(
        ClientConfig::builder_with_provider(Arc::clone(CryptoProvider::get_default().unwrap()))
            .with_safe_default_protocol_versions()
            .is_err()
    );
    assert_eq!(fetch(&trusting(&authority), &origin, "localhost").as_deref(), Ok("hello"));
    let identity = authority.client("somebody").unwrap();
    let with_client = dlmanager_tls::TlsConfig::builder()
        .ca_pem(authority.pem())
        .client_pem(identity.certificates_pem, identity.key_pem)
        .build()
        .unwrap();
    assert_eq!(fetch(&with_client, &origin, "localhost").as_deref(), Ok("hello"));
}
