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

    /// The machine fails, and is started again: all programs' files are closed and their locks free, the
    /// [boot](Self::boot) is another, and of what was not flushed there is what the [`Profile`](crate::Profile) lets
    /// survive. Stamps survive as they were.
    ///
    /// `choose` decides what does. It is asked for a number below the bound that it is given, which is at least 2; a
    /// greater answer counts as the greatest one. 0 stands for what is on the disk, and the greatest for what was done
    /// last, so that `|_| 0` loses all that may be lost, and `|bound| bound - 1` nothing but what failed flushes have
    /// lost. The questions depend on nothing but what happened to the directory, and on the answers before: who tries all
    /// answers sees all that may be left. `choose` may not use the directory.
    pub fn lose_power(&self, choose: &mut dyn FnMut(usize) -> usize) {
        let mut tree = self.tree();
        tree.lose_power(&mut |bound| if bound < 2 { 0 } else { choose(bound).min(bound - 1) });
        tree.boot = tree.boot.map(|BootId(bytes)| {
            let next = u128::from_be_bytes(bytes).wrapping_add(1);
            BootId(next.to_be_bytes())
        });
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
