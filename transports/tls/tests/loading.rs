//! What is given to a configuration, and every way in which it may be wrong.

use std::fs;
use std::path::Path;

use dlmanager_core::FaultKind;
use dlmanager_origin::{Authority, Identity};
use dlmanager_tls::{Cause, LoadError, Part, TlsConfig, TlsConfigBuilder};

/// A certificate whose bytes are Base64 and mean nothing.
const NO_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAECAwQFBgc=\n-----END CERTIFICATE-----\n";

fn authority() -> Authority {
    Authority::new("the tests' CA").unwrap()
}

fn identity() -> Identity {
    authority().client("somebody").unwrap()
}

fn error(builder: TlsConfigBuilder) -> LoadError {
    builder.build().expect_err("refused")
}

/// Why these bytes are refused as CA certificates: the same from a file and without one.
fn refusal(content: impl AsRef<[u8]>) -> String {
    let content = content.as_ref();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, content).unwrap();
    let of_file = error(TlsConfig::builder().ca_file(&path));
    assert_eq!((of_file.part(), of_file.path()), (Part::GivenCas, Some(path.as_path())));
    let of_bytes = error(TlsConfig::builder().ca_pem(content));
    assert_eq!((of_bytes.part(), of_bytes.path()), (Part::GivenCas, None));

    let cause = of_file.cause().to_string();
    assert_eq!(of_bytes.to_string(), format!("CA certificates: {cause}"));
    assert_eq!(of_file.to_string(), format!("CA certificates {}: {cause}", path.display()));
    let fault = of_file.fault();
    assert_eq!((fault.kind(), fault.detail()), (FaultKind::Tls, Some(of_file.to_string().as_str())));
    cause
}

fn client(identity: &Identity) -> TlsConfigBuilder {
    TlsConfig::builder().client_pem(identity.certificates_pem.as_str(), identity.key_pem.as_str())
}

