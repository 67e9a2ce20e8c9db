//! The suite on the backends of this repository, and tests of the suite itself.

mod backends;
mod differential;
mod planted;
mod support;
