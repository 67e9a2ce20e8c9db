//! Ctrl-C and SIGTERM: the first one asks for an orderly end, the second one leaves at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// Whether the program was interrupted. Until [`catch`](Self::catch) is called, the first signal leaves at once as well.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    /// A signal that comes while this is set ends the program; each signal sets it.
    leave: Arc<AtomicBool>,
}

impl Interrupt {
    pub(crate) fn install() -> io::Result<Self> {
        let leave = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the handlers of a signal run in the order of their registration.
            flag::register_conditional_shutdown(signal, Exit::Interrupted.code().into(), Arc::clone(&leave))?;
            flag::register(signal, Arc::clone(&leave))?;
        }
        Ok(Self { leave })
    }

    /// From now on the first signal only makes [`is_set`](Self::is_set) true.
    pub(crate) fn catch(&self) {
        self.leave.store(false, Ordering::SeqCst);
    }

    /// Whether a signal came.
    pub(crate) fn is_set(&self) -> bool {
        self.leave.load(Ordering::SeqCst)
    }
}
