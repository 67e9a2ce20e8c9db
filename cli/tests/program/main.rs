//! The program itself, against an origin on loopback.

mod checksums;
#[cfg(unix)]
mod child;
#[cfg(unix)]
mod damaged;
mod demo;
#[cfg(target_os = "linux")]
mod every_call;
mod evict;
#[cfg(target_os = "linux")]
mod full_disk;
mod get;
#[cfg(unix)]
mod interrupt;
mod json;
#[cfg(unix)]
mod killed;
mod limit;
mod list;
mod misuse;
mod proxies;
#[cfg(target_os = "linux")]
mod read_only;
#[cfg(unix)]
mod rights;
mod secrets;
#[cfg(unix)]
mod several;
mod support;
mod transports;
mod verify;
