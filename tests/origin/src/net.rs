//! What std does not offer of sockets.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

/// From now on closing the socket resets the connection.
pub(crate) fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?)
}

/// Whether the other side has closed its half, seen without taking a byte and without waiting.
#[cfg(unix)]
pub(crate) fn peer_has_left(stream: &TcpStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    let mut byte = [0u8];
    match recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, count)) => count == 0,
        Err(error) => error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR,
    }
}

/// Windows has no flag for this.
#[cfg(not(unix))]
pub(crate) fn peer_has_left(_: &TcpStream) -> bool {
    false
}

/// The same whatever is still to be read.
#[cfg(target_os = "linux")]
pub(crate) fn peer_has_hung_up(stream: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut asked = [PollFd::new(stream, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut asked, Some(&now)) {
        Ok(_) => !asked[0].revents().is_empty(),
        Err(_) => false,
    }
}

/// Elsewhere it cannot be seen before the rest has been read.
#[cfg(not(target_os = "linux"))]
pub(crate) fn peer_has_hung_up(stream: &TcpStream) -> bool {
    peer_has_left(stream)
}
