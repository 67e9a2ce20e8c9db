//! The transports of this repository, as the suite takes them.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use dlmanager_core::{ActionId, Event, NetAction};
use dlmanager_hyper::{Hyper, Options, TlsConfig};
use dlmanager_smol::Smol;
use dlmanager_transport_conformance::{ClientCertificate, Settings, Subject, Transport};
use tokio::runtime::{Builder, Runtime};

/// [`Hyper`], on a runtime of one thread.
pub(crate) struct OnTokio(Runtime);

impl OnTokio {
    pub(crate) fn new() -> Self {
        Self(Builder::new_current_thread().enable_all().build().expect("a runtime"))
    }
}

impl Subject for OnTokio {
    fn transport(&self, settings: &Settings) -> Box<dyn Transport> {
        Box::new(Tokio(Hyper::with_tls(tls(settings), options(settings))))
    }

    fn block_on(&self, deadline: Duration, future: Pin<&mut dyn Future<Output = ()>>) -> bool {
        self.0.block_on(async { tokio::time::timeout(deadline, future).await.is_ok() })
    }

    fn enter(&self, work: &mut dyn FnMut()) {
        let _context = self.0.enter();
        work();
    }
}

/// [`Smol`], on the thread that waits.
pub(crate) struct OnSmol;

impl Subject for OnSmol {
    fn transport(&self, settings: &Settings) -> Box<dyn Transport> {
        Box::new(Reactor(Smol::with_tls(tls(settings), options(settings))))
    }

    fn block_on(&self, deadline: Duration, future: Pin<&mut dyn Future<Output = ()>>) -> bool {
        let ends = async {
            future.await;
            true
        };
        let late = async {
            smol::Timer::after(deadline).await;
            false
        };
        smol::block_on(smol::future::or(ends, late))
    }
}

fn options(settings: &Settings) -> Options {
    let Settings {
        connections_per_origin_max,
        idle_connections_max,
        idle_timeout,
        read_buffer_bytes_max,
        header_bytes_max,
        header_count_max,
        ca_pem: _,
        client: _,
    } = *settings;
    Options {
        connections_per_origin_max,
        idle_connections_max,
        idle_timeout,
        read_buffer_bytes_max,
        header_bytes_max,
        header_count_max,
        ..Options::default()
    }
}

fn tls(settings: &Settings) -> TlsConfig {
    let mut tls = TlsConfig::builder();
    if let Some(ca) = &settings.ca_pem {
        tls = tls.ca_pem(ca.as_str()).only_given_cas(true);
    }
    if let Some(ClientCertificate { certificates_pem, key_pem }) = &settings.client {
        tls = tls.client_pem(certificates_pem.as_str(), key_pem.as_str());
    }
    tls.build().expect("certificates of the suite")
}

struct Tokio(Hyper);

struct Reactor(Smol);

macro_rules! transport {
    ($name:ident) => {
        impl Transport for $name {
            fn start(&mut self, action: NetAction) {
                self.0.start(action);
            }

            fn abort(&mut self, target: ActionId) {
                self.0.abort(target);
            }

            fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>) {
                self.0.poll(cx, events);
            }
        }
    };
}

transport!(Tokio);
transport!(Reactor);
