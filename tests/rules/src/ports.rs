//! Ports that behave as an origin cannot.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};

/// A port that refuses every connection, for as long as this lives.
pub(crate) struct Refusing(Socket);

impl Refusing {
    pub(crate) fn new() -> Self {
        let socket = bound();
        Self(socket)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", address(&self.0))
    }
}

/// A port on which no connection gets as far as being refused: its queue is full, and nobody takes from it.
pub(crate) struct Silent {
    socket: Socket,
    _queued: Vec<TcpStream>,
}

impl Silent {
    pub(crate) fn new() -> Self {
        let socket = bound();
        socket.listen(0).expect("it can listen");
        let address = address(&socket);
        // Linux takes one more than it was told to.
        let queued = (0..1).map(|_| TcpStream::connect(address).expect("the queue has this place")).collect();
        Self { socket, _queued: queued }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", address(&self.socket))
    }
}

/// A port where connections are made, and nothing is ever said.
pub(crate) struct Mute(TcpListener);

impl Mute {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback"))
    }

    pub(crate) fn https_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.0.local_addr().expect("it is bound"))
    }
}

fn bound() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port on loopback");
    socket
}

fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound")
}
