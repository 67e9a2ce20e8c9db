//! What the two sides speak, and what they do not.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use dlmanager_core::FaultKind;
use dlmanager_origin::{At, Authority, Body, Cut, Origin, Reply, ServerCertificate, Tls, TlsVersion};
use dlmanager_tls::rustls::{AlertDescription, Error};
use dlmanager_tls::{connection_fault, handshake_fault, server_name};

use crate::client::{authority, fetch, get, handshake, origin, shake_hands, start, trusting};

/// A server that reads until there is something, says these bytes, and closes.
fn server_that_says(bytes: &'static [u8]) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
        socket.write_all(bytes).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        // What is still to be read would make a reset of the close.
        io::copy(&mut socket, &mut io::sink()).unwrap();
    });
    (address, thread)
}

#[test]
fn both_versions_are_spoken_and_the_newer_one_is_preferred() {
    let authority = authority();
    for (tls, version) in [
        (Tls::new(&authority), "TLSv1_3"),
        (Tls::new(&authority).only(TlsVersion::Tls13), "TLSv1_3"),
        (Tls::new(&authority).only(TlsVersion::Tls12), "TLSv1_2"),
    ] {
        let origin = start(&tls);
        assert_eq!(fetch(&trusting(&authority), &origin, "localhost").as_deref(), Ok("hello"));
        let agreed = handshake(&origin).result.unwrap();
        assert_eq!((agreed.version.as_str(), agreed.protocol.as_deref()), (version, Some("http/1.1")));
    }
}

#[test]
fn clones_share_their_sessions() {
    let (origin, authority) = origin(ServerCertificate::Good);
    let config = trusting(&authority);
    for _ in 0..2 {
        assert_eq!(fetch(&config.clone(), &origin, "localhost").as_deref(), Ok("hello"));
    }
    let resumed: Vec<_> =
        origin.records().handshakes.into_iter().map(|handshake| handshake.result.unwrap().resumed).collect();
    assert_eq!(resumed, [false, true]);
}

#[test]
fn a_server_that_does_not_offer_http_1_is_refused() {
    let authority = authority();
    let origin = start(&Tls::new(&authority).protocols(&["h2"]));
    let fault = fetch(&trusting(&authority), &origin, "localhost").unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Tls);
    assert!(fault.to_string().contains("the server does not offer HTTP/1.1"), "{fault}");
    let without_alpn = start(&Tls::new(&authority).protocols(&[]));
    assert_eq!(fetch(&trusting(&authority), &without_alpn, "localhost").as_deref(), Ok("hello"));
}

#[test]
fn a_plain_server_on_the_port_is_recognized() {
    let origin = Origin::start().unwrap();
    let fault = fetch(&trusting(&authority()), &origin, "localhost").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "no secure connection: localhost:443: what the server sent is not TLS; is it a plain http port?"
    );
    for greeting in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.6\r\n", b"220 ready\r\n", &[0; 64]] {
        let (address, server) = server_that_says(greeting);
        let fault = shake_hands(&trusting(&authority()), address, "localhost").unwrap_err();
        assert!(fault.to_string().contains("is it a plain http port?"), "{greeting:?}: {fault}");
        server.join().unwrap();
    }
}

#[test]
fn an_end_within_the_handshake_may_pass() {
    let (address, server) = server_that_says(b"");
    let fault = shake_hands(&trusting(&authority()), address, "localhost").unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Reset);
    assert!(fault.to_string().contains("localhost:443: the server closed it within the TLS handshake"), "{fault}");
    server.join().unwrap();
}

#[test]
fn a_reset_within_the_handshake_may_pass_and_has_its_number() {
    let error = io::Error::from_raw_os_error(if cfg!(windows) { 10054 } else { 104 });
    let fault = handshake_fault("a:1", &error);
    assert_eq!((fault.kind(), fault.os_code()), (FaultKind::Reset, error.raw_os_error()));
    assert!(fault.to_string().starts_with("the connection broke: a:1: within the TLS handshake: "), "{fault}");
    assert_eq!(fault.to_string().matches("os error").count(), 1, "{fault}");
}

#[test]
fn alerts_of_the_server_are_put_into_words() {
    for (alert, words) in [
        (40, "no protocol version, cipher or key in common with this client, or wants a client certificate"),
        (70, "does not speak TLS 1.2 or 1.3 (its alert: ProtocolVersion)"),
        (80, "the server refuses the connection (its alert: InternalError)"),
        (112, "does not know that host name"),
        (116, "the server wants a client certificate"),
        (120, "does not offer HTTP/1.1"),
    ] {
        let record: &'static [u8] = Vec::leak(vec![21, 3, 3, 0, 2, 2, alert]);
        let (address, server) = server_that_says(record);
        let fault = shake_hands(&trusting(&authority()), address, "localhost").unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Tls);
        assert!(fault.to_string().contains(words), "{alert}: {fault}");
        server.join().unwrap();
    }
}