#[test]
fn a_missing_file_is_missing() {
    let error = error(TlsConfig::builder().ca_file("no/such/ca.pem"));
    assert!(matches!(error.cause(), Cause::Missing));
    assert_eq!(error.to_string(), "CA certificates no/such/ca.pem: there is no such file");
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let error = error(TlsConfig::builder().ca_file(folder.path()));
    assert!(matches!(error.cause(), Cause::Unreadable(_)), "{error}");
    assert!(error.to_string().contains(": cannot be read: "), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_device_that_never_ends_is_too_long() {
    if !Path::new("/dev/zero").exists() {
        return;
    }
    let error = error(TlsConfig::builder().ca_file("/dev/zero"));
    assert!(matches!(error.cause(), Cause::TooLarge { bytes_max: 16_777_216 }), "{error}");
}

#[test]
fn nothing_and_blanks_are_empty() {
    for content in ["", "\n", " \r\n\t\n"] {
        assert_eq!(refusal(content), "empty");
    }
}

#[test]
fn what_is_not_pem_is_said_to_be_so() {
    assert_eq!(refusal("hello"), "not PEM: no line begins with -----BEGIN");
    assert_eq!(refusal("  -----BEGIN CERTIFICATE-----\n"), "not PEM: no line begins with -----BEGIN");
    assert_eq!(refusal([0xFF; 1000]), "not PEM: no line begins with -----BEGIN");
    let der = refusal([0x30, 0x82, 1, 0, 0x30]);
    assert!(der.ends_with("it may be DER, which `openssl x509 -inform der` turns into PEM"), "{der}");
}

#[test]
fn malformed_pem_is_said_with_its_place() {
    let good = authority().pem();
    let cut = good.split_at(good.len() / 2).0;
    assert_eq!(refusal(cut), "section 1 is not valid PEM: its -----END line is missing");
    assert_eq!(refusal(format!("{good}{cut}")), "section 2 is not valid PEM: its -----END line is missing");
    let letters = "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n";
    assert_eq!(refusal(format!("{good}{good}{letters}")), "section 3 is not valid PEM: it is not Base64");
    let open = "-----BEGIN CERTIFICATE--\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(refusal(open), "section 1 is not valid PEM: its -----BEGIN line does not end in -----");
}

#[test]
fn pem_without_a_certificate_says_what_there_is() {
    let key = identity().key_pem;
    assert_eq!(refusal(&key), "no certificate in it, only PRIVATE KEY");
    let trusted = "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n";
    assert_eq!(refusal(format!("{trusted}{key}{key}")), "no certificate in it, only TRUSTED CERTIFICATE, PRIVATE KEY");
}

#[test]
fn a_certificate_that_does_not_parse_is_said_with_its_number() {
    let good = authority().pem();
    for (content, number) in [
        (NO_CERTIFICATE.to_owned(), 1),
        (format!("{good}{NO_CERTIFICATE}"), 2),
        // Other sections do not count.
        (format!("{good}{}{good}{NO_CERTIFICATE}{good}", identity().key_pem), 3),
    ] {
        let error = error(TlsConfig::builder().ca_pem(content.as_str()));
        assert!(matches!(error.cause(), Cause::BadCertificate { number: found, .. } if *found == number), "{error}");
        assert!(refusal(content).starts_with(&format!("certificate {number} in it is not valid: ")));
    }
}

#[test]
fn text_around_and_line_ends_of_windows_do_no_harm() {
    let good = authority().pem();
    let bundle = format!("# a CA\n{good}\nsubject=x\n{}", good.replace('\n', "\r\n"));
    TlsConfig::builder().ca_pem(bundle).build().unwrap();
}

#[test]
fn the_first_of_several_files_that_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [good, bad] = ["good.pem", "bad.pem"].map(|name| folder.path().join(name));
    fs::write(&good, authority().pem()).unwrap();
    fs::write(&bad, NO_CERTIFICATE).unwrap();
    let error = error(TlsConfig::builder().ca_file(&good).ca_file(&bad).ca_file("no/such/file"));
    assert_eq!(error.path(), Some(bad.as_path()));
}

#[test]
fn only_given_cas_need_one() {
    let error = error(TlsConfig::builder().only_given_cas(true));
    assert!(matches!(error.cause(), Cause::NoneGiven));
    assert_eq!(error.to_string(), "CA certificates: none was given, and no others are to be trusted");
}

#[test]
fn a_client_certificate_and_its_key_may_share_a_file() {
    let Identity { certificates_pem, key_pem } = identity();
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in
        [("1", format!("{certificates_pem}{key_pem}")), ("2", format!("{key_pem}{certificates_pem}"))]
    {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        TlsConfig::builder().client_files(&path, &path).build().unwrap();
    }
}

#[test]
fn a_key_of_another_certificate_does_not_fit() {
    let (one, other) = (identity(), identity());
    let error = error(client(&Identity { key_pem: other.key_pem, ..one }));
    assert_eq!((error.part(), error.path()), (Part::ClientKey, None));
    assert!(matches!(error.cause(), Cause::KeyMismatch));
    assert_eq!(error.to_string(), "client key: it is not the key of the client certificate");
}

#[test]
fn wrong_parts_of_a_client_certificate_are_told_apart() {
    let good = identity();
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAECAwQFBgc=\n-----END {label}-----\n");
    let key = |key_pem: String| error(client(&Identity { key_pem, ..good.clone() })).to_string();
    let certificates =
        |certificates_pem: String| error(client(&Identity { certificates_pem, ..good.clone() })).to_string();
    assert_eq!(key(good.certificates_pem.clone()), "client key: no private key in it, only CERTIFICATE");
    assert_eq!(key(String::new()), "client key: empty");
    assert_eq!(key(pem("ENCRYPTED PRIVATE KEY")), "client key: the key is encrypted; `openssl pkey` decrypts it");
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
        let text = key(pem(label));
        assert!(text.starts_with("client key: the key is not usable: "), "{text}");
    }
    assert_eq!(certificates(good.key_pem.clone()), "client certificate: no certificate in it, only PRIVATE KEY");
    let text = certificates(format!("{}{NO_CERTIFICATE}", good.certificates_pem));
    assert!(text.starts_with("client certificate: certificate 2 in it is not valid: "), "{text}");
    let missing = error(TlsConfig::builder().client_files("no/such/certificate", "no/such/key"));
    assert_eq!(missing.to_string(), "client certificate no/such/certificate: there is no such file");
}

#[test]
fn a_configuration_shows_no_key() {
    let config = client(&identity()).build().unwrap();
    assert_eq!(
        format!("{config:?}"),
        "TlsConfig { given_cas: 0, only_given_cas: false, client_certificate: true, .. }"
    );
    let builder = format!("{:?}", client(&identity()));
    assert!(!builder.contains("45, 45, 45") && !builder.contains("PRIVATE"), "{builder}");
}
