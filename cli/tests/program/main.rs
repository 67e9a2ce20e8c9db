//! The program itself, against an origin on loopback.

mod demo;
mod evict;
mod get;
#[cfg(unix)]
mod interrupt;
mod json;
mod limit;
mod list;
mod misuse;
mod proxies;
mod support;
mod transports;
