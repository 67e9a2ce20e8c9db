//! What goes wrong, and how it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;

use dlmanager_core::{Fault, FaultKind};
use dlmanager_origin::{At, Body, Cut, Reply};
use socket2::{Domain, Socket, Type};

use super::cases;
use crate::bench::{Bench, Scheme};
use crate::subject::Settings;
use crate::world::{DEADLINE, World, joined};

cases! {
    a_body_that_is_cut_yields_what_came_and_then_a_fault: "A body that is cut yields what came and then Reset, never an end",
    a_reset_is_told_with_the_systems_number: "A reset is told with the system's number",
    a_connection_that_closes_before_the_head_is_whole_is_a_reset: "A connection that closes before the head is whole is Reset",
    what_is_not_http_is_a_fault_of_the_protocol: "What is not HTTP is Protocol",
    a_server_that_speaks_first_is_a_fault_of_the_protocol: "A server that speaks before it was asked is Protocol",
    malformed_chunks_are_a_fault_of_the_protocol: "Malformed chunks are Protocol, after what came before them",
    a_head_has_a_bound_in_bytes_and_in_fields: "A head beyond the bounds in bytes or fields is HeadTooLarge",
    absurd_options_are_made_good: "Absurd settings are made good",
    a_refused_connection_is_told_with_its_address: "A refused connection is Connect, with its address and the system's number",
    a_name_that_does_not_resolve_is_told: "A name that does not resolve is Resolve, with the name",
    a_scheme_that_is_not_spoken_is_refused_in_words: "A scheme that is not spoken is Unsupported, with the scheme",
}

/// The fault of a `Fetch` that has to fail.
fn fault_of(world: &mut World, url: &str) -> Fault {
    let fetched = world.fetch_url(url);
    let read = world.read(fetched.body, 10);
    let fault = world.head(fetched.id).unwrap_err();
    assert_eq!(world.chunk(read).unwrap_err().kind(), FaultKind::Skipped);
    world.finish(fetched.body);
    fault
}

fn fault_of_reply(bench: &Bench, reply: Reply) -> Fault {
    let mut world = bench.world();
    world.origin.serve("/a", reply);
    let url = world.url("/a");
    let fault = fault_of(&mut world, &url);
    assert_eq!(world.origin.records().requests.len(), 1);
    world.end();
    fault
}

fn a_body_that_is_cut_yields_what_came_and_then_a_fault(bench: &Bench) {
    let body = Body::pattern(1, 300_000);
    let whole = || Reply::body(body.clone());
    for (name, reply) in [
        ("length", whole()),
        ("chunked", whole().chunked(&[1000])),
        ("one chunk", whole().chunked(&[1 << 20])),
        ("at the end", whole().chunked(&[300_000])),
        ("too short", whole().content_length(300_001)),
    ] {
        let cut = match name {
            "at the end" => Some(300_000),
            "too short" => None,
            _ => Some(200_000),
        };
        let mut world = bench.world();
        world.origin.serve(
            "/a",
            match cut {
                Some(at) => reply.cut_at(At::Body(at), Cut::Fin),
                None => reply,
            },
        );
        let fetched = world.fetch("/a");
        world.head(fetched.id).unwrap();
        let (chunks, fault) = world.read_all(fetched.body, 1 << 20);
        let fault = fault.expect("a fault instead of the rest");
        assert_eq!(fault.kind(), FaultKind::Reset, "{name}: {fault}");
        assert!(fault.to_string().contains("within the body"), "{fault}");
        let came = usize::try_from(cut.unwrap_or(body.len())).unwrap();
        assert_eq!(joined(&chunks), body.to_vec()[..came], "{name}");
        assert!(!chunks.iter().any(|chunk| chunk.last));
        let read = world.read(fetched.body, 10);
        assert_eq!(world.chunk(read).unwrap_err().kind(), FaultKind::Skipped);
        world.finish(fetched.body);
        world.end();
    }
}

