//! The name that a server has to prove.

use std::net::IpAddr;

use dlmanager_core::{Fault, FaultKind};
use rustls::pki_types::ServerName;

/// The name that the server's certificate has to bear, from the host of a URL: a DNS name, an IPv4 address, an IPv6
/// address with or without its brackets. The dot at the end of an absolute DNS name is dropped.
///
/// # Errors
///
/// [`FaultKind::Tls`] where no certificate can bear that name.
pub fn server_name(host: &str) -> Result<ServerName<'static>, Fault> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(ServerName::IpAddress(address.into()));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(name.to_owned())
        .map_err(|_| Fault::new(FaultKind::Tls).with_detail(format!("no certificate can bear the name {host:?}")))
}