#[test]
fn a_server_of_an_old_version_is_recognized() {
    // A ServerHello of TLS 1.0 with TLS_RSA_WITH_AES_128_CBC_SHA.
    let mut hello = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 47, 0]);
    let (address, server) = server_that_says(Vec::leak(hello));
    let fault = shake_hands(&trusting(&authority()), address, "localhost").unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Tls);
    assert!(fault.to_string().ends_with("the server does not speak TLS 1.2 or 1.3"), "{fault}");
    server.join().unwrap();
}

#[test]
fn an_end_with_close_notify_is_one_and_without_it_is_an_error_that_is_not_of_tls() {
    let (origin, authority) = origin(ServerCertificate::Good);
    let body = Body::pattern(1, 100_000);
    for cut in [Cut::Fin, Cut::BareFin] {
        origin.serve("/cut", Reply::body(body.clone()).cut_at(At::Body(60_000), cut));
        let mut stream = shake_hands(&trusting(&authority), origin.addr(), "localhost").unwrap();
        stream.write_all(b"GET /cut HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes);
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(bytes[head..], body.to_vec()[..60_000]);
        if cut == Cut::Fin {
            assert_eq!(end.unwrap(), bytes.len());
        } else {
            let error = end.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(connection_fault(&error), None);
        }
    }
}

#[test]
fn what_is_damaged_after_the_handshake_may_pass() {
    let (origin, authority) = origin(ServerCertificate::Good);
    let mut stream = shake_hands(&trusting(&authority), origin.addr(), "localhost").unwrap();
    // A record of application data that nobody has encrypted.
    let mut record = vec![23, 3, 3, 0, 32];
    record.extend([9; 32]);
    stream.conn.read_tls(&mut &record[..]).unwrap();
    let error = io::Error::new(io::ErrorKind::InvalidData, stream.conn.process_new_packets().unwrap_err());
    let fault = connection_fault(&error).expect("a fault of TLS");
    assert_eq!(fault.kind(), FaultKind::Reset);
    assert!(fault.to_string().contains("what came over TLS is damaged"), "{fault}");
}

#[test]
fn the_error_is_found_below_others() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    let alert = Error::AlertReceived(AlertDescription::AccessDenied);
    let inner = io::Error::other(Outer(io::Error::new(io::ErrorKind::InvalidData, alert)));
    let fault = connection_fault(&Outer(inner)).expect("a fault of TLS");
    assert_eq!(fault.kind(), FaultKind::Tls);
    assert_eq!(connection_fault(&Outer(io::Error::other("x"))), None);
    assert_eq!(connection_fault(&Outer(io::Error::from_raw_os_error(5))), None);
}

#[test]
fn a_name_is_the_same_in_each_of_its_forms() {
    assert_eq!(server_name("a.example.").unwrap().to_str(), "a.example");
    assert_eq!(server_name("[::1]").unwrap(), server_name("0:0::1").unwrap());
    assert_ne!(server_name("a.example").unwrap(), server_name("b.example").unwrap());
}

#[test]
fn what_no_certificate_can_bear_is_no_name() {
    for host in ["", ".", "a..b", "a b", "ü.example", "[::1", "1.2.3.4.5/x"] {
        assert!(server_name(host).is_err(), "{host:?}");
    }
    let fault = server_name("a b").unwrap_err();
    assert_eq!(fault.to_string(), "no secure connection: no certificate can bear the name \"a b\"");
}

#[test]
fn what_a_stranger_writes_into_a_certificate_cannot_act_on_a_terminal() {
    let evil = Authority::new("evil\u{1b}[2J\u{7}\r\nCA \"x\"").unwrap();
    let origin = start(&Tls::new(&evil));
    let fault = fetch(&trusting(&authority()), &origin, "localhost").unwrap_err();
    let text = fault.to_string();
    assert!(text.contains("evil") && !text.chars().any(char::is_control), "{text:?}");
    let long = Authority::new(&"x".repeat(5000)).unwrap();
    let fault = fetch(&trusting(&authority()), &start(&Tls::new(&long)), "localhost").unwrap_err();
    assert!(fault.to_string().len() < 600, "{fault}");
}

#[test]
fn many_connections_at_once_share_a_configuration() {
    let (origin, authority) = origin(ServerCertificate::Good);
    let config = trusting(&authority);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut stream = shake_hands(&config, origin.addr(), "127.0.0.1").unwrap();
                assert!(get(&mut stream, "/a").unwrap().ends_with("hello"));
            });
        }
    });
    assert_eq!(origin.records().handshakes.len(), 8);
}
