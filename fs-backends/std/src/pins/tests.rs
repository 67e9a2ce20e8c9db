use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use dlmanager_core::testing::path;
use dlmanager_core::{FileStat, ScanBatch, Stamp};

use super::*;
use crate::Directory;
use crate::root::Identity;

#[cfg(not(unix))]
type System = crate::portable::PortableRoot;
#[cfg(unix)]
type System = crate::unix::UnixRoot;

/// What does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    Create,
    Write,
    Sync,
    SyncDir,
    Wait,
    Lock,
}

/// A directory in which one step of making a pin fails.
struct Failing {
    root: System,
    step: Step,
}

impl Failing {
    fn check(&self, step: Step) -> Result<(), Fault> {
        if self.step == step { Err(Fault::new(FaultKind::Busy).with_detail(format!("{step:?}"))) } else { Ok(()) }
    }
}

macro_rules! handed_on {
    ($($([$step:ident])? $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        fn $name(&self, $($argument: $type),*) -> $result {
            $(self.check(Step::$step)?;)?
            self.root.$name($($argument),*)
        }
    )*};
}

impl Root for Failing {
    type Scan = <System as Root>::Scan;

    fn open(path: &Path) -> Result<Self, Fault> {
        Ok(Self { root: System::open(path)?, step: Step::Nothing })
    }

    fn another(&self) -> Result<Self, Fault> {
        Ok(Self { root: self.root.another()?, step: self.step })
    }

    fn open_file(&self, path: &StorePath, mode: OpenMode) -> Result<(File, bool), Fault> {
        if mode == OpenMode::CreateNew {
            self.check(Step::Create)?;
        }
        self.root.open_file(path, mode)
    }

    handed_on! {
        check_writable() -> Result<(), Fault>;
        make_dir(path: &StorePath) -> Result<(), Fault>;
        stat(path: &StorePath) -> Result<Option<FileStat>, Fault>;
        read_at(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Fault>;
        [Write] write_all_at(file: &File, offset: u64, data: &[Bytes]) -> Result<(), Fault>;
        set_times(file: &File, modified: Stamp) -> Result<(), Fault>;
        set_note(file: &File, note: Option<&str>) -> Result<(), Fault>;
        note(file: &File) -> Result<Option<String>, Fault>;
        try_lock(file: &File) -> Result<(), Fault>;
        [Lock] try_lock_shared(file: &File) -> Result<(), Fault>;
        unlock(file: &File) -> Result<(), Fault>;
        length_under(path: &StorePath, file: &File, identity: &Identity) -> Result<Option<u64>, Fault>;
        rename(from: &StorePath, to: &StorePath, clobber: bool, is_seen: bool) -> Result<(), Fault>;
        [Sync] sync(file: &File) -> Result<(), Fault>;
        [SyncDir] sync_dir(path: &StorePath) -> Result<(), Fault>;
        delete(items: &[DeleteItem]) -> Vec<Deleted>;
        touch(path: &StorePath, unless_within: Duration) -> Result<Stamp, Fault>;
        scan(folder: Option<&StorePath>) -> Result<Self::Scan, Fault>;
        scan_batch(scan: &mut Self::Scan, entries_max: usize) -> Result<ScanBatch, Fault>;
        free_bytes() -> Result<Option<u64>, Fault>;
        [Wait] wait_for_evictions() -> Result<(), Fault>;
    }
}

#[test]
fn whatever_fails_a_new_pin_is_taken_back_and_one_that_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    for step in [Step::Create, Step::Write, Step::Sync, Step::SyncDir, Step::Wait, Step::Lock] {
        fs::write(folder.path().join("a"), b"bytes").unwrap();
        let mut root = Failing { step, ..Failing::open(folder.path()).unwrap() };
        let fault = pin(&root, &path("a")).unwrap_err();
        assert_eq!(fault.detail(), Some(&*format!("{step:?}")));
        assert_eq!(is_pinned(&root, &path("a")), Ok(false), "{step:?}");
        assert!(!folder.path().join(WORK_FOLDER).exists(), "{step:?} leaves nothing");
        root.step = Step::Nothing;
        pin(&root, &path("a")).unwrap();
        root.step = step;
        // Of one that is there nothing is made.
        let is_needed = matches!(step, Step::Create | Step::SyncDir | Step::Wait | Step::Lock);
        assert_eq!(pin(&root, &path("a")).is_err(), is_needed, "{step:?}");
        assert_eq!(pins(&root), Ok(vec![path("a")]), "{step:?}");
        assert_eq!(unpin(&root, &path("a")), Ok(true), "{step:?}");
    }
}

#[test]
fn a_pin_whose_maker_died_pins_and_is_listed_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    fs::create_dir_all(folder.path().join("far/below")).unwrap();
    let names = ["a", "b", "far/below/c"].map(path);
    let put = |path: &StorePath, bytes: &[u8]| fs::write(folder.path().join(path.as_str()), bytes).unwrap();
    for name in &names {
        put(name, b"bytes");
        directory.pin(name).unwrap();
    }
    let gone = path("gone");
    for (name, text) in [(&names[0], &b""[..]), (&names[2], b"dlmanager 1\nfar/be"), (&gone, b"")] {
        put(&name.pin(), text);
    }
    assert_eq!(directory.pins().unwrap(), names);
    for name in &names {
        assert_eq!(directory.is_pinned(name), Ok(true), "{name}");
        let stat = directory.stat(name).unwrap().unwrap();
        let expect = Expect::Unchanged { length: stat.length, accessed: stat.accessed, modified: stat.modified };
        assert_eq!(directory.delete(&DeleteItem { path: name.clone(), expect }), Deleted::Pinned, "{name}");
    }
    // What nothing has the name of keeps nothing, until something has.
    put(&gone, b"bytes");
    assert!(directory.pins().unwrap().contains(&gone));
    for name in names.iter().chain([&gone]) {
        assert_eq!(directory.unpin(name), Ok(true), "{name}");
    }
    assert!(!folder.path().join(WORK_FOLDER).exists());
}
