//! Servers whose certificate is good, and every way in which it may not be.

use dlmanager_core::FaultKind;
use dlmanager_origin::{ServerCertificate, Tls};
use dlmanager_tls::TlsConfig;

use crate::client::{authority, fetch, handshake, origin, start, trusting};

/// The words of the refusal of that certificate by a client that trusts its CA, and the alert that the server got.
fn refusal(certificate: ServerCertificate) -> (String, String) {
    let (origin, authority) = origin(certificate);
    let fault = fetch(&trusting(&authority), &origin, "localhost").expect_err("refused");
    assert_eq!(fault.kind(), FaultKind::Tls);
    let records = origin.records();
    assert!(records.requests.is_empty(), "nothing is asked before the server has proved who it is");
    let alert = handshake(&origin).result.expect_err("refused");
    (fault.to_string(), alert.rsplit(' ').next().unwrap_or_default().to_owned())
}

fn words(certificate: ServerCertificate) -> String {
    refusal(certificate).0
}

#[test]
fn a_good_certificate_is_accepted_for_each_of_its_names() {
    let (origin, authority) = origin(ServerCertificate::Good);
    let config = trusting(&authority);
    for host in ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1", "[::1]"] {
        assert_eq!(fetch(&config, &origin, host).as_deref(), Ok("hello"), "{host}");
    }
    let names: Vec<_> =
        origin.records().handshakes.into_iter().map(|handshake| handshake.result.unwrap().server_name).collect();
    let local = Some("localhost".to_owned());
    assert_eq!(names, [local.clone(), local.clone(), local, None, None, None], "SNI has names only, without the dot");
}

#[test]
fn a_given_ca_is_trusted_besides_the_systems() {
    let (origin, authority) = origin(ServerCertificate::Good);
    let config = TlsConfig::builder().ca_pem(authority.pem()).build().unwrap();
    assert_eq!(fetch(&config, &origin, "localhost").as_deref(), Ok("hello"));
}

#[test]
fn an_intermediate_ca_that_is_sent_along_leads_to_the_trusted_one() {
    let (origin, authority) = origin(ServerCertificate::Intermediate);
    assert_eq!(fetch(&trusting(&authority), &origin, "localhost").as_deref(), Ok("hello"));
}

#[test]
fn a_missing_intermediate_ca_is_named() {
    assert_eq!(
        words(ServerCertificate::IntermediateMissing),
        "no secure connection: localhost:443: the server's certificate comes from \"CN=intermediate of the tests' CA\", \
         which is no trusted CA; if you trust it, give its certificate (--cacert)"
    );
}

#[test]
fn an_unknown_ca_is_named() {
    assert_eq!(
        words(ServerCertificate::OtherCa),
        "no secure connection: localhost:443: the server's certificate comes from \"CN=another CA of the tests\", which \
         is no trusted CA; if you trust it, give its certificate (--cacert)"
    );
}

#[test]
fn behind_an_intermediate_ca_the_unknown_one_is_named() {
    let origin = start(&Tls::new(&authority()).certificate(ServerCertificate::Intermediate));
    let other = dlmanager_origin::Authority::new("somebody else").unwrap();
    let fault = fetch(&trusting(&other), &origin, "localhost").unwrap_err();
    assert!(fault.to_string().contains("comes from \"CN=the tests' CA\", which"), "{fault}");
}

#[test]
fn a_ca_that_only_has_the_name_of_a_trusted_one_is_refused() {
    let text = words(ServerCertificate::ImpostorCa);
    assert!(text.contains("it was not signed by the trusted CA whose name it gives, or"), "{text}");
}

#[test]
fn a_wrong_name_is_said_with_the_names_that_there_are() {
    assert_eq!(
        refusal(ServerCertificate::WrongName),
        (
            "no secure connection: localhost:443: the server's certificate is for another name: it holds for \
             \"wrong.example\" and \"*.wrong.example\", not for \"localhost\""
                .to_owned(),
            "BadCertificate".to_owned()
        )
    );
}