fn a_reset_is_told_with_the_systems_number(bench: &Bench) {
    for reply in [Reply::reset(), Reply::body("hello").cut_at(At::Head(10), Cut::Reset)] {
        let fault = fault_of_reply(bench, reply);
        assert_eq!(fault.kind(), FaultKind::Reset);
        assert_connection_reset(&fault);
    }
    for framing in [|reply: Reply| reply, |reply: Reply| reply.chunked(&[10]), Reply::until_close] {
        let mut world = bench.world();
        let gate = dlmanager_origin::Gate::new();
        let reply = framing(Reply::body("hello, world")).gate_at(At::Body(5), &gate).cut_at(At::Body(5), Cut::Reset);
        world.origin.serve("/a", reply);
        let fetched = world.fetch("/a");
        world.head(fetched.id).unwrap();
        gate.open();
        let (chunks, fault) = world.read_all(fetched.body, 100);
        let fault = fault.expect("a fault instead of the rest");
        assert_eq!(fault.kind(), FaultKind::Reset);
        assert_connection_reset(&fault);
        assert!(joined(&chunks).len() <= 5);
        world.finish(fetched.body);
        world.end();
    }
}

fn assert_connection_reset(fault: &Fault) {
    let code = fault.os_code().expect("the system's number");
    let kind = std::io::Error::from_raw_os_error(code).kind();
    assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{fault}");
    assert_eq!(fault.to_string().matches("os error").count(), 1, "{fault}");
}

fn a_connection_that_closes_before_the_head_is_whole_is_a_reset(bench: &Bench) {
    for (reply, word) in [
        (Reply::close(), "before it replied"),
        (Reply::body("hello").cut_at(At::Head(1), Cut::Fin), "within the head"),
        (Reply::body("hello").cut_at(At::Head(30), Cut::Fin), "within the head"),
    ] {
        let fault = fault_of_reply(bench, reply);
        assert_eq!(fault.kind(), FaultKind::Reset);
        assert!(fault.to_string().contains(word), "{fault}");
    }
}

fn what_is_not_http_is_a_fault_of_the_protocol(bench: &Bench) {
    for reply in [
        Reply::raw("SSH-2.0-OpenSSH_9.7\r\n"),
        Reply::raw("<html>hello</html>\r\n\r\n"),
        Reply::raw("HTTP/1.1 abc\r\n\r\n"),
        Reply::raw("HTTP/2 200 OK\r\n\r\n"),
        Reply::raw(&[0u8; 1000]),
        Reply::body("hello").line("no colon"),
        Reply::body("hello").content_length(5).content_length(6),
        Reply::body("hello").framed_by_hand().header("Content-Length", "-5"),
        Reply::body("hello").framed_by_hand().header("Content-Length", "99999999999999999999999"),
    ] {
        let fault = fault_of_reply(bench, reply.clone());
        assert_eq!(fault.kind(), FaultKind::Protocol, "{reply:?}: {fault}");
        assert!(fault.detail().is_some_and(|detail| !detail.is_empty()));
    }
}

fn a_server_that_speaks_first_is_a_fault_of_the_protocol(bench: &Bench) {
    bench.only_over(Scheme::Http, "by a server without TLS");
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    let (spoke, spoken) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        spoke.send(()).unwrap();
        // Until the client closes.
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
    });
    let mut world = bench.world();
    let fetched = world.fetch_url(&url);
    // Begins to connect; the rest waits until the server has spoken.
    world.poll_once();
    spoken.recv_timeout(DEADLINE).unwrap();
    let fault = world.head(fetched.id).unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Protocol);
    assert!(fault.to_string().contains("before it was asked"), "{fault}");
    world.finish(fetched.body);
    server.join().unwrap();
    world.end();
}

