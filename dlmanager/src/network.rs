//! Which of the transports that come with the crate a manager uses.

use dlmanager_core::Config;

#[cfg(any(feature = "tokio", feature = "smol"))]
use crate::sharing::ForMany;
use crate::{OpenError, Runtime, Transport};

/// What a manager's own thread runs on, and the transport that goes with it. Each is there with the feature of its
/// name; both can be used in one program.
///
/// ```
/// use dlmanager::{DownloadManager, IoRuntime};
///
/// # let folder = tempfile::tempdir()?;
/// # let directory = folder.path();
/// let manager = DownloadManager::builder(directory).runtime(IoRuntime::Tokio).open()?;
/// # manager.close().wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoRuntime {
    /// hyper on tokio, which is the choice unless another is made.
    #[cfg(feature = "tokio")]
    Tokio,
    /// hyper's connection API on smol.
    #[cfg(feature = "smol")]
    Smol,
}

impl IoRuntime {
    /// What a manager uses where nothing is chosen: tokio before smol, `None` without either.
    pub(crate) fn preferred() -> Option<Self> {
        let all: &[Self] = &[
            #[cfg(feature = "tokio")]
            Self::Tokio,
            #[cfg(feature = "smol")]
            Self::Smol,
        ];
        all.first().copied()
    }
}

/// The settings of a transport that comes with the crate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    pub(crate) runtime: Option<IoRuntime>,
    #[cfg(any(feature = "tokio", feature = "smol"))]
    pub(crate) tls: crate::TlsConfig,
}

impl Network {
    /// The transport that was chosen, or the one that goes with the runtime.
    #[cfg_attr(
        not(any(feature = "tokio", feature = "smol")),
        expect(unused_variables, reason = "there is none to set up")
    )]
    pub(crate) fn transport(self, runtime: &dyn Runtime, config: &Config) -> Result<Box<dyn Transport>, OpenError> {
        match self.choose(runtime)? {
            #[cfg(feature = "tokio")]
            IoRuntime::Tokio => Ok(Box::new(self.hyper(config.per_host))),
            #[cfg(feature = "smol")]
            IoRuntime::Smol => Ok(Box::new(self.smol(config.per_host))),
        }
    }

    /// The same, to be shared by managers.
    #[cfg(any(feature = "tokio", feature = "smol"))]
    pub(crate) fn for_many(self, runtime: &dyn Runtime, connections: usize) -> Result<Box<dyn ForMany>, OpenError> {
        match self.choose(runtime)? {
            #[cfg(feature = "tokio")]
            IoRuntime::Tokio => Ok(Box::new(self.hyper(connections))),
            #[cfg(feature = "smol")]
            IoRuntime::Smol => Ok(Box::new(self.smol(connections))),
        }
    }

    fn choose(&self, runtime: &dyn Runtime) -> Result<IoRuntime, OpenError> {
        let choice = match self.runtime {
            Some(choice) => Some(choice),
            #[cfg(feature = "tokio")]
            None if runtime.is_tokio() => Some(IoRuntime::Tokio),
            #[cfg(feature = "smol")]
            None => Some(IoRuntime::Smol),
            #[cfg(not(feature = "smol"))]
            None => None,
        };
        match choice {
            #[cfg(feature = "tokio")]
            Some(IoRuntime::Tokio) if runtime.is_tokio() => Ok(IoRuntime::Tokio),
            #[cfg(feature = "smol")]
            Some(IoRuntime::Smol) => Ok(IoRuntime::Smol),
            _ => {
                let _ = runtime;
                Err(OpenError::Start("no transport of this build runs on that runtime: give one".into()))
            }
        }
    }

    #[cfg(feature = "tokio")]
    fn hyper(self, connections_per_origin_max: usize) -> dlmanager_hyper::Hyper {
        let options = dlmanager_hyper::Options { connections_per_origin_max, ..Default::default() };
        dlmanager_hyper::Hyper::with_tls(self.tls, options)
    }

    #[cfg(feature = "smol")]
    fn smol(self, connections_per_origin_max: usize) -> dlmanager_smol::Smol {
        let options = dlmanager_smol::Options { connections_per_origin_max, ..Default::default() };
        dlmanager_smol::Smol::with_tls(self.tls, options)
    }
}