#[test]
fn an_address_is_a_name_that_the_certificate_needs_as_well() {
    let (origin, authority) = origin(ServerCertificate::WrongName);
    for host in ["127.0.0.1", "::1"] {
        let fault = fetch(&trusting(&authority), &origin, host).unwrap_err();
        assert!(fault.to_string().ends_with(&format!("\"*.wrong.example\", not for \"{host}\"")), "{fault}");
    }
    let mismatch = fetch(&trusting(&authority), &origin, "10.0.0.1").unwrap_err();
    assert!(mismatch.to_string().ends_with("not for \"10.0.0.1\""), "{mismatch}");
}

#[test]
fn a_wildcard_stands_for_one_label() {
    let (origin, authority) = origin(ServerCertificate::WrongName);
    let config = trusting(&authority);
    for host in ["wrong.example", "a.wrong.example", "B.Wrong.Example"] {
        assert_eq!(fetch(&config, &origin, host).as_deref(), Ok("hello"), "{host}");
    }
    assert!(fetch(&config, &origin, "a.b.wrong.example").is_err());
}

#[test]
fn a_certificate_without_names_says_so() {
    let text = words(ServerCertificate::NoName);
    assert!(text.ends_with("is for another name: it holds for no name, not for \"localhost\""), "{text}");
}

#[test]
fn an_expired_certificate_is_said_with_its_day_and_the_clocks() {
    let (text, alert) = refusal(ServerCertificate::Expired);
    let (before, after) = text.split_once(" days ago, on ").unwrap_or_else(|| panic!("{text}"));
    let (_, days) = before.rsplit_once(' ').unwrap();
    assert!(days.parse::<u32>().unwrap() > 2000, "{text}");
    let rest = after.strip_prefix("Sat, 01 Feb 2020 00:00:00 GMT, or this machine's clock is wrong: it says ");
    let clock = httpdate::parse_http_date(rest.unwrap_or_else(|| panic!("{text}"))).unwrap();
    assert!(clock.elapsed().unwrap() < crate::client::DEADLINE, "{text}");
    assert_eq!(alert, "CertificateExpired");
}

#[test]
fn a_certificate_of_the_future_is_said_with_its_day() {
    let (text, alert) = refusal(ServerCertificate::NotYetValid);
    assert!(text.contains("is not valid yet: it will be in "), "{text}");
    assert!(text.contains(" days, on Sun, 01 Jan 2090 00:00:00 GMT, or this machine's clock is wrong"), "{text}");
    assert_eq!(alert, "CertificateExpired");
}

#[test]
fn a_self_signed_certificate_is_called_that() {
    for (certificate, words) in [
        (
            ServerCertificate::SelfSigned,
            "is self-signed (\"CN=localhost\") and not among the trusted ones; if it is the",
        ),
        (ServerCertificate::SelfSignedCa, "shows a CA's certificate (\"CN=localhost\") as its own"),
    ] {
        let text = self::words(certificate);
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_the_messages_advise_helps() {
    let authority = authority();
    let serve = |certificate| {
        let identity = authority.server(certificate).unwrap();
        let config = TlsConfig::builder().ca_pem(identity.certificates_pem.as_str()).only_given_cas(true);
        (start(&Tls::new(&authority).identity(identity)), config.build().unwrap())
    };
    let (origin, config) = serve(ServerCertificate::SelfSigned);
    assert_eq!(fetch(&config, &origin, "localhost").as_deref(), Ok("hello"));

    // An intermediate CA may be trusted without the one above it.
    let mut identity = authority.server(ServerCertificate::Intermediate).unwrap();
    let second = identity.certificates_pem.rfind("-----BEGIN").unwrap();
    let intermediate = identity.certificates_pem.split_off(second);
    let origin = start(&Tls::new(&authority).identity(identity));
    let config = TlsConfig::builder().ca_pem(intermediate).only_given_cas(true).build().unwrap();
    assert_eq!(fetch(&config, &origin, "localhost").as_deref(), Ok("hello"));

    // Which is why nothing of the kind is advised here.
    let (origin, config) = serve(ServerCertificate::SelfSignedCa);
    let fault = fetch(&config, &origin, "localhost").unwrap_err();
    assert!(fault.to_string().contains("which is never accepted"), "{fault}");
}

#[test]
fn a_certificate_for_clients_is_not_one_for_servers() {
    let text = words(ServerCertificate::ForClients);
    assert!(text.contains("is not meant for servers"), "{text}");
}
