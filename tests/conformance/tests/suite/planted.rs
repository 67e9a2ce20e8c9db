//! Backends that break a rule each: the suite has to find every one of them, by the case that is meant for it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use dlmanager_conformance::{Backend, Execute, Thing, Unsupported, run, run_those};
use dlmanager_core::testing::{Tickets, file_id, lane, path};
use dlmanager_core::{
    Algorithm, Answer, Completion, DeleteItem, Deleted, Expect, FaultKind, FileAction, FileId, FileKind, FileOp,
    FileStat, Hasher, OpenMode, Opened, Probed, Stamp, StorePath, WORK_FOLDER,
};

use crate::support::InMemory;

/// A backend in memory that does some operations in another way.
struct Planted {
    inner: InMemory,
    tickets: RefCell<Tickets>,
    bug: Bug,
}

/// What becomes of an operation: it may be changed before it is done, or its answer after, or be done otherwise.
#[derive(Clone, Copy)]
enum Bug {
    Before(fn(&Planted, FileOp) -> FileOp),
    After(fn(&Planted, Answer) -> Answer),
    Instead(fn(&Planted, FileAction) -> Completion),
}

impl Planted {
    /// Does something on its own account.
    fn also(&self, op: impl FnOnce(&mut Tickets) -> FileOp) -> Answer {
        let op = op(&mut self.tickets.borrow_mut());
        self.perform(op).into_answer()
    }

    fn perform(&self, op: FileOp) -> Completion {
        self.inner.execute(FileAction { lane: lane(1), epoch: 0, op })
    }

    fn also_lock(&self, file: FileId, name: &StorePath) -> Result<u64, FaultKind> {
        match self.also(|tickets| FileOp::Lock { ticket: tickets.ticket(), file, path: name.clone() }) {
            Answer::Lock(result) => result.map_err(|fault| fault.kind()),
            other => panic!("Lock was answered with {other:?}"),
        }
    }

    /// What has the same effect on a file whose lock somebody has, or nobody.
    fn without_locks(&self, item: DeleteItem) -> DeleteItem {
        let Expect::Unchanged { length, accessed, modified } = item.expect else { return item };
        let as_seen = FileStat { kind: FileKind::Regular, length, accessed, modified };
        let is_pinned = self.inner.0.stat(item.path.pin().as_str()).is_some();
        let is_as_seen = self.inner.0.stat(item.path.as_str()) == Some(as_seen);
        if is_as_seen && !is_pinned { DeleteItem { expect: Expect::File, ..item } } else { item }
    }

    fn also_delete(&self, name: &str, expect: Expect) {
        let items = vec![DeleteItem { path: path(name), expect }];
        let _ = self.also(|tickets| FileOp::Delete { ticket: tickets.ticket(), items });
    }
}

impl Backend for Planted {
    fn execute(&self, mut action: FileAction) -> Completion {
        let id = action.id();
        match self.bug {
            Bug::Before(change) => {
                action.op = change(self, action.op);
                self.inner.execute(action)
            }
            Bug::Instead(perform) => perform(self, action),
            Bug::After(change) => Completion::forge(id, change(self, self.inner.execute(action).into_answer())),
        }
    }

    fn now(&self) -> Stamp {
        self.inner.now()
    }

    fn put(&self, path: &str, thing: Thing<'_>) -> Result<(), Unsupported> {
        self.inner.put(path, thing)
    }

    fn set_stamps(&self, path: &str, accessed: Stamp, modified: Stamp) {
        self.inner.set_stamps(path, accessed, modified);
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.inner.read(path)
    }

    fn list(&self) -> BTreeMap<String, FileKind> {
        self.inner.list()
    }

    fn open_handles(&self) -> Option<usize> {
        self.inner.open_handles()
    }

    fn program(&self) -> Option<Execute> {
        self.inner.program()
    }
}

/// Runs the suite on a backend with the bug, and demands that the case finds it.
#[track_caller]
fn assert_found(bug: Bug, case: &str) {
    let planted = || Planted { inner: InMemory::default(), tickets: RefCell::default(), bug };
    if run_those(planted, |one| one.name == case).failures().next().is_none() {
        let report = run(planted);
        let failed: Vec<&str> = report.failures().map(|(case, _)| case.name).collect();
        panic!("{case} did not find it; failed: {failed:?}");
    }
}

macro_rules! planted {
    ($($name:ident: $bug:expr => $($case:ident),+;)*) => {
        $(#[test]
        fn $name() {
            $(assert_found($bug, stringify!($case));)+
        })*
    };
}

