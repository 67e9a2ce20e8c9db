//! The directory as drivers and tests see it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dlmanager_core::{Completion, Fault, FileAction, FileId, FileOp, Op, Stamp, StorePath, Ticket};

use crate::disk::{Disk, Profile};
use crate::rules::{Failure, Operation, Performed, Rules};
use crate::tree::{Handle, HandleId, Process, Tree};

/// The length of the blocks of most disks.
pub const BLOCK_BYTES: u64 = 4096;

/// A directory in memory. A clone is a second handle to the same one.
///
/// Its clock starts at 2020-01-01 UTC and stands still until it is [set](Self::set_now) or [advanced](Self::advance).
#[derive(Clone)]
pub struct MemoryDirectory {
    shared: Arc<Shared>,
    process: Process,
}

struct Shared {
    tree: Mutex<Tree>,
    rules: Mutex<Rules>,
    operations: AtomicU64,
}

impl MemoryDirectory {
    /// An empty directory without bounds or rules, of which no [power loss](Self::lose_power) leaves anything.
    pub fn new() -> Self {
        Self::on_disk(Profile::Tmpfs, BLOCK_BYTES)
    }

    /// The same on a disk, which keeps what is flushed.
    ///
    /// # Panics
    ///
    /// Where `block_bytes` is zero.
    pub fn on_disk(profile: Profile, block_bytes: u64) -> Self {
        assert!(block_bytes > 0, "a block has bytes");
        let tree = Mutex::new(Tree::new(Disk::new(profile, block_bytes)));
        let shared = Shared { tree, rules: Mutex::default(), operations: AtomicU64::new(0) };
        Self { shared: Arc::new(shared), process: Process(0) }
    }

    /// Performs one operation, at once.
    ///
    /// An operation on a file that is not open is answered with [`Io`](dlmanager_core::FaultKind::Io).
    pub fn execute(&self, action: FileAction) -> Completion {
        self.shared.operations.fetch_add(1, Ordering::Relaxed);
        let failure = self.judge(&action.op, Rules::failure);
        self.perform(action.op, failure)
    }

    /// How long an operation is to take, by the first [rule](Self::delay_when) that says something about it; zero where
    /// none does. Nothing here waits: that is for the caller, before or after [`execute`](Self::execute).
    pub fn latency(&self, op: &FileOp) -> Duration {
        self.judge(op, Rules::latency)
    }

    /// How many operations were executed, failed ones included.
    pub fn operations(&self) -> u64 {
        self.shared.operations.load(Ordering::Relaxed)
    }

