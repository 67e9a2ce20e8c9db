//! The rules that every transport of dlmanager has to obey, as a suite that runs on any of them.
//!
//! A transport executes [`NetAction`](dlmanager_core::NetAction)s over HTTP; what each of them means stands at
//! [`NetOp`](dlmanager_core::NetOp). To try one, implement [`Transport`] for it, and [`Subject`] for the runtime that it
//! needs, and [`run`] the suite:
//!
//! ```no_run
//! # use std::{pin::Pin, task::Context, time::Duration};
//! # use dlmanager_core::{ActionId, Event, NetAction};
//! # use dlmanager_transport_conformance::{Settings, Subject, Transport};
//! use dlmanager_transport_conformance::Scheme;
//! # struct Mine;
//! # impl Subject for Mine {
//! #     fn transport(&self, _: &Settings) -> Box<dyn Transport> { unimplemented!() }
//! #     fn block_on(&self, _: Duration, _: Pin<&mut dyn Future<Output = ()>>) -> bool { unimplemented!() }
//! # }
//! let plain = dlmanager_transport_conformance::run(Scheme::Http, || Mine);
//! let secured = dlmanager_transport_conformance::run(Scheme::Https, || Mine);
//! print!("{}", dlmanager_transport_conformance::table(&[("mine", &plain), ("over TLS", &secured)]));
//! assert!(plain.is_passed() && secured.is_passed());
//! ```
//!
//! The other side is [`dlmanager_origin`] on loopback, and now and then a server by hand. Over TLS its certificates come
//! from a CA that is made in the process.
//!
//! The transports of this repository, side by side: `cargo run -p dlmanager-transport-conformance --example transports_table`.
#![forbid(unsafe_code)]

mod bench;
mod cases;
mod runner;
mod subject;
mod world;

pub use bench::Scheme;
pub use runner::{Case, Report, Verdict, cases, run, table};
pub use subject::{ClientCertificate, Settings, Subject, Transport};
