//! The façade as programs use it: blocking and async, over sockets and real directories, and over a scripted transport and
//! a directory in memory. Every wait has a deadline.

mod awaiting;
mod closing;
mod downloads;
mod events;
mod fetching;
mod limit;
mod observers;
mod panics;
mod support;
mod waiting;
mod workers;
