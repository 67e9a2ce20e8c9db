//! An HTTP/1.1 origin on loopback that misbehaves as it is told, for tests of programs that download.
//!
//! [`Origin::start`] listens on a free port of 127.0.0.1 and answers on plain threads until it is dropped. What it
//! answers is a [`Reply`] for each path, or a list of replies, one for each request. A reply can be wrong in its head,
//! in its length, in its framing and in its timing, and it can end at any byte. Everything that arrives is recorded.
//!
//! ```
//! use dlmanager_origin::{At, Body, Cut, Origin, Reply};
//! use std::{io::{Read, Write}, net::TcpStream, time::Duration};
//!
//! let origin = Origin::start()?;
//! let body = Body::pattern(1, 100_000);
//! // The first reply breaks off, every later one is whole.
//! origin.script("/a.bin", vec![
//!     Reply::body(body.clone()).cut_at(At::Body(60_000), Cut::Fin),
//!     Reply::body(body.clone()).close_after(),
//! ]);
//!
//! let fetch = || {
//!     let mut socket = TcpStream::connect(origin.addr())?;
//!     socket.write_all(b"GET /a.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
//!     let mut bytes = Vec::new();
//!     socket.read_to_end(&mut bytes)?;
//!     let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
//!     Ok::<_, std::io::Error>(bytes.split_off(head))
//! };
//! assert_eq!(fetch()?, body.to_vec()[..60_000]);
//! assert_eq!(body.compare(&fetch()?[..])?, None);
//!
//! let seen = origin.wait_for(Duration::from_secs(10), |seen| seen.connections.open == 0)?;
//! assert_eq!((seen.requests.len(), seen.connections.total), (2, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where and when
//!
//! A fault happens at a place: [`At::Start`] before any byte, [`At::Head`] and [`At::Body`] after so many bytes of the
//! head or of this reply's body, [`At::End`] after the last byte of the framing. A place that the reply never gets to
//! is passed over in silence, so that a cut at byte 1000 of a body of 10 bytes does nothing.
//!
//! Tests should not sleep. To hold a reply at a byte, put a [`Gate`] there: the test waits until the reply has got to
//! it ([`Gate::wait_reached`]), does what it has to do, and opens it. To see what a client has done, wait with
//! [`Origin::wait_for`], which fails with all that was seen once its time is over.
//!
//! # Versions and ranges
//!
//! A [`Resource`] has versions whose bytes, length and validators are known, and says of any bytes which versions they are
//! made of. It answers ranges as RFC 9110 says; [`Reply::range_moved`], [`Reply::content_range`], [`Reply::to_range`] and
//! their like bend that, one thing at a time.
//!
//! # A book of faults
//!
//! | To have | say |
//! |---|---|
//! | the whole to a range, or to `If-Range` alone | leave out [`Reply::ranges`]; [`Reply::to_if_range`] |
//! | another start, an overlap, a shorter part | [`Reply::range_moved`], [`Reply::range_bytes_max`] |
//! | another total, `*`, none, nonsense | [`Reply::content_range`], [`Reply::no_content_range`] |
//! | a part in an envelope, or one that nobody asked for | [`Reply::multipart`]; [`Reply::status`] 206 |
//! | a part of another version | [`Reply::ignore_if_range`] in the reply of that version |
//! | validators weak, changed, changed back, gone | [`Reply::etag`], [`Reply::without`], [`Origin::script`] |
//! | a `Last-Modified` that is weak | [`Reply::last_modified`] and [`Reply::date`] in one second |
//! | `Retry-After` | [`Reply::header`], with a number or an [`http_date`] |
//! | redirects in loops, to elsewhere, with two Locations | [`Reply::redirect`], and [`Reply::header`] once more |
//! | digests, true and not | [`Reply::repr_digest`], [`Reply::content_digest`], [`Body::digest_field`] of another body |
//! | lengths missing, doubled, negative, huge | [`Reply::framed_by_hand`] and [`Reply::header`]; [`Reply::content_length`] |
//! | chunks that end early, or beside a length | [`Reply::chunked`] with [`Reply::cut_at`], with [`Reply::header`] |
//! | more than announced | [`Reply::extra`] |
//! | 100 and 103 before the reply | [`Reply::interim`] |
//! | HTTP/1.0, HTTP/0.9, no HTTP | [`Reply::http_1_0`], [`Reply::raw`] |
//! | heads too large, or without end | [`Reply::padding`], [`Reply::endless_headers`] |
//! | a kept connection that ends without a byte | a script whose second reply is [`Reply::close`] |
//! | a narrow link for all | [`Reply::over`] one [`Link`] |
//!
//! # When a client leaves
//!
//! A reply that is held (by a stall, a gate, a pause or its pace) ends as soon as the client closes its connection or
//! its sending half of it. A reply that is being written ends with the first write that fails.
//!
//! # TLS
//!
//! With the feature `tls`, `Origin::start_tls` does all this over TLS: an `Authority` is a private CA in memory, which
//! makes certificates for servers, good ones and ones with every usual flaw, and for clients. Each connection's handshake
//! is recorded in [`Records::handshakes`]. [`Cut::Fin`] says close_notify first, [`Cut::BareFin`] does not. Places and
//! counts of bytes are those of HTTP.
//!
//! # Limits
//!
//! It speaks HTTP/1.1 and HTTP/1.0, skips a request's body when it has a Content-Length, refuses one that is
//! chunked, and takes a request head of at most 64 KiB and 64 pipelined requests. Each connection costs two threads.
#![forbid(unsafe_code)]

mod body;
mod connection;
mod digest;
mod exchange;
mod gate;
mod input;
mod link;
mod net;
mod origin;
mod output;
mod range;
mod record;
mod reply;
mod resource;
#[cfg(feature = "tls")]
mod tls;
mod wire;

pub use body::{Body, BodyReader};
pub use digest::DigestAlgorithm;
pub use gate::Gate;
pub use link::Link;
pub use origin::Origin;
pub use record::{Agreed, Connections, Ended, Handshake, Records, Request, Sent, TimedOut};
pub use reply::{At, Cut, Reply, http_date};
pub use resource::{Extent, Resource};
#[cfg(feature = "tls")]
pub use tls::{Authority, Identity, ServerCertificate, Tls, TlsVersion};
