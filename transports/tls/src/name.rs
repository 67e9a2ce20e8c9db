//! The name that a server has to prove.

use std::net::IpAddr;

use dlmanager_core::{Fault, FaultKind};
use rustls::pki_types::ServerName;

/// The name that the server's certificate has to bear, from the host of a URL: a DNS name, an IPv4 address, an IPv6
/// address with or without its brackets. An absolute DNS name, with a dot at its end, is the same as
/// one without.
///
/// # Errors
///
/// [`FaultKind::Tls`] where no certificate can bear that name.
pub fn server_name(host: &str) -> Result<ServerName<'static>, Fault> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(host.to_owned())
        .map_err(|_| Fault::new(FaultKind::Tls).with_detail(format!("no certificate can bear the name {host:?}")))
}
