//! The bytes of a connection: the socket's own, or those within TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::net;
use crate::record::Agreed;
#[cfg(feature = "tls")]
use crate::tls::Session;

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    #[cfg(feature = "tls")]
    session: Option<Session>,
}

impl Wire {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self {
            stream,
            #[cfg(feature = "tls")]
            session: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn secured(stream: TcpStream, session: Session) -> Self {
        Self { stream, session: Some(session) }
    }

    /// Waits for bytes and appends them, which within TLS may be none; `false` where the client has ended.
    pub(crate) fn read(&self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        #[cfg(feature = "tls")]
        if let Some(session) = &self.session {
            return session.read(&self.stream, bytes);
        }
        let mut piece = [0; 8 * 1024];
        let count = (&self.stream).read(&mut piece)?;
        bytes.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }

    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(session) = &self.session {
            return session.write_all(&self.stream, bytes);
        }
        (&self.stream).write_all(bytes)
    }

    /// Says that nothing more will come, where there is a way to say so before the end itself.
    pub(crate) fn announce_end(&self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(session) = &self.session {
            return session.close_notify(&self.stream);
        }
        Ok(())
    }

    pub(crate) fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        let is_tls = self.session.is_some();
        #[cfg(not(feature = "tls"))]
        let is_tls = false;
        is_tls
    }

    /// What TLS has agreed on, once it has.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        #[cfg(feature = "tls")]
        let agreed = self.session.as_ref().and_then(Session::agreed);
        #[cfg(not(feature = "tls"))]
        let agreed = None;
        agreed
    }

    /// Whether the client has closed its half, seen without taking a byte and without waiting.
    pub(crate) fn peer_has_left(&self) -> bool {
        // A client that leaves TLS in order says so in bytes, behind which its end would not be seen.
        if self.is_tls() { net::peer_has_hung_up(&self.stream) } else { net::peer_has_left(&self.stream) }
    }
}
