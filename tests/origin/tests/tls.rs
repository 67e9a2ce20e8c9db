//! The same origin over TLS, seen by a client that is rustls on std's socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use dlmanager_origin::{Agreed, At, Authority, Body, Cut, Ended, Gate, Origin, Reply, ServerCertificate, Tls};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// After this a test has failed. Far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(20);

type Client = StreamOwned<ClientConnection, TcpStream>;

fn authority() -> Authority {
    Authority::new("the tests' CA").unwrap()
}

fn config(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    Arc::new(builder.with_no_client_auth())
}

fn connect(origin: &Origin, config: &Arc<ClientConfig>) -> Client {
    let session = ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(origin.addr()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    StreamOwned::new(session, socket)
}

fn ask(client: &mut Client, path: &str) {
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    client.flush().unwrap();
}

fn head(client: &mut Client) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// The bytes until the end, and how it came.
fn rest(client: &mut Client) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = Vec::new();
    let end = client.read_to_end(&mut bytes).map(drop);
    (bytes, end)
}

#[test]
fn what_is_plain_elsewhere_is_the_same_over_tls() {
    let authority = authority();
    let origin = Origin::start_tls(&Tls::new(&authority)).unwrap();
    assert_eq!(origin.url("a"), format!("https://{}/a", origin.addr()));
    let body = Body::pattern(1, 3_000_000);
    origin.serve("/a", Reply::body(body.clone()).ranges());
    let mut client = connect(&origin, &config(&authority));
    for _ in 0..3 {
        ask(&mut client, "/a");
        assert!(head(&mut client).contains("\r\nContent-Length: 3000000\r\n"));
        let mut bytes = vec![0; 3_000_000];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(body.compare(&bytes[..]).unwrap(), None);
    }
    client.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\nRange: bytes=2999990-\r\n\r\n").unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 206 "));
    let mut bytes = [0; 10];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, body.to_vec()[2_999_990..]);

    let seen = origin.records();
    assert_eq!((seen.requests.len(), seen.connections.total), (4, 1));
    let agreed = Agreed {
        version: "TLSv1_3".to_owned(),
        server_name: Some("localhost".to_owned()),
        protocol: None,
        client_certificates: 0,
        resumed: false,
    };
    assert_eq!(seen.handshakes.len(), 1);
    assert_eq!(seen.handshakes[0].result, Ok(agreed));
}

