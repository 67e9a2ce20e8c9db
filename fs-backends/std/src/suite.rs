//! The conformance suite on what the tests of this system would not reach: the fallbacks for other systems, kernels and
//! file systems.

use std::collections::BTreeSet;
use std::path::Path;

use dlmanager_conformance::{OnDisk, cases, run, table};
use dlmanager_core::FileAction;

use crate::create::create;
use crate::engine::Engine;
use crate::portable::PortableRoot;
use crate::root::Root;

fn on_disk<R: Root + 'static>(adapt: impl Fn(R) -> R + Send + 'static) -> OnDisk {
    OnDisk::new(move |path: &Path| {
        let engine = Engine::new(adapt(create(path).expect("the directory")));
        move |action: FileAction| engine.execute(action.op)
    })
}

fn assert_passes<R: Root + 'static>(name: &str, adapt: impl Fn(R) -> R + Copy + Send + 'static) {
    let report = run(|| on_disk(adapt));
    assert!(report.is_passed(), "\n{}", table(&[(name, &report)]));
    assert_eq!(report.results.len(), cases().count());
    if cfg!(target_os = "linux") {
        assert_eq!(report.skipped(), BTreeSet::new());
    }
}

#[test]
fn the_standard_library_alone_obeys_the_rules() {
    assert_passes::<PortableRoot>("portable", |root| root);
}

#[cfg(unix)]
mod kernels {
    use std::sync::atomic::AtomicBool;

    use super::assert_passes;
    use crate::unix::{Kernel, UnixRoot};

    pub(super) fn kernel(openat2: bool, exclusive_rename: bool) -> Kernel {
        Kernel {
            openat2: AtomicBool::new(openat2),
            exclusive_rename: AtomicBool::new(exclusive_rename),
            ..Kernel::default()
        }
    }

    #[test]
    fn a_kernel_without_openat2_obeys_the_rules() {
        assert_passes::<UnixRoot>("without openat2", |root| root.with_kernel(kernel(false, true)));
    }

    #[test]
    fn a_kernel_without_exclusive_rename_obeys_the_rules() {
        let openat2 = cfg!(target_os = "linux");
        assert_passes::<UnixRoot>("without an exclusive rename", move |root| root.with_kernel(kernel(openat2, false)));
    }
}

/// Somebody swaps the work folder for a symlink that leads out of the directory, and back, all the time.
#[cfg(target_os = "linux")]
mod swapped {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use dlmanager_core::testing::path;
    use dlmanager_core::{DeleteItem, Expect, OpenMode};
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::kernels::kernel;
    use crate::create::create;
    use crate::root::Root;
    use crate::unix::UnixRoot;

    /// How often each operation has to work, and to be refused, with this bound for all attempts.
    const EACH_MIN: u32 = 100;
    const ATTEMPTS_MAX: u32 = 1_000_000;

    #[test]
    fn with_openat2_nothing_outside_is_touched() {
        assert_outside_untouched(true);
    }

    #[test]
    fn without_openat2_nothing_outside_is_touched() {
        assert_outside_untouched(false);
    }

    fn assert_outside_untouched(openat2: bool) {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        fs::create_dir_all(outside.join("empty")).unwrap();
        fs::write(outside.join("kept"), b"kept").unwrap();
        let before = snapshot(&outside);
        let root = create::<UnixRoot>(&inside).unwrap().with_kernel(kernel(openat2, true));
        let (work, other) = (inside.join(".dlmanager"), inside.join("other"));
        fs::create_dir(&work).unwrap();
        symlink(&outside, &other).unwrap();

        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &work, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let counts = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attack(&root, &inside)));
            is_over.store(true, Ordering::Relaxed);
            let counts = counts.unwrap();
            assert!(counts.values().all(|&(worked, refused)| worked >= EACH_MIN && refused >= EACH_MIN), "{counts:?}");
        });
        assert_eq!(snapshot(&outside), before);
    }

    /// How often each operation worked and was refused.
    type Counts = BTreeMap<&'static str, (u32, u32)>;

    fn attack(root: &UnixRoot, inside: &Path) -> Counts {
        let mut counts = Counts::new();
        for attempt in 1..=ATTEMPTS_MAX {
            let mut count = |name, has_worked: bool| {
                let (worked, refused) = counts.entry(name).or_default();
                *(if has_worked { worked } else { refused }) += 1;
            };
            let (new, kept) = (path(".dlmanager/new"), path(".dlmanager/kept"));
            let delete = |name: &str, expect| root.delete(&[DeleteItem { path: path(name), expect }]).remove(0);
            count("CreateNew", root.open_file(&new, OpenMode::CreateNew).is_ok());
            count("MakeDir", root.make_dir(&path(".dlmanager/folder/below")).is_ok());
            count("Existing", root.open_file(&new, OpenMode::Existing).is_ok());
            count("CreateOrExisting", root.open_file(&new, OpenMode::CreateOrExisting).is_ok());
            count("Read", root.open_file(&new, OpenMode::Read).is_ok());
            count("Touch", root.touch(&new, Duration::ZERO).is_ok());
            for mode in [OpenMode::Existing, OpenMode::Read] {
                assert!(root.open_file(&kept, mode).is_err(), "only outside there is such a file");
            }
            assert!(root.touch(&kept, Duration::ZERO).is_err());
            for name in [".dlmanager/kept", ".dlmanager/empty"] {
                for expect in [Expect::File, Expect::EmptyFolder] {
                    assert_ne!(delete(name, expect), dlmanager_core::Deleted::Deleted);
                }
            }
            count("Rename out", root.rename(&new, &path("out"), false, false).is_ok());
            fs::write(inside.join("in"), b"ours").unwrap();
            count("Rename in", root.rename(&path("in"), &kept, attempt % 2 == 0, false).is_ok());
            // Where it went in, it lies in the work folder: take it from there, so that `kept` is outside only.
            while fs::symlink_metadata(inside.join("in")).is_err() {
                if root.rename(&kept, &path("in"), false, false).is_ok() {
                    break;
                }
            }
            for name in [".dlmanager/folder/below", ".dlmanager/folder"] {
                count("Delete", delete(name, Expect::EmptyFolder) == dlmanager_core::Deleted::Deleted);
            }
            delete("out", Expect::File);
            delete(".dlmanager/new", Expect::File);
            if attempt % 100 == 0 && counts.values().all(|&(worked, refused)| worked.min(refused) >= EACH_MIN) {
                break;
            }
        }
        counts
    }

    fn snapshot(folder: &Path) -> String {
        let mut entries: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                // Reading it is left out, as it may be recorded: its length and stamps tell enough.
                format!("{entry:?} {} {:?} {:?}", metadata.len(), metadata.modified(), metadata.accessed())
            })
            .collect();
        entries.sort();
        format!("{entries:#?} {:?}", fs::metadata(folder).unwrap().modified())
    }
}
