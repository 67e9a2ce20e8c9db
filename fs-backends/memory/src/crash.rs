//! The programs on the directory and the machine below it, and how they end.

use dlmanager_core::BootId;

use crate::MemoryDirectory;
use crate::tree::Process;

impl MemoryDirectory {
    /// Another program's handle to the same directory: what is open and locked through it is that program's own, and so
    /// are its identifiers of files. (A clone is the same program's.) Rules and clock are common to all.
    #[must_use]
    pub fn process(&self) -> Self {
        let mut tree = self.tree();
        let process = Process(tree.processes);
        tree.processes += 1;
        drop(tree);
        self.of_process(process)
    }

    /// The program dies: what it has open is closed, and its locks are free. What it has written stays, flushed or not.
    pub fn crash_process(&self) {
        self.tree().end_process(self.own_process());
    }

    /// Whether locks work. Where they do not, which is the case on some network file systems, taking one is
    /// [`Unsupported`](dlmanager_core::FaultKind::Unsupported).
    pub fn set_locks_work(&self, work: bool) {
        self.tree().locks_work = work;
    }

    /// What tells this start of the machine from others, as a `Probe` yields it.
    pub fn boot(&self) -> Option<BootId> {
        self.tree().boot
    }

    /// Starts the machine under that identifier; `None` where it has none.
    pub fn set_boot(&self, boot: Option<BootId>) {
        self.tree().boot = boot;
    }
}
