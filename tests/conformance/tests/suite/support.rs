//! The backends of this repository, as the suite takes them.

use std::collections::BTreeMap;

use dlmanager_conformance::{Backend, Execute, OnDisk, Thing, Unsupported};
use dlmanager_core::{Completion, FileAction, FileKind, Stamp};
use dlmanager_fs::Directory;
use dlmanager_fs_memory::MemoryDirectory;

pub(crate) fn on_disk() -> OnDisk {
    OnDisk::new(|path| {
        let directory = Directory::create(path).expect("the directory");
        move |action| directory.execute(action)
    })
}

#[derive(Default)]
pub(crate) struct InMemory(pub(crate) MemoryDirectory);

impl Backend for InMemory {
    fn execute(&self, action: FileAction) -> Completion {
        self.0.execute(action)
    }

    fn now(&self) -> Stamp {
        self.0.now()
    }

    fn put(&self, path: &str, thing: Thing<'_>) -> Result<(), Unsupported> {
        match thing {
            Thing::File(bytes) => self.0.put_file(path, bytes),
            Thing::Link(existing) => self.0.put_link(path, existing),
            Thing::Folder => self.0.put_folder(path),
            Thing::Symlink(target) => self.0.put_symlink(path, target),
            Thing::Other => self.0.put_other(path),
            Thing::Unnameable => self.0.put_unnameable(&[path.as_bytes(), &[0xff]].concat()),
        }
        Ok(())
    }

    fn set_stamps(&self, path: &str, accessed: Stamp, modified: Stamp) {
        assert!(self.0.set_stamps(path, accessed, modified), "no {path:?} to stamp");
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.read(path)
    }

    fn list(&self) -> BTreeMap<String, FileKind> {
        self.0.list()
    }

    fn open_handles(&self) -> Option<usize> {
        Some(self.0.open_handles())
    }

    fn program(&self) -> Option<Execute> {
        let program = Program(self.0.process());
        Some(Box::new(move |action| program.execute(action)))
    }
}

/// A program that dies when it is dropped.
struct Program(MemoryDirectory);

impl Program {
    fn execute(&self, action: FileAction) -> Completion {
        self.0.execute(action)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.0.crash_process();
    }
}
