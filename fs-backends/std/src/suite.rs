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

fn on_disk<R: Root + 'static>(adapt: impl Fn(R) -> R) -> OnDisk {
    OnDisk::new(|path: &Path| {
        let engine = Engine::new(adapt(create(path).expect("the directory")));
        move |action: FileAction| engine.execute(action.op)
    })
}

fn assert_passes<R: Root + 'static>(name: &str, adapt: impl Fn(R) -> R) {
    let report = run(|| on_disk(&adapt));
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

    fn kernel(openat2: bool, exclusive_rename: bool) -> Kernel {
        Kernel { openat2: AtomicBool::new(openat2), exclusive_rename: AtomicBool::new(exclusive_rename) }
    }

    #[test]
    fn a_kernel_without_openat2_obeys_the_rules() {
        assert_passes::<UnixRoot>("without openat2", |root| root.with_kernel(kernel(false, true)));
    }

    #[test]
    fn a_kernel_without_exclusive_rename_obeys_the_rules() {
        let openat2 = cfg!(target_os = "linux");
        assert_passes::<UnixRoot>("without an exclusive rename", |root| root.with_kernel(kernel(openat2, false)));
    }
}
