//! Several programs on one directory, and how they end.

use dlmanager_core::BootId;
use dlmanager_core::FaultKind::{Busy, Io, Unsupported};
use dlmanager_core::OpenMode::{CreateNew, Existing, Read};
use dlmanager_fs_memory::Profile::{Ext4, Posix, Tmpfs};
use dlmanager_fs_memory::{BLOCK_BYTES, MemoryDirectory};

use crate::support::Program;

#[test]
fn each_program_has_identifiers_of_its_own() {
    let one = MemoryDirectory::new();
    let other = one.process();
    assert_eq!((one.open(1, "a", CreateNew), other.open(1, "b", CreateNew)), (None, None));
    assert_eq!((one.write(1, 0, b"one"), other.write(1, 0, b"other")), (None, None));
    assert_eq!((one.read("a").unwrap(), one.read("b").unwrap()), (b"one".to_vec(), b"other".to_vec()));
    assert_eq!(one.close(1), None);
    assert_eq!((one.sync(1), other.sync(1)), (Some(Io), None));
    assert_eq!(one.clone().open(1, "b", Existing), None, "a clone is the same program's");
    assert_eq!(one.sync(1), None);
}

#[test]
fn a_program_that_dies_lets_go_of_its_files_and_locks_and_leaves_what_it_has_written() {
    for profile in [Tmpfs, Ext4, Posix] {
        let one = MemoryDirectory::on_disk(profile, BLOCK_BYTES);
        let other = one.process();
        let boot = one.boot();
        assert_eq!((one.open(1, "a", CreateNew), one.write(1, 0, b"unflushed")), (None, None));
        assert_eq!((one.lock(1, "a"), other.open(1, "a", Read), other.lock(1, "a")), (None, None, Some(Busy)));
        one.crash_process();
        assert_eq!((one.sync(1), one.open_handles()), (Some(Io), 1));
        assert_eq!((other.lock(1, "a"), one.boot()), (None, boot));
        assert_eq!(one.read("a").unwrap(), b"unflushed");
        assert_eq!((one.open(1, "a", Existing), one.lock(1, "a")), (None, Some(Busy)), "it starts again");
    }
}

#[test]
fn a_power_loss_ends_all_programs_and_starts_the_machine_anew() {
    let one = MemoryDirectory::on_disk(Ext4, BLOCK_BYTES);
    let other = one.process();
    one.put_file("a", b"");
    one.set_boot(Some(BootId([9; 16])));
    assert_eq!((one.open(1, "a", Existing), one.lock(1, "a"), other.open(1, "a", Read)), (None, None, None));
    one.lose_power(&mut |_| 0);
    assert_eq!((one.sync(1), other.sync(1), one.open_handles()), (Some(Io), Some(Io), 0));
    assert!(one.boot().is_some_and(|boot| boot != BootId([9; 16])));
    assert_eq!((other.open(1, "a", Read), other.lock(1, "a")), (None, None));
    one.set_boot(None);
    one.lose_power(&mut |_| 0);
    assert_eq!(one.boot(), None);
}

#[test]
fn where_locks_do_not_work_nothing_is_locked() {
    let one = MemoryDirectory::new();
    assert_eq!((one.open(1, "a", CreateNew), one.open(2, "a", Read)), (None, None));
    one.set_locks_work(false);
    assert_eq!((one.lock(1, "a"), one.unlock(1)), (Some(Unsupported), None));
    one.set_locks_work(true);
    assert_eq!((one.lock(2, "a"), one.lock(1, "a")), (None, Some(Busy)));
}
