//! The core at work without network and disk, for measurements: every action is answered at once.

mod work;
mod world;

pub use work::{Prepared, Work};
pub use world::{Observer, World, request};
