//! Handshakes with an origin that shows every kind of certificate, over plain sockets.

mod client;

mod certificates;
mod clients;
mod protocol;
