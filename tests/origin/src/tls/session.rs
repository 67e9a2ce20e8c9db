//! A TLS session over a socket that one thread reads and another writes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use crate::record::Agreed;

#[derive(Debug)]
pub(crate) struct Session {
    state: Mutex<ServerConnection>,
    /// Held from taking records out of the state until they are on the socket, so that they stay in their order. The
    /// state itself is free meanwhile: a client that does not read must not keep the other thread from reading.
    sending: Mutex<()>,
}

impl Session {
    pub(crate) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut state = ServerConnection::new(config).map_err(io::Error::other)?;
        // What is written is taken out at once.
        state.set_buffer_limit(None);
        Ok(Self { state: Mutex::new(state), sending: Mutex::default() })
    }

    /// Reads from the socket once, answers what has to be answered, and appends what the client has said to `plain`.
    /// `false` where the client has ended, by a close_notify or without.
    pub(crate) fn read(&self, stream: &TcpStream, plain: &mut Vec<u8>) -> io::Result<bool> {
        let mut raw = [0; 16 * 1024];
        let count = (&mut &*stream).read(&mut raw)?;
        let mut rest = &raw[..count];
        let mut open = count > 0;
        while !rest.is_empty() {
            let (processed, answers) = {
                let mut state = self.state();
                state.read_tls(&mut rest)?;
                let processed = state.process_new_packets();
                if let Ok(io) = &processed {
                    let start = plain.len();
                    plain.resize(start + io.plaintext_bytes_to_read(), 0);
                    state.reader().read_exact(&mut plain[start..])?;
                    open &= !io.peer_has_closed();
                }
                (processed, state.wants_write())
            };
            if answers {
                // The alert that says what was wrong is one of them.
                self.send(stream, |_| Ok(()))?;
            }
            processed.map_err(io::Error::other)?;
        }
        Ok(open)
    }

    pub(crate) fn write_all(&self, stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
        self.send(stream, |state| state.writer().write_all(bytes))
    }

    pub(crate) fn close_notify(&self, stream: &TcpStream) -> io::Result<()> {
        self.send(stream, |state| {
            state.send_close_notify();
            Ok(())
        })
    }

    /// What was agreed on; `None` before the handshake's end.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        let state = self.state();
        if state.is_handshaking() {
            return None;
        }
        let protocol = state.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned());
        Some(Agreed {
            version: state.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default(),
            server_name: state.server_name().map(str::to_owned),
            protocol,
            client_certificates: state.peer_certificates().map_or(0, <[_]>::len),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    fn send(&self, stream: &TcpStream, fill: impl FnOnce(&mut ServerConnection) -> io::Result<()>) -> io::Result<()> {
        let _order = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        {
            let mut state = self.state();
            fill(&mut state)?;
            while state.wants_write() {
                state.write_tls(&mut records)?;
            }
        }
        (&mut &*stream).write_all(&records)
    }

    fn state(&self) -> MutexGuard<'_, ServerConnection> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
