//! What is secured, and what is refused.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use dlmanager_core::{Fault, FaultKind};
use dlmanager_origin::{At, Authority, Body, Cut, Origin, Reply, ServerCertificate, Tls, TlsVersion};

use super::cases;
use crate::bench::{Bench, Scheme, authority};
use crate::subject::{ClientCertificate, Settings};
use crate::world::{DEADLINE, World, joined};

cases! {
    what_verifies_is_served: "A server whose certificate verifies is served, by TLS 1.2 and 1.3, by name and by address",
    what_does_not_verify_is_refused: "A certificate that does not verify is Tls, and no request goes out",
    only_the_trusted_ca_counts: "Without its CA's certificate a private server is Tls",
    a_name_is_asked_for_and_http_1_1_agreed_on: "The host's name is asked for by SNI, and http/1.1 by ALPN",
    a_server_without_tls_is_refused: "A plain HTTP server on an https URL is Tls, with its address",
    the_handshake_is_part_of_connecting: "Connected comes after the handshake; a handshake that stalls can be dropped",
    a_handshake_that_breaks_off_is_a_reset: "A connection that closes within the handshake is Reset",
    a_client_certificate_is_shown_to_who_asks: "A client certificate is shown to a server that asks; without one it is Tls",
    an_end_without_a_close_notify_is_no_end: "A body until the end is Reset where no close_notify announced the end",
    a_known_length_needs_no_close_notify: "A body whose length is known is whole without a close_notify",
    a_cut_is_a_cut_with_and_without_a_close_notify: "A body that is cut is Reset, with a close_notify and without",
    schemes_do_not_share_connections: "http and https connections are not mixed up",
}

fn only_secured(bench: &Bench) {
    bench.only_over(Scheme::Https, "about TLS");
}

/// The fault of a `Fetch` that has to fail before there is a connection.
fn refusal_of(world: &mut World, url: &str) -> Fault {
    let fetched = world.fetch_url(url);
    let fault = world.head(fetched.id).unwrap_err();
    assert!(!world.connected.contains_key(&fetched.id), "connected before {fault}");
    world.finish(fetched.body);
    fault
}

fn what_verifies_is_served(bench: &Bench) {
    only_secured(bench);
    let body = Body::pattern(1, 300_000);
    let good = || Tls::new(authority());
    for tls in [
        good(),
        good().certificate(ServerCertificate::Intermediate),
        good().only(TlsVersion::Tls12),
        good().only(TlsVersion::Tls13),
        good().protocols(&[]),
    ] {
        let mut world = bench.world_of(&tls, Settings::default());
        world.origin.serve("/a", Reply::body(body.clone()));
        world.assert_get("/a", &body);
        world.assert_get("/a", &body);
        assert_eq!(world.origin.records().connections.total, 1);
        let by_name = world.url("/a").replace("127.0.0.1", "localhost");
        assert_eq!(body.compare(&joined(&world.get_url(&by_name, 1 << 20).1)[..]).unwrap(), None);
        world.end();
    }
}

fn what_does_not_verify_is_refused(bench: &Bench) {
    use ServerCertificate as C;
    only_secured(bench);
    for certificate in [
        C::WrongName,
        C::NoName,
        C::Expired,
        C::NotYetValid,
        C::SelfSigned,
        C::SelfSignedCa,
        C::OtherCa,
        C::ImpostorCa,
        C::IntermediateMissing,
        C::ForClients,
    ] {
        let mut world = bench.world_of(&Tls::new(authority()).certificate(certificate), Settings::default());
        let url = world.url("/a");
        let fault = refusal_of(&mut world, &url);
        assert_eq!(fault.kind(), FaultKind::Tls, "{certificate:?}: {fault}");
        assert!(fault.to_string().contains(&world.origin.addr().to_string()), "{fault}");
        let seen = world.drive_until(|seen| seen.connections.open == 0);
        assert_eq!(seen.requests.len(), 0, "{certificate:?}");
        world.end();
    }
}

