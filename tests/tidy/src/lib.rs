//! The walls of the workspace, held by tests.
//!
//! A wall is a function from the [`Tree`] of files to the places where it is broken. `tests/walls.rs` asks each about
//! the workspace as it is, `tests/broken.rs` about small trees that break it, so that no wall is one that cannot fall.
#![forbid(unsafe_code)]

pub mod code;
pub mod manifest;
mod tree;
pub mod walls;

pub use tree::{File, Tree};

/// The code in README compiles, and what needs no network runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