fn malformed_chunks_are_a_fault_of_the_protocol(bench: &Bench) {
    for (bytes, came) in [
        ("5\r\nhello\r\nzz\r\n", "hello"),
        ("5\r\nhelloworld\r\n0\r\n\r\n", "hello"),
        ("ffffffffffffffffff\r\nhello", ""),
        ("-5\r\nhello\r\n0\r\n\r\n", ""),
    ] {
        let mut world = bench.world();
        let reply = Reply::body(bytes).framed_by_hand().header("Transfer-Encoding", "chunked");
        world.origin.serve("/a", reply);
        let fetched = world.fetch("/a");
        world.head(fetched.id).unwrap();
        let (chunks, fault) = world.read_all(fetched.body, 100);
        let fault = fault.expect("a fault instead of the rest");
        assert_eq!(fault.kind(), FaultKind::Protocol, "{bytes:?}: {fault}");
        assert_eq!(joined(&chunks), came.as_bytes());
        world.finish(fetched.body);
        world.end();
    }
}

fn a_head_has_a_bound_in_bytes_and_in_fields(bench: &Bench) {
    let many = |count: usize| (0..count).fold(Reply::body("hello"), |reply, n| reply.header(&format!("x-{n}"), "1"));
    let long = |bytes: usize| Reply::body("hello").header("x", &"a".repeat(bytes));
    let options = Settings { header_count_max: 50, header_bytes_max: 10_000, ..Settings::default() };
    for (reply, fits) in [
        (many(49), true),
        (many(50), false),
        (long(9_900), true),
        (long(10_000), false),
        (long(100_000), false),
        (Reply::empty(200).endless_headers(), false),
    ] {
        let mut world = bench.world_with(options.clone());
        world.origin.serve("/a", reply);
        let fetched = world.fetch("/a");
        match world.head(fetched.id) {
            Ok(_) => assert!(fits),
            Err(fault) => {
                assert!(!fits, "{fault}");
                assert_eq!(fault.kind(), FaultKind::HeadTooLarge, "{fault}");
                assert!(fault.to_string().contains("10000 bytes or 50 fields"), "{fault}");
            }
        }
        world.finish(fetched.body);
        world.end();
    }
}

fn absurd_options_are_made_good(bench: &Bench) {
    let mut world = bench.world_with(Settings {
        connections_per_origin_max: 0,
        idle_connections_max: 0,
        read_buffer_bytes_max: 0,
        header_bytes_max: 1000,
        ..Settings::default()
    });
    let body = Body::pattern(1, 100_000);
    world.origin.serve("/a", Reply::body(body.clone()));
    world.assert_get("/a", &body);
    world.end();
}

fn a_refused_connection_is_told_with_its_address(bench: &Bench) {
    // Bound and not listening: nobody else gets the port, and connections to it are refused.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut world = bench.world();
    for _ in 0..3 {
        let fault = fault_of(&mut world, &format!("{}://{address}/a", bench.scheme()));
        assert_eq!(fault.kind(), FaultKind::Connect);
        let kind = std::io::Error::from_raw_os_error(fault.os_code().unwrap()).kind();
        assert_eq!(kind, std::io::ErrorKind::ConnectionRefused);
        assert!(fault.to_string().contains(&address.to_string()), "{fault}");
        assert_eq!(fault.to_string().matches("os error").count(), 1, "{fault}");
    }
    assert!(world.connected.is_empty());
    world.end();
}

/// A label of 64 letters cannot be looked up (RFC 1035 section 2.3.4), so that nobody has to be asked.
fn a_name_that_does_not_resolve_is_told(bench: &Bench) {
    bench.only_over(Scheme::Http, "a name that no certificate can bear either");
    let host = format!("{}.invalid", "a".repeat(64));
    let mut world = bench.world();
    let fault = fault_of(&mut world, &format!("http://{host}/a"));
    assert_eq!(fault.kind(), FaultKind::Resolve, "{fault}");
    assert!(fault.to_string().contains(&host), "{fault}");
    world.end();
}

fn a_scheme_that_is_not_spoken_is_refused_in_words(bench: &Bench) {
    let mut world = bench.world();
    for scheme in ["ftp", "ws", "httpss"] {
        let fault = fault_of(&mut world, &format!("{scheme}://127.0.0.1/a"));
        assert_eq!(fault.kind(), FaultKind::Unsupported);
        assert!(fault.to_string().contains(scheme), "{fault}");
    }
    world.end();
}