fn only_the_trusted_ca_counts(bench: &Bench) {
    only_secured(bench);
    let other = Authority::new("a CA that nobody trusts").unwrap();
    let mut world = bench.world_of(&Tls::new(&other), Settings::default());
    let url = world.url("/a");
    assert_eq!(refusal_of(&mut world, &url).kind(), FaultKind::Tls);
    world.end();
}

fn a_name_is_asked_for_and_http_1_1_agreed_on(bench: &Bench) {
    only_secured(bench);
    let mut world = bench.world_of(&Tls::new(authority()).protocols(&["h2", "http/1.1"]), Settings::default());
    world.origin.serve("/a", Reply::body("hello"));
    let by_name = world.url("/a").replace("127.0.0.1", "LocalHost");
    assert_eq!(joined(&world.get_url(&by_name, 100).1), b"hello");
    let seen = world.origin.records();
    let agreed = seen.handshakes[0].result.as_ref().unwrap();
    assert_eq!(agreed.server_name.as_deref(), Some("localhost"));
    assert_eq!(agreed.protocol.as_deref(), Some("http/1.1"));
    world.end();
}

fn a_server_without_tls_is_refused(bench: &Bench) {
    only_secured(bench);
    let mut world = bench.world();
    let plain = Origin::start().unwrap();
    let fault = refusal_of(&mut world, &plain.url("/a").replace("http:", "https:"));
    assert_eq!(fault.kind(), FaultKind::Tls, "{fault}");
    assert!(fault.to_string().contains(&plain.addr().to_string()), "{fault}");
    world.end();
}

/// A server of TCP alone, which does something with each connection.
fn serve_by_hand(serve: impl FnMut(std::net::TcpStream) + Send + 'static) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut serve = serve;
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

fn the_handshake_is_part_of_connecting(bench: &Bench) {
    only_secured(bench);
    let (said, heard) = mpsc::channel();
    let (address, server) = serve_by_hand(move |mut socket| {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        assert!(socket.read(&mut [0; 5]).unwrap() > 0);
        said.send(()).unwrap();
        // Says nothing, and waits until the client has left.
        while socket.read(&mut [0; 1000]).is_ok_and(|count| count > 0) {}
    });
    let mut world = bench.world();
    let fetched = world.fetch_url(&format!("https://{address}/a"));
    world.drive_while(move || heard.recv_timeout(DEADLINE).unwrap());
    world.assert_comes_to_rest();
    assert!(world.connected.is_empty() && !world.is_answered(fetched.id));
    world.finish(fetched.body);
    world.assert_aborted(fetched.id);
    server.join().unwrap();
    world.end();
}

fn a_handshake_that_breaks_off_is_a_reset(bench: &Bench) {
    only_secured(bench);
    let (address, server) = serve_by_hand(|mut socket| {
        // All of it, as closing over unread bytes is another way to break off.
        assert!(socket.read(&mut [0; 16 * 1024]).unwrap() > 0);
    });
    let mut world = bench.world();
    let fault = refusal_of(&mut world, &format!("https://{address}/a"));
    assert_eq!(fault.kind(), FaultKind::Reset, "{fault}");
    assert!(fault.to_string().contains(&address.to_string()), "{fault}");
    server.join().unwrap();
    world.end();
}

fn a_client_certificate_is_shown_to_who_asks(bench: &Bench) {
    only_secured(bench);
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let tls = Tls::new(authority()).require_client(authority()).only(version);
        let identity = authority().client("a client").unwrap();
        let client = ClientCertificate { certificates_pem: identity.certificates_pem, key_pem: identity.key_pem };
        let mut world = bench.world_of(&tls, Settings { client: Some(client), ..Settings::default() });
        world.origin.serve("/a", Reply::body("hello"));
        world.assert_get("/a", &Body::from("hello"));
        assert_eq!(world.origin.records().handshakes[0].result.as_ref().unwrap().client_certificates, 1);
        world.end();

        // TLS 1.3 refuses after the client's side of the handshake is done.
        let mut world = bench.world_of(&tls, Settings::default());
        world.origin.serve("/a", Reply::body("hello"));
        let fetched = world.fetch("/a");
        let fault = world.head(fetched.id).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Tls, "{version:?}: {fault}");
        world.finish(fetched.body);
        assert_eq!(world.origin.records().requests.len(), 0);
        world.end();
    }
}

