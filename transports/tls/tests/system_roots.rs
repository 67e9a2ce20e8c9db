//! The system's roots, where the environment says which those are: everywhere but on macOS and Windows.
#![cfg(all(unix, not(target_vendor = "apple")))]

#[path = "handshakes/client.rs"]
#[allow(dead_code, reason = "its other tests use the rest")]
mod client;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use dlmanager_core::FaultKind;
use dlmanager_origin::{Authority, ServerCertificate};
use dlmanager_tls::{Cause, Part, TlsConfig};

use client::{authority, fetch, origin};

/// Set in a process whose system has the roots that a test wants.
const WITHIN: &str = "DLMANAGER_TLS_TEST_WITHIN";

/// Runs the test of that name once more, in a process whose system has these roots; `false` within it.
fn run_with_roots(test: &str, roots: &str) -> bool {
    if env::var_os(WITHIN).is_some() {
        return false;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, empty) = (folder.path().join("roots.pem"), folder.path().join("empty"));
    fs::write(&file, roots).unwrap();
    fs::create_dir(&empty).unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(WITHIN, folder.path())
        .env("SSL_CERT_FILE", &file)
        .env("SSL_CERT_DIR", &empty)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
    true
}

#[test]
fn the_systems_roots_refuse_a_private_ca_and_accept_it_when_given() {
    if run_with_roots("the_systems_roots_refuse_a_private_ca_and_accept_it_when_given", &authority().pem()) {
        return;
    }
    let (origin, ca) = origin(ServerCertificate::OtherCa);
    for config in [TlsConfig::default(), TlsConfig::builder().build().unwrap()] {
        let fault = fetch(&config, &origin, "localhost").unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Tls);
        assert!(
            fault.to_string().contains("comes from \"CN=another CA of the tests\", which is no trusted CA"),
            "{fault}"
        );
    }
    drop((origin, ca));
    let (origin, ca) = client::origin(ServerCertificate::Good);
    let given = TlsConfig::builder().ca_pem(ca.pem()).build().unwrap();
    assert_eq!(fetch(&given, &origin, "localhost").as_deref(), Ok("hello"));
}

#[test]
fn the_systems_roots_are_trusted_beside_the_given_ones_or_not_at_all() {
    let test = "the_systems_roots_are_trusted_beside_the_given_ones_or_not_at_all";
    if env::var_os(WITHIN).is_none() {
        // The process within takes its roots from here and makes a server of its own.
        assert!(run_with_roots(test, ""));
        return;
    }
    let (origin, ca) = origin(ServerCertificate::Good);
    fs::write(env::var_os("SSL_CERT_FILE").unwrap(), ca.pem()).unwrap();
    let other = Authority::new("another CA").unwrap().pem();
    let beside = TlsConfig::builder().ca_pem(other.as_str());
    assert_eq!(fetch(&TlsConfig::default(), &origin, "localhost").as_deref(), Ok("hello"));
    assert_eq!(fetch(&beside.clone().build().unwrap(), &origin, "localhost").as_deref(), Ok("hello"));
    let alone = beside.only_given_cas(true).build().unwrap();
    assert_eq!(fetch(&alone, &origin, "localhost").unwrap_err().kind(), FaultKind::Tls);
}

#[test]
fn a_system_without_roots_says_so_and_is_asked_again() {
    if run_with_roots("a_system_without_roots_says_so_and_is_asked_again", "") {
        return;
    }
    let file = env::var("SSL_CERT_FILE").unwrap();
    let config = TlsConfig::builder().build().expect("nobody has asked for the roots yet");
    let error = config.client_config().unwrap_err();
    assert_eq!((error.part(), error.path()), (Part::SystemCas, None::<&Path>));
    assert!(matches!(error.cause(), Cause::NoSystemCas { .. }));
    let text = error.fault().to_string();
    let words = "no secure connection: the system's CA certificates: there are none, so no server can be verified (";
    assert!(text.starts_with(words), "{text}");
    assert!(text.contains(&format!("SSL_CERT_FILE is {file}")), "{text}");
    assert!(text.contains("package ca-certificates") && text.contains("--cacert"), "{text}");

    let (origin, ca) = origin(ServerCertificate::Good);
    let given = TlsConfig::builder().ca_pem(ca.pem()).build().unwrap();
    assert_eq!(fetch(&given, &origin, "localhost").as_deref(), Ok("hello"), "given ones do without the system's");

    fs::write(&file, ca.pem()).unwrap();
    assert_eq!(fetch(&config, &origin, "localhost").as_deref(), Ok("hello"), "they may come later");
    fs::write(&file, "").unwrap();
    assert_eq!(fetch(&config, &origin, "localhost").as_deref(), Ok("hello"), "they are read once");
}
