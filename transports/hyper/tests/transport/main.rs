//! The transport against an origin that misbehaves as it is told.

mod bodies;
mod connections;
mod control;
mod faults;
mod harness;