fn an_end_without_a_close_notify_is_no_end(bench: &Bench) {
    only_secured(bench);
    let body = Body::pattern(1, 100_000);
    let mut world = bench.world();
    let until_close = || Reply::body(body.clone()).until_close();
    world.origin.serve("/announced", until_close().cut_at(At::End, Cut::Fin));
    world.origin.serve("/bare", until_close().cut_at(At::End, Cut::BareFin));
    world.origin.serve("/empty", Reply::body("").until_close().cut_at(At::End, Cut::BareFin));
    world.assert_get("/announced", &body);
    for (path, expected) in [("/bare", &body), ("/empty", &Body::from(""))] {
        let fetched = world.fetch(path);
        world.head(fetched.id).unwrap();
        let (chunks, fault) = world.read_all(fetched.body, 1 << 20);
        let fault = fault.expect("a fault instead of the end");
        assert_eq!(fault.kind(), FaultKind::Reset, "{fault}");
        assert_eq!(expected.compare(&joined(&chunks)[..]).unwrap(), None, "{path}");
        world.finish(fetched.body);
    }
    world.end();
}

fn a_known_length_needs_no_close_notify(bench: &Bench) {
    only_secured(bench);
    let body = Body::pattern(1, 100_000);
    let mut world = bench.world();
    let whole = || Reply::body(body.clone());
    world.origin.serve("/length", whole().cut_at(At::End, Cut::BareFin));
    world.origin.serve("/chunked", whole().chunked(&[1000]).cut_at(At::End, Cut::BareFin));
    for _ in 0..3 {
        world.assert_get("/length", &body);
        world.assert_get("/chunked", &body);
    }
    assert_eq!(world.origin.records().requests.len(), 6);
    world.end();
}

fn a_cut_is_a_cut_with_and_without_a_close_notify(bench: &Bench) {
    only_secured(bench);
    let body = Body::pattern(1, 100_000);
    for cut in [Cut::Fin, Cut::BareFin] {
        let mut world = bench.world();
        let whole = || Reply::body(body.clone());
        world.origin.serve("/length", whole().cut_at(At::Body(60_000), cut));
        world.origin.serve("/chunked", whole().chunked(&[1000]).cut_at(At::Body(60_000), cut));
        for path in ["/length", "/chunked"] {
            let fetched = world.fetch(path);
            world.head(fetched.id).unwrap();
            let (chunks, fault) = world.read_all(fetched.body, 1 << 20);
            assert_eq!(fault.map(|fault| fault.kind()), Some(FaultKind::Reset), "{path}, {cut:?}");
            assert_eq!(joined(&chunks), body.to_vec()[..60_000], "{path}, {cut:?}");
            world.finish(fetched.body);
        }
        world.origin.serve("/head", whole().cut_at(At::Head(20), cut));
        let fetched = world.fetch("/head");
        assert_eq!(world.head(fetched.id).unwrap_err().kind(), FaultKind::Reset, "{cut:?}");
        world.finish(fetched.body);
        world.end();
    }
}

/// Two origins that differ in the scheme alone: the second has nothing but plain connections to offer, and gets none.
fn schemes_do_not_share_connections(bench: &Bench) {
    only_secured(bench);
    let mut world = bench.world();
    world.origin.serve("/a", Reply::body("hello"));
    world.assert_get("/a", &Body::from("hello"));
    // The idle connection leads to the right host and port; over it the request would be answered.
    let plain = world.url("/a").replace("https:", "http:");
    let fetched = world.fetch_url(&plain);
    world.head(fetched.id).unwrap_err();
    world.finish(fetched.body);
    let seen = world.origin.records();
    assert_eq!((seen.requests.len(), seen.connections.total), (1, 2));
    world.end();
}
