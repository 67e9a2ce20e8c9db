//! What a case works with.

use std::panic;
use std::sync::{Arc, OnceLock};

use dlmanager_origin::{Authority, Origin, Tls};

use crate::subject::{Settings, Subject};
use crate::world::World;

/// Over what the suite runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// TCP.
    Http,
    /// TLS over TCP.
    Https,
}

/// The transport that a case tries, and over what.
pub(crate) struct Bench {
    scheme: Scheme,
    subject: Arc<dyn Subject>,
}

/// Thrown by a case that has nothing to try: the reason.
#[derive(Debug)]
pub(crate) struct Skipped(pub(crate) &'static str);

impl Bench {
    pub(crate) fn new(scheme: Scheme, subject: Arc<dyn Subject>) -> Self {
        Self { scheme, subject }
    }

    /// As it stands in a URL.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// Ends the case where it runs over the other one.
    pub(crate) fn only_over(&self, scheme: Scheme, reason: &'static str) {
        if self.scheme != scheme {
            panic::resume_unwind(Box::new(Skipped(reason)));
        }
    }

    /// A new transport, and an origin for it.
    pub(crate) fn world(&self) -> World {
        self.world_with(Settings::default())
    }

    pub(crate) fn world_with(&self, settings: Settings) -> World {
        World::new(Arc::clone(&self.subject), self.origin(), Settings { ca_pem: Some(authority().pem()), ..settings })
    }

    /// A new transport, and an origin that speaks TLS in its own way.
    pub(crate) fn world_of(&self, tls: &Tls, settings: Settings) -> World {
        let origin = Origin::start_tls(tls).unwrap();
        World::new(Arc::clone(&self.subject), origin, Settings { ca_pem: Some(authority().pem()), ..settings })
    }

    /// Another origin.
    pub(crate) fn origin(&self) -> Origin {
        let started = match self.scheme {
            Scheme::Http => Origin::start(),
            Scheme::Https => Origin::start_tls(&Tls::new(authority())),
        };
        started.unwrap()
    }
}

/// The CA that every transport trusts here.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("the CA of the suite").unwrap())
}