fn pieces_of(data: &[bytes::Bytes]) -> Vec<bytes::Bytes> {
    data.iter().rev().cloned().collect()
}

planted! {
    create_that_takes_what_is_there: Bug::Before(|this, op| match op {
        FileOp::Open { ticket, file, path, mode: OpenMode::CreateNew } => {
            let is_there = this.inner.0.stat(path.as_str()).is_some_and(|stat| stat.kind == FileKind::Regular);
            let mode = if is_there { OpenMode::Existing } else { OpenMode::CreateNew };
            FileOp::Open { ticket, file, path, mode }
        }
        op => op,
    }) => create_over_a_file;

    create_that_makes_its_folder: Bug::Before(|this, op| {
        if let FileOp::Open { path: name, .. } = &op && let Some((folder, _)) = name.as_str().rsplit_once('/') {
            let _ = this.also(|tickets| FileOp::MakeDir { ticket: tickets.ticket(), path: path(folder) });
        }
        op
    }) => create_without_its_folder;

    existing_that_creates: Bug::Before(|this, op| match op {
        FileOp::Open { ticket, file, path, mode: OpenMode::Existing } => {
            let mode = match this.inner.0.stat(path.as_str()) {
                Some(_) => OpenMode::Existing,
                None => OpenMode::CreateNew,
            };
            FileOp::Open { ticket, file, path, mode }
        }
        op => op,
    }) => existing_without_a_file;

    existing_that_truncates: Bug::Before(|this, op| {
        if let FileOp::Open { path, mode: OpenMode::Existing, .. } = &op
            && this.inner.0.read(path.as_str()).is_some()
        {
            this.inner.0.put_file(path.as_str(), b"");
        }
        op
    }) => existing_keeps_the_bytes;

    writes_that_ignore_the_offset: Bug::Before(|_, op| match op {
        FileOp::Write { ticket, file, data, .. } => FileOp::Write { ticket, file, offset: 0, data },
        op => op,
    }) => writes_go_where_they_say, a_gap_reads_as_zeros, files_do_not_mix;

    writes_in_the_wrong_order: Bug::Before(|_, op| match op {
        FileOp::Write { ticket, file, offset, data } => {
            FileOp::Write { ticket, file, offset, data: pieces_of(&data) }
        }
        op => op,
    }) => pieces_go_one_behind_the_other, thousands_of_pieces;

    writes_that_stop_at_iov_max: Bug::Before(|_, op| match op {
        FileOp::Write { ticket, file, offset, mut data } => {
            data.truncate(1024);
            FileOp::Write { ticket, file, offset, data }
        }
        op => op,
    }) => thousands_of_pieces;

    writes_that_keep_their_vector: Bug::After(|_, answer| match answer {
        Answer::Write(Ok(_)) => Answer::Write(Ok(Vec::new())),
        answer => answer,
    }) => pieces_go_one_behind_the_other;

    finish_that_looks_at_nothing: Bug::After(|_, answer| match answer {
        Answer::Finish(Err(fault)) if fault.kind() == FaultKind::Changed => Answer::Finish(Ok(())),
        answer => answer,
    }) => finish_compares_the_length, finish_sees_what_others_wrote, finish_sees_where_the_name_leads;

    finish_that_does_not_look_at_the_name: Bug::Before(|_, op| match op {
        FileOp::Finish { ticket, file, length, .. } => FileOp::Finish { ticket, file, length, path: None },
        op => op,
    }) => finish_sees_where_the_name_leads, finish_counts_names;

    finish_that_does_not_count_names: Bug::After(|_, answer| match answer {
        Answer::Finish(Err(fault)) if fault.kind() == FaultKind::WrongType => Answer::Finish(Ok(())),
        answer => answer,
    }) => finish_counts_names;

    renames_that_always_clobber: Bug::Before(|_, op| match op {
        FileOp::Rename { ticket, from, to, .. } => FileOp::Rename { ticket, from, to, clobber: true },
        op => op,
    }) => no_clobber_over_a_file, no_clobber_over_a_folder, no_clobber_over_a_symlink;

    renames_that_never_clobber: Bug::Before(|_, op| match op {
        FileOp::Rename { ticket, from, to, .. } => FileOp::Rename { ticket, from, to, clobber: false },
        op => op,
    }) => replace_a_file;

    renames_that_delete_first: Bug::Before(|this, op| {
        if let FileOp::Rename { to, clobber: true, .. } = &op {
            this.also_delete(to.as_str(), Expect::File);
        }
        op
    }) => replace_a_symlink, replace_a_pipe, rename_of_nothing;

    deletions_that_expect_nothing: Bug::Before(|_, op| match op {
        FileOp::Delete { ticket, mut items } => {
            for item in &mut items {
                if let Expect::Unchanged { .. } = item.expect {
                    item.expect = Expect::File;
                }
            }
            FileOp::Delete { ticket, items }
        }
        op => op,
    }) => delete_a_changed_file, delete_another_kind_for_an_unchanged_file;

    deletions_that_compare_the_length_alone: Bug::Before(|this, op| match op {
        FileOp::Delete { ticket, mut items } => {
            for item in &mut items {
                let there = this.inner.0.stat(item.path.as_str());
                if let (Expect::Unchanged { length, .. }, Some(FileStat { accessed, modified, .. })) = (item.expect, there) {
                    item.expect = Expect::Unchanged { length, accessed, modified };
                }
            }
            FileOp::Delete { ticket, items }
        }
        op => op,
    }) => delete_a_changed_file;

    deletions_that_stop_at_the_first_that_stays: Bug::Before(|this, op| match op {
        FileOp::Delete { ticket, mut items } => {
            let gone = |item: &DeleteItem| this.inner.0.stat(item.path.as_str()).is_none();
            let keep = items.iter().position(gone).unwrap_or(items.len()).max(1);
            items.truncate(keep);
            FileOp::Delete { ticket, items }
        }
        op => op,
    }) => delete_a_batch;

    deletions_that_take_folders_with_all: Bug::Before(|this, op| {
        if let FileOp::Delete { items, .. } = &op {
            for item in items.iter().filter(|item| item.expect == Expect::EmptyFolder) {
                if this.inner.0.stat(item.path.as_str()).is_some_and(|stat| stat.kind == FileKind::Folder) {
                    this.inner.0.put_folder(item.path.as_str());
                }
            }
        }
        op
    }) => delete_a_full_folder;

    deletions_that_are_always_done: Bug::After(|_, answer| match answer {
        Answer::Delete(Ok(deleted)) => Answer::Delete(Ok(vec![Deleted::Deleted; deleted.len()])),
        answer => answer,
    }) => delete_what_is_gone, delete_a_folder_for_a_file, delete_below_a_file;

    evictions_that_look_at_no_lock: Bug::Instead(|this, action| match action.op {
        FileOp::Delete { ticket, items } => {
            let unlocked = items.into_iter().map(|item| this.without_locks(item)).collect::<Vec<_>>();
            this.perform(FileOp::Delete { ticket, items: unlocked })
        }
        op => this.perform(op),
    }) => delete_an_unchanged_file_that_is_locked, delete_a_batch_of_unchanged_files;

    evictions_that_look_at_no_pin: Bug::Instead(|this, action| match action.op {
        FileOp::Delete { ticket, items } => {
            for item in items.iter().filter(|item| matches!(item.expect, Expect::Unchanged { .. })) {
                this.inner.0.remove(item.path.pin().as_str());
            }
            this.perform(FileOp::Delete { ticket, items })
        }
        op => this.perform(op),
    }) => delete_an_unchanged_file_that_is_pinned, delete_a_batch_of_unchanged_files;

    scans_of_the_directory_instead_of_its_folders: Bug::Before(|_, op| match op {
        FileOp::Scan { ticket, scan, entries_max, .. } => FileOp::Scan { ticket, scan, folder: None, entries_max },
        op => op,
    }) => scan_of_a_folder, scan_without_its_folder;

    clocks_that_stand_still: Bug::After(|_, answer| match answer {
        Answer::Gauge(Ok(gauged)) => Answer::Gauge(Ok(dlmanager_core::Gauged { now: Stamp::default(), ..gauged })),
        answer => answer,
    }) => gauge_tells_the_time;

    touches_that_always_stamp: Bug::Before(|_, op| match op {
        FileOp::Touch { ticket, path, .. } => FileOp::Touch { ticket, path, unless_within: Duration::ZERO },
        op => op,
    }) => touch_leaves_a_young_stamp;

    touches_that_never_stamp: Bug::Before(|_, op| match op {
        FileOp::Touch { ticket, path, .. } => FileOp::Touch { ticket, path, unless_within: Duration::MAX },
        op => op,
    }) => touch_stamps_an_old_file, touch_with_zero_always_stamps;

    touches_that_trust_the_future: Bug::Instead(|this, action| match action.op {
        FileOp::Touch { ticket, path, unless_within } => match this.inner.0.stat(path.as_str()) {
            Some(stat) if stat.accessed > this.inner.now() => ticket.done(Ok(stat.accessed)),
            _ => this.perform(FileOp::Touch { ticket, path, unless_within }),
        },
        op => this.perform(op),
    }) => touch_takes_the_future_for_old;

    scans_that_show_the_work_folder: Bug::After(|this, answer| match answer {
        Answer::Scan(Ok(mut batch)) => {
            if let Some(stat) = this.inner.0.stat(WORK_FOLDER) {
                batch.entries.push(dlmanager_core::ScanEntry { path: path(WORK_FOLDER), stat });
            }
            Answer::Scan(Ok(batch))
        }
        answer => answer,
    }) => scan_leaves_the_work_folder_out, a_symlinked_work_folder;

    scans_that_end_with_the_first_batch: Bug::After(|_, answer| match answer {
        Answer::Scan(Ok(mut batch)) => {
            batch.done = true;
            Answer::Scan(Ok(batch))
        }
        answer => answer,
    }) => scan_one_by_one, scan_in_batches, scan_while_files_appear, scan_while_files_go;

    scans_that_lose_an_entry: Bug::After(|_, answer| match answer {
        Answer::Scan(Ok(mut batch)) => {
            if !batch.done {
                batch.entries.pop();
            }
            Answer::Scan(Ok(batch))
        }
        answer => answer,
    }) => scan_one_by_one, scan_in_batches;

    scans_that_count_no_unnameable_names: Bug::After(|_, answer| match answer {
        Answer::Scan(Ok(mut batch)) => {
            batch.unnameable = 0;
            Answer::Scan(Ok(batch))
        }
        answer => answer,
    }) => scan_counts_unnameable_names;

    closes_that_close_nothing: Bug::Before(|_, op| match op {
        FileOp::Close { ticket, .. } => FileOp::Close { ticket, file: file_id(u64::MAX) },
        op => op,
    }) => use_after_close, nothing_stays_open;

    folders_without_parents: Bug::Instead(|this, action| match action.op {
        FileOp::MakeDir { ticket, path } => match path.as_str().rsplit_once('/') {
            Some((parent, _)) if this.inner.0.stat(parent).is_none() => ticket.done(Err(FaultKind::NotFound.into())),
            _ => this.perform(FileOp::MakeDir { ticket, path }),
        },
        op => this.perform(op),
    }) => make_dir_with_parents;

    symlinks_that_are_followed: Bug::Before(|this, op| {
        let follow = |name: &StorePath| {
            let (first, rest) = name.as_str().split_once('/').unwrap_or((name.as_str(), ""));
            let target = this.inner.0.read_link(first).filter(|target| !rest.is_empty() && !target.contains('/'));
            target.map_or_else(|| name.clone(), |target| path(&format!("{target}/{rest}")))
        };
        match op {
            FileOp::Stat { ticket, path } => FileOp::Stat { ticket, path: follow(&path) },
            op => op,
        }
    }) => a_symlinked_folder_that_stays_inside;

    opens_that_always_make_it: Bug::After(|_, answer| match answer {
        Answer::Open(Ok(opened)) => Answer::Open(Ok(Opened { created: true, ..opened })),
        answer => answer,
    }) => open_tells_the_length_and_who_made_it, create_or_existing_makes_or_keeps;

    opens_that_tell_no_length: Bug::After(|_, answer| match answer {
        Answer::Open(Ok(opened)) => Answer::Open(Ok(Opened { length: 0, ..opened })),
        answer => answer,
    }) => open_tells_the_length_and_who_made_it, create_or_existing_makes_or_keeps;

    create_or_existing_that_only_opens: Bug::Before(|_, op| match op {
        FileOp::Open { ticket, file, path, mode: OpenMode::CreateOrExisting } => {
            FileOp::Open { ticket, file, path, mode: OpenMode::Existing }
        }
        op => op,
    }) => create_or_existing_makes_or_keeps, every_mode_but_one_reads_and_writes;

    create_or_existing_that_empties: Bug::Before(|this, op| {
        if let FileOp::Open { path, mode: OpenMode::CreateOrExisting, .. } = &op
            && this.inner.0.read(path.as_str()).is_some()
        {
            this.inner.0.put_file(path.as_str(), b"");
        }
        op
    }) => create_or_existing_makes_or_keeps;

    second_names_that_do_not_matter: Bug::Before(|this, op| {
        if let FileOp::Open { path, mode: OpenMode::Existing | OpenMode::CreateOrExisting, .. } = &op
            && let Some(bytes) = this.inner.0.read(path.as_str())
        {
            // A file of its own under that name.
            this.inner.0.put_file(path.as_str(), &bytes);
        }
        op
    }) => a_file_with_two_names;

    second_names_that_matter_to_readers: Bug::Before(|_, op| match op {
        FileOp::Open { ticket, file, path, mode: OpenMode::Read } => {
            FileOp::Open { ticket, file, path, mode: OpenMode::Existing }
        }
        op => op,
    }) => a_file_with_two_names, every_mode_but_one_reads_and_writes;

    reads_that_stop_short: Bug::After(|_, answer| match answer {
        Answer::Read(Ok(bytes)) => Answer::Read(Ok(bytes.slice(..bytes.len().min(1 << 20)))),
        answer => answer,
    }) => read_megabytes;

    reads_that_ignore_the_offset: Bug::Before(|_, op| match op {
        FileOp::Read { ticket, file, bytes_max, .. } => FileOp::Read { ticket, file, offset: 0, bytes_max },
        op => op,
    }) => read_any_part, read_at_the_end;

    reads_that_fail_at_the_end: Bug::After(|_, answer| match answer {
        Answer::Read(Ok(bytes)) if bytes.is_empty() => Answer::Read(Err(FaultKind::Io.into())),
        answer => answer,
    }) => read_at_the_end;

    cuts_that_do_nothing: Bug::Instead(|this, action| match action.op {
        FileOp::Truncate { ticket, .. } => ticket.done(Ok(())),
        op => this.perform(op),
    }) => truncate_cuts, truncate_and_write, truncate_never_lengthens, truncate_is_seen_by_all;

    cuts_that_always_cut_to_nothing: Bug::Before(|_, op| match op {
        FileOp::Truncate { ticket, file, .. } => FileOp::Truncate { ticket, file, length: 0 },
        op => op,
    }) => truncate_cuts, truncate_to_its_length, truncate_never_lengthens;

    cuts_that_lengthen: Bug::Instead(|this, action| match action.op {
        FileOp::Truncate { ticket, file, length } if length < 1 << 41 => {
            let op = |tickets: &mut Tickets| FileOp::Truncate { ticket: tickets.ticket(), file, length };
            if let Answer::Truncate(Err(fault)) = this.also(op) && fault.kind() == FaultKind::Changed {
                let zero = vec![bytes::Bytes::from_static(b"\0")];
                let offset = length - 1;
                let _ = this.also(|tickets| FileOp::Write { ticket: tickets.ticket(), file, offset, data: zero });
            }
            ticket.done(Ok(()))
        }
        op => this.perform(op),
    }) => truncate_never_lengthens;

    stamps_that_are_always_now: Bug::Before(|this, op| match op {
        FileOp::SetTimes { ticket, file, .. } => FileOp::SetTimes { ticket, file, modified: this.inner.now() },
        op => op,
    }) => set_times_stamps, set_times_keeps_the_bytes;

    digests_of_the_last_piece: Bug::Instead(|this, action| match action.op {
        FileOp::Hash { ticket, file, algorithms, from, to } if from > 0 => {
            let count = usize::try_from(to.saturating_sub(from)).unwrap();
            let read = this.also(|tickets| FileOp::Read { ticket: tickets.ticket(), file, offset: from, bytes_max: count });
            let Answer::Read(Ok(bytes)) = read else { return ticket.done(Err(FaultKind::Io.into())) };
            let mut hasher = Hasher::new(algorithms);
            hasher.update(&bytes);
            ticket.done(Ok(hasher.digests()))
        }
        op => this.perform(op),
    }) => hash_piece_by_piece, hash_that_does_not_go_on;

    digests_that_are_not_asked_for: Bug::Before(|_, op| match op {
        FileOp::Hash { ticket, file, from, to, .. } => {
            FileOp::Hash { ticket, file, algorithms: Algorithm::ALL.into_iter().collect(), from, to }
        }
        op => op,
    }) => hash_of_all, hash_that_does_not_go_on;

    digests_that_stop_where_the_file_ends: Bug::Before(|this, op| match op {
        FileOp::Hash { ticket, file, algorithms, from, to } => {
            let read = FileOp::Read { ticket: this.tickets.borrow_mut().ticket(), file, offset: 0, bytes_max: usize::MAX };
            let length = match this.perform(read).into_answer() {
                Answer::Read(Ok(bytes)) => bytes.len() as u64,
                _ => to,
            };
            FileOp::Hash { ticket, file, algorithms, from, to: to.min(length) }
        }
        op => op,
    }) => hash_of_what_is_missing;

    locks_that_everybody_gets: Bug::Instead(|this, action| match action.op {
        FileOp::Lock { ticket, file, path } => match this.also_lock(file, &path) {
            Err(FaultKind::Busy) => ticket.done(Ok(0)),
            result => ticket.done(result.map_err(Into::into)),
        },
        op => this.perform(op),
    }) => one_holder_within_a_program, one_holder_among_programs, a_lock_ends_with_its_program, a_lock_follows_its_file;

    locks_that_nobody_gets: Bug::After(|_, answer| match answer {
        Answer::Lock(Ok(_)) => Answer::Lock(Err(FaultKind::Busy.into())),
        answer => answer,
    }) => one_holder_within_a_program, unlock_frees, probe_finds_what_locks_do;

    locks_that_do_not_count_names: Bug::Instead(|this, action| match action.op {
        FileOp::Lock { ticket, file, path } => match this.also_lock(file, &path) {
            Err(FaultKind::WrongType) => ticket.done(Ok(0)),
            result => ticket.done(result.map_err(Into::into)),
        },
        op => this.perform(op),
    }) => a_second_name;

    locks_that_tell_no_length: Bug::After(|_, answer| match answer {
        Answer::Lock(Ok(_)) => Answer::Lock(Ok(0)),
        answer => answer,
    }) => the_length_under_the_lock;

    locks_that_do_not_look_at_the_name: Bug::Instead(|this, action| match action.op {
        FileOp::Lock { ticket, file, path } => match this.also_lock(file, &path) {
            Err(FaultKind::Changed) => ticket.done(Ok(0)),
            result => ticket.done(result.map_err(Into::into)),
        },
        op => this.perform(op),
    }) => a_name_that_leads_elsewhere, a_name_that_leads_nowhere, a_lock_that_has_lost_its_name;

    locks_that_are_lost_with_the_name: Bug::Instead(|this, action| match action.op {
        FileOp::Lock { ticket, file, path } => {
            let result = this.also_lock(file, &path);
            if result == Err(FaultKind::Changed) {
                let ticket = this.tickets.borrow_mut().ticket();
                let _ = this.perform(FileOp::Unlock { ticket, file });
            }
            ticket.done(result.map_err(Into::into))
        }
        op => this.perform(op),
    }) => a_lock_that_has_lost_its_name;

    locks_that_only_look_whether_the_name_is_taken: Bug::Instead(|this, action| match action.op {
        FileOp::Lock { ticket, file, path } => match this.also_lock(file, &path) {
            Err(FaultKind::Changed) if this.inner.0.read(path.as_str()).is_some() => ticket.done(Ok(0)),
            result => ticket.done(result.map_err(Into::into)),
        },
        op => this.perform(op),
    }) => a_name_that_leads_elsewhere;

    unlocks_that_keep_the_lock: Bug::Instead(|this, action| match action.op {
        FileOp::Unlock { ticket, .. } => ticket.done(Ok(())),
        op => this.perform(op),
    }) => unlock_frees, one_holder_within_a_program, lock_again;

    unlocks_that_want_a_lock: Bug::Instead(|this, action| match action.op {
        // To know whether there is one, it is asked for.
        FileOp::Unlock { ticket, file } if this.also_lock(file, &path("nowhere")) == Err(FaultKind::Io) => {
            ticket.done(Err(FaultKind::Io.into()))
        }
        op => this.perform(op),
    }) => unlock_of_what_is_not_locked;

    probes_that_leave_their_file: Bug::Before(|this, op| {
        if let FileOp::Probe { path, .. } = &op
            && this.inner.0.stat(path.as_str()).is_none()
        {
            this.inner.0.put_file(&format!("{path}-left"), b"");
        }
        op
    }) => probe_leaves_nothing;

    probes_that_take_what_is_there: Bug::Before(|this, op| {
        if let FileOp::Probe { path, .. } = &op {
            this.also_delete(path.as_str(), Expect::File);
        }
        op
    }) => probe_at_a_taken_name;

    probes_that_find_no_locks: Bug::After(|_, answer| match answer {
        Answer::Probe(Ok(probed)) => Answer::Probe(Ok(Probed { locks: false, ..probed })),
        answer => answer,
    }) => probe_finds_what_locks_do;
}