#[test]
fn each_cut_ends_at_its_byte_and_in_its_way() {
    let authority = authority();
    let origin = Origin::start_tls(&Tls::new(&authority)).unwrap();
    let body = Body::pattern(2, 200_000);
    let config = config(&authority);
    let get = |path: &str| {
        let mut client = connect(&origin, &config);
        ask(&mut client, path);
        head(&mut client);
        rest(&mut client)
    };
    for (cut, end) in [(Cut::Fin, None), (Cut::BareFin, Some(io::ErrorKind::UnexpectedEof))] {
        origin.serve("/cut", Reply::body(body.clone()).cut_at(At::Body(70_001), cut));
        let (bytes, how) = get("/cut");
        assert_eq!(bytes, body.to_vec()[..70_001]);
        assert_eq!(how.err().map(|error| error.kind()), end, "{cut:?}");

        origin.serve("/end", Reply::body(body.clone()).cut_at(At::End, cut));
        let (bytes, how) = get("/end");
        assert_eq!(body.compare(&bytes[..]).unwrap(), None);
        assert_eq!(how.err().map(|error| error.kind()), end, "{cut:?}");
    }
    // Behind a gate, so that the reset does not overtake what came before.
    let gate = Gate::new();
    origin.serve("/reset", Reply::body(body.clone()).gate_at(At::Body(10), &gate).cut_at(At::Body(10), Cut::Reset));
    let mut client = connect(&origin, &config);
    ask(&mut client, "/reset");
    head(&mut client);
    let mut bytes = [0; 10];
    client.read_exact(&mut bytes).unwrap();
    gate.open();
    assert_eq!(rest(&mut client).1.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

    origin.serve("/whole", Reply::body(body.clone()).close_after());
    let (bytes, how) = get("/whole");
    assert_eq!((body.compare(&bytes[..]).unwrap(), how.is_ok()), (None, true));
}

#[test]
fn a_gate_holds_after_what_came_before_has_arrived() {
    let authority = authority();
    let origin = Origin::start_tls(&Tls::new(&authority)).unwrap();
    let (body, gate) = (Body::pattern(3, 1000), Gate::new());
    origin.serve("/a", Reply::body(body.clone()).gate_at(At::Body(500), &gate).close_after());
    let mut client = connect(&origin, &config(&authority));
    ask(&mut client, "/a");
    assert!(gate.wait_reached(1, DEADLINE));
    head(&mut client);
    let mut first = [0; 500];
    client.read_exact(&mut first).unwrap();
    gate.open();
    assert_eq!([&first[..], &rest(&mut client).0].concat(), body.to_vec());
}

#[test]
fn a_client_that_leaves_while_the_origin_writes_is_noticed() {
    let authority = authority();
    let origin = Origin::start_tls(&Tls::new(&authority)).unwrap();
    origin.serve("/a", Reply::body(Body::pattern(4, 1 << 40)));
    let config = config(&authority);
    for polite in [true, false] {
        let mut client = connect(&origin, &config);
        ask(&mut client, "/a");
        head(&mut client);
        if polite {
            client.conn.send_close_notify();
            client.flush().unwrap();
        }
        drop(client);
        origin.wait_for(DEADLINE, |seen| seen.connections.open == 0).unwrap();
    }
    let seen = origin.wait_for(DEADLINE, |seen| seen.requests.iter().all(|request| request.sent.is_some())).unwrap();
    assert!(seen.requests.iter().all(|request| request.sent.unwrap().ended == Ended::ClientLeft));
}

#[test]
fn a_client_that_says_close_notify_has_left_though_its_socket_is_open() {
    let authority = authority();
    let origin = Origin::start_tls(&Tls::new(&authority)).unwrap();
    origin.serve("/a", Reply::body("x").stall_at(At::Start));
    let mut client = connect(&origin, &config(&authority));
    ask(&mut client, "/a");
    origin.wait_for(DEADLINE, |seen| seen.requests.len() == 1).unwrap();
    client.conn.send_close_notify();
    client.flush().unwrap();
    let seen = origin.wait_for(DEADLINE, |seen| seen.requests[0].sent.is_some()).unwrap();
    assert_eq!(seen.requests[0].sent.unwrap().ended, Ended::ClientLeft);
    // And is told goodbye.
    rest(&mut client).1.unwrap();
}

#[test]
fn a_refused_certificate_is_recorded_with_the_clients_alert() {
    let authority = authority();
    let origin = Origin::start_tls(&Tls::new(&authority).certificate(ServerCertificate::Expired)).unwrap();
    let mut client = connect(&origin, &config(&authority));
    assert!(client.flush().and_then(|()| client.read_exact(&mut [0])).is_err());
    let seen = origin.wait_for(DEADLINE, |seen| !seen.handshakes.is_empty()).unwrap();
    assert_eq!(seen.handshakes[0].result, Err("received fatal alert: CertificateExpired".to_owned()));
    assert_eq!(seen.requests.len(), 0);
}

#[test]
fn who_does_not_speak_tls_gets_an_alert() {
    let origin = Origin::start_tls(&Tls::new(&authority())).unwrap();
    let mut socket = TcpStream::connect(origin.addr()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    // An alert (21), fatal (2).
    assert_eq!((bytes[0], bytes[5], bytes.len()), (21, 2, 7));
    drop(socket);
    // Nobody at all is a handshake that came to nothing as well.
    drop(TcpStream::connect(origin.addr()).unwrap());
    let seen = origin.wait_for(DEADLINE, |seen| seen.handshakes.len() == 2 && seen.connections.open == 0).unwrap();
    assert!(seen.handshakes[0].result.as_ref().is_err_and(|error| error.contains("corrupt message")));
    assert_eq!(seen.handshakes[1].result, Err("the client left".to_owned()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_replaces_another_does_not_count_beside_it() {
    let authority = authority();
    let origin = Origin::start_tls(&Tls::new(&authority)).unwrap();
    origin.serve("/a", Reply::body("x"));
    let config = config(&authority);
    for _ in 0..50 {
        let mut client = connect(&origin, &config);
        ask(&mut client, "/a");
        head(&mut client);
        client.conn.send_close_notify();
        client.flush().unwrap();
    }
    assert_eq!(origin.records().connections.peak, 1);
}

#[test]
fn a_dropped_origin_ends_all_its_connections() {
    let authority = authority();
    let config = config(&authority);
    let origin = Origin::start_tls(&Tls::new(&authority)).unwrap();
    origin.serve("/stall", Reply::body("x").stall_at(At::Start));
    origin.serve("/endless", Reply::body(Body::pattern(5, 1 << 40)));
    let mut clients: Vec<_> = ["/stall", "/endless"].map(|path| (connect(&origin, &config), path)).into();
    for (client, path) in &mut clients {
        ask(client, path);
    }
    // One in the midst of its handshake, one that nobody reads from while its records wait for the socket.
    let silent = TcpStream::connect(origin.addr()).unwrap();
    head(&mut clients[1].0);
    origin.wait_for(DEADLINE, |seen| seen.requests.len() == 2 && seen.connections.open == 3).unwrap();
    // Returns when all threads have ended.
    drop(origin);
    drop(silent);
    for (client, _) in &mut clients {
        let patience = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        assert!(rest(client).1.err().is_none_or(|error| !patience.contains(&error.kind())));
    }
}
