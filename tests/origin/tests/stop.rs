//! What is left of an origin that was dropped: nothing. Alone in its process, since it counts threads.

mod client;

use std::net::TcpStream;
use std::time::Instant;

use client::{Client, DEADLINE};
use dlmanager_origin::{At, Gate, Origin, Reply};

#[test]
fn a_dropped_origin_leaves_neither_threads_nor_sockets() {
    let origin = Origin::start().unwrap();
    let address = origin.addr();
    let gate = Gate::new();
    origin.serve("/stall", Reply::body("x").stall_at(At::Start));
    origin.serve("/gate", Reply::body("x").gate_at(At::Start, &gate));
    origin.serve("/drip", Reply::body("xyz").drip(1, DEADLINE));
    origin.serve("/kept", Reply::body("x"));
    let paths = ["/stall", "/gate", "/drip", "/kept"];
    let mut clients: Vec<_> = paths.iter().map(|path| Client::get(&origin, path)).collect();
    clients.push(Client::connect(&origin));
    origin.wait_for(DEADLINE, |seen| seen.requests.len() == 4 && seen.connections.open == 5).unwrap();
    // One that accepts, and two for each connection.
    wait_for_threads(11);

    drop(origin);
    wait_for_threads(0);
    assert!(TcpStream::connect(address).is_err());
    for client in &mut clients {
        // In order or by a reset; what may not come is the end of the client's own patience.
        let (_, end) = client.until_end();
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    }
}

/// The kernel lists a thread a moment before it has its name, and a moment after its end was waited for.
fn wait_for_threads(expected: usize) {
    let start = Instant::now();
    while cfg!(target_os = "linux") && threads() != expected {
        assert!(start.elapsed() < DEADLINE, "{} threads instead of {expected}", threads());
        std::thread::yield_now();
    }
}

/// The threads of origins, known by their names.
fn threads() -> usize {
    let mut count = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        // A thread that has ended since the listing has no name.
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        count += usize::from(name.starts_with("origin-"));
    }
    count
}