    /// Lets operations fail: the rule is asked before each one, in the order in which rules were added, and the first
    /// failure counts. A rule may use the directory, but not add or remove rules.
    pub fn fail_when(&self, rule: impl FnMut(&Operation<'_>) -> Option<Failure> + Send + 'static) {
        self.rules().add_failure(rule);
    }

    /// Lets the operation fail that is the `position`th from now, counted from 1, and no other.
    pub fn fail_operation(&self, position: u64, failure: impl Into<Failure>) {
        let failure = failure.into();
        let mut seen = 0_u64;
        self.fail_when(move |_| {
            seen += 1;
            (seen == position).then(|| failure.clone())
        });
    }

    /// Lets the next `times` renames fail that may replace a file (those with `clobber`), and no others:
    /// [`Busy`](dlmanager_core::FaultKind::Busy) is what they are answered with while somebody evicts for too long.
    ///
    /// ```
    /// use dlmanager_core::{Fault, FaultKind};
    /// use dlmanager_fs_memory::MemoryDirectory;
    ///
    /// let directory = MemoryDirectory::new();
    /// directory.fail_replacing(1, Fault::new(FaultKind::Busy));
    /// ```
    pub fn fail_replacing(&self, times: u64, failure: impl Into<Failure>) {
        let failure = failure.into();
        let mut left = times;
        self.fail_when(move |operation| {
            let fails = left > 0 && matches!(operation.op, FileOp::Rename { clobber: true, .. });
            left -= u64::from(fails);
            fails.then(|| failure.clone())
        });
    }

    /// Gives operations a latency; the first rule that says something about an operation counts.
    pub fn delay_when(&self, rule: impl FnMut(&Operation<'_>) -> Option<Duration> + Send + 'static) {
        self.rules().add_latency(rule);
    }

    /// Forgets all rules: from now on nothing fails by one, and everything takes no time.
    pub fn clear_rules(&self) {
        self.rules().clear();
    }

    /// Bounds the bytes that files may hold; a write beyond is cut off there and answered with
    /// [`NoSpace`](dlmanager_core::FaultKind::NoSpace). Overwriting needs no room, and parts of a file that were never written take none.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.tree().capacity_bytes = bytes;
    }

    /// Whether names need room as well: where no byte of the [capacity](Self::set_capacity) is free, a new file, a new folder,
    /// a rename to a name that is free, and a `Probe` are answered with [`NoSpace`](dlmanager_core::FaultKind::NoSpace). A name
    /// that is made takes nothing of it.
    pub fn set_names_need_room(&self, need_room: bool) {
        self.tree().names_need_room = need_room;
    }

    /// Lets what is freed from now on be seen late, as disks do that free at their leisure: the next `looks` looks at the disk
    /// (`Gauge`) behind it do not show it as free, the one after them does. It can be written to at once all the same, and
    /// [`used_bytes`](Self::used_bytes) counts it no longer.
    pub fn set_free_space_lag(&self, looks: u32) {
        self.tree().free_space_lag = looks;
    }

    /// What a look at the disk says is free, whatever the capacity and what was freed: other programs' files take of it as well.
    pub fn set_free(&self, bytes: Option<u64>) {
        self.tree().free_bytes = bytes;
    }

    /// The bytes that files hold, deleted ones that are still open included.
    pub fn used_bytes(&self) -> u64 {
        self.tree().used_bytes
    }

    /// The time on the wall clock.
    pub fn now(&self) -> Stamp {
        self.tree().now
    }

    /// Sets the wall clock, backwards too.
    pub fn set_now(&self, now: Stamp) {
        self.tree().now = now;
    }

    /// Moves the wall clock forwards.
    pub fn advance(&self, span: Duration) {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        let mut tree = self.tree();
        tree.now = Stamp::from_nanos(tree.now.as_nanos().saturating_add(nanos));
    }

    /// How many files and scans are open.
    pub fn open_handles(&self) -> usize {
        self.tree().handles.len()
    }

    fn perform(&self, op: FileOp, failure: Option<Failure>) -> Completion {
        match op {
            FileOp::Probe { ticket, path } => answer(ticket, failure, || self.tree().probe(&path)),
            FileOp::MakeDir { ticket, path } => answer(ticket, failure, || self.tree().make_dir(&path)),
            FileOp::Gauge { ticket } => answer(ticket, failure, || Ok(self.tree().gauge())),
            FileOp::Scan { ticket, scan, folder, entries_max } => {
                answer(ticket, failure, || self.tree().scan(self.id(scan), folder.as_ref(), entries_max))
            }
            FileOp::Stat { ticket, path } => answer(ticket, failure, || self.tree().stat_path(&path)),
            FileOp::Open { ticket, file, path, mode } => {
                answer(ticket, failure, || self.tree().open_path(self.id(file), path, mode))
            }
            FileOp::Read { ticket, file, offset, bytes_max } => {
                answer(ticket, failure, || self.tree().read(self.id(file), offset, bytes_max))
            }
            FileOp::Write { ticket, file, offset, mut data } => {
                if let Some(Failure { performed: Performed::Bytes(bytes_max), .. }) = failure {
                    // Whether those bytes had room or not, the failure is the answer.
                    let _ = self.tree().write(self.id(file), offset, &data, bytes_max);
                }
                answer(ticket, failure, || {
                    self.tree().write(self.id(file), offset, &data, u64::MAX)?;
                    data.clear();
                    Ok(data)
                })
            }
            FileOp::Truncate { ticket, file, length } => {
                answer(ticket, failure, || self.tree().truncate(self.id(file), length))
            }
            FileOp::SetTimes { ticket, file, modified } => {
                answer(ticket, failure, || self.tree().set_times(self.id(file), modified))
            }
            FileOp::Hash { ticket, file, algorithms, from, to } => {
                answer(ticket, failure, || self.tree().hash(self.id(file), algorithms, from, to))
            }
            FileOp::KeepDigests { ticket, file, digests } => {
                answer(ticket, failure, || self.tree().keep_digests(self.id(file), digests))
            }
            FileOp::Sync { ticket, file } => {
                if failure.as_ref().is_some_and(|failure| failure.performed != Performed::All) {
                    self.tree().sync_badly(self.id(file));
                }
                answer(ticket, failure, || self.tree().sync(self.id(file)))
            }
            FileOp::Finish { ticket, file, length, path } => {
                answer(ticket, failure, || self.tree().finish(self.id(file), length, path.as_ref()))
            }
            FileOp::Rename { ticket, from, to, clobber } => {
                answer(ticket, failure, || self.tree().rename_path(&from, &to, clobber))
            }
            FileOp::SyncDir { ticket, path } => answer(ticket, failure, || self.tree().sync_dir(&path)),
            FileOp::Delete { ticket, items } => answer(ticket, failure, || Ok(self.tree().delete(&items))),
            FileOp::Touch { ticket, path, unless_within } => {
                answer(ticket, failure, || self.tree().touch(&path, unless_within))
            }
            FileOp::Lock { ticket, file, path } => answer(ticket, failure, || self.tree().lock(self.id(file), &path)),
            FileOp::Unlock { ticket, file } => {
                self.tree().unlock(self.id(file));
                answer(ticket, failure, || Ok(()))
            }
            FileOp::Close { ticket, file } => {
                self.tree().close(self.id(file));
                answer(ticket, failure, || Ok(()))
            }
        }
    }

    fn judge<T>(&self, op: &FileOp, rules: impl FnOnce(&mut Rules, &Operation<'_>) -> T) -> T {
        let path = self.path_of(op);
        rules(&mut self.rules(), &Operation { op, path: path.as_ref() })
    }

    fn path_of(&self, op: &FileOp) -> Option<StorePath> {
        match op {
            FileOp::Probe { path, .. }
            | FileOp::MakeDir { path, .. }
            | FileOp::Stat { path, .. }
            | FileOp::Open { path, .. }
            | FileOp::SyncDir { path, .. }
            | FileOp::Touch { path, .. }
            | FileOp::Rename { from: path, .. } => Some(path.clone()),
            FileOp::Delete { items, .. } => items.first().map(|item| item.path.clone()),
            op => match self.tree().handles.get(&self.id(op.file()?)) {
                Some(Handle::File(open)) => Some(open.path.clone()),
                Some(Handle::Scan { .. }) | None => None,
            },
        }
    }

    /// The same directory for another program.
    pub(crate) fn of_process(&self, process: Process) -> Self {
        Self { shared: Arc::clone(&self.shared), process }
    }

    pub(crate) const fn own_process(&self) -> Process {
        self.process
    }

    const fn id(&self, file: FileId) -> HandleId {
        (self.process, file)
    }

    pub(crate) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.shared.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryDirectory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDirectory").field("entries", &self.list()).finish_non_exhaustive()
    }
}

fn answer<O: Op>(
    ticket: Ticket<O>,
    failure: Option<Failure>,
    perform: impl FnOnce() -> Result<O::Out, Fault>,
) -> Completion {
    let Some(failure) = failure else { return ticket.done(perform()) };
    if failure.performed == Performed::All {
        // It happened; only its answer is the failure's.
        let _ = perform();
    }
    ticket.done(Err(failure.fault))
}
