//! To whom connections lead, and which of them can be shared.

use std::fmt;

use dlmanager_core::{Fault, FaultKind};
use http::Uri;
use http::uri::Scheme;

/// A server that connections are made to: scheme, host and port. Connections to one origin serve all its requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// By TLS.
    secure: bool,
    /// In lower case; an IPv6 address with its brackets.
    host: Box<str>,
    port: u16,
}

impl Origin {
    /// In lower case, without brackets: a name or an address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// Whether it is spoken to over TLS: its scheme is `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The port, which is that of the scheme where the URI had none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether this is the origin of a URI, as far as that is seen at once: one whose host is in another case is not.
    pub(crate) fn is_that_of(&self, uri: &Uri) -> bool {
        let scheme = if self.secure { Scheme::HTTPS } else { Scheme::HTTP };
        uri.host() == Some(&*self.host)
            && uri.scheme() == Some(&scheme)
            && uri.port_u16().unwrap_or(default_port(self.secure)) == self.port
    }

    /// The origin of an absolute URI.
    pub(crate) fn of(uri: &Uri) -> Result<Self, Fault> {
        let unsupported = |detail: &str| Fault::new(FaultKind::Unsupported).with_detail(detail);
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) => {
                return Err(unsupported(&format!("the scheme {scheme}; only http and https can be fetched")));
            }
            None => return Err(unsupported("a URL without a scheme")),
        };
        match uri.host() {
            Some(host) if !host.is_empty() => Ok(Self {
                secure,
                host: host.to_ascii_lowercase().into(),
                port: uri.port_u16().unwrap_or(default_port(secure)),
            }),
            _ => Err(unsupported("a URL without a host")),
        }
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// `host:port`, an IPv6 address in brackets.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(uri: &str) -> Origin {
        Origin::of(&uri.parse().unwrap()).unwrap()
    }

    #[test]
    fn case_default_port_user_and_path_make_no_difference() {
        assert_eq!(origin("http://Example.ORG/a?b"), origin("http://user:secret@example.org:80"));
        assert_ne!(origin("http://example.org:8080"), origin("http://example.org"));
        assert_ne!(origin("http://example.org"), origin("http://www.example.org"));
        assert_ne!(origin("http://example.org:443"), origin("https://example.org"));
        assert_eq!(origin("https://example.org:443"), origin("HTTPS://EXAMPLE.org"));
        for (one, other) in [
            ("http://example.org", "http://example.org:80/b"),
            ("http://example.org", "https://example.org:80/b"),
            ("https://example.org", "https://example.org:443/"),
            ("http://example.org:8080", "http://example.org"),
            ("http://[::1]:8080", "http://[::1]:8080/a"),
            ("http://example.org", "http://www.example.org"),
        ] {
            let is_same = origin(one) == origin(other);
            assert_eq!(origin(one).is_that_of(&other.parse().unwrap()), is_same, "{one} {other}");
        }
    }

    #[test]
    fn an_ipv6_address_has_brackets_where_it_stands_with_its_port() {
        let origin = origin("http://[::1]:8080/");
        assert_eq!((origin.to_string().as_str(), origin.host(), origin.port()), ("[::1]:8080", "::1", 8080));
    }

    #[test]
    fn what_is_neither_http_nor_https_is_refused_in_words() {
        for (uri, word) in [("httpss://example.org/", "httpss"), ("ftp://example.org/", "ftp"), ("/path", "scheme")] {
            let fault = Origin::of(&uri.parse().unwrap()).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Unsupported);
            assert!(fault.to_string().contains(word), "{fault}");
        }
    }
}
