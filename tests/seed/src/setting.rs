//! On what a case is run.

use std::fmt;

use dlmanager::IoRuntime;

/// A transport, and what it runs on.
#[derive(Debug)]
pub struct Transport {
    /// Its name, as the program's `--transport` has it.
    pub name: &'static str,
    pub(crate) runtime: IoRuntime,
}

/// Every transport.
pub const TRANSPORTS: &[Transport] =
    &[Transport { name: "hyper", runtime: IoRuntime::Tokio }, Transport { name: "smol", runtime: IoRuntime::Smol }];

/// Where the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// In a real directory.
    Folder,
    /// In memory.
    Memory,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Self; 2] = [Self::Folder, Self::Memory];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Folder => "folder",
            Self::Memory => "memory",
        })
    }
}

/// A transport and a backend.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// What fetches.
    pub transport: &'static Transport,
    /// What keeps.
    pub backend: Backend,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.transport.name, self.backend)
    }
}
