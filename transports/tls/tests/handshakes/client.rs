//! A blocking client: std's socket and rustls, with nothing between.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use dlmanager_core::Fault;
use dlmanager_origin::{Authority, Handshake, Origin, Reply, ServerCertificate, Tls};
use dlmanager_tls::rustls::{ClientConnection, StreamOwned};
use dlmanager_tls::{TlsConfig, connection_fault, handshake_fault, server_name};

/// After this a test has failed. Far longer than anything takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands with whatever is at `address`, which has to prove that it is `host`.
pub(crate) fn shake_hands(config: &TlsConfig, address: SocketAddr, host: &str) -> Result<Stream, Fault> {
    let mut session = ClientConnection::new(config.client_config()?, server_name(host)?).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut socket).map_err(|error| handshake_fault(&format!("{host}:443"), &error))?;
    }
    Ok(StreamOwned::new(session, socket))
}

/// Asks for a path and reads to the end of the connection.
pub(crate) fn get(stream: &mut Stream, path: &str) -> io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The body that a path has there, or the fault on the way to it.
pub(crate) fn fetch(config: &TlsConfig, origin: &Origin, host: &str) -> Result<String, Fault> {
    let mut stream = shake_hands(config, origin.addr(), host)?;
    let text = get(&mut stream, "/a").map_err(|error| connection_fault(&error).expect("a fault of TLS"))?;
    Ok(text.split_once("\r\n\r\n").expect("a head").1.to_owned())
}

/// An origin with that certificate, which serves `/a`, and its CA.
pub(crate) fn origin(certificate: ServerCertificate) -> (Origin, Authority) {
    let authority = authority();
    let origin = start(&Tls::new(&authority).certificate(certificate));
    (origin, authority)
}

pub(crate) fn start(tls: &Tls) -> Origin {
    let origin = Origin::start_tls(tls).unwrap();
    origin.serve("/a", Reply::body("hello"));
    origin
}

pub(crate) fn authority() -> Authority {
    Authority::new("the tests' CA").unwrap()
}

/// Trusts that CA alone.
pub(crate) fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig::builder().ca_pem(authority.pem()).only_given_cas(true).build().unwrap()
}

/// The origin's first handshake, once it has ended.
pub(crate) fn handshake(origin: &Origin) -> Handshake {
    origin.wait_for(DEADLINE, |seen| !seen.handshakes.is_empty()).unwrap().handshakes.remove(0)
}
